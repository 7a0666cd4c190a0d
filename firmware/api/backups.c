#include <stdio.h>
#include <string.h>

#include "handlers_priv.h"

static bool restores(enum jobs_kind k)
{
    return k == JOBS_RESTORE || k == JOBS_SELECTIVE || k == JOBS_PRE_RESTORE || k == JOBS_VERIFY;
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

/* What the appliance knows beyond the service's own members; clients skip what they do not know. */
static void put_more(struct api *a, struct json_wr *w, const struct jobs_record *j)
{
    json_put_object(w, "coffer");
    json_put_text(w, "kind", jobs_kind_name(j->kind));
    json_put_text(w, "folder", j->folder[0] ? j->folder : NULL);
    if (j->state == JOBS_IN_PROGRESS) {
        struct jobs_progress p = jobs_get_progress(a->cfg.jobs);
        json_put_int(w, "doneBytes", (int64_t)p.done_bytes);
        json_put_int(w, "totalBytes", (int64_t)p.total_bytes);
    } else {
        json_put_int(w, "bytes", (int64_t)j->bytes);
        json_put_int(w, "elapsedMs", (int64_t)j->elapsed_ms);
    }
    if (j->warning[0])
        json_put_text(w, "warning", j->warning);
    json_close(w);
}

static void put_folder_uri(struct json_wr *w, const struct jobs_record *j)
{
    char uri[JOBS_URI_SIZE + JOBS_FOLDER_SIZE + 1];
    snprintf(uri, sizeof uri, "%s/%s", j->uri, j->folder);
    bool made = j->kind == JOBS_BACKUP && j->state == JOBS_SUCCEEDED;
    json_put_text(w, "azureStorageBlobContainerUri", made ? uri : NULL);
}

/* API document 2.4: endTime stays null until the end, which old clients judge by. */
static void put_job(struct api *a, struct json_wr *w, const struct jobs_record *j)
{
    json_put_object(w, NULL);
    json_put_text(w, "status", jobs_state_name(j->state));
    json_put_text(w, "statusDetails", j->details[0] ? j->details : NULL);
    put_error(w, j);
    json_put_int(w, "startTime", j->start_s);
    if (j->state == JOBS_IN_PROGRESS)
        json_put_null(w, "endTime");
    else
        json_put_int(w, "endTime", j->end_s > 0 ? j->end_s : j->start_s);
    json_put_text(w, "jobId", j->id);
    if (!restores(j->kind))
        put_folder_uri(w, j);
    put_more(a, w, j);
    json_close(w);
}

static enum cf_rc put_status(struct api *a, const struct jobs_record *j, struct api_reply *rp,
                             struct cf_err *e)
{
    struct json_wr w;
    json_wr_init(&w, &rp->body, e);
    put_job(a, &w, j);
    return json_wr_end(&w);
}

/* "https://acct.blob.../cont/" and "?sv=..." as people paste them (2.4, input tolerance). */
static enum cf_rc read_storage(const struct json *v, struct cf_buf *uri, struct api_job_order *o,
                               struct cf_err *e)
{
    const char *text = NULL;
    enum cf_rc rc = json_opt_text(v, "storageResourceUri", &text, e);
    if (rc == CF_OK)
        rc = json_opt_text(v, "token", &o->sas, e);
    if (rc == CF_OK)
        rc = json_opt_bool(v, "useManagedIdentity", &o->managed_identity, e);
    if (rc == CF_OK && text && *text) {
        size_t len = strlen(text);
        while (len && text[len - 1] == '/')
            len--;
        rc = cf_buf_put(uri, text, len, e);
        if (rc == CF_OK)
            rc = cf_buf_text(uri, &o->storage_uri, e);
    }
    if (o->sas && o->sas[0] == '?')
        o->sas++;
    if (o->sas && !*o->sas)
        o->sas = NULL;
    return rc;
}

static enum cf_rc check_storage(const struct api_job_order *o, struct cf_err *e)
{
    if (o->managed_identity && o->sas)
        return API_BAD(e, "token and useManagedIdentity exclude each other");
    if (o->kind == JOBS_PRE_BACKUP || o->kind == JOBS_PRE_RESTORE)
        return CF_OK;
    if (!o->storage_uri)
        return API_BAD(e, "storageResourceUri is missing");
    if (restores(o->kind) && !o->folder)
        return API_BAD(e, "The backup's folder is missing");
    return CF_OK; /* no token: fine for a directory; the store says so where it needs one */
}

/* Clients cut a backup's URL behind the container (which, where the account stands in the path, is
 * behind the account) or before its last segment (2.4): all but the last segment goes to the place.
 */
static enum cf_rc move_parents(struct cf_buf *uri, struct api_job_order *o, struct cf_err *e)
{
    const char *folder = o->folder + strspn(o->folder, "/");
    size_t len = strlen(folder);
    while (len && folder[len - 1] == '/')
        len--;
    const char *slash = len ? memrchr(folder, '/', len) : NULL;
    if (!slash || !o->storage_uri)
        return CF_OK;
    enum cf_rc rc = cf_buf_put(uri, "/", 1, e);
    if (rc == CF_OK)
        rc = cf_buf_put(uri, folder, (size_t)(slash - folder), e);
    if (rc == CF_OK)
        rc = cf_buf_text(uri, &o->storage_uri, e);
    o->folder = slash + 1;
    return rc;
}

/* Routes of ours refuse what they do not know; the service's own take what clients add. */
static enum cf_rc check_members(const struct json *body, const struct json *storage,
                                struct cf_err *e)
{
    static const char *const top[] = { "sasTokenParameters", "folderToRestore", "coffer" };
    static const char *const place[] = { "storageResourceUri", "token", "useManagedIdentity" };
    enum cf_rc rc = json_only(body, top, sizeof top / sizeof top[0], e);
    if (rc == CF_OK && storage)
        rc = json_only(storage, place, sizeof place / sizeof place[0], e);
    return rc == CF_OK ? rc : cf_err_code(e, rc, "BadParameter");
}

/* The two shapes of bodies: storage at the top (backups), or beside a folder (restores). */
static enum cf_rc read_order(const struct json *body, struct cf_buf *uri, struct api_job_order *o,
                             struct cf_err *e)
{
    const struct json *storage = body;
    const char *member = o->kind == JOBS_SELECTIVE ? "folder" : "folderToRestore";
    enum cf_rc rc = CF_OK;
    if (restores(o->kind)) {
        storage = NULL;
        rc = json_opt_object(body, "sasTokenParameters", &storage, e);
        if (rc == CF_OK)
            rc = json_opt_text(body, member, &o->folder, e);
    }
    if (rc == CF_OK && o->kind == JOBS_VERIFY)
        rc = check_members(body, storage, e);
    if (rc == CF_OK && storage)
        rc = read_storage(storage, uri, o, e);
    if (rc == CF_OK && o->folder && !*o->folder)
        o->folder = NULL;
    if (rc == CF_OK && o->folder)
        rc = move_parents(uri, o, e);
    if (rc == CF_OK)
        rc = api_read_choices(body, &o->choices, e);
    return rc == CF_OK ? check_storage(o, e) : rc;
}

/* Answers 202 with the place to ask (2.4). */
static enum cf_rc accepted(struct api *a, const struct jobs_record *j, struct api_reply *rp,
                           struct cf_err *e)
{
    enum cf_rc rc = put_status(a, j, rp, e);
    snprintf(rp->async_path, sizeof rp->async_path, "/%s/%s/pending",
             restores(j->kind) ? "restore" : "backup", j->id);
    rp->retry_after = true;
    rp->status = 202;
    return rc;
}

static enum cf_rc start(struct api *a, struct api_request *rq, enum jobs_kind kind,
                        struct api_reply *rp, struct cf_err *e)
{
    struct json *body = NULL;
    struct cf_buf uri = { 0 };
    struct jobs_record job = { 0 };
    struct api_job_order o = { .kind = kind, .who = rq->who.oid };
    if (kind == JOBS_SELECTIVE)
        o.key = rq->key;
    bool optional = kind == JOBS_PRE_BACKUP || kind == JOBS_PRE_RESTORE;
    enum cf_rc rc = CF_OK;
    if (rq->body.len || !optional)
        rc = api_body(rq, &body, e);
    if (rc == CF_OK && body)
        rc = read_order(body, &uri, &o, e);
    if (rc == CF_OK)
        rc = a->cfg.services->start(a->cfg.services->ctx, &o, &job, e);
    if (rc == CF_OK)
        rc = accepted(a, &job, rp, e);
    cf_buf_clear(&uri);
    json_free(body);
    return rc;
}

enum cf_rc api_post_backup(struct api *a, struct api_request *rq, struct api_reply *rp,
                           struct cf_err *e)
{
    return start(a, rq, JOBS_BACKUP, rp, e);
}

enum cf_rc api_post_prebackup(struct api *a, struct api_request *rq, struct api_reply *rp,
                              struct cf_err *e)
{
    return start(a, rq, JOBS_PRE_BACKUP, rp, e);
}

enum cf_rc api_put_restore(struct api *a, struct api_request *rq, struct api_reply *rp,
                           struct cf_err *e)
{
    return start(a, rq, JOBS_RESTORE, rp, e);
}

enum cf_rc api_put_prerestore(struct api *a, struct api_request *rq, struct api_reply *rp,
                              struct cf_err *e)
{
    return start(a, rq, JOBS_PRE_RESTORE, rp, e);
}

enum cf_rc api_put_key_restore(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    return start(a, rq, JOBS_SELECTIVE, rp, e);
}

enum cf_rc api_post_verify_backup(struct api *a, struct api_request *rq, struct api_reply *rp,
                                  struct cf_err *e)
{
    return start(a, rq, JOBS_VERIFY, rp, e);
}

static enum cf_rc pending(struct api *a, const struct api_request *rq, bool restore,
                          struct api_reply *rp, struct cf_err *e)
{
    struct jobs_record j;
    enum cf_rc rc = jobs_get(a->cfg.jobs, rq->arg, &j, e);
    if (rc == CF_OK && restores(j.kind) != restore)
        rc = cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "The given jobId is not found"), "NotFound");
    if (rc != CF_OK)
        return rc;
    rp->retry_after = j.state == JOBS_IN_PROGRESS;
    return put_status(a, &j, rp, e);
}

