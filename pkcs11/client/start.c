#include "client/client_priv.h"

#include <poll.h>
#include <sys/wait.h>
#include <time.h>

#define START_FACTOR 2 /* opening and probing may take this many deadlines */

int64_t p11_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static enum cf_rc send_opening(struct p11_token *t, int64_t deadline_ms, struct cf_err *e)
{
    struct cf_buf body = { 0 };
    struct p11_wr w = { .b = &body, .e = e };
    p11_put_text(&w, t->module);
    p11_put_text(&w, t->token_uri);
    p11_put_u32(&w, t->max_sessions);
    p11_put_u32(&w, t->cached_keys);
    p11_put_u32(&w, t->recycle_after);
    struct p11_call c = { .msg = P11_MSG_OPEN, .body = &body, .secret = t->pin };
    enum cf_rc rc = w.rc == CF_OK ? p11_send(t->own.worker.fd, &c, deadline_ms, e) : w.rc;
    cf_buf_clear(&body);
    return rc;
}

static enum cf_rc await_opening(struct p11_token *t, int64_t deadline_ms, struct cf_err *e)
{
    bool whole = false;
    while (!whole) {
        int64_t left = deadline_ms - p11_now_ms();
        struct pollfd p[2] = { { .fd = t->own.worker.fd, .events = POLLIN },
                               { .fd = t->own.worker.gone_fd, .events = POLLIN } };
        if (left <= 0 || poll(p, 2, (int)left) == 0)
            return CF_FAIL(e, CF_E_TOKEN, "opening the token took longer than allowed");
        if (p[1].revents && !p[0].revents)
            return CF_FAIL(e, CF_E_IO, "the token worker is gone");
        enum cf_rc rc = p11_inbox_read(t, &whole, e);
        if (rc != CF_OK)
            return rc;
    }
    return CF_OK;
}

/* *answered: the worker lived to tell, so the PIN's fate is known. */
static enum cf_rc open_in_worker(struct p11_token *t, struct hal_token_info *info, bool *answered,
                                 struct cf_err *e)
{
    int64_t deadline = p11_now_ms() + (int64_t)START_FACTOR * t->deadline_ms;
    enum cf_rc rc = send_opening(t, deadline, e);
    if (rc == CF_OK)
        rc = await_opening(t, deadline, e);
    if (rc == CF_OK) {
        struct cf_rd r = p11_inbox_body(&t->own.inbox);
        enum cf_rc said = (enum cf_rc)cf_rd_u8(&r);
        *answered = true;
        if (said != CF_OK)
            rc = p11_get_failure(&r, said, e);
        else
            p11_get_info(&r, info);
        if (rc == CF_OK && (!cf_rd_done(&r) || info->sessions == 0))
            rc = CF_FAIL(e, CF_E_TOKEN, "the token worker's answer is malformed");
    }
    p11_inbox_next(&t->own.inbox);
    return rc;
}

/* What the daemon's user reads when the module took the worker down. */
static enum cf_rc died(int status, struct cf_err *e)
{
    if (status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        return CF_FAIL(e, CF_E_TOKEN, "the token worker died of signal %d while opening the token",
                       WTERMSIG(status));
    if (status >= 0 && WIFEXITED(status))
        return CF_FAIL(e, CF_E_TOKEN,
                       "the token worker left with status %d while opening the token",
                       WEXITSTATUS(status));
    return CF_FAIL(e, CF_E_TOKEN, "the token worker ended while opening the token");
}

enum cf_rc p11_start(struct p11_token *t, struct hal_token_info *info, struct cf_err *e)
{
    struct cf_err why = { 0 };
    bool answered = false;
    enum cf_rc rc = p11_pin_begin(t, e);
    if (rc != CF_OK)
        return rc;
    rc = p11_worker_spawn(&t->own.worker, t->worker_path, &why);
    if (rc != CF_OK)
        answered = true; /* nothing was tried */
    else
        rc = open_in_worker(t, info, &answered, &why);
    if (answered) {
        enum cf_rc counted = p11_pin_end(t, rc == CF_OK ? NULL : &why, e);
        rc = rc != CF_OK ? rc : counted;
    }
    if (rc == CF_OK)
        return CF_OK;
    int status = p11_worker_stop(&t->own.worker, answered ? 500 : 0);
    if (rc == CF_E_IO)
        return died(status, e);
    if (e && e->rc == CF_OK)
        *e = why;
    return rc;
}
