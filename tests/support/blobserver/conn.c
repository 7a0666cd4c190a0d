#include "conn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store_priv.h"

#define TURN_BYTES CONN_SCRATCH /* then the other connections of the worker have their turn */
#define BODY_MAX   (600u << 20) /* kept bodies */

/* What a step says when its work is done and the next state may go on. */
#define CONN_ON ((enum conn_wait)(CONN_GONE + 1))

struct conn *conn_new(const struct shared *sh, int fd, SSL_CTX *tls, uint8_t *scratch)
{
    struct conn *c = store_alloc(sizeof *c);
    c->sh = sh;
    c->fd = fd;
    c->scratch = scratch;
    c->rate = sh->opt->rate_bytes;
    if (tls != NULL) {
        c->ssl = SSL_new(tls);
        if (c->ssl == NULL || SSL_set_fd(c->ssl, fd) != 1)
            abort();
        SSL_set_accept_state(c->ssl);
    }
    stats_connection(sh->stats, 1);
    return c;
}

void conn_free(struct conn *c)
{
    if (c->reset) {
        struct linger now = { 1, 0 };
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    } else if (c->ssl != NULL) {
        SSL_shutdown(c->ssl);
    }
    SSL_free(c->ssl);
    close(c->fd);
    if (c->called)
        call_clear(&c->call);
    stats_connection(c->sh->stats, -1);
    free(c);
}

static enum conn_wait reset(struct conn *c)
{
    c->reset = true;
    return CONN_GONE;
}

/* Waits as `wait` says, or closes: what a negative or zero result of conn_io means. */
static enum conn_wait stalled(ssize_t n, enum conn_wait wait)
{
    return n == -1 ? wait : CONN_GONE;
}

static void begin_call(struct conn *c)
{
    c->called = true;
    c->body_got = c->sent = c->head_sent = c->rate_done = 0;
    c->rate_start_ns = conn_now_ns();
    c->rate = c->sh->opt->rate_bytes;
    c->refusal = BS_OK;
    c->bad_head = http_parse(&c->req, c->in, c->head_len);
    if (c->bad_head != 0) {
        c->req = (struct http_request){ .method = HTTP_GET, .path = "/", .query = "" };
        c->refusal = BS_INVALID_HEADER;
    }
    if (c->bad_head == 0)
        c->refusal = call_route(&c->call, &c->req);
    else
        (void)call_route(&c->call, &c->req);
    c->call.tls = c->ssl != NULL;
    if (c->call.admin == ADMIN_NONE) {
        stats_request(c->sh->stats, c->call.op);
        c->call.fault = faults_take(c->sh->faults, c->call.op, c->call.blob);
    }
    if (c->call.fault.action != FAULT_NONE)
        stats_fault(c->sh->stats);
    if (c->call.fault.action == FAULT_DRIP)
        c->rate = c->call.fault.value == 0 ? 1 : c->call.fault.value;
}

/* Where the body goes, and what may stop it before it comes. */
static enum conn_wait begin_body(struct conn *c)
{
    const struct fault *f = &c->call.fault;
    bool discard = c->sh->opt->discard && call_may_discard(&c->call);
    if (c->bad_head != 0 || f->action == FAULT_EARLY_STATUS ||
        (!discard && c->req.content_length > BODY_MAX)) {
        if (f->action != FAULT_EARLY_STATUS && c->bad_head == 0)
            c->refusal = BS_TOO_LARGE;
        c->call.reply.close = true;
        c->state = CONN_IN_CALL;
        return CONN_ON;
    }
    if (f->action == FAULT_RESET && f->value == 0)
        return reset(c);
    c->call.body_len = c->req.content_length;
    if (!discard && c->call.body_len > 0) {
        c->call.body = malloc(c->call.body_len);
        if (c->call.body == NULL)
            return CONN_GONE;
    }
    if (c->req.expect_continue && c->in_len == c->head_len) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        enum conn_wait wait;
        if (conn_send(c, go_on, sizeof go_on - 1, false, &wait) != (ssize_t)sizeof go_on - 1)
            return CONN_GONE;
    }
    c->state = CONN_IN_BODY;
    return CONN_ON;
}

