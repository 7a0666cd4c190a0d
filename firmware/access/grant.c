/* The client-credentials grant (RFC 6749 4.4), and tokens asked for by the root of the appliance.
 */
#include "access_priv.h"
#include "authority_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "base/text.h"

#define ASSERTION_TYPE  "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_MAX_S 3600 /* clients make them for ten minutes */
#define DEFAULT_SCOPE   "/.default"
#define SECRET_TEXT_MAX 256

static enum cf_rc invalid_request(struct cf_err *e, const char *text)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "%s", text), "invalid_request");
}

/* One text for an unknown client and a wrong secret: which of the two is nobody's business. */
static enum cf_rc invalid_client(struct cf_err *e, const char *why)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_DENIED, "client authentication failed: %s", why),
                       "invalid_client");
}

/* --- what for -------------------------------------------------------------------------------- */

/* scope `<resource>/.default`, or resource, to one of the configured audiences. A resource that
 * itself ends in a slash gives two in a row. */
static enum cf_rc find_audience(const struct access_authority *a,
                                const struct access_grant_request *in, const char **out,
                                struct cf_err *e)
{
    const char *asked = in->scope != NULL ? in->scope : in->resource;
    char resource[ACCESS_AUDIENCE_MAX + 1], shown[128];
    size_t tail = strlen(DEFAULT_SCOPE);

    if (asked == NULL)
        return invalid_request(e, "scope or resource is missing");
    size_t len = strlen(asked);
    if (in->scope != NULL && len >= tail && strcmp(asked + len - tail, DEFAULT_SCOPE) == 0)
        len -= tail;
    if (len > 0 && asked[len - 1] == '/')
        len--;
    if (len < sizeof resource) {
        memcpy(resource, asked, len);
        resource[len] = '\0';
        for (size_t i = 0; i < a->audience_count; i++) {
            if (strcmp(resource, a->audiences[i]) == 0) {
                *out = a->audiences[i];
                return CF_OK;
            }
        }
    }
    cf_utf8_clean(asked, shown, sizeof shown);
    return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "no resource is named %s", shown),
                       "invalid_scope");
}

/* --- who ------------------------------------------------------------------------------------- */

static enum cf_rc check_secret(const struct access_client_row *c, const char *secret,
                               struct cf_err *e)
{
    uint8_t verifier[32];
    size_t len = strnlen(secret, SECRET_TEXT_MAX + 1);

    if (len > SECRET_TEXT_MAX)
        return invalid_client(e, "unknown client or wrong secret");
    enum cf_rc rc = crypto_hmac(HAL_SHA256, crypto_bytes_of(c->salt, sizeof c->salt),
                                crypto_bytes_of(secret, len), verifier, e);
    if (rc != CF_OK)
        return rc;
    struct cf_verdict v = cf_verdict_of(cf_equal(verifier, c->verifier, sizeof verifier));
    return cf_granted(&v) ? CF_OK : invalid_client(e, "unknown client or wrong secret");
}

static bool for_us(const struct access_authority *a, const char *aud)
{
    static const char *const under_tenant[] = { "/oauth2/v2.0/token", "/oauth2/token", "/v2.0" };
    static const char *const under_base[] = { "/adfs/oauth2/token", "/adfs" };
    char url[ACCESS_BASE_URL_MAX + 128];

    for (size_t i = 0; aud != NULL && i < 3; i++) {
        snprintf(url, sizeof url, "%s/%s%s", a->base_url, a->tenant, under_tenant[i]);
        if (strcmp(aud, url) == 0)
            return true;
    }
    for (size_t i = 0; aud != NULL && i < 2; i++) {
        snprintf(url, sizeof url, "%s%s", a->base_url, under_base[i]);
        if (strcmp(aud, url) == 0)
            return true;
    }
    return false;
}

/* RFC 7523 3. A jti is not remembered: an assertion travels over TLS to this authority alone, which
 * is the only one that takes it, and lives for minutes. */
