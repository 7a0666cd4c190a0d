#include "store_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/log.h"

/* --- the pool of readers -----------------------------------------------------------------------
 */

static enum cf_rc reader_take(struct store *s, struct conn **out, struct cf_err *e)
{
    struct conn *c = NULL;
    bool make = false;
    pthread_mutex_lock(&s->lock);
    while (!s->locked.idle && s->locked.made >= s->readers)
        pthread_cond_wait(&s->given_back, &s->lock);
    if (s->locked.idle) {
        c = s->locked.idle;
        s->locked.idle = c->next;
    } else {
        make = true;
        s->locked.made++;
    }
    s->locked.out++;
    pthread_mutex_unlock(&s->lock);

    enum cf_rc rc = make ? conn_open(s, false, &c, e) : CF_OK;
    if (rc != CF_OK) {
        pthread_mutex_lock(&s->lock);
        s->locked.made--;
        s->locked.out--;
        pthread_cond_broadcast(&s->given_back);
        pthread_mutex_unlock(&s->lock);
        return rc;
    }
    *out = c;
    return CF_OK;
}

static void reader_give(struct store *s, struct conn *c)
{
    pthread_mutex_lock(&s->lock);
    c->next = s->locked.idle;
    s->locked.idle = c;
    s->locked.out--;
    pthread_cond_broadcast(&s->given_back);
    pthread_mutex_unlock(&s->lock);
}

/* --- views ---------------------------------------------------------------------------------------
 */

/* The first read fixes the snapshot: it is the root, which also tells a foreign writer. */
static enum cf_rc view_begin(struct store_view *v, struct cf_err *e)
{
    uint8_t bytes[ROOT_SIZE];
    struct root root = { 0 };
    enum cf_rc rc = conn_run(v->c, SQL_BEGIN, e);
    if (rc == CF_OK)
        rc = conn_root(v->c, bytes, e);
    if (rc == CF_OK)
        rc = root_open(&v->c->tagger, v->s->row_key, bytes, &root, e);
    v->counter = root.counter;
    v->log_at = atomic_load_explicit(&v->s->log_bytes, memory_order_relaxed);
    cf_wipe(&root, sizeof root);
    return rc;
}

enum cf_rc store_read(struct store *s, struct store_view **out, struct cf_err *e)
{
    struct store_view *v = calloc(1, sizeof *v);
    if (!v)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a view");
    v->s = s;
    enum cf_rc rc = reader_take(s, &v->c, e);
    if (rc != CF_OK) {
        free(v);
        return rc;
    }
    rc = view_begin(v, e);
    if (rc == CF_OK)
        *out = v;
    else
        store_view_end(v);
    return rc;
}

/* By how much the log has grown behind the view. */
static uint64_t grown(const struct store_view *v)
{
    uint64_t now = atomic_load_explicit(&v->s->log_bytes, memory_order_relaxed);
    return now > v->log_at ? now - v->log_at : 0;
}

enum cf_rc store_view_check(const struct store_view *v, struct cf_err *e)
{
    struct statvfs fs;
    uint64_t log = grown(v), left = UINT64_MAX;
    if (log <= FOLD_BYTES && log <= v->s->log_max)
        return CF_OK;
    if (statvfs(v->s->path, &fs) == 0)
        left = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (log <= v->s->log_max && log <= left)
        return CF_OK;
    return CF_FAIL(e, CF_E_STATE,
                   "%llu MiB were written to the store meanwhile, with %llu MiB left",
                   (unsigned long long)(log >> 20), (unsigned long long)(left >> 20));
}

void store_view_end(struct store_view *v)
{
    if (!v)
        return;
    struct hold hold = v->hold;
    if (!sqlite3_get_autocommit(v->c->db) && conn_run(v->c, SQL_ROLLBACK, NULL) != CF_OK)
        cf_log(CF_LOG_ERROR, "store", "view-end-failed", "counter=%llu",
               (unsigned long long)v->counter);
    if (grown(v) > 4 * (uint64_t)FOLD_BYTES)
        conn_fold(v->c); /* it stood in the way; the next commit begins the log anew */
    reader_give(v->s, v->c);
    free(v);
    if (hold.ended)
        hold.ended(hold.arg);
}

void store_view_on_end(struct store_view *v, struct hold h)
{
    v->hold = h;
}

uint64_t store_view_counter(const struct store_view *v)
{
    return v->counter;
}

/* --- rows ----------------------------------------------------------------------------------------
 */

/* The bounds of all keys that begin with a prefix: prefix <= key < end. */
struct span {
    uint8_t end[STORE_KEY_MAX + 1];
    size_t end_len;
};

static void span_of(struct crypto_bytes prefix, struct span *s)
{
    size_t len = prefix.len;
    memset(s->end, 0xff, sizeof s->end); /* longer than any key, so above all of them */
    s->end_len = sizeof s->end;
    if (len)
        memcpy(s->end, prefix.p, len);
    while (len && s->end[len - 1] == 0xff)
        len--;
    if (len) {
        s->end[len - 1]++;
        s->end_len = len;
    } else {
        memset(s->end, 0xff, sizeof s->end);
    }
}

