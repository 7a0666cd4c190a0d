#include "hal_sim/hal_sim.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Stepped by a test while the appliance's threads read it. */
struct sim_clock {
    struct hal_clock base;
    _Atomic int64_t unix_ms;
    _Atomic uint64_t monotonic_ms;
};

static int64_t sim_unix_ms(struct hal_clock *c)
{
    return ((struct sim_clock *)c)->unix_ms;
}

static uint64_t sim_monotonic_ms(struct hal_clock *c)
{
    return ((struct sim_clock *)c)->monotonic_ms;
}

struct hal_clock *hal_sim_clock_new(int64_t unix_ms)
{
    static const struct hal_clock_ops ops = { .unix_ms = sim_unix_ms,
                                              .monotonic_ms = sim_monotonic_ms };
    struct sim_clock *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->base.ops = &ops;
    c->unix_ms = unix_ms;
    return &c->base;
}

void hal_sim_clock_step(struct hal_clock *c, int64_t ms)
{
    struct sim_clock *s = (struct sim_clock *)c;
    s->unix_ms += ms;
    if (ms > 0)
        s->monotonic_ms += (uint64_t)ms;
}

void hal_sim_clock_jump(struct hal_clock *c, int64_t ms)
{
    ((struct sim_clock *)c)->unix_ms += ms;
}

void hal_sim_clock_free(struct hal_clock *c)
{
    free(c);
}

struct sim_entropy {
    struct hal_entropy base;
    pthread_mutex_t lock; /* any thread may ask */
    uint64_t state;
    int stuck;
};

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): even and repeatable, never for real keys. */
static uint64_t step(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static enum cf_rc sim_fill(struct hal_entropy *r, void *dst, size_t len, struct cf_err *e)
{
    (void)e;
    struct sim_entropy *s = (struct sim_entropy *)r;
    uint8_t *p = dst;
    pthread_mutex_lock(&s->lock);
    uint64_t start = s->state;
    for (size_t i = 0; i < len; i++) {
        if (s->stuck && i % 32 == 0)
            s->state = start;
        p[i] = (uint8_t)step(&s->state);
    }
    if (s->stuck)
        s->state = start;
    pthread_mutex_unlock(&s->lock);
    return CF_OK;
}

struct hal_entropy *hal_sim_entropy_new(uint64_t seed, int stuck)
{
    static const struct hal_entropy_ops ops = { .fill = sim_fill };
    struct sim_entropy *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->base.ops = &ops;
    r->state = seed;
    r->stuck = stuck;
    pthread_mutex_init(&r->lock, NULL);
    return &r->base;
}

void hal_sim_entropy_free(struct hal_entropy *r)
{
    if (r)
        pthread_mutex_destroy(&((struct sim_entropy *)r)->lock);
    free(r);
}