static enum conn_wait read_head(struct conn *c)
{
    for (;;) {
        char *end = c->in_len < 4 ? NULL : memmem(c->in, c->in_len, "\r\n\r\n", 4);
        if (end != NULL) {
            c->head_len = (size_t)(end - c->in) + 4;
            begin_call(c);
            return begin_body(c);
        }
        if (c->in_len == sizeof c->in)
            return CONN_GONE;
        enum conn_wait wait;
        ssize_t n = conn_recv(c, c->in + c->in_len, sizeof c->in - c->in_len, &wait);
        if (n <= 0)
            return stalled(n, wait);
        c->in_len += (size_t)n;
    }
}

/* The first bytes of the body may have come with the head. */
static size_t take_read_ahead(struct conn *c)
{
    size_t n = c->in_len - c->head_len;
    if (n > c->call.body_len)
        n = (size_t)c->call.body_len;
    if (n > 0 && c->call.body != NULL)
        memcpy(c->call.body, c->in + c->head_len, n);
    memmove(c->in + c->head_len, c->in + c->head_len + n, c->in_len - c->head_len - n);
    c->in_len -= n;
    return n;
}

static void count_body(struct conn *c, size_t n)
{
    c->body_got += n;
    c->rate_done += n;
    stats_body_in(c->sh->stats, n);
}

static enum conn_wait read_body(struct conn *c)
{
    const struct fault *f = &c->call.fault;
    size_t turn = 0;
    if (c->body_got == 0)
        count_body(c, take_read_ahead(c));
    while (c->body_got < c->call.body_len) {
        if (f->action == FAULT_RESET && c->body_got >= f->value)
            return reset(c);
        if (turn >= TURN_BYTES) {
            c->wake_ns = 0;
            return CONN_TIME;
        }
        size_t want = (size_t)(c->call.body_len - c->body_got);
        want = conn_allow(c, want < TURN_BYTES ? want : TURN_BYTES);
        if (want == 0)
            return CONN_TIME;
        enum conn_wait wait;
        ssize_t n = c->call.body != NULL ? conn_recv(c, c->call.body + c->body_got, want, &wait)
                                         : conn_skip(c, want, &wait);
        if (n <= 0)
            return stalled(n, wait);
        count_body(c, (size_t)n);
        turn += (size_t)n;
    }
    if (f->action == FAULT_RESET)
        return reset(c);
    if (f->action == FAULT_HANG)
        return CONN_HUNG;
    c->state = CONN_IN_CALL;
    return CONN_ON;
}

/* Acts at once, answers after the latency. */
static enum conn_wait make_answer(struct conn *c)
{
    struct call *call = &c->call;
    if (call->reply.status == 0) {
        if (c->refusal != BS_OK)
            call_refuse(call, c->sh, c->refusal);
        else
            call_run(call, c->sh);
        if (call->fault.action == FAULT_COMMIT_RESET || call->fault.action == FAULT_LATE)
            return reset(c);
        if (!c->req.keep_alive)
            call->reply.close = true;
        call_finish_head(call);
        uint64_t wait_ms = call->admin != ADMIN_NONE ? 0 : c->sh->opt->latency_ms;
        if (call->fault.action == FAULT_DELAY)
            wait_ms += call->fault.value;
        c->wake_ns = conn_now_ns() + wait_ms * 1000000;
        if (wait_ms > 0)
            return CONN_TIME;
    }
    if (conn_now_ns() < c->wake_ns)
        return CONN_TIME;
    c->rate_start_ns = conn_now_ns();
    c->rate_done = 0;
    c->state = CONN_IN_ANSWER;
    return CONN_ON;
}

