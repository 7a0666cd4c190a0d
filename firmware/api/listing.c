/* What lies in a container: backups of this HSM and of others, an extension of ours. Reads, and
 * starts no job. */
#include <string.h>

#include "handlers_priv.h"

#define LIMIT 100 /* folders told of, unless the request says another number */

static const char *const states[API_BACKUP_STATES] = {
    [API_BACKUP_WHOLE] = "whole",
    [API_BACKUP_UNFINISHED] = "unfinished",
    [API_BACKUP_DAMAGED] = "damaged",
    [API_BACKUP_FOREIGN] = "otherDomain",
    [API_BACKUP_GENERATION] = "needsGeneration",
    [API_BACKUP_NEWER_FORMAT] = "newerFormat",
    [API_BACKUP_UNREADABLE] = "unreadable",
};

static void put_known(struct json_wr *w, const char *name, int64_t value)
{
    if (value)
        json_put_int(w, name, value);
    else
        json_put_null(w, name);
}

static void put_cover(struct json_wr *w, const struct api_backup *b)
{
    static const char *const names[] = { "", "inside", "outside", "missing" };
    json_put_array(w, "coverage");
    for (size_t i = 0; i < b->cover_count; i++) {
        json_put_object(w, NULL);
        json_put_text(w, "what", b->cover[i].what);
        json_put_text(w, "state", names[b->cover[i].state & 3]);
        json_put_text(w, "why", b->cover[i].why[0] ? b->cover[i].why : NULL);
        json_close(w);
    }
    json_close(w);
}

static enum cf_rc put_backup(void *ctx, const struct api_backup *b, struct cf_err *e)
{
    struct json_wr *w = ctx;
    (void)e;
    json_put_object(w, NULL);
    json_put_text(w, "folder", b->folder);
    json_put_text(w, "state", states[b->state]);
    json_put_text(w, "reason", b->why[0] ? b->why : NULL);
    json_put_text(w, "hsm", b->hsm[0] ? b->hsm : NULL);
    put_known(w, "time", b->made_s);
    json_put_int(w, "bytes", (int64_t)b->bytes);
    put_known(w, "seq", (int64_t)b->seq);
    put_known(w, "generation", b->generation);
    json_put_bool(w, "proven", b->proven);
    json_put_bool(w, "ofThisAppliance", b->ours);
    json_put_bool(w, "complete", b->proven && b->complete);
    put_known(w, "verifiedTime", b->verified_s);
    if (b->verified_s)
        json_put_bool(w, "verifiedWhole", b->verified_whole);
    if (b->cover_count)
        put_cover(w, b);
    json_close(w);
    return CF_OK;
}

static enum cf_rc read_request(const struct json *body, struct cf_buf *uri, struct api_job_order *o,
                               struct api_listing *l, struct cf_err *e)
{
    static const char *const known[] = { "storageResourceUri", "token", "useManagedIdentity",
                                         "limit", "after" };
    int64_t limit = LIMIT;
    enum cf_rc rc = json_only(body, known, sizeof known / sizeof known[0], e);
    if (rc == CF_OK)
        rc = json_opt_int(body, "limit", (struct json_range){ 1, API_LISTING_MAX }, &limit, e);
    if (rc == CF_OK)
        rc = json_opt_text(body, "after", &l->after, e);
    if (rc == CF_OK)
        rc = api_read_storage(body, uri, o, e);
    if (rc != CF_OK)
        return cf_err_code(e, rc, "BadParameter");
    l->limit = (size_t)limit;
    if (o->managed_identity && o->sas)
        return API_BAD(e, "token and useManagedIdentity exclude each other");
    return o->storage_uri ? CF_OK : API_BAD(e, "storageResourceUri is missing");
}

enum cf_rc api_post_backups(struct api *a, struct api_request *rq, struct api_reply *rp,
                            struct cf_err *e)
{
    const struct api_services *s = a->cfg.services;
    struct json *body = NULL;
    struct cf_buf uri = { 0 };
    struct json_wr w;
    struct api_job_order o = { .kind = JOBS_PRE_RESTORE, .who = rq->who.oid };
    struct api_listing l = { 0 };
    enum cf_rc rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = read_request(body, &uri, &o, &l, e);
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_array(&w, "value");
    if (rc == CF_OK)
        rc = s->backups(s->ctx, &o, &l, put_backup, &w, e);
    json_close(&w);
    json_put_int(&w, "folders", (int64_t)l.folders);
    json_put_bool(&w, "more", l.more);
    json_close(&w);
    cf_buf_clear(&uri);
    json_free(body);
    return rc == CF_OK ? json_wr_end(&w) : rc;
}
