#include "store_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void writer_take(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->locked.writing)
        pthread_cond_wait(&s->given_back, &s->lock);
    s->locked.writing = true;
    s->locked.out++;
    pthread_mutex_unlock(&s->lock);
}

static void writer_give(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->locked.writing = false;
    s->locked.out--;
    pthread_cond_broadcast(&s->given_back);
    pthread_mutex_unlock(&s->lock);
}

/* Whoever writes sees the state this process committed last, or something else wrote the file. */
static enum cf_rc txn_begin(struct store_txn *t, struct cf_err *e)
{
    struct store *s = t->view.s;
    uint8_t bytes[ROOT_SIZE];
    enum cf_rc rc = conn_run(s->writer, SQL_BEGIN_WRITE, e);
    if (rc == CF_OK)
        rc = conn_root(s->writer, bytes, e);
    if (rc == CF_OK && !cf_equal(bytes, s->locked.root_bytes, sizeof bytes))
        rc = CF_FAIL(e, CF_E_AUTH, "the store was changed behind our back");
    t->root = s->locked.root; /* stable: only the writer changes it */
    t->view.counter = t->root.counter;
    return rc;
}

enum cf_rc store_write(struct store *s, struct store_txn **out, struct cf_err *e)
{
    struct store_txn *t = calloc(1, sizeof *t);
    if (!t)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a transaction");
    writer_take(s);
    t->view.s = s;
    t->view.c = s->writer;
    enum cf_rc rc = txn_begin(t, e);
    if (rc == CF_OK)
        *out = t;
    else
        store_end(t);
    return rc;
}

struct store_view *store_txn_view(struct store_txn *t)
{
    return &t->view;
}

void store_txn_on_end(struct store_txn *t, struct hold h)
{
    t->view.hold = h;
}

/* The row a change replaces: its revision and tag, or zeros. */
struct former {
    uint64_t revision;
    uint8_t tag[TAG_SIZE];
};

static enum cf_rc find_former(struct store_txn *t, enum store_table tbl, struct crypto_bytes key,
                              struct former *out, struct cf_err *e)
{
    struct conn *c = t->view.c;
    sqlite3_stmt *st = NULL;
    struct tagged row;
    *out = (struct former){ 0 };
    enum cf_rc rc = conn_statement(c, SQL_GET, &st, e);
    if (rc != CF_OK)
        return rc;
    sqlite3_bind_int(st, 1, (int)tbl);
    bind_bytes(st, 2, key);
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW) {
        rc = row_verified(c, st, &row, e);
        if (rc == CF_OK) {
            out->revision = row.revision;
            memcpy(out->tag, sqlite3_column_blob(st, 5), TAG_SIZE);
        }
    } else if (step != SQLITE_DONE) {
        rc = conn_fail(c, "reading the row to change", e);
    }
    sqlite3_reset(st);
    return rc;
}

static enum cf_rc write_row(struct conn *c, const struct tagged *row, const uint8_t tag[TAG_SIZE],
                            struct cf_err *e)
{
    sqlite3_stmt *st = NULL;
    enum cf_rc rc = conn_statement(c, row->revision == 1 ? SQL_INSERT : SQL_UPDATE, &st, e);
    if (rc != CF_OK)
        return rc;
    sqlite3_bind_int(st, 1, (int)row->table);
    bind_bytes(st, 2, row->c.key);
    bind_bytes(st, 3, row->c.value);
    bind_bytes(st, 4, row->c.blob);
    sqlite3_bind_int64(st, 5, (sqlite3_int64)row->revision);
    bind_bytes(st, 6, crypto_bytes_of(tag, TAG_SIZE));
    if (sqlite3_step(st) != SQLITE_DONE)
        rc = conn_fail(c, "writing a row", e);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return rc;
}

static bool usable(const struct store_txn *t, enum store_table tbl)
{
    return !t->broken && !t->committed && tbl >= 1 && tbl <= t->view.s->last;
}

enum cf_rc store_put(struct store_txn *t, enum store_table tbl, const struct store_put *p,
                     struct cf_err *e)
{
    struct former old;
    uint8_t tag[TAG_SIZE];
    if (!usable(t, tbl) || !p->key.len || p->key.len > STORE_KEY_MAX || !p->value.len ||
        p->value.len > STORE_VALUE_MAX || p->blob.len > STORE_BLOB_MAX)
        return CF_FAIL(e, CF_E_ARG, "row of table %d cannot be put", (int)tbl);
    enum cf_rc rc = find_former(t, tbl, p->key, &old, e);
    struct tagged row = { .table = tbl, .revision = old.revision + 1, .c = *p };
    if (rc == CF_OK)
        rc = tag_row(&t->view.c->tagger, &row, tag, e);
    if (rc == CF_OK)
        rc = write_row(t->view.c, &row, tag, e);
    if (rc != CF_OK) {
        t->broken = true;
        return rc;
    }
    tag_xor(t->root.x, tag);
    if (old.revision)
        tag_xor(t->root.x, old.tag);
    else
        t->root.rows++;
    return CF_OK;
}

