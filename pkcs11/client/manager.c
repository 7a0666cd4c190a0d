#include "client/client_priv.h"

#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/log.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   10000
#define CALM_MS          30000 /* up for so long: the failures before are forgotten */
#define GRACE_MS         2000  /* to finalise the module */

void p11_poke(struct p11_token *t)
{
    (void)eventfd_write(t->wake, 1);
}

static const char *how_it_ended(int status, char *room, size_t size)
{
    if (status >= 0 && WIFSIGNALED(status))
        snprintf(room, size, "died of signal %d", WTERMSIG(status));
    else if (status >= 0 && WIFEXITED(status))
        snprintf(room, size, "left with status %d", WEXITSTATUS(status));
    else
        snprintf(room, size, "ended");
    return room;
}

/* The first failure costs nothing: most are one crash. Then 100 ms, doubling. */
static void back_off_locked(struct p11_token *t)
{
    int64_t now = p11_now_ms();
    if (t->own.up_since_ms && now - t->own.up_since_ms > CALM_MS)
        t->own.failures = 0;
    unsigned n = t->own.failures++;
    int64_t wait = n == 0 ? 0 : (int64_t)BACKOFF_FIRST_MS << (n < 8 ? n - 1 : 7);
    t->locked.not_before_ms = now + (wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS);
    t->own.up_since_ms = 0;
}

static void fail_call_locked(struct p11_call *c, const char *ended)
{
    if (c->late)
        c->rc = CF_FAIL(&c->why, CF_E_TOKEN,
                        "the token did not answer in %lld ms; its worker was stopped",
                        (long long)c->allowed_ms);
    else
        c->rc = CF_FAIL(&c->why, CF_E_TOKEN, "the token worker %s", ended);
    c->again = !c->late;
    c->done = true;
    pthread_cond_signal(&c->cond);
}

/* Nobody sends any more, then the descriptor is closed and every waiting call fails. */
static void bury(struct p11_token *t, int grace_ms)
{
    char room[64];
    (void)shutdown(t->own.worker.fd, SHUT_RDWR);
    pthread_mutex_lock(&t->locked.lock);
    t->locked.state = P11_DOWN;
    while (t->locked.senders)
        pthread_cond_wait(&t->locked.changed, &t->locked.lock);
    t->locked.fd = -1;
    pthread_mutex_unlock(&t->locked.lock);

    int status = p11_worker_stop(&t->own.worker, grace_ms);
    p11_inbox_next(&t->own.inbox);

    pthread_mutex_lock(&t->locked.lock);
    const char *ended = how_it_ended(status, room, sizeof room);
    while (t->locked.calls) {
        struct p11_call *c = t->locked.calls;
        t->locked.calls = c->next;
        fail_call_locked(c, ended);
    }
    t->locked.in_flight = 0;
    t->locked.kill = false;
    if (grace_ms == 0)
        (void)CF_FAIL(&t->locked.last, CF_E_TOKEN, "the token worker %s", ended);
    pthread_cond_broadcast(&t->locked.changed);
    pthread_mutex_unlock(&t->locked.lock);
    cf_log(grace_ms ? CF_LOG_INFO : CF_LOG_WARN, "token", "worker_ended", "how=\"%s\"", room);
}

static void bury_failed(struct p11_token *t)
{
    pthread_mutex_lock(&t->locked.lock);
    back_off_locked(t);
    pthread_mutex_unlock(&t->locked.lock);
    bury(t, 0);
}

/* A worker to be replaced because the token was lost before it served anything is a failure like a
 * crash: restarts would follow each other as fast as requests come. */
static void bury_drained(struct p11_token *t)
{
    pthread_mutex_lock(&t->locked.lock);
    if (!t->own.served) {
        back_off_locked(t);
        (void)CF_FAIL(&t->locked.last, CF_E_TOKEN, "the token is lost as soon as it is opened");
    }
    pthread_mutex_unlock(&t->locked.lock);
    bury(t, GRACE_MS);
}

