#include <stdio.h>
#include <string.h>

#include "handlers_priv.h"

#define ROLE_TYPE "Microsoft.Authorization/roleDefinitions"

static void put_texts(struct json_wr *w, const char *name, const struct access_texts *t)
{
    json_put_array(w, name);
    for (size_t i = 0; i < t->count; i++)
        json_put_text(w, NULL, t->item[i]);
    json_close(w);
}

static void put_permissions(struct json_wr *w, const struct access_definition *d)
{
    json_put_array(w, "permissions");
    for (size_t i = 0; i < d->permission_count; i++) {
        const struct access_permission *p = &d->permissions[i];
        json_put_object(w, NULL);
        put_texts(w, "actions", &p->actions);
        put_texts(w, "notActions", &p->not_actions);
        put_texts(w, "dataActions", &p->data_actions);
        put_texts(w, "notDataActions", &p->not_data_actions);
        json_close(w);
    }
    json_close(w);
}

static void put_definition(struct json_wr *w, const struct access_definition *d)
{
    char id[sizeof ACCESS_ROLE_PREFIX + ACCESS_GUID_SIZE];
    snprintf(id, sizeof id, "%s%s", ACCESS_ROLE_PREFIX, d->id);
    json_put_object(w, NULL);
    json_put_text(w, "id", id); /* spelt as in assignments: az compares the two exactly */
    json_put_text(w, "name", d->id);
    json_put_text(w, "type", ROLE_TYPE);
    json_put_object(w, "properties");
    json_put_text(w, "roleName", d->role_name ? d->role_name : "");
    json_put_text(w, "description", d->description ? d->description : "");
    json_put_text(w, "type", d->builtin ? "AKVBuiltInRole" : "CustomRole");
    put_texts(w, "assignableScopes", &d->assignable_scopes);
    put_permissions(w, d);
    json_close(w);
    json_close(w);
}

static enum cf_rc each(void *ctx, const struct access_definition *d, struct cf_err *e)
{
    (void)e;
    put_definition(ctx, d);
    return CF_OK;
}

/* The same set at every scope: az resolves a role's name at the assignment's scope (2.5). */
enum cf_rc api_get_definitions(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    const char *filter = api_param(&rq->query, "$filter");
    struct json_wr w;
    if (filter && *filter && strcmp(filter, "atScopeAndBelow") != 0 &&
        strcmp(filter, "atScopeAndBelow()") != 0)
        return API_BAD(e, "$filter must be atScopeAndBelow()");
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_array(&w, "value");
    enum cf_rc rc = access_definitions(a->cfg.access, each, &w, e);
    json_close(&w);
    json_close(&w);
    enum cf_rc end = json_wr_end(&w);
    return rc != CF_OK ? rc : end;
}

static enum cf_rc answer(struct access_definition *d, struct api_reply *rp, struct cf_err *e)
{
    struct json_wr w;
    json_wr_init(&w, &rp->body, e);
    put_definition(&w, d);
    access_definition_clear(d);
    return json_wr_end(&w);
}

enum cf_rc api_get_definition(struct api *a, struct api_request *rq, struct api_reply *rp,
                              struct cf_err *e)
{
    struct access_definition d = { 0 };
    enum cf_rc rc = access_definition_get(a->cfg.access, rq->arg, &d, e);
    return rc == CF_OK ? answer(&d, rp, e) : rc;
}

enum cf_rc api_delete_definition(struct api *a, struct api_request *rq, struct api_reply *rp,
                                 struct cf_err *e)
{
    struct access_definition d = { 0 };
    enum cf_rc rc = access_definition_delete(a->cfg.access, rq->arg, &d, e);
    return rc == CF_OK ? answer(&d, rp, e) : rc;
}

static enum cf_rc read_texts(const struct json *v, const char *name, struct access_texts *out,
                             struct cf_err *e)
{
    const struct json *list = NULL;
    enum cf_rc rc = json_opt_array(v, name, &list, e);
    for (const struct json *c = list ? json_first(list) : NULL; rc == CF_OK && c;
         c = json_next(c)) {
        const char *text = json_text(c);
        rc = text ? access_texts_add(out, text, e) : API_BAD(e, "%s must hold strings", name);
    }
    return rc;
}

static enum cf_rc read_permission(const struct json *v, struct access_definition *d,
                                  struct cf_err *e)
{
    struct access_permission *p = NULL;
    if (json_type_of(v) != JSON_OBJECT)
        return API_BAD(e, "permissions must hold objects");
    enum cf_rc rc = access_permission_add(d, &p, e);
    if (rc == CF_OK)
        rc = read_texts(v, "actions", &p->actions, e);
    if (rc == CF_OK)
        rc = read_texts(v, "notActions", &p->not_actions, e);
    if (rc == CF_OK)
        rc = read_texts(v, "dataActions", &p->data_actions, e);
    if (rc == CF_OK)
        rc = read_texts(v, "notDataActions", &p->not_data_actions, e);
    return rc;
}

static enum cf_rc copy_text(const struct json *v, const char *name, char **out, struct cf_err *e)
{
    const char *text = NULL;
    enum cf_rc rc = json_opt_text(v, name, &text, e);
    if (rc != CF_OK || !text)
        return rc;
    if (strlen(text) > ACCESS_TEXT_MAX)
        return API_BAD(e, "%s is over %d bytes", name, ACCESS_TEXT_MAX);
    *out = strdup(text);
    return *out ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory for a role");
}

static enum cf_rc read_definition(const struct json *body, struct access_definition *d,
                                  struct cf_err *e)
{
    const struct json *p = NULL;
    const struct json *list = NULL;
    enum cf_rc rc = json_get_object(body, "properties", &p, e);
    if (rc == CF_OK)
        rc = copy_text(p, "roleName", &d->role_name, e);
    if (rc == CF_OK)
        rc = copy_text(p, "description", &d->description, e);
    if (rc == CF_OK)
        rc = read_texts(p, "assignableScopes", &d->assignable_scopes, e);
    if (rc == CF_OK)
        rc = json_opt_array(p, "permissions", &list, e);
    for (const struct json *c = list ? json_first(list) : NULL; rc == CF_OK && c; c = json_next(c))
        rc = read_permission(c, d, e);
    return rc;
}

enum cf_rc api_put_definition(struct api *a, struct api_request *rq, struct api_reply *rp,
                              struct cf_err *e)
{
    struct json *body = NULL;
    struct access_definition want = { 0 };
    struct access_definition made = { 0 };
    enum cf_rc rc = CF_OK;
    if (rq->scope.level != ACCESS_AT_ALL)
        rc = API_BAD(e, "Managed HSM only supports '/' as the scope of a role definition");
    if (rc == CF_OK)
        rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = read_definition(body, &want, e);
    if (rc == CF_OK)
        rc = access_definition_put(a->cfg.access, rq->arg, &want, &made, e);
    if (rc == CF_OK)
        rc = answer(&made, rp, e);
    if (rc == CF_OK)
        rp->status = 201;
    access_definition_clear(&want);
    json_free(body);
    return rc;
}
