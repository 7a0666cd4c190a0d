#include "run_priv.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

#define INSIST_US 200000

typedef enum cf_rc job_main_fn(struct job *j, struct cf_err *e);

static job_main_fn *const mains[] = {
    [JOBS_BACKUP] = backup_main,
    [JOBS_RESTORE] = restore_main,
    [JOBS_SELECTIVE] = selective_main,
    [JOBS_PRE_BACKUP] = prebackup_main,
    [JOBS_PRE_RESTORE] = prerestore_main,
    [JOBS_VERIFY] = verify_main,
    [JOBS_RETENTION] = prune_main,
    [JOBS_UNDO] = undo_main,
    [JOBS_PLAN] = plan_main,
};

static const char *const operations[] = {
    [JOBS_BACKUP] = "BackupEnd",          [JOBS_RESTORE] = "RestoreEnd",
    [JOBS_SELECTIVE] = "KeyRestoreEnd",   [JOBS_PRE_BACKUP] = "PreBackupEnd",
    [JOBS_PRE_RESTORE] = "PreRestoreEnd", [JOBS_VERIFY] = "VerifyEnd",
    [JOBS_RETENTION] = "PruneEnd",        [JOBS_UNDO] = "RestoreUndoEnd",
    [JOBS_PLAN] = "RestorePlanEnd",
};

void run_step_back(void)
{
    int base = getpriority(PRIO_PROCESS, 0); /* Linux: both calls are of this thread */
    (void)setpriority(PRIO_PROCESS, 0, base + RUN_NICE);
}

bool job_canceled(struct job *j)
{
    return atomic_load(&j->r->closing) || (!j->errand && jobs_cancel_asked(j->r->o.jobs));
}

enum cf_rc job_past_cancel(struct job *j, struct cf_err *e)
{
    if (atomic_load(&j->r->closing))
        return CF_FAIL(e, CF_E_CANCEL, "canceled");
    return jobs_past_cancel(j->r->o.jobs, e);
}

void job_phase(struct job *j, const char *phase)
{
    jobs_set_phase(j->r->o.jobs, phase);
}

static void show_progress(struct job *j)
{
    uint64_t total = atomic_load(&j->total_bytes);
    uint64_t done = atomic_load(&j->done_bytes) + atomic_load(&j->moving_bytes);
    jobs_set_progress(j->r->o.jobs, total && done > total ? total : done, total);
}

void job_advance(struct job *j, uint64_t plain_bytes)
{
    atomic_fetch_add(&j->done_bytes, plain_bytes);
    show_progress(j);
}

void job_moving(struct job *j, int64_t bytes)
{
    atomic_fetch_add(&j->moving_bytes, (uint64_t)bytes);
    show_progress(j);
}

bool job_pause(struct job *j, uint64_t ms)
{
    while (ms > 0 && !job_canceled(j)) {
        uint64_t step = ms < RUN_POLL_MS ? ms : RUN_POLL_MS;
        (void)poll(NULL, 0, (int)step);
        ms -= step;
    }
    return !job_canceled(j);
}

enum cf_rc job_pace(struct job *j, size_t bytes, struct cf_err *e)
{
    uint64_t now_us = hal_clock_monotonic_ms(j->r->o.clock) * 1000;
    uint64_t wait_ms = pace_book(&j->pace, now_us, bytes) / 1000;
    return wait_ms == 0 || job_pause(j, wait_ms) ? CF_OK : CF_FAIL(e, CF_E_CANCEL, "canceled");
}

void job_warn(struct job *j, const char *text)
{
    size_t used = strlen(j->warning);
    snprintf(j->warning + used, sizeof j->warning - used, "%s%s", used ? "; " : "", text);
}

void job_blob(const struct job *j, const char *name, char out[BLOB_NAME_MAX + 1])
{
    snprintf(out, BLOB_NAME_MAX + 1, "%s/%s", j->folder, name);
}

void job_free(struct job *j)
{
    if (!j)
        return;
    engine_free(j->engine);
    blob_writer_free(j->writer);
    blob_eraser_free(j->eraser);
    blob_lane_free(j->lane);
    blob_store_free(j->store);
    cf_buf_clear(&j->receipt);
    free(j->cover);
    free(j);
}

/* The whole truth, for the log that only auditors read. */
static void audit_end(struct job *j, const struct cf_err *err)
{
    struct audit_record rec = { .operation = operations[j->kind],
                                .principal = j->record.who,
                                .resource = j->record.id,
                                .detail = err->rc == CF_OK ? j->details : err->text };
    struct cf_err ignored = { 0 };
    if (j->r->o.audit && audit_append(j->r->o.audit, &rec, &ignored) != CF_OK)
        cf_log(CF_LOG_ERROR, "run", "audit-failed", "job=%s", j->record.id);
    cf_log(err->rc == CF_OK ? CF_LOG_INFO : CF_LOG_ERROR, "run", "job-end",
           "job=%s kind=%d rc=%s wire_bytes=%llu where=%s", j->record.id, (int)j->kind,
           cf_rc_name(err->rc), (unsigned long long)atomic_load(&j->wire_bytes),
           err->where ? err->where : "-"); /* not the text: it may name a key */
}

