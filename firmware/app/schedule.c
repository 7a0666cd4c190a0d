#include "appliance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/text.h"
#include "crypto/crypto.h"

#define LOOK_MS       500    /* how often a job under way is looked at */
#define BUSY_MS       10000  /* another job runs */
#define FAILED_MS     300000 /* after the first failure, doubled with each further one */
#define FAILED_MAX_MS 3600000
#define SAS_MAX       8192

void app_schedule_init(struct appliance *a)
{
    struct app_schedule *s = &a->schedule;
    struct cf_err err = { 0 };
    pthread_mutex_init(&s->lock, NULL);
    if (jobs_timetable_parse(a->config.schedule, &s->table, &err) != CF_OK)
        cf_log(CF_LOG_ERROR, "schedule", "ignored", "reason=\"%s\"", err.text);
}

static int64_t now_s(const struct appliance *a)
{
    return hal_clock_unix_ms(a->parts.clock) / 1000;
}

static uint64_t now_ms(const struct appliance *a)
{
    return hal_clock_monotonic_ms(a->parts.clock);
}

/* The same for a moment whenever it is asked for, another one on each appliance. */
static int64_t jitter(const struct appliance *a, int64_t moment_s)
{
    uint8_t text[sizeof a->id + 8], digest[32];
    memcpy(text, a->id, sizeof a->id);
    for (int i = 0; i < 8; i++)
        text[sizeof a->id + (size_t)i] = (uint8_t)((uint64_t)moment_s >> (8 * i));
    if (crypto_digest(HAL_SHA256, text, sizeof text, digest, NULL) != CF_OK)
        return 0;
    uint32_t n = (uint32_t)digest[0] | (uint32_t)digest[1] << 8 | (uint32_t)digest[2] << 16;
    return (int64_t)(n % (a->config.jitter_s + 1));
}

/* --- how it went ------------------------------------------------------------------------------
 */

static uint64_t pause_after(unsigned failures)
{
    uint64_t wait = FAILED_MS;
    for (unsigned i = 1; i < failures && wait < FAILED_MAX_MS; i++)
        wait *= 2;
    return wait < FAILED_MAX_MS ? wait : FAILED_MAX_MS;
}

/* A backup that failed stays due, but is not tried before the pause is over. */
static void tell(struct appliance *a, const char *problem, bool failed)
{
    struct app_schedule *s = &a->schedule;
    pthread_mutex_lock(&s->lock);
    s->locked.failures = failed ? s->locked.failures + 1 : 0;
    (void)cf_utf8_clean(problem, s->locked.problem, sizeof s->locked.problem);
    uint64_t pause_ms = pause_after(s->locked.failures);
    if (failed && s->step == APP_STEP_BACKUP)
        s->locked.next_s = now_s(a) + (int64_t)(pause_ms / 1000);
    pthread_mutex_unlock(&s->lock);
    if (failed)
        s->not_before_ms = now_ms(a) + pause_ms;
}

/* A step that could not even become a job is in no other record. */
static void record_failure(struct appliance *a, const char *what, const struct cf_err *err)
{
    const struct audit_record r = { .operation = what,
                                    .principal = APP_SCHEDULE_WHO,
                                    .resource = a->config.backup_storage,
                                    .detail = err->text,
                                    .status = 500 };
    struct cf_err why = { 0 };
    if (a->audit && audit_append(a->audit, &r, &why) != CF_OK)
        cf_log(CF_LOG_ERROR, "app", "audit-failed", "operation=%s", what);
}

/* --- starting a step --------------------------------------------------------------------------
 */

static const char *step_name(enum app_step step)
{
    static const char *const names[] = { "none", "ScheduledBackup", "ScheduledVerify",
                                         "ScheduledPrune" };
    return names[step];
}

/* Read for each job, so that whoever renews it only writes a file. */
static enum cf_rc read_sas(const char *path, struct cf_secret **out, struct cf_err *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "the SAS file %s", path);
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0)
        return CF_FAIL(e, CF_E_INPUT, "the SAS file %s must be readable by its owner alone (0600)",
                       path);
    return app_secret_text(path, SAS_MAX, out, e);
}

