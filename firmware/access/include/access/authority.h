/*
 * The built-in authority: an OAuth 2.0 client-credentials issuer (RFC 6749 4.4, RFC 7523) inside
 * the appliance, so that Azure credentials work with no cloud. Tokens are signed by the token's
 * AUTHORITY key (RS256); principals live in the appliance's own store.
 * Errors of a grant carry RFC 6749's names in cf_err.code ("invalid_client", "invalid_scope", ...).
 * Threads: any.
 */
#ifndef ACCESS_AUTHORITY_H
#define ACCESS_AUTHORITY_H

#include <stddef.h>
#include <stdint.h>

#include "access/access.h"
#include "base/buf.h"
#include "base/secret.h"
#include "hal/clock.h"
#include "hal/entropy.h"
#include "hal/token.h"

struct access_authority;
struct store;

#define ACCESS_NAME_MAX       64 /* of a principal: [A-Za-z0-9._-] */
#define ACCESS_LIFETIME_S     3600
#define ACCESS_LIFETIME_MAX_S 86400

/* All borrowed for the life of the authority, texts copied. */
struct access_authority_config {
    struct store *store; /* appliance.db */
    struct hal_token *token;
    struct hal_clock *clock;
    struct hal_entropy *entropy;
    const char *base_url; /* "https://hsm1.coffer.test:8443", no slash behind */
    const char *tenant;   /* GUID */
    const char *const *audiences;
    size_t audience_count;
};

/* Makes the AUTHORITY key in the token if it is not there, and reads its public half.
 * CF_E_INPUT: a configured value is not usable. */
CF_CHECK enum cf_rc access_authority_open(const struct access_authority_config *cfg,
                                          struct access_authority **out, struct cf_err *e);
void access_authority_close(struct access_authority *a); /* NULL is a no-op */

/* --- principals ---------------------------------------------------------------------------- */

struct access_client {
    char name[ACCESS_NAME_MAX + 1];
    char client_id[ACCESS_GUID_SIZE];
    char oid[ACCESS_GUID_SIZE];
    int64_t created_s;
};

/* The ids of a principal, a pure function of its name and so the same on every appliance: UUID
 * version 8 (RFC 9562 5.8) from SHA-256("coffer.v1.client:" name) and of "coffer.v1.object:" name.
 * Both are "" for what is not a name. */
void access_client_ids(const char *name, char client_id[ACCESS_GUID_SIZE],
                       char oid[ACCESS_GUID_SIZE]);

/* Makes a principal with the ids above and a fresh secret: `secret` holds 64 hex digits, no NUL
 * (256 random bits), shown this once; only a verifier is stored. The name exists already: it keeps
 * key and groups and gets a new secret. CF_E_INPUT: not a name. The caller frees `secret`. */
CF_CHECK enum cf_rc access_client_make(struct access_authority *a, const char *name,
                                       struct access_client *out, struct cf_secret **secret,
                                       struct cf_err *e);

/* Registers (or, NULL, removes) the public key that verifies a principal's client_assertion, as PEM
 * (a certificate) or as JWK text. CF_E_ABSENT: no such name; CF_E_INPUT: neither RSA of 2048 bits
 * up nor P-256. */
CF_CHECK enum cf_rc access_client_key(struct access_authority *a, const char *name,
                                      const char *public_key, struct cf_err *e);

/* The `groups` claim of its tokens from now on, as GUIDs. CF_E_ABSENT; CF_E_INPUT: not a GUID, or
 * more than ACCESS_GROUPS_MAX. */
CF_CHECK enum cf_rc access_client_groups(struct access_authority *a, const char *name,
                                         const char *const *groups, size_t count, struct cf_err *e);

/* CF_E_ABSENT: no such name. Tokens already given live until they expire. */
CF_CHECK enum cf_rc access_client_delete(struct access_authority *a, const char *name,
                                         struct cf_err *e);

/* By name. `each` as for access_definitions. */
CF_CHECK enum cf_rc access_clients(struct access_authority *a,
                                   enum cf_rc (*each)(void *ctx, const struct access_client *c,
                                                      struct cf_err *e),
                                   void *ctx, struct cf_err *e);

/* --- tokens -------------------------------------------------------------------------------- */

/* The form fields of a token request as sent, decoded; NULL where absent. */
struct access_grant_request {
    const char *grant_type;
    const char *client_id;
    const char *client_secret;
    const char *client_assertion_type;
    const char *client_assertion;
    const char *scope;    /* "<resource>/.default" */
    const char *resource; /* version 1 of the protocol */
};

struct access_grant_answer {
    struct cf_buf token; /* compact JWT; cf_buf_clear it */
    uint32_t expires_in_s;
    char client[ACCESS_NAME_MAX + 1]; /* whom, for the audit record */
    char oid[ACCESS_GUID_SIZE];
    char audience[256];
};

/* Client-credentials grant. `out` starts zeroed. CF_E_DENIED "invalid_client": HTTP 401;
 * CF_E_INPUT "invalid_request", "unsupported_grant_type", "invalid_scope": HTTP 400. */
CF_CHECK enum cf_rc access_authority_grant(struct access_authority *a,
                                           const struct access_grant_request *in,
                                           struct access_grant_answer *out, struct cf_err *e);

/* A token for a principal by name, asked for by the root of the appliance (local socket, bench).
 * `audience` NULL: the first configured one; any text is allowed here, so that a test can ask for
 * a stranger's. `lifetime_s` 1..ACCESS_LIFETIME_MAX_S, or negative down to minus that for a token
 * that is expired already. */
CF_CHECK enum cf_rc access_authority_issue(struct access_authority *a, const char *name,
                                           const char *audience, int64_t lifetime_s,
                                           struct access_grant_answer *out, struct cf_err *e);

/* --- what is published --------------------------------------------------------------------- */

/* The `iss` of its tokens: "{base_url}/{tenant}/v2.0". Borrowed. */
const char *access_authority_issuer(const struct access_authority *a);

/* The JWK set, kid = RFC 7638 thumbprint. Borrowed JSON text. */
const char *access_authority_jwks(const struct access_authority *a);

/* The OpenID discovery document for `path` ("{tenant}/v2.0", "{tenant}" or "adfs"), appended.
 * CF_E_ABSENT: not a path of this authority. */
CF_CHECK enum cf_rc access_authority_discovery(const struct access_authority *a, const char *path,
                                               struct cf_buf *json, struct cf_err *e);

#endif
