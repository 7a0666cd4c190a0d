#include "manifest/audit_head.h"

#include <string.h>

#include "manifest_priv.h"

static const struct manifest_kind kind = { "CFRAHD01", "coffer.v1.audit-head" };

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
    manifest_put_identity(&w, us);
    return cbor_wr_end(&w);
}

/* A token that signs badly must be found now, not when the log is doubted. */
static enum cf_rc read_back(const struct manifest *us, const struct cf_buf *file, size_t end,
                            struct cf_err *e)
{
    struct cf_err err = { 0 };
    enum cf_rc rc = manifest_check_labelled(
        kind.label, crypto_bytes_of(us->spki.data, us->spki.len), crypto_bytes_of(file->data, end),
        crypto_bytes_of(file->data + end, file->len - end), &err);
    if (rc == CF_E_AUTH)
        return CF_FAIL(e, CF_E_TOKEN, "the token's signature does not verify");
    if (rc != CF_OK && e && e->rc == CF_OK)
        *e = err;
    return rc;
}

enum cf_rc manifest_audit_head_build(const struct manifest_domain *d,
                                     const struct manifest_audit_head *h, struct cf_buf *out,
                                     struct cf_err *e)
{
    struct manifest us = { .since = h->since_s };
    struct cf_buf body = { 0 }, file = { 0 };
    memcpy(us.appliance, h->appliance, sizeof us.appliance);
    enum cf_rc rc = manifest_identify(d, d->generations[0], &us, e);
    if (rc == CF_OK)
        rc = put_body(d, h, &us, &body, e);
    if (rc == CF_OK)
        rc = manifest_state(d, &kind, &us, &body, &file, e);
    if (rc == CF_OK)
        rc = read_back(&us, &file, strlen(kind.magic) + 4 + body.len, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, file.data, file.len, e);
    manifest_clear(&us);
    cf_buf_clear(&body);
    cf_buf_clear(&file);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "signing the audit log's head");
}