static enum cf_rc start_with(struct appliance *a, const struct run_request *q,
                             struct jobs_record *r, struct cf_err *e)
{
    switch (a->schedule.step) {
    case APP_STEP_BACKUP:
        return run_backup_start(a->run, q, r, e);
    case APP_STEP_VERIFY:
        return run_verify_start(a->run, q, r, e);
    case APP_STEP_PRUNE:
        return run_prune_start(a->run, q, r, e);
    case APP_STEP_NONE:
    default:
        return CF_FAIL(e, CF_E_ARG, "no step");
    }
}

static enum cf_rc start_step(struct appliance *a, struct jobs_record *r, struct cf_err *e)
{
    const struct app_config *c = &a->config;
    const struct app_schedule *s = &a->schedule;
    bool prunes = s->step == APP_STEP_PRUNE && c->prune_sas_file[0];
    const char *file = prunes ? c->prune_sas_file : c->sas_file;
    const struct run_prune prune = { .policy = { .last = (uint32_t)c->keep_last,
                                                 .daily = (uint32_t)c->keep_daily,
                                                 .weekly = (uint32_t)c->keep_weekly,
                                                 .monthly = (uint32_t)c->keep_monthly,
                                                 .min_age_s = (int64_t)c->keep_min_age_s } };
    struct run_request q = { .who = APP_SCHEDULE_WHO,
                             .place = { .uri = c->backup_storage },
                             .folder = s->step == APP_STEP_VERIFY ? s->folder : NULL,
                             .prune = s->step == APP_STEP_PRUNE ? &prune : NULL };
    struct cf_secret *sas = NULL;
    enum cf_rc rc = CF_OK;
    if (file[0]) {
        rc = read_sas(file, &sas, e);
        if (rc == CF_OK)
            q.place.token = (const char *)cf_secret_view(sas);
    } else {
        q.place.use_identity = strncmp(c->backup_storage, "dir:", 4) != 0;
    }
    if (rc == CF_OK)
        rc = start_with(a, &q, r, e);
    cf_secret_free(sas);
    return rc;
}

/* A step that failed is not gone on with: what follows a backup waits for the next one. */
static void fail(struct appliance *a, const char *why)
{
    cf_log(CF_LOG_ERROR, "schedule", "failed", "step=%s reason=\"%s\"", step_name(a->schedule.step),
           why);
    tell(a, why, true);
    a->schedule.step = APP_STEP_NONE;
}

static void try_step(struct appliance *a)
{
    struct app_schedule *s = &a->schedule;
    struct jobs_record r = { 0 };
    struct cf_err err = { 0 };
    enum cf_rc rc = start_step(a, &r, &err);
    if (rc == CF_OK) {
        s->running = true;
        memcpy(s->job, r.id, sizeof s->job);
        cf_log(CF_LOG_INFO, "schedule", "started", "step=%s job=%s", step_name(s->step), r.id);
    } else if (rc == CF_E_STATE) { /* another job runs */
        s->not_before_ms = now_ms(a) + BUSY_MS;
    } else {
        record_failure(a, step_name(s->step), &err);
        fail(a, err.text);
    }
}

/* --- what a step leads to ---------------------------------------------------------------------
 */

enum app_step app_step_after(const struct appliance *a, enum app_step step)
{
    const struct app_config *c = &a->config;
    bool prunes = c->keep_last || c->keep_daily || c->keep_weekly || c->keep_monthly;
    if (step == APP_STEP_BACKUP && c->verify)
        return APP_STEP_VERIFY;
    return step != APP_STEP_PRUNE && prunes ? APP_STEP_PRUNE : APP_STEP_NONE;
}

static void step_succeeded(struct appliance *a, const struct jobs_record *r)
{
    struct app_schedule *s = &a->schedule;
    if (s->step == APP_STEP_BACKUP) {
        s->began_s = r->start_s;
        memcpy(s->folder, r->folder, sizeof s->folder);
    }
    s->step = app_step_after(a, s->step);
    s->not_before_ms = 0;
    if (s->step == APP_STEP_NONE)
        tell(a, "", false);
}

