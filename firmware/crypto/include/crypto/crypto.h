/*
 * Symmetric cryptography, digests and signature verification: one interface, two providers chosen
 * at link time (openssl/: the product; mbedtls/: the second opinion), bit for bit the same.
 * tests/contract/crypto_contract_test.c states what each must do.
 * Errors: CF_E_ARG a broken call, CF_E_LIMIT no memory or the provider lacks the algorithm,
 * CF_E_AUTH a tag, padding or signature does not verify.
 * Threads: contexts belong to one thread; calls without a context may run on any number.
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "hal/token_types.h"

#define CRYPTO_KEY_SIZE    32
#define CRYPTO_NONCE_SIZE  12
#define CRYPTO_TAG_SIZE    16
#define CRYPTO_DIGEST_MAX  64
#define CRYPTO_IV_SIZE     16
#define CRYPTO_GCM_LEN_MAX ((size_t)1 << 30) /* bytes in one message */

/* Borrowed bytes; p may be NULL where len is 0. */
struct crypto_bytes {
    const void *p;
    size_t len;
};

static inline struct crypto_bytes crypto_bytes_of(const void *p, size_t len)
{
    return (struct crypto_bytes){ .p = p, .len = len };
}

/* --- AES-256-GCM (SP 800-38D): 12-byte nonce, 16-byte tag ---------------------------------- */

struct crypto_gcm; /* one a thread; setting a key costs 0.5 us, a nonce almost nothing */

CF_CHECK enum cf_rc crypto_gcm_new(struct crypto_gcm **out, struct cf_err *e);
void crypto_gcm_free(struct crypto_gcm *g); /* wipes the key; NULL is a no-op */
CF_CHECK enum cf_rc crypto_gcm_set_key(struct crypto_gcm *g, const uint8_t key[CRYPTO_KEY_SIZE],
                                       struct cf_err *e);

/* One message. `out` holds `len` bytes and may equal `in`; other overlap is forbidden. */
struct crypto_gcm_op {
    const uint8_t *nonce; /* CRYPTO_NONCE_SIZE */
    struct crypto_bytes aad;
    const void *in;
    size_t len; /* up to CRYPTO_GCM_LEN_MAX */
    void *out;
};

/* CF_E_STATE: no key was set. The caller guarantees that a nonce meets a key once. */
CF_CHECK enum cf_rc crypto_gcm_seal(struct crypto_gcm *g, const struct crypto_gcm_op *op,
                                    uint8_t tag[CRYPTO_TAG_SIZE], struct cf_err *e);

/* CF_E_AUTH: not authentic; `out` is zeroed, so nothing is released. */
CF_CHECK enum cf_rc crypto_gcm_open(struct crypto_gcm *g, const struct crypto_gcm_op *op,
                                    const uint8_t tag[CRYPTO_TAG_SIZE], struct cf_err *e);

/* --- digests (FIPS 180-4) and HMAC (FIPS 198-1) -------------------------------------------- */

/* 20, 32, 48, 64; 0 for HAL_NO_HASH and what is no hash. */
size_t crypto_digest_size(enum hal_hash h);

/* `out` holds crypto_digest_size(h). */
CF_CHECK enum cf_rc crypto_digest(enum hal_hash h, const void *in, size_t len, uint8_t *out,
                                  struct cf_err *e);

struct crypto_hash; /* a digest in pieces */
CF_CHECK enum cf_rc crypto_hash_new(enum hal_hash h, struct crypto_hash **out, struct cf_err *e);
CF_CHECK enum cf_rc crypto_hash_update(struct crypto_hash *c, const void *in, size_t len,
                                       struct cf_err *e);
/* Gives the digest and starts anew. */
CF_CHECK enum cf_rc crypto_hash_final(struct crypto_hash *c, uint8_t *out, struct cf_err *e);
void crypto_hash_free(struct crypto_hash *c);

/* Any of the four hashes; `out` holds crypto_digest_size(h). */
CF_CHECK enum cf_rc crypto_hmac(enum hal_hash h, struct crypto_bytes key, struct crypto_bytes msg,
                                uint8_t *out, struct cf_err *e);

struct crypto_mac; /* HMAC in pieces; keeps its key from message to message (row tags) */
CF_CHECK enum cf_rc crypto_mac_new(enum hal_hash h, struct crypto_bytes key,
                                   struct crypto_mac **out, struct cf_err *e);
CF_CHECK enum cf_rc crypto_mac_update(struct crypto_mac *c, const void *in, size_t len,
                                      struct cf_err *e);
/* Gives the MAC and starts anew under the same key. Compare with cf_equal. */
CF_CHECK enum cf_rc crypto_mac_final(struct crypto_mac *c, uint8_t *out, struct cf_err *e);
void crypto_mac_free(struct crypto_mac *c); /* wipes the key; NULL is a no-op */

/* --- key derivation (SP 800-108, counter mode, one block) ----------------------------------- */

/* HMAC-SHA256(key, 00000001 | label | 00 | ctx | 00000100): the one KDF of the formats. */
CF_CHECK enum cf_rc crypto_kdf(const uint8_t key[CRYPTO_KEY_SIZE], const char *label,
                               const void *ctx, size_t ctx_len, uint8_t out[CRYPTO_KEY_SIZE],
                               struct cf_err *e);

