/* Public keys as components and as SubjectPublicKeyInfo. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "ossl_priv.h"

static const struct {
    enum hal_curve curve;
    uint32_t bits;
    size_t bytes;
    const char *name;
} curves[] = {
    { HAL_P256, 256, 32, "P-256" },
    { HAL_P256K, 256, 32, "P-256K" },
    { HAL_P384, 384, 48, "P-384" },
    { HAL_P521, 521, 66, "P-521" },
};

#define CURVES (sizeof curves / sizeof curves[0])

size_t crypto_curve_bytes(enum hal_curve c)
{
    for (size_t i = 0; i < CURVES; i++)
        if (curves[i].curve == c)
            return curves[i].bytes;
    return 0;
}

const char *crypto_curve_name(enum hal_curve c)
{
    for (size_t i = 0; i < CURVES; i++)
        if (curves[i].curve == c)
            return curves[i].name;
    return NULL;
}

bool crypto_curve_from_name(const char *name, enum hal_curve *out)
{
    for (size_t i = 0; i < CURVES; i++)
        if (strcmp(curves[i].name, name) == 0) {
            *out = curves[i].curve;
            return true;
        }
    if (strcmp(name, "SECP256K1") != 0)
        return false;
    *out = HAL_P256K;
    return true;
}

static bool param_is(EVP_PKEY *pkey, const char *name, const char *want)
{
    char got[32];
    return EVP_PKEY_get_utf8_string_param(pkey, name, got, sizeof got, NULL) == 1 &&
           strcmp(got, want) == 0;
}

static enum cf_rc ec_kind(EVP_PKEY *pkey, struct crypto_pkey *out, struct cf_err *e)
{
    /* One key has one encoding here; the second provider knows no other either. */
    if (!param_is(pkey, OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_GROUP) ||
        !param_is(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                  OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED))
        return CF_FAIL(e, CF_E_INPUT, "EC key must name its curve and give the whole point");
    char group[64];
    if (EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1)
        return OSSL_FAIL(e, CF_E_INPUT, "EC key without a named curve");
    int nid = OBJ_txt2nid(group);
    for (size_t i = 0; i < CURVES; i++)
        if (nid != NID_undef && ossl_curve_nid(curves[i].curve) == nid) {
            out->curve = curves[i].curve;
            out->bits = curves[i].bits;
            return CF_OK;
        }
    return CF_FAIL(e, CF_E_INPUT, "EC key on a curve that is not served");
}

/* Even and tiny exponents make a key that anyone can use as if it were private. */
static enum cf_rc rsa_exponent_fits(EVP_PKEY *pkey, struct cf_err *e)
{
    BIGNUM *exponent = NULL;
    enum cf_rc rc = CF_OK;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1)
        rc = OSSL_FAIL(e, CF_E_INPUT, "RSA key without an exponent");
    else if (!BN_is_odd(exponent) || BN_is_one(exponent) || BN_num_bits(exponent) > 64)
        rc = CF_FAIL(e, CF_E_INPUT, "RSA exponent must be odd, 3 or more, and 64 bits at most");
    BN_free(exponent);
    return rc;
}

enum cf_rc ossl_pkey_kind(EVP_PKEY *pkey, struct crypto_pkey *out, struct cf_err *e)
{
    int id = EVP_PKEY_get_base_id(pkey);
    out->pkey = pkey;
    if (id == EVP_PKEY_EC) {
        out->type = HAL_EC;
        return ec_kind(pkey, out, e);
    }
    if (id != EVP_PKEY_RSA)
        return CF_FAIL(e, CF_E_INPUT, "neither an RSA nor an EC key");
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < CRYPTO_RSA_BITS_MIN || bits > CRYPTO_RSA_BITS_MAX)
        return CF_FAIL(e, CF_E_INPUT, "RSA key of %d bits; %d to %d are served", bits,
                       CRYPTO_RSA_BITS_MIN, CRYPTO_RSA_BITS_MAX);
    out->type = HAL_RSA;
    out->bits = (uint32_t)bits;
    return rsa_exponent_fits(pkey, e);
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* `point` in full: 04, x, y. NULL: no such curve, or the point is not on it. */
static EVP_PKEY *ec_of_point(enum hal_curve curve, const uint8_t *point)
{
    size_t width = crypto_curve_bytes(curve);
    const char *group = ossl_curve_group(curve);
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *b = group ? OSSL_PARAM_BLD_new() : NULL;
    OSSL_PARAM *params = NULL;
    if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * width) == 1)
        params = OSSL_PARAM_BLD_to_param(b);
    if (params)
        pkey = from_params("EC", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    return pkey;
}

