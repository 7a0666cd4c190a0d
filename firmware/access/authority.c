/* The built-in authority's key, and what it publishes. */
#include "access_priv.h"
#include "authority_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static const struct hal_key_name authority_key = { .role = HAL_ROLE_AUTHORITY };

static enum cf_rc copy_config(const struct access_authority_config *cfg, struct access_authority *a,
                              struct cf_err *e)
{
    size_t len = cfg->base_url == NULL ? 0 : strlen(cfg->base_url);

    if (len == 0 || len > ACCESS_BASE_URL_MAX || cfg->base_url[len - 1] == '/')
        return CF_FAIL(e, CF_E_INPUT, "the authority's URL has 1 to %d bytes and no slash behind",
                       ACCESS_BASE_URL_MAX);
    memcpy(a->base_url, cfg->base_url, len + 1);
    if (cfg->tenant == NULL || cf_parse_guid(cfg->tenant, a->tenant, NULL) != CF_OK)
        return CF_FAIL(e, CF_E_INPUT, "the authority's tenant is not a GUID");
    snprintf(a->issuer, sizeof a->issuer, "%s/%s/v2.0", a->base_url, a->tenant);
    if (cfg->audience_count == 0 || cfg->audience_count > ACCESS_AUDIENCES_MAX)
        return CF_FAIL(e, CF_E_INPUT, "the authority takes 1 to %d audiences",
                       ACCESS_AUDIENCES_MAX);
    for (size_t i = 0; i < cfg->audience_count; i++) {
        enum cf_rc rc = access_audience_trim(cfg->audiences[i], a->audiences[i], e);
        if (rc != CF_OK)
            return rc;
    }
    a->audience_count = cfg->audience_count;
    a->store = cfg->store;
    a->token = cfg->token;
    a->clock = cfg->clock;
    a->entropy = cfg->entropy;
    return CF_OK;
}

static enum cf_rc write_jwks(struct access_authority *a, const struct crypto_pub *pub,
                             struct cf_err *e)
{
    struct json_wr w;
    const char *text = NULL;

    json_wr_init(&w, &a->jwks, e);
    json_put_object(&w, NULL);
    json_put_array(&w, "keys");
    json_put_object(&w, NULL);
    json_put_text(&w, "kty", "RSA");
    json_put_text(&w, "use", "sig");
    json_put_text(&w, "alg", "RS256");
    json_put_text(&w, "kid", a->kid);
    jose_jwk_put(&w, pub);
    json_close(&w);
    json_close(&w);
    json_close(&w);
    enum cf_rc rc = json_wr_end(&w);
    return rc == CF_OK ? cf_buf_text(&a->jwks, &text, e) : rc;
}

static enum cf_rc read_key(struct access_authority *a, struct cf_err *e)
{
    struct cf_buf spki = { 0 };
    struct crypto_pub pub;
    uint8_t thumbprint[32];

    enum cf_rc rc = hal_token_key_make(a->token, &authority_key, e);
    if (rc == CF_OK)
        rc = hal_token_key_public(a->token, &authority_key, &spki, e);
    if (rc == CF_OK)
        rc = crypto_pub_from_spki(crypto_bytes_of(spki.data, spki.len), &pub, e);
    if (rc == CF_OK && pub.type != HAL_RSA)
        rc = CF_FAIL(e, CF_E_TOKEN, "the authority key is not an RSA key");
    if (rc == CF_OK)
        rc = jose_jwk_thumbprint(&pub, thumbprint, e);
    if (rc == CF_OK) {
        cf_base64url(thumbprint, sizeof thumbprint, a->kid);
        rc = write_jwks(a, &pub, e);
    }
    cf_buf_clear(&spki);
    return rc;
}

enum cf_rc access_authority_open(const struct access_authority_config *cfg,
                                 struct access_authority **out, struct cf_err *e)
{
    struct access_authority *a = calloc(1, sizeof *a);

