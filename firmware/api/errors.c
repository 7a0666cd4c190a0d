#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "json/json.h"
#include "server_priv.h"

/* Causes by name (API document 1.6). The first code of a row is what cf_err.code carries. */
static const struct {
    const char *cause;
    struct api_fault fault;
} by_cause[] = {
    { "Unauthorized", { 401, "Unauthorized", NULL } },
    { "AccessDenied", { 403, "AccessDenied", NULL } },
    { "Forbidden", { 403, "Forbidden", NULL } },
    { "KeyDisabled", { 403, "Forbidden", "KeyDisabled" } },
    { "KeyNotYetValid", { 403, "Forbidden", "KeyNotYetValid" } },
    { "KeyExpired", { 403, "Forbidden", "KeyExpired" } },
    { "KeyOperationForbidden", { 403, "Forbidden", "KeyOperationForbidden" } },
    { "BadParameter", { 400, "BadParameter", NULL } },
    { "BadRequest", { 400, "BadRequest", NULL } },
    { "KeyNotFound", { 404, "KeyNotFound", NULL } },
    { "NotFound", { 404, "NotFound", NULL } },
    { "RoleDefinitionNotFound", { 404, "RoleDefinitionNotFound", NULL } },
    { "RoleAssignmentNotFound", { 404, "RoleAssignmentNotFound", NULL } },
    { "RoleAssignmentExists", { 409, "RoleAssignmentExists", NULL } },
    { "Conflict", { 409, "Conflict", NULL } },
    { "ObjectIsDeletedButRecoverable", { 409, "Conflict", "ObjectIsDeletedButRecoverable" } },
    { "ObjectIsBeingDeleted", { 409, "Conflict", "ObjectIsBeingDeleted" } },
    { "MethodNotAllowed", { 405, "MethodNotAllowed", NULL } },
    { "RequestEntityTooLarge", { 413, "RequestEntityTooLarge", NULL } },
    { "UnsupportedMediaType", { 415, "UnsupportedMediaType", NULL } },
    { "MisdirectedRequest", { 421, "MisdirectedRequest", NULL } },
    { "Throttled", { 429, "Throttled", NULL } },
    { "NotImplemented", { 501, "NotImplemented", NULL } },
    { "ServiceUnavailable", { 503, "ServiceUnavailable", NULL } },
};

static struct api_fault by_class(enum cf_rc rc)
{
    switch (rc) {
    case CF_E_INPUT:
    case CF_E_LIMIT:
        return (struct api_fault){ 400, "BadParameter", NULL };
    case CF_E_STATE:
    case CF_E_CANCEL:
        return (struct api_fault){ 409, "Conflict", NULL };
    case CF_E_ABSENT:
        return (struct api_fault){ 404, "NotFound", NULL };
    case CF_E_DENIED:
        return (struct api_fault){ 403, "Forbidden", NULL };
    case CF_E_TOKEN:
        return (struct api_fault){ 503, "ServiceUnavailable", NULL };
    case CF_OK:
    case CF_E_ARG:
    case CF_E_IO:
    case CF_E_REMOTE:
    case CF_E_CORRUPT:
    case CF_E_AUTH: /* of what is stored: what a caller brought is CF_E_INPUT by then */
        break;
    }
    return (struct api_fault){ 500, "InternalError", NULL };
}

struct api_fault api_fault_of(const struct cf_err *e)
{
    for (size_t i = 0; e->code && i < sizeof by_cause / sizeof by_cause[0]; i++)
        if (strcmp(by_cause[i].cause, e->code) == 0)
            return by_cause[i].fault;
    return by_class(e->rc);
}

static enum cf_rc write_body(struct cf_buf *out, const struct api_fault *f, const char *message,
                             bool front)
{
    struct json_wr w;
    json_wr_init(&w, out, NULL);
    json_put_object(&w, NULL);
    json_put_object(&w, "error");
    json_put_text(&w, "code", f->code);
    json_put_text(&w, "message", message);
    if (f->inner) {
        json_put_object(&w, "innererror");
        json_put_text(&w, "code", f->inner);
        json_close(&w);
    } else if (front) {
        json_put_null(&w, "innererror");
    }
    json_close(&w);
    json_close(&w);
    return json_wr_end(&w);
}

void api_reply_error(const struct api_request *rq, struct api_reply *rp, const struct cf_err *e)
{
    struct api_fault f = api_fault_of(e);
    bool front = rq->route && (rq->route->flags & API_FRONT);
    char message[sizeof e->text + 64];
    char clean[sizeof e->text]; /* a text may have cut the client's own words inside a character */
    /* What went wrong inside is for the log; the id leads there. Root on the local socket may
     * read that anyway. */
    const char *text = f.status == 500 && !rq->local
                           ? "An internal error occurred; the appliance's log has it"
                       : *e->text ? clean
                                  : f.code;
    (void)cf_utf8_clean(e->text, clean, sizeof clean);
    if (front)
        snprintf(message, sizeof message, "%s", text);
    else
        snprintf(message, sizeof message, "%s (Activity ID: %s)", text, rq->id);
    if (f.status >= 500 && f.status != 501) /* 501 is what somebody outside sent */
        cf_log(CF_LOG_ERROR, "api", "failed", "id=%s class=%s where=%s text=\"%s\"", rq->id,
               cf_rc_name(e->rc), e->where ? e->where : "", e->text);
    cf_buf_clear(&rp->body);
    rp->status = f.status;
    rp->content_type = NULL;
    rp->async_path[0] = 0;
    rp->retry_after = f.status == 429 || f.status == 503;
    if (write_body(&rp->body, &f, message, front) != CF_OK)
        cf_buf_clear(&rp->body); /* the status alone must do */
}
