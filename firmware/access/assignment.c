#include "access_priv.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

static enum cf_rc not_found(struct cf_err *e)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "Requested role assignment not found"),
                       "RoleAssignmentNotFound");
}

static enum cf_rc parse_name(const char *name, char out[ACCESS_GUID_SIZE], struct cf_err *e)
{
    if (cf_parse_guid(name, out, NULL) != CF_OK)
        return access_bad(e, "Role assignment name must be a GUID");
    return CF_OK;
}

enum cf_rc access_role_parse(const char *text, char out[ACCESS_GUID_SIZE], struct cf_err *e)
{
    const char *p = text + (text[0] == '/' ? 1 : 0);
    size_t n = strlen(ACCESS_ROLE_PREFIX);

    if (strncasecmp(p, ACCESS_ROLE_PREFIX, n) == 0)
        p += n;
    if (cf_parse_guid(p, out, NULL) != CF_OK)
        return access_bad(e, "roleDefinitionId must name a role definition by its GUID");
    return CF_OK;
}

/* --- lists ----------------------------------------------------------------------------------- */

enum cf_rc access_filter_parse(const char *text, struct access_filter *out, struct cf_err *e)
{
    static const char by[] = "principalId eq ";
    struct access_filter f = { .kind = ACCESS_FILTER_NONE };

    if (text == NULL || text[0] == '\0') {
        *out = f;
        return CF_OK;
    }
    if (strcasecmp(text, "atScope()") == 0) {
        f.kind = ACCESS_FILTER_AT_SCOPE;
        *out = f;
        return CF_OK;
    }
    if (strncasecmp(text, by, strlen(by)) != 0)
        return access_bad(e, "$filter takes atScope() or principalId eq {id}");

    const char *id = text + strlen(by);
    size_t len = strlen(id);
    if (len >= 2 &&
        ((id[0] == '\'' && id[len - 1] == '\'') || (id[0] == '{' && id[len - 1] == '}'))) {
        id++;
        len -= 2;
    }
    if (len != ACCESS_GUID_SIZE - 1)
        return access_bad(e, "principalId in $filter must be a GUID");
    f.kind = ACCESS_FILTER_PRINCIPAL;
    memcpy(f.principal, id, len);
    if (cf_parse_guid(f.principal, f.principal, NULL) != CF_OK)
        return access_bad(e, "principalId in $filter must be a GUID");
    *out = f;
    return CF_OK;
}

static bool listed(const struct access_scope *asked, const struct access_filter *f,
                   const struct access_assignment *s)
{
    switch (f->kind) {
    case ACCESS_FILTER_NONE:
        break;
    case ACCESS_FILTER_AT_SCOPE:
        return access_scope_covers(&s->scope, asked);
    case ACCESS_FILTER_PRINCIPAL:
        return strcmp(s->principal, f->principal) == 0 &&
               (access_scope_covers(&s->scope, asked) || access_scope_covers(asked, &s->scope));
    }
    /* API document 2.5: "/" and "/keys" are one top level, a key shows its own only. */
    if (asked->level == ACCESS_AT_KEY)
        return strcmp(asked->text, s->scope.text) == 0;
    return s->scope.level != ACCESS_AT_KEY;
}

enum cf_rc access_assignments(struct access *a, const struct access_scope *scope,
                              const struct access_filter *filter,
                              enum cf_rc (*each)(void *ctx, const struct access_assignment *s,
                                                 struct cf_err *e),
                              void *ctx, struct cf_err *e)
{
    static const struct access_filter none = { .kind = ACCESS_FILTER_NONE };
    const struct access_filter *f = filter == NULL ? &none : filter;
    struct store_view *view = NULL;
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    struct access_assignment s;
    bool more = true;

    enum cf_rc rc = store_live_read(a->live, &view, e);
    if (rc == CF_OK)
        rc = store_scan(view, STORE_ASSIGNMENT, NULL, &c, e);
    while (rc == CF_OK) {
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        rc = access_row_to_assignment(access_bytes(&row.key), access_bytes(&row.value), &s, e);
        if (rc == CF_OK && listed(scope, f, &s))
            rc = each(ctx, &s, e);
    }
    store_row_clear(&row);
    store_cursor_end(c);
    store_view_end(view);
    return rc;
}

