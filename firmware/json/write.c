/* Writes text as it goes; cJSON builds no tree for answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/secret.h"
#include "base/text.h"
#include "json_priv.h"

void json_wr_init(struct json_wr *w, struct cf_buf *out, struct cf_err *e)
{
    *w = (struct json_wr){ .out = out, .e = e };
}

static void refuse(struct json_wr *w, enum cf_rc rc, const char *what)
{
    if (w->rc == CF_OK)
        w->rc = CF_FAIL(w->e, rc, "JSON: %s", what);
}

static void put(struct json_wr *w, const void *p, size_t len)
{
    if (w->rc == CF_OK)
        w->rc = cf_buf_put(w->out, p, len, w->e);
}

static void put_escaped(struct json_wr *w, uint8_t c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    char text[8];
    const char *at = c ? strchr(from, c) : NULL;
    if (at)
        snprintf(text, sizeof text, "\\%c", to[at - from]);
    else
        snprintf(text, sizeof text, "\\u%04x", c);
    put(w, text, strlen(text));
}

static bool plain(uint8_t c)
{
    return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
}

static void put_string(struct json_wr *w, const uint8_t *p, size_t len)
{
    if (!cf_utf8_valid(p, len)) {
        refuse(w, CF_E_ARG, "text is not UTF-8");
        return;
    }
    put(w, "\"", 1);
    for (size_t i = 0, run = 0; i < len && w->rc == CF_OK; i += run) {
        for (run = 0; i + run < len && plain(p[i + run]); run++)
            ;
        put(w, p + i, run);
        if (i + run < len)
            put_escaped(w, p[i + run++]);
    }
    put(w, "\"", 1);
}

/* Comma and name before a value; false where no value may stand. */
static bool start(struct json_wr *w, const char *name)
{
    bool object = w->depth && (w->objects >> (w->depth - 1) & 1);
    if (w->done && w->depth == 0)
        refuse(w, CF_E_ARG, "more than one value");
    else if (object != (name != NULL))
        refuse(w, CF_E_ARG, object ? "a name is missing" : "a name outside an object");
    if (w->rc != CF_OK)
        return false;
    if (w->depth && (w->filled >> (w->depth - 1) & 1))
        put(w, ",", 1);
    if (w->depth)
        w->filled |= (uint64_t)1 << (w->depth - 1);
    else
        w->done = true;
    if (name) {
        put_string(w, (const uint8_t *)name, strlen(name));
        put(w, ":", 1);
    }
    return w->rc == CF_OK;
}

static void open_level(struct json_wr *w, const char *name, bool object)
{
    if (!start(w, name))
        return;
    if (w->depth == JSON_DEPTH_MAX) {
        refuse(w, CF_E_LIMIT, "too deep");
        return;
    }
    uint64_t bit = (uint64_t)1 << w->depth++;
    w->filled &= ~bit;
    w->objects = object ? w->objects | bit : w->objects & ~bit;
    put(w, object ? "{" : "[", 1);
}

void json_put_object(struct json_wr *w, const char *name)
{
    open_level(w, name, true);
}

void json_put_array(struct json_wr *w, const char *name)
{
    open_level(w, name, false);
}

void json_close(struct json_wr *w)
{
    if (w->depth == 0) {
        refuse(w, CF_E_ARG, "nothing to close");
        return;
    }
    w->depth--;
    put(w, w->objects >> w->depth & 1 ? "}" : "]", 1);
}

void json_put_text_n(struct json_wr *w, const char *name, const void *p, size_t len)
{
    if (start(w, name))
        put_string(w, len ? p : (const void *)"", len);
}

void json_put_text(struct json_wr *w, const char *name, const char *text)
{
    if (text)
        json_put_text_n(w, name, text, strlen(text));
    else
        json_put_null(w, name);
}

void json_put_raw(struct json_wr *w, const char *name, const char *text)
{
    if (start(w, name))
        put(w, text, strlen(text));
}

void json_put_int(struct json_wr *w, const char *name, int64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)v);
    json_put_raw(w, name, text);
}

void json_put_bool(struct json_wr *w, const char *name, bool v)
{
    json_put_raw(w, name, v ? "true" : "false");
}

void json_put_null(struct json_wr *w, const char *name)
{
    json_put_raw(w, name, "null");
}

void json_put_base64url(struct json_wr *w, const char *name, const void *p, size_t len)
{
    if (len > CF_BUF_MAX / 2) {
        refuse(w, CF_E_LIMIT, "too long");
        return;
    }
    char *text = malloc(CF_BASE64_SIZE(len));
    if (!text) {
        refuse(w, CF_E_LIMIT, "no memory");
        return;
    }
    cf_base64url(p, len, text);
    json_put_raw(w, name, "\"");
    put(w, text, strlen(text));
    put(w, "\"", 1);
    cf_wipe(text, CF_BASE64_SIZE(len));
    free(text);
}

void json_put_value(struct json_wr *w, const char *name, const struct json *v)
{
    char *text = cJSON_PrintUnformatted((const cJSON *)(const void *)v);
    if (!text) {
        refuse(w, CF_E_LIMIT, "no memory");
        return;
    }
    json_put_raw(w, name, text);
    cf_wipe(text, strlen(text));
    cJSON_free(text);
}

enum cf_rc json_wr_end(struct json_wr *w)
{
    if (w->depth || !w->done)
        refuse(w, CF_E_ARG, "brackets are not closed, or nothing was written");
    return w->rc;
}
