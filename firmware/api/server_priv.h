/*
 * The server's own state, and what its files offer each other.
 */
#ifndef API_SERVER_PRIV_H
#define API_SERVER_PRIV_H

#include "route_priv.h"

#include <stdatomic.h>

#include "json/json.h"
#include "keystore/keystore.h"

#define API_SKIP_KEY_SIZE 32

struct api {
    struct api_config cfg;
    _Atomic(struct keystore *) keystore;
    uint16_t port;
    uint8_t skip_key[API_SKIP_KEY_SIZE];
    struct api_watch *watch;
    atomic_bool closing; /* no request begins any more */
    atomic_uint busy; /* requests between the start of their handler and the end of their answer */
    struct api_listener *tls, *local;
};

/* --- dispatch.c: the order of checks (API document 1.2) -------------------------------------- */

/* Everything that can be judged from the head. CF_OK: read the body, then api_handle.
 * Else `rp` is the answer already. `rq` has head, uri, id, client, local set. */
CF_CHECK enum cf_rc api_admit(struct api *a, struct api_request *rq, struct api_reply *rp);

/* Runs the route with the body; `rp` is the answer, also for failures. */
void api_handle(struct api *a, struct api_request *rq, struct api_reply *rp);

/* --- errors.c -------------------------------------------------------------------------------- */

/* Makes `rp` the answer to a failure: status and codes by table from e->code or the class. */
void api_reply_error(const struct api_request *rq, struct api_reply *rp, const struct cf_err *e);

struct api_fault {
    unsigned status;
    const char *code;
    const char *inner; /* NULL: none */
};
struct api_fault api_fault_of(const struct cf_err *e);

/* Records CF_E_INPUT "BadParameter" with this text. */
#define API_BAD(e, ...) (cf_err_code((e), CF_FAIL((e), CF_E_INPUT, __VA_ARGS__), "BadParameter"))

/* --- body.c ---------------------------------------------------------------------------------- */

/* The body as a JSON object; CF_E_INPUT "BadParameter" when it is none. Free with json_free. */
CF_CHECK enum cf_rc api_body(const struct api_request *rq, struct json **out, struct cf_err *e);

/* Puts "https://host/path" as a member. */
void api_put_url(struct json_wr *w, const struct api_request *rq, const char *name, const char *fmt,
                 ...) __attribute__((format(printf, 4, 5)));

/* CF_E_TOKEN "ServiceUnavailable" while there is none. */
CF_CHECK enum cf_rc api_keystore(struct api *a, struct keystore **out, struct cf_err *e);

/* --- page.c ---------------------------------------------------------------------------------- */

/* Appends the skip token of a page that ends at `last`. `kind` names the list it belongs to. */
CF_CHECK enum cf_rc api_skip_make(const struct api *a, const char *kind, const char *last,
                                  struct cf_buf *out, struct cf_err *e);
/* The other way; CF_E_INPUT "BadParameter": not one that this appliance made for this list. */
CF_CHECK enum cf_rc api_skip_read(const struct api *a, const char *kind, const char *token,
                                  struct cf_buf *last, struct cf_err *e);

/* --- host.c ---------------------------------------------------------------------------------- */

/* Copies the Host header in lower case when it is one of the configured. CF_E_INPUT: not so. */
CF_CHECK enum cf_rc api_host_check(const struct api *a, const char *host, char out[API_HOST_SIZE],
                                   struct cf_err *e);

/* The challenge for that host (1.2, 1.3) into `out`. CF_E_LIMIT: it does not fit. */
CF_CHECK enum cf_rc api_challenge(const struct api *a, const char *host, char *out, size_t size,
                                  struct cf_err *e);

/* --- version.c ------------------------------------------------------------------------------- */

/* CF_E_INPUT "BadParameter" with the text clients know; `version` NULL: missing. */
CF_CHECK enum cf_rc api_version_check(const char *version, struct cf_err *e);

#endif