static enum cf_rc judge_assertion(const struct access_authority *a, const char *client_id,
                                  const struct json *claims, struct cf_err *e)
{
    const struct json_range dates = { .min = 0, .max = ACCESS_TIME_MAX };
    const char *iss = NULL, *sub = NULL, *aud = NULL;
    int64_t now_s = hal_clock_unix_ms(a->clock) / 1000, nbf = 0, exp = 0;

    enum cf_rc rc = json_get_text(claims, "iss", &iss, e);
    if (rc == CF_OK)
        rc = json_get_text(claims, "sub", &sub, e);
    if (rc == CF_OK)
        rc = json_get_text(claims, "aud", &aud, e);
    if (rc == CF_OK)
        rc = json_get_int(claims, "exp", dates, &exp, e);
    if (rc == CF_OK)
        rc = json_opt_int(claims, "nbf", dates, &nbf, e);
    if (rc != CF_OK)
        return rc;
    if (strcasecmp(iss, client_id) != 0 || strcasecmp(sub, client_id) != 0)
        return CF_FAIL(e, CF_E_DENIED, "the assertion is of another client");
    if (!for_us(a, aud))
        return CF_FAIL(e, CF_E_DENIED, "the assertion is for another authority");
    if (!access_time_good(now_s, nbf, exp) || exp > now_s + ASSERTION_MAX_S + ACCESS_SKEW_S)
        return CF_FAIL(e, CF_E_DENIED, "the assertion's time is over, not come, or too long");
    return CF_OK;
}

/* Checks a client_assertion against the key that is registered for `client` (RFC 7523 3). */
static enum cf_rc check_assertion(struct access_authority *a,
                                  const struct access_client_row *client, const char *assertion,
                                  struct cf_err *e)
{
    const struct json_limits limits = { .bytes = ACCESS_TOKEN_MAX, .depth = 8 };
    struct crypto_pkey *key = NULL;
    struct cf_buf payload = { 0 };
    struct json *claims = NULL;
    struct cf_err why = { 0 };
    size_t len = strnlen(assertion, ACCESS_TOKEN_MAX + 1);
    enum cf_rc rc = CF_OK;

    if (client->spki.len == 0 || len > ACCESS_TOKEN_MAX)
        return invalid_client(e, "unknown client, or no key is registered for it");
    rc = crypto_pkey_new(crypto_bytes_of(client->spki.data, client->spki.len), &key, &why);
    if (rc == CF_OK)
        rc = jose_jws_open(assertion, len, key, &payload, &why);
    if (rc == CF_OK)
        rc = json_parse(payload.data, payload.len, &limits, &claims, &why);
    if (rc == CF_OK)
        rc = judge_assertion(a, client->client.client_id, claims, &why);
    json_free(claims);
    cf_buf_clear(&payload);
    crypto_pkey_free(key);
    return rc == CF_OK ? CF_OK : invalid_client(e, why.text);
}

/* The id that the request names, or that its assertion claims. */
static enum cf_rc name_client(const struct access_grant_request *in, char out[ACCESS_GUID_SIZE],
                              struct cf_err *e)
{
    char issuer[JOSE_ID_MAX + 1];
    const char *id = in->client_id;

    if (id == NULL && in->client_assertion != NULL) {
        size_t len = strnlen(in->client_assertion, ACCESS_TOKEN_MAX + 1);
        if (jose_jws_issuer(in->client_assertion, len, issuer, NULL) == CF_OK)
            id = issuer;
    }
    if (id == NULL)
        return invalid_request(e, "client_id is missing");
    if (cf_parse_guid(id, out, NULL) != CF_OK)
        return invalid_client(e, "unknown client or wrong secret");
    return CF_OK;
}

static enum cf_rc find_client(struct access_authority *a, const char *client_id,
                              struct access_client_row *out, struct cf_err *e)
{
    struct store_view *v = NULL;
    struct cf_err why = { 0 };

    enum cf_rc rc = store_read(a->store, &v, &why);
    if (rc == CF_OK)
        rc = access_client_by_id(v, client_id, out, &why);
    store_view_end(v);
    if (rc == CF_E_ABSENT)
        return invalid_client(e, "unknown client or wrong secret");
    if (rc != CF_OK && e != NULL)
        *e = why;
    return rc;
}

