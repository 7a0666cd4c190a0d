/*
 * The one table of routes: what exists, what right it asks for, where it answers. The dispatcher
 * enforces the columns; tests/unit/api walks the rows.
 */
#ifndef API_ROUTE_PRIV_H
#define API_ROUTE_PRIV_H

#include "request_priv.h"

/* Where the action is judged. */
enum api_scope_rule {
    API_SCOPE_NONE, /* public routes only */
    API_SCOPE_ROOT,
    API_SCOPE_KEYS,
    API_SCOPE_KEY,  /* /keys/{key} of the path */
    API_SCOPE_PATH, /* the path's own {scope} */
};

enum api_flag {
    API_PUBLIC = 1,     /* no token: health and the authority */
    API_NO_VERSION = 2, /* api-version may be missing (it is judged when it is there) */
    API_STARTER = 4,    /* who started the job {arg} may read it without the right */
    API_FRONT = 8,      /* errors without the activity suffix, with "innererror":null (1.6) */
    API_FORM = 16,      /* the body is a form */
    API_RECORD = 32,    /* every outcome goes to the audit log */
    API_LOCAL = 64,     /* only on the local socket, and only there */
    API_BY_KIND = 128,  /* the row's right is that of backups; a restore's {job} asks for its own */
    API_OR_RESTORE = 256, /* the row's right is that of backups; that of restores will do as well */
};

#define API_ANY_STATE                                                                              \
    (API_FACTORY | API_PROVISIONED | API_RECOVERING | API_ACTIVE | API_RESTORING | API_OPENING)
#define API_CREATED (API_PROVISIONED | API_RECOVERING | API_ACTIVE)

/* Patterns: literal segments; {key} any segment, judged later; {version} 32 hex digits;
 * {guid}, {job}, {name}, {tenant} any segment, into `arg`; {scope} in front: nothing, "keys",
 * or "keys/<name>". The first row that fits wins, so literals stand before captures. */
struct api_route {
    enum api_method method;
    const char *pattern;
    unsigned flags;
    enum access_action action;
    enum api_scope_rule scope;
    unsigned states;
    uint32_t body_max;
    api_handler *run;
    const char *operation; /* the audit record's name (API document 5.7) */
};

const struct api_route *api_routes(size_t *count);

enum api_match { API_MATCHED, API_WRONG_METHOD, API_UNKNOWN };

/* Finds the row and captures into `rq` (route, key, version, arg, scope text). On
 * API_WRONG_METHOD `allow` (64 bytes) lists what the path answers to. */
enum api_match api_route_find(struct api_request *rq, char allow[64]);

#endif
