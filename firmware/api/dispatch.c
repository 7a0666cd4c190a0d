#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/text.h"
#include "handlers_priv.h"

/* "Bearer <token>"; the scheme in any letter case (RFC 9110 11.1). */
static const char *bearer_token(const char *authorization)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    const char *t = authorization + 7;
    t += strspn(t, " ");
    return *t ? t : NULL;
}

static enum cf_rc authenticate(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    const char *token = bearer_token(rq->head.authorization);
    enum cf_rc rc = CF_E_DENIED;
    struct cf_err why = { 0 };
    if (token) {
        const struct api_gate *g = a->cfg.gate;
        rc = g->authenticate(g->ctx, token, strlen(token), &rq->who, &why);
        if (rc == CF_OK && !cf_granted(&rq->who.verified))
            rc = CF_E_DENIED;
    }
    if (rc == CF_OK)
        return CF_OK;
    if (token)
        cf_log(CF_LOG_INFO, "api", "token_refused", "id=%s text=\"%s\"", rq->id, why.text);
    rq->who = (struct access_principal){ 0 };
    rp->challenge = true;
    return cf_err_code(e,
                       CF_FAIL(e, CF_E_DENIED, "%s",
                               token ? "AKV10000: The bearer token was refused."
                                     : "AKV10000: Request is missing a Bearer or PoP token."),
                       "Unauthorized");
}

static enum cf_rc check_match(enum api_match m, const char *allow, struct cf_err *e)
{
    if (m == API_MATCHED)
        return CF_OK;
    if (m == API_UNKNOWN)
        return cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "There is nothing at this path"), "NotFound");
    return cf_err_code(
        e, CF_FAIL(e, CF_E_INPUT, "This path does not answer to that method; it does to %s", allow),
        "MethodNotAllowed");
}

static enum cf_rc check_version(const struct api_request *rq, struct cf_err *e)
{
    const char *v = api_param(&rq->query, "api-version");
    if (rq->route->flags & (API_PUBLIC | API_LOCAL))
        return CF_OK;
    if (!v && (rq->route->flags & API_NO_VERSION))
        return CF_OK;
    return api_version_check(v, e);
}

/* What the right is asked for. Also judges the key's name, wherever the path has one. */
static enum cf_rc find_scope(struct api_request *rq, struct cf_err *e)
{
    struct access_scope key = { 0 };
    if (rq->key) {
        enum cf_rc rc = access_scope_key(rq->key, &key, NULL);
        if (rc != CF_OK)
            return API_BAD(e, "The key's name must be 1 to 127 letters, digits or hyphens");
    }
    switch (rq->route->scope) {
    case API_SCOPE_PATH:
        if (rq->scope.level == ACCESS_AT_KEY)
            rq->scope = key;
        else
            rq->scope = rq->scope.level == ACCESS_AT_ALL ? access_scope_all() : access_scope_keys();
        break;
    case API_SCOPE_KEY:
        rq->scope = key;
        break;
    case API_SCOPE_KEYS:
        rq->scope = access_scope_keys();
        break;
    case API_SCOPE_ROOT:
    case API_SCOPE_NONE:
        rq->scope = access_scope_all();
        break;
    }
    return CF_OK;
}

/* Either right will do where there is no such job, to be told so. */
static enum cf_rc authorise_by_kind(struct api *a, const struct api_request *rq, struct cf_err *e)
{
    const struct api_gate *g = a->cfg.gate;
    enum access_action of_backups = rq->route->action;
    enum access_action of_restores =
        of_backups == ACCESS_BACKUP_START ? ACCESS_RESTORE_START : ACCESS_RESTORE_STATUS;
    struct jobs_record j;
    bool known = a->cfg.jobs && jobs_get(a->cfg.jobs, rq->arg, &j, NULL) == CF_OK;
    if (known)
        return g->require(g->ctx, &rq->who, api_job_restores(j.kind) ? of_restores : of_backups,
                          &rq->scope, e);
    if (g->require(g->ctx, &rq->who, of_restores, &rq->scope, NULL) == CF_OK)
        return CF_OK;
    return g->require(g->ctx, &rq->who, of_backups, &rq->scope, e);
}

static enum cf_rc authorise(struct api *a, struct api_request *rq, struct cf_err *e)
{
    const struct api_gate *g = a->cfg.gate;
    const struct api_route *r = rq->route;
    if ((r->flags & API_STARTER) && rq->arg && g->started(g->ctx, rq->arg, rq->who.oid))
        return CF_OK;
    if (r->flags & API_BY_KIND)
        return authorise_by_kind(a, rq, e);
    if ((r->flags & API_OR_RESTORE) &&
        g->require(g->ctx, &rq->who, ACCESS_RESTORE_START, &rq->scope, NULL) == CF_OK)
        return CF_OK;
    return g->require(g->ctx, &rq->who, r->action, &rq->scope, e);
}

