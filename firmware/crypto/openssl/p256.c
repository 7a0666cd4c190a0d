/* P-256 in particular: low s, scalars and points for share checks and drills. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#include "ossl_priv.h"

#define HALF 32

/* Order n of P-256 and (n - 1) / 2, SP 800-186 3.2.1.3. */
static const uint8_t ORDER[HALF] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};
static const uint8_t ORDER_HALF[HALF] = {
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
};

/* Of public numbers: a signature is no secret. */
static int compare(const uint8_t a[HALF], const uint8_t b[HALF])
{
    for (size_t i = 0; i < HALF; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static bool in_range(const uint8_t v[HALF])
{
    return !cf_all_bytes(v, HALF, 0) && compare(v, ORDER) < 0;
}

bool crypto_p256_is_low_s(const uint8_t sig[CRYPTO_P256_SIG_SIZE])
{
    return in_range(sig) && in_range(sig + HALF) && compare(sig + HALF, ORDER_HALF) <= 0;
}

enum cf_rc crypto_p256_low_s(uint8_t sig[CRYPTO_P256_SIG_SIZE], struct cf_err *e)
{
    uint8_t *s = sig + HALF;
    if (!in_range(sig) || !in_range(s))
        return CF_FAIL(e, CF_E_INPUT, "signature out of range");
    if (compare(s, ORDER_HALF) <= 0)
        return CF_OK;
    int borrow = 0;
    for (size_t i = HALF; i-- > 0;) {
        int v = ORDER[i] - s[i] - borrow;
        borrow = v < 0;
        s[i] = (uint8_t)v;
    }
    return CF_OK;
}

enum cf_rc crypto_p256_scalar(const uint8_t seed[64], uint8_t d[32], struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    BN_CTX *ctx = BN_CTX_secure_new();
    BIGNUM *z = BN_secure_new(), *n = BN_new();
    if (!ctx || !z || !n || !BN_bin2bn(ORDER, HALF, n) || !BN_sub_word(n, 1))
        rc = OSSL_FAIL(e, CF_E_LIMIT, "scalar");
    if (rc == CF_OK)
        BN_set_flags(z, BN_FLG_CONSTTIME);
    if (rc == CF_OK && (!BN_bin2bn(seed, 64, z) || !BN_mod(z, z, n, ctx) || !BN_add_word(z, 1) ||
                        BN_bn2binpad(z, d, HALF) < 0))
        rc = OSSL_FAIL(e, CF_E_LIMIT, "scalar");
    BN_free(n);
    BN_clear_free(z);
    BN_CTX_free(ctx);
    return rc;
}

/* d*G in the form asked for; 33 or 65 bytes. */
static enum cf_rc point_of(const uint8_t d[32], point_conversion_form_t form, uint8_t *out,
                           size_t len, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *q = g ? EC_POINT_new(g) : NULL;
    BIGNUM *k = BN_secure_new();
    if (!q || !k || !BN_bin2bn(d, HALF, k) || EC_POINT_mul(g, q, k, NULL, NULL, NULL) != 1 ||
        EC_POINT_point2oct(g, q, form, out, len, NULL) != len)
        rc = OSSL_FAIL(e, CF_E_LIMIT, "point");
    BN_clear_free(k);
    EC_POINT_free(q);
    EC_GROUP_free(g);
    return rc;
}

enum cf_rc crypto_p256_point(const uint8_t d[32], uint8_t out[CRYPTO_P256_POINT_SIZE],
                             struct cf_err *e)
{
    if (!in_range(d))
        return CF_FAIL(e, CF_E_INPUT, "scalar out of range");
    return point_of(d, POINT_CONVERSION_COMPRESSED, out, CRYPTO_P256_POINT_SIZE, e);
}

static EVP_PKEY *pair_of(const uint8_t d[32], const uint8_t point[65])
{
    EVP_PKEY *pkey = NULL;
    BIGNUM *k = BN_secure_new();
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (k && b && BN_bin2bn(d, HALF, k) &&
        OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, 65) == 1 &&
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, k) == 1)
        params = OSSL_PARAM_BLD_to_param(b);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    BN_clear_free(k);
    return pkey;
}

enum cf_rc crypto_p256_sign(const uint8_t d[32], const uint8_t digest[32],
                            uint8_t sig[CRYPTO_P256_SIG_SIZE], struct cf_err *e)
{
    uint8_t point[65], der[80];
    size_t len = sizeof der;
    if (!in_range(d))
        return CF_FAIL(e, CF_E_INPUT, "scalar out of range");
    enum cf_rc rc = point_of(d, POINT_CONVERSION_UNCOMPRESSED, point, sizeof point, e);
    if (rc != CF_OK)
        return rc;
    EVP_PKEY *pkey = pair_of(d, point);
    EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
    if (!ctx || EVP_PKEY_sign_init(ctx) != 1 || EVP_PKEY_sign(ctx, der, &len, digest, 32) != 1)
        rc = OSSL_FAIL(e, CF_E_LIMIT, "ECDSA");
    if (rc == CF_OK)
        rc = ossl_sig_to_raw(der, len, sig, HALF, e);
    if (rc == CF_OK)
        rc = crypto_p256_low_s(sig, e);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return rc;
}

enum cf_rc crypto_p256_spki(const uint8_t point[CRYPTO_P256_POINT_SIZE], struct cf_buf *spki,
                            struct cf_err *e)
{
    uint8_t full[65];
    enum cf_rc rc = CF_OK;
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *q = g ? EC_POINT_new(g) : NULL;
    if (!q)
        rc = OSSL_FAIL(e, CF_E_LIMIT, "point");
    else if (EC_POINT_oct2point(g, q, point, CRYPTO_P256_POINT_SIZE, NULL) != 1 ||
             EC_POINT_point2oct(g, q, POINT_CONVERSION_UNCOMPRESSED, full, sizeof full, NULL) !=
                 sizeof full)
        rc = OSSL_FAIL(e, CF_E_INPUT, "not a point of P-256");
    EC_POINT_free(q);
    EC_GROUP_free(g);
    struct crypto_pub pub;
    if (rc == CF_OK)
        rc = crypto_pub_from_ec(HAL_P256, crypto_bytes_of(full + 1, HALF),
                                crypto_bytes_of(full + 1 + HALF, HALF), &pub, e);
    if (rc == CF_OK)
        rc = crypto_pub_to_spki(&pub, spki, e);
    return rc;
}
