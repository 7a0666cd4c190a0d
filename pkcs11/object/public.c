#include "object/object_priv.h"

#include "crypto/pkey.h"

static const uint8_t oid_p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t oid_p256k[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a };
static const uint8_t oid_p384[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t oid_p521[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 };

struct crypto_bytes p11_ec_params(enum hal_curve c)
{
    switch (c) {
    case HAL_P256:
        return crypto_bytes_of(oid_p256, sizeof oid_p256);
    case HAL_P256K:
        return crypto_bytes_of(oid_p256k, sizeof oid_p256k);
    case HAL_P384:
        return crypto_bytes_of(oid_p384, sizeof oid_p384);
    case HAL_P521:
        return crypto_bytes_of(oid_p521, sizeof oid_p521);
    }
    return crypto_bytes_of(NULL, 0);
}

/* The exponent that was asked for, as the token would have told it. */
static enum cf_rc put_exponent(uint32_t v, struct cf_buf *out, struct cf_err *e)
{
    uint8_t b[4];
    size_t skip = 0;
    cf_be32(b, v);
    while (skip < 3 && b[skip] == 0)
        skip++;
    return cf_buf_put(out, b + skip, sizeof b - skip, e);
}

/* `made`: the exponent that the key was made with, for tokens that keep the modulus alone; 0: what
 * is not told is not known. */
static enum cf_rc spki_rsa(struct p11_ctx *c, CK_OBJECT_HANDLE h, uint32_t made,
                           struct cf_buf *spki, struct cf_err *e)
{
    struct cf_buf n = { 0 };
    struct cf_buf x = { 0 };
    struct crypto_pub pub;
    enum cf_rc rc = p11_attr(c, h, CKA_MODULUS, &n, e);
    if (rc == CF_OK)
        rc = p11_attr(c, h, CKA_PUBLIC_EXPONENT, &x, made ? NULL : e);
    if (rc == CF_E_ABSENT && made && n.len)
        rc = put_exponent(made, &x, e);
    if (rc == CF_OK)
        rc = crypto_pub_from_rsa(crypto_bytes_of(n.data, n.len), crypto_bytes_of(x.data, x.len),
                                 &pub, e);
    if (rc == CF_OK)
        rc = crypto_pub_to_spki(&pub, spki, e);
    cf_buf_clear(&n);
    cf_buf_clear(&x);
    return rc;
}

/* An uncompressed point, bare or inside a DER OCTET STRING: tokens do both. */
static const uint8_t *bare_point(const struct cf_buf *b, size_t width)
{
    size_t want = 1 + 2 * width;
    if (b->len < want || b->data[b->len - want] != 0x04)
        return NULL;
    size_t head = b->len - want;
    bool der = (head == 2 && b->data[0] == 0x04 && b->data[1] == want) ||
               (head == 3 && b->data[0] == 0x04 && b->data[1] == 0x81 && b->data[2] == want);
    return head == 0 || der ? b->data + head + 1 : NULL;
}

static enum cf_rc spki_ec(struct p11_ctx *c, CK_OBJECT_HANDLE h, enum hal_curve curve,
                          struct cf_buf *spki, struct cf_err *e)
{
    struct cf_buf b = { 0 };
    struct crypto_pub pub;
    size_t w = crypto_curve_bytes(curve);
    enum cf_rc rc = p11_attr(c, h, CKA_EC_POINT, &b, e);
    const uint8_t *xy = rc == CF_OK ? bare_point(&b, w) : NULL;
    if (rc == CF_OK && !xy)
        rc = CF_FAIL(e, CF_E_TOKEN, "the token's CKA_EC_POINT has %zu bytes and no known form",
                     b.len);
    if (rc == CF_OK)
        rc = crypto_pub_from_ec(curve, crypto_bytes_of(xy, w), crypto_bytes_of(xy + w, w), &pub, e);
    if (rc == CF_OK)
        rc = crypto_pub_to_spki(&pub, spki, e);
    cf_buf_clear(&b);
    return rc;
}

enum cf_rc p11_spki(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_key_spec *spec,
                    struct cf_buf *spki, struct cf_err *e)
{
    if (spec->type == HAL_RSA)
        return spki_rsa(c, h, 0, spki, e);
    return spki_ec(c, h, spec->curve, spki, e);
}

enum cf_rc p11_spki_made(struct p11_ctx *c, CK_OBJECT_HANDLE pub, const struct hal_key_spec *spec,
                         struct cf_buf *spki, struct cf_err *e)
{
    if (spec->type == HAL_RSA)
        return spki_rsa(c, pub, spec->rsa_exponent ? spec->rsa_exponent : P11_RSA_EXPONENT, spki,
                        e);
    return spki_ec(c, pub, spec->curve, spki, e);
}
