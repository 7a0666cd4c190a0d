#include "run/plan.h"
#include "run_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERRAND_ATTEMPTS 3

/* What the token will not allow, told with the job from its start. */
static void note_warnings(struct job *j)
{
    for (size_t i = 0; i < j->report.nwarnings; i++)
        job_warn(j, j->report.warnings[i]);
}

/* A clock that is behind the job's start was not set yet in this life: no reason to call a SAS that
 * was good then not valid yet. */
static enum cf_rc open_place(struct job *j, const struct run_request *q, enum blob_need need,
                             int64_t began_s, struct cf_err *e)
{
    struct run *r = j->r;
    struct blob_options storage = r->o.storage;
    int64_t now_s = hal_clock_unix_ms(r->o.clock) / 1000;
    storage.connections = job_connections_each(j);
    storage.not_before_s = began_s;
    enum cf_rc rc = blob_place_check(&q->place, need, &storage, now_s, &j->report, e);
    if (rc != CF_OK)
        return rc;
    note_warnings(j);
    rc = blob_store_open(&q->place, need, &storage, r->o.clock, &j->store, e);
    if (rc == CF_OK)
        rc = blob_lane_new(j->store, &j->lane, e);
    if (rc == CF_OK && need == BLOB_TO_WRITE)
        rc = blob_writer_new(j->lane, &j->writer, e);
    if (rc == CF_OK && need == BLOB_TO_ERASE)
        rc = blob_eraser_new(j->lane, &j->eraser, e);
    return rc;
}

/* The client's choices, the appliance's settings, the built-in ones. So many connections at most
 * that each can have a share on which no request takes minutes. */
static void settle_choices(struct job *j, const struct jobs_choices *asked)
{
    const struct run_options *o = &j->r->o;
    struct jobs_choices *c = &j->choices;
    *c = *asked;
    if (c->limit_rate == 0)
        c->limit_rate = o->limit_rate;
    if (c->connections == 0)
        c->connections = o->connections ? o->connections : RUN_CONNECTIONS;
    uint64_t shares = c->limit_rate / JOBS_RATE_MIN;
    if (c->limit_rate && shares < c->connections)
        c->connections = shares ? (unsigned)shares : 1;
    pace_init(&j->pace, c->limit_rate);
}

static enum blob_need need_of(enum jobs_kind kind, const struct run_request *q)
{
    switch (kind) {
    case JOBS_BACKUP:
    case JOBS_PRE_BACKUP:
        return BLOB_TO_WRITE;
    case JOBS_RETENTION:
        return q->prune->dry_run ? BLOB_TO_READ : BLOB_TO_ERASE;
    case JOBS_RESTORE:
    case JOBS_SELECTIVE:
    case JOBS_PRE_RESTORE:
    case JOBS_VERIFY:
    case JOBS_PLAN:
    case JOBS_UNDO:
    default:
        return BLOB_TO_READ;
    }
}

enum cf_rc job_new(struct run *r, enum jobs_kind kind, const struct run_request *q, int64_t began_s,
                   struct job **out, struct cf_err *e)
{
    bool reads = kind == JOBS_RESTORE || kind == JOBS_SELECTIVE || kind == JOBS_PRE_RESTORE ||
                 kind == JOBS_VERIFY || kind == JOBS_PLAN;
    enum cf_rc rc = CF_OK;
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    j->r = r;
    j->kind = kind;
    settle_choices(j, &q->choices);
    if (q->prune)
        j->prune = *q->prune;
    j->accepts = q->accepted_writer != NULL;
    if (q->accepted_writer)
        memcpy(j->accepted, q->accepted_writer, sizeof j->accepted);
    if (reads && q->folder)
        rc = blob_folder_name(q->folder, j->folder, e);
    if (rc == CF_OK && strlen(j->folder) >= JOBS_FOLDER_SIZE)
        rc = cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "the folder's name is too long"), "BadRequest");
    if (rc == CF_OK && (kind == JOBS_SELECTIVE || (kind == JOBS_PLAN && q->key)))
        rc = keystore_name(q->key ? q->key : "", j->key, e);
    if (rc == CF_OK && q->place.uri)
        rc = open_place(j, q, need_of(kind, q), began_s, e);
    if (rc != CF_OK) {
        job_free(j);
        return rc;
    }
    *out = j;
    return CF_OK;
}

