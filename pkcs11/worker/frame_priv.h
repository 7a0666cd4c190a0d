/*
 * The worker's end of the socket: a whole request in, a whole answer out, blocking.
 * Threads: any number may read and write at once, each with its own struct p11_frame.
 */
#ifndef P11_FRAME_PRIV_H
#define P11_FRAME_PRIV_H

#include "crypto/crypto.h"
#include "worker/wire_priv.h"

/* One request as it came. `body` and `secret` point into the memory below until the next read. */
struct p11_frame {
    struct p11_header h;
    struct crypto_bytes body;
    struct crypto_bytes secret; /* in locked memory */
    struct cf_secret *front;    /* the packet's first P11_FRONT_SIZE bytes land here */
    uint8_t *rest;              /* longer ones are put together here */
    size_t len;                 /* of the packet */
};

CF_CHECK enum cf_rc p11_frame_new(struct p11_frame *f, struct cf_err *e);
void p11_frame_clear(struct p11_frame *f); /* wipes and frees */

/* CF_E_ABSENT: the other end has closed. CF_E_CORRUPT: what came is no request. */
CF_CHECK enum cf_rc p11_frame_read(int fd, struct p11_frame *f, struct cf_err *e);
void p11_frame_wipe(struct p11_frame *f); /* what was read; done with it */

/* Sends header and body as one packet; fills in h->body_len. */
CF_CHECK enum cf_rc p11_frame_write(int fd, struct p11_header *h, const struct cf_buf *body,
                                    struct cf_err *e);

#endif
