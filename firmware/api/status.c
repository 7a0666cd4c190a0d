#include <stdio.h>
#include <string.h>

#include "handlers_priv.h"

bool api_job_restores(enum jobs_kind k)
{
    return k == JOBS_RESTORE || k == JOBS_SELECTIVE || k == JOBS_PRE_RESTORE || k == JOBS_VERIFY ||
           k == JOBS_PLAN || k == JOBS_UNDO;
}

static void put_error(struct json_wr *w, const struct jobs_record *j)
{
    if (j->state != JOBS_FAILED) {
        json_put_null(w, "error");
        return;
    }
    json_put_object(w, "error");
    json_put_text(w, "code", j->error_code[0] ? j->error_code : "InternalError");
    json_put_text(w, "message", j->error[0] ? j->error : "The job failed");
    json_put_null(w, "innererror");
    json_close(w);
}

static void put_progress(struct json_wr *w, const struct jobs_progress *p)
{
    json_put_int(w, "doneBytes", (int64_t)p->done_bytes);
    json_put_int(w, "totalBytes", (int64_t)p->total_bytes);
    if (p->bytes_s)
        json_put_int(w, "bytesPerSecond", (int64_t)p->bytes_s);
    if (p->left_s)
        json_put_int(w, "secondsLeft", (int64_t)p->left_s);
    if (p->phase[0])
        json_put_text(w, "phase", p->phase);
}

/* What the appliance knows beyond the service's own members; clients skip what they do not know. */
static void put_more(struct api *a, struct json_wr *w, const struct jobs_record *j,
                     const struct jobs_progress *p)
{
    json_put_object(w, "coffer");
    json_put_text(w, "kind", jobs_kind_name(j->kind));
    json_put_text(w, "folder", j->folder[0] ? j->folder : NULL);
    if (j->state == JOBS_IN_PROGRESS) {
        put_progress(w, p);
    } else {
        json_put_int(w, "bytes", (int64_t)j->bytes);
        json_put_int(w, "elapsedMs", (int64_t)j->elapsed_ms);
    }
    if (j->warning[0])
        json_put_text(w, "warning", j->warning);
    if (a && j->state == JOBS_SUCCEEDED && (j->kind == JOBS_BACKUP || j->kind == JOBS_VERIFY))
        api_put_cover(a, w, j->id);
    json_close(w);
}

/* Null until bytes move. */
static void put_details(struct json_wr *w, const struct jobs_record *j,
                        const struct jobs_progress *p)
{
    char text[JOBS_PROGRESS_SIZE] = "";
    if (j->state == JOBS_IN_PROGRESS && !j->details[0] && p->done_bytes)
        jobs_progress_text(p, text);
    const char *details = j->details[0] ? j->details : text;
    json_put_text(w, "statusDetails", *details ? details : NULL);
}

static void put_folder_uri(struct json_wr *w, const struct jobs_record *j)
{
    char uri[JOBS_URI_SIZE + JOBS_FOLDER_SIZE + 1];
    snprintf(uri, sizeof uri, "%s/%s", j->uri, j->folder);
    bool made = j->kind == JOBS_BACKUP && j->state == JOBS_SUCCEEDED;
    json_put_text(w, "azureStorageBlobContainerUri", made ? uri : NULL);
}

/* A list says it shorter; some clients take words for a failure. */
enum detail { WHOLE, WITHOUT_WORDS, LISTED };

/* API document 2.4: endTime stays null until the end, which old clients judge by. */
static void put_job(struct api *a, struct json_wr *w, const struct jobs_record *j, enum detail how)
{
    const struct jobs_progress p = jobs_get_progress(a->cfg.jobs);
    json_put_object(w, NULL);
    json_put_text(w, "status", jobs_state_name(j->state));
    if (how == WITHOUT_WORDS && j->state == JOBS_IN_PROGRESS)
        json_put_null(w, "statusDetails");
    else
        put_details(w, j, &p);
    put_error(w, j);
    json_put_int(w, "startTime", j->start_s);
    if (j->state == JOBS_IN_PROGRESS)
        json_put_null(w, "endTime");
    else
        json_put_int(w, "endTime", j->end_s > 0 ? j->end_s : j->start_s);
    json_put_text(w, "jobId", j->id);
    if (!api_job_restores(j->kind))
        put_folder_uri(w, j);
    put_more(how == LISTED ? NULL : a, w, j, &p);
    json_close(w);
}

enum cf_rc api_put_status(struct api *a, const struct jobs_record *j, struct api_reply *rp,
                          struct cf_err *e)
{
    struct json_wr w;
    json_wr_init(&w, &rp->body, e);
    put_job(a, &w, j, rp->no_details ? WITHOUT_WORDS : WHOLE);
    return json_wr_end(&w);
}

/* --- extensions of ours --- */

struct job_list {
    struct api *a;
    struct json_wr w;
};

static enum cf_rc put_listed(void *ctx, const struct jobs_record *j, struct cf_err *e)
{
    struct job_list *l = ctx;
    (void)e;
    put_job(l->a, &l->w, j, LISTED);
    return CF_OK;
}

/* Every job that is still known, newest first. */
enum cf_rc api_get_jobs(struct api *a, struct api_request *rq, struct api_reply *rp,
                        struct cf_err *e)
{
    struct job_list l = { .a = a };
    (void)rq;
    json_wr_init(&l.w, &rp->body, e);
    json_put_object(&l.w, NULL);
    json_put_array(&l.w, "value");
    enum cf_rc rc = jobs_list(a->cfg.jobs, put_listed, &l, e);
    json_close(&l.w);
    json_close(&l.w);
    return rc == CF_OK ? json_wr_end(&l.w) : rc;
}

enum cf_rc api_get_job(struct api *a, struct api_request *rq, struct api_reply *rp,
                       struct cf_err *e)
{
    struct jobs_record j;
    enum cf_rc rc = jobs_get(a->cfg.jobs, rq->arg, &j, e);
    rp->retry_after = rc == CF_OK && j.state == JOBS_IN_PROGRESS;
    return rc == CF_OK ? api_put_status(a, &j, rp, e) : rc;
}

/* The status as it stands: the job ends a little later, and asking again is fine. */
enum cf_rc api_post_job_cancel(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    enum cf_rc rc = jobs_cancel(a->cfg.jobs, rq->arg, e);
    rp->status = rc == CF_OK ? 202 : 0;
    return rc == CF_OK ? api_get_job(a, rq, rp, e) : rc;
}