/* What replaces the state serves nobody else meanwhile. */
static bool switches(enum jobs_kind kind)
{
    return kind == JOBS_RESTORE || kind == JOBS_UNDO;
}

/* The mode turns new requests away; the hold those that were let in before and have not written
 * yet. */
static enum cf_rc restore_mode(struct run *r, bool on, struct cf_err *e)
{
    enum cf_rc rc = jobs_set_restore_mode(r->o.jobs, on, e);
    if (rc == CF_OK || !on)
        store_live_hold(r->o.live, on);
    return rc;
}

static enum cf_rc leave_restore_mode(struct job *j, const struct jobs_end *end, struct cf_err *e)
{
    (void)end;
    return restore_mode(j->r, false, e);
}

static enum cf_rc end_record(struct job *j, const struct jobs_end *end, struct cf_err *e)
{
    return jobs_finish(j->r->o.jobs, j->record.id, end, e);
}

/* A medium that is full may have failed the job, and its end too: without a record of its end no
 * other job would start, and without leaving restore mode no request be served, until a restart. So
 * it is tried until it succeeds; a stop leaves it to the next start. */
static enum cf_rc insist(struct job *j,
                         enum cf_rc (*step)(struct job *j, const struct jobs_end *end,
                                            struct cf_err *e),
                         const struct jobs_end *end, const char *event)
{
    for (bool said = false;; said = true) {
        struct cf_err err = { 0 };
        enum cf_rc rc = step(j, end, &err);
        if (rc == CF_OK)
            return rc;
        if (!said)
            cf_log(CF_LOG_ERROR, "run", event, "job=%s text=\"%s\"", j->record.id, err.text);
        if (rc == CF_E_STATE || rc == CF_E_ABSENT || atomic_load(&j->r->closing))
            return rc;
        usleep(INSIST_US);
    }
}

static void finish(struct job *j, enum cf_rc rc, const struct cf_err *err)
{
    char code[JOBS_CODE_SIZE], text[JOBS_TEXT_SIZE];
    struct jobs_end end = { .event = JOBS_EV_DONE,
                            .bytes = atomic_load(&j->wire_bytes),
                            .elapsed_ms = hal_clock_monotonic_ms(j->r->o.clock) - j->started_ms };
    if (j->details[0])
        end.details = j->details;
    if (j->warning[0])
        end.warning = j->warning;
    struct jobs_receipt receipt = { .bytes = j->receipt.data,
                                    .len = j->receipt.len,
                                    .facts = j->verified };
    struct jobs_cover cover[JOBS_COVERS_MAX];
    if (rc == CF_OK && j->receipt.len)
        end.receipt = &receipt;
    if (rc == CF_OK)
        end.cover_count = job_tell_cover(j, cover);
    end.cover = cover;
    if (rc != CF_OK) {
        words_for(j, err, code, text);
        end.event = rc == CF_E_CANCEL ? JOBS_EV_CANCEL : JOBS_EV_ERROR;
        end.error_code = code;
        end.error = text;
        end.details = text;
    }
    audit_end(j, err);
    if (job_goes_on(j->kind))
        request_wipe(j->r); /* from here on it cannot go on, whatever its record says */
    if (switches(j->kind))
        (void)!insist(j, leave_restore_mode, NULL, "restore-mode-stuck");
    if (insist(j, end_record, &end, "job-not-ended") != CF_OK)
        return;
    if (j->kind == JOBS_BACKUP)
        journal_remove(j->r->o.dir, JOURNAL_OUT);
    if (j->kind == JOBS_RESTORE)
        journal_remove(j->r->o.dir, JOURNAL_IN);
}

/* A stop of the appliance leaves what goes on as it stands: InProgress, in restore mode. A service
 * manager's signal reaches the token worker too, so a call that it cut is part of the stop. */
static bool is_suspended(struct job *j, enum cf_rc rc)
{
    bool by_stop = rc == CF_E_CANCEL || rc == CF_E_TOKEN;
    bool suspended = by_stop && job_goes_on(j->kind) && atomic_load(&j->r->closing) &&
                     !jobs_cancel_asked(j->r->o.jobs);
    if (suspended)
        cf_log(CF_LOG_INFO, "run", "job-suspended", "job=%s", j->record.id);
    return suspended;
}

