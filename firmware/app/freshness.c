/* How well the HSM is backed up, for monitoring: from the jobs' records and the schedule. */
#include "appliance.h"

#include <stdio.h>
#include <string.h>

#include "jobs/receipts.h"

static enum cf_rc count_missing(void *ctx, const struct jobs_cover *c, struct cf_err *e)
{
    (void)e;
    *(size_t *)ctx += c->state == JOBS_COVER_MISSING;
    return CF_OK;
}

/* A backup that succeeded without all that is marked is not taken for a good one. */
static const char *problem_of(struct appliance *a, const struct jobs_record *r)
{
    size_t missing = 0;
    if (r->kind == JOBS_BACKUP && r->state == JOBS_SUCCEEDED)
        (void)!jobs_cover_each(a->jobs, r->id, count_missing, &missing, NULL);
    return missing ? r->warning : r->error;
}

static void fill_jobs(struct appliance *a, struct api_freshness *f)
{
    static const enum jobs_kind kinds[] = { JOBS_BACKUP, JOBS_VERIFY, JOBS_RETENTION,
                                            JOBS_RESTORE };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct jobs_record r;
        struct api_last_job *last = &f->last[f->last_count];
        if (jobs_last(a->jobs, kinds[i], &r, NULL) != CF_OK)
            continue;
        *last = (struct api_last_job){
            .kind = r.kind, .state = r.state, .start_s = r.start_s, .end_s = r.end_s
        };
        snprintf(last->error, sizeof last->error, "%s", problem_of(a, &r));
        f->last_count++;
    }
}

static void fill_schedule(struct appliance *a, struct api_freshness *f)
{
    struct app_schedule *s = &a->schedule;
    f->scheduled = s->table.period_s != 0;
    snprintf(f->schedule, sizeof f->schedule, "%s", a->config.schedule);
    pthread_mutex_lock(&s->lock);
    f->next_s = s->locked.next_s;
    f->failures = s->locked.failures;
    memcpy(f->problem, s->locked.problem, sizeof f->problem);
    pthread_mutex_unlock(&s->lock);
}

void app_freshness(void *ctx, struct api_freshness *f)
{
    struct appliance *a = ctx;
    struct jobs_verified v;
    *f = (struct api_freshness){ .now_s = hal_clock_unix_ms(a->parts.clock) / 1000,
                                 .known = a->jobs && !atomic_load(&a->opening) };
    fill_schedule(a, f);
    if (!f->known)
        return;
    struct jobs_backups b = jobs_backups(a->jobs);
    f->backup_s = b.last_s;
    f->backups = b.count;
    if (jobs_newest_verified(a->jobs, NULL, &v, NULL) == CF_OK) {
        f->verified_s = (int64_t)v.created_s;
        f->verified_at_s = v.at_s;
    }
    fill_jobs(a, f);
}
