#include <string.h>

#include "crypto/crypto.h"

size_t crypto_digest_size(enum hal_hash h)
{
    switch (h) {
    case HAL_SHA1:
        return 20;
    case HAL_SHA256:
        return 32;
    case HAL_SHA384:
        return 48;
    case HAL_SHA512:
        return 64;
    case HAL_NO_HASH:
        break;
    }
    return 0;
}

enum hal_hash crypto_sig_hash(enum crypto_sig alg)
{
    switch (alg) {
    case CRYPTO_RS256:
    case CRYPTO_PS256:
    case CRYPTO_ES256:
    case CRYPTO_ES256K:
        return HAL_SHA256;
    case CRYPTO_RS384:
    case CRYPTO_PS384:
    case CRYPTO_ES384:
        return HAL_SHA384;
    case CRYPTO_RS512:
    case CRYPTO_PS512:
    case CRYPTO_ES512:
        return HAL_SHA512;
    case CRYPTO_RSNULL:
        break;
    }
    return HAL_NO_HASH;
}

/* be32(1) | label | 00 | ctx | be32(bits): SP 800-108 4.1 with one block. */
static enum cf_rc frame(const char *label, struct crypto_bytes ctx, uint32_t bits,
                        struct cf_buf *msg, struct cf_err *e)
{
    uint8_t word[4];
    cf_be32(word, 1);
    enum cf_rc rc = cf_buf_put(msg, word, sizeof word, e);
    if (rc == CF_OK)
        rc = cf_buf_put(msg, label, strlen(label) + 1, e);
    if (rc == CF_OK)
        rc = cf_buf_put(msg, ctx.p, ctx.len, e);
    cf_be32(word, bits);
    if (rc == CF_OK)
        rc = cf_buf_put(msg, word, sizeof word, e);
    return rc;
}

enum cf_rc crypto_kdf_message(const char *label, const void *ctx, size_t ctx_len,
                              struct cf_buf *msg, struct cf_err *e)
{
    return frame(label, crypto_bytes_of(ctx, ctx_len), 8 * CRYPTO_KEY_SIZE, msg, e);
}

enum cf_rc crypto_kdf(const uint8_t key[CRYPTO_KEY_SIZE], const char *label, const void *ctx,
                      size_t ctx_len, uint8_t out[CRYPTO_KEY_SIZE], struct cf_err *e)
{
    struct cf_buf msg = { 0 };
    enum cf_rc rc = crypto_kdf_message(label, ctx, ctx_len, &msg, e);
    if (rc == CF_OK)
        rc = crypto_hmac(HAL_SHA256, crypto_bytes_of(key, CRYPTO_KEY_SIZE),
                         crypto_bytes_of(msg.data, msg.len), out, e);
    cf_buf_clear(&msg);
    return rc;
}

enum cf_rc crypto_kdf512(struct crypto_bytes key, const char *label, struct crypto_bytes ctx,
                         uint8_t *out, size_t out_len, struct cf_err *e)
{
    uint8_t block[CRYPTO_DIGEST_MAX];
    struct cf_buf msg = { 0 };
    if (out_len == 0 || out_len > sizeof block)
        return CF_FAIL(e, CF_E_ARG, "one block of 64 bytes at most");
    enum cf_rc rc = frame(label, ctx, (uint32_t)(8 * out_len), &msg, e);
    if (rc == CF_OK)
        rc = crypto_hmac(HAL_SHA512, key, crypto_bytes_of(msg.data, msg.len), block, e);
    if (rc == CF_OK)
        memcpy(out, block, out_len);
    cf_wipe(block, sizeof block);
    cf_buf_clear(&msg);
    return rc;
}
