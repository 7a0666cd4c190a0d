#include <string.h>

#include "domain_priv.h"

enum cf_rc domain_draw_key(const struct domain_sources *s, const char *name, uint32_t generation,
                           uint8_t out[DOMAIN_KEY_SIZE], struct cf_err *e)
{
    uint8_t token[32], host[32], number[4];
    struct crypto_mac *m = NULL;
    cf_le32(number, generation);
    enum cf_rc rc = hal_token_random(s->token, token, sizeof token, e);
    if (rc == CF_OK)
        rc = hal_entropy_fill(s->entropy, host, sizeof host, e);
    if (rc == CF_OK)
        rc = crypto_mac_new(HAL_SHA256, crypto_bytes_of(token, sizeof token), &m, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(m, host, sizeof host, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(m, name, strlen(name), e);
    if (rc == CF_OK)
        rc = crypto_mac_update(m, number, sizeof number, e);
    if (rc == CF_OK)
        rc = crypto_mac_final(m, out, e);
    cf_wipe(token, sizeof token);
    cf_wipe(host, sizeof host);
    crypto_mac_free(m);
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