/* --- one ------------------------------------------------------------------------------------- */

static enum cf_rc read_one(struct store_view *v, const struct access_scope *scope, const char *name,
                           struct access_assignment *out, struct cf_err *e)
{
    struct store_row row = { 0 };
    struct cf_buf key = { 0 };
    struct cf_err why = { 0 };

    enum cf_rc rc = access_assignment_key(scope, name, &key, &why);
    if (rc == CF_OK)
        rc = store_get(v, STORE_ASSIGNMENT, access_bytes(&key), &row, &why);
    if (rc == CF_E_ABSENT)
        rc = not_found(e);
    else if (rc != CF_OK && e != NULL)
        *e = why;
    else if (rc == CF_OK)
        rc = access_row_to_assignment(access_bytes(&row.key), access_bytes(&row.value), out, e);
    cf_buf_clear(&key);
    store_row_clear(&row);
    return rc;
}

enum cf_rc access_assignment_get(struct access *a, const struct access_scope *scope,
                                 const char *name, struct access_assignment *out, struct cf_err *e)
{
    struct store_view *view = NULL;
    char guid[ACCESS_GUID_SIZE];

    enum cf_rc rc = parse_name(name, guid, e);
    if (rc == CF_OK)
        rc = store_live_read(a->live, &view, e);
    if (rc == CF_OK)
        rc = read_one(view, scope, guid, out, e);
    store_view_end(view);
    return rc;
}

/* --- changes --------------------------------------------------------------------------------- */

static enum cf_rc exists(const struct access_assignment *s, struct cf_err *e)
{
    return cf_err_code(e,
                       CF_FAIL(e, CF_E_STATE, "The role assignment already exists as %s at %s.",
                               s->name, s->scope.text),
                       "RoleAssignmentExists");
}

/* Refuses a second assignment of that name, or of the same role to the same principal, at one
 * scope, and one too many there. */
static enum cf_rc refuse_twin(struct store_view *v, const struct access_assignment *n,
                              struct cf_err *e)
{
    struct cf_buf prefix = { 0 };
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    struct access_assignment s;
    size_t here = 0;
    bool more = true;

    enum cf_rc rc = access_assignment_key(&n->scope, "", &prefix, e);
    struct store_range range = { .prefix = access_bytes(&prefix) };
    if (rc == CF_OK)
        rc = store_scan(v, STORE_ASSIGNMENT, &range, &c, e);
    while (rc == CF_OK) {
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        rc = access_row_to_assignment(access_bytes(&row.key), access_bytes(&row.value), &s, e);
        if (rc != CF_OK || strcmp(s.scope.text, n->scope.text) != 0)
            continue; /* the prefixes of "/" and "/keys" also begin the rows below */
        if (strcmp(s.name, n->name) == 0 ||
            (strcmp(s.principal, n->principal) == 0 && strcmp(s.role, n->role) == 0))
            rc = exists(&s, e);
        else if (++here >= ACCESS_PER_SCOPE_MAX)
            rc = cf_err_code(e,
                             CF_FAIL(e, CF_E_LIMIT, "There are %d role assignments at %s already.",
                                     ACCESS_PER_SCOPE_MAX, n->scope.text),
                             "BadParameter");
    }
    store_row_clear(&row);
    store_cursor_end(c);
    cf_buf_clear(&prefix);
    return rc;
}

static enum cf_rc check_role(struct store_view *v, const char *role, struct cf_err *e)
{
    struct access_definition d = { 0 };

    if (access_builtin_find(role) != NULL)
        return CF_OK;
    enum cf_rc rc = access_definition_read(v, role, &d, e);
    access_definition_clear(&d);
    return rc;
}

static enum cf_rc settle(const struct access_assignment *in, struct access_assignment *out,
                         struct cf_err *e)
{
    struct access_assignment s = { .scope = in->scope };

