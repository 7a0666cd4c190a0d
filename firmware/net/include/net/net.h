/*
 * HTTP/1.1 client over libcurl, of which this module is the only user. A lane is a set of kept
 * connections with the transfers on them; whoever runs the lane lends its thread to all of them.
 * A body is pulled from the caller into libcurl's own buffer, an answer pushed to the caller out
 * of it; nothing is copied in between.
 * Never followed: redirects, other protocols than http and https, proxies that were not asked for,
 * environment variables, .netrc, cookies.
 * Secrets: a URL's query and the Authorization header may hold one. Neither appears in any error
 * text; URLs are shown without user name and query.
 * Threads: a lane and its transfers belong to one thread; net_lane_wake may come from any.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Most a pull is asked for (performance notes, section 5), and what it is asked for while so much
 * is left: 256 KiB, with room for the tag and header that go with them. */
#define NET_PIECE_BYTES (260u * 1024)
#define NET_KEPT_MAX    ((size_t)64 * 1024) /* of an answer that is not 2xx */
#define NET_HEAD_MAX    ((size_t)64 * 1024) /* status lines and headers, interim answers' too */
#define NET_WANT_MAX    8
#define NET_VALUE_MAX   255
#define NET_HEADERS_MAX 24

/* How a lane reaches the world. Strings are borrowed until net_lane_new returns; 0 and NULL mean
 * the default in brackets. */
struct net_options {
    const char *ca_file;          /* PEM bundle that alone is trusted [the system's] */
    const char *client_cert_file; /* PEM, with client_key_file [none] */
    const char *client_key_file;
    const char *proxy;   /* URL [none, whatever the environment says] */
    const char *resolve; /* "HOST:PORT:ADDRESS": that name is there [DNS] */
    const char
        *unix_socket; /* path: every connection goes there instead of to the URL's host [none] */
    const char *user_agent;
    unsigned connections;        /* kept and at most open [16] */
    uint32_t connect_timeout_ms; /* [10,000] name, TCP and TLS */
    uint32_t stall_timeout_ms;   /* [60,000] at under 1 KiB a second; whole seconds */
};

struct net_lane;
struct net_transfer;
struct net_result;

/* The next bytes of a body into `buf`, 1..cap of them in `*len`. A failure ends the transfer with
 * that class and text. Called from net_lane_run; it must not call into the lane. */
typedef enum cf_rc net_pull_fn(void *ctx, void *buf, size_t cap, size_t *len, struct cf_err *e);

/* Bytes of a 2xx answer, in order. Same rules. */
typedef enum cf_rc net_push_fn(void *ctx, const void *data, size_t len, struct cf_err *e);

/* Once, before the first push and also when no bytes will come: status and headers of a 2xx answer
 * are in `r`. A failure ends the transfer before any byte is pushed. */
typedef enum cf_rc net_head_fn(void *ctx, const struct net_result *r, struct cf_err *e);

/* Called exactly once for each started transfer, from net_lane_run, never from net_start. The
 * result is gone when it returns; the body may be moved out. May start other transfers. */
typedef void net_done_fn(void *ctx, struct net_result *r);

enum net_method { NET_GET, NET_HEAD, NET_PUT, NET_POST, NET_PATCH, NET_DELETE };

/* Borrowed: `body`, callbacks' contexts and `want` until done; all else until net_start returns. */
struct net_request {
    enum net_method method;
    const char *url;            /* http or https, percent-encoded */
    const char *const *headers; /* "Name: value", `nheaders` of them */
    size_t nheaders;
    /* PUT, POST and PATCH: body_len bytes from memory or, with `pull`, by call. The length is
     * fixed and sent ahead. No byte is taken twice: libcurl gets no seek function, and where it
     * would have to rewind (a kept connection died) the transfer fails. Only while no byte had
     * been taken yet may it change to another connection by itself. */
    const void *body;
    uint64_t body_len;
    net_pull_fn *pull;
    void *pull_ctx;
    /* The answer: pushed when `push` is set, else kept in the result. Past max_answer [1 MiB kept,
     * no limit pushed] the transfer fails with CF_E_LIMIT, as behind NET_HEAD_MAX of headers.
     * Answers that are not 2xx are kept up to NET_KEPT_MAX; what follows is not waited for. No
     * coding of an answer is undone: none is asked for. */
    net_head_fn *head;
    net_push_fn *push;
    void *push_ctx; /* of head and push */
    uint64_t max_answer;
    const char *const *want; /* names of the headers to keep, `nwant` <= NET_WANT_MAX */
    size_t nwant;
    uint32_t total_timeout_ms; /* whole exchange [no limit] */
    net_done_fn *done;
    void *done_ctx;
};

/* rc CF_OK: a complete answer of any status. Otherwise `err` says why there is none:
 *   CF_E_IO      could not connect, reset, cut short, timed out, or a rewind was wanted: try again
 *   CF_E_AUTH    the server's certificate does not verify
 *   CF_E_INPUT   the URL is not one      CF_E_LIMIT   answer too long
 *   CF_E_REMOTE  not HTTP                CF_E_CANCEL  net_cancel
 *   other        as a callback said */
struct net_result {
    enum cf_rc rc;
    struct cf_err err;
    int status; /* 0: no status line came */
    struct cf_buf body;
    uint64_t sent_bytes, received_bytes; /* of bodies */
    uint32_t retry_after_s;              /* the header, either form; 0: absent */
    int64_t date_s;                      /* the header Date, Unix seconds; 0: absent, no date */
    bool connected;                      /* false: no byte can have reached the server */
    bool by_caller;                      /* a pull, push or head failed */
    size_t nwant;
    const char *const *want;
    char values[NET_WANT_MAX][NET_VALUE_MAX + 1];
    bool present[NET_WANT_MAX];
};

/* The value of a wanted header of the final answer, or NULL: absent or longer than NET_VALUE_MAX.
 */
const char *net_result_header(const struct net_result *r, const char *name);

/* CF_E_INPUT: a file is missing or the proxy or resolve text is malformed. */
CF_CHECK enum cf_rc net_lane_new(const struct net_options *o, struct net_lane **out,
                                 struct cf_err *e);

/* Ends open transfers without calling them done; closes the connections. NULL is a no-op. */
void net_lane_free(struct net_lane *lane);

/* Queues a transfer. `out` may be NULL; the handle is dead once done was called. */
CF_CHECK enum cf_rc net_start(struct net_lane *lane, const struct net_request *req,
                              struct net_transfer **out, struct cf_err *e);

/* The next net_lane_run calls it done with CF_E_CANCEL. Not from a pull, push or head. */
void net_cancel(struct net_transfer *t);

/* Moves bytes and calls done for what ended; waits up to `timeout_ms` if there is nothing to do.
 * `*open` is the number of transfers left. */
CF_CHECK enum cf_rc net_lane_run(struct net_lane *lane, int timeout_ms, unsigned *open,
                                 struct cf_err *e);

/* Ends the wait of a net_lane_run, or of the next one. Any thread. */
void net_lane_wake(struct net_lane *lane);

/* Starts, runs the lane until it is done, and moves the result to `*r`, which the caller clears.
 * Returns r->rc, with r->err in `e`. `req->done` is not called. */
CF_CHECK enum cf_rc net_fetch(struct net_lane *lane, const struct net_request *req,
                              struct net_result *r, struct cf_err *e);
void net_result_clear(struct net_result *r);

/* `url` without user name, query and fragment, for logs; cut to fit. */
void net_safe_url(const char *url, char *out, size_t cap);

#endif
