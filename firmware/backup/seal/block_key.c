#include "seal_priv.h"

#include <string.h>

#include "base/buf.h"

size_t seal_header_build(const struct seal_run *run, const struct flow_block *b,
                         const uint8_t salt[FLOW_SALT_SIZE], uint8_t out[SEAL_HEAD_MAX])
{
    size_t map = flow_map_len(b);
    memset(out, 0, FLOW_HEADER_SIZE);
    memcpy(out, "CFRB", 4);
    out[4] = 1;
    out[5] = 1;
    out[6] = b->chunk_log2;
    out[7] = (uint8_t)((b->last ? 1 : 0) | (b->mapped ? 2 : 0));
    memcpy(out + 8, run->backup_id, FLOW_ID_SIZE);
    cf_le32(out + 24, b->stream);
    cf_le64(out + 32, b->number);
    cf_le64(out + 40, b->place);
    cf_le64(out + 48, b->covered);
    memcpy(out + 64, salt, FLOW_SALT_SIZE);
    memcpy(out + FLOW_HEADER_SIZE, b->map, map);
    return FLOW_HEADER_SIZE + map;
}

enum cf_rc seal_block_key(const struct seal_run *run, struct crypto_gcm *g, const uint8_t *header,
                          size_t len, uint8_t kb[CRYPTO_KEY_SIZE], struct cf_err *e)
{
    enum cf_rc rc = crypto_kdf(cf_secret_view(run->dk), "coffer.v1.block", header, len, kb, e);
    return rc == CF_OK ? crypto_gcm_set_key(g, kb, e) : rc;
}

static void nonce(uint8_t out[CRYPTO_NONCE_SIZE], uint32_t counter, uint8_t end)
{
    memset(out, 0, CRYPTO_NONCE_SIZE);
    cf_le32(out, counter);
    out[CRYPTO_NONCE_SIZE - 1] = end;
}

void seal_nonce_chunk(uint8_t out[CRYPTO_NONCE_SIZE], uint32_t i, bool last)
{
    nonce(out, i, last ? 1 : 0);
}

void seal_nonce_header(uint8_t out[CRYPTO_NONCE_SIZE])
{
    nonce(out, UINT32_MAX, 2);
}

uint32_t seal_last_sent(const struct flow_block *b)
{
    uint32_t i = flow_chunks(b);
    while (i > 0 && flow_map_get(b, i - 1) != FLOW_SENT)
        i--;
    return i > 0 ? i - 1 : UINT32_MAX;
}