static enum cf_rc start(struct run *r, enum jobs_kind kind, const struct run_request *q,
                        struct jobs_record *out, struct cf_err *e)
{
    struct job *j = NULL;
    bool pre = kind == JOBS_PRE_BACKUP || kind == JOBS_PRE_RESTORE;
    bool needs_folder =
        kind == JOBS_RESTORE || kind == JOBS_SELECTIVE || kind == JOBS_VERIFY || kind == JOBS_PLAN;
    if (!pre && !q->place.uri)
        return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "no storage was named"), "BadRequest");
    if (needs_folder && (!q->folder || !q->folder[0]))
        return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "no folder was named"), "BadRequest");
    enum cf_rc rc = job_new(r, kind, q, 0, &j, e);
    if (rc != CF_OK)
        return rc;
    if (kind == JOBS_RESTORE)
        rc = jobs_restore_allowed(r->o.jobs, r->o.min_backup_age_s, e);
    if (rc != CF_OK) {
        job_free(j);
        return rc;
    }
    return job_launch(j, q, out, e);
}

enum cf_rc run_backup_start(struct run *r, const struct run_request *q, struct jobs_record *out,
                            struct cf_err *e)
{
    return start(r, JOBS_BACKUP, q, out, e);
}

enum cf_rc run_restore_start(struct run *r, const struct run_request *q, struct jobs_record *out,
                             struct cf_err *e)
{
    return start(r, JOBS_RESTORE, q, out, e);
}

enum cf_rc run_selective_start(struct run *r, const struct run_request *q, struct jobs_record *out,
                               struct cf_err *e)
{
    return start(r, JOBS_SELECTIVE, q, out, e);
}

enum cf_rc run_prebackup_start(struct run *r, const struct run_request *q, struct jobs_record *out,
                               struct cf_err *e)
{
    return start(r, JOBS_PRE_BACKUP, q, out, e);
}

enum cf_rc run_prerestore_start(struct run *r, const struct run_request *q, struct jobs_record *out,
                                struct cf_err *e)
{
    return start(r, JOBS_PRE_RESTORE, q, out, e);
}

enum cf_rc run_verify_start(struct run *r, const struct run_request *q, struct jobs_record *out,
                            struct cf_err *e)
{
    return start(r, JOBS_VERIFY, q, out, e);
}

enum cf_rc run_prune_start(struct run *r, const struct run_request *q, struct jobs_record *out,
                           struct cf_err *e)
{
    enum cf_rc rc = q->prune ? retain_check(&q->prune->policy, e)
                             : CF_FAIL(e, CF_E_ARG, "a pruning without a policy");
    return rc == CF_OK ? start(r, JOBS_RETENTION, q, out, e) : rc;
}

enum cf_rc run_plan_start(struct run *r, const struct run_request *q, struct jobs_record *out,
                          struct cf_err *e)
{
    return start(r, JOBS_PLAN, q, out, e);
}

enum cf_rc run_undo_start(struct run *r, const struct run_request *q, struct jobs_record *out,
                          struct cf_err *e)
{
    struct run_undo u;
    struct job *j = NULL;
    const struct run_request own = { .who = q->who };
    enum cf_rc rc = run_undo_look(r, &u, e);
    if (rc == CF_OK)
        rc = job_new(r, JOBS_UNDO, &own, 0, &j, e);
    if (rc != CF_OK)
        return rc;
    snprintf(j->folder, sizeof j->folder, "%s", u.folder);
    return job_launch(j, &own, out, e);
}

enum cf_rc job_errand(struct run *r, const struct run_request *q, struct job **out,
                      struct cf_err *e)
{
    struct run_request own = *q;
    own.folder = NULL;
    if (!q->place.uri)
        return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "no storage was named"), "BadRequest");
    enum cf_rc rc = job_new(r, JOBS_PRE_RESTORE, &own, 0, out, e);
    if (rc != CF_OK)
        return rc;
    (*out)->errand = true;
    (*out)->tries = ERRAND_ATTEMPTS;
    patience_begin(*out, false);
    return CF_OK;
}
