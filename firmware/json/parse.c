#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/secret.h"
#include "base/text.h"
#include "json_priv.h"

/* A value is cJSON's own node: the opaque struct json is never defined. */
static const cJSON *node(const struct json *v)
{
    return (const cJSON *)(const void *)v;
}

static const struct json *value(const cJSON *n)
{
    return (const struct json *)(const void *)n;
}

struct json_limits json_default_limits(void)
{
    return (struct json_limits){ .bytes = (size_t)1 << 20, .depth = 16 };
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y);
}

/* Sorted, not compared pairwise: a megabyte of members must not cost minutes. */
static enum cf_rc unique_names(const cJSON *object, struct cf_err *e)
{
    size_t n = 0, count = json_count(value(object));
    if (count < 2)
        return CF_OK;
    const char **names = calloc(count, sizeof *names);
    if (!names)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for JSON");
    for (const cJSON *c = object->child; c; c = c->next)
        names[n++] = c->string;
    qsort(names, count, sizeof *names, by_name);
    enum cf_rc rc = CF_OK;
    for (size_t i = 1; i < count && rc == CF_OK; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            rc = CF_FAIL(e, CF_E_INPUT, "JSON: member '%.40s' given twice", names[i]);
    free(names);
    return rc;
}

/* Every object below `n`; recursion is bounded by the scanned depth. */
static enum cf_rc unique_below(const cJSON *n, struct cf_err *e)
{
    enum cf_rc rc = cJSON_IsObject(n) ? unique_names(n, e) : CF_OK;
    for (const cJSON *c = n->child; c && rc == CF_OK; c = c->next)
        rc = unique_below(c, e);
    return rc;
}

enum cf_rc json_parse(const void *text, size_t len, const struct json_limits *limits,
                      struct json **root, struct cf_err *e)
{
    struct json_limits usual = json_default_limits();
    *root = NULL;
    if (!limits)
        limits = &usual;
    if (limits->depth == 0 || limits->depth > JSON_DEPTH_MAX)
        return CF_FAIL(e, CF_E_ARG, "JSON depth limit of %u", limits->depth);
    enum cf_rc rc = json_scan(text, len, limits, e);
    if (rc != CF_OK)
        return rc;
    cJSON *tree = cJSON_ParseWithLength(text, len);
    if (!tree) /* the scan has passed it: only memory can be missing */
        return CF_FAIL(e, CF_E_LIMIT, "no memory for JSON");
    rc = unique_below(tree, e);
    if (rc != CF_OK)
        cJSON_Delete(tree);
    else
        *root = (struct json *)(void *)tree;
    return rc;
}

static void wipe_strings(cJSON *n)
{
    for (; n; n = n->next) {
        if (n->valuestring)
            cf_wipe(n->valuestring, strlen(n->valuestring));
        wipe_strings(n->child);
    }
}

void json_free(struct json *root)
{
    cJSON *tree = (cJSON *)(void *)root;
    wipe_strings(tree);
    cJSON_Delete(tree);
}

enum json_type json_type_of(const struct json *v)
{
    const cJSON *n = node(v);
    if (cJSON_IsObject(n))
        return JSON_OBJECT;
    if (cJSON_IsArray(n))
        return JSON_ARRAY;
    if (cJSON_IsString(n))
        return JSON_TEXT;
    if (cJSON_IsNumber(n))
        return JSON_NUMBER;
    return cJSON_IsBool(n) ? JSON_BOOL : JSON_NULL;
}

const struct json *json_member(const struct json *v, const char *name)
{
    const cJSON *n = node(v);
    return cJSON_IsObject(n) ? value(cJSON_GetObjectItemCaseSensitive(n, name)) : NULL;
}

const struct json *json_first(const struct json *v)
{
    const cJSON *n = node(v);
    return n ? value(n->child) : NULL;
}

const struct json *json_next(const struct json *v)
{
    return value(node(v)->next);
}

size_t json_count(const struct json *v)
{
    size_t n = 0;
    for (const struct json *c = json_first(v); c; c = json_next(c))
        n++;
    return n;
}

const char *json_name(const struct json *v)
{
    return node(v)->string;
}

const char *json_text(const struct json *v)
{
    return v ? cJSON_GetStringValue(node(v)) : NULL;
}

bool json_bool(const struct json *v, bool *out)
{
    if (!v || !cJSON_IsBool(node(v)))
        return false;
    *out = cJSON_IsTrue(node(v));
    return true;
}

bool json_int(const struct json *v, int64_t *out)
{
    if (!v || !cJSON_IsNumber(node(v)))
        return false;
    double d = node(v)->valuedouble;
    if (!(fabs(d) <= (double)JSON_INT_MAX) || floor(d) != d)
        return false;
    *out = (int64_t)d;
    return true;
}

enum cf_rc json_only(const struct json *v, const char *const *known, size_t n, struct cf_err *e)
{
    for (const struct json *c = json_first(v); c; c = json_next(c)) {
        bool found = false;
        for (size_t i = 0; i < n && !found; i++)
            found = json_name(c) && strcmp(json_name(c), known[i]) == 0;
        if (!found)
            return CF_FAIL(e, CF_E_INPUT, "unknown member '%.60s'",
                           json_name(c) ? json_name(c) : "");
    }
    return CF_OK;
}
