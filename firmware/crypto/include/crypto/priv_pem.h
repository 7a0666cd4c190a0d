/*
 * A private key out of PEM text, in the components of a JWK: for clients that import one. openssl
 * only. Errors: CF_E_INPUT not an unencrypted private key that we serve. Threads: any.
 */
#ifndef CRYPTO_PRIV_PEM_H
#define CRYPTO_PRIV_PEM_H

#include "crypto/pkey.h"

/* Owner of the bytes that `view` points to. Zero-initialise; free with crypto_priv_own_clear. */
struct crypto_priv_own {
    struct crypto_priv view;
    struct cf_secret *bytes;
};

/* RSA (PKCS#1 or PKCS#8) or EC of the four curves (SEC 1 or PKCS#8). */
CF_CHECK enum cf_rc crypto_priv_from_pem(struct crypto_bytes pem, struct crypto_priv_own *out,
                                         struct cf_err *e);
void crypto_priv_own_clear(struct crypto_priv_own *p); /* wipes */

#endif
