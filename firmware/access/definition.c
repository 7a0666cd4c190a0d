#include "access_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static enum cf_rc not_found(struct cf_err *e)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "Requested role definition not found"),
                       "RoleDefinitionNotFound");
}

static enum cf_rc parse_id(const char *id, char out[ACCESS_GUID_SIZE], struct cf_err *e)
{
    if (cf_parse_guid(id, out, NULL) != CF_OK)
        return access_bad(e, "Role definition name must be a GUID");
    return CF_OK;
}

static enum cf_rc refuse_builtin(const char *id, struct cf_err *e)
{
    if (access_builtin_find(id) == NULL)
        return CF_OK;
    return access_bad(e, "Cannot re-use the name/GUID matching that of a built-in role. "
                         "Please use a unique role ID.");
}

enum cf_rc access_definition_read(struct store_view *v, const char *id,
                                  struct access_definition *out, struct cf_err *e)
{
    struct store_row row = { 0 };
    struct cf_err why = { 0 };

    enum cf_rc rc = store_get(v, STORE_ROLE, crypto_bytes_of(id, strlen(id)), &row, &why);
    if (rc == CF_E_ABSENT)
        rc = not_found(e);
    else if (rc != CF_OK && e != NULL)
        *e = why;
    else if (rc == CF_OK)
        rc = access_row_to_definition(access_bytes(&row.key), access_bytes(&row.value), out, e);
    store_row_clear(&row);
    return rc;
}

enum cf_rc access_definition_get(struct access *a, const char *id, struct access_definition *out,
                                 struct cf_err *e)
{
    char guid[ACCESS_GUID_SIZE];
    struct store_view *view = NULL;

    enum cf_rc rc = parse_id(id, guid, e);
    if (rc != CF_OK)
        return rc;
    const struct access_builtin_role *b = access_builtin_find(guid);
    if (b != NULL) {
        rc = access_definition_builtin(b, out, e);
    } else {
        rc = store_live_read(a->live, &view, e);
        if (rc == CF_OK)
            rc = access_definition_read(view, guid, out, e);
        store_view_end(view);
    }
    if (rc != CF_OK)
        access_definition_clear(out);
    return rc;
}

/* --- lists ----------------------------------------------------------------------------------- */

typedef enum cf_rc each_definition(void *ctx, const struct access_definition *d, struct cf_err *e);

static enum cf_rc give_builtins(each_definition *each, void *ctx, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;

    for (unsigned i = 0; rc == CF_OK && i < ACCESS_BUILTINS; i++) {
        struct access_definition d = { 0 };
        rc = access_definition_builtin(access_builtin((enum access_builtin)i), &d, e);
        if (rc == CF_OK)
            rc = each(ctx, &d, e);
        access_definition_clear(&d);
    }
    return rc;
}

static enum cf_rc give_custom(struct store_view *view, each_definition *each, void *ctx,
                              struct cf_err *e)
{
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    bool more = true;

    enum cf_rc rc = store_scan(view, STORE_ROLE, NULL, &c, e);
    while (rc == CF_OK) {
        struct access_definition d = { 0 };
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        rc = access_row_to_definition(access_bytes(&row.key), access_bytes(&row.value), &d, e);
        if (rc == CF_OK)
            rc = each(ctx, &d, e);
        access_definition_clear(&d);
    }
    store_row_clear(&row);
    store_cursor_end(c);
    return rc;
}

enum cf_rc access_definitions(struct access *a, each_definition *each, void *ctx, struct cf_err *e)
{
    struct store_view *view = NULL;

    enum cf_rc rc = store_live_read(a->live, &view, e);
    if (rc == CF_OK)
        rc = give_builtins(each, ctx, e);
    if (rc == CF_OK)
        rc = give_custom(view, each, ctx, e);
    store_view_end(view);
    return rc;
}

/* --- changes --------------------------------------------------------------------------------- */

/* Data actions must be of the list and take its spelling; other texts must be clean. */
static enum cf_rc settle_texts(struct access_texts *t, bool data, struct cf_err *e)
{
    enum access_action action;

    for (size_t i = 0; i < t->count; i++) {
        if (!access_text_clean(t->item[i]))
            return access_bad(e, "A role definition must not hold control characters.");
        if (!data)
            continue;
        enum cf_rc rc = access_action_parse(t->item[i], &action, e);
        if (rc != CF_OK)
            return rc;
        /* The same length: the spellings differ in letter case alone. */
        memcpy(t->item[i], access_action_name(action), strlen(t->item[i]));
    }
    return CF_OK;
}

static enum cf_rc settle_scopes(struct access_texts *t, struct cf_err *e)
{
    if (t->count == 0)
        return access_texts_add(t, "/", e);
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->item[i], "/") != 0)
            return access_bad(e, "Managed HSM supports only '/' as an assignable scope.");
    return CF_OK;
}

