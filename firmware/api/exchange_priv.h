/*
 * One request and its answer between the HTTP library and the dispatcher.
 */
#ifndef API_EXCHANGE_PRIV_H
#define API_EXCHANGE_PRIV_H

#include <microhttpd.h>

#include "server_priv.h"
#include "watch_priv.h"

struct api_exchange {
    struct api *api;
    struct api_conn *conn;
    struct api_request rq;
    struct api_reply rp;
    bool admitted;     /* the head was judged */
    bool answered;     /* by the head alone; the body is thrown away */
    bool counted;      /* in api.busy */
    size_t target_len; /* before cutting; over API_URI_MAX it was cut */
    uint64_t discarded;
    char target[API_URI_MAX + 1]; /* as it came */
    char uri[API_URI_MAX + 1];    /* cut into path and query */
};

/* Called with the raw target; NULL without memory. */
struct api_exchange *api_exchange_new(struct api *a, struct api_conn *c, const char *target);
void api_exchange_free(struct api_exchange *x); /* wipes the body; NULL is a no-op */

/* Judges the head: fills x->rq, and x->rp when it is refused. */
void api_exchange_head(struct api_exchange *x, struct MHD_Connection *c, const char *method,
                       const char *version);

/* Sends x->rp. */
enum MHD_Result api_exchange_send(struct api_exchange *x, struct MHD_Connection *c);

#endif
