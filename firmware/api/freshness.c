/* Figures for monitoring, an extension of ours: how old the newest backup is, the newest verified
 * one, how the last jobs ended, when the next one is due. As JSON and as Prometheus text
 * (exposition format 0.0.4). Nothing in it names a key, a folder or a place. */
#include <inttypes.h>
#include <string.h>

#include "handlers_priv.h"

#define PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"

/* --- JSON -------------------------------------------------------------------------------------
 */

/* A moment and its age; null: there was none. A clock that went back makes no age negative. */
static void put_moment(struct json_wr *w, const char *name, const char *age, int64_t at_s,
                       int64_t now_s)
{
    if (at_s > 0) {
        json_put_int(w, name, at_s);
        json_put_int(w, age, now_s > at_s ? now_s - at_s : 0);
    } else {
        json_put_null(w, name);
        json_put_null(w, age);
    }
}

static void put_schedule(struct json_wr *w, const struct api_freshness *f)
{
    if (!f->scheduled) {
        json_put_null(w, "schedule");
        return;
    }
    json_put_object(w, "schedule");
    json_put_text(w, "rule", f->schedule);
    json_put_int(w, "next", f->next_s);
    json_put_int(w, "failuresInARow", f->failures);
    json_put_text(w, "problem", f->problem[0] ? f->problem : NULL);
    json_close(w);
}

static void put_freshness(struct json_wr *w, const struct api_freshness *f)
{
    json_put_int(w, "time", f->now_s);
    put_moment(w, "lastBackup", "backupAgeSeconds", f->backup_s, f->now_s);
    json_put_int(w, "backups", (int64_t)f->backups);
    put_moment(w, "verifiedBackup", "verifiedBackupAgeSeconds", f->verified_s, f->now_s);
    put_moment(w, "lastVerification", "verificationAgeSeconds", f->verified_at_s, f->now_s);
    put_schedule(w, f);
    json_put_array(w, "lastJobs");
    for (size_t i = 0; i < f->last_count; i++) {
        const struct api_last_job *j = &f->last[i];
        json_put_object(w, NULL);
        json_put_text(w, "kind", jobs_kind_name(j->kind));
        json_put_text(w, "status", jobs_state_name(j->state));
        json_put_int(w, "startTime", j->start_s);
        if (j->end_s)
            json_put_int(w, "endTime", j->end_s);
        json_put_text(w, "error", j->error[0] ? j->error : NULL);
        json_close(w);
    }
    json_close(w);
}

static void ask(struct api *a, struct api_freshness *f)
{
    a->cfg.services->freshness(a->cfg.services->ctx, f);
}

enum cf_rc api_get_freshness(struct api *a, struct api_request *rq, struct api_reply *rp,
                             struct cf_err *e)
{
    struct json_wr w;
    struct api_freshness f;
    (void)rq;
    ask(a, &f);
    if (!f.known)
        return cf_err_code(e, CF_FAIL(e, CF_E_STATE, "The token is not open yet"), "Conflict");
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    put_freshness(&w, &f);
    json_close(&w);
    return json_wr_end(&w);
}

/* --- Prometheus -------------------------------------------------------------------------------
 */

static enum cf_rc put_gauge(struct cf_buf *b, const char *name, const char *help, int64_t value,
                            struct cf_err *e)
{
    return cf_buf_printf(b, e,
                         "# HELP coffer_%s %s\n# TYPE coffer_%s gauge\ncoffer_%s %" PRId64 "\n",
                         name, help, name, name, value);
}

/* "pre-restore check" and the like become label values: letters, blanks and hyphens only. */
static enum cf_rc put_jobs(struct cf_buf *b, const struct api_freshness *f, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_put_text(b,
                                    "# HELP coffer_job_last_result The last job of the kind: 1 "
                                    "succeeded, 0 failed or canceled, 2 still running.\n"
                                    "# TYPE coffer_job_last_result gauge\n",
                                    e);
    for (size_t i = 0; rc == CF_OK && i < f->last_count; i++)
        rc = cf_buf_printf(b, e, "coffer_job_last_result{kind=\"%s\"} %d\n",
                           jobs_kind_name(f->last[i].kind),
                           f->last[i].state == JOBS_SUCCEEDED     ? 1
                           : f->last[i].state == JOBS_IN_PROGRESS ? 2
                                                                  : 0);
    if (rc == CF_OK)
        rc = cf_buf_put_text(b,
                             "# HELP coffer_job_last_start_timestamp_seconds When the last job of "
                             "the kind began.\n"
                             "# TYPE coffer_job_last_start_timestamp_seconds gauge\n",
                             e);
    for (size_t i = 0; rc == CF_OK && i < f->last_count; i++)
        rc = cf_buf_printf(b, e,
                           "coffer_job_last_start_timestamp_seconds{kind=\"%s\"} %" PRId64 "\n",
                           jobs_kind_name(f->last[i].kind), f->last[i].start_s);
    return rc;
}

/* 0 where there was none yet: `time() - x > limit` then alarms, as it should. */
static enum cf_rc put_metrics(struct cf_buf *b, const struct api_freshness *f, struct cf_err *e)
{
    const struct {
        const char *name, *help;
        int64_t value;
    } gauges[] = {
        { "up", "1 once the token is open.", f->known },
        { "time_seconds", "The appliance's clock.", f->now_s },
        { "backup_last_success_timestamp_seconds", "End of the newest completed backup; 0: none.",
          f->backup_s },
        { "backups_completed", "Backups completed on this appliance.", (int64_t)f->backups },
        { "backup_verified_timestamp_seconds",
          "Time of the newest backup that was verified whole; 0: none.", f->verified_s },
        { "backup_verification_timestamp_seconds",
          "When the newest verified backup was verified; 0: never.", f->verified_at_s },
        { "schedule_enabled", "1 where backups are made by the clock.", f->scheduled },
        { "schedule_next_timestamp_seconds", "When the next scheduled backup is due; 0: none.",
          f->next_s },
        { "schedule_failures", "Scheduled attempts in a row that failed.", f->failures },
    };
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < sizeof gauges / sizeof gauges[0]; i++)
        rc = put_gauge(b, gauges[i].name, gauges[i].help, gauges[i].value, e);
    return rc == CF_OK ? put_jobs(b, f, e) : rc;
}

enum cf_rc api_get_metrics(struct api *a, struct api_request *rq, struct api_reply *rp,
                           struct cf_err *e)
{
    struct api_freshness f;
    (void)rq;
    ask(a, &f);
    rp->content_type = PROMETHEUS;
    return put_metrics(&rp->body, &f, e);
}
