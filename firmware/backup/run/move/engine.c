#include "run_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* One transfer thread: its lane, its connections, its cipher contexts. */
struct mover {
    struct engine *g;
    pthread_t id;
    bool started;
    struct blob_lane *lane;
    struct blob_writer *writer;
    struct slot *slots;
    unsigned count;
    struct width width;
    uint64_t looked_ms; /* when it last looked for a cancellation */
};

struct engine {
    struct engine_options o;
    struct hal_clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t work_cond; /* movers wait here */
    pthread_cond_t done_cond; /* the coordinator waits here */
    /* under the lock */
    struct work *works; /* the first one with blocks that nobody has begun is served */
    bool stop;
    struct cf_err err; /* the first failure */
    /* fixed */
    struct mover *movers;
    unsigned count;
    uint64_t answer_ms; /* of the far side; the coordinator goes on measuring */
};

static void fail(struct engine *g, enum cf_rc rc, const struct cf_err *err)
{
    pthread_mutex_lock(&g->lock);
    if (g->err.rc == CF_OK) {
        g->err = *err;
        if (g->err.rc == CF_OK)
            (void)CF_FAIL(&g->err, rc, "a transfer failed");
    }
    pthread_cond_broadcast(&g->done_cond);
    pthread_cond_broadcast(&g->work_cond);
    pthread_mutex_unlock(&g->lock);
    for (unsigned i = 0; i < g->count; i++)
        blob_lane_wake(g->movers[i].lane);
}

static void begin_attempt(struct slot *s)
{
    struct engine *g = s->engine;
    struct cf_err err = { 0 };
    s->state = SLOT_BUSY;
    enum cf_rc rc = s->work->begin(s->work->ctx, s, &err);
    if (rc != CF_OK) {
        s->state = SLOT_IDLE;
        fail(g, rc, &err);
    }
}

static void rest(struct slot *s, const struct upload_outcome *out)
{
    struct engine *g = s->engine;
    uint32_t random = 0;
    struct cf_err err = out->err;
    if (!patience_left(g->o.job, ++s->attempt, &err)) {
        s->state = SLOT_IDLE;
        fail(g, err.rc, &err);
        return;
    }
    (void)!hal_entropy_fill(g->o.job->r->o.entropy, &random, sizeof random, NULL);
    uint32_t delay = blob_retry_delay_ms(s->attempt, out->retry_after_ms, random);
    s->due_ms = hal_clock_monotonic_ms(g->clock) + delay;
    s->state = SLOT_RESTING;
    cf_log(CF_LOG_WARN, "run", "retry", "block=%llu attempt=%u delay_ms=%u cause=%s",
           (unsigned long long)s->number, s->attempt, delay, cf_rc_name(err.rc));
}

enum cf_rc slot_moved(struct slot *s, size_t bytes, struct cf_err *e)
{
    struct job *j = s->engine->o.job;
    s->moved += bytes;
    job_moving(j, (int64_t)bytes);
    return job_pace(j, bytes, e);
}

static void attempt_over(struct slot *s)
{
    job_moving(s->engine->o.job, -(int64_t)s->moved);
    s->moved = 0;
}

static void ended(void *ctx, const struct blob_result *r)
{
    struct slot *s = ctx;
    struct engine *g = s->engine;
    struct upload_outcome out;
    upload_judge(r, &out);
    attempt_over(s);
    if (out.verdict == UPLOAD_AGAIN) {
        rest(s, &out);
        return;
    }
    s->state = SLOT_IDLE;
    s->blob_size = r->size;
    enum cf_rc rc = out.err.rc;
    if (out.verdict == UPLOAD_DONE) {
        patience_heard(g->o.job);
        out.err = (struct cf_err){ 0 };
        rc = s->work->end(s->work->ctx, s, &out.err);
    }
    if (rc != CF_OK) {
        fail(g, rc, &out.err);
        return;
    }
    pthread_mutex_lock(&g->lock);
    s->work->done++;
    pthread_cond_broadcast(&g->done_cond);
    pthread_mutex_unlock(&g->lock);
}

struct blob_end slot_end(struct slot *s)
{
    return (struct blob_end){ .done = ended, .ctx = s };
}

static struct slot *idle_slot(struct mover *m, unsigned *working)
{
    struct slot *idle = NULL;
    *working = 0;
    for (unsigned i = 0; i < m->count; i++) {
        if (m->slots[i].state == SLOT_IDLE)
            idle = idle ? idle : &m->slots[i];
        else
            ++*working;
    }
    return idle;
}

