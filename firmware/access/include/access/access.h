/*
 * Who may do what: role definitions, role assignments, settings, and the decision.
 * Rows live in the live key store (keystore/FORMAT.md 3.3, tables 3 to 5); the decision is taken
 * from an index in memory that each change renews before the call returns.
 * Tokens become principals in access/bearer.h; tokens are made in access/authority.h.
 *
 * Error codes for the wire (cf_err.code) are those of the API document 1.6.
 * Threads: any; the decision takes a read lock, a change excludes the others.
 */
#ifndef ACCESS_ACCESS_H
#define ACCESS_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/roles.h"
#include "base/err.h"
#include "base/verdict.h"
#include "hal/clock.h"

struct access;
struct store_live;

#define ACCESS_GUID_SIZE     37 /* with the NUL */
#define ACCESS_GROUPS_MAX    200
#define ACCESS_APP_MAX       128
#define ACCESS_UPN_MAX       128
#define ACCESS_PRINCIPAL_MAX 128
#define ACCESS_TEXT_MAX      1024 /* a role's name or description, in bytes */

/* Who asks. Zeroed: nobody, granted nothing. Filled by access_bearer_check. */
struct access_principal {
    struct cf_verdict verified;    /* "yes" only behind a valid token */
    char oid[ACCESS_GUID_SIZE];    /* lower case: the principal of assignments */
    char tenant[ACCESS_GUID_SIZE]; /* empty where the issuer gives none */
    char app[ACCESS_APP_MAX + 1];  /* appid or azp, for the audit record only */
    char upn[ACCESS_UPN_MAX + 1];  /* upn or preferred_username, for the audit record only */
    int64_t expires_s;             /* Unix seconds */
    uint32_t group_count;
    uint8_t groups[ACCESS_GROUPS_MAX][16];
};

/* Reads the rows of the live store and builds the index. `live` and `clock` are borrowed and must
 * outlive the object. CF_E_CORRUPT: a row does not fit its format page. */
CF_CHECK enum cf_rc access_open(struct store_live *live, struct hal_clock *clock,
                                struct access **out, struct cf_err *e);
void access_close(struct access *a); /* NULL is a no-op */

/* Rebuilds the index from the live store. Call it after what changed these rows without going
 * through here: a switch of the live store (restore), and the purge of keys, which takes their
 * assignments along; until then a purged key's assignments could reach a new key of that name. */
CF_CHECK enum cf_rc access_refresh(struct access *a, struct cf_err *e);

/* --- the decision -------------------------------------------------------------------------- */

/* "Yes" when an assignment of the principal, or of one of its groups, at a scope that covers
 * access_scope_judged(action, scope) has a role with a permission that holds the action and does
 * not subtract it again. Ask the answer with cf_granted. */
struct cf_verdict access_decide(struct access *a, const struct access_principal *who,
                                enum access_action action, const struct access_scope *scope);

/* CF_OK when access_decide says yes, else CF_E_DENIED "AccessDenied" with the text that clients
 * know: "Not authorized to access Microsoft.KeyVault/managedHsm/... on /keys". */
CF_CHECK enum cf_rc access_require(struct access *a, const struct access_principal *who,
                                   enum access_action action, const struct access_scope *scope,
                                   struct cf_err *e);

/* --- role definitions ---------------------------------------------------------------------- */

struct access_texts {
    char **item;
    size_t count;
};

struct access_permission {
    struct access_texts actions, not_actions; /* kept and shown, without effect */
    struct access_texts data_actions, not_data_actions;
};

/* Owned by whoever holds it; zero-initialise, free with access_definition_clear. */
struct access_definition {
    char id[ACCESS_GUID_SIZE]; /* the wire's `name` */
    bool builtin;
    char *role_name;
    char *description;
    struct access_texts assignable_scopes;
    struct access_permission *permissions;
    size_t permission_count;
    int64_t created_s, updated_s; /* 0 for built-in ones */
};

void access_definition_clear(struct access_definition *d);

/* Appends a copy of `text`. CF_E_LIMIT: more than 256 entries, or ACCESS_TEXT_MAX passed. */
CF_CHECK enum cf_rc access_texts_add(struct access_texts *t, const char *text, struct cf_err *e);

/* Appends an empty permission and gives it for filling. CF_E_LIMIT: more than 16. */
CF_CHECK enum cf_rc access_permission_add(struct access_definition *d,
                                          struct access_permission **out, struct cf_err *e);

/* Calls `each` for the built-in ones in the order of the table, then the custom ones by GUID.
 * `each` borrows; anything but CF_OK stops and is returned. It must not call access. */
