#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/api_fixture.h"

static enum cf_rc authenticate(void *ctx, const char *token, size_t len,
                               struct access_principal *out, struct cf_err *e)
{
    (void)ctx;
    memset(out, 0, sizeof *out);
    bool good = len == 4 && strcmp(token, "good") == 0;
    bool other = len == 5 && strcmp(token, "other") == 0;
    if (!good && !other)
        return cf_err_code(e, CF_FAIL(e, CF_E_DENIED, "no such token"), "Unauthorized");
    snprintf(out->oid, sizeof out->oid, "%s",
             good ? FAKE_OID : "00000000-0000-4000-8000-000000000002");
    out->verified = cf_verdict_of(true);
    return CF_OK;
}

static enum cf_rc require(void *ctx, const struct access_principal *who, enum access_action action,
                          const struct access_scope *scope, struct cf_err *e)
{
    struct fake_gate *g = ctx;
    bool good = strcmp(who->oid, FAKE_OID) == 0;
    if (good && !(atomic_load(&g->denied) >> action & 1))
        return CF_OK;
    return cf_err_code(e,
                       CF_FAIL(e, CF_E_DENIED, "Not authorized to access action %d on %s",
                               (int)action, scope->text),
                       "AccessDenied");
}

static bool started(void *ctx, const char *id, const char *oid)
{
    struct fake_gate *g = ctx;
    (void)id;
    return g->started_by[0] && strcmp(g->started_by, oid) == 0;
}

static enum api_state state(void *ctx)
{
    struct fake_gate *g = ctx;
    return (enum api_state)atomic_load(&g->state);
}

static enum cf_rc record(void *ctx, const struct audit_record *r, struct cf_err *e)
{
    struct fake_gate *g = ctx;
    if (atomic_load(&g->record_fails))
        return CF_FAIL(e, CF_E_IO, "the audit partition is full");
    atomic_fetch_add(&g->recording, 1);
    for (int i = 0; i < 10000 && atomic_load(&g->record_waits); i++)
        usleep(1000);
    atomic_fetch_sub(&g->recording, 1);
    atomic_fetch_add(&g->records, 1);
    atomic_store(&g->last_status, r->status);
    return CF_OK;
}

void fake_gate_init(struct fake_gate *g)
{
    memset(g, 0, sizeof *g);
    g->state = API_ACTIVE;
    g->gate = (struct api_gate){ .ctx = g,
                                 .authenticate = authenticate,
                                 .require = require,
                                 .started = started,
                                 .state = state,
                                 .record = record };
}