/* Brings a caller's definition into the form that is stored, or refuses it. */
static enum cf_rc settle(struct access_definition *d, struct cf_err *e)
{
    if (strlen(d->role_name) > ACCESS_TEXT_MAX || strlen(d->description) > ACCESS_TEXT_MAX)
        return access_bad(e, "A role's name and description may have 1024 bytes each.");
    if (!access_text_clean(d->role_name) || !access_text_clean(d->description))
        return access_bad(e, "A role definition must not hold control characters.");
    enum cf_rc rc = settle_scopes(&d->assignable_scopes, e);
    for (size_t i = 0; rc == CF_OK && i < d->permission_count; i++) {
        struct access_permission *p = &d->permissions[i];
        rc = settle_texts(&p->actions, false, e);
        if (rc == CF_OK)
            rc = settle_texts(&p->not_actions, false, e);
        if (rc == CF_OK)
            rc = settle_texts(&p->data_actions, true, e);
        if (rc == CF_OK)
            rc = settle_texts(&p->not_data_actions, true, e);
    }
    return rc;
}

/* Keeps the time of creation of a definition that is replaced; limits the number of new ones. */
static enum cf_rc date_it(struct access *a, struct access_change *c, struct access_definition *d,
                          struct cf_err *e)
{
    struct access_definition before = { 0 };
    struct cf_err why = { 0 };
    uint64_t count = 0;

    d->updated_s = d->created_s = access_now_s(a);
    enum cf_rc rc = access_definition_read(store_txn_view(c->txn), d->id, &before, &why);
    if (rc == CF_OK) {
        d->created_s = before.created_s;
        access_definition_clear(&before);
        return CF_OK;
    }
    if (rc != CF_E_ABSENT) {
        if (e != NULL)
            *e = why;
        return rc;
    }
    rc = store_count(store_txn_view(c->txn), STORE_ROLE, &count, e);
    if (rc == CF_OK && count >= ACCESS_DEFINITIONS_MAX)
        rc = cf_err_code(e,
                         CF_FAIL(e, CF_E_LIMIT, "There are %d custom role definitions already.",
                                 ACCESS_DEFINITIONS_MAX),
                         "BadParameter");
    return rc;
}

enum cf_rc access_definition_put(struct access *a, const char *id,
                                 const struct access_definition *d, struct access_definition *out,
                                 struct cf_err *e)
{
    struct access_definition fresh = { 0 };
    struct access_row row = { 0 };
    struct access_change change;
    char guid[ACCESS_GUID_SIZE];

    enum cf_rc rc = parse_id(id, guid, e);
    if (rc == CF_OK)
        rc = refuse_builtin(guid, e);
    if (rc == CF_OK)
        rc = access_definition_copy(d, &fresh, e);
    if (rc == CF_OK)
        rc = settle(&fresh, e);
    if (rc != CF_OK)
        goto out;
    memcpy(fresh.id, guid, sizeof fresh.id);
    fresh.builtin = false;

    rc = access_change_begin(a, &change, e);
    change.may_lose_writer = true;
    if (rc == CF_OK)
        rc = date_it(a, &change, &fresh, e);
    if (rc == CF_OK)
        rc = access_row_of_definition(&fresh, &row, e);
    if (rc == CF_OK)
        rc = access_row_put(change.txn, STORE_ROLE, &row, e);
    if (rc == CF_OK)
        store_step_anchor(change.txn); /* it may take rights away */
    rc = access_change_end(a, &change, rc, e);

out:
    access_row_clear(&row);
    if (rc == CF_OK)
        *out = fresh;
    else
        access_definition_clear(&fresh);
    return rc;
}

enum cf_rc access_definition_delete(struct access *a, const char *id, struct access_definition *out,
                                    struct cf_err *e)
{
    struct access_change change;
    char guid[ACCESS_GUID_SIZE];

    enum cf_rc rc = parse_id(id, guid, e);
    if (rc == CF_OK)
        rc = refuse_builtin(guid, e);
    if (rc != CF_OK)
        return rc;

    rc = access_change_begin(a, &change, e);
    change.may_lose_writer = true;
    if (rc == CF_OK)
        rc = access_definition_read(store_txn_view(change.txn), guid, out, e);
    if (rc == CF_OK)
        rc = store_del(change.txn, STORE_ROLE, crypto_bytes_of(guid, strlen(guid)), e);
    if (rc == CF_OK)
        store_step_anchor(change.txn);
    rc = access_change_end(a, &change, rc, e);
    if (rc != CF_OK)
        access_definition_clear(out);
    return rc;
}
