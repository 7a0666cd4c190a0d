#include <string.h>

#include "server_priv.h"

static enum cf_rc authenticate(void *ctx, const char *token, size_t len,
                               struct access_principal *out, struct cf_err *e)
{
    const struct api_gate_parts *p = ctx;
    return access_bearer_check(p->bearer, token, len, out, e);
}

static enum cf_rc require(void *ctx, const struct access_principal *who, enum access_action action,
                          const struct access_scope *scope, struct cf_err *e)
{
    const struct api_gate_parts *p = ctx;
    return access_require(p->access, who, action, scope, e);
}

static bool started(void *ctx, const char *id, const char *oid)
{
    const struct api_gate_parts *p = ctx;
    struct jobs_record job;
    return *oid && jobs_get(p->jobs, id, &job, NULL) == CF_OK && strcmp(job.who, oid) == 0;
}

/* Restore mode outlives a restart and rules over whatever the application says. */
static enum api_state state(void *ctx)
{
    const struct api_gate_parts *p = ctx;
    return p->jobs && jobs_restore_mode(p->jobs) ? API_RESTORING : p->state(p->ctx);
}

static enum cf_rc record(void *ctx, const struct audit_record *r, struct cf_err *e)
{
    const struct api_gate_parts *p = ctx;
    return audit_append(p->audit, r, e);
}

struct api_gate api_gate_of(const struct api_gate_parts *parts)
{
    /* Only ever read through; the interface's context is a plain pointer. */
    union {
        const struct api_gate_parts *in;
        void *out;
    } ctx = { .in = parts };
    return (struct api_gate){ .ctx = ctx.out,
                              .authenticate = authenticate,
                              .require = require,
                              .started = started,
                              .state = state,
                              .record = record };
}
