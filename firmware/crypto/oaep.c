/* The decoding half of OAEP. Nothing before the verdict branches or indexes by secret bytes: the
 * private-key operation is done elsewhere, and this must not become Manger's oracle (RFC
 * 8017 7.1.2). */
#include <string.h>

#include "crypto/crypto.h"

#define EM_MAX 1024 /* RSA-8192 */

/* 0xff where a == b, else 0. */
static uint8_t ct_eq(uint8_t a, uint8_t b)
{
    uint32_t diff = (uint32_t)(a ^ b);
    return (uint8_t)((diff - 1) >> 8);
}

/* target ^= MGF1(seed). */
static enum cf_rc mask(enum hal_hash h, struct crypto_bytes seed, uint8_t *target, size_t len,
                       struct cf_err *e)
{
    uint8_t block[CRYPTO_DIGEST_MAX], count[4];
    struct crypto_hash *c = NULL;
    size_t size = crypto_digest_size(h);
    enum cf_rc rc = crypto_hash_new(h, &c, e);
    for (size_t at = 0; rc == CF_OK && at < len; at += size) {
        cf_be32(count, (uint32_t)(at / size));
        rc = crypto_hash_update(c, seed.p, seed.len, e);
        if (rc == CF_OK)
            rc = crypto_hash_update(c, count, sizeof count, e);
        if (rc == CF_OK)
            rc = crypto_hash_final(c, block, e);
        for (size_t i = 0; rc == CF_OK && i < size && at + i < len; i++)
            target[at + i] ^= block[i];
    }
    cf_wipe(block, sizeof block);
    crypto_hash_free(c);
    return rc;
}

/* Length of zeros-then-01 behind the label hash in `db`; *good turns 0 unless all of it is right.
 */
static size_t find_message(const uint8_t *db, size_t len, const uint8_t *label, size_t h_len,
                           uint8_t *good)
{
    uint8_t found = 0;
    size_t start = 0;
    for (size_t i = 0; i < h_len; i++)
        *good &= ct_eq(db[i], label[i]);
    for (size_t i = h_len; i < len; i++) {
        uint8_t one = ct_eq(db[i], 1), zero = ct_eq(db[i], 0);
        uint8_t here = (uint8_t)(one & ~found);
        start |= (i + 1) & (size_t)(0 - (size_t)(here & 1));
        *good &= (uint8_t)(found | one | zero);
        found |= one;
    }
    *good &= found;
    return start;
}

enum cf_rc crypto_oaep_unpad(enum hal_hash h, struct crypto_bytes em, struct cf_buf *out,
                             struct cf_err *e)
{
    uint8_t work[EM_MAX], label[CRYPTO_DIGEST_MAX];
    size_t h_len = crypto_digest_size(h), start = 0;
    uint8_t good = 0xff;
    if (h_len == 0 || em.len > sizeof work || em.len < 2 * h_len + 2)
        return CF_FAIL(e, CF_E_ARG, "no OAEP block");
    memcpy(work, em.p, em.len);
    uint8_t *seed = work + 1, *db = work + 1 + h_len;
    size_t db_len = em.len - 1 - h_len;
    enum cf_rc rc = crypto_digest(h, "", 0, label, e);
    if (rc == CF_OK)
        rc = mask(h, crypto_bytes_of(db, db_len), seed, h_len, e);
    if (rc == CF_OK)
        rc = mask(h, crypto_bytes_of(seed, h_len), db, db_len, e);
    if (rc == CF_OK) {
        good &= ct_eq(work[0], 0);
        start = find_message(db, db_len, label, h_len, &good);
        if (!good)
            rc = CF_FAIL(e, CF_E_AUTH, "decryption failed");
    }
    if (rc == CF_OK)
        rc = cf_buf_put(out, db + start, db_len - start, e);
    cf_wipe(work, sizeof work);
    return rc;
}