/* Appends the message under that HMAC, for keys that live in a token (hal_token_mac). */
CF_CHECK enum cf_rc crypto_kdf_message(const char *label, const void *ctx, size_t ctx_len,
                                       struct cf_buf *msg, struct cf_err *e);

/* The security domain's KDF: HMAC-SHA512(key, be32(1) | label | 00 | ctx | be32(8 * out_len)),
 * cut to out_len <= 64 (API document 6.4). */
CF_CHECK enum cf_rc crypto_kdf512(struct crypto_bytes key, const char *label,
                                  struct crypto_bytes ctx, uint8_t *out, size_t out_len,
                                  struct cf_err *e);

/* --- AES-CBC, A256CBC-HS512, AES key wrap: openssl provider only --------------------------- */

/* PKCS#7 padding; key of 16, 24 or 32 bytes. Appends to `out`; in up to 16 MiB. Decrypting tells a
 * wrong padding (CF_E_AUTH): never offer it to callers who may not know that. */
CF_CHECK enum cf_rc crypto_cbc_encrypt(struct crypto_bytes key, const uint8_t iv[CRYPTO_IV_SIZE],
                                       struct crypto_bytes in, struct cf_buf *out,
                                       struct cf_err *e);
CF_CHECK enum cf_rc crypto_cbc_decrypt(struct crypto_bytes key, const uint8_t iv[CRYPTO_IV_SIZE],
                                       struct crypto_bytes in, struct cf_buf *out,
                                       struct cf_err *e);

#define CRYPTO_CBCHS_KEY_SIZE 64 /* MAC key 32, AES key 32 */
#define CRYPTO_CBCHS_TAG_SIZE 32

/* What is fixed around one A256CBC-HS512 message (RFC 7518 5.2.5). */
struct crypto_cbchs {
    const uint8_t *key; /* CRYPTO_CBCHS_KEY_SIZE */
    const uint8_t *iv;  /* CRYPTO_IV_SIZE, random, fresh */
    struct crypto_bytes aad;
};

/* Appends the ciphertext. */
CF_CHECK enum cf_rc crypto_cbchs_seal(const struct crypto_cbchs *c, struct crypto_bytes in,
                                      struct cf_buf *out, uint8_t tag[CRYPTO_CBCHS_TAG_SIZE],
                                      struct cf_err *e);
/* Appends the plaintext after the tag was verified; CF_E_AUTH leaves `out` as it was. */
CF_CHECK enum cf_rc crypto_cbchs_open(const struct crypto_cbchs *c, struct crypto_bytes in,
                                      const uint8_t tag[CRYPTO_CBCHS_TAG_SIZE], struct cf_buf *out,
                                      struct cf_err *e);

enum crypto_wrap { CRYPTO_KW /* RFC 3394 */, CRYPTO_KWP /* RFC 5649 */ };

/* kek of 16, 24 or 32 bytes; appends to `out`. CF_E_ARG: a length that the RFC does not allow. */
CF_CHECK enum cf_rc crypto_wrap(enum crypto_wrap how, struct crypto_bytes kek,
                                struct crypto_bytes in, struct cf_buf *out, struct cf_err *e);
/* CF_E_AUTH: the integrity check failed. The caller frees `out`. */
CF_CHECK enum cf_rc crypto_unwrap(enum crypto_wrap how, struct crypto_bytes kek,
                                  struct crypto_bytes in, struct cf_secret **out, struct cf_err *e);

/* Undoes OAEP (RFC 8017 7.1.2 step 3, empty label, MGF1 of the same hash) on `em`, the raw result
 * of the private-key operation, k bytes wide: for tokens that lack the mechanism. Constant-time up
 * to the verdict. Appends the message; CF_E_AUTH whatever is wrong. */
CF_CHECK enum cf_rc crypto_oaep_unpad(enum hal_hash h, struct crypto_bytes em, struct cf_buf *out,
                                      struct cf_err *e);

/* --- signature verification (both providers) ----------------------------------------------- */

/* JWA names (RFC 7518 3.1); RSNULL is type-1 padding without DigestInfo (API document 4.3). */
enum crypto_sig {
    CRYPTO_RS256,
    CRYPTO_RS384,
    CRYPTO_RS512,
    CRYPTO_PS256,
    CRYPTO_PS384,
    CRYPTO_PS512,
    CRYPTO_RSNULL,
    CRYPTO_ES256,
    CRYPTO_ES256K,
    CRYPTO_ES384,
    CRYPTO_ES512,
};

/* The digest that goes with it; HAL_NO_HASH for RSNULL. */
enum hal_hash crypto_sig_hash(enum crypto_sig alg);

/* `spki` is DER SubjectPublicKeyInfo. `digest` has the length that `alg` demands (RSNULL: the bytes
 * as signed). EC signatures are r | s of fixed width. CF_E_AUTH: does not verify; CF_E_INPUT: the
 * key does not parse or is of another kind than `alg`. */
CF_CHECK enum cf_rc crypto_verify(enum crypto_sig alg, struct crypto_bytes spki,
                                  struct crypto_bytes digest, struct crypto_bytes sig,
                                  struct cf_err *e);

#endif
