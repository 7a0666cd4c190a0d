/* Makes tokens for the checks: an RSA key in a fake token, a P-256 key in memory, and claims as
 * text. */
#ifndef ACCESS_TOKEN_MAKER_H
#define ACCESS_TOKEN_MAKER_H

#include "support/test.h"

#include "base/buf.h"
#include "hal/token.h"

struct maker {
    struct hal_token *token; /* its AUTHORITY key signs RS256 */
    uint8_t p256[32];        /* signs ES256 */
    char rsa_kid[64], p256_kid[64];
};

void maker_begin(struct maker *m, unsigned seed);
void maker_end(struct maker *m);

/* Both public keys as a JWK set. The caller clears it; text with a NUL behind. */
const char *maker_jwks(struct maker *m, struct cf_buf *out);

/* SubjectPublicKeyInfo's JWK alone. */
const char *maker_jwk(struct maker *m, int ec, struct cf_buf *out);

/* Signs `claims` with either key; `kid` NULL: the key's own. */
const char *maker_sign(struct maker *m, int ec, const char *kid, const char *claims,
                       struct cf_buf *out);

/* header.payload.signature of any three texts, each put in base64url. */
const char *maker_raw(const char *header, const char *payload, const char *signature,
                      struct cf_buf *out);

#endif
