/*
 * What the files of the openssl provider share. Private to the folder.
 */
#ifndef CRYPTO_OSSL_PRIV_H
#define CRYPTO_OSSL_PRIV_H

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "crypto/crypto.h"
#include "crypto/pkey.h"

struct crypto_pkey {
    EVP_PKEY *pkey;
    enum hal_key_type type;
    enum hal_curve curve;
    uint32_t bits;
};

/* Records `rc` with OpenSSL's reason behind `what`, and empties OpenSSL's error queue. */
enum cf_rc ossl_fail(struct cf_err *e, enum cf_rc rc, const char *where, const char *what);
#define OSSL_FAIL(e, rc, what) ossl_fail((e), (rc), CF_HERE, (what))

const EVP_MD *ossl_md(enum hal_hash h); /* NULL: none */

int ossl_curve_nid(enum hal_curve c);           /* NID_undef: none */
const char *ossl_curve_group(enum hal_curve c); /* OpenSSL's name of the group, or NULL */

/* Components of a parsed key. CF_E_INPUT: not one we serve. */
CF_CHECK enum cf_rc ossl_pub_of_pkey(EVP_PKEY *pkey, struct crypto_pub *out, struct cf_err *e);
/* Type, curve and size of a parsed key, checked. */
CF_CHECK enum cf_rc ossl_pkey_kind(EVP_PKEY *pkey, struct crypto_pkey *out, struct cf_err *e);
/* A private key in PEM, PKCS#8 or traditional, 1..64 KiB; `password` NULL: in the clear. Never asks
 * on a terminal. The caller frees with EVP_PKEY_free. CF_E_INPUT: none, or a wrong password. */
CF_CHECK enum cf_rc ossl_pkey_of_pem(struct crypto_bytes pem, const char *password, EVP_PKEY **out,
                                     struct cf_err *e);
/* Parses DER SubjectPublicKeyInfo that fills the bytes. */
CF_CHECK enum cf_rc ossl_pkey_of_spki(struct crypto_bytes spki, EVP_PKEY **out, struct cf_err *e);
/* Appends DER. */
CF_CHECK enum cf_rc ossl_spki_of_pkey(EVP_PKEY *pkey, struct cf_buf *spki, struct cf_err *e);

/* r | s of fixed width from OpenSSL's DER signature, and back (`der` is freed by OPENSSL_free). */
CF_CHECK enum cf_rc ossl_sig_to_raw(const uint8_t *der, size_t len, uint8_t *raw, size_t width,
                                    struct cf_err *e);
CF_CHECK enum cf_rc ossl_sig_to_der(struct crypto_bytes raw, uint8_t **der, int *len,
                                    struct cf_err *e);

#endif