static enum cf_rc check_state(struct api *a, const struct api_request *rq, struct cf_err *e)
{
    enum api_state s = a->cfg.gate->state(a->cfg.gate->ctx);
    if (rq->route->states & (unsigned)s)
        return CF_OK;
    if (s == API_OPENING) /* who polls a job goes on with it: a refusal would end the wait */
        return cf_err_code(e, CF_FAIL(e, CF_E_STATE, "The appliance is starting; ask again"),
                           "ServiceUnavailable");
    if (s == API_RESTORING)
        return cf_err_code(e,
                           CF_FAIL(e, CF_E_STATE,
                                   "User triggered Restore operation is in progress. Retry after "
                                   "the restore operation"),
                           "Conflict");
    if (s == API_FACTORY)
        return cf_err_code(
            e, CF_FAIL(e, CF_E_STATE, "This HSM has not been created yet; run coffer create"),
            "Forbidden");
    if (s == API_ACTIVE)
        return cf_err_code(e, CF_FAIL(e, CF_E_STATE, "This HSM is activated already"), "Conflict");
    return cf_err_code(e,
                       CF_FAIL(e, CF_E_STATE,
                               "This HSM is not activated; download its security domain, or "
                               "upload one"),
                       "Forbidden");
}

static enum cf_rc check_length(const struct api_request *rq, struct api_reply *rp, struct cf_err *e)
{
    if (rq->head.content_length <= rq->route->body_max)
        return CF_OK;
    rp->close = true; /* nobody reads what comes */
    return cf_err_code(e,
                       CF_FAIL(e, CF_E_INPUT, "The body is over the limit of %u bytes",
                               (unsigned)rq->route->body_max),
                       "RequestEntityTooLarge");
}

static enum cf_rc admit(struct api *a, struct api_request *rq, struct api_reply *rp,
                        struct cf_err *e)
{
    enum api_match m = api_route_find(rq, rp->allow);
    bool open = rq->local || (m == API_MATCHED && (rq->route->flags & API_PUBLIC));
    enum cf_rc rc = CF_OK;
    if (!open)
        rc = authenticate(a, rq, rp, e);
    if (rc == CF_OK)
        rc = check_match(m, rp->allow, e);
    if (rc == CF_OK)
        rc = check_version(rq, e);
    if (rc == CF_OK)
        rc = find_scope(rq, e);
    if (rc == CF_OK && !open)
        rc = authorise(a, rq, e);
    if (rc == CF_OK)
        rc = check_state(a, rq, e);
    if (rc == CF_OK)
        rc = check_length(rq, rp, e);
    return rc;
}

/* The outcome goes into the audit log where the route or the refusal asks for it. A caller without
 * a valid token must not be able to fill the log. */
static enum cf_rc record(struct api *a, const struct api_request *rq, const struct api_reply *rp,
                         const char *detail, struct cf_err *e)
{
    const struct api_route *r = rq->route;
    bool known = cf_granted(&rq->who.verified) || rq->local;
    bool asked = r && (r->flags & API_RECORD) && (known || rp->status < 400);
    bool refused = known && (rp->status == 403 || rp->status >= 500);
    if (!asked && !refused && !(a->cfg.audit_all && known))
        return CF_OK;
    char path[API_URI_MAX + 1] = "";
    size_t n = 0;
    for (size_t i = 0; i < rq->path.count; i++) {
        size_t len = strlen(rq->path.segment[i]);
        if (n + len + 2 > sizeof path)
            break;
        path[n++] = '/';
        memcpy(path + n, rq->path.segment[i], len + 1);
        n += len;
    }
    char note[256];
    snprintf(note, sizeof note, "client=%s app=%.64s%s%.120s", rq->client, rq->who.app,
             *detail ? " " : "", detail);
    struct audit_record rec = {
        .operation = r ? r->operation : "Unknown",
        .principal = rq->local ? "local" : rq->who.oid,
        .resource = path,
        .request_id = rq->id,
        .detail = note,
        .status = rp->status,
    };
    return a->cfg.gate->record(a->cfg.gate->ctx, &rec, e);
}

/* Makes the answer final. A record that cannot be written fails the request (style rule 18). */
static void finish(struct api *a, struct api_request *rq, struct api_reply *rp, enum cf_rc rc,
                   struct cf_err *e)
{
    if (rc != CF_OK)
        api_reply_error(rq, rp, e);
    else if (!rp->status)
        rp->status = 200;
    struct cf_err why = { 0 };
    if (record(a, rq, rp, rc == CF_OK ? "" : e->text, &why) != CF_OK) {
        why.code = NULL;
        why.rc = CF_E_IO;
        api_reply_error(rq, rp, &why);
    }
}

enum cf_rc api_admit(struct api *a, struct api_request *rq, struct api_reply *rp)
{
    struct cf_err e = { 0 };
    enum cf_rc rc = admit(a, rq, rp, &e);
    if (rc != CF_OK)
        finish(a, rq, rp, rc, &e);
    return rc;
}

/* JSON or a form, with or without a charset; a body may come without saying what it is. */
static enum cf_rc check_type(const struct api_request *rq, struct cf_err *e)
{
    const char *want =
        rq->route->flags & API_FORM ? "application/x-www-form-urlencoded" : "application/json";
    const char *type = rq->head.content_type;
    size_t len = strlen(want);
    if (!rq->body.len || !type || !*type)
        return CF_OK;
    if (strncasecmp(type, want, len) == 0 && (!type[len] || type[len] == ';' || type[len] == ' '))
        return CF_OK;
    return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "The body must be %s", want),
                       "UnsupportedMediaType");
}

void api_handle(struct api *a, struct api_request *rq, struct api_reply *rp)
{
    struct cf_err e = { 0 };
    enum cf_rc rc = check_type(rq, &e);
    if (rc == CF_OK)
        rc = rq->route->run(a, rq, rp, &e);
    finish(a, rq, rp, rc, &e);
}
