#include <string.h>

#include "crypto/crypto.h"

#define MAC_KEY_SIZE 32

/* RFC 7518 5.2.2.1: HMAC over aad | iv | ciphertext | be64 bits of aad, first half kept. */
static enum cf_rc tag_of(const struct crypto_cbchs *c, struct crypto_bytes text,
                         uint8_t tag[CRYPTO_CBCHS_TAG_SIZE], struct cf_err *e)
{
    uint8_t full[CRYPTO_DIGEST_MAX], bits[8];
    struct crypto_mac *m = NULL;
    cf_be64(bits, 8 * (uint64_t)c->aad.len);
    enum cf_rc rc = crypto_mac_new(HAL_SHA512, crypto_bytes_of(c->key, MAC_KEY_SIZE), &m, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(m, c->aad.p, c->aad.len, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(m, c->iv, CRYPTO_IV_SIZE, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(m, text.p, text.len, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(m, bits, sizeof bits, e);
    if (rc == CF_OK)
        rc = crypto_mac_final(m, full, e);
    if (rc == CF_OK)
        memcpy(tag, full, CRYPTO_CBCHS_TAG_SIZE);
    cf_wipe(full, sizeof full);
    crypto_mac_free(m);
    return rc;
}

static struct crypto_bytes aes_key(const struct crypto_cbchs *c)
{
    return crypto_bytes_of(c->key + MAC_KEY_SIZE, CRYPTO_CBCHS_KEY_SIZE - MAC_KEY_SIZE);
}

enum cf_rc crypto_cbchs_seal(const struct crypto_cbchs *c, struct crypto_bytes in,
                             struct cf_buf *out, uint8_t tag[CRYPTO_CBCHS_TAG_SIZE],
                             struct cf_err *e)
{
    size_t old = out->len;
    enum cf_rc rc = crypto_cbc_encrypt(aes_key(c), c->iv, in, out, e);
    if (rc == CF_OK)
        rc = tag_of(c, crypto_bytes_of(out->data + old, out->len - old), tag, e);
    return rc;
}

enum cf_rc crypto_cbchs_open(const struct crypto_cbchs *c, struct crypto_bytes in,
                             const uint8_t tag[CRYPTO_CBCHS_TAG_SIZE], struct cf_buf *out,
                             struct cf_err *e)
{
    uint8_t want[CRYPTO_CBCHS_TAG_SIZE];
    enum cf_rc rc = tag_of(c, in, want, e);
    if (rc == CF_OK && !cf_equal(want, tag, sizeof want))
        rc = CF_FAIL(e, CF_E_AUTH, "the tag does not verify");
    if (rc == CF_OK)
        rc = crypto_cbc_decrypt(aes_key(c), c->iv, in, out, e);
    cf_wipe(want, sizeof want);
    return rc;
}
