/* The listeners: the local socket from the beginning, TLS once there is an HSM. */
#include "appliance.h"

#include "base/file.h"
#include "base/log.h"

#define PEM_MAX 65536

static enum api_state current_state(void *ctx)
{
    struct appliance *a = ctx;
    if (a->jobs && jobs_restore_mode(a->jobs))
        return API_RESTORING;
    if (atomic_load(&a->opening))
        return API_OPENING;
    return (enum api_state)atomic_load(&a->state);
}

static void fill_gate(struct appliance *a)
{
    a->gate_parts = (struct api_gate_parts){ .bearer = a->bearer,
                                             .access = a->access,
                                             .jobs = a->jobs,
                                             .audit = a->audit,
                                             .ctx = a,
                                             .state = current_state };
    a->gate = api_gate_of(&a->gate_parts);
}

enum cf_rc app_serve_local(struct appliance *a, struct cf_err *e)
{
    fill_gate(a);
    const struct api_config c = {
        .local_path = a->config.socket,
        .authority_url = "local",
        .clock = a->parts.clock,
        .entropy = a->parts.entropy,
        .gate = &a->gate,
        .local = &a->local_ops,
        .services = &a->services,
    };
    return api_start(&c, &a->local_api, e);
}

enum cf_rc app_serve(struct appliance *a, struct cf_err *e)
{
    struct cf_buf cert = { 0 }, key = { 0 };
    struct api_config c = {
        .address = a->config.address,
        .port = (uint16_t)a->config.port,
        .hosts = a->hosts,
        .host_count = APP_HOSTS,
        .authority_url = a->authority_url,
        .clock = a->parts.clock,
        .entropy = a->parts.entropy,
        .gate = &a->gate,
        .access = a->access,
        .authority = a->authority,
        .jobs = a->jobs,
        .token = a->token,
        .services = &a->services,
        .skip_key = a->skip_key,
    };
    if (a->api)
        return CF_OK;
    fill_gate(a);
    enum cf_rc rc = cf_file_read(a->config.certificate, PEM_MAX, &cert, e);
    if (rc == CF_OK)
        rc = cf_file_read(a->config.key, PEM_MAX, &key, e);
    if (rc == CF_OK)
        rc = cf_buf_text(&cert, &c.cert_pem, e);
    if (rc == CF_OK)
        rc = cf_buf_text(&key, &c.key_pem, e);
    if (rc == CF_OK)
        rc = api_start(&c, &a->api, e);
    if (rc == CF_OK)
        api_set_keystore(a->api, a->keystore);
    if (rc == CF_OK) {
        atomic_store(&a->serving, true);
        cf_log(CF_LOG_INFO, "app", "serving", "url=%s port=%u", a->base_url, api_port(a->api));
    }
    cf_buf_clear(&cert);
    cf_buf_clear(&key);
    return rc;
}
