/* A private key out of JWK members: checked as a whole, then shaped for the token. */
#include <limits.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "ossl_priv.h"

struct number {
    const char *name;
    const struct crypto_bytes *value;
    BIGNUM *bn;
};

#define NUMBERS_MAX 8

static bool push_all(OSSL_PARAM_BLD *b, struct number *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        list[i].bn = BN_secure_new();
        if (!list[i].bn || !BN_bin2bn(list[i].value->p, (int)list[i].value->len, list[i].bn) ||
            OSSL_PARAM_BLD_push_BN(b, list[i].name, list[i].bn) != 1)
            return false;
    }
    return true;
}

static EVP_PKEY *pair_of(const char *type, OSSL_PARAM_BLD *b)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

static EVP_PKEY *rsa_pair(const struct crypto_priv *in)
{
    struct number list[NUMBERS_MAX] = {
        { OSSL_PKEY_PARAM_RSA_N, &in->n, NULL },
        { OSSL_PKEY_PARAM_RSA_E, &in->e, NULL },
        { OSSL_PKEY_PARAM_RSA_D, &in->d, NULL },
        { OSSL_PKEY_PARAM_RSA_FACTOR1, &in->p, NULL },
        { OSSL_PKEY_PARAM_RSA_FACTOR2, &in->q, NULL },
        { OSSL_PKEY_PARAM_RSA_EXPONENT1, &in->dp, NULL },
        { OSSL_PKEY_PARAM_RSA_EXPONENT2, &in->dq, NULL },
        { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &in->qi, NULL },
    };
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = b && push_all(b, list, NUMBERS_MAX) ? pair_of("RSA", b) : NULL;
    for (size_t i = 0; i < NUMBERS_MAX; i++)
        BN_clear_free(list[i].bn);
    OSSL_PARAM_BLD_free(b);
    return pkey;
}

static EVP_PKEY *ec_pair(const struct crypto_priv *in)
{
    size_t width = crypto_curve_bytes(in->curve);
    uint8_t point[1 + 2 * CRYPTO_EC_MAX] = { 4 };
    memcpy(point + 1, in->x.p, width);
    memcpy(point + 1 + width, in->y.p, width);
    struct number d = { OSSL_PKEY_PARAM_PRIV_KEY, &in->d, NULL };
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (b && push_all(b, &d, 1) &&
        OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, ossl_curve_group(in->curve),
                                        0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * width) == 1)
        pkey = pair_of("EC", b);
    BN_clear_free(d.bn);
    OSSL_PARAM_BLD_free(b);
    return pkey;
}

static bool members_fit(const struct crypto_priv *in)
{
    if (in->type == HAL_EC) {
        size_t width = crypto_curve_bytes(in->curve);
        return width && in->d.len && in->d.len <= width && in->x.len == width && in->y.len == width;
    }
    const struct crypto_bytes *all[] = { &in->n, &in->e,  &in->d,  &in->p,
                                         &in->q, &in->dp, &in->dq, &in->qi };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]->len == 0 || all[i]->len > CRYPTO_RSA_BITS_MAX / 8)
            return false;
    return in->type == HAL_RSA;
}

/* For RSA: p and q prime, n = pq, d inverts e, dp, dq, qi right; for EC: d in range, d*G the point.
 */
static enum cf_rc check_pair(EVP_PKEY *pkey, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (!ctx)
        rc = OSSL_FAIL(e, CF_E_LIMIT, "key check");
    else if (EVP_PKEY_public_check(ctx) != 1 || EVP_PKEY_private_check(ctx) != 1 ||
             EVP_PKEY_pairwise_check(ctx) != 1)
        rc = OSSL_FAIL(e, CF_E_INPUT, "the members of the private key do not belong together");
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

static enum cf_rc put_pkcs8(EVP_PKEY *pkey, struct cf_secret **out, struct cf_err *e)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    uint8_t *der = NULL;
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : 0;
    enum cf_rc rc =
        len > 0 ? cf_secret_copy(der, (size_t)len, out, e) : OSSL_FAIL(e, CF_E_LIMIT, "PKCS#8");
    if (len > 0)
        OPENSSL_clear_free(der, (size_t)len);
    PKCS8_PRIV_KEY_INFO_free(info);
    return rc;
}

