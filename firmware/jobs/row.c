/* Rows of jobs in the appliance's store; README.md lists their members. */
#include "jobs_priv.h"

#include <string.h>

#include "cbor/cbor.h"

#define TIME_MAX  UINT64_C(253402300799) /* the last second of the year 9999 */
#define FACTS_KEY "backups"

enum cf_rc jobs_row_put(struct store_txn *t, const struct jobs_record *r, struct cf_err *e)
{
    const char *texts[] = { r->who,     r->uri,        r->folder, r->key,
                            r->details, r->error_code, r->error,  r->warning };
    struct cf_buf value = { 0 };
    struct cbor_wr w;

    cbor_wr_init(&w, &value, e);
    cbor_wr_map(&w, 7 + sizeof texts / sizeof texts[0]);
    cbor_wr_key(&w, 1);
    cbor_wr_uint(&w, (uint64_t)r->kind);
    cbor_wr_key(&w, 2);
    cbor_wr_uint(&w, (uint64_t)r->state);
    cbor_wr_key(&w, 3);
    cbor_wr_uint(&w, (uint64_t)r->start_s);
    cbor_wr_key(&w, 4);
    cbor_wr_uint(&w, (uint64_t)r->end_s);
    cbor_wr_key(&w, 5);
    cbor_wr_uint(&w, r->bytes);
    cbor_wr_key(&w, 6);
    cbor_wr_uint(&w, r->elapsed_ms);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cbor_wr_key(&w, 7 + i);
        cbor_wr_text(&w, texts[i]);
    }
    cbor_wr_key(&w, 15);
    cbor_wr_uint(&w, (uint64_t)r->start_ms);
    enum cf_rc rc = cbor_wr_end(&w);
    struct store_put put = { .key = crypto_bytes_of(r->id, strlen(r->id)),
                             .value = crypto_bytes_of(value.data, value.len) };
    if (rc == CF_OK)
        rc = store_put(t, STORE_JOB, &put, e);
    cf_buf_clear(&value);
    return rc;
}

/* Each text of a row into a field of its size. */
static void read_texts(struct cbor_rd *r, struct jobs_record *j)
{
    const struct {
        char *to;
        size_t size;
    } texts[] = {
        { j->who, sizeof j->who },         { j->uri, sizeof j->uri },
        { j->folder, sizeof j->folder },   { j->key, sizeof j->key },
        { j->details, sizeof j->details }, { j->error_code, sizeof j->error_code },
        { j->error, sizeof j->error },     { j->warning, sizeof j->warning },
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (cbor_rd_key(r) != 7 + i)
            cbor_rd_refuse(r, "a text of a job is missing");
        cbor_rd_string(r, texts[i].to, texts[i].size);
    }
}

static uint64_t read_uint(struct cbor_rd *r, uint64_t key, uint64_t max)
{
    if (cbor_rd_key(r) != key)
        cbor_rd_refuse(r, "a number of a job is missing");
    return cbor_rd_uint(r, max);
}

enum cf_rc jobs_row_parse(struct crypto_bytes key, struct crypto_bytes value,
                          struct jobs_record *out, struct cf_err *e)
{
    struct jobs_record j = { .kind = JOBS_BACKUP };
    struct cbor_rd r;

    if (key.len != JOBS_ID_SIZE - 1)
        return CF_FAIL(e, CF_E_CORRUPT, "job row: its key is no id");
    memcpy(j.id, key.p, key.len);
    cbor_rd_init(&r, value.p, value.len, e);
    size_t members = cbor_rd_map(&r, 15);
    if (members < 14) /* 14: a row of before */
        cbor_rd_refuse(&r, "a job has 15 members");
    j.kind = (enum jobs_kind)read_uint(&r, 1, JOBS_KIND_MAX);
    j.state = (enum jobs_state)read_uint(&r, 2, JOBS_CANCELED);
    j.start_s = (int64_t)read_uint(&r, 3, TIME_MAX);
    j.end_s = (int64_t)read_uint(&r, 4, TIME_MAX);
    j.bytes = read_uint(&r, 5, UINT64_MAX);
    j.elapsed_ms = read_uint(&r, 6, UINT64_MAX);
    read_texts(&r, &j);
    if (members == 15)
        j.start_ms = (int64_t)read_uint(&r, 15, TIME_MAX * 1000);
    if (j.kind == 0 || j.state == 0)
        cbor_rd_refuse(&r, "kind and state begin at 1");
    enum cf_rc rc = cbor_rd_end(&r);
    if (rc != CF_OK)
        return cf_err_ctx(e, rc, "job row");
    *out = j;
    return CF_OK;
}

