/*
 * The daemon's side: callers' threads send requests and wait; one manager thread owns the worker,
 * starts it, hands out its answers, kills it when a call's time is up, and starts it anew.
 * No Cryptoki here. Threads: fields are grouped by who may touch them.
 */
#ifndef P11_CLIENT_PRIV_H
#define P11_CLIENT_PRIV_H

#include <pthread.h>
#include <sys/types.h>

#include "p11/p11.h"
#include "worker/wire_priv.h"

/* One request under way; lives on its caller's stack until done. */
struct p11_call {
    uint64_t id;
    enum p11_msg msg;
    struct cf_buf *body;            /* the request's fields */
    const struct cf_secret *secret; /* or NULL */
    struct cf_buf answer;
    struct cf_err why;
    enum cf_rc rc; /* of the way there and back; the answer has its own */
    int64_t allowed_ms;
    bool late; /* its deadline passed: the reason why the worker is killed */
    bool done;
    bool again; /* worth one more try with a new worker */
    pthread_cond_t cond;
    struct p11_call *next;
};

/* The child process. pid 0: none. Its end is seen by `gone_fd`, a pidfd (or -1): where a module has
 * forked, the socket stays open in the copy. */
struct p11_worker {
    pid_t pid;
    int fd;
    int gone_fd;
};

/* The answer that came last; its body stands in `room` until p11_inbox_next. */
struct p11_inbox {
    uint8_t *room; /* P11_PACKET_MAX */
    struct p11_header h;
};

/* Two counts in a small file (tokens document 2.1, PIN). */
struct p11_pin_file {
    uint32_t refused; /* the token said no */
    uint32_t unknown; /* tried, and nobody lived to tell */
};

enum p11_state { P11_DOWN, P11_STARTING, P11_UP, P11_DRAINING };

struct p11_token {
    struct hal_token base;

    /* Fixed at open. */
    char *module, *token_uri, *pin_counter, *worker_path;
    struct cf_secret *pin;
    uint32_t deadline_ms, cached_keys, recycle_after, max_sessions;

    pthread_t manager;
    int wake; /* eventfd: look at `locked` */

    /* Manager thread only. */
    struct {
        struct p11_worker worker;
        struct p11_inbox inbox;
        struct p11_pin_file pins;
        bool pin_confirmed; /* spent by the first try */
        bool pin_good;      /* it has logged in since we started */
        bool served;        /* this worker has answered a call well */
        unsigned failures;  /* in a row, for back-off */
        int64_t up_since_ms;
    } own;

    struct {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        enum p11_state state;
        bool wanted, stop, kill, denied;
        struct p11_call *calls;
        unsigned in_flight, capacity, senders;
        uint64_t next_id, attempts, failed_attempts; /* to start a worker */
        int64_t not_before_ms;                       /* back-off */
        uint32_t starts;
        struct cf_err last; /* why the last start failed */
        struct hal_token_info info;
        int fd; /* the worker's, while senders may use it */
        int pid;
    } locked;

#if CF_DEBUG_RECORDERS
    void (*record)(void *arg, const void *p, size_t n);
    void *record_arg;
#endif
};

int64_t p11_now_ms(void);
void p11_cond_init(pthread_cond_t *c); /* on the clock of p11_now_ms */

/* --- worker.c: the process ------------------------------------------------------------------- */
CF_CHECK enum cf_rc p11_worker_spawn(struct p11_worker *w, const char *path, struct cf_err *e);
/* Closes our end; the worker finalises its module and leaves, or is killed after `grace_ms`; what
 * its module has forked into its process group is killed with it. Reaps it. Gives the wait status,
 * -1 if unknown. */
int p11_worker_stop(struct p11_worker *w, int grace_ms);

/* --- pin.c: whether the PIN may be tried ----------------------------------------------------- */
/* CF_E_DENIED: no; the text says why and the cure. Counts the try as "unknown" on disk first. */
CF_CHECK enum cf_rc p11_pin_begin(struct p11_token *t, struct cf_err *e);
/* What came of it; `why` is NULL for success. */
CF_CHECK enum cf_rc p11_pin_end(struct p11_token *t, const struct cf_err *why, struct cf_err *e);

/* --- send.c: bytes out and in ---------------------------------------------------------------- */
/* Sends the request as one packet. CF_E_LIMIT: it is too large, nothing was sent. */
CF_CHECK enum cf_rc p11_send(int fd, const struct p11_call *c, int64_t deadline_ms,
                             struct cf_err *e);
/* Takes the next answer, if one is there: *whole. CF_E_IO: the worker is gone. */
CF_CHECK enum cf_rc p11_inbox_read(struct p11_token *t, bool *whole, struct cf_err *e);
static inline struct cf_rd p11_inbox_body(const struct p11_inbox *in)
{
    return cf_rd_of(in->room + P11_HEADER_SIZE, in->h.body_len);
}
void p11_inbox_next(struct p11_inbox *in); /* wipes it */

/* --- start.c --------------------------------------------------------------------------------- */
/* Spawns the worker and opens the token in it. Manager thread. */
CF_CHECK enum cf_rc p11_start(struct p11_token *t, struct hal_token_info *info, struct cf_err *e);

/* --- manager.c ------------------------------------------------------------------------------- */
void *p11_manage(void *token);
void p11_poke(struct p11_token *t); /* with the lock or without */

/* --- call.c ---------------------------------------------------------------------------------- */
/* One request and its answer; tried once more after a restart of the worker. On CF_OK `answer`
 * holds the result's fields (the class byte taken off). Clears `body`. */
CF_CHECK enum cf_rc p11_call(struct p11_token *t, enum p11_msg msg, struct p11_wr *request,
                             const struct cf_secret *secret, struct cf_buf *answer,
                             struct cf_err *e);

extern const struct hal_token_ops p11_token_ops;

void p11_close(struct hal_token *h); /* stops manager and worker, frees */

#endif
