/* A server without sockets on real modules: a store in a scratch directory, a token in memory. */
#ifndef UNIT_API_WORLD_H
#define UNIT_API_WORLD_H

#include "hal_linux/hal_linux.h"
#include "hal_sim/hal_sim.h"
#include "server_priv.h"
#include "store/live.h"
#include "support/test.h"

#define START_S  INT64_C(1800000000)
#define ADMIN    "00000000-0000-4000-8000-000000000001"
#define BASE     "https://hsm1.coffer.test:8443"
#define TENANT   "11111111-2222-4333-8444-555555555555"
#define AUDIENCE "https://coffer.test:8443"

struct world {
    char dir[64];
    struct cf_secret *key;
    struct store_live *live;
    struct store *appliance;
    struct hal_clock *clock;
    struct hal_token *token;
    struct keystore *ks;
    struct access *access;
    struct access_authority *authority;
    struct jobs *jobs;
    struct api_gate gate;
    struct api_services services;
    struct api api;
    enum api_state state;
    const char *who; /* asks; NULL: ADMIN */
    /* what the services were asked, and what they answer */
    struct api_job_order order; /* texts copied into the next three */
    char uri[256], sas[256], folder[128];
    struct api_officers *officers;
    size_t officer_count;
    unsigned required;
    char blob[256];
    enum cf_rc refuse;
    struct api_domain_status status;
    /* the last answer */
    struct api_reply reply;
    struct json *json; /* NULL: the body is empty */
    const char *text;
};

int world_up(void **state);
int world_down(void **state);

/* As ask, with a form for a body. */
int ask_form(struct world *w, const char *request, const char *form);

/* Sends "METHOD target" with `body` (NULL: none) as `who`, "?api-version=7.4" added where the
 * target has no query. Returns the status; the answer is in the world until the next call. */
int ask(struct world *w, const char *request, const char *body);

/* A text member by its path, "key.kid", or an array's element by its number, "value.0.kid"; "" when
 * there is none. */
const char *answer_text(const struct world *w, const char *path);
int64_t answer_int(const struct world *w, const char *path); /* -1 when there is none */
const struct json *answer_at(const struct world *w, const char *path);

#endif
