/* The security domain: where its record lies, and what a download does. */
#include "appliance.h"

#include <stdlib.h>
#include <string.h>

static const char ROW[] = "domain"; /* of table STORE_DOMAIN */

static enum cf_rc load(void *arg, struct cf_buf *out, struct cf_err *e)
{
    struct appliance *a = arg;
    struct store_view *view = NULL;
    struct store_row row = { 0 };
    enum cf_rc rc = store_read(a->db, &view, e);
    if (rc == CF_OK)
        rc = store_get(view, STORE_DOMAIN, crypto_bytes_of(ROW, sizeof ROW - 1), &row, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, row.value.data, row.value.len, e);
    store_row_clear(&row);
    store_view_end(view);
    return rc;
}

static enum cf_rc save(void *arg, const void *record, size_t len, struct cf_err *e)
{
    struct appliance *a = arg;
    struct store_txn *txn = NULL;
    const struct store_put put = { .key = crypto_bytes_of(ROW, sizeof ROW - 1),
                                   .value = crypto_bytes_of(record, len) };
    enum cf_rc rc = store_write(a->db, &txn, e);
    if (rc == CF_OK)
        rc = store_put(txn, STORE_DOMAIN, &put, e);
    if (rc == CF_OK)
        rc = store_commit(txn, e);
    store_end(txn);
    return rc;
}

enum cf_rc app_open_domain(struct appliance *a, struct cf_err *e)
{
    static const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    struct domain_options o = {
        .token = a->token,
        .entropy = a->parts.entropy,
        .clock = a->parts.clock,
        .keep = { .load = load, .save = save, .arg = a },
        .hsm_name = a->hsm.name,
    };
    if (a->domain)
        return CF_OK;
    memcpy(o.appliance_id, a->id, sizeof o.appliance_id);
    enum cf_rc rc = hal_token_key_make(a->token, &identity, e);
    return rc == CF_OK ? domain_open(&o, &a->domain, e) : rc;
}

void app_keyring(struct appliance *a, struct app_keyring *out)
{
    struct domain_facts *f = calloc(1, sizeof *f);
    *out = (struct app_keyring){ 0 };
    if (!f || !a->domain) {
        free(f);
        return;
    }
    domain_facts(a->domain, f);
    for (size_t i = f->state == DOMAIN_ACTIVE ? f->generations : 0;
         i > 0 && out->count < APP_GENERATIONS; i--)
        out->generation[out->count++] = f->generation[i - 1].number;
    if (out->count)
        memcpy(out->domain_id, f->id, sizeof out->domain_id);
    free(f);
}

enum cf_rc app_share_domain(struct appliance *a, const struct api_officers *o,
                            struct cf_buf *document, struct cf_err *e)
{
    struct crypto_bytes der[API_OFFICERS_MAX];
    for (size_t i = 0; i < o->count; i++)
        der[i] = crypto_bytes_of(o->der[i].data, o->der[i].len);
    const struct domain_officers officers = { .der = der,
                                              .count = o->count,
                                              .required = o->required };
    return domain_download(a->domain, &officers, document, e);
}
