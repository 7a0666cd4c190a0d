/*
 * A private key in a file: an officer's, opened on the officer's own machine for a ceremony or a
 * test. The appliance has none of these; its keys are in the token. openssl provider only.
 * Threads: a key may be used by any number at once.
 */
#ifndef CRYPTO_PRIVKEY_H
#define CRYPTO_PRIVKEY_H

#include "crypto/pkey.h"

/* From now on OpenSSL zeroes what it frees, but for TLS records: making a PKCS#8 leaves the private
 * key's DER behind otherwise (3.0, EVP_PKEY2PKCS8). For main, before any other call. False: too
 * late, something was allocated already. */
bool crypto_wipe_freed(void);

struct crypto_privkey;

/* PEM, PKCS#8 or traditional; `password` NULL for a key in the clear. CF_E_INPUT: no such key, a
 * wrong password, or a key that is not served. */
CF_CHECK enum cf_rc crypto_privkey_from_pem(struct crypto_bytes pem, const char *password,
                                            struct crypto_privkey **out, struct cf_err *e);
void crypto_privkey_free(struct crypto_privkey *k); /* wipes; NULL is a no-op */

/* Appends the SPKI of its public half. */
CF_CHECK enum cf_rc crypto_privkey_spki(const struct crypto_privkey *k, struct cf_buf *spki,
                                        struct cf_err *e);

/* HAL_RSA_OAEP with SHA1 or SHA256, or HAL_RSA_PKCS1. Appends. CF_E_AUTH: does not open. */
CF_CHECK enum cf_rc crypto_privkey_decrypt(const struct crypto_privkey *k, enum hal_mech padding,
                                           enum hal_hash h, struct crypto_bytes in,
                                           struct cf_buf *out, struct cf_err *e);

/* RS256, PS256 or ES256 over a SHA-256 digest; r | s for EC. Appends. */
CF_CHECK enum cf_rc crypto_privkey_sign(const struct crypto_privkey *k, enum crypto_sig alg,
                                        const uint8_t digest[32], struct cf_buf *sig,
                                        struct cf_err *e);

#endif