enum cf_rc api_get_backup_pending(struct api *a, struct api_request *rq, struct api_reply *rp,
                                  struct cf_err *e)
{
    return pending(a, rq, false, rp, e);
}

enum cf_rc api_get_restore_pending(struct api *a, struct api_request *rq, struct api_reply *rp,
                                   struct cf_err *e)
{
    return pending(a, rq, true, rp, e);
}

/* Some clients ask the start URL once more at the end (2.4): the last job of that kind answers. */
static enum cf_rc last(struct api *a, enum jobs_kind kind, struct api_reply *rp, struct cf_err *e)
{
    struct jobs_record j;
    enum cf_rc rc = jobs_last(a->cfg.jobs, kind, &j, e);
    return rc == CF_OK ? put_status(a, &j, rp, e) : rc;
}

enum cf_rc api_get_restore(struct api *a, struct api_request *rq, struct api_reply *rp,
                           struct cf_err *e)
{
    (void)rq;
    return last(a, JOBS_RESTORE, rp, e);
}

enum cf_rc api_get_key_restore(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    (void)rq;
    return last(a, JOBS_SELECTIVE, rp, e);
}

struct job_list {
    struct api *a;
    struct json_wr w;
};

static enum cf_rc put_listed(void *ctx, const struct jobs_record *j, struct cf_err *e)
{
    struct job_list *l = ctx;
    (void)e;
    put_job(l->a, &l->w, j);
    return CF_OK;
}

/* An extension of ours: every job that is still known, newest first. */
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
