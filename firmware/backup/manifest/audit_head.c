#include "manifest/audit_head.h"

#include <string.h>

#include "manifest_priv.h"

#define MAGIC "CFRAHD01"
#define LABEL "coffer.v1.audit-head" /* its NUL is part of the message */

static enum cf_rc put_body(const struct manifest_domain *d, const struct manifest_audit_head *h,
                           const struct manifest *us, struct cf_buf *out, struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, 6);
    cbor_wr_key(&w, 1);
    cbor_wr_array(&w, 2);
    cbor_wr_uint(&w, h->sequence);
    cbor_wr_bytes(&w, h->hash, sizeof h->hash);
    cbor_wr_key(&w, 2);
    cbor_wr_uint(&w, h->made_s);
    cbor_wr_key(&w, 3);
    cbor_wr_bytes(&w, h->appliance, sizeof h->appliance);
    cbor_wr_key(&w, 4);
    cbor_wr_text(&w, h->hsm);
    cbor_wr_key(&w, 5);
    cbor_wr_array(&w, 2);
    cbor_wr_bytes(&w, d->domain_id, sizeof d->domain_id);
    cbor_wr_uint(&w, d->generations[0]);
    cbor_wr_key(&w, 6);
    cbor_wr_array(&w, 3);
    cbor_wr_bytes(&w, us->spki.data, us->spki.len);
    cbor_wr_uint(&w, us->since);
    cbor_wr_bytes(&w, us->endorsement, sizeof us->endorsement);
    return cbor_wr_end(&w);
}

/* A token that signs badly must be found now, not when the log is doubted. */
static enum cf_rc read_back(const struct manifest *us, const struct cf_buf *file, size_t end,
                            struct cf_err *e)
{
    struct cf_err err = { 0 };
    enum cf_rc rc = manifest_check_labelled(
        LABEL, crypto_bytes_of(us->spki.data, us->spki.len), crypto_bytes_of(file->data, end),
        crypto_bytes_of(file->data + end, file->len - end), &err);
    if (rc == CF_E_AUTH)
        return CF_FAIL(e, CF_E_TOKEN, "the token's signature does not verify");
    if (rc != CF_OK && e && e->rc == CF_OK)
        *e = err;
    return rc;
}

static enum cf_rc assemble(const struct manifest_domain *d, const struct manifest *us,
                           const struct cf_buf *body, struct cf_buf *file, struct cf_err *e)
{
    uint8_t len[4];
    cf_le32(len, (uint32_t)body->len);
    enum cf_rc rc = cf_buf_put(file, MAGIC, sizeof MAGIC - 1, e);
    if (rc == CF_OK)
        rc = cf_buf_put(file, len, sizeof len, e);
    if (rc == CF_OK)
        rc = cf_buf_put(file, body->data, body->len, e);
    size_t end = file->len;
    if (rc == CF_OK)
        rc = manifest_sign_labelled(d, LABEL, us->signers[0].key_id, file, e);
    return rc == CF_OK ? read_back(us, file, end, e) : rc;
}

enum cf_rc manifest_audit_head_build(const struct manifest_domain *d,
                                     const struct manifest_audit_head *h, struct cf_buf *out,
                                     struct cf_err *e)
{
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    struct manifest us = { .since = h->since_s };
    struct cf_buf body = { 0 }, file = { 0 };
    memcpy(us.appliance, h->appliance, sizeof us.appliance);
    enum cf_rc rc = hal_token_key_public(d->token, &identity, &us.spki, e);
    if (rc == CF_OK)
        rc = manifest_endorse(d, d->generations[0], &us, us.endorsement, e);
    if (rc == CF_OK)
        rc = manifest_key_id(crypto_bytes_of(us.spki.data, us.spki.len), us.signers[0].key_id, e);
    if (rc == CF_OK)
        rc = put_body(d, h, &us, &body, e);
    if (rc == CF_OK)
        rc = assemble(d, &us, &body, &file, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, file.data, file.len, e);
    manifest_clear(&us);
    cf_buf_clear(&body);
    cf_buf_clear(&file);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "signing the audit log's head");
}
