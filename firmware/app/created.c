/* From factory to provisioned: the HSM's record, its store, its administrators, its listener. */
#include "appliance.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

static enum cf_rc open_live(struct appliance *a, bool may_create, struct cf_err *e)
{
    const struct store_live_options o = { .dir = a->config.keystore_dir,
                                          .derive = app_store_keys,
                                          .derive_arg = a };
    struct cf_err first = { 0 };
    if (a->live)
        return CF_OK;
    enum cf_rc rc = store_live_open(&o, &a->live, &first);
    if (rc == CF_E_ABSENT && may_create)
        return store_live_create(&o, &a->live, e);
    return rc == CF_OK ? rc : CF_FAIL(e, rc, "%s: %s", a->config.keystore_dir, first.text);
}

static enum cf_rc open_access(struct appliance *a, struct cf_err *e)
{
    return a->access ? CF_OK : access_open(a->live, a->parts.clock, &a->access, e);
}

/* The names the appliance answers to, and the addresses that follow from them. */
static void fill_names(struct appliance *a)
{
    const struct app_config *c = &a->config;
    char port[16] = "";
    if (c->port != 443)
        snprintf(port, sizeof port, ":%llu", (unsigned long long)c->port);
    snprintf(a->host[0], APP_HOST_MAX, "%s.%s", a->hsm.name, c->domain);
    snprintf(a->host[1], APP_HOST_MAX, "localhost");
    snprintf(a->host[2], APP_HOST_MAX, "%s", c->address);
    for (size_t i = 0; i < APP_HOSTS; i++)
        a->hosts[i] = a->host[i];
    snprintf(a->base_url, sizeof a->base_url, "https://%.60s.%.200s%s", a->hsm.name, c->domain,
             port);
    snprintf(a->authority_url, sizeof a->authority_url, "%s/%s", a->base_url, c->tenant);
    /* API document 1.3: the resource is the host name without its first label. */
    snprintf(a->audience[0], APP_HOST_MAX, "https://%.250s%s", c->domain, port);
    snprintf(a->audience[1], APP_HOST_MAX, "https://managedhsm.azure.net");
}

static enum cf_rc open_identity(struct appliance *a, struct cf_err *e)
{
    const char *const audiences[] = { a->audience[0], a->audience[1] };
    const struct access_authority_config authority = {
        .store = a->db,
        .token = a->token,
        .clock = a->parts.clock,
        .entropy = a->parts.entropy,
        .base_url = a->base_url,
        .tenant = a->config.tenant,
        .audiences = audiences,
        .audience_count = 2,
    };
    if (a->authority)
        return CF_OK;
    enum cf_rc rc = access_authority_open(&authority, &a->authority, e);
    if (rc != CF_OK)
        return rc;
    const struct access_issuer issuer = {
        .issuer = access_authority_issuer(a->authority),
        .tenant = a->config.tenant,
        .audiences = audiences,
        .audience_count = 2,
        .jwks = access_authority_jwks(a->authority),
    };
    return access_bearer_new(a->parts.clock, &issuer, 1, &a->bearer, e);
}

enum cf_rc app_open_created(struct appliance *a, struct cf_err *e)
{
    fill_names(a);
    enum cf_rc rc = app_open_domain(a, e);
    if (rc == CF_OK)
        rc = open_live(a, false, e);
    if (rc == CF_OK)
        rc = open_access(a, e);
    if (rc == CF_OK)
        rc = open_identity(a, e);
    if (rc == CF_OK) {
        atomic_store(&a->state, API_PROVISIONED);
        rc = app_open_active(a, e);
    }
    return rc == CF_OK ? app_serve(a, e) : rc;
}

enum cf_rc app_create(struct appliance *a, const struct app_creation *c, struct cf_err *e)
{
    if (a->hsm.name[0])
        return cf_err_code(
            e, CF_FAIL(e, CF_E_STATE, "This appliance holds the HSM %s already", a->hsm.name),
            "Conflict");
    enum cf_rc rc = open_live(a, true, e);
    if (rc == CF_OK)
        rc = open_access(a, e);
    for (size_t i = 0; rc == CF_OK && i < c->administrator_count; i++)
        rc = access_grant(a->access, c->administrators[i], ACCESS_ADMINISTRATOR, e);
    struct app_hsm hsm = c->hsm;
    hsm.created_s = (uint64_t)(hal_clock_unix_ms(a->parts.clock) / 1000);
    if (rc == CF_OK)
        rc = app_hsm_save(a->db, &hsm, e);
    if (rc != CF_OK)
        return rc;
    a->hsm = hsm;
    cf_log(CF_LOG_INFO, "app", "created", "hsm=%s retention_days=%u", hsm.name, hsm.retention_days);
    return app_open_created(a, e);
}