    enum cf_rc rc = parse_name(in->name, s.name, e);
    if (rc == CF_OK)
        rc = access_role_parse(in->role, s.role, e);
    if (rc != CF_OK)
        return rc;
    if (cf_parse_guid(in->principal, s.principal, NULL) != CF_OK)
        return access_bad(e, "principalId must be a GUID");
    *out = s;
    return CF_OK;
}

enum cf_rc access_assignment_create(struct access *a, const struct access_assignment *in,
                                    struct access_assignment *out, struct cf_err *e)
{
    struct access_assignment s;
    struct access_row row = { 0 };
    struct access_change change;

    enum cf_rc rc = settle(in, &s, e);
    if (rc != CF_OK)
        return rc;
    s.created_s = access_now_s(a);

    rc = access_change_begin(a, &change, e);
    if (rc == CF_OK)
        rc = check_role(store_txn_view(change.txn), s.role, e);
    if (rc == CF_OK)
        rc = refuse_twin(store_txn_view(change.txn), &s, e);
    if (rc == CF_OK)
        rc = access_row_of_assignment(&s, &row, e);
    if (rc == CF_OK)
        rc = access_row_put(change.txn, STORE_ASSIGNMENT, &row, e);
    rc = access_change_end(a, &change, rc, e);
    access_row_clear(&row);
    if (rc == CF_OK)
        *out = s;
    return rc;
}

enum cf_rc access_assignment_delete(struct access *a, const struct access_scope *scope,
                                    const char *name, struct access_assignment *out,
                                    struct cf_err *e)
{
    struct access_assignment s;
    struct access_change change;
    struct cf_buf key = { 0 };
    char guid[ACCESS_GUID_SIZE];

    enum cf_rc rc = parse_name(name, guid, e);
    if (rc != CF_OK)
        return rc;
    rc = access_change_begin(a, &change, e);
    change.may_lose_writer = true;
    if (rc == CF_OK)
        rc = read_one(store_txn_view(change.txn), scope, guid, &s, e);
    if (rc == CF_OK)
        rc = access_assignment_key(scope, guid, &key, e);
    if (rc == CF_OK)
        rc = store_del(change.txn, STORE_ASSIGNMENT, access_bytes(&key), e);
    if (rc == CF_OK)
        store_step_anchor(change.txn); /* a removed right must not come back with an old file */
    rc = access_change_end(a, &change, rc, e);
    cf_buf_clear(&key);
    if (rc == CF_OK)
        *out = s;
    return rc;
}

/* A name that the same grant always gets: UUID version 8 (RFC 9562 5.8) over its content. */
static enum cf_rc grant_name(const char *principal, const char *role, char out[ACCESS_GUID_SIZE],
                             struct cf_err *e)
{
    uint8_t digest[32];
    struct cf_buf text = { 0 };

    enum cf_rc rc = cf_buf_printf(&text, e, "coffer.v1.grant:%s:%s", role, principal);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, text.data, text.len, digest, e);
    cf_buf_clear(&text);
    if (rc == CF_OK)
        access_guid_of_digest(digest, out);
    return rc;
}

enum cf_rc access_grant(struct access *a, const char *principal, enum access_builtin role,
                        struct cf_err *e)
{
    struct access_assignment s = { .scope = access_scope_all() };
    struct cf_err why = { 0 };

    if (cf_parse_guid(principal, s.principal, NULL) != CF_OK)
        return access_bad(e, "principalId must be a GUID");
    memcpy(s.role, access_builtin(role)->id, sizeof s.role);
    enum cf_rc rc = grant_name(s.principal, s.role, s.name, e);
    if (rc != CF_OK)
        return rc;
    rc = access_assignment_create(a, &s, &s, &why);
    if (rc == CF_E_STATE && why.code != NULL && strcmp(why.code, "RoleAssignmentExists") == 0)
        return CF_OK;
    if (rc != CF_OK && e != NULL)
        *e = why;
    return rc;
}