/* Wakes what has rested enough; gives the time until the next one has. */
static int wake_rested(struct mover *m)
{
    uint64_t now = hal_clock_monotonic_ms(m->g->clock);
    int wait = RUN_POLL_MS;
    for (unsigned i = 0; i < m->count; i++) {
        struct slot *s = &m->slots[i];
        if (s->state != SLOT_RESTING)
            continue;
        if (s->due_ms <= now)
            begin_attempt(s);
        else if (s->due_ms - now < (uint64_t)wait)
            wait = (int)(s->due_ms - now);
    }
    return wait;
}

static void look_for_cancel(struct mover *m)
{
    struct cf_err err = { 0 };
    uint64_t now = hal_clock_monotonic_ms(m->g->clock);
    if (now - m->looked_ms < RUN_POLL_MS)
        return;
    m->looked_ms = now;
    if (job_canceled(m->g->o.job))
        fail(m->g, CF_FAIL(&err, CF_E_CANCEL, "canceled"), &err);
}

/* `more`: there are blocks that nobody has begun. */
static void move(struct mover *m, bool more)
{
    struct cf_err err = { 0 };
    unsigned open = 0;
    int wait = wake_rested(m);
    if (more && width_may_grow(&m->width) && wait > WIDTH_LOOK_MS)
        wait = WIDTH_LOOK_MS;
    enum cf_rc rc = blob_lane_run(m->lane, wait, &open, &err);
    if (rc != CF_OK)
        fail(m->g, rc, &err);
    if (more)
        width_look(&m->width);
    look_for_cancel(m);
}

/* After a failure: nothing goes on, and no callback comes any more. */
static void drop_all(struct mover *m)
{
    unsigned open = 1;
    do
        blob_lane_cancel(m->lane); /* an end may have begun another operation */
    while (blob_lane_run(m->lane, RUN_POLL_MS, &open, NULL) == CF_OK && open > 0);
    for (unsigned i = 0; i < m->count; i++)
        m->slots[i].state = SLOT_IDLE;
}

static struct work *next_work_locked(struct engine *g)
{
    struct work *w = g->works;
    while (w && w->next >= w->ready)
        w = w->behind;
    return w;
}

static void *mover_main(void *arg)
{
    struct mover *m = arg;
    struct engine *g = m->g;
    unsigned working = 0;
    run_step_back();
    width_begin(&m->width, m->count, g->answer_ms);
    pthread_mutex_lock(&g->lock);
    while (!g->stop) {
        struct slot *s = idle_slot(m, &working);
        struct work *w = next_work_locked(g);
        bool failed = g->err.rc != CF_OK, more = w != NULL;
        if (working == 0 && (failed || !more)) {
            pthread_cond_wait(&g->work_cond, &g->lock);
            continue;
        }
        bool take = !failed && more && s && working < m->width.now;
        if (take) {
            s->work = w;
            s->number = w->next++;
            s->attempt = 0;
        }
        pthread_mutex_unlock(&g->lock);
        if (failed)
            drop_all(m);
        else if (take)
            begin_attempt(s);
        else
            move(m, more);
        pthread_mutex_lock(&g->lock);
    }
    pthread_mutex_unlock(&g->lock);
    width_end(&m->width);
    return NULL;
}

static enum cf_rc slot_new(struct mover *m, struct slot *s, struct cf_err *e)
{
    const struct engine_options *o = &m->g->o;
    s->engine = m->g;
    s->lane = m->lane;
    s->writer = m->writer;
    if (!o->write)
        return seal_opener_new(o->chunk_log2, &s->opener, e);
    s->scratch = malloc(CHUNK_SCRATCH);
    if (!s->scratch)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    return seal_writer_new(&s->sealer, e);
}

static enum cf_rc mover_new(struct engine *g, struct mover *m, unsigned slots, struct cf_err *e)
{
    m->g = g;
    m->slots = calloc(slots, sizeof *m->slots);
    if (!m->slots)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    m->count = slots;
    enum cf_rc rc = blob_lane_new(g->o.job->store, &m->lane, e);
    if (rc == CF_OK && g->o.write)
        rc = blob_writer_new(m->lane, &m->writer, e);
    for (unsigned i = 0; rc == CF_OK && i < slots; i++)
        rc = slot_new(m, &m->slots[i], e);
    return rc;
}

static void mover_free(struct mover *m)
{
    blob_writer_free(m->writer);
    blob_lane_free(m->lane);
    for (unsigned i = 0; i < m->count; i++) {
        seal_writer_free(m->slots[i].sealer);
        seal_opener_free(m->slots[i].opener);
        free(m->slots[i].scratch);
    }
    free(m->slots);
}

unsigned job_threads(const struct job *j)
{
    const struct run_options *o = &j->r->o;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = o->threads ? o->threads : cores > 0 ? (unsigned)cores : 1;
    return threads < j->choices.connections ? threads : j->choices.connections;
}

