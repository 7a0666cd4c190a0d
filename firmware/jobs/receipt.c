/* Receipts of verified backups: rows of STORE_RECEIPT, README.md lists their members. */
#include "jobs_priv.h"

#include <string.h>

#include "cbor/cbor.h"

static void put_facts(struct cbor_wr *w, const struct jobs_record *r, const struct jobs_receipt *p)
{
    cbor_wr_map(w, 9);
    cbor_wr_key(w, 1);
    cbor_wr_text(w, r->uri);
    cbor_wr_key(w, 2);
    cbor_wr_text(w, r->folder);
    cbor_wr_key(w, 3);
    cbor_wr_uint(w, (uint64_t)r->end_s);
    cbor_wr_key(w, 4);
    cbor_wr_bool(w, p->facts.whole);
    cbor_wr_key(w, 5);
    cbor_wr_uint(w, p->facts.created_s);
    cbor_wr_key(w, 6);
    cbor_wr_uint(w, p->facts.seq);
    cbor_wr_key(w, 7);
    cbor_wr_bytes(w, p->facts.backup_id, sizeof p->facts.backup_id);
    cbor_wr_key(w, 8);
    cbor_wr_bytes(w, p->facts.mac, sizeof p->facts.mac);
    cbor_wr_key(w, 9);
    cbor_wr_bytes(w, p->bytes, p->len);
}

enum cf_rc jobs_receipt_put(struct store_txn *t, const struct jobs_record *r,
                            const struct jobs_receipt *p, struct cf_err *e)
{
    struct cf_buf value = { 0 };
    struct cbor_wr w;

    if (p->len == 0 || p->len > JOBS_RECEIPT_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a receipt of %zu bytes", p->len);
    cbor_wr_init(&w, &value, e);
    put_facts(&w, r, p);
    enum cf_rc rc = cbor_wr_end(&w);
    struct store_put put = { .key = crypto_bytes_of(r->id, strlen(r->id)),
                             .value = crypto_bytes_of(value.data, value.len) };
    if (rc == CF_OK)
        rc = store_put(t, STORE_RECEIPT, &put, e);
    cf_buf_clear(&value);
    return rc;
}

static void expect_key(struct cbor_rd *r, uint64_t key)
{
    if (cbor_rd_key(r) != key)
        cbor_rd_refuse(r, "a member of a receipt's row is missing");
}

static uint64_t get_uint(struct cbor_rd *r, uint64_t key, uint64_t max)
{
    expect_key(r, key);
    return cbor_rd_uint(r, max);
}

/* `bytes` borrows from the row. */
static enum cf_rc parse(const struct store_row *row, struct jobs_verified *v,
                        struct crypto_bytes *bytes, struct cf_err *e)
{
    struct cbor_rd r;

    *v = (struct jobs_verified){ .whole = false };
    if (row->key.len != JOBS_ID_SIZE - 1)
        return CF_FAIL(e, CF_E_CORRUPT, "receipt row: its key is no id");
    memcpy(v->job, row->key.data, row->key.len);
    cbor_rd_init(&r, row->value.data, row->value.len, e);
    if (cbor_rd_map(&r, 9) != 9)
        cbor_rd_refuse(&r, "a receipt's row has nine members");
    expect_key(&r, 1);
    cbor_rd_string(&r, v->uri, sizeof v->uri);
    expect_key(&r, 2);
    cbor_rd_string(&r, v->folder, sizeof v->folder);
    v->at_s = (int64_t)get_uint(&r, 3, INT64_MAX);
    expect_key(&r, 4);
    v->whole = cbor_rd_bool(&r);
    v->created_s = get_uint(&r, 5, UINT64_MAX);
    v->seq = get_uint(&r, 6, UINT64_MAX);
    expect_key(&r, 7);
    cbor_rd_fixed(&r, v->backup_id, sizeof v->backup_id);
    expect_key(&r, 8);
    cbor_rd_fixed(&r, v->mac, sizeof v->mac);
    expect_key(&r, 9);
    bytes->p = cbor_rd_bytes(&r, JOBS_RECEIPT_MAX, &bytes->len);
    enum cf_rc rc = cbor_rd_end(&r);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "receipt row");
}

enum cf_rc jobs_receipt_get(struct jobs *j, const char *id, struct cf_buf *out, struct cf_err *e)
{
    struct store_view *v = NULL;
    struct store_row row = { 0 };
    struct jobs_record r;
    struct jobs_verified facts;
    struct crypto_bytes bytes = { 0 };
    struct cf_err why = { 0 };

    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc == CF_OK)
        rc = jobs_row_get(v, id, &r, e);
    if (rc != CF_OK)
        goto out;
    rc = store_get(v, STORE_RECEIPT, crypto_bytes_of(id, strlen(id)), &row, &why);
    if (rc == CF_E_ABSENT)
        rc = cf_err_code(
            e,
            CF_FAIL(e, CF_E_ABSENT, "The %s with this id left no receipt", jobs_kind_name(r.kind)),
            "NotFound");
    else if (rc != CF_OK && e != NULL)
        *e = why;
    if (rc == CF_OK)
        rc = parse(&row, &facts, &bytes, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, bytes.p, bytes.len, e);
out:
    store_row_clear(&row);
    store_view_end(v);
    return rc;
}

enum cf_rc jobs_receipt_each(struct store_view *v,
                             enum cf_rc (*each)(void *ctx, const struct jobs_verified *v,
                                                struct cf_err *e),
                             void *ctx, struct cf_err *e)
{
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    struct jobs_verified facts;
    struct crypto_bytes bytes;
    bool more = true;

    enum cf_rc rc = store_scan(v, STORE_RECEIPT, NULL, &c, e);
    while (rc == CF_OK) {
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        rc = parse(&row, &facts, &bytes, e);
        if (rc == CF_OK)
            rc = each(ctx, &facts, e);
    }
    store_row_clear(&row);
    store_cursor_end(c);
    return rc;
}

enum cf_rc jobs_verified_each(struct jobs *j,
                              enum cf_rc (*each)(void *ctx, const struct jobs_verified *v,
                                                 struct cf_err *e),
                              void *ctx, struct cf_err *e)
{
    struct store_view *v = NULL;

    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc == CF_OK)
        rc = jobs_receipt_each(v, each, ctx, e);
    store_view_end(v);
    return rc;
}

/* --- the newest ------------------------------------------------------------------------------ */

bool jobs_verified_newer(const struct jobs_verified *a, const struct jobs_verified *b)
{
    return a->created_s > b->created_s || (a->created_s == b->created_s && a->at_s > b->at_s);
}

struct newest {
    const char *uri;
    struct jobs_verified best;
};

static enum cf_rc take_newer(void *ctx, const struct jobs_verified *v, struct cf_err *e)
{
    struct newest *n = ctx;

    (void)e;
    if (!v->whole || (n->uri != NULL && strcmp(v->uri, n->uri) != 0))
        return CF_OK;
    if (n->best.job[0] == '\0' || jobs_verified_newer(v, &n->best))
        n->best = *v;
    return CF_OK;
}

enum cf_rc jobs_newest_verified(struct jobs *j, const char *uri, struct jobs_verified *out,
                                struct cf_err *e)
{
    struct store_view *v = NULL;
    struct newest n = { .uri = uri };

    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc == CF_OK)
        rc = jobs_receipt_each(v, take_newer, &n, e);
    store_view_end(v);
    if (rc == CF_OK && n.best.job[0] == '\0')
        rc =
            cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "no backup was verified whole yet"), "NotFound");
    if (rc == CF_OK)
        *out = n.best;
    return rc;
}
