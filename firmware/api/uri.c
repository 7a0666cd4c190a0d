#include "api/uri.h"

#include <stdbool.h>
#include <string.h>

static bool path_byte(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c == '-' || c == '.' || c == '_' || c == '~';
}

static enum cf_rc add_segment(struct api_path *path, const char *s, struct cf_err *e)
{
    if (!*s)
        return CF_OK;
    if (strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
        return CF_FAIL(e, CF_E_INPUT, "dot segments are not allowed in a path");
    if (path->count == API_SEGMENTS_MAX)
        return CF_FAIL(e, CF_E_INPUT, "the path has too many segments");
    path->segment[path->count++] = s;
    return CF_OK;
}

static enum cf_rc parse_path(char *text, struct api_path *path, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    char *start = text;
    for (char *p = text; rc == CF_OK; p++) {
        bool end = !*p;
        if (!end && *p != '/' && !path_byte(*p))
            return CF_FAIL(e, CF_E_INPUT, "a byte that no path has here (escapes are not allowed)");
        if (end || *p == '/') {
            *p = 0;
            rc = add_segment(path, start, e);
            start = p + 1;
        }
        if (end)
            break;
    }
    return rc;
}

enum cf_rc api_uri_parse(char *uri, struct api_path *path, struct api_params *query,
                         struct cf_err *e)
{
    *path = (struct api_path){ 0 };
    *query = (struct api_params){ 0 };
    if (uri[0] != '/')
        return CF_FAIL(e, CF_E_INPUT, "the request target must begin with a slash");
    char *mark = strchr(uri, '?');
    if (mark)
        *mark = 0;
    enum cf_rc rc = parse_path(uri, path, e);
    if (rc == CF_OK && mark && mark[1])
        rc = api_params_parse(mark + 1, query, e);
    return rc;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* In place; the text only gets shorter. */
static enum cf_rc decode(char *text, struct cf_err *e)
{
    char *out = text;
    for (const char *p = text; *p; p++) {
        int c = *p == '+' ? ' ' : (unsigned char)*p;
        if (*p == '%') {
            int hi = hex_value(p[1]);
            int lo = hi < 0 ? -1 : hex_value(p[2]);
            if (lo < 0)
                return CF_FAIL(e, CF_E_INPUT, "a broken percent escape");
            c = hi << 4 | lo;
            p += 2;
        }
        if (c < 0x20 || c > 0x7e)
            return CF_FAIL(e, CF_E_INPUT, "a parameter has a byte that is not printable ASCII");
        *out++ = (char)c;
    }
    *out = 0;
    return CF_OK;
}

static enum cf_rc add_param(struct api_params *out, char *pair, struct cf_err *e)
{
    char *eq = strchr(pair, '=');
    if (!eq || eq == pair)
        return CF_FAIL(e, CF_E_INPUT, "a parameter must be name=value");
    *eq = 0;
    enum cf_rc rc = decode(pair, e);
    if (rc == CF_OK)
        rc = decode(eq + 1, e);
    if (rc != CF_OK)
        return rc;
    if (api_param(out, pair))
        return CF_FAIL(e, CF_E_INPUT, "parameter given twice");
    if (out->count == API_PARAMS_MAX)
        return CF_FAIL(e, CF_E_INPUT, "too many parameters");
    out->item[out->count].name = pair;
    out->item[out->count++].value = eq + 1;
    return CF_OK;
}

enum cf_rc api_params_parse(char *text, struct api_params *out, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    *out = (struct api_params){ 0 };
    for (char *pair = text; rc == CF_OK && pair;) {
        char *amp = strchr(pair, '&');
        if (amp)
            *amp = 0;
        rc = add_param(out, pair, e);
        pair = amp ? amp + 1 : NULL;
    }
    return rc;
}

const char *api_param(const struct api_params *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->item[i].name, name) == 0)
            return p->item[i].value;
    return NULL;
}
