/*
 * Inside access, the built-in authority. See access/authority.h.
 */
#ifndef ACCESS_AUTHORITY_PRIV_H
#define ACCESS_AUTHORITY_PRIV_H

#include <stdbool.h>

#include "access/authority.h"
#include "bearer_priv.h"
#include "store/store.h"

#define ACCESS_BASE_URL_MAX 255
#define ACCESS_CLIENTS_MAX  1024
#define ACCESS_SALT_SIZE    32
#define ACCESS_SECRET_SIZE  32 /* random bytes; 43 characters as shown */

struct access_authority {
    struct store *store;
    struct hal_token *token;
    struct hal_clock *clock;
    struct hal_entropy *entropy;
    char base_url[ACCESS_BASE_URL_MAX + 1];
    char tenant[ACCESS_GUID_SIZE];
    char issuer[ACCESS_BASE_URL_MAX + 64];
    char audiences[ACCESS_AUDIENCES_MAX][ACCESS_AUDIENCE_MAX + 1]; /* without one trailing slash */
    size_t audience_count;
    char kid[64];
    struct cf_buf jwks; /* JSON text, NUL behind it */
};

/* A principal as stored: STORE_PRINCIPAL, key = name (access/README.md). */
struct access_client_row {
    struct access_client client;
    uint8_t salt[ACCESS_SALT_SIZE];
    uint8_t verifier[32]; /* HMAC-SHA256(salt, secret as shown) */
    struct cf_buf spki;   /* verifies client_assertion; empty: none */
    uint32_t group_count;
    uint8_t groups[ACCESS_GROUPS_MAX][16];
};
void access_client_row_clear(struct access_client_row *r);

CF_CHECK enum cf_rc access_client_row_put(struct store_txn *t, const struct access_client_row *r,
                                          struct cf_err *e);
CF_CHECK enum cf_rc access_client_row_parse(struct crypto_bytes key, struct crypto_bytes value,
                                            struct access_client_row *out, struct cf_err *e);

/* CF_E_ABSENT: no such principal. `out` starts zeroed. */
CF_CHECK enum cf_rc access_client_by_name(struct store_view *v, const char *name,
                                          struct access_client_row *out, struct cf_err *e);
CF_CHECK enum cf_rc access_client_by_id(struct store_view *v, const char *client_id,
                                        struct access_client_row *out, struct cf_err *e);

/* Whom a token is for, and until when. */
struct access_issue {
    const struct access_client_row *client;
    const char *audience;
    int64_t issued_s, expires_s;
};
CF_CHECK enum cf_rc access_token_make(struct access_authority *a, const struct access_issue *what,
                                      struct cf_buf *token, struct cf_err *e);

#endif
