#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "listener_priv.h"
#include "watch_priv.h"

static void set_defaults(struct api_limits *l)
{
    const struct api_limits standard = {
        .connections = 512, .connections_per_ip = 256, .idle_s = 60, .request_s = 30, .reply_s = 30
    };
    l->connections = l->connections ? l->connections : standard.connections;
    l->connections_per_ip =
        l->connections_per_ip ? l->connections_per_ip : standard.connections_per_ip;
    l->idle_s = l->idle_s ? l->idle_s : standard.idle_s;
    l->request_s = l->request_s ? l->request_s : standard.request_s;
    l->reply_s = l->reply_s ? l->reply_s : standard.reply_s;
}

enum cf_rc api_start(const struct api_config *cfg, struct api **out, struct cf_err *e)
{
    *out = NULL;
    if (!cfg->clock || !cfg->entropy || !cfg->gate || !cfg->authority_url)
        return CF_FAIL(e, CF_E_ARG, "the server's configuration is not complete");
    struct api *a = calloc(1, sizeof *a);
    if (!a)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the server");
    a->cfg = *cfg;
    set_defaults(&a->cfg.limits);
    enum cf_rc rc = hal_entropy_fill(cfg->entropy, a->skip_key, sizeof a->skip_key, e);
    if (rc == CF_OK && cfg->skip_key)
        memcpy(a->skip_key, cfg->skip_key, sizeof a->skip_key);
    if (rc == CF_OK)
        rc = api_watch_new(cfg->clock, &a->watch, e);
    if (rc == CF_OK && cfg->cert_pem)
        rc = api_listen_tls(a, &a->tls, e);
    if (rc == CF_OK && cfg->local_path)
        rc = api_listen_local(a, &a->local, e);
    a->cfg.cert_pem = a->cfg.key_pem = NULL; /* the caller's again, and wiped by it */
    if (rc != CF_OK) {
        api_stop(a);
        return rc;
    }
    cf_log(CF_LOG_INFO, "api", "listening", "port=%u local=%s", (unsigned)a->port,
           cfg->local_path ? "yes" : "no");
    *out = a;
    return CF_OK;
}

void api_stop(struct api *a)
{
    if (!a)
        return;
    atomic_store(&a->closing, true);
    api_listener_close(a->tls);
    api_listener_close(a->local);
    api_watch_free(a->watch);
    cf_wipe(a->skip_key, sizeof a->skip_key);
    free(a);
}

void api_set_keystore(struct api *a, struct keystore *ks)
{
    atomic_store(&a->keystore, ks);
}

uint16_t api_port(const struct api *a)
{
    return a->port;
}
