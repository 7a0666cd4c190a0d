/*
 * One connection: reads a request, has it answered, sends the answer, and plays the faults that
 * concern bytes on the wire. Threads: a connection belongs to one worker from accept to close.
 */
#ifndef BLOBSERVER_CONN_H
#define BLOBSERVER_CONN_H

#include <openssl/ssl.h>

#include "call.h"

/* What a step left behind: on what to wait. */
enum conn_wait {
    CONN_READ,  /* bytes from the peer */
    CONN_WRITE, /* room towards the peer */
    CONN_TIME,  /* conn->wake_ns */
    CONN_HUNG,  /* nothing but the peer's end */
    CONN_GONE   /* close it; conn->reset tells how */
};

enum conn_state { CONN_IN_HEAD, CONN_IN_BODY, CONN_IN_CALL, CONN_IN_ANSWER };

struct conn {
    struct conn *next, *prev; /* of the worker's list */
    const struct shared *sh;
    int fd;
    SSL *ssl; /* NULL: plain */
    enum conn_state state;
    enum conn_wait wait; /* as the worker has it registered */
    bool reset, eof, called;
    char in[HTTP_HEAD_MAX]; /* head, and what came behind it */
    size_t in_len, head_len;
    struct http_request req;
    struct call call;
    enum bs_error refusal; /* found in the head, answered after the body */
    int bad_head;          /* status, 0: none */
    uint64_t body_got, sent, head_sent;
    uint64_t wake_ns, rate, rate_start_ns, rate_done;
    uint8_t *scratch; /* the worker's, CONN_SCRATCH bytes */
};

#define CONN_SCRATCH (4u << 20)    /* also the most one recv may drop; hardly ever touched */
#define CONN_PIECE   (256u * 1024) /* of decrypted bytes, and of zeros */

struct conn *conn_new(const struct shared *sh, int fd, SSL_CTX *tls, uint8_t *scratch);

/* Does what can be done without waiting, within a fair share of time. */
enum conn_wait conn_run(struct conn *c);

/* Closes, with a reset if c->reset, and frees. */
void conn_free(struct conn *c);

uint64_t conn_now_ns(void);

/* conn_io.c. Bytes moved; 0: end; -1: wait as *wait says; -2: broken. */
ssize_t conn_recv(struct conn *c, void *buf, size_t len, enum conn_wait *wait);
/* As conn_recv, but the bytes are lost; plain TCP drops them in the kernel. */
ssize_t conn_skip(struct conn *c, size_t len, enum conn_wait *wait);
ssize_t conn_send(struct conn *c, const void *buf, size_t len, bool more, enum conn_wait *wait);

/* How many of `want` bytes the rate allows now; 0 sets wake_ns. */
size_t conn_allow(struct conn *c, size_t want);

#endif
