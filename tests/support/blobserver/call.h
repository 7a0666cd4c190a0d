/* One request from head to answer: what is asked (route.c), what becomes of it (call_*.c). */
#ifndef BLOBSERVER_CALL_H
#define BLOBSERVER_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "fault.h"
#include "http.h"
#include "ops.h"
#include "options.h"
#include "stats.h"
#include "store.h"
#include "xml.h"

#define CALL_NAME_MAX 127 /* characters in account and container */

/* What every connection uses; lives as long as the program. */
struct shared {
    const struct options *opt;
    struct store *store;
    struct faults *faults;
    struct stats *stats;
};

/* The body of an answer is `text` or a part of `content`. */
struct reply {
    int status;
    struct text head, text;
    struct store_content *content;
    uint64_t first, count; /* of content */
    uint64_t flip;         /* place in the answer's body, UINT64_MAX: none */
    bool head_only, close;
};

enum call_admin { ADMIN_NONE, ADMIN_STATS, ADMIN_FAULT };

struct call {
    enum bs_op op;
    enum call_admin admin;
    char account[CALL_NAME_MAX + 1], container[CALL_NAME_MAX + 1], blob[STORE_NAME_MAX + 1];
    struct store_target target; /* points at the three above */
    const struct http_request *req;
    bool tls;
    uint8_t *body; /* NULL: discarded; call_run takes it */
    uint64_t body_len;
    struct fault fault;
    struct reply reply;
};

/* Finds out operation and names. Not BS_OK: answer with that. */
enum bs_error call_route(struct call *c, const struct http_request *req);

/* May its body be thrown away unread? */
bool call_may_discard(const struct call *c);

/* Does it and fills the reply, faults included. */
void call_run(struct call *c, const struct shared *sh);
void call_refuse(struct call *c, const struct shared *sh, enum bs_error e);
void call_refuse_status(struct call *c, int status, const char *code, const char *message);

/* What a fault does before the request is done; not BS_OK: answer with that. */
enum bs_error call_fault_before(struct call *c, const struct shared *sh);
/* Answers as the fault says. */
void call_fault_answer(struct call *c);

/* The two halves of call_run, and the control endpoints. */
enum bs_error call_read(struct call *c, const struct shared *sh);
enum bs_error call_write(struct call *c, const struct shared *sh);
void call_admin(struct call *c, const struct shared *sh);
void call_identity(struct call *c, const struct shared *sh);

/* Completes reply.head with the status line, lengths and the fixed headers. */
void call_finish_head(struct call *c);

/* Gives back what the call holds. */
void call_clear(struct call *c);

#endif
