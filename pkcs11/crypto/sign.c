#include "crypto/ops_priv.h"

#include <string.h>

#include "base/secret.h"
#include "crypto/pkey.h"

#define SIG_ROOM 1152 /* RSA-8192 and to spare */

/* In pieces where the token limits one call. */
static CK_RV sign_pieces(struct p11_ctx *c, struct crypto_bytes msg, CK_BYTE *sig, CK_ULONG *len)
{
    CK_ULONG max = c->core->quirk->max_data;
    CK_BYTE *p = p11_mut(msg.p);
    if (!max || msg.len <= max)
        return c->fn->C_Sign(c->s, p, msg.len, sig, len);
    CK_RV rv = CKR_OK;
    for (size_t at = 0; at < msg.len && rv == CKR_OK; at += max)
        rv = c->fn->C_SignUpdate(c->s, p + at, msg.len - at < max ? msg.len - at : max);
    return rv == CKR_OK ? c->fn->C_SignFinal(c->s, sig, len) : rv;
}

enum cf_rc p11_sign(struct p11_ctx *c, CK_OBJECT_HANDLE h, CK_MECHANISM *m, struct crypto_bytes msg,
                    struct cf_buf *out, struct cf_err *e)
{
    static const uint8_t nothing;
    uint8_t sig[SIG_ROOM];
    CK_ULONG len = sizeof sig;
    if (!msg.p)
        msg = crypto_bytes_of(&nothing, 0);
    CK_RV rv = c->fn->C_SignInit(c->s, m, h);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, "C_SignInit", rv);
    rv = sign_pieces(c, msg, sig, &len);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, "C_Sign", rv);
    if (len == 0 || len > sizeof sig)
        return CF_FAIL(e, CF_E_TOKEN, "the token gives a signature of %lu bytes", len);
    enum cf_rc rc = cf_buf_put(out, sig, len, e);
    cf_wipe(sig, sizeof sig);
    return rc;
}

static enum cf_rc sign_pkcs1(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_op *op,
                             struct cf_buf *out, struct cf_err *e)
{
    CK_MECHANISM m = { .mechanism = CKM_RSA_PKCS };
    uint8_t t[sizeof(uint8_t[19]) + CRYPTO_DIGEST_MAX];
    struct crypto_bytes info = p11_hash_of(op->hash)->info;
    memcpy(t, info.p, info.len);
    memcpy(t + info.len, op->in, op->in_len);
    return p11_sign(c, h, &m, crypto_bytes_of(t, info.len + op->in_len), out, e);
}

enum cf_rc p11_op_rsa_sign(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_key_spec *spec,
                           const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    size_t k = (spec->bits + 7) / 8;
    if (op->mech == HAL_RSA_RAW_PKCS1) {
        CK_MECHANISM m = { .mechanism = CKM_RSA_PKCS };
        if (op->in_len + 11 > k)
            return CF_FAIL(e, CF_E_INPUT, "%zu bytes are too long for this key", op->in_len);
        return p11_sign(c, h, &m, crypto_bytes_of(op->in, op->in_len), &out->out, e);
    }
    size_t dl = crypto_digest_size(op->hash);
    if (dl == 0 || op->in_len != dl)
        return CF_FAIL(e, CF_E_INPUT, "the digest has %zu bytes, not %zu", op->in_len, dl);
    if (op->mech == HAL_RSA_PKCS1_SIGN)
        return sign_pkcs1(c, h, op, &out->out, e);

    const struct p11_hash *hash = p11_hash_of(op->hash);
    CK_RSA_PKCS_PSS_PARAMS pss = { .hashAlg = hash->digest, .mgf = hash->mgf, .sLen = dl };
    CK_MECHANISM m = { CKM_RSA_PKCS_PSS, &pss, sizeof pss };
    return p11_sign(c, h, &m, crypto_bytes_of(op->in, op->in_len), &out->out, e);
}

enum cf_rc p11_op_ecdsa(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_key_spec *spec,
                        const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    CK_MECHANISM m = { .mechanism = CKM_ECDSA };
    size_t w = crypto_curve_bytes(spec->curve);
    size_t want = w > CRYPTO_DIGEST_MAX ? CRYPTO_DIGEST_MAX : w;
    if (op->in_len != want)
        return CF_FAIL(e, CF_E_INPUT, "the digest has %zu bytes, not %zu", op->in_len, want);
    enum cf_rc rc = p11_sign(c, h, &m, crypto_bytes_of(op->in, op->in_len), &out->out, e);
    if (rc == CF_OK && out->out.len != 2 * w)
        rc = CF_FAIL(e, CF_E_TOKEN, "the token gives an ECDSA signature of %zu bytes, not %zu",
                     out->out.len, 2 * w);
    return rc;
}
