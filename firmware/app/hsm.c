#include "hsm.h"

#include <ctype.h>
#include <string.h>

#include "cbor/cbor.h"

/* Row "hsm" of table STATE: {1: name, 2: retention days, 3: purge protection, 4: created}. */
static const char ROW[] = "hsm";
enum { NAME = 1, RETENTION, PROTECTION, CREATED, FIELDS = CREATED };

enum cf_rc app_hsm_check_name(const char *name, struct cf_err *e)
{
    size_t len = strlen(name);
    bool fits = len >= 3 && len <= APP_HSM_NAME_MAX && isalpha((unsigned char)name[0]);
    for (size_t i = 0; fits && i < len; i++)
        fits = isalnum((unsigned char)name[i]) || name[i] == '-';
    return fits ? CF_OK
                : CF_FAIL(e, CF_E_INPUT,
                          "The name of an HSM is 3 to 24 letters, digits and hyphens, "
                          "and begins with a letter");
}

static enum cf_rc parse(const struct cf_buf *value, struct app_hsm *out, struct cf_err *e)
{
    struct cbor_rd r;
    cbor_rd_init(&r, value->data, value->len, e);
    if (cbor_rd_map(&r, FIELDS) != FIELDS)
        cbor_rd_refuse(&r, "the HSM's record has other fields");
    for (uint64_t k = NAME; k <= FIELDS && cbor_rd_ok(&r); k++) {
        if (cbor_rd_key(&r) != k)
            cbor_rd_refuse(&r, "the HSM's record has other fields");
        if (k == NAME)
            cbor_rd_string(&r, out->name, sizeof out->name);
        else if (k == RETENTION)
            out->retention_days = (uint32_t)cbor_rd_uint(&r, 90);
        else if (k == PROTECTION)
            out->purge_protection = cbor_rd_bool(&r);
        else
            out->created_s = cbor_rd_uint(&r, INT64_MAX);
    }
    return cbor_rd_end(&r);
}

enum cf_rc app_hsm_load(struct store *db, struct app_hsm *out, struct cf_err *e)
{
    struct store_view *view = NULL;
    struct store_row row = { 0 };
    *out = (struct app_hsm){ 0 };
    enum cf_rc rc = store_read(db, &view, e);
    if (rc == CF_OK)
        rc = store_get(view, STORE_STATE, crypto_bytes_of(ROW, sizeof ROW - 1), &row, NULL);
    if (rc == CF_OK)
        rc = parse(&row.value, out, e);
    else if (rc == CF_E_ABSENT)
        rc = CF_OK;
    else
        (void)CF_FAIL(e, rc, "the HSM's record cannot be read");
    store_row_clear(&row);
    store_view_end(view);
    return rc;
}

enum cf_rc app_hsm_save(struct store *db, const struct app_hsm *h, struct cf_err *e)
{
    struct cf_buf value = { 0 };
    struct cbor_wr w;
    struct store_txn *txn = NULL;
    cbor_wr_init(&w, &value, e);
    cbor_wr_map(&w, FIELDS);
    cbor_wr_key(&w, NAME);
    cbor_wr_text(&w, h->name);
    cbor_wr_key(&w, RETENTION);
    cbor_wr_uint(&w, h->retention_days);
    cbor_wr_key(&w, PROTECTION);
    cbor_wr_bool(&w, h->purge_protection);
    cbor_wr_key(&w, CREATED);
    cbor_wr_uint(&w, h->created_s);
    enum cf_rc rc = cbor_wr_end(&w);
    if (rc == CF_OK)
        rc = store_write(db, &txn, e);
    if (rc == CF_OK) {
        const struct store_put put = { .key = crypto_bytes_of(ROW, sizeof ROW - 1),
                                       .value = crypto_bytes_of(value.data, value.len) };
        rc = store_put(txn, STORE_STATE, &put, e);
    }
    if (rc == CF_OK)
        rc = store_commit(txn, e);
    store_end(txn);
    cf_buf_clear(&value);
    return rc;
}
