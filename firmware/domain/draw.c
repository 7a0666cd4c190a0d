#include <string.h>

#include "domain_priv.h"

#define NAME_MAX_BYTES 16

enum cf_rc domain_draw_key(const struct domain_sources *s, const char *name, uint32_t generation,
                           uint8_t out[DOMAIN_KEY_SIZE], struct cf_err *e)
{
    uint8_t token[32], msg[32 + NAME_MAX_BYTES + 4];
    size_t n = strlen(name);
    if (n > NAME_MAX_BYTES)
        return CF_FAIL(e, CF_E_ARG, "name too long");
    enum cf_rc rc = hal_token_random(s->token, token, sizeof token, e);
    if (rc == CF_OK)
        rc = hal_entropy_fill(s->entropy, msg, 32, e);
    if (rc == CF_OK) {
        memcpy(msg + 32, name, n);
        cf_le32(msg + 32 + n, generation);
        rc = crypto_hmac(HAL_SHA256, crypto_bytes_of(token, sizeof token),
                         crypto_bytes_of(msg, 32 + n + 4), out, e);
    }
    cf_wipe(token, sizeof token);
    cf_wipe(msg, sizeof msg);
    return rc;
}

enum cf_rc domain_draw(void *ctx, void *dst, size_t len, struct cf_err *e)
{
    const struct domain_sources *s = ctx;
    uint8_t *out = dst, piece[64];
    enum cf_rc rc = hal_token_random(s->token, dst, len, e);
    while (len && rc == CF_OK) {
        size_t n = len < sizeof piece ? len : sizeof piece;
        rc = hal_entropy_fill(s->entropy, piece, n, e);
        for (size_t i = 0; i < n && rc == CF_OK; i++)
            out[i] ^= piece[i];
        out += n;
        len -= n;
    }
    cf_wipe(piece, sizeof piece);
    return rc;
}
