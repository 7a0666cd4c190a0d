#include "conn.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

uint64_t conn_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

size_t conn_allow(struct conn *c, size_t want)
{
    if (c->rate == 0)
        return want;
    /* at least 4 ms worth at a time, so that a slow connection costs neither side much */
    uint64_t step = c->rate / 250 + 1;
    uint64_t now = conn_now_ns();
    double earned = (double)(now - c->rate_start_ns) / 1e9 * (double)c->rate;
    uint64_t allowed = (uint64_t)earned, least = want < step ? want : step;
    if (allowed >= c->rate_done + least) {
        uint64_t n = allowed - c->rate_done;
        return n < want ? (size_t)n : want;
    }
    uint64_t lacking = c->rate_done + least - allowed;
    c->wake_ns = now + (uint64_t)((double)lacking * 1e9 / (double)c->rate);
    return 0;
}

static ssize_t tls_result(struct conn *c, int n, enum conn_wait *wait)
{
    if (n > 0)
        return n;
    switch (SSL_get_error(c->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        *wait = CONN_READ;
        return -1;
    case SSL_ERROR_WANT_WRITE:
        *wait = CONN_WRITE;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return -2;
    }
}

static ssize_t plain_result(ssize_t n, enum conn_wait want, enum conn_wait *wait)
{
    if (n >= 0)
        return n;
    if (errno != EAGAIN && errno != EINTR)
        return -2;
    *wait = want;
    return -1;
}

static int tls_len(size_t len)
{
    return len > 1 << 20 ? 1 << 20 : (int)len;
}

ssize_t conn_recv(struct conn *c, void *buf, size_t len, enum conn_wait *wait)
{
    if (c->ssl != NULL)
        return tls_result(c, SSL_read(c->ssl, buf, tls_len(len)), wait);
    return plain_result(recv(c->fd, buf, len, 0), CONN_READ, wait);
}

ssize_t conn_skip(struct conn *c, size_t len, enum conn_wait *wait)
{
    if (c->ssl != NULL) {
        size_t n = len < CONN_PIECE ? len : CONN_PIECE;
        return tls_result(c, SSL_read(c->ssl, c->scratch, (int)n), wait);
    }
    size_t n = len < CONN_SCRATCH ? len : CONN_SCRATCH;
    return plain_result(recv(c->fd, c->scratch, n, MSG_TRUNC), CONN_READ, wait);
}

ssize_t conn_send(struct conn *c, const void *buf, size_t len, bool more, enum conn_wait *wait)
{
    if (c->ssl != NULL)
        return tls_result(c, SSL_write(c->ssl, buf, tls_len(len)), wait);
    return plain_result(send(c->fd, buf, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0)), CONN_WRITE,
                        wait);
}