enum cf_rc store_del(struct store_txn *t, enum store_table tbl, struct crypto_bytes key,
                     struct cf_err *e)
{
    struct former old;
    sqlite3_stmt *st = NULL;
    if (!usable(t, tbl))
        return CF_FAIL(e, CF_E_ARG, "row of table %d cannot be deleted", (int)tbl);
    enum cf_rc rc = find_former(t, tbl, key, &old, e);
    if (rc == CF_OK && !old.revision)
        return CF_FAIL(e, CF_E_ABSENT, "no such row");
    if (rc == CF_OK)
        rc = conn_statement(t->view.c, SQL_DEL, &st, e);
    if (rc == CF_OK) {
        sqlite3_bind_int(st, 1, (int)tbl);
        bind_bytes(st, 2, key);
        if (sqlite3_step(st) != SQLITE_DONE)
            rc = conn_fail(t->view.c, "deleting a row", e);
        sqlite3_reset(st);
    }
    if (rc != CF_OK) {
        t->broken = true;
        return rc;
    }
    tag_xor(t->root.x, old.tag);
    t->root.rows--;
    return CF_OK;
}

enum cf_rc store_del_prefix(struct store_txn *t, enum store_table tbl, struct crypto_bytes prefix,
                            struct cf_err *e)
{
    struct store_row row = { 0 };
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK) {
        struct cf_err none = { 0 };
        rc = store_get_last(&t->view, tbl, prefix, &row, &none);
        if (rc == CF_E_ABSENT) {
            rc = CF_OK;
            break;
        }
        if (rc != CF_OK) {
            t->broken = true;
            rc = cf_err_set(e, rc, none.src, none.native, none.where, "%s", none.text);
        } else {
            rc = store_del(t, tbl, crypto_bytes_of(row.key.data, row.key.len), e);
        }
    }
    store_row_clear(&row);
    return rc;
}

void store_step_anchor(struct store_txn *t)
{
    t->step_anchor = true;
}

static enum cf_rc write_root(struct store_txn *t, uint8_t bytes[ROOT_SIZE], struct cf_err *e)
{
    struct store *s = t->view.s;
    sqlite3_stmt *st = NULL;
    enum cf_rc rc = CF_OK;
    t->root.counter++;
    if (s->anchor && (t->step_anchor || t->adopt_anchor)) {
        rc = s->anchor->read(s->anchor->arg, &t->root.anchor, e);
        t->root.anchor++;
    }
    if (rc == CF_OK)
        rc = root_seal(&s->writer->tagger, s->row_key, &t->root, bytes, e);
    if (rc == CF_OK)
        rc = conn_statement(s->writer, SQL_SET_ROOT, &st, e);
    if (rc != CF_OK)
        return rc;
    bind_bytes(st, 1, crypto_bytes_of(bytes, ROOT_SIZE));
    if (sqlite3_step(st) != SQLITE_DONE)
        rc = conn_fail(s->writer, "writing the root", e);
    sqlite3_reset(st);
    return rc;
}

enum cf_rc store_commit(struct store_txn *t, struct cf_err *e)
{
    struct store *s = t->view.s;
    uint8_t bytes[ROOT_SIZE];
    if (t->broken || t->committed)
        return CF_FAIL(e, CF_E_ARG, "a transaction commits once, and not after a failure");
    enum cf_rc rc = write_root(t, bytes, e);
    if (rc == CF_OK)
        rc = conn_run(s->writer, SQL_COMMIT, e);
    if (rc != CF_OK) {
        t->broken = true;
        return rc;
    }
    t->committed = true;
    s->locked.root = t->root; /* ours alone while `writing` is set */
    memcpy(s->locked.root_bytes, bytes, sizeof bytes);
    if (s->anchor && t->step_anchor)
        rc = s->anchor->step(s->anchor->arg, e);
    return rc;
}

void store_end(struct store_txn *t)
{
    if (!t)
        return;
    struct store *s = t->view.s;
    struct hold hold = t->view.hold;
    /* SQLite has rolled back by itself after some failures. */
    if (!sqlite3_get_autocommit(s->writer->db) && conn_run(s->writer, SQL_ROLLBACK, NULL) != CF_OK)
        cf_log(CF_LOG_ERROR, "store", "rollback-failed", "counter=%llu",
               (unsigned long long)t->root.counter);
    writer_give(s);
    cf_wipe(t, sizeof *t);
    free(t);
    if (hold.ended)
        hold.ended(hold.arg);
}

enum cf_rc store_adopt_anchor(struct store *s, struct cf_err *e)
{
    struct store_txn *t = NULL;
    enum cf_rc rc = store_write(s, &t, e);
    if (rc != CF_OK)
        return rc;
    t->adopt_anchor = true;
    rc = store_commit(t, e);
    store_end(t);
    return rc;
}
