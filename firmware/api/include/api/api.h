/*
 * The REST server of the appliance (API document 1 to 6): TLS listener and root-only local socket,
 * one table of routes with the right each one asks for, and the JSON shapes of Key Vault.
 * No logic of its own: every answer comes from the modules below, or from struct api_local_ops.
 * Threads: api_start and api_stop from one thread. Requests run on one thread a connection, so
 * every interface given here is called from many threads at once.
 */
#ifndef API_API_H
#define API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "access/access.h"
#include "access/authority.h"
#include "access/bearer.h"
#include "api/local.h"
#include "api/services.h"
#include "audit/audit.h"
#include "base/err.h"
#include "hal/clock.h"
#include "hal/entropy.h"
#include "jobs/jobs.h"

struct api;

/* The appliance's states (design document 5). Values are bits: a route lists where it answers. */
enum api_state {
    API_FACTORY = 1,     /* not created yet */
    API_PROVISIONED = 2, /* created, no security domain */
    API_RECOVERING = 4,  /* an exchange key waits for a security domain */
    API_ACTIVE = 8,
    API_RESTORING = 16, /* only the status of the restore is answered */
    API_OPENING = 32,   /* a start is under way: which of the others it is, nobody knows yet */
};

/* What stands at the door of every request. All set. The product's is made by api_gate_of;
 * tests bring their own. */
struct api_gate {
    void *ctx;
    /* As access_bearer_check. */
    enum cf_rc (*authenticate)(void *ctx, const char *token, size_t len,
                               struct access_principal *out, struct cf_err *e);
    /* As access_require. */
    enum cf_rc (*require)(void *ctx, const struct access_principal *who, enum access_action action,
                          const struct access_scope *scope, struct cf_err *e);
    /* True when `oid` started the job `id`: it may read that job's status to the end, whatever
     * the restored assignments say (API document 2.4). */
    bool (*started)(void *ctx, const char *id, const char *oid);
    enum api_state (*state)(void *ctx);
    /* As audit_append; the request fails where it fails. */
    enum cf_rc (*record)(void *ctx, const struct audit_record *r, struct cf_err *e);
};

/* Zero means the default in brackets. */
struct api_limits {
    unsigned connections;        /* [512], one thread each */
    unsigned connections_per_ip; /* [256] */
    unsigned idle_s;             /* [60] between two requests, and for the TLS handshake */
    unsigned request_s;          /* [30] from the end of the head to the end of the body */
    unsigned reply_s;            /* [30] until the client has taken the answer */
};

struct keystore;
struct hal_token;

/* Borrowed for the life of the server except where said. */
struct api_config {
    const char *address;    /* numeric; NULL: 127.0.0.1 */
    uint16_t port;          /* 0: any free one, see api_port */
    const char *cert_pem;   /* chain, server first; read during api_start. NULL: no TLS listener */
    const char *key_pem;    /* read during api_start */
    const char *local_path; /* Unix socket, made 0600; NULL: none */
    const char *const
        *hosts; /* names a Host header may have; with ":port" where it is not `port` */
    size_t host_count;
    const char *authority_url; /* "https://name:port/{tenant}", goes into the challenge */
    const char *resource;      /* NULL: derived from the host name (API document 1.3) */
    const char *region;        /* NULL: the header is left out */
    struct api_limits limits;
    bool audit_all; /* also successful reads and key operations */

    struct hal_clock *clock;
    struct hal_entropy *entropy;
    const struct api_gate *gate;
    struct access *access;
    struct access_authority *authority; /* NULL: its paths are unknown */
    struct jobs *jobs;
    struct hal_token *token;
    const struct api_services *services;
    const struct api_local_ops *local; /* with local_path */
    const uint8_t *skip_key; /* 32 bytes that MAC the tokens of list pages, copied; the same after
                                a restart lets a client go on. NULL: random */
};

/* Starts the listeners. CF_E_INPUT: a configured value, certificate or key is not usable.
 * CF_E_IO: the address or the path cannot be bound. */
CF_CHECK enum cf_rc api_start(const struct api_config *cfg, struct api **out, struct cf_err *e);

/* Takes no new connection or request (503), waits until those that run are answered, ends the rest.
 * NULL is a no-op. */
void api_stop(struct api *a);

uint16_t api_port(const struct api *a); /* where it listens; 0 without a TLS listener */

/* The key store exists only once the HSM is activated: routes that need it answer 503 until it is
 * set, and again after NULL. The caller makes sure that no request runs when it closes one. */
void api_set_keystore(struct api *a, struct keystore *ks);

/* The product's gate over its modules. All borrowed for the gate's life. */
struct api_gate_parts {
    struct access_bearer *bearer;
    struct access *access;
    struct jobs *jobs; /* NULL: not open yet, so that only the local socket is served */
    struct audit *audit;
    void *ctx; /* for `state` */
    enum api_state (*state)(void *ctx);
};
/* `parts` must live as long as the gate. */
struct api_gate api_gate_of(const struct api_gate_parts *parts);

#endif
