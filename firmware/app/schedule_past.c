/* What the schedule did before this start of the daemon, from the records of its jobs. */
#include "appliance.h"

#include <string.h>

#define CUT_MAX                                                                                    \
    3 /* what stops cut so often is not begun again: it may be what stops the daemon               \
       */

static bool is_ours(const struct jobs_record *r)
{
    return strcmp(r->who, APP_SCHEDULE_WHO) == 0;
}

/* --- the backup ------------------------------------------------------------------------------- */

struct look {
    const struct jobs_timetable *table;
    int64_t now_s, needed_s;
    struct app_past *past;
};

static enum cf_rc look_at(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    struct look *l = ctx;
    struct app_past *p = l->past;
    (void)e;
    if (r->kind != JOBS_BACKUP || !is_ours(r))
        return CF_OK;
    if (r->state == JOBS_IN_PROGRESS)
        memcpy(p->running, r->id, sizeof p->running);
    if (r->state == JOBS_CANCELED) {
        int64_t moment_s = jobs_timetable_last(l->table, r->end_s);
        p->passed_over |= moment_s >= l->needed_s && moment_s <= l->now_s;
    }
    if (r->state == JOBS_SUCCEEDED && p->began_s == 0 && /* the newest comes first */
        jobs_timetable_served(l->table, l->now_s, l->needed_s, r->start_s)) {
        p->began_s = r->start_s;
        memcpy(p->folder, r->folder, sizeof p->folder);
    }
    return CF_OK;
}

enum cf_rc app_past_backup(struct appliance *a, int64_t needed_s, struct app_past *out,
                           struct cf_err *e)
{
    struct look l = { .table = &a->schedule.table,
                      .now_s = hal_clock_unix_ms(a->parts.clock) / 1000,
                      .needed_s = needed_s,
                      .past = out };
    *out = (struct app_past){ 0 };
    return jobs_list(a->jobs, look_at, &l, e);
}

/* --- and what followed it ----------------------------------------------------------------------
 */

struct tries {
    bool good, over; /* over: in another way than by a stop */
    unsigned cut;
};

struct followers {
    const struct app_past *past;
    struct tries verify, prune;
};

static void count(struct tries *t, const struct jobs_record *r)
{
    bool cut = r->state == JOBS_FAILED && strcmp(r->error_code, JOBS_INTERRUPTED) == 0;
    t->good |= r->state == JOBS_SUCCEEDED;
    t->over |= r->state != JOBS_SUCCEEDED && !cut;
    t->cut += cut;
}

static enum cf_rc look_behind(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    struct followers *f = ctx;
    (void)e;
    if (!is_ours(r) || r->start_s < f->past->began_s)
        return CF_OK;
    if (r->kind == JOBS_VERIFY && strcmp(r->folder, f->past->folder) == 0)
        count(&f->verify, r);
    if (r->kind == JOBS_RETENTION)
        count(&f->prune, r);
    return CF_OK;
}

static bool is_open(const struct tries *t)
{
    return !t->good && !t->over && t->cut < CUT_MAX;
}

enum cf_rc app_past_step(struct appliance *a, const struct app_past *p, enum app_step *out,
                         struct cf_err *e)
{
    struct followers f = { .past = p };
    *out = APP_STEP_NONE;
    if (p->began_s == 0)
        return CF_OK;
    enum cf_rc rc = jobs_list(a->jobs, look_behind, &f, e);
    if (rc != CF_OK || !is_open(&f.prune))
        return rc;
    enum app_step next = app_step_after(a, APP_STEP_BACKUP);
    if (next == APP_STEP_VERIFY && f.verify.good)
        next = app_step_after(a, APP_STEP_VERIFY);
    else if (next == APP_STEP_VERIFY && !is_open(&f.verify))
        next = APP_STEP_NONE;
    *out = next;
    return CF_OK;
}
