/*
 * Requests inside the worker: one handler a message, on the appliance's keys (keys.c) and on user
 * keys (user.c). Threads: each handler runs on a serving thread with its own struct p11_ctx.
 */
#ifndef P11_SERVE_PRIV_H
#define P11_SERVE_PRIV_H

#include "crypto/ops_priv.h"
#include "worker/cache_priv.h"
#include "worker/wire_priv.h"

struct p11_request {
    struct p11_ctx *c;
    struct cf_rd in;
    struct crypto_bytes secret; /* in locked memory; empty where the message has none */
};

/* Reads its fields from q->in, appends the result's fields to `w`. */
typedef enum cf_rc p11_handler(struct p11_request *q, struct p11_wr *w, struct cf_err *e);

p11_handler p11_do_random, p11_do_key_present, p11_do_key_import, p11_do_key_make,
    p11_do_key_public, p11_do_key_destroy, p11_do_mac, p11_do_key_use;
p11_handler p11_do_user_make, p11_do_user_import, p11_do_user_use, p11_do_user_check;

CF_CHECK enum cf_rc p11_bad_request(struct cf_err *e);

/* The appliance's key of that name; found once, then remembered. CF_E_ABSENT: not there. */
CF_CHECK enum cf_rc p11_key_find(struct p11_ctx *c, const struct hal_key_name *k,
                                 struct p11_named *out, struct cf_err *e);

#endif
