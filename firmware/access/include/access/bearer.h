/*
 * Inbound tokens: a bearer JWT becomes a principal, or is refused.
 * Checked: form and size, alg (RS256 or ES256 as the issuer's key says, never what the token alone
 * says), kid, signature, iss, aud, exp and nbf with five minutes of skew, tid, oid, groups
 * (API document 1.3 to 1.5; RFC 7519, RFC 8725). A token once verified is remembered by its
 * SHA-256 until it expires, since each request brings one.
 * Threads: any.
 */
#ifndef ACCESS_BEARER_H
#define ACCESS_BEARER_H

#include <stddef.h>
#include <stdint.h>

#include "access/access.h"
#include "hal/clock.h"

struct access_bearer;

#define ACCESS_TOKEN_MAX     16384 /* bytes of a compact JWT */
#define ACCESS_SKEW_S        300
#define ACCESS_ISSUERS_MAX   8
#define ACCESS_AUDIENCES_MAX 16

/* One trusted issuer. Texts are copied. */
struct access_issuer {
    const char *issuer; /* the `iss` claim, exactly */
    const char *tenant; /* GUID that `tid` must be; NULL: any, also none */
    const char *const *audiences;
    size_t audience_count;
    const char *jwks; /* JWK set (RFC 7517) as text; NULL: no keys yet, all its tokens refused */
};

/* `clock` is borrowed. CF_E_INPUT: a configured value is not usable, the text says which. */
CF_CHECK enum cf_rc access_bearer_new(struct hal_clock *clock, const struct access_issuer *issuers,
                                      size_t count, struct access_bearer **out, struct cf_err *e);
void access_bearer_free(struct access_bearer *b); /* NULL is a no-op */

/* Replaces the keys of one issuer and forgets every remembered token. On failure the old ones
 * stay. CF_E_ABSENT: no such issuer; CF_E_INPUT: not a JWK set. */
CF_CHECK enum cf_rc access_bearer_keys(struct access_bearer *b, const char *issuer,
                                       const char *jwks, struct cf_err *e);

/* `token` is what stands behind "Bearer ", `len` bytes. CF_OK: `out` is the principal. Else `out`
 * is zeroed and the class is CF_E_DENIED with code "Unauthorized"; the text is for the log and the
 * audit record, a client gets the plain challenge. */
CF_CHECK enum cf_rc access_bearer_check(struct access_bearer *b, const char *token, size_t len,
                                        struct access_principal *out, struct cf_err *e);

#endif
