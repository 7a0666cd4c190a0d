#include "client/client_priv.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECES 3

/* Takes `n` sent bytes off the front; the number of pieces that are done. */
static size_t advance(struct iovec *v, size_t at, size_t n)
{
    while (at < PIECES && n >= v[at].iov_len)
        n -= v[at++].iov_len;
    if (at < PIECES) {
        v[at].iov_base = (uint8_t *)v[at].iov_base + n;
        v[at].iov_len -= n;
    }
    return at;
}

static enum cf_rc send_all(int fd, struct iovec *v, int64_t deadline_ms, struct cf_err *e)
{
    for (size_t at = advance(v, 0, 0); at < PIECES;) {
        struct msghdr m = { .msg_iov = v + at, .msg_iovlen = PIECES - at };
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            at = advance(v, at, (size_t)n);
            continue;
        }
        if (errno == EINTR)
            continue;
        int64_t left = deadline_ms - p11_now_ms();
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        if (errno != EAGAIN)
            return CF_FAIL_ERRNO(e, CF_E_TOKEN, "the token worker takes no request");
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return CF_FAIL(e, CF_E_TOKEN, "the token worker took no request in its time");
    }
    return CF_OK;
}

enum cf_rc p11_send(int fd, const struct p11_call *c, int64_t deadline_ms, struct cf_err *e)
{
    uint8_t head[P11_HEADER_SIZE];
    uint8_t *secret = NULL;
    size_t secret_len = cf_secret_len(c->secret);
    if (c->body->len > P11_BODY_MAX || secret_len > P11_SECRET_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "the token call is too large");
    if (secret_len) {
        const uint8_t *view = cf_secret_view(c->secret);
        memcpy(&secret, &view, sizeof secret); /* iovec has no const */
    }
    const struct p11_header h = { .body_len = (uint32_t)c->body->len,
                                  .secret_len = (uint32_t)secret_len,
                                  .msg = (uint16_t)c->msg,
                                  .id = c->id };
    p11_header_put(&h, head);
    struct iovec v[PIECES] = { { head, sizeof head },
                               { c->body->data, c->body->len },
                               { secret, secret_len } };
    return send_all(fd, v, deadline_ms, e);
}

static enum cf_rc gone(struct cf_err *e)
{
    return CF_FAIL(e, CF_E_IO, "the token worker is gone");
}

static void recorded(struct p11_token *t, const void *p, size_t n)
{
#if CF_DEBUG_RECORDERS
    if (t->record)
        t->record(t->record_arg, p, n);
#else
    (void)t;
    (void)p;
    (void)n;
#endif
}

/* Up to the end of the header, then up to the end of the body. 0: nothing there now. */
static ssize_t read_some(struct p11_token *t)
{
    struct p11_inbox *in = &t->own.inbox;
    bool head = in->have < P11_HEADER_SIZE;
    uint8_t *p = head ? in->head + in->have : in->body.data + (in->have - P11_HEADER_SIZE);
    size_t want = head ? P11_HEADER_SIZE - in->have : in->h.body_len - (in->have - P11_HEADER_SIZE);
    ssize_t n = read(t->own.worker.fd, p, want);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return -1;
    recorded(t, p, (size_t)n);
    in->have += (size_t)n;
    return n;
}

enum cf_rc p11_inbox_read(struct p11_token *t, bool *whole, struct cf_err *e)
{
    struct p11_inbox *in = &t->own.inbox;
    *whole = false;
    for (;;) {
        ssize_t n = read_some(t);
        if (n < 0)
            return gone(e);
        if (n == 0)
            return CF_OK;
        if (in->have == P11_HEADER_SIZE) {
            enum cf_rc rc = p11_header_get(in->head, &in->h, e);
            if (rc == CF_OK && (in->h.secret_len || !in->h.body_len))
                rc = CF_FAIL(e, CF_E_CORRUPT, "the token worker's answer has no form");
            if (rc == CF_OK)
                rc = cf_buf_resize(&in->body, in->h.body_len, e);
            if (rc != CF_OK)
                return rc;
        }
        if (in->have > P11_HEADER_SIZE && in->have - P11_HEADER_SIZE == in->h.body_len) {
            *whole = true;
            return CF_OK;
        }
    }
}

void p11_inbox_next(struct p11_inbox *in)
{
    cf_buf_clear(&in->body);
    in->have = 0;
}