static struct hal_key_spec spec_of(const struct crypto_pkey *k)
{
    return (struct hal_key_spec){ .type = k->type,
                                  .curve = k->curve,
                                  .bits = k->type == HAL_RSA ? k->bits : 0 };
}

/* Checks the pair, then fills `spec`, `out` and, unless NULL, `spki`. */
static enum cf_rc shape(EVP_PKEY *pkey, struct hal_key_spec *spec, struct cf_buf *spki,
                        struct cf_secret **out, struct cf_err *e)
{
    struct crypto_pkey kind = { 0 };
    enum cf_rc rc = ossl_pkey_kind(pkey, &kind, e);
    if (rc == CF_OK)
        rc = check_pair(pkey, e);
    if (rc == CF_OK)
        rc = put_pkcs8(pkey, out, e);
    if (rc == CF_OK && spki)
        rc = ossl_spki_of_pkey(pkey, spki, e);
    if (rc == CF_OK)
        *spec = spec_of(&kind);
    if (rc != CF_OK) {
        cf_secret_free(*out);
        *out = NULL;
    }
    return rc;
}

enum cf_rc crypto_pkcs8_make(const struct crypto_priv *in, struct hal_key_spec *spec,
                             struct cf_buf *spki, struct cf_secret **out, struct cf_err *e)
{
    *out = NULL;
    if (!members_fit(in))
        return CF_FAIL(e, CF_E_INPUT, "a member of the private key is missing or too long");
    EVP_PKEY *pkey = in->type == HAL_RSA ? rsa_pair(in) : ec_pair(in);
    if (!pkey)
        return OSSL_FAIL(e, CF_E_INPUT, "these members make no private key");
    enum cf_rc rc = shape(pkey, spec, spki, out, e);
    EVP_PKEY_free(pkey);
    return rc;
}

/* NULL: not one PKCS#8 key that fills the bytes. */
static EVP_PKEY *parse_pkcs8(struct crypto_bytes der)
{
    const uint8_t *p = der.p;
    EVP_PKEY *pkey = NULL;
    PKCS8_PRIV_KEY_INFO *info =
        der.len <= INT_MAX ? d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.len) : NULL;
    if (info && p == (const uint8_t *)der.p + der.len)
        pkey = EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(info);
    return pkey;
}

enum cf_rc crypto_pkcs8_read(struct crypto_bytes der, struct hal_key_spec *spec,
                             struct cf_secret **out, struct cf_err *e)
{
    *out = NULL;
    EVP_PKEY *pkey = parse_pkcs8(der);
    if (!pkey)
        return OSSL_FAIL(e, CF_E_INPUT, "no PKCS#8 private key");
    enum cf_rc rc = shape(pkey, spec, NULL, out, e);
    EVP_PKEY_free(pkey);
    return rc;
}

enum cf_rc crypto_pkcs8_public(struct crypto_bytes der, struct hal_key_spec *spec,
                               struct cf_buf *spki, struct cf_err *e)
{
    struct crypto_pkey kind = { 0 };
    EVP_PKEY *pkey = parse_pkcs8(der);
    if (!pkey)
        return OSSL_FAIL(e, CF_E_INPUT, "no PKCS#8 private key");
    enum cf_rc rc = ossl_pkey_kind(pkey, &kind, e);
    if (rc == CF_OK)
        rc = ossl_spki_of_pkey(pkey, spki, e);
    if (rc == CF_OK)
        *spec = spec_of(&kind);
    EVP_PKEY_free(pkey);
    return rc;
}
