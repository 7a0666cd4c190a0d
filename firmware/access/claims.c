/* The claims of a verified token (API document 1.3 to 1.5, RFC 7519 4.1). */
#include "access_priv.h"
#include "bearer_priv.h"

#include <string.h>

#include "base/text.h"

#define DATES ((struct json_range){ .min = 0, .max = ACCESS_TIME_MAX })

enum cf_rc access_audience_trim(const char *text, char out[ACCESS_AUDIENCE_MAX + 1],
                                struct cf_err *e)
{
    size_t len = strlen(text);

    if (len > 0 && text[len - 1] == '/')
        len--;
    if (len == 0 || len > ACCESS_AUDIENCE_MAX)
        return CF_FAIL(e, CF_E_INPUT, "an audience has 1 to %d bytes", ACCESS_AUDIENCE_MAX);
    memcpy(out, text, len);
    out[len] = '\0';
    return CF_OK;
}

bool access_time_good(int64_t now_s, int64_t not_before_s, int64_t expires_s)
{
    return now_s < expires_s + ACCESS_SKEW_S && now_s >= not_before_s - ACCESS_SKEW_S;
}

static enum cf_rc judge_issuer(const struct access_expected *want, const struct json *claims,
                               struct cf_err *e)
{
    const char *iss = NULL;
    char shown[128];

    enum cf_rc rc = json_get_text(claims, "iss", &iss, e);
    if (rc != CF_OK)
        return rc;
    if (strcmp(iss, want->issuer) == 0)
        return CF_OK;
    cf_utf8_clean(iss, shown, sizeof shown);
    return CF_FAIL(e, CF_E_DENIED, "invalid issuer %s", shown);
}

static bool is_audience(const struct access_expected *want, const char *aud)
{
    char trimmed[ACCESS_AUDIENCE_MAX + 1];

    if (aud == NULL || access_audience_trim(aud, trimmed, NULL) != CF_OK)
        return false;
    for (size_t i = 0; i < want->audience_count; i++)
        if (strcmp(trimmed, want->audiences[i]) == 0)
            return true;
    return false;
}

/* One text or an array of texts (RFC 7519 4.1.3): one of them must be ours. */
static enum cf_rc judge_audience(const struct access_expected *want, const struct json *claims,
                                 struct cf_err *e)
{
    const struct json *aud = json_member(claims, "aud");
    char shown[128] = "of no text";

    if (aud == NULL)
        return CF_FAIL(e, CF_E_DENIED, "no audience");
    if (is_audience(want, json_text(aud)))
        return CF_OK;
    for (const struct json *one = json_first(aud); one != NULL; one = json_next(one))
        if (json_type_of(aud) == JSON_ARRAY && is_audience(want, json_text(one)))
            return CF_OK;
    if (json_text(aud) != NULL)
        cf_utf8_clean(json_text(aud), shown, sizeof shown);
    return CF_FAIL(e, CF_E_DENIED, "invalid audience %s", shown);
}

static enum cf_rc judge_time(const struct json *claims, int64_t now_s, int64_t *not_before_s,
                             int64_t *expires_s, struct cf_err *e)
{
    int64_t nbf = 0, exp = 0;

    enum cf_rc rc = json_get_int(claims, "exp", DATES, &exp, e);
    if (rc == CF_OK)
        rc = json_opt_int(claims, "nbf", DATES, &nbf, e);
    if (rc != CF_OK)
        return rc;
    if (!access_time_good(now_s, nbf, exp))
        return CF_FAIL(e, CF_E_DENIED,
                       now_s >= exp ? "expired at %lld, now %lld"
                                    : "not valid before %lld, now %lld",
                       (long long)(now_s >= exp ? exp : nbf), (long long)now_s);
    *not_before_s = nbf;
    *expires_s = exp;
    return CF_OK;
}

static enum cf_rc judge_tenant(const struct access_expected *want, const struct json *claims,
                               struct access_principal *out, struct cf_err *e)
{
    const char *tid = NULL;

    enum cf_rc rc = json_opt_text(claims, "tid", &tid, e);
    if (rc != CF_OK)
        return rc;
    if (tid != NULL && cf_parse_guid(tid, out->tenant, NULL) != CF_OK)
        return CF_FAIL(e, CF_E_DENIED, "tid is not a GUID");
    if (want->tenant != NULL && strcmp(out->tenant, want->tenant) != 0)
        return CF_FAIL(e, CF_E_DENIED, "of another tenant");
    return CF_OK;
}

/* GUIDs are kept; names and SIDs, which other providers give, cannot be assigned a role. */
static enum cf_rc read_groups(const struct json *claims, struct access_principal *out,
                              struct cf_err *e)
{
    const struct json *groups = NULL;

    enum cf_rc rc = json_opt_array(claims, "groups", &groups, e);
    if (rc != CF_OK)
        return rc;
    if (json_count(groups) > ACCESS_GROUPS_MAX)
        return CF_FAIL(e, CF_E_DENIED, "more than %d groups", ACCESS_GROUPS_MAX);
    for (const struct json *g = json_first(groups); g != NULL; g = json_next(g)) {
        const char *id = json_text(g);
        if (id != NULL && access_guid_bytes(id, out->groups[out->group_count], NULL) == CF_OK)
            out->group_count++;
    }
    return CF_OK;
}

/* The first of two names that is there, as text; of no weight for any decision. */
static void read_note(const struct json *claims, const char *name, const char *other, char *out,
                      size_t size)
{
    const char *text = json_text(json_member(claims, name));

    if (text == NULL)
        text = json_text(json_member(claims, other));
    if (text != NULL)
        cf_utf8_clean(text, out, size);
}

static enum cf_rc judge(const struct access_expected *want, const struct json *claims,
                        struct access_principal *out, struct cf_err *e)
{
    const char *oid = NULL;

    enum cf_rc rc = judge_issuer(want, claims, e);
    if (rc == CF_OK)
        rc = judge_audience(want, claims, e);
    if (rc == CF_OK)
        rc = judge_tenant(want, claims, out, e);
    if (rc == CF_OK)
        rc = json_get_text(claims, "oid", &oid, e);
    if (rc == CF_OK && cf_parse_guid(oid, out->oid, NULL) != CF_OK)
        rc = CF_FAIL(e, CF_E_DENIED, "oid is not a GUID");
    if (rc == CF_OK)
        rc = read_groups(claims, out, e);
    if (rc == CF_OK) {
        read_note(claims, "appid", "azp", out->app, sizeof out->app);
        read_note(claims, "upn", "preferred_username", out->upn, sizeof out->upn);
    }
    return rc;
}

enum cf_rc access_claims_judge(const struct access_expected *want, struct crypto_bytes payload,
                               int64_t now_s, struct access_principal *out, int64_t *not_before_s,
                               struct cf_err *e)
{
    const struct json_limits limits = { .bytes = ACCESS_TOKEN_MAX, .depth = 8 };
    struct json *claims = NULL;

    enum cf_rc rc = json_parse(payload.p, payload.len, &limits, &claims, e);
    if (rc == CF_OK)
        rc = judge_time(claims, now_s, not_before_s, &out->expires_s, e);
    if (rc == CF_OK)
        rc = judge(want, claims, out, e);
    json_free(claims);
    return rc;
}
