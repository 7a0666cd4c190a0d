/* Opening: what was running when the power went has failed, or will go on. */
#include "jobs_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

int64_t jobs_now_s(struct jobs *j)
{
    return hal_clock_unix_ms(j->clock) / 1000;
}

/* The running one, of which there is at most one: jobs_start sees to that. */
static enum cf_rc keep_if_running(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    struct jobs_record *found = ctx;

    (void)e;
    if (r->state == JOBS_IN_PROGRESS)
        *found = *r;
    return CF_OK;
}

static enum cf_rc find_running(struct jobs *j, struct jobs_record *r, struct cf_err *e)
{
    struct store_view *v = NULL;

    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc == CF_OK)
        rc = jobs_row_each(v, keep_if_running, r, e);
    store_view_end(v);
    return rc;
}

/* What can go on keeps its state, and keeps others from starting. */
static enum cf_rc take_up(struct jobs *j, struct cf_err *e)
{
    struct jobs_record r = { .kind = JOBS_BACKUP };
    char canceled[JOBS_ID_SIZE];

    enum cf_rc rc = find_running(j, &r, e);
    if (rc != CF_OK || r.id[0] == '\0')
        return rc;
    rc = jobs_cancel_kept(j, canceled, e);
    if (rc != CF_OK)
        return rc;
    atomic_store(&j->cancel, strcmp(canceled, r.id) == 0);
    cf_log(CF_LOG_WARN, "jobs", "interrupted", "job=%s kind=\"%s\"", r.id, jobs_kind_name(r.kind));
    if (!jobs_outlives_a_stop(r.kind))
        return jobs_interrupt(j, &r, NULL, e);
    memcpy(j->locked.running, r.id, sizeof r.id);
    return CF_OK;
}

static enum cf_rc read_facts(struct jobs *j, struct cf_err *e)
{
    struct store_view *v = NULL;

    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc == CF_OK)
        rc = jobs_facts_get(v, &j->locked.facts, e);
    store_view_end(v);
    atomic_store(&j->restore_mode, j->locked.facts.restore_mode);
    return rc;
}

enum cf_rc jobs_open(struct store *appliance, struct hal_clock *clock, struct hal_entropy *entropy,
                     struct jobs **out, struct cf_err *e)
{
    struct jobs *j = calloc(1, sizeof *j);

    if (j == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the jobs");
    j->store = appliance;
    j->clock = clock;
    j->entropy = entropy;
    pthread_mutex_init(&j->lock, NULL);
    pthread_mutex_init(&j->sampling.lock, NULL);
    jobs_reset_progress(j);
    enum cf_rc rc = read_facts(j, e);
    if (rc == CF_OK)
        rc = take_up(j, e);
    if (rc != CF_OK) {
        jobs_close(j);
        return cf_err_ctx(e, rc, "reading jobs");
    }
    *out = j;
    return CF_OK;
}

void jobs_close(struct jobs *j)
{
    if (j == NULL)
        return;
    pthread_mutex_destroy(&j->sampling.lock);
    pthread_mutex_destroy(&j->lock);
    free(j);
}
