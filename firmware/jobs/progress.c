/* The running job: how far it is, how fast. In memory only. */
#include "jobs_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* --- samples --- */

void jobs_reset_progress(struct jobs *j)
{
    struct jobs_sampling *s = &j->sampling;
    pthread_mutex_lock(&s->lock);
    s->count = 0;
    s->last_ms = 0;
    pthread_mutex_unlock(&s->lock);
    atomic_store(&j->phase, "");
    jobs_set_progress(j, 0, 0);
}

static void take_sample(struct jobs *j, uint64_t done)
{
    struct jobs_sampling *s = &j->sampling;
    uint64_t now = hal_clock_monotonic_ms(j->clock);
    pthread_mutex_lock(&s->lock);
    if (s->count == 0 || now - s->last_ms >= JOBS_SAMPLE_MS) {
        s->sample[s->count++ % JOBS_SAMPLES] = (struct jobs_sample){ .at_ms = now, .done = done };
        s->last_ms = now;
    }
    pthread_mutex_unlock(&s->lock);
}

void jobs_set_progress(struct jobs *j, uint64_t done_bytes, uint64_t total_bytes)
{
    atomic_store_explicit(&j->done_bytes, done_bytes, memory_order_relaxed);
    atomic_store_explicit(&j->total_bytes, total_bytes, memory_order_relaxed);
    take_sample(j, done_bytes);
}

void jobs_set_phase(struct jobs *j, const char *phase)
{
    atomic_store(&j->phase, phase);
}

/* From the oldest sample of the last seconds to now; where nothing moves it falls to 0. */
static uint64_t rate_of(struct jobs *j, uint64_t done)
{
    struct jobs_sampling *s = &j->sampling;
    struct jobs_sample from = { 0 };
    uint64_t now = hal_clock_monotonic_ms(j->clock);
    bool found = false;
    pthread_mutex_lock(&s->lock);
    size_t first = s->count > JOBS_SAMPLES ? s->count - JOBS_SAMPLES : 0;
    for (size_t i = first; i < s->count && !found; i++) {
        from = s->sample[i % JOBS_SAMPLES];
        found = now - from.at_ms <= JOBS_RATE_OVER_MS;
    }
    pthread_mutex_unlock(&s->lock);
    uint64_t over = now - from.at_ms;
    if (!found || over < JOBS_RATE_FROM_MS || done <= from.done)
        return 0;
    return (uint64_t)((double)(done - from.done) * 1000.0 / (double)over);
}

struct jobs_progress jobs_get_progress(struct jobs *j)
{
    struct jobs_progress p = {
        .done_bytes = atomic_load_explicit(&j->done_bytes, memory_order_relaxed),
        .total_bytes = atomic_load_explicit(&j->total_bytes, memory_order_relaxed),
        .phase = atomic_load(&j->phase),
    };
    p.bytes_s = rate_of(j, p.done_bytes);
    if (p.bytes_s && p.total_bytes > p.done_bytes)
        p.left_s = (p.total_bytes - p.done_bytes + p.bytes_s - 1) / p.bytes_s;
    return p;
}

void jobs_set_waiting(struct jobs *j, const char *text)
{
    pthread_mutex_lock(&j->lock);
    cf_utf8_clean(text, j->locked.waiting, sizeof j->locked.waiting);
    pthread_mutex_unlock(&j->lock);
}

/* --- in words --- */

static void put_bytes(uint64_t bytes, char out[24])
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
    double n = (double)bytes;
    size_t u = 0;
    while (n >= 999.5 && u + 1 < sizeof units / sizeof units[0]) {
        n /= 1024;
        u++;
    }
    snprintf(out, 24, u == 0 || n >= 99.95 ? "%.0f %s" : "%.1f %s", n, units[u]);
}

static void put_time(uint64_t s, char out[24])
{
    unsigned long long n = s;
    if (n < 90)
        snprintf(out, 24, "%llu s", n);
    else if (n < UINT64_C(90) * 60)
        snprintf(out, 24, "%llu min", (n + 59) / 60);
    else
        snprintf(out, 24, "%llu h %llu min", n / 3600, n % 3600 / 60);
}

void jobs_progress_text(const struct jobs_progress *p, char out[JOBS_PROGRESS_SIZE])
{
    char done[24], total[24], rate[24], left[24];
    size_t n = 0;
    out[0] = 0;
    if (p->done_bytes == 0 && p->total_bytes == 0) {
        snprintf(out, JOBS_PROGRESS_SIZE, "%s", p->phase);
        return;
    }
    put_bytes(p->done_bytes, done);
    put_bytes(p->total_bytes, total);
    put_bytes(p->bytes_s, rate);
    put_time(p->left_s, left);
    if (p->total_bytes)
        snprintf(out, JOBS_PROGRESS_SIZE, "%s of %s", done, total);
    else
        snprintf(out, JOBS_PROGRESS_SIZE, "%s%s%s", p->phase, *p->phase ? ": " : "", done);
    n = strlen(out);
    if (p->bytes_s)
        snprintf(out + n, JOBS_PROGRESS_SIZE - n, ", %s/s", rate);
    n = strlen(out);
    if (p->left_s)
        snprintf(out + n, JOBS_PROGRESS_SIZE - n, ", %s left", left);
}