unsigned job_connections_each(const struct job *j)
{
    unsigned threads = job_threads(j);
    return (j->choices.connections + threads - 1) / threads;
}

/* The first threads take what does not divide: all together have the job's number and no more. */
static unsigned share_of(unsigned all, unsigned threads, unsigned thread)
{
    return all / threads + (thread < all % threads);
}

enum cf_rc engine_new(const struct engine_options *o, struct engine **out, struct cf_err *e)
{
    const struct run_options *ro = &o->job->r->o;
    pthread_condattr_t steady;
    struct engine *g = calloc(1, sizeof *g);
    if (!g)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    g->o = *o;
    g->answer_ms = o->job->answer_ms;
    g->clock = ro->clock;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->work_cond, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&g->done_cond, &steady);
    pthread_condattr_destroy(&steady);
    g->count = job_threads(o->job);
    g->movers = calloc(g->count, sizeof *g->movers);
    enum cf_rc rc = g->movers ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (unsigned i = 0; rc == CF_OK && i < g->count; i++)
        rc = mover_new(g, &g->movers[i], share_of(o->job->choices.connections, g->count, i), e);
    for (unsigned i = 0; rc == CF_OK && i < g->count; i++) {
        struct mover *m = &g->movers[i];
        m->started = pthread_create(&m->id, NULL, mover_main, m) == 0;
        if (!m->started)
            rc = CF_FAIL(e, CF_E_LIMIT, "cannot start a transfer thread");
    }
    if (rc != CF_OK) {
        engine_free(g);
        return rc;
    }
    *out = g;
    return CF_OK;
}

void engine_stop(struct engine *g)
{
    pthread_mutex_lock(&g->lock);
    g->stop = true;
    pthread_cond_broadcast(&g->work_cond);
    pthread_mutex_unlock(&g->lock);
    for (unsigned i = 0; g->movers && i < g->count; i++)
        if (g->movers[i].started) {
            blob_lane_wake(g->movers[i].lane);
            pthread_join(g->movers[i].id, NULL);
            g->movers[i].started = false;
        }
}

void engine_free(struct engine *g)
{
    if (!g)
        return;
    engine_stop(g);
    for (unsigned i = 0; g->movers && i < g->count; i++)
        mover_free(&g->movers[i]);
    free(g->movers);
    pthread_cond_destroy(&g->done_cond);
    pthread_cond_destroy(&g->work_cond);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

void engine_begin(struct engine *g, struct work *w, uint64_t ready)
{
    pthread_mutex_lock(&g->lock);
    struct work **at = &g->works;
    while (!w->urgent && *at)
        at = &(*at)->behind;
    w->next = w->ready = w->done = 0;
    w->behind = *at;
    *at = w;
    pthread_mutex_unlock(&g->lock);
    if (ready)
        engine_ready(g, w, ready);
}

void engine_ready(struct engine *g, struct work *w, uint64_t ready)
{
    pthread_mutex_lock(&g->lock);
    w->ready = ready;
    pthread_cond_broadcast(&g->work_cond);
    pthread_mutex_unlock(&g->lock);
    for (unsigned i = 0; i < g->count; i++) /* one that moves bytes may have a slot free */
        blob_lane_wake(g->movers[i].lane);
}

static void wait_a_second(struct engine *g)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    (void)pthread_cond_timedwait(&g->done_cond, &g->lock, &until);
}

enum cf_rc engine_sleep_locked(struct engine *g, struct cf_err *e)
{
    if (g->err.rc == CF_OK)
        wait_a_second(g);
    if (g->err.rc != CF_OK && e && e->rc == CF_OK)
        *e = g->err;
    return g->err.rc;
}

static void take_off_locked(struct engine *g, const struct work *w)
{
    struct work **at = &g->works;
    while (*at && *at != w)
        at = &(*at)->behind;
    if (*at)
        *at = w->behind;
}

enum cf_rc engine_wait(struct engine *g, struct work *w, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    pthread_mutex_lock(&g->lock);
    while (rc == CF_OK && (w->done < w->ready || g->err.rc != CF_OK))
        rc = engine_sleep_locked(g, e);
    if (rc == CF_OK)
        take_off_locked(g, w);
    pthread_mutex_unlock(&g->lock);
    if (rc != CF_OK)
        engine_stop(g); /* works are their callers', who return now */
    return rc;
}

void engine_lock(struct engine *g)
{
    pthread_mutex_lock(&g->lock);
}

void engine_unlock(struct engine *g)
{
    pthread_mutex_unlock(&g->lock);
}

void engine_notify_locked(struct engine *g)
{
    pthread_cond_broadcast(&g->done_cond);
}
