/* What a restore would change, an extension of ours. The job starts and is asked after as a restore
 * is (backups.c); here is what it found. */
#include "handlers_priv.h"

static enum cf_rc put_item(void *ctx, const struct api_planned *i, struct cf_err *e)
{
    struct json_wr *w = ctx;
    (void)e;
    json_put_object(w, NULL);
    json_put_text(w, "kind", i->kind);
    json_put_text(w, "change", i->change);
    json_put_text(w, "name", i->name);
    if (i->note[0])
        json_put_text(w, "note", i->note);
    json_close(w);
    return CF_OK;
}

static void put_counts(struct json_wr *w, const struct api_plan *p)
{
    json_put_array(w, "counts");
    for (size_t i = 0; i < API_PLAN_KINDS; i++) {
        json_put_object(w, NULL);
        json_put_text(w, "kind", p->counts[i].kind);
        json_put_int(w, "same", (int64_t)p->counts[i].same);
        json_put_int(w, "added", (int64_t)p->counts[i].added);
        json_put_int(w, "replaced", (int64_t)p->counts[i].replaced);
        json_put_int(w, "removed", (int64_t)p->counts[i].removed);
        json_close(w);
    }
    json_close(w);
}

enum cf_rc api_get_plan(struct api *a, struct api_request *rq, struct api_reply *rp,
                        struct cf_err *e)
{
    const struct api_services *s = a->cfg.services;
    struct api_plan p = { 0 };
    struct json_wr w;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_array(&w, "items");
    enum cf_rc rc = s->planned(s->ctx, rq->arg, &p, put_item, &w, e);
    json_close(&w);
    if (rc != CF_OK)
        return rc;
    json_put_bool(&w, "truncated", p.cut);
    put_counts(&w, &p);
    json_put_int(&w, "versionsLost", (int64_t)p.versions_lost);
    json_put_int(&w, "versionsBack", (int64_t)p.versions_back);
    json_put_text(&w, "jobId", rq->arg);
    json_put_text(&w, "folder", p.folder);
    json_put_text(&w, "key", p.key[0] ? p.key : NULL);
    json_put_int(&w, "backupTime", p.backup_s);
    json_close(&w);
    return json_wr_end(&w);
}