/* The next run of bytes of the answer's body, from place `at` in it. */
static const void *next_piece(struct conn *c, uint64_t at, size_t *len)
{
    static const uint8_t zeros[CONN_PIECE];
    struct reply *r = &c->call.reply;
    if (r->content == NULL) {
        *len = r->text.len - (size_t)at;
        return r->text.data + at;
    }
    uint64_t place = r->first + at;
    size_t lo = 0, hi = r->content->nsegments;
    while (hi - lo > 1) { /* the last segment that starts at or before `place` */
        size_t mid = lo + (hi - lo) / 2;
        if (r->content->segments[mid].start <= place)
            lo = mid;
        else
            hi = mid;
    }
    const struct store_segment *seg = &r->content->segments[lo];
    uint64_t skip = place - seg->start, left = seg->size - skip;
    if (left > r->count - at)
        left = r->count - at;
    if (left > (seg->data == NULL ? CONN_PIECE : TURN_BYTES))
        left = seg->data == NULL ? CONN_PIECE : TURN_BYTES;
    *len = (size_t)left;
    return seg->data == NULL ? zeros : seg->data + skip;
}

/* Cuts a piece at the byte to flip, so that this byte comes alone. */
static const void *flipped(const struct reply *r, uint64_t at, const void *piece, size_t *len,
                           uint8_t *one)
{
    if (r->flip < at || r->flip >= at + *len)
        return piece;
    if (r->flip > at) {
        *len = (size_t)(r->flip - at);
        return piece;
    }
    *one = *(const uint8_t *)piece ^ 0xff;
    *len = 1;
    return one;
}

static uint64_t answer_length(const struct conn *c)
{
    const struct reply *r = &c->call.reply;
    if (r->head_only)
        return 0;
    return r->content != NULL ? r->count : r->text.len;
}

static enum conn_wait send_head(struct conn *c)
{
    struct reply *r = &c->call.reply;
    while (c->head_sent < r->head.len) {
        enum conn_wait wait;
        ssize_t n = conn_send(c, r->head.data + c->head_sent, r->head.len - (size_t)c->head_sent,
                              answer_length(c) > 0, &wait);
        if (n <= 0)
            return stalled(n, wait);
        c->head_sent += (uint64_t)n;
    }
    return CONN_ON;
}

static enum conn_wait finish(struct conn *c)
{
    if (c->call.admin == ADMIN_NONE)
        stats_response(c->sh->stats, c->call.op, c->call.reply.status);
    bool over = c->call.reply.close;
    call_clear(&c->call);
    c->called = false;
    memmove(c->in, c->in + c->head_len, c->in_len - c->head_len);
    c->in_len -= c->head_len;
    c->state = CONN_IN_HEAD;
    return over ? CONN_GONE : CONN_ON;
}

static enum conn_wait send_answer(struct conn *c)
{
    enum conn_wait wait = send_head(c);
    uint64_t len = answer_length(c);
    const struct fault *f = &c->call.fault;
    size_t turn = 0;
    if (wait != CONN_ON)
        return wait;
    bool cut = f->action == FAULT_TRUNCATE || f->action == FAULT_UNSIZED;
    if (cut && f->value < len)
        len = f->value;
    while (c->sent < len) {
        uint8_t one;
        size_t n;
        if (turn >= TURN_BYTES) {
            c->wake_ns = 0;
            return CONN_TIME;
        }
        const void *piece = next_piece(c, c->sent, &n);
        if (n > len - c->sent)
            n = (size_t)(len - c->sent);
        piece = flipped(&c->call.reply, c->sent, piece, &n, &one);
        n = conn_allow(c, n);
        if (n == 0)
            return CONN_TIME;
        ssize_t moved = conn_send(c, piece, n, false, &wait);
        if (moved <= 0)
            return stalled(moved, wait);
        c->sent += (uint64_t)moved;
        c->rate_done += (uint64_t)moved;
        turn += (size_t)moved;
        stats_body_out(c->sh->stats, (uint64_t)moved);
    }
    if (cut)
        return CONN_GONE;
    return finish(c);
}

enum conn_wait conn_run(struct conn *c)
{
    static enum conn_wait (*const steps[])(struct conn *) = {
        [CONN_IN_HEAD] = read_head,
        [CONN_IN_BODY] = read_body,
        [CONN_IN_CALL] = make_answer,
        [CONN_IN_ANSWER] = send_answer,
    };
    enum conn_wait wait = CONN_ON;
    while (wait == CONN_ON)
        wait = steps[c->state](c);
    return wait;
}
