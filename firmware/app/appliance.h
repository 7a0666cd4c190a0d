/*
 * The appliance: every module opened in order and handed to those that stand on it. Private to app.
 *
 * Life: board, PIN, token, appliance.db (always) -> HSM record, live store, access, authority (once
 * created) -> domain keys, key store, run (once activated). Each step happens at start when its
 * time has come already, and at the call that makes it come.
 */
#ifndef APP_APPLIANCE_H
#define APP_APPLIANCE_H

#include <pthread.h>
#include <stdatomic.h>

#include "access/access.h"
#include "access/authority.h"
#include "access/bearer.h"
#include "api/api.h"
#include "api/services.h"
#include "audit/audit.h"
#include "blob/blob.h"
#include "board/board.h"
#include "config.h"
#include "domain/domain.h"
#include "hsm.h"
#include "jobs/jobs.h"
#include "keystore/keystore.h"
#include "run/run.h"
#include "schedule.h"
#include "store/live.h"

#define APP_VERSION     "0.1.0"
#define APP_ID_SIZE     16
#define APP_PIN_COUNTER "pin-failures" /* in the config partition */
#define APP_HOSTS       3
#define APP_HOST_MAX    320
#define APP_GENERATIONS 16

/* API document 5.2: a full backup must be that old before a full restore. */
#define APP_MIN_BACKUP_AGE_S 1800

/* The domain's generations, newest first; empty before activation. */
struct app_keyring {
    uint8_t domain_id[HAL_DOMAIN_ID_SIZE];
    uint32_t generation[APP_GENERATIONS];
    size_t count;
};

struct appliance {
    struct app_config config;
    const struct board *board;
    struct board_settings settings;
    struct board_parts parts;
    char pin_counter[CONFIG_PATH_MAX + 16];

    struct hal_token *token;
    uint8_t id[APP_ID_SIZE]; /* derived from the token's storage root: the same for its life */
    uint8_t
        skip_key[HAL_MAC_SIZE]; /* MACs the tokens of list pages, so that they survive a restart */
    struct store *db;           /* appliance.db */
    struct jobs *jobs;
    struct audit *audit;

    struct app_hsm hsm; /* name "": not created */
    struct store_live *live;
    struct access *access;
    struct access_authority *authority;
    struct access_bearer *bearer;

    struct domain *domain;
    struct keystore *keystore;
    struct run *run;
    struct run_partition partitions[BOARD_RAW_MAX];
    struct app_keyring generations; /* what `run` was opened with */
    const char *dir_roots[CONFIG_ROOTS_MAX];
    struct cf_secret *identity_header; /* of a managed identity of the App Service kind */

    struct api_gate gate;
    struct api_gate_parts gate_parts;
    struct api_services services;
    struct api_local_ops local_ops;
    struct api *local_api; /* the socket, from the beginning */
    struct api *api;       /* TLS, once created */
    char host[APP_HOSTS][APP_HOST_MAX];
    const char *hosts[APP_HOSTS];
    char base_url[APP_HOST_MAX];
    char authority_url[APP_HOST_MAX + 40];
    char audience[2][APP_HOST_MAX];

    atomic_bool serving;   /* the TLS listener answers */
    atomic_int state;      /* enum api_state, without API_RESTORING */
    atomic_bool opening;   /* the steps behind the PIN are under way: `state` is not final */
    pthread_mutex_t lock;  /* one provisioning step at a time; also guards `pin` */
    struct cf_secret *pin; /* brought over the local socket, until the token is open */
    char pin_refused[192]; /* why the last one did not open it; under the lock */
    struct keystore_walk rotate_walk, expire_walk; /* over all keys; main thread */
    struct app_schedule schedule;
    int wake_fd; /* eventfd: the main loop has something to do */
};

/* --- appliance.c: what needs no HSM ------------------------------------------------------------
 */

/* Board, audit, local socket. `config` is copied. */
CF_CHECK enum cf_rc app_open(struct appliance *a, const struct app_config *config,
                             struct cf_err *e);