/* Hands the answer to whoever waits for it. CF_E_CORRUPT: nobody does. */
static enum cf_rc deliver(struct p11_token *t)
{
    struct p11_inbox *in = &t->own.inbox;
    enum cf_rc rc = CF_E_CORRUPT;
    pthread_mutex_lock(&t->locked.lock);
    for (struct p11_call **at = &t->locked.calls; *at; at = &(*at)->next) {
        struct p11_call *c = *at;
        if (c->id != in->h.id || (uint16_t)c->msg != in->h.msg)
            continue;
        *at = c->next;
        struct cf_rd body = p11_inbox_body(in);
        t->own.served = t->own.served || body.p[0] == CF_OK;
        c->rc = cf_buf_put(&c->answer, body.p, body.left, &c->why);
        c->again = in->h.flags & P11_FLAG_RESTART;
        if (c->again && t->locked.state == P11_UP)
            t->locked.state = P11_DRAINING;
        c->done = true;
        t->locked.in_flight--;
        pthread_cond_signal(&c->cond);
        pthread_cond_signal(&t->locked.changed);
        rc = CF_OK;
        break;
    }
    pthread_mutex_unlock(&t->locked.lock);
    p11_inbox_next(in);
    return rc;
}

static enum cf_rc read_answers(struct p11_token *t)
{
    bool whole = true;
    while (whole) {
        enum cf_rc rc = p11_inbox_read(t, &whole, NULL);
        if (rc == CF_OK && whole)
            rc = deliver(t);
        if (rc != CF_OK)
            return rc;
    }
    return CF_OK;
}

/* One round with a worker that is up or draining. */
static void attend(struct p11_token *t)
{
    eventfd_t ignored;
    struct pollfd p[3] = { { .fd = t->own.worker.fd, .events = POLLIN },
                           { .fd = t->wake, .events = POLLIN },
                           { .fd = t->own.worker.gone_fd, .events = POLLIN } };
    if (poll(p, 3, -1) < 0)
        return;
    if (p[1].revents)
        (void)eventfd_read(t->wake, &ignored);
    enum cf_rc rc = p[0].revents ? read_answers(t) : CF_OK;

    pthread_mutex_lock(&t->locked.lock);
    bool gone = p[2].revents && !p[0].revents; /* and what it still said has been read */
    bool kill_now = t->locked.kill || rc != CF_OK || gone;
    bool drained = t->locked.state == P11_DRAINING && t->locked.in_flight == 0;
    bool stop = t->locked.stop;
    t->locked.wanted = t->locked.wanted || drained;
    pthread_mutex_unlock(&t->locked.lock);
    if (kill_now)
        bury_failed(t);
    else if (drained)
        bury_drained(t);
    else if (stop)
        bury(t, GRACE_MS);
}

static void start(struct p11_token *t)
{
    struct hal_token_info info = { .label = "" };
    struct cf_err why = { 0 };
    enum cf_rc rc = p11_start(t, &info, &why);
    pthread_mutex_lock(&t->locked.lock);
    t->locked.attempts++;
    t->locked.wanted = false;
    if (rc == CF_OK) {
        t->own.up_since_ms = p11_now_ms();
        t->own.served = false;
        t->locked.starts++;
        t->locked.state = P11_UP;
        t->locked.last = (struct cf_err){ 0 };
        t->locked.info = info;
        t->locked.fd = t->own.worker.fd;
        t->locked.pid = (int)t->own.worker.pid;
        /* One more than is served at once, so that no session waits for the way back. */
        t->locked.capacity = 2 * info.sessions;
    } else {
        t->locked.failed_attempts++;
        t->locked.state = P11_DOWN;
        t->locked.last = why;
        t->locked.denied = rc == CF_E_DENIED;
        back_off_locked(t);
    }
    pthread_cond_broadcast(&t->locked.changed);
    pthread_mutex_unlock(&t->locked.lock);
    if (rc == CF_OK)
        cf_log(CF_LOG_INFO, "token", "worker_up", "sessions=%u", info.sessions);
    else
        cf_log(CF_LOG_WARN, "token", "worker_failed", "why=\"%s\"", why.text);
}

/* Waits until there is a reason to do something. False: the end. */
static bool wait_down(struct p11_token *t)
{
    struct pollfd p = { .fd = t->wake, .events = POLLIN };
    eventfd_t ignored;
    for (;;) {
        pthread_mutex_lock(&t->locked.lock);
        bool stop = t->locked.stop;
        bool wanted = t->locked.wanted;
        int64_t wait = t->locked.not_before_ms - p11_now_ms();
        if (!stop && wanted && wait <= 0)
            t->locked.state = P11_STARTING;
        pthread_mutex_unlock(&t->locked.lock);
        if (stop || (wanted && wait <= 0))
            return !stop;
        if (poll(&p, 1, wanted ? (int)wait : -1) == 1)
            (void)eventfd_read(t->wake, &ignored);
    }
}

void *p11_manage(void *arg)
{
    struct p11_token *t = arg;
    while (wait_down(t)) {
        start(t);
        while (t->own.worker.pid)
            attend(t);
    }
    return NULL;
}