static enum cf_rc not_found(struct cf_err *e)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "The given jobId is not found"), "NotFound");
}

enum cf_rc jobs_row_get(struct store_view *v, const char *id, struct jobs_record *out,
                        struct cf_err *e)
{
    struct store_row row = { 0 };
    struct cf_err why = { 0 };

    if (strnlen(id, JOBS_ID_SIZE) != JOBS_ID_SIZE - 1)
        return not_found(e);
    enum cf_rc rc = store_get(v, STORE_JOB, crypto_bytes_of(id, strlen(id)), &row, &why);
    if (rc == CF_E_ABSENT)
        rc = not_found(e);
    else if (rc != CF_OK && e != NULL)
        *e = why;
    else if (rc == CF_OK)
        rc = jobs_row_parse(crypto_bytes_of(row.key.data, row.key.len),
                            crypto_bytes_of(row.value.data, row.value.len), out, e);
    store_row_clear(&row);
    return rc;
}

enum cf_rc jobs_row_each(struct store_view *v,
                         enum cf_rc (*each)(void *ctx, const struct jobs_record *r,
                                            struct cf_err *e),
                         void *ctx, struct cf_err *e)
{
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    struct jobs_record j;
    bool more = true;

    enum cf_rc rc = store_scan(v, STORE_JOB, NULL, &c, e);
    while (rc == CF_OK) {
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        rc = jobs_row_parse(crypto_bytes_of(row.key.data, row.key.len),
                            crypto_bytes_of(row.value.data, row.value.len), &j, e);
        if (rc == CF_OK)
            rc = each(ctx, &j, e);
    }
    store_row_clear(&row);
    store_cursor_end(c);
    return rc;
}

/* --- facts ----------------------------------------------------------------------------------- */

enum cf_rc jobs_facts_put(struct store_txn *t, const struct jobs_facts *f, struct cf_err *e)
{
    struct cf_buf value = { 0 };
    struct cbor_wr w;

    cbor_wr_init(&w, &value, e);
    cbor_wr_map(&w, 4);
    cbor_wr_key(&w, 1);
    cbor_wr_uint(&w, (uint64_t)f->backups.first_s);
    cbor_wr_key(&w, 2);
    cbor_wr_uint(&w, (uint64_t)f->backups.last_s);
    cbor_wr_key(&w, 3);
    cbor_wr_uint(&w, f->backups.count);
    cbor_wr_key(&w, 4);
    cbor_wr_bool(&w, f->restore_mode);
    enum cf_rc rc = cbor_wr_end(&w);
    struct store_put put = { .key = crypto_bytes_of(FACTS_KEY, strlen(FACTS_KEY)),
                             .value = crypto_bytes_of(value.data, value.len) };
    if (rc == CF_OK)
        rc = store_put(t, STORE_STATE, &put, e);
    cf_buf_clear(&value);
    return rc;
}

enum cf_rc jobs_facts_get(struct store_view *v, struct jobs_facts *out, struct cf_err *e)
{
    struct jobs_facts f = { .restore_mode = false };
    struct store_row row = { 0 };
    struct cf_err why = { 0 };
    struct cbor_rd r;

    enum cf_rc rc =
        store_get(v, STORE_STATE, crypto_bytes_of(FACTS_KEY, strlen(FACTS_KEY)), &row, &why);
    if (rc == CF_E_ABSENT) {
        *out = f;
        rc = CF_OK;
        goto out;
    }
    if (rc != CF_OK) {
        if (e != NULL)
            *e = why;
        goto out;
    }
    cbor_rd_init(&r, row.value.data, row.value.len, e);
    if (cbor_rd_map(&r, 4) != 4)
        cbor_rd_refuse(&r, "the row of backups has four members");
    f.backups.first_s = (int64_t)read_uint(&r, 1, TIME_MAX);
    f.backups.last_s = (int64_t)read_uint(&r, 2, TIME_MAX);
    f.backups.count = read_uint(&r, 3, UINT64_MAX);
    if (cbor_rd_key(&r) != 4)
        cbor_rd_refuse(&r, "restore mode is missing");
    f.restore_mode = cbor_rd_bool(&r);
    rc = cbor_rd_end(&r);
    if (rc == CF_OK)
        *out = f;
out:
    store_row_clear(&row);
    return rc;
}
