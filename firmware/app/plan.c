/* A restore plan in the words of the API. */
#include "appliance.h"

#include <string.h>

#include "run/plan.h"

static const char *const kinds[RUN_THINGS] = {
    [RUN_KEY] = "key",
    [RUN_ROLE_ASSIGNMENT] = "role assignment",
    [RUN_ROLE_DEFINITION] = "role definition",
    [RUN_SETTING] = "setting",
    [RUN_PARTITION] = "partition",
};
_Static_assert(RUN_THINGS == API_PLAN_KINDS, "the API tells every kind");

static const char *const changes[RUN_CHANGES] = { [RUN_SAME] = "same",
                                                  [RUN_ADDED] = "added",
                                                  [RUN_REPLACED] = "replaced",
                                                  [RUN_REMOVED] = "removed" };

struct telling {
    api_planned_fn *each;
    void *ctx;
};

static enum cf_rc tell(void *ctx, const struct run_plan_item *item, struct cf_err *e)
{
    const struct telling *t = ctx;
    const struct api_planned p = { .kind = kinds[item->thing],
                                   .change = changes[item->change],
                                   .name = item->name,
                                   .note = item->note };
    return t->each(t->ctx, &p, e);
}

enum cf_rc app_planned(void *ctx, const char *job, struct api_plan *out, api_planned_fn *each,
                       void *each_ctx, struct cf_err *e)
{
    struct appliance *a = ctx;
    struct telling t = { .each = each, .ctx = each_ctx };
    struct run_plan p;
    enum cf_rc rc = run_plan_report(a->run, job, &p, tell, &t, e);
    if (rc != CF_OK)
        return rc;
    *out = (struct api_plan){ .backup_s = p.backup_s,
                              .versions_lost = p.versions_lost,
                              .versions_back = p.versions_back,
                              .cut = p.cut };
    memcpy(out->folder, p.folder, sizeof out->folder);
    memcpy(out->key, p.key, sizeof out->key);
    for (size_t i = 0; i < RUN_THINGS; i++) {
        out->counts[i].kind = kinds[i];
        out->counts[i].same = p.count[i][RUN_SAME];
        out->counts[i].added = p.count[i][RUN_ADDED];
        out->counts[i].replaced = p.count[i][RUN_REPLACED];
        out->counts[i].removed = p.count[i][RUN_REMOVED];
    }
    return CF_OK;
}
