/*
 * One request on its way through the dispatcher, and the answer it collects.
 */
#ifndef API_REQUEST_PRIV_H
#define API_REQUEST_PRIV_H

#include <stdbool.h>

#include "api/api.h"
#include "base/buf.h"
#include "head_priv.h"
#include "api/uri.h"

#define API_HOST_SIZE  300 /* "name:port" and the NUL */
#define API_ASYNC_SIZE 160
#define API_BODY_MAX   ((uint32_t)1 << 20)
#define API_BODY_SMALL ((uint32_t)1 << 16)
#define API_RETRY_S    1

enum api_method { API_GET, API_POST, API_PUT, API_PATCH, API_DELETE, API_OTHER };

struct api_route;

struct api_request {
    enum api_method method;
    struct api_path path;
    struct api_params query;
    struct api_head_facts head;
    char host[API_HOST_SIZE]; /* checked; "name" or "name:port" as the client wrote it */
    char id[37];              /* x-ms-request-id */
    char client[48];          /* numeric address, or "local" */
    bool local;               /* came by the local socket */
    const struct api_route *route;
    const char *key; /* captured from the path; NULL where the route has none */
    const char *version;
    const char *arg; /* a GUID, job id, setting's name or tenant */
    struct access_scope scope;
    struct access_principal who;
    struct cf_buf body;
};

struct api_reply {
    unsigned status; /* 0 until decided */
    struct cf_buf body;
    const char *content_type;        /* NULL: JSON */
    char async_path[API_ASYNC_SIZE]; /* "/backup/{id}/pending"; "" where there is none */
    bool retry_after;
    bool no_details; /* a running job's status without words: "statusDetails" is null */
    bool challenge;  /* 401 with WWW-Authenticate */
    bool no_store;
    bool close;     /* the connection ends after this answer */
    char allow[64]; /* 405: the methods that the path answers to */
};

/* Fills `rp`. CF_OK with rp->status 0 means 200. A failure becomes the error answer, see errors. */
typedef enum cf_rc api_handler(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e);

#endif
