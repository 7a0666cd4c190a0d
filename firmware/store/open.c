#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define KEY_SIZE 32

/* x'<64 hex>': SQLCipher takes it as the key itself, without its password hashing. */
static enum cf_rc key_literal(const struct cf_secret *key, struct cf_secret **out, struct cf_err *e)
{
    enum cf_rc rc = cf_secret_new(3 + 2 * KEY_SIZE, out, e);
    if (rc != CF_OK)
        return rc;
    char hex[CF_HEX_SIZE(KEY_SIZE)];
    char *text = (char *)cf_secret_data(*out);
    cf_hex(cf_secret_view(key), KEY_SIZE, hex);
    memcpy(text, "x'", 2);
    memcpy(text + 2, hex, sizeof hex - 1);
    text[2 + sizeof hex - 1] = '\'';
    cf_wipe(hex, sizeof hex);
    return CF_OK;
}

static void store_free(struct store *s)
{
    if (!s)
        return;
    while (s->locked.idle) {
        struct conn *c = s->locked.idle;
        s->locked.idle = c->next;
        conn_close(c);
    }
    conn_close(s->writer); /* the last one folds the log into the file */
    cf_secret_free(s->page_key);
    cf_secret_free(s->row_key);
    pthread_cond_destroy(&s->given_back);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    cf_wipe(s, sizeof *s);
    free(s);
}

static enum cf_rc store_new(const struct store_options *o, struct store **out, struct cf_err *e)
{
    if (!o->path || !o->page_key || !o->row_key || cf_secret_len(o->page_key) != KEY_SIZE ||
        cf_secret_len(o->row_key) != KEY_SIZE)
        return CF_FAIL(e, CF_E_ARG, "store options incomplete");
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a store");
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->given_back, NULL);
    s->anchor = o->anchor;
    s->readers = o->readers ? o->readers : READERS_DEFAULT;
    s->last = o->last ? o->last : STORE_TABLE_MAX;
    s->log_max = o->log_max ? o->log_max : STORE_LOG_MAX;
    s->path = strdup(o->path);
    enum cf_rc rc = s->path ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory for a path");
    if (rc == CF_OK)
        rc = key_literal(o->page_key, &s->page_key, e);
    if (rc == CF_OK)
        rc = cf_secret_copy(cf_secret_view(o->row_key), KEY_SIZE, &s->row_key, e);
    if (rc == CF_OK)
        *out = s;
    else
        store_free(s);
    return rc;
}

static enum cf_rc first_root(struct store *s, struct cf_err *e)
{
    struct root *r = &s->locked.root;
    sqlite3_stmt *st = NULL;
    enum cf_rc rc = s->anchor ? s->anchor->read(s->anchor->arg, &r->anchor, e) : CF_OK;
    if (rc == CF_OK)
        rc = root_seal(&s->writer->tagger, s->row_key, r, s->locked.root_bytes, e);
    if (rc == CF_OK)
        rc = conn_statement(s->writer, SQL_FIRST_ROOT, &st, e);
    if (rc != CF_OK)
        return rc;
    bind_bytes(st, 1, crypto_bytes_of(s->locked.root_bytes, ROOT_SIZE));
    if (sqlite3_step(st) != SQLITE_DONE)
        rc = conn_fail(s->writer, "writing the first root", e);
    sqlite3_reset(st);
    return rc;
}

enum cf_rc store_create(const struct store_options *o, struct store **out, struct cf_err *e)
{
    struct store *s = NULL;
    enum cf_rc rc = store_new(o, &s, e);
    if (rc != CF_OK)
        return rc;
    int fd = open(s->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        rc = CF_FAIL_ERRNO(e, errno == EEXIST ? CF_E_STATE : CF_E_IO, "cannot create %s", s->path);
        store_free(s);
        return rc;
    }
    close(fd);
    rc = conn_open(s, true, &s->writer, e);
    if (rc == CF_OK)
        rc = first_root(s, e);
    if (rc == CF_OK)
        rc = cf_file_sync_dir(s->path, e);
    if (rc == CF_OK) {
        *out = s;
        return CF_OK;
    }
    unlink(s->path);
    store_free(s);
    return rc;
}

/* FORMAT.md 7.4. A crash between commit and step leaves the store one ahead: step now. */
static enum cf_rc check_anchor(struct store *s, struct cf_err *e)
{
    uint64_t board, ours = s->locked.root.anchor;
    if (!s->anchor)
        return CF_OK;
    enum cf_rc rc = s->anchor->read(s->anchor->arg, &board, e);
    if (rc != CF_OK)
        return rc;
    if (ours == board)
        return CF_OK;
    if (ours == board + 1)
        return s->anchor->step(s->anchor->arg, e);
    return CF_FAIL(e, CF_E_AUTH, "the store is %s than the appliance: anchor %llu, counter %llu",
                   ours < board ? "older" : "newer", (unsigned long long)ours,
                   (unsigned long long)board);
}

static enum cf_rc open_verified(const struct store_options *o, bool anchored, struct store **out,
                                struct cf_err *e)
{
    struct store *s = NULL;
    struct stat st;
    enum cf_rc rc = store_new(o, &s, e);
    if (rc == CF_OK && stat(s->path, &st) != 0)
        rc = CF_FAIL_ERRNO(e, errno == ENOENT ? CF_E_ABSENT : CF_E_IO, "cannot open %s", s->path);
    if (rc == CF_OK)
        rc = conn_open(s, false, &s->writer, e);
    if (rc == CF_OK)
        rc = store_verify(s, e);
    if (rc == CF_OK && anchored)
        rc = check_anchor(s, e);
    if (rc == CF_OK)
        *out = s;
    else
        store_free(s);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "%s", o->path);
}

enum cf_rc store_open(const struct store_options *o, struct store **out, struct cf_err *e)
{
    return open_verified(o, true, out, e);
}

enum cf_rc store_open_former(const struct store_options *o, struct store **out, struct cf_err *e)
{
    return open_verified(o, false, out, e);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    while (s->locked.out)
        pthread_cond_wait(&s->given_back, &s->lock);
    pthread_mutex_unlock(&s->lock);
    store_free(s);
}