static void *job_main(void *arg)
{
    struct job *j = arg;
    struct run *r = j->r;
    struct cf_err err = { 0 };
    run_step_back();
    enum cf_rc rc = j->stillborn.rc;
    if (j->taken_up)
        patience_clock(j);
    if (rc == CF_OK)
        rc = mains[j->kind](j, &err);
    else
        err = j->stillborn;
    err.rc = rc;
    engine_free(j->engine); /* no transfer outlives its job's record */
    j->engine = NULL;
    if (!is_suspended(j, rc))
        finish(j, rc, &err);
    job_free(j);
    pthread_mutex_lock(&r->lock);
    r->busy = false;
    pthread_cond_broadcast(&r->idle);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* With the lock: without it a second start could slip between the record and the thread. */
static enum cf_rc start_thread(struct job *j, struct cf_err *e)
{
    struct run *r = j->r;
    while (r->busy) /* the one before has ended but for its last lines */
        pthread_cond_wait(&r->idle, &r->lock);
    if (r->joinable)
        pthread_join(r->thread, NULL);
    r->joinable = false;
    r->busy = true;
    if (switches(j->kind) && j->stillborn.rc == CF_OK)
        j->stillborn.rc = restore_mode(r, true, &j->stillborn);
    if (pthread_create(&r->thread, NULL, job_main, j) == 0) {
        r->joinable = true;
        return CF_OK;
    }
    r->busy = false;
    struct cf_err ignored = { 0 };
    struct jobs_end end = { .event = JOBS_EV_ERROR,
                            .error_code = "InternalError",
                            .error = "the job could not be started" };
    if (switches(j->kind))
        (void)!restore_mode(r, false, &ignored);
    (void)!jobs_finish(r->o.jobs, j->record.id, &end, &ignored);
    return CF_FAIL(e, CF_E_LIMIT, "cannot start the job's thread");
}

static void keep_request(struct job *j, const struct run_request *q)
{
    struct token_wait wait = { .most = TOKEN_TRIES_AT_START };
    enum cf_rc rc = CF_OK;
    do
        rc = request_save(j->r, j->record.id, q, &j->stillborn);
    while (patience_token(j, &wait, &rc, &j->stillborn));
    j->stillborn.rc = rc;
}

static enum cf_rc launch_locked(struct job *j, const struct run_request *q,
                                const struct jobs_record *in, struct jobs_record *out,
                                struct cf_err *e)
{
    struct run *r = j->r;
    if (atomic_load(&r->closing))
        return CF_FAIL(e, CF_E_STATE, "the appliance is shutting down");
    enum cf_rc rc = jobs_start(r->o.jobs, in, &j->record, e);
    if (rc != CF_OK)
        return rc;
    *out = j->record;
    if (job_goes_on(j->kind))
        keep_request(j, q);
    return start_thread(j, e);
}

enum cf_rc job_launch(struct job *j, const struct run_request *q, struct jobs_record *out,
                      struct cf_err *e)
{
    struct run *r = j->r;
    struct jobs_record in = { .kind = j->kind };
    snprintf(in.who, sizeof in.who, "%s", q->who ? q->who : "");
    snprintf(in.uri, sizeof in.uri, "%s", j->store ? blob_store_shown(j->store) : "");
    snprintf(in.folder, sizeof in.folder, "%s", j->kind == JOBS_BACKUP ? "" : j->folder);
    snprintf(in.key, sizeof in.key, "%s", j->key);
    j->started_ms = hal_clock_monotonic_ms(r->o.clock);
    patience_begin(j, false);
    pthread_mutex_lock(&r->lock);
    enum cf_rc rc = launch_locked(j, q, &in, out, e); /* from here on `j` may be gone */
    pthread_mutex_unlock(&r->lock);
    if (rc != CF_OK)
        job_free(j);
    return rc;
}

enum cf_rc job_take_up(struct job *j, const struct jobs_record *rec, struct cf_err *e)
{
    struct run *r = j->r;
    bool backup = j->kind == JOBS_BACKUP;
    int64_t since_ms = hal_clock_unix_ms(r->o.clock) - rec->start_s * 1000;
    j->record = *rec;
    j->taken_up = true;
    j->started_ms = hal_clock_monotonic_ms(r->o.clock) - (uint64_t)(since_ms > 0 ? since_ms : 0);
    patience_begin(j, backup ? rec->folder[0] != 0 : journal_there(r->o.dir, JOURNAL_IN));
    pthread_mutex_lock(&r->lock);
    enum cf_rc rc = start_thread(j, e);
    pthread_mutex_unlock(&r->lock);
    if (rc != CF_OK)
        job_free(j);
    return rc;
}
