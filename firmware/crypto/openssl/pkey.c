/* A public key at work: verify and encrypt. */
#include <stdlib.h>
#include <string.h>

#include <openssl/rsa.h>

#include "ossl_priv.h"

enum cf_rc crypto_pkey_new(struct crypto_bytes spki, struct crypto_pkey **out, struct cf_err *e)
{
    EVP_PKEY *pkey = NULL;
    *out = NULL;
    enum cf_rc rc = ossl_pkey_of_spki(spki, &pkey, e);
    if (rc != CF_OK)
        return rc;
    struct crypto_pkey *k = calloc(1, sizeof *k);
    if (!k) {
        EVP_PKEY_free(pkey);
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a key");
    }
    rc = ossl_pkey_kind(pkey, k, e);
    if (rc != CF_OK)
        crypto_pkey_free(k);
    else
        *out = k;
    return rc;
}

void crypto_pkey_free(struct crypto_pkey *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

enum cf_rc ossl_sig_to_der(struct crypto_bytes raw, uint8_t **der, int *len, struct cf_err *e)
{
    const uint8_t *p = raw.p;
    int half = (int)(raw.len / 2);
    *der = NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, half, NULL);
    BIGNUM *s = BN_bin2bn(p + half, half, NULL);
    enum cf_rc rc = CF_OK;
    if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        rc = OSSL_FAIL(e, CF_E_LIMIT, "signature");
    } else {
        *len = i2d_ECDSA_SIG(sig, der);
        if (*len <= 0)
            rc = OSSL_FAIL(e, CF_E_LIMIT, "signature");
    }
    ECDSA_SIG_free(sig);
    return rc;
}

enum cf_rc ossl_sig_to_raw(const uint8_t *der, size_t len, uint8_t *raw, size_t width,
                           struct cf_err *e)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    enum cf_rc rc = CF_OK;
    if (!sig || BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)width) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + width, (int)width) < 0)
        rc = OSSL_FAIL(e, CF_E_LIMIT, "signature");
    ECDSA_SIG_free(sig);
    return rc;
}

/* What the algorithm asks of the key. */
static bool alg_fits(const struct crypto_pkey *k, enum crypto_sig alg)
{
    switch (alg) {
    case CRYPTO_ES256:
        return k->type == HAL_EC && k->curve == HAL_P256;
    case CRYPTO_ES256K:
        return k->type == HAL_EC && k->curve == HAL_P256K;
    case CRYPTO_ES384:
        return k->type == HAL_EC && k->curve == HAL_P384;
    case CRYPTO_ES512:
        return k->type == HAL_EC && k->curve == HAL_P521;
    case CRYPTO_RS256:
    case CRYPTO_RS384:
    case CRYPTO_RS512:
    case CRYPTO_PS256:
    case CRYPTO_PS384:
    case CRYPTO_PS512:
    case CRYPTO_RSNULL:
        break;
    }
    return k->type == HAL_RSA;
}

static bool is_pss(enum crypto_sig alg)
{
    return alg == CRYPTO_PS256 || alg == CRYPTO_PS384 || alg == CRYPTO_PS512;
}

static bool set_rsa(EVP_PKEY_CTX *ctx, enum crypto_sig alg)
{
    const EVP_MD *md = ossl_md(crypto_sig_hash(alg));
    if (is_pss(alg))
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
           (!md || EVP_PKEY_CTX_set_signature_md(ctx, md) == 1);
}

static enum cf_rc verify(const struct crypto_pkey *k, enum crypto_sig alg,
                         struct crypto_bytes digest, struct crypto_bytes sig, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    if (!ctx || EVP_PKEY_verify_init(ctx) != 1 || (k->type == HAL_RSA && !set_rsa(ctx, alg)))
        rc = OSSL_FAIL(e, CF_E_LIMIT, "signature verification");
    else if (EVP_PKEY_verify(ctx, sig.p, sig.len, digest.p, digest.len) != 1)
        rc = OSSL_FAIL(e, CF_E_AUTH, "the signature does not verify");
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

enum cf_rc crypto_pkey_verify(const struct crypto_pkey *k, enum crypto_sig alg,
                              struct crypto_bytes digest, struct crypto_bytes sig, struct cf_err *e)
{
    size_t want = crypto_digest_size(crypto_sig_hash(alg));
    if (!alg_fits(k, alg))
        return CF_FAIL(e, CF_E_INPUT, "the algorithm does not fit the key");
    if (want ? digest.len != want : digest.len == 0 || digest.len > k->bits / 8 - 11)
        return CF_FAIL(e, CF_E_INPUT, "digest of %zu bytes does not fit the algorithm", digest.len);
    size_t sig_len = k->type == HAL_RSA ? (k->bits + 7) / 8 : 2 * crypto_curve_bytes(k->curve);
    if (sig.len != sig_len)
        return CF_FAIL(e, CF_E_AUTH, "the signature does not verify: %zu bytes, not %zu", sig.len,
                       sig_len);
    if (k->type == HAL_RSA)
        return verify(k, alg, digest, sig, e);
    uint8_t *der = NULL;
    int len = 0;
    enum cf_rc rc = ossl_sig_to_der(sig, &der, &len, e);
    if (rc == CF_OK)
        rc = verify(k, alg, digest, crypto_bytes_of(der, (size_t)len), e);
    OPENSSL_free(der);
    return rc;
}

static bool set_encryption(EVP_PKEY_CTX *ctx, enum hal_mech padding, enum hal_hash h)
{
    if (padding == HAL_RSA_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, ossl_md(h)) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, ossl_md(h)) == 1;
}

enum cf_rc crypto_pkey_encrypt(const struct crypto_pkey *k, enum hal_mech padding, enum hal_hash h,
                               struct crypto_bytes in, struct cf_buf *out, struct cf_err *e)
{
    if (k->type != HAL_RSA)
        return CF_FAIL(e, CF_E_INPUT, "only an RSA key encrypts");
    if (padding != HAL_RSA_PKCS1 && (padding != HAL_RSA_OAEP || !ossl_md(h)))
        return CF_FAIL(e, CF_E_ARG, "no such padding");
    size_t width = (k->bits + 7) / 8, old = out->len;
    size_t room = padding == HAL_RSA_PKCS1 ? 11 : 2 * crypto_digest_size(h) + 2;
    if (in.len > width - room)
        return CF_FAIL(e, CF_E_INPUT, "%zu bytes; this key and padding take %zu", in.len,
                       width - room);
    enum cf_rc rc = cf_buf_resize(out, old + width, e);
    if (rc != CF_OK)
        return rc;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    if (!ctx || EVP_PKEY_encrypt_init(ctx) != 1 || !set_encryption(ctx, padding, h) ||
        EVP_PKEY_encrypt(ctx, out->data + old, &width, in.len ? in.p : (const void *)"", in.len) !=
            1) {
        rc = OSSL_FAIL(e, CF_E_LIMIT, "RSA encryption");
        out->len = old;
    }
    EVP_PKEY_CTX_free(ctx);
    return rc;
}
