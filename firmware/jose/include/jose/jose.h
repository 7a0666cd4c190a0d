/*
 * JOSE over crypto: JWS compact (RFC 7515), JWK (RFC 7517), and the two JWE forms of the security
 * domain (RFC 7516; API document 6.4). Strict: base64url without padding, no `crit`, no `none`,
 * the algorithm must be one of a short list and fit the key.
 * Errors: CF_E_INPUT malformed or an algorithm not served; CF_E_AUTH a signature or tag does not
 * verify. Nothing is released before it is verified, but what the names say is unverified.
 * Threads: any.
 */
#ifndef JOSE_JOSE_H
#define JOSE_JOSE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/crypto.h"
#include "crypto/pkey.h"
#include "json/json.h"

#define JOSE_TOKEN_MAX 65536
#define JOSE_JWE_MAX   ((size_t)1 << 20)
#define JOSE_ID_MAX    255 /* kid, x5t, iss in bytes */

/* --- JWS ------------------------------------------------------------------------------------ */

/* Absent members are "". */
struct jose_head {
    enum crypto_sig alg;
    char kid[JOSE_ID_MAX + 1];
    char x5t[JOSE_ID_MAX + 1];      /* SHA-1 thumbprint, or "" */
    char x5t_s256[JOSE_ID_MAX + 1]; /* x5t#S256 */
};

/* "RS256", "PS256", "ES256": what tokens may be signed with. NULL: not among them. */
const char *jose_alg_name(enum crypto_sig alg);

/* The header, UNVERIFIED: for choosing the key. */
CF_CHECK enum cf_rc jose_jws_head(const char *token, size_t len, struct jose_head *out,
                                  struct cf_err *e);

/* The claim `iss` of the payload, UNVERIFIED, for choosing the key set; "" where it is absent. */
CF_CHECK enum cf_rc jose_jws_issuer(const char *token, size_t len, char out[JOSE_ID_MAX + 1],
                                    struct cf_err *e);

/* Verifies with `key` under the algorithm that the header names, which must fit the key; then
 * appends the payload. CF_E_AUTH leaves `payload` as it was. */
CF_CHECK enum cf_rc jose_jws_open(const char *token, size_t len, const struct crypto_pkey *key,
                                  struct cf_buf *payload, struct cf_err *e);

/* Signs a SHA-256 digest: PKCS#1 or PSS bytes for RSA, r | s for P-256. Appends to `sig`. */
typedef enum cf_rc jose_sign_fn(void *ctx, const uint8_t digest[32], struct cf_buf *sig,
                                struct cf_err *e);

struct jose_signer {
    enum crypto_sig alg; /* RS256, PS256 or ES256 */
    const char *kid;     /* NULL: none */
    const char *typ;     /* usually "JWT"; NULL: none */
    jose_sign_fn *sign;
    void *ctx;
};

/* Appends the compact form. */
CF_CHECK enum cf_rc jose_jws_make(const struct jose_signer *s, struct crypto_bytes payload,
                                  struct cf_buf *token, struct cf_err *e);

/* --- JWK ------------------------------------------------------------------------------------ */

/* Public RSA and EC keys; kty with or without "-HSM"; private members are ignored. */
CF_CHECK enum cf_rc jose_jwk_public(const struct json *jwk, struct crypto_pub *out,
                                    struct cf_err *e);

/* What an import brings, shaped for hal_token_user_import. */
struct jose_import {
    struct hal_key_spec spec;
    struct cf_buf spki;         /* empty for oct */
    struct cf_secret *material; /* DER PKCS#8, or the raw bytes of `k` */
};
void jose_import_clear(struct jose_import *i); /* zeroed input is fine */

/* RSA: n e d p q dp dq qi, all of them; EC: crv d x y; oct: k, 1 to 64 bytes. `out` starts zeroed;
 * the caller clears it. */
CF_CHECK enum cf_rc jose_jwk_private(const struct json *jwk, struct jose_import *out,
                                     struct cf_err *e);

/* Writes n and e, or crv, x and y, into the open object. kty is the caller's to write. */
void jose_jwk_put(struct json_wr *w, const struct crypto_pub *pub);

/* RFC 7638, SHA-256: a name for a key that nobody named. */
CF_CHECK enum cf_rc jose_jwk_thumbprint(const struct crypto_pub *pub, uint8_t out[32],
                                        struct cf_err *e);

/* --- JWE of the security domain: A256CBC-HS512 ---------------------------------------------- */

/* {"alg":"dir","enc":"A256CBC-HS512","kid":kid}. Appends the compact form. */
struct jose_dir {
    const uint8_t *cek; /* CRYPTO_CBCHS_KEY_SIZE */
    const char *kid;    /* printable ASCII */
};
CF_CHECK enum cf_rc jose_jwe_seal_dir(const struct jose_dir *d, struct crypto_bytes plain,
                                      const uint8_t iv[CRYPTO_IV_SIZE], struct cf_buf *out,
                                      struct cf_err *e);

/* CF_E_AUTH: the tag, or the header's kid, is another. The caller frees `plain`; a plaintext of no
 * bytes is refused. */
CF_CHECK enum cf_rc jose_jwe_open_dir(const struct jose_dir *d, const char *text, size_t len,
                                      struct cf_secret **plain, struct cf_err *e);

#define JOSE_RSA_RANDOM_SIZE (CRYPTO_CBCHS_KEY_SIZE + CRYPTO_IV_SIZE)

/* {"alg":"RSA-OAEP-256","enc":"A256CBC-HS512","kid":"not used"}, the content key encrypted to
 * `key`. HAL_SHA1 instead of HAL_SHA256 makes it RSA-OAEP. `random` is content key and IV, fresh;
 * the caller wipes it. */
CF_CHECK enum cf_rc jose_jwe_seal_rsa(const struct crypto_pkey *key, enum hal_hash h,
                                      const uint8_t random[JOSE_RSA_RANDOM_SIZE],
                                      struct crypto_bytes plain, struct cf_buf *out,
                                      struct cf_err *e);

/* Opens the encrypted key with the private key, wherever that is: HAL_RSA_OAEP with the hash, or
 * HAL_RSA_PKCS1. Appends to `cek`. */
typedef enum cf_rc jose_decrypt_fn(void *ctx, enum hal_mech mech, enum hal_hash h,
                                   struct crypto_bytes in, struct cf_buf *cek, struct cf_err *e);

/* Takes RSA-OAEP-256 and RSA-OAEP. Whatever fails behind the private key is one CF_E_AUTH; errors
 * of the token itself (CF_E_TOKEN, CF_E_DENIED) pass. */
CF_CHECK enum cf_rc jose_jwe_open_rsa(const char *text, size_t len, jose_decrypt_fn *decrypt,
                                      void *ctx, struct cf_secret **plain, struct cf_err *e);

#endif
