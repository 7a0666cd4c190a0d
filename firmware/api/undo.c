/* Undo of the last restore, an extension of ours. The job starts and is asked after as a restore is
 * (backups.c). */
#include "handlers_priv.h"

enum cf_rc api_get_undo(struct api *a, struct api_request *rq, struct api_reply *rp,
                        struct cf_err *e)
{
    struct api_undo u = { 0 };
    struct json_wr w;
    (void)rq;
    enum cf_rc rc = a->cfg.services->undo(a->cfg.services->ctx, &u, e);
    if (rc != CF_OK)
        return rc;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_text(&w, "jobId", u.job);
    json_put_text(&w, "folder", u.folder);
    json_put_int(&w, "time", u.switched_s);
    json_put_bool(&w, "redo", u.redo);
    if (u.counted)
        json_put_int(&w, "changesSince", (int64_t)u.changes);
    else
        json_put_null(&w, "changesSince");
    json_put_int(&w, "partitions", (int64_t)u.partitions);
    json_put_int(&w, "partitionsWritten", (int64_t)u.written);
    json_close(&w);
    return json_wr_end(&w);
}

enum cf_rc api_post_undo(struct api *a, struct api_request *rq, struct api_reply *rp,
                         struct cf_err *e)
{
    const struct api_job_order o = { .kind = JOBS_UNDO, .who = rq->who.oid };
    struct jobs_record job = { 0 };
    enum cf_rc rc = a->cfg.services->start(a->cfg.services->ctx, &o, &job, e);
    return rc == CF_OK ? api_accepted(a, &job, rp, e) : rc;
}
