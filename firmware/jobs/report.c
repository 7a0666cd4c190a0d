/* The reports of the last plan and of the last pruning: rows of STORE_REPORT. One of each kind is
 * kept, so they need no pruning. */
#include "jobs_priv.h"

#include <string.h>

#include "cbor/cbor.h"

#define PIECE_MAX 60000 /* bytes of a report in one row */
#define KEY_SIZE  3

/* Key: kind u8 | be16 number of the piece. Value: [id of the job, bytes]. */
static struct crypto_bytes key_of(enum jobs_kind kind, size_t piece, uint8_t key[KEY_SIZE])
{
    key[0] = (uint8_t)kind;
    key[1] = (uint8_t)(piece >> 8);
    key[2] = (uint8_t)piece;
    return crypto_bytes_of(key, KEY_SIZE);
}

static enum cf_rc put_piece(struct store_txn *t, const struct jobs_record *r, size_t piece,
                            struct crypto_bytes bytes, struct cf_err *e)
{
    uint8_t key[KEY_SIZE];
    struct cf_buf value = { 0 };
    struct cbor_wr w;

    cbor_wr_init(&w, &value, e);
    cbor_wr_array(&w, 2);
    cbor_wr_text(&w, r->id);
    cbor_wr_bytes(&w, bytes.p, bytes.len);
    enum cf_rc rc = cbor_wr_end(&w);
    struct store_put put = { .key = key_of(r->kind, piece, key),
                             .value = crypto_bytes_of(value.data, value.len) };
    if (rc == CF_OK)
        rc = store_put(t, STORE_REPORT, &put, e);
    cf_buf_clear(&value);
    return rc;
}

enum cf_rc jobs_report_keep(struct jobs *j, const struct jobs_record *r,
                            const struct cf_buf *report, struct cf_err *e)
{
    struct store_txn *t = NULL;
    uint8_t kind = (uint8_t)r->kind;

    if (report->len == 0 || report->len > JOBS_REPORT_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a report of %zu bytes", report->len);
    pthread_mutex_lock(&j->lock);
    enum cf_rc rc = store_write(j->store, &t, e);
    if (rc == CF_OK)
        rc = store_del_prefix(t, STORE_REPORT, crypto_bytes_of(&kind, 1), e);
    for (size_t at = 0, n = 0; rc == CF_OK && at < report->len; at += PIECE_MAX, n++) {
        size_t left = report->len - at;
        rc = put_piece(t, r, n,
                       crypto_bytes_of(report->data + at, left < PIECE_MAX ? left : PIECE_MAX), e);
    }
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    pthread_mutex_unlock(&j->lock);
    return rc;
}

/* CF_E_ABSENT: behind the last one, or of another job. */
static enum cf_rc get_piece(struct store_view *v, const struct jobs_record *r, size_t piece,
                            struct cf_buf *out, struct cf_err *e)
{
    uint8_t key[KEY_SIZE];
    char id[JOBS_ID_SIZE];
    struct store_row row = { 0 };
    struct cbor_rd rd;
    size_t len = 0;

    enum cf_rc rc = store_get(v, STORE_REPORT, key_of(r->kind, piece, key), &row, e);
    if (rc == CF_OK) {
        cbor_rd_init(&rd, row.value.data, row.value.len, e);
        if (cbor_rd_array(&rd, 2) != 2)
            cbor_rd_refuse(&rd, "a piece of a report has two members");
        cbor_rd_string(&rd, id, sizeof id);
        const uint8_t *bytes = cbor_rd_bytes(&rd, PIECE_MAX, &len);
        rc = cbor_rd_end(&rd);
        if (rc == CF_OK && strcmp(id, r->id) != 0)
            rc = CF_E_ABSENT;
        if (rc == CF_OK)
            rc = cf_buf_put(out, bytes, len, e);
    }
    store_row_clear(&row);
    return rc;
}

enum cf_rc jobs_report_get(struct jobs *j, const char *id, struct jobs_record *r,
                           struct cf_buf *out, struct cf_err *e)
{
    struct store_view *v = NULL;
    struct cf_err why = { 0 };

    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc != CF_OK)
        return rc;
    rc = jobs_row_get(v, id, r, &why);
    for (size_t n = 0; rc == CF_OK; n++)
        rc = get_piece(v, r, n, out, &why);
    store_view_end(v);
    if (rc == CF_E_ABSENT && out->len > 0)
        return CF_OK;
    if (rc == CF_E_ABSENT)
        return cf_err_code(
            e, CF_FAIL(e, rc, "that job left no report, or a later one of its kind took its place"),
            "NotFound");
    if (e != NULL)
        *e = why;
    return rc;
}
