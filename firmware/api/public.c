#include <string.h>

#include "handlers_priv.h"
#include "json/json.h"

static const char *state_name(enum api_state s)
{
    switch (s) {
    case API_FACTORY:
        return "factory";
    case API_PROVISIONED:
        return "provisioned";
    case API_RECOVERING:
        return "recovering";
    case API_ACTIVE:
        return "active";
    case API_OPENING:
        return "opening";
    case API_RESTORING:
        return "restoring";
    }
    return "unknown";
}

enum cf_rc api_get_health(struct api *a, struct api_request *rq, struct api_reply *rp,
                          struct cf_err *e)
{
    struct json_wr w;
    (void)rq;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_text(&w, "status", "alive");
    json_put_text(&w, "state", state_name(a->cfg.gate->state(a->cfg.gate->ctx)));
    json_close(&w);
    return json_wr_end(&w);
}

static enum cf_rc no_authority(struct cf_err *e)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "This appliance has no authority of its own"),
                       "NotFound");
}

static enum cf_rc discovery(struct api *a, const char *path, struct api_reply *rp, struct cf_err *e)
{
    if (!a->cfg.authority)
        return no_authority(e);
    return access_authority_discovery(a->cfg.authority, path, &rp->body, e);
}

enum cf_rc api_get_openid(struct api *a, struct api_request *rq, struct api_reply *rp,
                          struct cf_err *e)
{
    struct cf_buf path = { 0 };
    const char *text = NULL;
    enum cf_rc rc = cf_buf_printf(&path, e, "%s/v2.0", rq->arg);
    if (rc == CF_OK)
        rc = cf_buf_text(&path, &text, e);
    if (rc == CF_OK)
        rc = discovery(a, text, rp, e);
    cf_buf_clear(&path);
    return rc;
}

enum cf_rc api_get_openid_adfs(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    (void)rq;
    return discovery(a, "adfs", rp, e);
}

enum cf_rc api_get_jwks(struct api *a, struct api_request *rq, struct api_reply *rp,
                        struct cf_err *e)
{
    (void)rq;
    if (!a->cfg.authority)
        return no_authority(e);
    return cf_buf_put_text(&rp->body, access_authority_jwks(a->cfg.authority), e);
}

/* What MSAL asks a host it does not know: which authorities it stands for. This one, alone. */
enum cf_rc api_get_instances(struct api *a, struct api_request *rq, struct api_reply *rp,
                             struct cf_err *e)
{
    struct json_wr w;
    struct cf_buf url = { 0 };
    const char *text = NULL;
    const char *tenant = strrchr(a->cfg.authority_url, '/');
    if (!a->cfg.authority || !tenant)
        return no_authority(e);
    bool adfs = strcmp(tenant, "/adfs") == 0; /* has one version only, without a segment for it */
    enum cf_rc rc = cf_buf_printf(&url, e, "https://%s%s%s/.well-known/openid-configuration",
                                  rq->host, tenant, adfs ? "" : "/v2.0");
    if (rc == CF_OK)
        rc = cf_buf_text(&url, &text, e);
    if (rc == CF_OK) {
        json_wr_init(&w, &rp->body, e);
        json_put_object(&w, NULL);
        json_put_text(&w, "tenant_discovery_endpoint", text);
        json_put_text(&w, "api-version", "1.1");
        json_put_array(&w, "metadata");
        json_put_object(&w, NULL);
        json_put_text(&w, "preferred_network", rq->host);
        json_put_text(&w, "preferred_cache", rq->host);
        json_put_array(&w, "aliases");
        json_put_text(&w, NULL, rq->host);
        json_close(&w);
        json_close(&w);
        json_close(&w);
        json_close(&w);
        rc = json_wr_end(&w);
    }
    cf_buf_clear(&url);
    return rc;
}

/* RFC 6749 5.2: errors of the token endpoint have a shape of their own. */
static enum cf_rc token_error(struct api_reply *rp, const struct cf_err *why, struct cf_err *e)
{
    struct json_wr w;
    rp->status = why->rc == CF_E_DENIED ? 401 : 400;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_text(&w, "error", why->code ? why->code : "invalid_request");
    json_put_text(&w, "error_description", why->text);
    json_close(&w);
    return json_wr_end(&w);
}

static enum cf_rc token_answer(const struct access_grant_answer *g, struct api_reply *rp,
                               struct cf_err *e)
{
    struct json_wr w;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_text(&w, "token_type", "Bearer");
    json_put_int(&w, "expires_in", g->expires_in_s);
    json_put_int(&w, "ext_expires_in", g->expires_in_s);
    json_put_text_n(&w, "access_token", g->token.data, g->token.len);
    json_close(&w);
    return json_wr_end(&w);
}

static enum cf_rc parse_form(struct api_request *rq, struct api_params *form, struct cf_err *e)
{
    const char *text = NULL;
    enum cf_rc rc = cf_buf_text(&rq->body, &text, e);
    if (rc == CF_OK && (rq->body.len == 0 || memchr(rq->body.data, 0, rq->body.len)))
        rc = CF_FAIL(e, CF_E_INPUT, "the body is no form");
    if (rc == CF_OK)
        rc = api_params_parse((char *)rq->body.data, form, e);
    if (rc == CF_E_INPUT)
        (void)cf_err_code(e, rc, "invalid_request");
    return rc;
}

/* The tenant of the path is the authority's own, or adfs; whatever stands there, the same
 * principals are known, so only discovery tells tenants apart. */
enum cf_rc api_post_token(struct api *a, struct api_request *rq, struct api_reply *rp,
                          struct cf_err *e)
{
    struct api_params form;
    struct access_grant_answer answer = { 0 };
    struct cf_err why = { 0 };
    if (!a->cfg.authority)
        return no_authority(e);
    rp->no_store = true;
    enum cf_rc rc = parse_form(rq, &form, &why);
    if (rc == CF_OK) {
        const struct access_grant_request in = {
            .grant_type = api_param(&form, "grant_type"),
            .client_id = api_param(&form, "client_id"),
            .client_secret = api_param(&form, "client_secret"),
            .client_assertion_type = api_param(&form, "client_assertion_type"),
            .client_assertion = api_param(&form, "client_assertion"),
            .scope = api_param(&form, "scope"),
            .resource = api_param(&form, "resource"),
        };
        rc = access_authority_grant(a->cfg.authority, &in, &answer, &why);
    }
    if (rc == CF_OK)
        rc = token_answer(&answer, rp, e);
    else if (rc == CF_E_DENIED || rc == CF_E_INPUT)
        rc = token_error(rp, &why, e);
    else
        *e = why;
    if (rc == CF_OK && rp->status < 300)
        memcpy(rq->who.oid, answer.oid, sizeof rq->who.oid); /* for the audit record */
    cf_buf_clear(&answer.token);
    return rc;
}
