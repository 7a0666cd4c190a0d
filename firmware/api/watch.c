#include "watch_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"

#define TICK_MS 250

struct api_watch {
    struct hal_clock *clock;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct {
        bool stop;
        struct api_conn *first;
    } locked;
};

static void cut_locked(struct api_watch *w)
{
    uint64_t now = hal_clock_monotonic_ms(w->clock);
    for (struct api_conn *c = w->locked.first; c; c = c->next) {
        if (!c->deadline_ms || now < c->deadline_ms)
            continue;
        /* Its thread wakes, sees the end and closes; the descriptor stays ours till api_watch_drop.
         */
        (void)shutdown(c->fd, SHUT_RDWR);
        c->deadline_ms = 0;
        cf_log(CF_LOG_INFO, "api", "connection_cut", "reason=deadline");
    }
}

static void *watch_loop(void *arg)
{
    struct api_watch *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->locked.stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&w->wake, &w->lock, &until);
        cut_locked(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum cf_rc api_watch_new(struct hal_clock *clock, struct api_watch **out, struct cf_err *e)
{
    *out = NULL;
    struct api_watch *w = calloc(1, sizeof *w);
    if (!w)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the server");
    w->clock = clock;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&w->lock, NULL);
    if (pthread_create(&w->thread, NULL, watch_loop, w) != 0) {
        pthread_cond_destroy(&w->wake);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return CF_FAIL(e, CF_E_LIMIT, "no thread for the server's deadlines");
    }
    *out = w;
    return CF_OK;
}

void api_watch_free(struct api_watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->locked.stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static uint64_t deadline(struct api_watch *w, unsigned in_s)
{
    return in_s ? hal_clock_monotonic_ms(w->clock) + 1000u * (uint64_t)in_s : 0;
}

struct api_conn *api_watch_add(struct api_watch *w, int fd, unsigned in_s)
{
    struct api_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->fd = fd;
    c->deadline_ms = deadline(w, in_s);
    pthread_mutex_lock(&w->lock);
    c->next = w->locked.first;
    if (c->next)
        c->next->prev = c;
    w->locked.first = c;
    pthread_mutex_unlock(&w->lock);
    return c;
}

void api_watch_set(struct api_watch *w, struct api_conn *c, unsigned in_s)
{
    uint64_t at = deadline(w, in_s);
    pthread_mutex_lock(&w->lock);
    c->deadline_ms = at;
    pthread_mutex_unlock(&w->lock);
}

void api_watch_drop(struct api_watch *w, struct api_conn *c)
{
    pthread_mutex_lock(&w->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        w->locked.first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    pthread_mutex_unlock(&w->lock);
    free(c);
}
