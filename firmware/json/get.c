/* Typed members: what is missing or of another type is told with the member's name. */
#include "base/text.h"
#include "json_priv.h"

#define NAME_SHOWN "'%.60s'"

static enum cf_rc wrong_type(const char *name, const char *want, struct cf_err *e)
{
    return CF_FAIL(e, CF_E_INPUT, "member " NAME_SHOWN " must be %s", name, want);
}

/* The member, or NULL where it is absent or null. */
static const struct json *present(const struct json *v, const char *name)
{
    const struct json *m = json_member(v, name);
    return m && json_type_of(m) == JSON_NULL ? NULL : m;
}

static enum cf_rc require(const struct json *v, const char *name, struct cf_err *e)
{
    return present(v, name) ? CF_OK
                            : CF_FAIL(e, CF_E_INPUT, "member " NAME_SHOWN " is missing", name);
}

enum cf_rc json_opt_text(const struct json *v, const char *name, const char **out, struct cf_err *e)
{
    const struct json *m = present(v, name);
    if (m && !json_text(m))
        return wrong_type(name, "a string", e);
    if (m)
        *out = json_text(m);
    return CF_OK;
}

enum cf_rc json_opt_bool(const struct json *v, const char *name, bool *out, struct cf_err *e)
{
    const struct json *m = present(v, name);
    return !m || json_bool(m, out) ? CF_OK : wrong_type(name, "true or false", e);
}

enum cf_rc json_opt_int(const struct json *v, const char *name, struct json_range range,
                        int64_t *out, struct cf_err *e)
{
    const struct json *m = present(v, name);
    int64_t n = 0;
    if (!m)
        return CF_OK;
    if (!json_int(m, &n))
        return wrong_type(name, "a whole number", e);
    if (n < range.min || n > range.max)
        return CF_FAIL(e, CF_E_INPUT, "member " NAME_SHOWN " must be %lld to %lld", name,
                       (long long)range.min, (long long)range.max);
    *out = n;
    return CF_OK;
}

static enum cf_rc opt_container(const struct json *v, const char *name, enum json_type type,
                                const struct json **out, struct cf_err *e)
{
    const struct json *m = present(v, name);
    if (m && json_type_of(m) != type)
        return wrong_type(name, type == JSON_OBJECT ? "an object" : "an array", e);
    if (m)
        *out = m;
    return CF_OK;
}

enum cf_rc json_opt_object(const struct json *v, const char *name, const struct json **out,
                           struct cf_err *e)
{
    return opt_container(v, name, JSON_OBJECT, out, e);
}

enum cf_rc json_opt_array(const struct json *v, const char *name, const struct json **out,
                          struct cf_err *e)
{
    return opt_container(v, name, JSON_ARRAY, out, e);
}

enum cf_rc json_opt_base64(const struct json *v, const char *name, size_t max, struct cf_buf *out,
                           struct cf_err *e)
{
    const char *text = NULL;
    size_t old = out->len;
    enum cf_rc rc = json_opt_text(v, name, &text, e);
    if (rc != CF_OK || !text)
        return rc;
    size_t len = 0;
    while (text[len])
        len++;
    if (len > CF_BASE64_SIZE(max))
        return CF_FAIL(e, CF_E_INPUT, "member " NAME_SHOWN " is longer than %zu bytes", name, max);
    rc = cf_unbase64(text, len, out, e);
    if (rc != CF_OK)
        return cf_err_ctx(e, rc, "member " NAME_SHOWN, name);
    if (out->len - old <= max)
        return CF_OK;
    out->len = old;
    return CF_FAIL(e, CF_E_INPUT, "member " NAME_SHOWN " is longer than %zu bytes", name, max);
}

enum cf_rc json_get_text(const struct json *v, const char *name, const char **out, struct cf_err *e)
{
    enum cf_rc rc = require(v, name, e);
    return rc != CF_OK ? rc : json_opt_text(v, name, out, e);
}

enum cf_rc json_get_bool(const struct json *v, const char *name, bool *out, struct cf_err *e)
{
    enum cf_rc rc = require(v, name, e);
    return rc != CF_OK ? rc : json_opt_bool(v, name, out, e);
}

enum cf_rc json_get_int(const struct json *v, const char *name, struct json_range range,
                        int64_t *out, struct cf_err *e)
{
    enum cf_rc rc = require(v, name, e);
    return rc != CF_OK ? rc : json_opt_int(v, name, range, out, e);
}

enum cf_rc json_get_object(const struct json *v, const char *name, const struct json **out,
                           struct cf_err *e)
{
    enum cf_rc rc = require(v, name, e);
    return rc != CF_OK ? rc : json_opt_object(v, name, out, e);
}

enum cf_rc json_get_array(const struct json *v, const char *name, const struct json **out,
                          struct cf_err *e)
{
    enum cf_rc rc = require(v, name, e);
    return rc != CF_OK ? rc : json_opt_array(v, name, out, e);
}

enum cf_rc json_get_base64(const struct json *v, const char *name, size_t max, struct cf_buf *out,
                           struct cf_err *e)
{
    enum cf_rc rc = require(v, name, e);
    return rc != CF_OK ? rc : json_opt_base64(v, name, max, out, e);
}
