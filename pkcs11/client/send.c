#include "client/client_priv.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static enum cf_rc send_packet(int fd, const struct msghdr *m, int64_t deadline_ms, struct cf_err *e)
{
    for (;;) {
        if (sendmsg(fd, m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return CF_OK;
        if (errno == EINTR)
            continue;
        if (errno == EMSGSIZE)
            return CF_FAIL(e, CF_E_LIMIT,
                           "the token call is too large for the socket's buffer; "
                           "raise net.core.wmem_max");
        int64_t left = deadline_ms - p11_now_ms();
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        if (errno != EAGAIN)
            return CF_FAIL_ERRNO(e, CF_E_TOKEN, "the token worker takes no request");
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return CF_FAIL(e, CF_E_TOKEN, "the token worker took no request in its time");
    }
}

enum cf_rc p11_send(int fd, const struct p11_call *c, int64_t deadline_ms, struct cf_err *e)
{
    uint8_t head[P11_HEADER_SIZE];
    uint8_t *secret = NULL;
    size_t secret_len = cf_secret_len(c->secret);
    if (c->body->len > P11_BODY_MAX ||
        (secret_len && P11_HEADER_SIZE + c->body->len + secret_len > P11_FRONT_SIZE))
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
    struct iovec v[3] = { { head, sizeof head },
                          { c->body->data, c->body->len },
                          { secret, secret_len } };
    const struct msghdr m = { .msg_iov = v, .msg_iovlen = 3 };
    return send_packet(fd, &m, deadline_ms, e);
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

enum cf_rc p11_inbox_read(struct p11_token *t, bool *whole, struct cf_err *e)
{
    struct p11_inbox *in = &t->own.inbox;
    *whole = false;
    ssize_t n = recv(t->own.worker.fd, in->room, P11_PACKET_MAX, MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return CF_OK;
    if (n <= 0)
        return CF_FAIL(e, CF_E_IO, "the token worker is gone");
    if ((size_t)n < P11_HEADER_SIZE || (size_t)n > P11_PACKET_MAX)
        return CF_FAIL(e, CF_E_CORRUPT, "the token worker's answer has no form");
    recorded(t, in->room, (size_t)n);
    enum cf_rc rc = p11_header_get(in->room, &in->h, e);
    if (rc == CF_OK &&
        (in->h.secret_len || !in->h.body_len || P11_HEADER_SIZE + in->h.body_len != (size_t)n))
        rc = CF_FAIL(e, CF_E_CORRUPT, "the token worker's answer has no form");
    *whole = rc == CF_OK;
    return rc;
}

void p11_inbox_next(struct p11_inbox *in)
{
    cf_wipe(in->room, P11_HEADER_SIZE + in->h.body_len);
    in->h = (struct p11_header){ 0 };
}
