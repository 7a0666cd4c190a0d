#include "client/client_priv.h"

#include <errno.h>
#include <time.h>

#define FAIL_FAST_MS 500 /* a back-off longer than this is not waited for */
#define MAKE_FACTOR  4   /* making a key may take this many deadlines */

static struct timespec at_ms(int64_t ms)
{
    return (struct timespec){ .tv_sec = (time_t)(ms / 1000), .tv_nsec = (ms % 1000) * 1000000 };
}

static enum cf_rc last_failure_locked(struct p11_token *t, struct cf_err *e)
{
    if (e)
        *e = t->locked.last;
    return t->locked.last.rc != CF_OK ? t->locked.last.rc : CF_E_TOKEN;
}

/* Asks for a worker where there is none. CF_OK: wait for it. */
static enum cf_rc want_locked(struct p11_token *t, uint64_t seen, struct cf_err *e)
{
    if (t->locked.stop)
        return CF_FAIL(e, CF_E_STATE, "the token is being closed");
    if (t->locked.state != P11_DOWN)
        return CF_OK;
    bool long_wait = t->locked.not_before_ms - p11_now_ms() > FAIL_FAST_MS;
    if (t->locked.denied || t->locked.failed_attempts != seen ||
        (long_wait && t->locked.last.rc != CF_OK))
        return last_failure_locked(t, e);
    t->locked.wanted = true;
    p11_poke(t);
    return CF_OK;
}

/* Waits for a worker that has room for one more request. */
static enum cf_rc admit_locked(struct p11_token *t, int64_t deadline_ms, struct cf_err *e)
{
    uint64_t seen = t->locked.failed_attempts;
    const struct timespec until = at_ms(deadline_ms);
    while (t->locked.state != P11_UP || t->locked.in_flight >= t->locked.capacity) {
        enum cf_rc rc = want_locked(t, seen, e);
        if (rc != CF_OK)
            return rc;
        if (pthread_cond_timedwait(&t->locked.changed, &t->locked.lock, &until) == ETIMEDOUT) {
            pthread_cond_signal(&t->locked.changed); /* it may have been meant for another */
            return CF_FAIL(e, CF_E_TOKEN, "the token is busy");
        }
    }
    return CF_OK;
}

static void enter_locked(struct p11_token *t, struct p11_call *c)
{
    c->id = ++t->locked.next_id;
    c->next = t->locked.calls;
    t->locked.calls = c;
    t->locked.in_flight++;
    t->locked.senders++;
}

static void leave_locked(struct p11_token *t, const struct p11_call *c)
{
    struct p11_call **at = &t->locked.calls;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    t->locked.in_flight--;
    pthread_cond_signal(&t->locked.changed);
}

/* A request that was too large for the socket was not sent and ends here. */
static void send_request(struct p11_token *t, struct p11_call *c, int64_t deadline_ms)
{
    pthread_mutex_lock(&t->locked.lock);
    int fd = t->locked.fd;
    pthread_mutex_unlock(&t->locked.lock);
    struct cf_err why = { 0 };
    enum cf_rc rc = p11_send(fd, c, deadline_ms, &why);
    pthread_mutex_lock(&t->locked.lock);
    t->locked.senders--;
    if (rc == CF_E_LIMIT && !c->done) {
        leave_locked(t, c);
        c->rc = rc;
        c->why = why;
        c->done = true;
    } else if (rc != CF_OK) {
        t->locked.kill = true;
        p11_poke(t);
    }
    if (t->locked.senders == 0 && t->locked.state == P11_DOWN)
        pthread_cond_broadcast(&t->locked.changed);
    pthread_mutex_unlock(&t->locked.lock);
}

static void await_locked(struct p11_token *t, struct p11_call *c, int64_t deadline_ms)
{
    const struct timespec until = at_ms(deadline_ms);
    while (!c->done && !c->late)
        if (pthread_cond_timedwait(&c->cond, &t->locked.lock, &until) == ETIMEDOUT && !c->done)
            c->late = true;
    if (c->done)
        return;
    t->locked.kill = true;
    p11_poke(t);
    while (!c->done) /* the manager ends every call of a worker that it buries */
        pthread_cond_wait(&c->cond, &t->locked.lock);
}

static int64_t time_for(const struct p11_token *t, enum p11_msg msg)
{
    bool makes = msg == P11_MSG_KEY_MAKE || msg == P11_MSG_USER_MAKE || msg == P11_MSG_KEY_IMPORT ||
                 msg == P11_MSG_USER_IMPORT;
    return (int64_t)t->deadline_ms * (makes ? MAKE_FACTOR : 1);
}

static enum cf_rc once(struct p11_token *t, struct p11_call *c, struct cf_err *e)
{
    pthread_mutex_lock(&t->locked.lock);
    enum cf_rc rc = admit_locked(t, p11_now_ms() + t->deadline_ms, e);
    if (rc == CF_OK)
        enter_locked(t, c);
    pthread_mutex_unlock(&t->locked.lock);
    if (rc != CF_OK)
        return rc;
    c->allowed_ms = time_for(t, c->msg);
    int64_t deadline = p11_now_ms() + c->allowed_ms;
    send_request(t, c, deadline);
    pthread_mutex_lock(&t->locked.lock);
    await_locked(t, c, deadline);
    pthread_mutex_unlock(&t->locked.lock);
    if (c->rc != CF_OK && e)
        *e = c->why;
    return c->rc;
}

/* What the worker said; CF_OK takes the class byte off. */
static enum cf_rc verdict(struct p11_call *c, struct cf_buf *answer, struct cf_err *e)
{
    struct cf_rd r = cf_rd_of(c->answer.data, c->answer.len);
    enum cf_rc said = (enum cf_rc)cf_rd_u8(&r);
    if (said != CF_OK)
        return p11_get_failure(&r, said, e);
    return cf_buf_put(answer, r.p, r.left, e);
}

enum cf_rc p11_call(struct p11_token *t, enum p11_msg msg, struct p11_wr *request,
                    const struct cf_secret *secret, struct cf_buf *answer, struct cf_err *e)
{
    enum cf_rc rc = request->rc;
    bool again = rc == CF_OK;
    /* Twice at most. Every call may be repeated: what is there is found, what is gone is gone. */
    for (int tries = 0; tries < 2 && again; tries++) {
        struct cf_err why = { 0 };
        struct p11_call c = { .msg = msg, .body = request->b, .secret = secret };
        p11_cond_init(&c.cond);
        rc = once(t, &c, &why);
        if (rc == CF_OK)
            rc = verdict(&c, answer, &why);
        again = rc == CF_E_TOKEN && c.again;
        if (rc != CF_OK && !(again && tries == 0) && e)
            *e = why;
        cf_buf_clear(&c.answer);
        pthread_cond_destroy(&c.cond);
    }
    cf_buf_clear(request->b);
    return rc;
}
