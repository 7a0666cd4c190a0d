#include "worker/serve_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/frame_priv.h"
#include "worker/start_priv.h"

/* One row a message. P11_MSG_OPEN is answered before there is a token to serve. */
static p11_handler *const handlers[P11_MSG_END] = {
    [P11_MSG_RANDOM] = p11_do_random,
    [P11_MSG_KEY_PRESENT] = p11_do_key_present,
    [P11_MSG_KEY_IMPORT] = p11_do_key_import,
    [P11_MSG_KEY_MAKE] = p11_do_key_make,
    [P11_MSG_KEY_PUBLIC] = p11_do_key_public,
    [P11_MSG_KEY_DESTROY] = p11_do_key_destroy,
    [P11_MSG_MAC] = p11_do_mac,
    [P11_MSG_KEY_USE] = p11_do_key_use,
    [P11_MSG_USER_MAKE] = p11_do_user_make,
    [P11_MSG_USER_IMPORT] = p11_do_user_import,
    [P11_MSG_USER_USE] = p11_do_user_use,
    [P11_MSG_USER_CHECK] = p11_do_user_check,
};

struct server {
    int fd;
    pid_t pid;
    struct p11_core *core;
};

struct serving {
    struct server *srv;
    struct p11_ctx ctx;
    struct p11_frame frame;
    pthread_t thread;
    bool started;
};

/* Device error or bad request? Ask the token. True: it is lost, start over. */
static bool judge_failure(struct p11_ctx *c, enum cf_rc *rc, struct cf_err *why)
{
    enum cf_rc blame = c->blame;
    const char *text = c->blame_text;
    if (c->worst == P11_LOST)
        return true;
    if (c->worst != P11_DEVICE || *rc != CF_E_TOKEN)
        return false;
    if (!p11_alive(c))
        return true;
    if (blame != CF_E_TOKEN) {
        *rc = why->rc = blame;
        snprintf(why->text, sizeof why->text, "%s", text);
    }
    return false;
}

static enum cf_rc run(struct p11_ctx *c, const struct p11_frame *f, struct p11_wr *w,
                      struct cf_err *why)
{
    struct p11_request q = { .c = c, .in = cf_rd_of(f->body.p, f->body.len), .secret = f->secret };
    p11_handler *fn = handlers[f->h.msg];
    if (!fn)
        return p11_bad_request(why);
    enum cf_rc rc = p11_ctx_ready(c, why);
    if (rc != CF_OK)
        return rc;
    p11_put_u8(w, CF_OK);
    rc = fn(&q, w, why);
    return rc != CF_OK ? rc : w->rc;
}

/* Answers one request. False: the answer could not be sent. */
static bool answer(struct serving *t, const struct p11_frame *f)
{
    struct cf_buf body = { 0 };
    struct cf_err why = { 0 };
    struct p11_wr w = { .b = &body, .e = &why };
    struct p11_header h = { .msg = f->h.msg, .id = f->h.id };
    enum cf_rc rc = run(&t->ctx, f, &w, &why);
    bool lost = judge_failure(&t->ctx, &rc, &why);
    if (rc != CF_OK) {
        cf_buf_clear(&body);
        w.rc = CF_OK;
        p11_put_failure(&w, rc, &why);
    }
    if (lost || atomic_load(&t->srv->core->made) >= t->srv->core->recycle_after)
        h.flags = P11_FLAG_RESTART;
    enum cf_rc sent = w.rc == CF_OK ? p11_frame_write(t->srv->fd, &h, &body, NULL) : w.rc;
    cf_buf_clear(&body);
    return sent == CF_OK;
}

static void *serve(void *arg)
{
    struct serving *t = arg;
    struct p11_frame *f = &t->frame;
    bool go_on = true;
    while (go_on) {
        /* A module's state is worth nothing in a forked process. */
        go_on =
            p11_frame_read(t->srv->fd, f, NULL) == CF_OK && getpid() == t->srv->pid && answer(t, f);
        p11_frame_wipe(f);
    }
    /* One that cannot go on takes the others along: the client starts another worker. */
    (void)shutdown(t->srv->fd, SHUT_RDWR);
    return NULL;
}

void p11_serve(int fd, struct p11_core *core)
{
    struct serving *threads = calloc(core->sessions_len, sizeof *threads);
    struct server srv = { .fd = fd, .pid = getpid(), .core = core };
    uint32_t n = threads ? core->sessions_len : 0;
    for (uint32_t i = 0; i < n; i++) {
        threads[i].srv = &srv;
        threads[i].ctx = (struct p11_ctx){ .core = core, .fn = core->fn, .s = core->sessions[i] };
        /* Fewer threads will do where memory to lock runs short. */
        threads[i].started = p11_frame_new(&threads[i].frame, NULL) == CF_OK &&
                             pthread_create(&threads[i].thread, NULL, serve, &threads[i]) == 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (threads[i].started)
            pthread_join(threads[i].thread, NULL);
        p11_frame_clear(&threads[i].frame);
    }
    free(threads);
}
