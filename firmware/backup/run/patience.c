#include "run_priv.h"

#include <stdio.h>
#include <time.h>

#define CLOCK_WAIT_MS   UINT64_C(120000)
#define TOKEN_PAUSE_MS  500
#define SAY_AFTER_MS    10000 /* a pause that the status need not tell is shorter */
#define SAY_FIRST_MS    2000  /* likely a mistake in the order: told soon */

/* Whether the far side of this job was ever there decides how long it is waited for: a host name
 * with a typo fails in minutes, a network that is lost under way may take hours to come back. */
void patience_begin(struct job *j, bool reached)
{
    atomic_store(&j->heard_ms, hal_clock_monotonic_ms(j->r->o.clock));
    atomic_store(&j->reached, reached);
}

void patience_heard(struct job *j)
{
    atomic_store(&j->heard_ms, hal_clock_monotonic_ms(j->r->o.clock));
    atomic_store(&j->reached, true);
    if (atomic_exchange(&j->waiting, false))
        jobs_set_waiting(j->r->o.jobs, "");
}

static void say(struct job *j, uint64_t silent_ms, const struct cf_err *err)
{
    char text[JOBS_TEXT_SIZE], when[32] = "";
    time_t since = (time_t)((hal_clock_unix_ms(j->r->o.clock) - (int64_t)silent_ms) / 1000);
    struct tm tm;
    if (gmtime_r(&since, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    snprintf(text, sizeof text, "waiting for the storage since %s%s: %s", when,
             atomic_load(&j->reached) ? "" : ", which has not answered yet", err->text);
    atomic_store(&j->waiting, true);
    jobs_set_waiting(j->r->o.jobs, text);
}

bool patience_left(struct job *j, unsigned tried, struct cf_err *err)
{
    const struct run_options *o = &j->r->o;
    uint64_t most_ms = o->patience_ms ? o->patience_ms : RUN_PATIENCE_MS;
    uint64_t now = hal_clock_monotonic_ms(o->clock), heard = atomic_load(&j->heard_ms);
    uint64_t silent_ms = now > heard ? now - heard : 0;
    if (j->tries)
        return tried < j->tries;
    if (!atomic_load(&j->reached)) {
        if (silent_ms >= SAY_FIRST_MS)
            say(j, silent_ms, err);
        if (tried < (o->attempts ? o->attempts : RUN_ATTEMPTS))
            return true;
        (void)cf_err_ctx(err, err->rc, "given up after %u attempts", tried);
        return false;
    }
    if (silent_ms >= (most_ms / 4 < SAY_AFTER_MS ? most_ms / 4 : SAY_AFTER_MS))
        say(j, silent_ms, err);
    if (silent_ms < most_ms)
        return true;
    (void)cf_err_ctx(err, err->rc,
                     "nothing went through for %llu min; check network and storage, then start "
                     "again",
                     (unsigned long long)((silent_ms + 59999) / 60000));
    return false;
}

bool patience_token(struct job *j, struct token_wait *w, enum cf_rc *rc, struct cf_err *e)
{
    const struct run_options *o = &j->r->o;
    uint64_t most_ms = o->patience_ms ? o->patience_ms : RUN_PATIENCE_MS;
    uint64_t now = hal_clock_monotonic_ms(o->clock);
    if (most_ms > RUN_TOKEN_MS)
        most_ms = RUN_TOKEN_MS;
    if (*rc != CF_E_TOKEN) {
        if (w->until_ms && atomic_exchange(&j->waiting, false))
            jobs_set_waiting(o->jobs, "");
        return false;
    }
    if (w->until_ms == 0) {
        w->until_ms = now + most_ms;
        atomic_store(&j->waiting, true);
        jobs_set_waiting(o->jobs, "waiting for the token to come back");
    }
    if (++w->tried == w->most || now >= w->until_ms) {
        (void)cf_err_ctx(e, *rc, "the token did not come back; put it in, then start again");
        return false;
    }
    if (e)
        *e = (struct cf_err){ 0 };
    if (!job_pause(j, TOKEN_PAUSE_MS)) {
        *rc = CF_FAIL(e, CF_E_CANCEL, "canceled");
        return false;
    }
    return true;
}

/* A board that keeps no time begins in the past until somebody tells it better: certificates, and
 * what the storage makes of our dates, would fail a job that was well. */
void patience_clock(struct job *j)
{
    const struct run_options *o = &j->r->o;
    uint64_t left_ms = o->patience_ms ? o->patience_ms : RUN_PATIENCE_MS;
    bool waits = false;
    if (left_ms > CLOCK_WAIT_MS)
        left_ms = CLOCK_WAIT_MS;
    while (hal_clock_unix_ms(o->clock) / 1000 < j->record.start_s && left_ms > 0) {
        if (!waits)
            jobs_set_waiting(o->jobs, "waiting for the clock: it is behind the job's start");
        waits = true;
        if (!job_pause(j, TOKEN_PAUSE_MS))
            break;
        left_ms -= left_ms < TOKEN_PAUSE_MS ? left_ms : TOKEN_PAUSE_MS;
    }
    if (waits)
        jobs_set_waiting(o->jobs, "");
}