    if (a == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the authority");
    enum cf_rc rc = copy_config(cfg, a, e);
    if (rc == CF_OK)
        rc = read_key(a, e);
    if (rc != CF_OK) {
        access_authority_close(a);
        return cf_err_ctx(e, rc, "built-in authority");
    }
    *out = a;
    return CF_OK;
}

void access_authority_close(struct access_authority *a)
{
    if (a == NULL)
        return;
    cf_buf_clear(&a->jwks);
    free(a);
}

const char *access_authority_issuer(const struct access_authority *a)
{
    return a->issuer;
}

const char *access_authority_jwks(const struct access_authority *a)
{
    return (const char *)a->jwks.data;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static enum cf_rc sign(void *ctx, const uint8_t digest[32], struct cf_buf *sig, struct cf_err *e)
{
    struct access_authority *a = ctx;
    struct hal_op op = {
        .use = HAL_SIGN, .mech = HAL_RSA_PKCS1_SIGN, .hash = HAL_SHA256, .in = digest, .in_len = 32
    };
    struct hal_result r = { .iv_len = 0 };

    enum cf_rc rc = hal_token_key_use(a->token, &authority_key, &op, &r, e);
    if (rc == CF_OK)
        rc = cf_buf_put(sig, r.out.data, r.out.len, e);
    hal_result_clear(&r);
    return rc;
}

static void put_groups(struct json_wr *w, const struct access_client_row *c)
{
    char guid[ACCESS_GUID_SIZE];

    if (c->group_count == 0)
        return;
    json_put_array(w, "groups");
    for (uint32_t i = 0; i < c->group_count; i++) {
        access_guid_text(c->groups[i], guid);
        json_put_text(w, NULL, guid);
    }
    json_close(w);
}

/* Claims as an application's token of the real authority has them (API document 1.5). */
static enum cf_rc write_claims(struct access_authority *a, const struct access_issue *what,
                               struct cf_buf *out, struct cf_err *e)
{
    const struct access_client *c = &what->client->client;
    uint8_t uti[16];
    struct json_wr w;

    enum cf_rc rc = hal_entropy_fill(a->entropy, uti, sizeof uti, e);
    if (rc != CF_OK)
        return rc;
    json_wr_init(&w, out, e);
    json_put_object(&w, NULL);
    json_put_text(&w, "aud", what->audience);
    json_put_text(&w, "iss", a->issuer);
    json_put_int(&w, "iat", what->issued_s);
    json_put_int(&w, "nbf", what->issued_s);
    json_put_int(&w, "exp", what->expires_s);
    json_put_text(&w, "appid", c->client_id);
    json_put_text(&w, "azp", c->client_id);
    json_put_text(&w, "oid", c->oid);
    json_put_text(&w, "sub", c->oid);
    json_put_text(&w, "tid", a->tenant);
    json_put_base64url(&w, "uti", uti, sizeof uti);
    json_put_text(&w, "ver", "2.0");
    put_groups(&w, what->client);
    json_close(&w);
    return json_wr_end(&w);
}

enum cf_rc access_token_make(struct access_authority *a, const struct access_issue *what,
                             struct cf_buf *token, struct cf_err *e)
{
    struct jose_signer signer = {
        .alg = CRYPTO_RS256, .kid = a->kid, .typ = "JWT", .sign = sign, .ctx = a
    };
    struct cf_buf claims = { 0 };

    enum cf_rc rc = write_claims(a, what, &claims, e);
    if (rc == CF_OK)
        rc = jose_jws_make(&signer, crypto_bytes_of(claims.data, claims.len), token, e);
    cf_buf_clear(&claims);
    return rc;
}

/* --- discovery (OpenID Connect Discovery 1.0, 3) --------------------------------------------- */

/* Where the parts of one authority path lie under the base URL. */
struct paths {
    const char *issuer, *authorize, *token, *keys;
};

static bool paths_of(const struct access_authority *a, const char *path, bool *tenant,
                     struct paths *out)
{
    static const struct {
        const char *path; /* behind the tenant, or the whole path */
        bool tenant;
        struct paths at;
    } known[] = {
        { "/v2.0",
          true,
          { "/v2.0", "/oauth2/v2.0/authorize", "/oauth2/v2.0/token", "/discovery/v2.0/keys" } },
        { "", true, { "/", "/oauth2/authorize", "/oauth2/token", "/discovery/keys" } },
        { "adfs",
          false,
          { "/adfs", "/adfs/oauth2/authorize", "/adfs/oauth2/token", "/adfs/discovery/keys" } },
    };
    size_t len = strlen(a->tenant);

    *tenant = strncasecmp(path, a->tenant, len) == 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].tenant != *tenant || strcmp(path + (*tenant ? len : 0), known[i].path) != 0)
            continue;
        *out = known[i].at;
        return true;
    }
    return false;
}

static void put_url(struct json_wr *w, const char *name, const char *root, const char *path)
{
    char url[ACCESS_BASE_URL_MAX + 128];

    snprintf(url, sizeof url, "%s%s", root, path);
    json_put_text(w, name, url);
}

static void put_list(struct json_wr *w, const char *name, const char *one, const char *other)
{
    json_put_array(w, name);
    json_put_text(w, NULL, one);
    if (other != NULL)
        json_put_text(w, NULL, other);
    json_close(w);
}

enum cf_rc access_authority_discovery(const struct access_authority *a, const char *path,
                                      struct cf_buf *json, struct cf_err *e)
{
    char root[ACCESS_BASE_URL_MAX + 64];
    struct paths at;
    struct json_wr w;
    bool tenant = false;

    if (!paths_of(a, path, &tenant, &at))
        return cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "not a path of this authority"), "NotFound");
    snprintf(root, sizeof root, "%s%s%s", a->base_url, tenant ? "/" : "", tenant ? a->tenant : "");
    json_wr_init(&w, json, e);
    json_put_object(&w, NULL);
    put_url(&w, "issuer", root, at.issuer);
    /* Clients refuse a document without it; nobody can sign in here by browser. */
    put_url(&w, "authorization_endpoint", root, at.authorize);
    put_url(&w, "token_endpoint", root, at.token);
    put_url(&w, "jwks_uri", root, at.keys);
    put_list(&w, "token_endpoint_auth_methods_supported", "client_secret_post", "private_key_jwt");
    put_list(&w, "grant_types_supported", "client_credentials", NULL);
    put_list(&w, "response_types_supported", "token", NULL);
    put_list(&w, "subject_types_supported", "pairwise", NULL);
    put_list(&w, "id_token_signing_alg_values_supported", "RS256", NULL);
    json_close(&w);
    return json_wr_end(&w);
}
