/*
 * X.509: reading certificates, and making the few that a bench or a recovery needs. openssl only.
 * Errors: CF_E_INPUT the certificate or PEM is malformed. Threads: any.
 */
#ifndef CRYPTO_CERT_H
#define CRYPTO_CERT_H

#include "crypto/pkey.h"

#define CRYPTO_CERT_MAX 16384 /* bytes of DER */

struct crypto_cert {
    struct crypto_pub pub;
    uint8_t sha1[20];   /* of the DER: x5t */
    uint8_t sha256[32]; /* of the DER: x5t#S256 */
    int64_t not_before; /* Unix seconds */
    int64_t not_after;
    char common_name[128]; /* of the subject; "" where it has none, or one that is longer or not
                              text */
};

/* One DER certificate, nothing behind it. Its own signature and dates are not judged. */
CF_CHECK enum cf_rc crypto_cert_parse(struct crypto_bytes der, struct crypto_cert *out,
                                      struct cf_err *e);

/* The first "CERTIFICATE" block of PEM text; appends DER. */
CF_CHECK enum cf_rc crypto_cert_from_pem(struct crypto_bytes pem, struct cf_buf *der,
                                         struct cf_err *e);

enum crypto_cert_kind {
    CRYPTO_CERT_CA,      /* self-signed, signs servers; P-256 */
    CRYPTO_CERT_SERVER,  /* signed by `issuer`; P-256 */
    CRYPTO_CERT_OFFICER, /* self-signed, RSA-3072: what a security-domain officer holds */
    CRYPTO_CERT_CLIENT,  /* signed by `issuer`; P-256 */
};

/* Private key as PKCS#8 PEM and certificate as PEM; both end with a newline. */
struct crypto_cert_pair {
    struct cf_buf key_pem;
    struct cf_buf cert_pem;
};
void crypto_cert_pair_clear(struct crypto_cert_pair *p); /* wipes the key */

struct crypto_cert_order {
    enum crypto_cert_kind kind;
    const char *common_name;
    const char *const *names; /* DNS names and IP addresses for subjectAltName */
    size_t names_len;
    int64_t now;   /* Unix seconds; validity starts an hour earlier */
    uint32_t days; /* of validity */
};

/* `issuer` is NULL for the self-signed kinds. `out` starts zeroed. */
CF_CHECK enum cf_rc crypto_cert_make(const struct crypto_cert_order *o,
                                     const struct crypto_cert_pair *issuer,
                                     struct crypto_cert_pair *out, struct cf_err *e);

/* Signs a SHA-256 digest with the key whose SPKI is given: PKCS#1 v1.5 for RSA; r | s for P-256. */
typedef enum cf_rc crypto_cert_sign_fn(void *ctx, const uint8_t digest[32], struct cf_buf *sig,
                                       struct cf_err *e);

struct crypto_cert_self {
    struct crypto_bytes spki; /* RSA or P-256 */
    const char *common_name;  /* up to 64 bytes of UTF-8 */
    int64_t not_before;       /* Unix seconds */
    int64_t not_after;
    uint8_t serial[16]; /* random; the top bit is cleared */
    crypto_cert_sign_fn *sign;
    void *ctx;
};

/* A self-signed certificate for a key that lives elsewhere (the exchange key in the token).
 * Appends DER. */
CF_CHECK enum cf_rc crypto_cert_self_sign(const struct crypto_cert_self *s, struct cf_buf *der,
                                          struct cf_err *e);

#endif