/* All that stands before the point in the DER of a named curve's key (RFC 5480 2): there is one way
 * to write it, and OpenSSL 3 takes 200 microseconds to read it by way of its decoders, 20 this way.
 * NULL: not one of these, or no key. */
static EVP_PKEY *ec_of_spki(struct crypto_bytes spki)
{
    static const struct {
        enum hal_curve curve;
        size_t len;
        uint8_t head[26];
    } heads[] = {
        { HAL_P256, 26, { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                          0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                          0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 } },
        { HAL_P256K, 23, { 0x30, 0x56, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
                           0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a, 0x03, 0x42, 0x00 } },
        { HAL_P384, 23, { 0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
                          0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00 } },
        { HAL_P521, 25, { 0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                          0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
                          0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00 } },
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        const uint8_t *point = (const uint8_t *)spki.p + heads[i].len;
        size_t len = heads[i].len + 1 + 2 * crypto_curve_bytes(heads[i].curve);
        if (spki.len == len && cf_equal(spki.p, heads[i].head, heads[i].len) && point[0] == 4)
            return ec_of_point(heads[i].curve, point);
    }
    return NULL;
}

enum cf_rc ossl_pkey_of_spki(struct crypto_bytes spki, EVP_PKEY **out, struct cf_err *e)
{
    const uint8_t *p = spki.p;
    *out = NULL;
    if (spki.len == 0 || spki.len > CRYPTO_RSA_BITS_MAX)
        return CF_FAIL(e, CF_E_INPUT, "no public key");
    EVP_PKEY *pkey = ec_of_spki(spki);
    if (pkey) {
        *out = pkey;
        return CF_OK;
    }
    ERR_clear_error();
    pkey = d2i_PUBKEY(NULL, &p, (long)spki.len);
    if (!pkey)
        return OSSL_FAIL(e, CF_E_INPUT, "malformed public key");
    if (p != (const uint8_t *)spki.p + spki.len) {
        EVP_PKEY_free(pkey);
        return CF_FAIL(e, CF_E_INPUT, "bytes behind a public key");
    }
    *out = pkey;
    return CF_OK;
}

enum cf_rc ossl_spki_of_pkey(EVP_PKEY *pkey, struct cf_buf *spki, struct cf_err *e)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    if (len <= 0)
        return OSSL_FAIL(e, CF_E_LIMIT, "encoding a public key");
    enum cf_rc rc = cf_buf_put(spki, der, (size_t)len, e);
    OPENSSL_free(der);
    return rc;
}

/* Big-endian, as wide as `width`, or shortest when that is 0. */
static enum cf_rc get_number(EVP_PKEY *pkey, const char *name, uint8_t *out, size_t size,
                             size_t *len, struct cf_err *e)
{
    BIGNUM *n = NULL;
    enum cf_rc rc = CF_OK;
    size_t want = *len;
    if (EVP_PKEY_get_bn_param(pkey, name, &n) != 1)
        return OSSL_FAIL(e, CF_E_INPUT, "reading a public key");
    size_t bytes = (size_t)BN_num_bytes(n);
    if (want == 0)
        want = bytes;
    if (bytes > want || want > size || BN_bn2binpad(n, out, (int)want) < 0)
        rc = CF_FAIL(e, CF_E_INPUT, "public key out of range");
    *len = want;
    BN_free(n);
    return rc;
}

enum cf_rc ossl_pub_of_pkey(EVP_PKEY *pkey, struct crypto_pub *out, struct cf_err *e)
{
    struct crypto_pkey kind = { 0 };
    enum cf_rc rc = ossl_pkey_kind(pkey, &kind, e);
    *out = (struct crypto_pub){ .type = kind.type, .bits = kind.bits, .curve = kind.curve };
    if (rc != CF_OK)
        return rc;
    if (kind.type == HAL_RSA) {
        rc = get_number(pkey, OSSL_PKEY_PARAM_RSA_N, out->n, sizeof out->n, &out->n_len, e);
        if (rc == CF_OK)
            rc = get_number(pkey, OSSL_PKEY_PARAM_RSA_E, out->e, sizeof out->e, &out->e_len, e);
        return rc;
    }
    size_t width = crypto_curve_bytes(kind.curve);
    rc = get_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, out->x, sizeof out->x, &width, e);
    if (rc == CF_OK)
        rc = get_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, out->y, sizeof out->y, &width, e);
    return rc;
}

