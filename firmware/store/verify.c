/*
 * At start the whole file is read once, in the order of its tree: memory stays flat. The root says
 * how many rows there are, so two threads share the work: one takes the first half upwards, the
 * other the second half downwards, and where they end they must meet.
 */
#include "store_priv.h"

#include <string.h>

#define ROWS_WORTH_A_THREAD 2000

/* A row's place in the whole: its table's number, then its key. */
struct place {
    uint8_t bytes[1 + STORE_KEY_MAX];
    size_t len;
};

struct sweep {
    struct conn *c;
    enum store_table last_table;
    bool down;
    uint64_t limit; /* rows to take */
    uint64_t rows;
    uint8_t x[TAG_SIZE];
    struct place at;    /* of the last row taken */
    struct place ahead; /* of the row behind the limit; len 0: none */
    enum cf_rc rc;
    struct cf_err err;
};

static struct crypto_bytes bytes_of(const struct place *p)
{
    return crypto_bytes_of(p->bytes, p->len);
}

static void set_place(struct place *p, const struct tagged *row)
{
    p->bytes[0] = (uint8_t)row->table;
    memcpy(p->bytes + 1, row->c.key.p, row->c.key.len);
    p->len = 1 + row->c.key.len;
}

/* Rows must come in strict order: so the tree that look-ups descend is a search tree. */
static enum cf_rc take(struct sweep *w, const struct tagged *row, const void *tag, struct cf_err *e)
{
    struct place now;
    set_place(&now, row);
    int order = w->rows ? key_order(bytes_of(&w->at), bytes_of(&now)) : 0;
    if (w->rows && (w->down ? order <= 0 : order >= 0))
        return CF_FAIL(e, CF_E_AUTH, "table %d is out of order", (int)row->table);
    if (row->table > w->last_table)
        return CF_FAIL(e, CF_E_CORRUPT, "the store has a table %d", (int)row->table);
    tag_xor(w->x, tag);
    w->at = now;
    w->rows++;
    return CF_OK;
}

static enum cf_rc sweep_rows(struct sweep *w, struct cf_err *e)
{
    sqlite3_stmt *st = NULL;
    struct tagged row;
    int step = SQLITE_ROW;
    enum cf_rc rc = conn_statement(w->c, w->down ? SQL_ALL_DOWN : SQL_ALL, &st, e);
    if (rc != CF_OK)
        return rc;
    while (rc == CF_OK && w->rows < w->limit && (step = sqlite3_step(st)) == SQLITE_ROW) {
        rc = row_verified(w->c, st, &row, e);
        if (rc == CF_OK)
            rc = take(w, &row, sqlite3_column_blob(st, 5), e);
    }
    if (rc == CF_OK && step == SQLITE_ROW && !w->down)
        step = sqlite3_step(st);
    if (rc == CF_OK && step == SQLITE_ROW && !w->down) {
        rc = row_verified(w->c, st, &row, e);
        if (rc == CF_OK)
            set_place(&w->ahead, &row);
    }
    if (rc == CF_OK && step != SQLITE_DONE && step != SQLITE_ROW)
        rc = conn_fail(w->c, "reading all rows", e);
    sqlite3_reset(st);
    return rc;
}

/* One half, in a snapshot whose root is the one that the whole check began with. */
static enum cf_rc sweep_half(struct store *s, struct sweep *w, struct cf_err *e)
{
    uint8_t bytes[ROOT_SIZE];
    enum cf_rc rc = conn_run(w->c, SQL_BEGIN, e);
    if (rc != CF_OK)
        return rc;
    rc = conn_root(w->c, bytes, e);
    if (rc == CF_OK && !cf_equal(bytes, s->locked.root_bytes, sizeof bytes))
        rc = CF_FAIL(e, CF_E_AUTH, "the store changes while it is verified");
    if (rc == CF_OK)
        rc = sweep_rows(w, e);
    enum cf_rc end = conn_run(w->c, SQL_ROLLBACK, rc == CF_OK ? e : NULL);
    return rc == CF_OK ? end : rc;
}

struct second {
    struct store *s;
    struct sweep *w;
};

static void *sweep_down(void *arg)
{
    struct second *h = arg;
    h->w->rc = sweep_half(h->s, h->w, &h->w->err);
    return NULL;
}

/* Without a second connection or thread the first one reads it all. */
static bool start_second(struct second *h, pthread_t *thread)
{
    struct store *s = h->s;
    if (s->locked.root.rows < ROWS_WORTH_A_THREAD || s->readers < 1 ||
        conn_open(s, false, &h->w->c, NULL) != CF_OK)
        return false;
    s->locked.idle = h->w->c; /* a reader of the pool from now on */
    s->locked.made = 1;
    h->w->limit = s->locked.root.rows / 2;
    return pthread_create(thread, NULL, sweep_down, h) == 0;
}

static enum cf_rc meet(const struct sweep *up, const struct sweep *down, struct cf_err *e)
{
    bool alone = !down->limit;
    if (alone ? up->ahead.len != 0
              : key_order(bytes_of(&up->ahead), bytes_of(&down->at)) != 0 ||
                    down->rows != down->limit)
        return CF_FAIL(e, CF_E_AUTH, "the store does not hold as many rows as its root says");
    return CF_OK;
}

static enum cf_rc sweep_all(struct store *s, uint8_t x[TAG_SIZE], struct cf_err *e)
{
    const struct root *root = &s->locked.root;
    struct sweep up = { .c = s->writer, .last_table = s->last, .limit = root->rows };
    struct sweep down = { .last_table = s->last, .down = true };
    struct second h = { .s = s, .w = &down };
    pthread_t thread;
    bool both = start_second(&h, &thread);
    if (!both)
        down.limit = 0;
    up.limit -= down.limit;
    enum cf_rc rc = sweep_half(s, &up, e);
    if (both)
        pthread_join(thread, NULL);
    if (rc == CF_OK && down.rc != CF_OK) {
        *e = down.err;
        rc = down.rc;
    }
    if (rc == CF_OK && up.rows != up.limit)
        rc = CF_FAIL(e, CF_E_AUTH, "the store holds %llu rows, its root says %llu",
                     (unsigned long long)up.rows, (unsigned long long)root->rows);
    if (rc == CF_OK)
        rc = meet(&up, &down, e);
    memcpy(x, up.x, TAG_SIZE);
    tag_xor(x, down.x);
    return rc;
}

enum cf_rc store_verify(struct store *s, struct cf_err *e)
{
    uint8_t x[TAG_SIZE];
    struct cf_err none = { 0 };
    struct root *root = &s->locked.root;
    if (!e)
        e = &none;
    enum cf_rc rc = conn_root(s->writer, s->locked.root_bytes, e);
    if (rc == CF_OK)
        rc = root_open(&s->writer->tagger, s->row_key, s->locked.root_bytes, root, e);
    if (rc == CF_OK)
        rc = sweep_all(s, x, e);
    if (rc == CF_OK && !cf_equal(x, root->x, sizeof x))
        rc = CF_FAIL(e, CF_E_AUTH, "a row of the store is not the one last committed");
    cf_wipe(x, sizeof x);
    return rc;
}
