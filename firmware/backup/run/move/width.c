#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "engine_priv.h"

#define WIDTH_LEAST   1
#define WIDTH_LOOK_NS (WIDTH_LOOK_MS * UINT64_C(1000000))

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* How long this thread had work: on a core, or kept from one by others. The kernel's file holds
 * both; where there is none, the first. */
static uint64_t busy_ns(const struct width *w)
{
    char text[96], *rest = text;
    ssize_t len = w->fd < 0 ? -1 : pread(w->fd, text, sizeof text - 1, 0);
    if (len <= 0)
        return now_ns(CLOCK_THREAD_CPUTIME_ID);
    text[len] = '\0';
    uint64_t on_core = strtoull(rest, &rest, 10);
    return on_core + strtoull(rest, NULL, 10);
}

void width_begin(struct width *w, unsigned most, uint64_t answer_ms)
{
    bool far = answer_ms > WIDTH_LOOK_MS || most < WIDTH_LEAST;
    *w = (struct width){ .now = far ? most : WIDTH_LEAST, .most = most };
    w->fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    w->wall_ns = now_ns(CLOCK_MONOTONIC);
    w->busy_ns = busy_ns(w);
}

void width_end(struct width *w)
{
    if (w->fd >= 0)
        close(w->fd);
}

unsigned width_next(const struct width *w, uint64_t passed_ns, uint64_t busy_ns)
{
    if (busy_ns < passed_ns / 2)
        return 2 * w->now < w->most ? 2 * w->now : w->most;
    if (busy_ns > passed_ns - passed_ns / 8 && w->now > WIDTH_LEAST)
        return w->now - 1;
    return w->now;
}

void width_look(struct width *w)
{
    uint64_t wall = now_ns(CLOCK_MONOTONIC), passed = wall - w->wall_ns;
    if (passed < WIDTH_LOOK_NS)
        return;
    uint64_t busy = busy_ns(w);
    w->now = width_next(w, passed, busy - w->busy_ns);
    w->wall_ns = wall;
    w->busy_ns = busy;
}