CF_CHECK enum cf_rc access_definitions(struct access *a,
                                       enum cf_rc (*each)(void *ctx,
                                                          const struct access_definition *d,
                                                          struct cf_err *e),
                                       void *ctx, struct cf_err *e);

/* `id` is the GUID as the client wrote it. CF_E_INPUT "BadParameter": not a GUID; CF_E_ABSENT
 * "RoleDefinitionNotFound". `out` starts zeroed. */
CF_CHECK enum cf_rc access_definition_get(struct access *a, const char *id,
                                          struct access_definition *out, struct cf_err *e);

/* Makes or replaces a custom role. Of `d` all but id, builtin, created_s and updated_s is read;
 * NULL texts are empty ones, no assignable scope means "/", spellings of data actions become the
 * table's. CF_E_INPUT "BadParameter": not a GUID, a built-in one's GUID, an unknown data action,
 * an assignable scope other than "/". CF_E_STATE "Conflict": would leave nobody who can write
 * assignments at "/". CF_E_LIMIT. `out` (starts zeroed) is the definition as it stands now. */
CF_CHECK enum cf_rc access_definition_put(struct access *a, const char *id,
                                          const struct access_definition *d,
                                          struct access_definition *out, struct cf_err *e);

/* Its assignments stay, without effect. Errors as for get and put; `out` is what was deleted. */
CF_CHECK enum cf_rc access_definition_delete(struct access *a, const char *id,
                                             struct access_definition *out, struct cf_err *e);

/* --- role assignments ---------------------------------------------------------------------- */

struct access_assignment {
    char name[ACCESS_GUID_SIZE];
    struct access_scope scope;
    char role[ACCESS_GUID_SIZE]; /* the wire's roleDefinitionId is ACCESS_ROLE_PREFIX and this */
    char principal[ACCESS_PRINCIPAL_MAX + 1];
    int64_t created_s;
};

#define ACCESS_ROLE_PREFIX "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/"

enum access_filter_kind {
    ACCESS_FILTER_NONE,      /* made at the scope; "/" and "/keys" show both levels (2.5) */
    ACCESS_FILTER_AT_SCOPE,  /* at the scope or above it */
    ACCESS_FILTER_PRINCIPAL, /* of one principal: at, above or below the scope */
};

struct access_filter {
    enum access_filter_kind kind;
    char principal[ACCESS_PRINCIPAL_MAX + 1];
};

/* `$filter` of a list of assignments: NULL or "", "atScope()", "principalId eq {id}" with or
 * without quotes. CF_E_INPUT "BadParameter": anything else. */
CF_CHECK enum cf_rc access_filter_parse(const char *text, struct access_filter *out,
                                        struct cf_err *e);

/* By scope, then name. `each` as for access_definitions. */
CF_CHECK enum cf_rc access_assignments(
    struct access *a, const struct access_scope *scope, const struct access_filter *filter,
    enum cf_rc (*each)(void *ctx, const struct access_assignment *s, struct cf_err *e), void *ctx,
    struct cf_err *e);

/* CF_E_ABSENT "RoleAssignmentNotFound"; CF_E_INPUT "BadParameter": not a GUID. */
CF_CHECK enum cf_rc access_assignment_get(struct access *a, const struct access_scope *scope,
                                          const char *name, struct access_assignment *out,
                                          struct cf_err *e);

/* Reads name, scope, role and principal of `in`; `role` may be the bare GUID only (see
 * access_role_parse). CF_E_INPUT "BadParameter": a GUID is none. CF_E_ABSENT
 * "RoleDefinitionNotFound". CF_E_STATE "RoleAssignmentExists": that name at that scope, or that
 * principal with that role there. CF_E_LIMIT. `out` may be `in`. */
CF_CHECK enum cf_rc access_assignment_create(struct access *a, const struct access_assignment *in,
                                             struct access_assignment *out, struct cf_err *e);

/* `out` is what was deleted. CF_E_STATE "Conflict": the last that can write assignments at "/". */
CF_CHECK enum cf_rc access_assignment_delete(struct access *a, const struct access_scope *scope,
                                             const char *name, struct access_assignment *out,
                                             struct cf_err *e);

/* roleDefinitionId as clients spell it (bare GUID, or with the path, any case, leading slash) to
 * a lower-case GUID. CF_E_INPUT "BadParameter". */
CF_CHECK enum cf_rc access_role_parse(const char *text, char out[ACCESS_GUID_SIZE],
                                      struct cf_err *e);

/* Gives a built-in role at "/" to a principal; CF_OK too when it has it. For first administrators,
 * the bench and the break-glass command. */
CF_CHECK enum cf_rc access_grant(struct access *a, const char *principal, enum access_builtin role,
                                 struct cf_err *e);

#endif
