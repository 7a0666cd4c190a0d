/* Keys and blobs as the tests of the token use them: a domain with its three secrets, user keys
 * bound under their MAC, and the host's own arithmetic to compare with. */
#ifndef SUPPORT_TOKEN_KEYS_H
#define SUPPORT_TOKEN_KEYS_H

#include "crypto/pkey.h"
#include "hal/token.h"

#define TEST_BOUND_MAX 16384

/* A user key as a store would keep it. Clear with test_key_clear. */
struct test_key {
    struct hal_wrapped w;
    struct cf_buf bound;
    struct hal_user_key key; /* borrows from the two above */
};

extern const uint8_t test_bk[HAL_SECRET_SIZE];
extern const uint8_t test_kek[HAL_SECRET_SIZE];
extern const uint8_t test_mk[HAL_SECRET_SIZE];

struct hal_key_name test_name(enum hal_role role);

/* Imports the three; aborts when that fails. */
void test_domain(struct hal_token *t);

CF_CHECK enum cf_rc test_key_make(struct hal_token *t, const struct hal_key_spec *spec,
                                  struct test_key *k, struct cf_err *e);
CF_CHECK enum cf_rc test_key_import(struct hal_token *t, const struct hal_key_spec *spec,
                                    struct crypto_bytes material, struct test_key *k,
                                    struct cf_err *e);
/* Builds `bound` and its MAC anew from k->w; for tests that change k->w first. */
CF_CHECK enum cf_rc test_key_bind(struct hal_token *t, const struct hal_key_spec *spec,
                                  struct test_key *k, struct cf_err *e);
void test_key_clear(struct test_key *k);

/* Private keys as DER PKCS#8 made by OpenSSL; aborts on failure. The caller clears `der`. */
void test_pkcs8(const struct hal_key_spec *spec, struct cf_buf *der);

/* ECB of one block, for key check values. */
void test_aes_block(struct crypto_bytes key, const uint8_t in[16], uint8_t out[16]);

/* CBC without padding. */
void test_aes_cbc(struct crypto_bytes key, const uint8_t iv[16], struct crypto_bytes in,
                  uint8_t *out);

/* Any AES-GCM key size: opens; false when the tag is wrong. */
bool test_gcm_open(struct crypto_bytes key, const struct hal_result *r, struct crypto_bytes aad,
                   uint8_t *out);

/* EME-OAEP of RFC 8017 7.1.1 by hand, for 256-byte keys, empty label: `db` is the block before
 * masking, 255 bytes less the hash long; what is wrong with it is the test's choice. */
void test_oaep_mask(enum hal_hash h, uint8_t first, const uint8_t *db, uint8_t em[256]);
/* RSA without padding. */
void test_rsa_raw(struct crypto_bytes spki, const uint8_t em[256], uint8_t out[256]);

#endif
