#include "keystore_priv.h"

#include "crypto/pkey.h"

bool is_public_op(const struct hal_key_spec *s, enum hal_use use)
{
    return s->type != HAL_OCT && (use == HAL_VERIFY || use == HAL_ENCRYPT || use == HAL_WRAP);
}

static bool rsa_alg(enum hal_hash h, const enum crypto_sig by_hash[3], enum crypto_sig *out)
{
    if (h != HAL_SHA256 && h != HAL_SHA384 && h != HAL_SHA512)
        return false;
    *out = by_hash[h - HAL_SHA256];
    return true;
}

static bool alg_of(const struct hal_key_spec *s, const struct hal_op *op, enum crypto_sig *out)
{
    static const enum crypto_sig rs[3] = { CRYPTO_RS256, CRYPTO_RS384, CRYPTO_RS512 };
    static const enum crypto_sig ps[3] = { CRYPTO_PS256, CRYPTO_PS384, CRYPTO_PS512 };
    static const enum crypto_sig es[] = { [HAL_P256] = CRYPTO_ES256,
                                          [HAL_P384] = CRYPTO_ES384,
                                          [HAL_P521] = CRYPTO_ES512,
                                          [HAL_P256K] = CRYPTO_ES256K };
    switch ((int)op->mech) {
    case HAL_RSA_PKCS1_SIGN:
        return rsa_alg(op->hash, rs, out);
    case HAL_RSA_PSS:
        return rsa_alg(op->hash, ps, out);
    case HAL_RSA_RAW_PKCS1:
        *out = CRYPTO_RSNULL;
        return true;
    case HAL_ECDSA:
        *out = es[s->curve];
        return crypto_sig_hash(*out) == op->hash;
    default:
        return false;
    }
}

static enum cf_rc verify(const struct keystore_version *v, const struct hal_op *op,
                         struct cf_verdict *valid, struct cf_err *e)
{
    enum crypto_sig alg;
    struct cf_err why = { 0 };
    if (!alg_of(&v->spec, op, &alg))
        return BAD_PARAMETER(e, "The algorithm does not fit the key's type and size.");
    enum cf_rc rc = crypto_verify(alg, bytes_of(&v->spki), crypto_bytes_of(op->in, op->in_len),
                                  crypto_bytes_of(op->tag, op->tag_len), &why);
    if (rc == CF_OK || rc == CF_E_AUTH) {
        *valid = cf_verdict_of(rc == CF_OK);
        return CF_OK;
    }
    if (rc == CF_E_LIMIT)
        return cf_err_set(e, rc, why.src, why.native, why.where, "%s", why.text);
    return BAD_PARAMETER(e, "The digest or signature has a length that the algorithm does not.");
}

enum cf_rc public_op(const struct keystore_version *v, const struct hal_op *op,
                     struct keystore_result *out, struct cf_err *e)
{
    struct crypto_pkey *key = NULL;
    if (op->use == HAL_VERIFY)
        return verify(v, op, &out->valid, e);
    if (op->mech != HAL_RSA_OAEP && op->mech != HAL_RSA_PKCS1)
        return BAD_PARAMETER(e, "The algorithm does not encrypt.");
    enum cf_rc rc = crypto_pkey_new(bytes_of(&v->spki), &key, e);
    if (rc == CF_OK)
        rc = crypto_pkey_encrypt(key, op->mech, op->hash, crypto_bytes_of(op->in, op->in_len),
                                 &out->r.out, e);
    if (rc == CF_E_INPUT)
        cf_err_code(e, rc, "BadParameter");
    crypto_pkey_free(key);
    return rc;
}
