/*
 * Inside access, tokens: key sets, claims, the memory of verified tokens. See access/bearer.h.
 */
#ifndef ACCESS_BEARER_PRIV_H
#define ACCESS_BEARER_PRIV_H

#include <stdbool.h>

#include "access/bearer.h"
#include "crypto/pkey.h"
#include "jose/jose.h"
#include "json/json.h"

#define ACCESS_KEYS_MAX     64 /* of one issuer */
#define ACCESS_JWKS_MAX     262144
#define ACCESS_AUDIENCE_MAX 255

/* --- key sets -------------------------------------------------------------------------------- */

struct access_key {
    char kid[JOSE_ID_MAX + 1]; /* the set's, or the RFC 7638 thumbprint */
    char x5t[JOSE_ID_MAX + 1]; /* "" when the set gives none */
    enum crypto_sig alg;       /* CRYPTO_RS256 or CRYPTO_ES256: by the key, not by the token */
    struct crypto_pkey *key;
};

struct access_keys {
    struct access_key item[ACCESS_KEYS_MAX];
    size_t count;
};

/* RSA and P-256 signature keys of a JWK set; others are passed over. CF_E_INPUT: not a set, or
 * none is left. `out` starts zeroed. */
CF_CHECK enum cf_rc access_keys_parse(const char *jwks, struct access_keys *out, struct cf_err *e);
void access_keys_clear(struct access_keys *k);

/* By kid, or by x5t where the token names no kid; NULL: not among them. */
const struct access_key *access_keys_find(const struct access_keys *k,
                                          const struct jose_head *head);

/* --- claims ---------------------------------------------------------------------------------- */

/* What a token of one issuer must say. */
struct access_expected {
    const char *issuer;
    const char *tenant;                               /* lower-case GUID, or NULL */
    const char (*audiences)[ACCESS_AUDIENCE_MAX + 1]; /* without one trailing slash */
    size_t audience_count;
};

/* Judges a verified payload. CF_OK: `out` is filled, but for its verdict. */
CF_CHECK enum cf_rc access_claims_judge(const struct access_expected *want,
                                        struct crypto_bytes payload, int64_t now_s,
                                        struct access_principal *out, int64_t *not_before_s,
                                        struct cf_err *e);

/* exp and nbf with the allowed skew. Needs only what a remembered token keeps. */
bool access_time_good(int64_t now_s, int64_t not_before_s, int64_t expires_s);

/* Without one trailing slash. CF_E_INPUT: empty or too long. */
CF_CHECK enum cf_rc access_audience_trim(const char *text, char out[ACCESS_AUDIENCE_MAX + 1],
                                         struct cf_err *e);

/* --- remembered tokens ----------------------------------------------------------------------- */

struct access_cache;

CF_CHECK enum cf_rc access_cache_new(struct access_cache **out, struct cf_err *e);
void access_cache_free(struct access_cache *c);

/* True: `out` is the principal of the token with that digest, still within its time. */
bool access_cache_get(struct access_cache *c, const uint8_t digest[32], int64_t now_s,
                      struct access_principal *out);

/* Number of the last access_cache_forget: taken before keys are looked up, given back to put, so
 * that a token verified under keys since replaced is not remembered. */
uint64_t access_cache_epoch(struct access_cache *c);

struct access_cached {
    const uint8_t *digest; /* 32 bytes */
    uint64_t epoch;
    int64_t not_before_s;
    const struct access_principal *principal;
};
void access_cache_put(struct access_cache *c, const struct access_cached *n);
void access_cache_forget(struct access_cache *c);

#endif