static void look_after_job(struct appliance *a)
{
    struct app_schedule *s = &a->schedule;
    struct jobs_record r;
    struct cf_err err = { 0 };
    enum cf_rc rc = jobs_get(a->jobs, s->job, &r, &err);
    if (rc == CF_OK && r.state == JOBS_IN_PROGRESS)
        return;
    s->running = false;
    if (rc != CF_OK) {
        fail(a, err.text);
    } else if (r.state == JOBS_SUCCEEDED) {
        step_succeeded(a, &r);
    } else if (r.state == JOBS_CANCELED) { /* somebody's will: this moment is passed over */
        s->passed_over_s = jobs_timetable_last(&s->table, now_s(a));
        tell(a, "the last scheduled job was canceled", false);
        s->step = APP_STEP_NONE;
    } else {
        fail(a, r.error);
    }
}

/* --- when -------------------------------------------------------------------------------------
 */

/* What was still to come when the daemon stopped. */
static void catch_up(struct appliance *a, const struct app_past *past)
{
    struct app_schedule *s = &a->schedule;
    struct cf_err err = { 0 };
    enum cf_rc rc = app_past_step(a, past, &s->step, &err);
    s->caught_up = rc == CF_OK;
    if (rc != CF_OK)
        cf_log(CF_LOG_WARN, "schedule", "jobs-unread", "reason=\"%s\"", err.text);
    else if (s->step != APP_STEP_NONE)
        cf_log(CF_LOG_INFO, "schedule", "goes-on", "step=%s", step_name(s->step));
    memcpy(s->folder, past->folder, sizeof s->folder);
}

static bool serves(const struct app_schedule *s, int64_t now, int64_t needed)
{
    return jobs_timetable_served(&s->table, now, needed, s->began_s) ||
           (s->passed_over_s >= needed && s->passed_over_s <= now);
}

/* From the records, which tell of earlier lives too. */
static bool is_served(struct appliance *a, int64_t needed)
{
    struct app_schedule *s = &a->schedule;
    struct app_past past = { 0 };
    struct cf_err err = { 0 };
    if (app_past_backup(a, needed, &past, &err) != CF_OK) {
        cf_log(CF_LOG_WARN, "schedule", "jobs-unread", "reason=\"%s\"", err.text);
        return false;
    }
    if (past.began_s)
        s->began_s = past.began_s;
    if (past.running[0]) { /* what follows a backup follows this one too */
        memcpy(s->job, past.running, sizeof s->job);
        s->step = APP_STEP_BACKUP;
        s->running = s->caught_up = true;
    } else if (!s->caught_up && past.began_s) {
        catch_up(a, &past);
    }
    return past.began_s || past.passed_over;
}

static bool is_due(struct appliance *a)
{
    struct app_schedule *s = &a->schedule;
    int64_t now = now_s(a), last = jobs_timetable_last(&s->table, now);
    int64_t needed = jobs_timetable_needed(&s->table, now, jitter(a, last));
    bool waits = needed != last; /* only its jitter is awaited */
    int64_t next = waits ? last : last + s->table.period_s;
    bool served = serves(s, now, needed) || is_served(a, needed);
    s->caught_up |= !served; /* what follows the backup that is due now is this life's own */
    pthread_mutex_lock(&s->lock);
    s->locked.next_s = served ? next + jitter(a, next) : now;
    pthread_mutex_unlock(&s->lock);
    return !served;
}

int app_schedule_tick(struct appliance *a, int most)
{
    struct app_schedule *s = &a->schedule;
    int wait = LOOK_MS;
    if (s->table.period_s == 0)
        return most;
    if (pthread_mutex_trylock(&a->lock) == 0) { /* a step of provisioning may hold it for long */
        if (a->run && s->running)
            look_after_job(a);
        if (a->run && !s->running && now_ms(a) >= s->not_before_ms) {
            if (s->step == APP_STEP_NONE && is_due(a))
                s->step = APP_STEP_BACKUP;
            if (s->step != APP_STEP_NONE && !s->running)
                try_step(a);
        }
        wait = s->running ? LOOK_MS : BUSY_MS;
        pthread_mutex_unlock(&a->lock);
    }
    return wait < most ? wait : most;
}
