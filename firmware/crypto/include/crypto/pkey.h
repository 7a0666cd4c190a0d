/*
 * Public keys, and the shaping of private ones for import. openssl provider only.
 * Errors: CF_E_INPUT the key is malformed, inconsistent or of a size not served.
 * Threads: a struct crypto_pkey may be used by any number at once; the rest is free of state.
 */
#ifndef CRYPTO_PKEY_H
#define CRYPTO_PKEY_H

#include <stdbool.h>

#include "crypto/crypto.h"

#define CRYPTO_RSA_BITS_MIN 2048
#define CRYPTO_RSA_BITS_MAX 8192
#define CRYPTO_EC_MAX       66 /* P-521 */

/* Width of a coordinate and of r or s: 32, 32, 48, 66; 0 for no curve. */
size_t crypto_curve_bytes(enum hal_curve c);

/* JWK names "P-256", "P-256K", "P-384", "P-521"; NULL for no curve. */
const char *crypto_curve_name(enum hal_curve c);
/* Takes "SECP256K1" for P-256K too, as clients spell it. False: not served. */
bool crypto_curve_from_name(const char *name, enum hal_curve *out);

/* The public half in components, big-endian. Nothing to free. */
struct crypto_pub {
    enum hal_key_type type;             /* HAL_RSA or HAL_EC */
    uint32_t bits;                      /* RSA modulus; EC: bits of the curve */
    uint8_t n[CRYPTO_RSA_BITS_MAX / 8]; /* shortest form */
    size_t n_len;
    uint8_t e[8]; /* shortest form */
    size_t e_len;
    enum hal_curve curve;
    uint8_t x[CRYPTO_EC_MAX]; /* crypto_curve_bytes wide */
    uint8_t y[CRYPTO_EC_MAX];
};

/* RSA of 2048..8192 bits with an odd exponent >= 3; EC points on one of the four curves. */
CF_CHECK enum cf_rc crypto_pub_from_spki(struct crypto_bytes spki, struct crypto_pub *out,
                                         struct cf_err *e);
/* From a JWK's members; leading zeros of n and e are taken off, x and y must be full width. */
CF_CHECK enum cf_rc crypto_pub_from_rsa(struct crypto_bytes n, struct crypto_bytes exponent,
                                        struct crypto_pub *out, struct cf_err *e);
CF_CHECK enum cf_rc crypto_pub_from_ec(enum hal_curve curve, struct crypto_bytes x,
                                       struct crypto_bytes y, struct crypto_pub *out,
                                       struct cf_err *e);
/* Appends DER; checks as from_spki does. */
CF_CHECK enum cf_rc crypto_pub_to_spki(const struct crypto_pub *p, struct cf_buf *spki,
                                       struct cf_err *e);

/* A public key ready for use: keep it where one key is used often. */
struct crypto_pkey;
CF_CHECK enum cf_rc crypto_pkey_new(struct crypto_bytes spki, struct crypto_pkey **out,
                                    struct cf_err *e);
void crypto_pkey_free(struct crypto_pkey *k);

/* As crypto_verify. */
CF_CHECK enum cf_rc crypto_pkey_verify(const struct crypto_pkey *k, enum crypto_sig alg,
                                       struct crypto_bytes digest, struct crypto_bytes sig,
                                       struct cf_err *e);

/* HAL_RSA_OAEP (hash SHA1 or SHA256 for label and MGF1, label empty) or HAL_RSA_PKCS1 (hash
 * ignored). Appends. CF_E_INPUT: too long for the key (k-42, k-66, k-11), or no RSA key. */
CF_CHECK enum cf_rc crypto_pkey_encrypt(const struct crypto_pkey *k, enum hal_mech padding,
                                        enum hal_hash h, struct crypto_bytes in, struct cf_buf *out,
                                        struct cf_err *e);

/* A private key in a JWK's members, borrowed. RSA: all eight. EC: curve, d, x, y. */
struct crypto_priv {
    enum hal_key_type type;
    enum hal_curve curve;
    struct crypto_bytes n, e, d, p, q, dp, dq, qi;
    struct crypto_bytes x, y;
};

/* Checks that the members belong together (n = pq, d inverts e, CRT parts; d*G = (x, y); primes),
 * then makes DER PKCS#8 as hal_token_user_import takes it, and appends the SPKI.
 * The caller frees `out`. */
CF_CHECK enum cf_rc crypto_pkcs8_make(const struct crypto_priv *in, struct hal_key_spec *spec,
                                      struct cf_buf *spki, struct cf_secret **out,
                                      struct cf_err *e);

/* The same from DER PKCS#8 that came from elsewhere (a BYOK transfer): checked as above, written
 * anew. CF_E_INPUT: bytes behind it, too. */
CF_CHECK enum cf_rc crypto_pkcs8_read(struct crypto_bytes der, struct hal_key_spec *spec,
                                      struct cf_secret **out, struct cf_err *e);

/* What kind of key DER PKCS#8 holds, and its public half, computed where the DER leaves it out;
 * appends to `spki`. The numbers are not judged: a signature by the key proves more. */
CF_CHECK enum cf_rc crypto_pkcs8_public(struct crypto_bytes der, struct hal_key_spec *spec,
                                        struct cf_buf *spki, struct cf_err *e);

/* --- P-256 in particular --------------------------------------------------------------------- */

#define CRYPTO_P256_SIG_SIZE   64
#define CRYPTO_P256_POINT_SIZE 33 /* compressed */

/* s -> min(s, n - s) in r | s: one valid encoding a signature. CF_E_INPUT: r or s out of range. */
CF_CHECK enum cf_rc crypto_p256_low_s(uint8_t sig[CRYPTO_P256_SIG_SIZE], struct cf_err *e);
bool crypto_p256_is_low_s(const uint8_t sig[CRYPTO_P256_SIG_SIZE]);

/* d = 1 + (be seed mod (n - 1)): a private scalar out of 64 uniform bytes, then d*G.
 * FIPS 186-5 A.2.1: the 256 extra bits leave a bias of 2^-256. */
CF_CHECK enum cf_rc crypto_p256_scalar(const uint8_t seed[64], uint8_t d[32], struct cf_err *e);
CF_CHECK enum cf_rc crypto_p256_point(const uint8_t d[32], uint8_t out[CRYPTO_P256_POINT_SIZE],
                                      struct cf_err *e);

/* Signs a SHA-256 digest with d, low s; for share drills and tests, never for a token's key. */
CF_CHECK enum cf_rc crypto_p256_sign(const uint8_t d[32], const uint8_t digest[32],
                                     uint8_t sig[CRYPTO_P256_SIG_SIZE], struct cf_err *e);
/* Appends the SPKI of a compressed point; CF_E_INPUT: not on the curve. */
CF_CHECK enum cf_rc crypto_p256_spki(const uint8_t point[CRYPTO_P256_POINT_SIZE],
                                     struct cf_buf *spki, struct cf_err *e);

#endif
