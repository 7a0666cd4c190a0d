#include "worker/frame_priv.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

/* True when all came. `*any` tells an end between messages from one inside. */
static bool read_all(int fd, uint8_t *p, size_t len, bool *any)
{
    while (len) {
        ssize_t n = read(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        *any = true;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static enum cf_rc ended(struct cf_err *e)
{
    return CF_FAIL(e, CF_E_IO, "the connection to the token client broke");
}

enum cf_rc p11_frame_read(int fd, struct p11_frame *f, struct cf_err *e)
{
    uint8_t head[P11_HEADER_SIZE];
    bool any = false;
    cf_secret_free(f->secret);
    f->secret = NULL;
    if (!read_all(fd, head, sizeof head, &any))
        return any ? ended(e) : CF_FAIL(e, CF_E_ABSENT, "the token client is gone");
    enum cf_rc rc = p11_header_get(head, &f->h, e);
    if (rc == CF_OK)
        rc = cf_buf_resize(&f->body, f->h.body_len, e);
    if (rc == CF_OK && f->h.secret_len)
        rc = cf_secret_new(f->h.secret_len, &f->secret, e);
    if (rc != CF_OK)
        return rc;
    if (!read_all(fd, f->body.data, f->h.body_len, &any))
        return ended(e);
    if (f->secret && !read_all(fd, cf_secret_data(f->secret), f->h.secret_len, &any))
        return ended(e);
    return CF_OK;
}

void p11_frame_clear(struct p11_frame *f)
{
    cf_buf_clear(&f->body);
    cf_secret_free(f->secret);
    f->secret = NULL;
}

enum cf_rc p11_frame_write(int fd, struct p11_header *h, const struct cf_buf *body,
                           struct cf_err *e)
{
    uint8_t head[P11_HEADER_SIZE];
    h->body_len = (uint32_t)body->len;
    p11_header_put(h, head);
    struct iovec v[2] = { { head, sizeof head }, { body->data, body->len } };
    for (int at = 0; at < 2;) {
        ssize_t n = writev(fd, v + at, 2 - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ended(e);
        for (size_t left = (size_t)n; at < 2; at++) {
            if (left < v[at].iov_len) {
                v[at].iov_base = (uint8_t *)v[at].iov_base + left;
                v[at].iov_len -= left;
                break;
            }
            left -= v[at].iov_len;
        }
    }
    return CF_OK;
}
