/* Pruning of old backups, an extension of ours: what a request may say, and what a pruning did. The
 * job itself starts and is asked after as a backup is (backups.c). */
#include "handlers_priv.h"

static enum cf_rc read_count(const struct json *v, const char *name, uint32_t *out,
                             struct cf_err *e)
{
    int64_t n = 0;
    enum cf_rc rc = json_opt_int(v, name, (struct json_range){ 0, API_KEEP_MAX }, &n, e);
    *out = (uint32_t)n;
    return rc;
}

enum cf_rc api_read_keep(const struct json *body, struct api_keep *out, struct cf_err *e)
{
    static const char *const top[] = {
        "storageResourceUri", "token", "useManagedIdentity", "keep", "dryRun", "coffer"
    };
    static const char *const inside[] = { "last",    "daily",         "weekly",
                                          "monthly", "minAgeSeconds", "unfinishedAgeSeconds" };
    const struct json_range seconds = { 0, API_KEEP_AGE_MAX };
    const struct json *keep = NULL;
    *out = (struct api_keep){ .min_age_s = API_KEEP_AGE };
    enum cf_rc rc = json_only(body, top, sizeof top / sizeof top[0], e);
    if (rc == CF_OK)
        rc = json_opt_bool(body, "dryRun", &out->dry_run, e);
    if (rc == CF_OK)
        rc = json_opt_object(body, "keep", &keep, e);
    if (rc == CF_OK && !keep)
        rc = CF_FAIL(e, CF_E_INPUT, "keep is missing: it says which backups stay");
    if (rc == CF_OK)
        rc = json_only(keep, inside, sizeof inside / sizeof inside[0], e);
    if (rc == CF_OK)
        rc = read_count(keep, "last", &out->last, e);
    if (rc == CF_OK)
        rc = read_count(keep, "daily", &out->daily, e);
    if (rc == CF_OK)
        rc = read_count(keep, "weekly", &out->weekly, e);
    if (rc == CF_OK)
        rc = read_count(keep, "monthly", &out->monthly, e);
    if (rc == CF_OK)
        rc = json_opt_int(keep, "minAgeSeconds", seconds, &out->min_age_s, e);
    if (rc == CF_OK)
        rc = json_opt_int(keep, "unfinishedAgeSeconds", seconds, &out->unfinished_age_s, e);
    return rc == CF_OK ? rc : cf_err_code(e, rc, "BadParameter");
}

static enum cf_rc put_pruned(void *ctx, const struct api_pruned *p, struct cf_err *e)
{
    static const char *const fates[] = { "kept", "wouldDelete", "deleted", "keptByStorage" };
    struct json_wr *w = ctx;
    (void)e;
    json_put_object(w, NULL);
    json_put_text(w, "folder", p->folder);
    json_put_text(w, "action", fates[p->fate]);
    json_put_text(w, "reason", p->reason);
    json_put_int(w, "time", p->made_s);
    json_put_bool(w, "verified", p->verified);
    json_put_int(w, "bytes", (int64_t)p->bytes);
    json_close(w);
    return CF_OK;
}

enum cf_rc api_get_prune(struct api *a, struct api_request *rq, struct api_reply *rp,
                         struct cf_err *e)
{
    const struct api_services *s = a->cfg.services;
    struct json_wr w;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_array(&w, "value");
    enum cf_rc rc = s->pruned(s->ctx, rq->arg, put_pruned, &w, e);
    json_close(&w);
    json_close(&w);
    return rc == CF_OK ? json_wr_end(&w) : rc;
}
