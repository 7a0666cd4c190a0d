/* Opening: what was running when the power went has failed. */
#include "jobs_priv.h"

#include <stdio.h>
#include <stdlib.h>

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

static enum cf_rc end_interrupted(struct jobs *j, struct cf_err *e)
{
    struct jobs_record r = { .kind = JOBS_BACKUP };
    struct store_txn *t = NULL;

    enum cf_rc rc = store_write(j->store, &t, e);
    if (rc == CF_OK)
        rc = jobs_row_each(store_txn_view(t), keep_if_running, &r, e);
    if (rc != CF_OK || r.id[0] == '\0')
        goto out;
    rc = jobs_next_state(r.state, JOBS_EV_INTERRUPTED, &r.state, e);
    if (rc != CF_OK)
        goto out;
    r.end_s = jobs_now_s(j);
    snprintf(r.error_code, sizeof r.error_code, JOBS_INTERRUPTED);
    snprintf(r.error, sizeof r.error, "The appliance stopped during the %s. Start it again.",
             jobs_kind_name(r.kind));
    rc = jobs_row_put(t, &r, e);
    if (rc == CF_OK)
        rc = store_commit(t, e);
    if (rc == CF_OK)
        cf_log(CF_LOG_WARN, "jobs", "interrupted", "job=%s kind=\"%s\"", r.id,
               jobs_kind_name(r.kind));
out:
    store_end(t);
    return rc;
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
    enum cf_rc rc = end_interrupted(j, e);
    if (rc == CF_OK)
        rc = read_facts(j, e);
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
