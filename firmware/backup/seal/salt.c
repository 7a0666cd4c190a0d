#include "seal/seal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "crypto/crypto.h"

struct seal_salts {
    struct cf_secret *key;
    struct hal_entropy *entropy;
    struct hal_clock *clock;
    atomic_uint_fast64_t attempts;
};

enum cf_rc seal_salts_new(struct hal_entropy *entropy, struct hal_clock *clock,
                          const uint8_t other[32], struct seal_salts **out, struct cf_err *e)
{
    struct seal_salts *s = calloc(1, sizeof *s);
    if (!s)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    s->entropy = entropy;
    s->clock = clock;
    atomic_init(&s->attempts, 0);
    enum cf_rc rc = cf_secret_new(CRYPTO_KEY_SIZE, &s->key, e);
    if (rc == CF_OK)
        rc = hal_entropy_fill(entropy, cf_secret_data(s->key), CRYPTO_KEY_SIZE, e);
    for (size_t i = 0; rc == CF_OK && i < CRYPTO_KEY_SIZE; i++)
        cf_secret_data(s->key)[i] ^= other[i];
    if (rc != CF_OK) {
        seal_salts_free(s);
        return rc;
    }
    *out = s;
    return CF_OK;
}

void seal_salts_free(struct seal_salts *s)
{
    if (!s)
        return;
    cf_secret_free(s->key);
    free(s);
}

enum cf_rc seal_salts_next(struct seal_salts *s, uint8_t out[FLOW_SALT_SIZE], struct cf_err *e)
{
    uint8_t msg[32 + 8 + 8];
    enum cf_rc rc = hal_entropy_fill(s->entropy, msg, 32, e);
    if (rc != CF_OK)
        return rc;
    cf_le64(msg + 32, atomic_fetch_add(&s->attempts, 1));
    cf_le64(msg + 40, hal_clock_monotonic_ms(s->clock) * 1000000);
    rc = crypto_hmac(HAL_SHA256, crypto_bytes_of(cf_secret_view(s->key), CRYPTO_KEY_SIZE),
                     crypto_bytes_of(msg, sizeof msg), out, e);
    cf_wipe(msg, sizeof msg);
    return rc;
}
