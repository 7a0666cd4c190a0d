#include <stdio.h>
#include <string.h>

#include "handlers_priv.h"

/* "https://acct.blob.../cont/" and "?sv=..." as people paste them (2.4, input tolerance). */
enum cf_rc api_read_storage(const struct json *v, struct cf_buf *uri, struct api_job_order *o,
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
    if (api_job_restores(o->kind) && !o->folder)
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
    static const char *const top[] = { "sasTokenParameters", "folderToRestore", "sample",
                                       "coffer" };
    static const char *const place[] = { "storageResourceUri", "token", "useManagedIdentity" };
    enum cf_rc rc = json_only(body, top, sizeof top / sizeof top[0], e);
    if (rc == CF_OK && storage)
        rc = json_only(storage, place, sizeof place / sizeof place[0], e);
    return rc == CF_OK ? rc : cf_err_code(e, rc, "BadParameter");
}

static enum cf_rc read_verify(const struct json *body, const struct json *storage,
                              struct api_job_order *o, struct cf_err *e)
{
    int64_t percent = 100;
    enum cf_rc rc = check_members(body, storage, e);
    if (rc == CF_OK)
        rc = json_opt_int(body, "sample", (struct json_range){ 1, 100 }, &percent, e);
    o->choices.sample_percent = (unsigned)percent;
    return rc;
}

/* The two shapes of bodies: storage at the top (backups), or beside a folder (restores). */
static enum cf_rc read_order(const struct json *body, struct cf_buf *uri, struct api_job_order *o,
                             struct cf_err *e)
{
    const struct json *storage = body;
    const char *member = o->kind == JOBS_SELECTIVE ? "folder" : "folderToRestore";
    enum cf_rc rc = CF_OK;
    if (api_job_restores(o->kind)) {
        storage = NULL;
        rc = json_opt_object(body, "sasTokenParameters", &storage, e);
        if (rc == CF_OK)
            rc = json_opt_text(body, member, &o->folder, e);
    }
    if (rc == CF_OK && o->kind == JOBS_VERIFY)
        rc = read_verify(body, storage, o, e);
    if (rc == CF_OK && o->kind == JOBS_PLAN)
        rc = check_members(body, storage, e);
    if (rc == CF_OK && storage)
        rc = api_read_storage(storage, uri, o, e);
    if (rc == CF_OK && o->folder && !*o->folder)
        o->folder = NULL;
    if (rc == CF_OK && o->folder)
        rc = move_parents(uri, o, e);
    if (rc == CF_OK)
        rc = api_read_choices(body, &o->choices, e);
    return rc == CF_OK ? check_storage(o, e) : rc;
}

enum cf_rc api_accepted(struct api *a, const struct jobs_record *j, struct api_reply *rp,
                        struct cf_err *e)
{
    rp->no_details = true; /* as the service has it at a start, however fast the job is */
    enum cf_rc rc = api_put_status(a, j, rp, e);
    snprintf(rp->async_path, sizeof rp->async_path, "/%s/%s/pending",
             api_job_restores(j->kind) ? "restore" : "backup", j->id);
    rp->retry_after = true;
    rp->status = 202;
    return rc;
}

/* A pruning names its storage as a backup does, and what it keeps beside it. */
static enum cf_rc read_prune(const struct json *body, struct cf_buf *uri, struct api_keep *keep,
                             struct api_job_order *o, struct cf_err *e)
{
    enum cf_rc rc = api_read_keep(body, keep, e);
    o->keep = keep;
    return rc == CF_OK ? read_order(body, uri, o, e) : rc;
}

static enum cf_rc start(struct api *a, struct api_request *rq, enum jobs_kind kind,
                        struct api_reply *rp, struct cf_err *e)
{
    struct json *body = NULL;
    struct cf_buf uri = { 0 };
    struct jobs_record job = { 0 };
    struct api_keep keep;
    struct api_job_order o = { .kind = kind, .who = rq->who.oid };
    if (kind == JOBS_SELECTIVE || kind == JOBS_PLAN)
        o.key = rq->key;
    bool optional = kind == JOBS_PRE_BACKUP || kind == JOBS_PRE_RESTORE;
    enum cf_rc rc = CF_OK;
    if (rq->body.len || !optional)
        rc = api_body(rq, &body, e);
    if (rc == CF_OK && body)
        rc = kind == JOBS_RETENTION ? read_prune(body, &uri, &keep, &o, e)
                                    : read_order(body, &uri, &o, e);
    if (rc == CF_OK)
        rc = a->cfg.services->start(a->cfg.services->ctx, &o, &job, e);
    if (rc == CF_OK)
        rc = api_accepted(a, &job, rp, e);
    cf_buf_clear(&uri);
    json_free(body);
    return rc;
}

enum cf_rc api_post_plan(struct api *a, struct api_request *rq, struct api_reply *rp,
                         struct cf_err *e)
{
    return start(a, rq, JOBS_PLAN, rp, e);
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

enum cf_rc api_post_prune(struct api *a, struct api_request *rq, struct api_reply *rp,
                          struct cf_err *e)
{
    return start(a, rq, JOBS_RETENTION, rp, e);
}

/* JavaScript's first clients fail on any details (2.4); they name this version in each poll. */
#define TAKES_WORDS_FOR_FAILURE "7.2-preview"

static enum cf_rc pending(struct api *a, const struct api_request *rq, bool restore,
                          struct api_reply *rp, struct cf_err *e)
{
    struct jobs_record j;
    enum cf_rc rc = jobs_get(a->cfg.jobs, rq->arg, &j, e);
    if (rc == CF_OK && api_job_restores(j.kind) != restore)
        rc = cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "The given jobId is not found"), "NotFound");
    if (rc != CF_OK)
        return rc;
    rp->retry_after = j.state == JOBS_IN_PROGRESS;
    const char *version = api_param(&rq->query, "api-version");
    rp->no_details = version && strcmp(version, TAKES_WORDS_FOR_FAILURE) == 0;
    return api_put_status(a, &j, rp, e);
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
    return rc == CF_OK ? api_put_status(a, &j, rp, e) : rc;
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