static enum cf_rc authenticate(struct access_authority *a, const struct access_grant_request *in,
                               struct access_client_row *out, struct cf_err *e)
{
    char client_id[ACCESS_GUID_SIZE];

    if ((in->client_secret != NULL) == (in->client_assertion != NULL))
        return invalid_request(e, "one of client_secret and client_assertion must be there");
    if (in->client_assertion != NULL && (in->client_assertion_type == NULL ||
                                         strcmp(in->client_assertion_type, ASSERTION_TYPE) != 0))
        return invalid_request(e, "client_assertion_type must be " ASSERTION_TYPE);
    enum cf_rc rc = name_client(in, client_id, e);
    if (rc == CF_OK)
        rc = find_client(a, client_id, out, e);
    if (rc != CF_OK)
        return rc;
    return in->client_secret != NULL ? check_secret(out, in->client_secret, e)
                                     : check_assertion(a, out, in->client_assertion, e);
}

/* --- the token ------------------------------------------------------------------------------- */

static enum cf_rc answer(struct access_authority *a, const struct access_issue *what,
                         struct access_grant_answer *out, struct cf_err *e)
{
    enum cf_rc rc = access_token_make(a, what, &out->token, e);
    if (rc != CF_OK) {
        cf_buf_clear(&out->token);
        return rc;
    }
    int64_t left = what->expires_s - hal_clock_unix_ms(a->clock) / 1000;
    out->expires_in_s = left > 0 ? (uint32_t)left : 0;
    memcpy(out->client, what->client->client.name, sizeof out->client);
    memcpy(out->oid, what->client->client.oid, sizeof out->oid);
    cf_utf8_clean(what->audience, out->audience, sizeof out->audience);
    return CF_OK;
}

enum cf_rc access_authority_grant(struct access_authority *a, const struct access_grant_request *in,
                                  struct access_grant_answer *out, struct cf_err *e)
{
    struct access_client_row c = { .group_count = 0 };
    const char *audience = NULL;

    if (in->grant_type == NULL)
        return invalid_request(e, "grant_type is missing");
    if (strcmp(in->grant_type, "client_credentials") != 0)
        return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "only client_credentials is served"),
                           "unsupported_grant_type");
    enum cf_rc rc = authenticate(a, in, &c, e);
    if (rc == CF_OK)
        rc = find_audience(a, in, &audience, e);
    if (rc == CF_OK) {
        int64_t now_s = hal_clock_unix_ms(a->clock) / 1000;
        struct access_issue what = { .client = &c,
                                     .audience = audience,
                                     .issued_s = now_s,
                                     .expires_s = now_s + ACCESS_LIFETIME_S };
        rc = answer(a, &what, out, e);
    }
    access_client_row_clear(&c);
    return rc;
}

enum cf_rc access_authority_issue(struct access_authority *a, const char *name,
                                  const char *audience, int64_t lifetime_s,
                                  struct access_grant_answer *out, struct cf_err *e)
{
    struct access_client_row c = { .group_count = 0 };
    struct store_view *v = NULL;
    int64_t now_s = hal_clock_unix_ms(a->clock) / 1000;

    if (lifetime_s == 0 || lifetime_s > ACCESS_LIFETIME_MAX_S ||
        lifetime_s < -ACCESS_LIFETIME_MAX_S)
        return access_bad(e, "A token lives 1 to 86400 seconds.");
    struct access_issue what = { .client = &c,
                                 .audience = audience == NULL ? a->audiences[0] : audience,
                                 .issued_s = lifetime_s > 0
                                                 ? now_s
                                                 : now_s + lifetime_s - ACCESS_LIFETIME_S,
                                 .expires_s = now_s + lifetime_s };
    enum cf_rc rc = store_read(a->store, &v, e);
    if (rc == CF_OK)
        rc = access_client_by_name(v, name, &c, e);
    store_view_end(v);
    if (rc == CF_OK)
        rc = answer(a, &what, out, e);
    access_client_row_clear(&c);
    return rc;
}
