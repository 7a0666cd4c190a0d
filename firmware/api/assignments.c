#include <stdio.h>
#include <string.h>

#include "handlers_priv.h"

#define ASSIGNMENT_TYPE "Microsoft.Authorization/roleAssignments"

static void put_assignment(struct json_wr *w, const struct access_assignment *s)
{
    char id[ACCESS_SCOPE_SIZE + 128];
    char role[sizeof ACCESS_ROLE_PREFIX + ACCESS_GUID_SIZE];
    const char *at = s->scope.level == ACCESS_AT_ALL ? "" : s->scope.text;
    snprintf(id, sizeof id, "%s/providers/" ASSIGNMENT_TYPE "/%s", at, s->name);
    snprintf(role, sizeof role, "%s%s", ACCESS_ROLE_PREFIX, s->role);
    json_put_object(w, NULL);
    json_put_text(w, "id", id);
    json_put_text(w, "name", s->name);
    json_put_text(w, "type", ASSIGNMENT_TYPE);
    json_put_object(w, "properties");
    json_put_text(w, "principalId", s->principal);
    json_put_text(w, "roleDefinitionId", role);
    json_put_text(w, "scope", s->scope.text);
    json_close(w);
    json_close(w);
}

static enum cf_rc each(void *ctx, const struct access_assignment *s, struct cf_err *e)
{
    (void)e;
    put_assignment(ctx, s);
    return CF_OK;
}

enum cf_rc api_get_assignments(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    struct access_filter filter;
    struct json_wr w;
    enum cf_rc rc = access_filter_parse(api_param(&rq->query, "$filter"), &filter, e);
    if (rc != CF_OK)
        return rc;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_array(&w, "value");
    rc = access_assignments(a->cfg.access, &rq->scope, &filter, each, &w, e);
    json_close(&w);
    json_close(&w);
    enum cf_rc end = json_wr_end(&w);
    return rc != CF_OK ? rc : end;
}

static enum cf_rc answer(const struct access_assignment *s, struct api_reply *rp, struct cf_err *e)
{
    struct json_wr w;
    json_wr_init(&w, &rp->body, e);
    put_assignment(&w, s);
    return json_wr_end(&w);
}

enum cf_rc api_get_assignment(struct api *a, struct api_request *rq, struct api_reply *rp,
                              struct cf_err *e)
{
    struct access_assignment s;
    enum cf_rc rc = access_assignment_get(a->cfg.access, &rq->scope, rq->arg, &s, e);
    return rc == CF_OK ? answer(&s, rp, e) : rc;
}

enum cf_rc api_delete_assignment(struct api *a, struct api_request *rq, struct api_reply *rp,
                                 struct cf_err *e)
{
    struct access_assignment s;
    enum cf_rc rc = access_assignment_delete(a->cfg.access, &rq->scope, rq->arg, &s, e);
    return rc == CF_OK ? answer(&s, rp, e) : rc;
}

static enum cf_rc read_assignment(const struct json *body, const char *name,
                                  struct access_assignment *s, struct cf_err *e)
{
    const struct json *p = NULL;
    const char *role = NULL;
    const char *principal = NULL;
    enum cf_rc rc = json_get_object(body, "properties", &p, e);
    if (rc == CF_OK)
        rc = json_get_text(p, "roleDefinitionId", &role, e);
    if (rc == CF_OK)
        rc = json_get_text(p, "principalId", &principal, e);
    if (rc == CF_OK)
        rc = access_role_parse(role, s->role, e);
    if (rc != CF_OK)
        return rc;
    if (strlen(name) >= sizeof s->name || strlen(principal) >= sizeof s->principal)
        return API_BAD(e, "Role assignment name and principalId must be GUIDs");
    memcpy(s->name, name, strlen(name) + 1);
    memcpy(s->principal, principal, strlen(principal) + 1);
    return CF_OK;
}

enum cf_rc api_put_assignment(struct api *a, struct api_request *rq, struct api_reply *rp,
                              struct cf_err *e)
{
    struct json *body = NULL;
    struct access_assignment s = { .scope = rq->scope };
    enum cf_rc rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = read_assignment(body, rq->arg, &s, e);
    if (rc == CF_OK)
        rc = access_assignment_create(a->cfg.access, &s, &s, e);
    if (rc == CF_OK)
        rc = answer(&s, rp, e);
    if (rc == CF_OK)
        rp->status = 201;
    json_free(body);
    return rc;
}
