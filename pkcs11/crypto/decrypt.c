#include "crypto/ops_priv.h"

#include <string.h>

#include "base/secret.h"

/* Whatever was wrong with the ciphertext, the caller learns one thing. */
#define DOES_NOT_DECRYPT "the ciphertext does not decrypt under this key"

static enum cf_rc does_not_decrypt(struct cf_err *e)
{
    return CF_FAIL(e, CF_E_INPUT, DOES_NOT_DECRYPT);
}

/* CKM_RSA_X_509, then OAEP taken off on the host in constant time. */
static enum cf_rc oaep_raw(struct p11_ctx *c, const struct p11_crypt *x, enum hal_hash hash,
                           struct cf_buf *out, struct cf_err *e)
{
    CK_MECHANISM m = { .mechanism = CKM_RSA_X_509 };
    struct p11_crypt raw = { .mech = &m, .key = x->key, .in = x->in };
    struct cf_buf em = { 0 };
    struct cf_buf full = { 0 };
    enum cf_rc rc = p11_crypt(c, &raw, &em, e);
    size_t k = x->in.len;
    /* The result is a number: some tokens drop its leading zeros. */
    if (rc == CF_OK && em.len > k)
        rc = CF_FAIL(e, CF_E_TOKEN, "the token gives %zu bytes for a raw RSA operation", em.len);
    if (rc == CF_OK)
        rc = cf_buf_resize(&full, k, e);
    if (rc == CF_OK) {
        if (em.len)
            memcpy(full.data + (k - em.len), em.data, em.len);
        rc = crypto_oaep_unpad(hash, crypto_bytes_of(full.data, k), out, NULL);
        if (rc != CF_OK)
            rc = does_not_decrypt(e);
    }
    cf_buf_clear(&em);
    cf_buf_clear(&full);
    return rc;
}

static enum cf_rc oaep(struct p11_ctx *c, const struct p11_crypt *x, enum hal_hash hash,
                       struct cf_buf *out, struct cf_err *e)
{
    const struct p11_hash *h = p11_hash_of(hash);
    CK_RSA_PKCS_OAEP_PARAMS p = { .hashAlg = h->digest,
                                  .mgf = h->mgf,
                                  .source = CKZ_DATA_SPECIFIED }; /* 0 is refused by many */
    CK_MECHANISM m = { CKM_RSA_PKCS_OAEP, &p, sizeof p };
    enum p11_oaep_way way = h->digest ? c->core->ways.oaep[hash] : P11_OAEP_NONE;
    struct p11_crypt native = { .mech = &m, .key = x->key, .in = x->in };
    if (way == P11_OAEP_NATIVE)
        return p11_crypt(c, &native, out, e);
    if (way == P11_OAEP_RAW)
        return oaep_raw(c, x, hash, out, e);
    return CF_FAIL(e, CF_E_LIMIT, "the token has no RSA-OAEP with this hash, nor CKM_RSA_X_509");
}

enum cf_rc p11_op_rsa_decrypt(struct p11_ctx *c, CK_OBJECT_HANDLE h,
                              const struct hal_key_spec *spec, const struct hal_op *op,
                              struct hal_result *out, struct cf_err *e)
{
    CK_MECHANISM m = { .mechanism = CKM_RSA_PKCS };
    struct p11_crypt x = { .mech = &m, .key = h, .in = crypto_bytes_of(op->in, op->in_len) };
    struct cf_err why = { 0 };
    if (op->in_len != (spec->bits + 7) / 8)
        return CF_FAIL(e, CF_E_INPUT, "the ciphertext has %zu bytes, not %u", op->in_len,
                       (spec->bits + 7) / 8);
    p11_blame(c, CF_E_INPUT, DOES_NOT_DECRYPT);
    enum cf_rc rc = op->mech == HAL_RSA_OAEP ? oaep(c, &x, op->hash, &out->out, &why)
                                             : p11_crypt(c, &x, &out->out, &why);
    /* NSS answers some wrong paddings with this one. */
    if (rc == CF_E_INPUT || (why.src == CF_SRC_CKR && why.native == CKR_DATA_LEN_RANGE))
        return does_not_decrypt(e);
    if (rc != CF_OK && e)
        *e = why;
    return rc;
}