static enum cf_rc first_row(struct store_view *v, sqlite3_stmt *st, struct store_row *row,
                            struct cf_err *e)
{
    struct tagged t;
    enum cf_rc rc = CF_OK;
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW) {
        rc = row_verified(v->c, st, &t, e);
        if (rc == CF_OK)
            rc = row_copy(&t, row, e);
    } else if (step == SQLITE_DONE) {
        rc = CF_FAIL(e, CF_E_ABSENT, "no such row");
    } else {
        rc = conn_fail(v->c, "reading a row", e);
    }
    sqlite3_reset(st);
    return rc;
}

enum cf_rc store_get(struct store_view *v, enum store_table t, struct crypto_bytes key,
                     struct store_row *row, struct cf_err *e)
{
    sqlite3_stmt *st = NULL;
    enum cf_rc rc = conn_statement(v->c, SQL_GET, &st, e);
    if (rc != CF_OK)
        return rc;
    sqlite3_bind_int(st, 1, (int)t);
    bind_bytes(st, 2, key);
    return first_row(v, st, row, e);
}

enum cf_rc store_get_last(struct store_view *v, enum store_table t, struct crypto_bytes prefix,
                          struct store_row *row, struct cf_err *e)
{
    sqlite3_stmt *st = NULL;
    struct span span;
    if (prefix.len > STORE_KEY_MAX)
        return CF_FAIL(e, CF_E_ARG, "prefix too long");
    enum cf_rc rc = conn_statement(v->c, SQL_LAST, &st, e);
    if (rc != CF_OK)
        return rc;
    span_of(prefix, &span);
    sqlite3_bind_int(st, 1, (int)t);
    bind_bytes(st, 2, prefix);
    bind_bytes(st, 3, crypto_bytes_of(span.end, span.end_len));
    return first_row(v, st, row, e);
}

enum cf_rc store_count(struct store_view *v, enum store_table t, uint64_t *out, struct cf_err *e)
{
    sqlite3_stmt *st = NULL;
    enum cf_rc rc = conn_statement(v->c, SQL_COUNT, &st, e);
    if (rc != CF_OK)
        return rc;
    sqlite3_bind_int(st, 1, (int)t);
    if (sqlite3_step(st) == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(st, 0);
    else
        rc = conn_fail(v->c, "counting rows", e);
    sqlite3_reset(st);
    return rc;
}

/* --- cursors
 * --------------------------------------------------------------------------------------- */

/* The smallest key a cursor may give: the prefix, or the first one that can follow `after`. */
static struct crypto_bytes lower_bound(const struct store_range *r, uint8_t next[STORE_KEY_MAX + 1])
{
    if (!r->after.len)
        return r->prefix;
    memcpy(next, r->after.p, r->after.len);
    next[r->after.len] = 0;
    struct crypto_bytes low = crypto_bytes_of(next, r->after.len + 1);
    return key_order(low, r->prefix) < 0 ? r->prefix : low;
}

enum cf_rc store_scan(struct store_view *v, enum store_table t, const struct store_range *r,
                      struct store_cursor **out, struct cf_err *e)
{
    static const struct store_range all;
    uint8_t next[STORE_KEY_MAX + 1];
    struct span span;
    if (!r)
        r = &all;
    if (r->after.len > STORE_KEY_MAX || r->prefix.len > STORE_KEY_MAX)
        return CF_FAIL(e, CF_E_ARG, "range too long");
    struct store_cursor *c = calloc(1, sizeof *c);
    if (!c)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a cursor");
    c->v = v;
    enum cf_rc rc = conn_cursor(v->c, &c->stmt, e);
    if (rc != CF_OK) {
        free(c);
        return rc;
    }
    struct crypto_bytes low = lower_bound(r, next);
    span_of(r->prefix, &span);
    sqlite3_bind_int(c->stmt, 1, (int)t);
    sqlite3_bind_blob(c->stmt, 2, low.len ? low.p : "", (int)low.len, SQLITE_TRANSIENT);
    sqlite3_bind_blob(c->stmt, 3, span.end, (int)span.end_len, SQLITE_TRANSIENT);
    *out = c;
    return CF_OK;
}

enum cf_rc store_next(struct store_cursor *c, struct store_row *row, bool *more, struct cf_err *e)
{
    struct tagged t;
    enum cf_rc rc = CF_OK;
    *more = false;
    int step = sqlite3_step(c->stmt);
    if (step == SQLITE_ROW) {
        rc = row_verified(c->v->c, c->stmt, &t, e);
        if (rc == CF_OK)
            rc = row_copy(&t, row, e);
        *more = rc == CF_OK;
    } else if (step == SQLITE_DONE) {
        store_row_clear(row);
    } else {
        rc = conn_fail(c->v->c, "reading the next row", e);
    }
    return rc;
}

void store_cursor_end(struct store_cursor *c)
{
    if (!c)
        return;
    conn_cursor_give(c->v->c, c->stmt);
    free(c);
}
