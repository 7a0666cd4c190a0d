#include "head_priv.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

static bool token_byte(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool field_sane(const struct api_field *f)
{
    if (f->name_len == 0)
        return false;
    for (size_t i = 0; i < f->name_len; i++)
        if (!token_byte(f->name[i]))
            return false;
    for (size_t i = 0; i < f->value_len; i++) {
        unsigned char c = (unsigned char)f->value[i];
        if ((c < 0x20 && c != '\t') || c > 0x7e)
            return false;
    }
    return true;
}

static bool all_nul(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

bool api_head_layout(const struct api_head *h)
{
    const char *end = h->method + h->raw_len;
    const char *p = h->method + strlen(h->method) + 1 + strlen(h->target) + 1;
    if (p != h->version)
        return false;
    p += strlen(h->version);
    for (size_t i = 0; i < h->count; i++) {
        const struct api_field *f = &h->field[i];
        if (end - p < 2 || !all_nul(p, 2) || f->name != p + 2)
            return false;
        p = f->name + f->name_len;
        if (p >= end || *p != 0) /* where the colon was */
            return false;
        for (p++; p < end && (*p == ' ' || *p == '\t'); p++)
            ;
        if (f->value_len && f->value != p)
            return false;
        if ((size_t)(end - p) < f->value_len)
            return false;
        p += f->value_len;
    }
    return end - p == 4 && all_nul(p, 4);
}

/* The one value of a field that may stand once only. CF_E_INPUT: it stands twice. */
static enum cf_rc single(const struct api_head *h, const char *name, const char **out,
                         struct cf_err *e)
{
    *out = NULL;
    for (size_t i = 0; i < h->count; i++) {
        const struct api_field *f = &h->field[i];
        if (f->name_len != strlen(name) || strncasecmp(f->name, name, f->name_len) != 0)
            continue;
        if (*out)
            return CF_FAIL(e, CF_E_INPUT, "header %s stands twice", name);
        *out = f->value_len ? f->value : "";
    }
    return CF_OK;
}

/* A client's id is echoed only when it cannot be anything but an id. */
static const char *echo_id(const char *id)
{
    if (!id || !*id || strlen(id) > 64)
        return NULL;
    for (const char *p = id; *p; p++)
        if (!token_byte(*p))
            return NULL;
    return id;
}

static enum cf_rc singles(const struct api_head *h, struct api_head_facts *out, struct cf_err *e)
{
    const char *length = NULL;
    const struct {
        const char *name;
        const char **to;
    } wanted[] = {
        { "Host", &out->host },
        { "Authorization", &out->authorization },
        { "Content-Type", &out->content_type },
        { "x-ms-client-request-id", &out->client_request_id },
        { "User-Agent", &out->user_agent },
        { "Content-Length", &length },
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        enum cf_rc rc = single(h, wanted[i].name, wanted[i].to, e);
        if (rc != CF_OK)
            return rc;
    }
    out->client_request_id = echo_id(out->client_request_id);
    if (!out->host || !*out->host)
        return CF_FAIL(e, CF_E_INPUT, "header Host is missing");
    if (!length)
        return CF_OK;
    return cf_parse_u64(length, UINT32_MAX, &out->content_length, e);
}

/* Bodies come with a length; nothing this interface serves needs a coding or an upgrade. */
static enum cf_rc not_served(const struct api_head *h, struct cf_err *e)
{
    static const char *const names[] = { "Transfer-Encoding",
                                         "TE",
                                         "Trailer",
                                         "Upgrade",
                                         "Expect",
                                         "Content-Encoding",
                                         "X-HTTP-Method",
                                         "X-HTTP-Method-Override" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *v = NULL;
        enum cf_rc rc = single(h, names[i], &v, e);
        if (rc != CF_OK)
            return rc;
        if (v && !(strcmp(names[i], "Expect") == 0 && strcasecmp(v, "100-continue") == 0) &&
            strcmp(names[i], "TE") != 0)
            return CF_FAIL(e, CF_E_LIMIT, "header %s is not served here", names[i]);
    }
    return CF_OK;
}

enum cf_rc api_head_check(const struct api_head *h, struct api_head_facts *out, struct cf_err *e)
{
    *out = (struct api_head_facts){ 0 };
    if (!api_head_layout(h))
        return CF_FAIL(e, CF_E_INPUT, "a line does not end in CRLF, is folded, or is no header");
    for (size_t i = 0; i < h->count; i++)
        if (!field_sane(&h->field[i]))
            return CF_FAIL(e, CF_E_INPUT, "a header has a byte it must not have");
    if (strcmp(h->version, "HTTP/1.1") != 0)
        return CF_FAIL(e, CF_E_LIMIT, "only HTTP/1.1 is served");
    const char *coding = NULL;
    enum cf_rc rc = single(h, "Transfer-Encoding", &coding, e);
    if (rc == CF_OK)
        rc = singles(h, out, e);
    if (rc == CF_OK)
        rc = not_served(h, e);
    if (rc != CF_OK)
        *out = (struct api_head_facts){ 0 };
    return rc;
}
