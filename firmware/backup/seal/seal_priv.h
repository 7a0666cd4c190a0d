/* The header of a block, its key and its nonces: what both ways share. Private to seal. */
#ifndef SEAL_PRIV_H
#define SEAL_PRIV_H

#include "crypto/crypto.h"
#include "seal/seal.h"

#define SEAL_HEAD_MAX (FLOW_HEADER_SIZE + FLOW_MAP_MAX) /* without the header tag */

/* Bytes 0..95 and the map; gives their number. */
size_t seal_header_build(const struct seal_run *run, const struct flow_block *b,
                         const uint8_t salt[FLOW_SALT_SIZE], uint8_t out[SEAL_HEAD_MAX]);

/* KB = KDF(DK, "coffer.v1.block", header) set into `g`. `kb` is for the recorder; the caller wipes.
 */
CF_CHECK enum cf_rc seal_block_key(const struct seal_run *run, struct crypto_gcm *g,
                                   const uint8_t *header, size_t len, uint8_t kb[CRYPTO_KEY_SIZE],
                                   struct cf_err *e);

void seal_nonce_chunk(uint8_t nonce[CRYPTO_NONCE_SIZE], uint32_t i, bool last);
void seal_nonce_header(uint8_t nonce[CRYPTO_NONCE_SIZE]);

/* The last chunk that is sent; UINT32_MAX: none is. */
uint32_t seal_last_sent(const struct flow_block *b);

#endif
