/* What a backup covers, as its job's end told it: rows of STORE_COVER. */
#include "jobs_priv.h"

#include <string.h>

#include "cbor/cbor.h"

enum cf_rc jobs_cover_put(struct store_txn *t, const char *id, const struct jobs_end *end,
                          struct cf_err *e)
{
    struct cf_buf value = { 0 };
    struct cbor_wr w;

    if (end->cover_count == 0)
        return CF_OK;
    cbor_wr_init(&w, &value, e);
    cbor_wr_array(&w, end->cover_count);
    for (size_t i = 0; i < end->cover_count; i++) {
        cbor_wr_array(&w, 3);
        cbor_wr_text(&w, end->cover[i].what);
        cbor_wr_uint(&w, end->cover[i].state);
        cbor_wr_text(&w, end->cover[i].why);
    }
    enum cf_rc rc = cbor_wr_end(&w);
    struct store_put put = { .key = crypto_bytes_of(id, strlen(id)),
                             .value = crypto_bytes_of(value.data, value.len) };
    if (rc == CF_OK)
        rc = store_put(t, STORE_COVER, &put, e);
    cf_buf_clear(&value);
    return rc;
}

static enum cf_rc tell(const struct store_row *row, jobs_cover_fn *each, void *ctx,
                       struct cf_err *e)
{
    struct cbor_rd r;
    enum cf_rc rc = CF_OK;

    cbor_rd_init(&r, row->value.data, row->value.len, e);
    size_t n = cbor_rd_array(&r, JOBS_COVERS_MAX);
    for (size_t i = 0; i < n && rc == CF_OK && cbor_rd_ok(&r); i++) {
        char what[JOBS_COVER_SIZE], why[JOBS_COVER_SIZE];
        struct jobs_cover c = { .what = what, .why = why };
        if (cbor_rd_array(&r, 3) != 3)
            cbor_rd_refuse(&r, "a line of coverage has three members");
        cbor_rd_string(&r, what, sizeof what);
        c.state = (unsigned)cbor_rd_uint(&r, 3);
        cbor_rd_string(&r, why, sizeof why);
        if (cbor_rd_ok(&r))
            rc = each(ctx, &c, e);
    }
    return rc == CF_OK ? cbor_rd_end(&r) : rc;
}

enum cf_rc jobs_cover_each(struct jobs *j, const char *id, jobs_cover_fn *each, void *ctx,
                           struct cf_err *e)
{
    struct store_view *v = NULL;
    struct store_row row = { 0 };
    struct cf_err why = { 0 };

    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc != CF_OK)
        return rc;
    rc = store_get(v, STORE_COVER, crypto_bytes_of(id, strlen(id)), &row, &why);
    if (rc == CF_OK)
        rc = tell(&row, each, ctx, e);
    else if (rc == CF_E_ABSENT)
        rc = CF_OK;
    else if (e != NULL)
        *e = why;
    store_row_clear(&row);
    store_view_end(v);
    return rc;
}