/* Token, appliance.db, jobs, and whatever of the later life has come already. */
CF_CHECK enum cf_rc app_open_token(struct appliance *a, const struct cf_secret *pin, bool confirmed,
                                   struct cf_err *e);
void app_close(struct appliance *a);
void app_wake(struct appliance *a);

/* --- keys.c
 * ---------------------------------------------------------------------------------------- */

/* As store_derive_fn: generations of the domain, newest first, then the storage root. */
enum cf_rc app_store_keys(void *arg, const uint8_t epoch[STORE_EPOCH_SIZE], unsigned try_,
                          struct store_keys *out, struct cf_err *e);
void app_keyring(struct appliance *a, struct app_keyring *out);

/* Keys of appliance.db, and the appliance's id, from the storage root. */
CF_CHECK enum cf_rc app_root_keys(struct appliance *a, struct store_keys *out, struct cf_err *e);

/* --- created.c: from factory to provisioned
 * ---------------------------------------------------------- */

struct app_creation {
    struct app_hsm hsm;
    const char *const *administrators; /* object ids */
    size_t administrator_count;
};
/* Makes the HSM: store, administrators, record (the commit), then app_open_created. CF_E_STATE:
 * there is one. */
CF_CHECK enum cf_rc app_create(struct appliance *a, const struct app_creation *c, struct cf_err *e);
/* Opens what a created HSM has, the TLS listener included. */
CF_CHECK enum cf_rc app_open_created(struct appliance *a, struct cf_err *e);

/* --- sharing.c: the security domain
 * ------------------------------------------------------------------ */

/* Opens what is known of the domain; none is fine. */
CF_CHECK enum cf_rc app_open_domain(struct appliance *a, struct cf_err *e);
/* Activates, or shares the same domain among other officers; appends the document. */
CF_CHECK enum cf_rc app_share_domain(struct appliance *a, const struct api_officers *o,
                                     struct cf_buf *document, struct cf_err *e);

/* --- active.c: from provisioned to active
 * -------------------------------------------------------------- */

/* Key store, run: once the domain's keys are in the token. */
CF_CHECK enum cf_rc app_open_active(struct appliance *a, struct cf_err *e);
/* plan.c: as api_services.planned. */
enum cf_rc app_planned(void *ctx, const char *job, struct api_plan *out, api_planned_fn *each,
                       void *each_ctx, struct cf_err *e);
/* Fills a->services. */
void app_services(struct appliance *a);

/* api_services.backups (listing.c). */
CF_CHECK enum cf_rc app_list_backups(void *ctx, const struct api_job_order *o,
                                     struct api_listing *l, api_backup_fn *each, void *each_ctx,
                                     struct cf_err *e);

/* --- storage.c
 * ------------------------------------------------------------------------------------------ */

/* Storage as configured; borrows from `a`. */
CF_CHECK enum cf_rc app_storage(struct appliance *a, struct blob_options *out, struct cf_err *e);
/* A file's text without white space at its end, and a NUL, which the length counts. CF_E_INPUT:
 * there is none; CF_E_LIMIT: longer than `max`. */
CF_CHECK enum cf_rc app_secret_text(const char *path, size_t max, struct cf_secret **out,
                                    struct cf_err *e);

/* --- freshness.c
 * ------------------------------------------------------------------------------------------- */

/* For services.freshness; `ctx` is the appliance. */
void app_freshness(void *ctx, struct api_freshness *out);

/* --- rotate.c
 * ------------------------------------------------------------------------------------------- */

/* Goes on through the keys and makes the versions that policies ask for; how many. With a key
 * store. */
size_t app_rotate_some(struct appliance *a);

/* --- local.c
 * --------------------------------------------------------------------------------------------- */

/* Fills a->local_ops. */
void app_local(struct appliance *a);

/* --- serve.c
 * -----------------------------------------------------------------------------------------------
 */

CF_CHECK enum cf_rc app_serve_local(struct appliance *a, struct cf_err *e);
CF_CHECK enum cf_rc app_serve(struct appliance *a, struct cf_err *e);

#endif
