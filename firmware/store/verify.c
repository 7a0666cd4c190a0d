/* At start the whole file is read once, in the order of its tree: memory stays flat. */
#include "store_priv.h"

#include <string.h>

struct sweep {
    struct root seen; /* rows and x only */
    uint8_t last[1 + STORE_KEY_MAX];
    size_t last_len;
};

/* Rows must come strictly ascending: so the tree that look-ups descend is a search tree. */
static enum cf_rc in_order(struct sweep *w, const struct tagged *row, struct cf_err *e)
{
    uint8_t now[sizeof w->last];
    size_t len = 1 + row->c.key.len;
    now[0] = (uint8_t)row->table;
    memcpy(now + 1, row->c.key.p, row->c.key.len);
    if (key_order(crypto_bytes_of(w->last, w->last_len), crypto_bytes_of(now, len)) >= 0)
        return CF_FAIL(e, CF_E_AUTH, "table %d is out of order", (int)row->table);
    memcpy(w->last, now, len);
    w->last_len = len;
    return CF_OK;
}

static enum cf_rc sweep_rows(struct conn *c, enum store_table last, struct sweep *w,
                             struct cf_err *e)
{
    sqlite3_stmt *st = NULL;
    struct tagged row;
    int step = SQLITE_ROW;
    enum cf_rc rc = conn_statement(c, SQL_ALL, &st, e);
    if (rc != CF_OK)
        return rc;
    while (rc == CF_OK && (step = sqlite3_step(st)) == SQLITE_ROW) {
        rc = row_verified(c, st, &row, e);
        if (rc == CF_OK)
            rc = in_order(w, &row, e);
        if (rc == CF_OK && row.table > last)
            rc = CF_FAIL(e, CF_E_CORRUPT, "the store has a table %d", (int)row.table);
        if (rc == CF_OK) {
            tag_xor(w->seen.x, sqlite3_column_blob(st, 5));
            w->seen.rows++;
        }
    }
    if (rc == CF_OK && step != SQLITE_DONE)
        rc = conn_fail(c, "reading all rows", e);
    sqlite3_reset(st);
    return rc;
}

enum cf_rc store_verify(struct store *s, struct cf_err *e)
{
    struct sweep w = { 0 };
    struct root *root = &s->locked.root;
    uint8_t *bytes = s->locked.root_bytes;
    enum cf_rc rc = conn_run(s->writer, SQL_BEGIN, e);
    if (rc != CF_OK)
        return rc;
    rc = conn_root(s->writer, bytes, e);
    if (rc == CF_OK)
        rc = root_open(&s->writer->tagger, s->row_key, bytes, root, e);
    if (rc == CF_OK)
        rc = sweep_rows(s->writer, s->last, &w, e);
    if (rc == CF_OK && w.seen.rows != root->rows)
        rc = CF_FAIL(e, CF_E_AUTH, "the store holds %llu rows, its root says %llu",
                     (unsigned long long)w.seen.rows, (unsigned long long)root->rows);
    if (rc == CF_OK && !cf_equal(w.seen.x, root->x, sizeof root->x))
        rc = CF_FAIL(e, CF_E_AUTH, "a row of the store is not the one last committed");
    cf_wipe(&w, sizeof w);
    return conn_run(s->writer, SQL_ROLLBACK, NULL) == CF_OK || rc != CF_OK
               ? rc
               : CF_FAIL(e, CF_E_IO, "the store does not end its first read");
}
