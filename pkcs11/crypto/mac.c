#include "crypto/ops_priv.h"

#include <string.h>

#include "base/secret.h"

static enum cf_rc hmac(struct p11_ctx *c, CK_OBJECT_HANDLE h, enum hal_hash hash,
                       struct crypto_bytes msg, struct cf_buf *out, struct cf_err *e)
{
    CK_MECHANISM m = { .mechanism = p11_hash_of(hash)->hmac };
    enum cf_rc rc = p11_sign(c, h, &m, msg, out, e);
    if (rc == CF_OK && out->len != crypto_digest_size(hash))
        rc = CF_FAIL(e, CF_E_TOKEN, "the token gives a MAC of %zu bytes", out->len);
    return rc;
}

enum cf_rc p11_mac(struct p11_ctx *c, CK_OBJECT_HANDLE h, struct crypto_bytes msg,
                   uint8_t out[HAL_MAC_SIZE], struct cf_err *e)
{
    struct cf_buf b = { 0 };
    enum cf_rc rc = hmac(c, h, HAL_SHA256, msg, &b, e);
    if (rc == CF_OK)
        memcpy(out, b.data, HAL_MAC_SIZE);
    cf_buf_clear(&b);
    return rc;
}

/* "token X takes no HMAC key below n bytes" is what the caller's user needs to read. */
static enum cf_rc too_short(struct p11_ctx *c, const struct hal_key_spec *spec, enum hal_hash hash,
                            struct cf_err *e)
{
    const unsigned char *label = c->core->token.label;
    int n = (int)sizeof c->core->token.label;
    while (n && (label[n - 1] == ' ' || label[n - 1] == 0))
        n--;
    return CF_FAIL(e, CF_E_LIMIT, "the token %.*s takes no HMAC-SHA-%zu key of %u bits", n,
                   (const char *)label, 8 * crypto_digest_size(hash), spec->bits);
}

enum cf_rc p11_op_hmac(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_key_spec *spec,
                       const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    if (crypto_digest_size(op->hash) == 0)
        return CF_FAIL(e, CF_E_INPUT, "HMAC without a hash");
    struct cf_buf mac = { 0 };
    struct cf_err why = { 0 };
    enum cf_rc rc = hmac(c, h, op->hash, crypto_bytes_of(op->in, op->in_len), &mac, &why);
    if (rc != CF_OK && why.src == CF_SRC_CKR && why.native == CKR_KEY_SIZE_RANGE)
        rc = too_short(c, spec, op->hash, e);
    else if (rc != CF_OK && e)
        *e = why;
    if (rc == CF_OK && op->use == HAL_SIGN)
        rc = cf_buf_put(&out->out, mac.data, mac.len, e);
    else if (rc == CF_OK && (op->tag_len != mac.len || !cf_equal(op->tag, mac.data, mac.len)))
        rc = CF_FAIL(e, CF_E_AUTH, "the MAC does not verify");
    cf_buf_clear(&mac);
    return rc;
}

enum cf_rc p11_kcv(struct p11_ctx *c, CK_OBJECT_HANDLE h, enum p11_kind kind,
                   uint8_t out[HAL_KCV_SIZE], struct cf_err *e)
{
    static const uint8_t text[16] = "coffer.v1.kc"; /* and four zero bytes */
    struct cf_buf b = { 0 };
    enum cf_rc rc;
    if (kind == P11_KIND_HMAC) {
        rc = hmac(c, h, HAL_SHA256, crypto_bytes_of(text, 12), &b, e);
    } else {
        CK_MECHANISM m = { .mechanism = CKM_AES_ECB };
        struct p11_crypt x = {
            .encrypt = true, .mech = &m, .key = h, .in = crypto_bytes_of(text, sizeof text)
        };
        rc = p11_crypt(c, &x, &b, e);
    }
    if (rc == CF_OK && b.len < HAL_KCV_SIZE)
        rc = CF_FAIL(e, CF_E_TOKEN, "the token gives a check value of %zu bytes", b.len);
    if (rc == CF_OK)
        memcpy(out, b.data, HAL_KCV_SIZE);
    cf_buf_clear(&b);
    return rc;
}
