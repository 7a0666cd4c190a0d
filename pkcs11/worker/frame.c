#include "worker/frame_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define FRONT_BODY (P11_FRONT_SIZE - P11_HEADER_SIZE)

enum cf_rc p11_frame_new(struct p11_frame *f, struct cf_err *e)
{
    *f = (struct p11_frame){ .rest = malloc(P11_BODY_MAX) };
    if (!f->rest)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for requests");
    return cf_secret_new(P11_FRONT_SIZE, &f->front, e);
}

void p11_frame_wipe(struct p11_frame *f)
{
    size_t front = f->len < P11_FRONT_SIZE ? f->len : P11_FRONT_SIZE;
    if (f->front)
        cf_wipe(cf_secret_data(f->front), front);
    if (f->len > front)
        cf_wipe(f->rest, f->len - P11_HEADER_SIZE);
    f->len = 0;
    f->body = f->secret = crypto_bytes_of(NULL, 0);
}

void p11_frame_clear(struct p11_frame *f)
{
    p11_frame_wipe(f);
    cf_secret_free(f->front);
    free(f->rest);
    *f = (struct p11_frame){ .rest = NULL };
}

static enum cf_rc no_request(struct cf_err *e)
{
    return CF_FAIL(e, CF_E_CORRUPT, "what the token client sent is no request");
}

/* Checks lengths against what came, and finds body and secret. */
static enum cf_rc take_apart(struct p11_frame *f, size_t n, struct cf_err *e)
{
    const uint8_t *front = cf_secret_view(f->front);
    if (n < P11_HEADER_SIZE)
        return no_request(e);
    enum cf_rc rc = p11_header_get(front, &f->h, e);
    if (rc != CF_OK)
        return rc;
    if ((size_t)P11_HEADER_SIZE + f->h.body_len + f->h.secret_len != n)
        return no_request(e);
    const uint8_t *body = front + P11_HEADER_SIZE;
    if (n > P11_FRONT_SIZE) {
        memcpy(f->rest, body, FRONT_BODY);
        body = f->rest;
    }
    f->body = crypto_bytes_of(body, f->h.body_len);
    f->secret = crypto_bytes_of(body + f->h.body_len, f->h.secret_len);
    return CF_OK;
}

enum cf_rc p11_frame_read(int fd, struct p11_frame *f, struct cf_err *e)
{
    struct iovec v[2] = { { cf_secret_data(f->front), P11_FRONT_SIZE },
                          { f->rest + FRONT_BODY, P11_BODY_MAX - FRONT_BODY } };
    struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
    ssize_t n;
    do
        n = recvmsg(fd, &m, 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return CF_FAIL(e, CF_E_ABSENT, "the token client is gone");
    f->len = (size_t)n;
    return m.msg_flags & MSG_TRUNC ? no_request(e) : take_apart(f, (size_t)n, e);
}

enum cf_rc p11_frame_write(int fd, struct p11_header *h, const struct cf_buf *body,
                           struct cf_err *e)
{
    uint8_t head[P11_HEADER_SIZE];
    h->body_len = (uint32_t)body->len;
    p11_header_put(h, head);
    struct iovec v[2] = { { head, sizeof head }, { body->data, body->len } };
    struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
    ssize_t n;
    do
        n = sendmsg(fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? CF_OK : CF_FAIL_ERRNO(e, CF_E_IO, "cannot answer the token client");
}