static EVP_PKEY *rsa_of(const struct crypto_pub *p)
{
    EVP_PKEY *pkey = NULL;
    BIGNUM *n = BN_bin2bn(p->n, (int)p->n_len, NULL);
    BIGNUM *exponent = BN_bin2bn(p->e, (int)p->e_len, NULL);
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (b && n && exponent && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        params = OSSL_PARAM_BLD_to_param(b);
    if (params)
        pkey = from_params("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    BN_free(exponent);
    BN_free(n);
    return pkey;
}

static EVP_PKEY *ec_of(const struct crypto_pub *p)
{
    uint8_t point[1 + 2 * CRYPTO_EC_MAX] = { 4 };
    size_t width = crypto_curve_bytes(p->curve);
    memcpy(point + 1, p->x, width);
    memcpy(point + 1 + width, p->y, width);
    return ec_of_point(p->curve, point);
}

/* The key in OpenSSL's hands; the caller frees with EVP_PKEY_free. Checked like from_spki. */
/* The key in OpenSSL's hands; the caller frees with EVP_PKEY_free. Checked like from_spki. */
static enum cf_rc pkey_of_pub(const struct crypto_pub *p, EVP_PKEY **out, struct cf_err *e)
{
    struct crypto_pkey kind = { 0 };
    *out = NULL;
    if (p->n_len > sizeof p->n || p->e_len > sizeof p->e)
        return CF_FAIL(e, CF_E_ARG, "public key out of range");
    EVP_PKEY *pkey = p->type == HAL_RSA ? rsa_of(p) : ec_of(p);
    if (!pkey)
        return OSSL_FAIL(e, CF_E_INPUT, "these components make no public key");
    enum cf_rc rc = ossl_pkey_kind(pkey, &kind, e);
    if (rc != CF_OK)
        EVP_PKEY_free(pkey);
    else
        *out = pkey;
    return rc;
}

enum cf_rc crypto_pub_from_spki(struct crypto_bytes spki, struct crypto_pub *out, struct cf_err *e)
{
    EVP_PKEY *pkey = NULL;
    enum cf_rc rc = ossl_pkey_of_spki(spki, &pkey, e);
    if (rc == CF_OK)
        rc = ossl_pub_of_pkey(pkey, out, e);
    EVP_PKEY_free(pkey);
    return rc;
}

/* Checks the components by making a key of them, and gives them back in shortest form. */
static enum cf_rc settle(struct crypto_pub *work, struct crypto_pub *out, struct cf_err *e)
{
    EVP_PKEY *pkey = NULL;
    enum cf_rc rc = pkey_of_pub(work, &pkey, e);
    if (rc == CF_OK)
        rc = ossl_pub_of_pkey(pkey, out, e);
    EVP_PKEY_free(pkey);
    return rc;
}

static struct crypto_bytes without_zeros(struct crypto_bytes b)
{
    const uint8_t *p = b.p;
    while (b.len && *p == 0) {
        p++;
        b.len--;
    }
    b.p = p;
    return b;
}

enum cf_rc crypto_pub_from_rsa(struct crypto_bytes n, struct crypto_bytes exponent,
                               struct crypto_pub *out, struct cf_err *e)
{
    struct crypto_pub work = { .type = HAL_RSA };
    n = without_zeros(n);
    exponent = without_zeros(exponent);
    if (n.len == 0 || n.len > sizeof work.n || exponent.len == 0 || exponent.len > sizeof work.e)
        return CF_FAIL(e, CF_E_INPUT, "RSA modulus or exponent of a size not served");
    memcpy(work.n, n.p, n.len);
    memcpy(work.e, exponent.p, exponent.len);
    work.n_len = n.len;
    work.e_len = exponent.len;
    return settle(&work, out, e);
}

enum cf_rc crypto_pub_from_ec(enum hal_curve curve, struct crypto_bytes x, struct crypto_bytes y,
                              struct crypto_pub *out, struct cf_err *e)
{
    struct crypto_pub work = { .type = HAL_EC, .curve = curve };
    size_t width = crypto_curve_bytes(curve);
    if (width == 0 || x.len != width || y.len != width)
        return CF_FAIL(e, CF_E_INPUT, "x and y must be %zu bytes each", width);
    memcpy(work.x, x.p, width);
    memcpy(work.y, y.p, width);
    return settle(&work, out, e);
}

enum cf_rc crypto_pub_to_spki(const struct crypto_pub *p, struct cf_buf *spki, struct cf_err *e)
{
    EVP_PKEY *pkey = NULL;
    enum cf_rc rc = pkey_of_pub(p, &pkey, e);
    if (rc == CF_OK)
        rc = ossl_spki_of_pkey(pkey, spki, e);
    EVP_PKEY_free(pkey);
    return rc;
}
