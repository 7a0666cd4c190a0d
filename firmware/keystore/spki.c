/*
 * The shape and the parts of a SubjectPublicKeyInfo (RFC 5280 4.1, RFC 3279 2.3.1, RFC 5480 2),
 * without arithmetic: what a blob's MAC covers was checked in full when the key was made, a
 * restore looks at 100,000, and decoding one with its checks is most of what reading a key costs.
 */
#include "keystore_priv.h"

#include <string.h>

enum { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_SEQUENCE = 0x30 };

/* One element of that tag: its content, and the cursor behind it. Lengths in their shortest form.
 */
static struct cf_rd element(struct cf_rd *r, uint8_t tag)
{
    bool right = cf_rd_u8(r) == tag;
    size_t len = cf_rd_u8(r);
    if (len == 0x81) {
        len = cf_rd_u8(r);
        right = right && len >= 0x80;
    } else if (len == 0x82) {
        len = cf_rd_be16(r);
        right = right && len >= 0x100;
    } else {
        right = right && len < 0x80;
    }
    const uint8_t *p = cf_rd_bytes(r, len);
    if (!right || !p)
        r->bad = true;
    if (r->bad)
        return (struct cf_rd){ .bad = true };
    return cf_rd_of(p, len);
}

static bool is(struct cf_rd *r, const uint8_t *want, size_t len)
{
    const uint8_t *p = cf_rd_bytes(r, len);
    return p && cf_equal(p, want, len);
}

static void shortest(struct cf_rd *number)
{
    while (number->left > 1 && number->p[0] == 0)
        (void)cf_rd_u8(number);
}

static bool rsa_parts(struct cf_rd *alg, struct cf_rd *key, uint32_t bits, struct crypto_pub *out)
{
    static const uint8_t rsa[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                   0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
    struct cf_rd inner = element(key, DER_SEQUENCE);
    struct cf_rd n = element(&inner, DER_INTEGER), exponent = element(&inner, DER_INTEGER);
    size_t width = bits / 8;
    bool sign = cf_rd_u8(&n) == 0; /* the top bit of n is set, so a zero stands before it */
    shortest(&exponent);
    if (!is(alg, rsa, sizeof rsa) || !cf_rd_done(alg) || !cf_rd_done(key) || !cf_rd_done(&inner) ||
        !sign || n.left != width || width > sizeof out->n || !(n.p[0] & 0x80) || exponent.bad ||
        !exponent.left || exponent.left > sizeof out->e)
        return false;
    out->type = HAL_RSA;
    out->bits = bits;
    out->n_len = width;
    memcpy(out->n, n.p, width);
    out->e_len = exponent.left;
    memcpy(out->e, exponent.p, exponent.left);
    return true;
}

static bool ec_parts(struct cf_rd *alg, const struct cf_rd *key, enum hal_curve curve,
                     struct crypto_pub *out)
{
    static const uint8_t ec[] = { 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };
    static const struct {
        uint8_t oid[10];
        uint8_t oid_len, width;
        uint16_t bits;
    } curves[] = {
        [HAL_P256] = { { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 },
                       10,
                       32,
                       256 },
        [HAL_P384] = { { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 }, 7, 48, 384 },
        [HAL_P521] = { { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 }, 7, 66, 521 },
        [HAL_P256K] = { { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a }, 7, 32, 256 },
    };
    size_t width = curves[curve].width;
    if (!is(alg, ec, sizeof ec) || !is(alg, curves[curve].oid, curves[curve].oid_len) ||
        !cf_rd_done(alg) || key->bad || key->left != 1 + 2 * width || key->p[0] != 0x04)
        return false;
    out->type = HAL_EC;
    out->curve = curve;
    out->bits = curves[curve].bits;
    memcpy(out->x, key->p + 1, width);
    memcpy(out->y, key->p + 1 + width, width);
    return true;
}

static bool parts(struct crypto_bytes spki, const struct hal_key_spec *spec, struct crypto_pub *out)
{
    struct cf_rd r = cf_rd_of(spki.p, spki.len);
    struct cf_rd outer = element(&r, DER_SEQUENCE);
    struct cf_rd alg = element(&outer, DER_SEQUENCE), key = element(&outer, DER_BITS);
    if (cf_rd_u8(&key) != 0 || !cf_rd_done(&r) || !cf_rd_done(&outer) || alg.bad || key.bad)
        return false;
    return spec->type == HAL_RSA ? rsa_parts(&alg, &key, spec->bits, out)
                                 : ec_parts(&alg, &key, spec->curve, out);
}

bool spki_fits(struct crypto_bytes spki, const struct hal_key_spec *spec)
{
    struct crypto_pub ignored = { .n_len = 0 };
    return spec->type == HAL_OCT ? spki.len == 0 : parts(spki, spec, &ignored);
}

enum cf_rc keystore_public(const struct keystore_version *v, struct crypto_pub *out,
                           struct cf_err *e)
{
    memset(out, 0, sizeof *out);
    if (v->spec.type != HAL_OCT && parts(bytes_of(&v->spki), &v->spec, out))
        return CF_OK;
    return CF_FAIL(e, CF_E_CORRUPT, "a public half that does not fit its key");
}
