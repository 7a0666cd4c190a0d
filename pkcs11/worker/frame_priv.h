/*
 * The worker's end of the socketpair: whole messages in, whole answers out, blocking.
 * Threads: one at a time in each direction; the caller holds the lock.
 */
#ifndef P11_FRAME_PRIV_H
#define P11_FRAME_PRIV_H

#include "worker/wire_priv.h"

/* One request as it came. Zero-initialise; p11_frame_clear wipes. */
struct p11_frame {
    struct p11_header h;
    struct cf_buf body;
    struct cf_secret *secret;
};

/* CF_E_ABSENT: the other end has closed, between two messages. */
CF_CHECK enum cf_rc p11_frame_read(int fd, struct p11_frame *f, struct cf_err *e);
void p11_frame_clear(struct p11_frame *f);

/* Writes header and body; fills in h->body_len. */
CF_CHECK enum cf_rc p11_frame_write(int fd, struct p11_header *h, const struct cf_buf *body,
                                    struct cf_err *e);

#endif
