/* Expat, kept on a short leash. */
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "azure_priv.h"

#define DEPTH_MAX 8
#define PATH_MAX_ 256
#define TEXT_MAX  16384 /* of other programs' blobs: a header of HTTP, escaped */

struct azure_xml {
    XML_Parser parser;
    azure_xml_fn *fn;
    void *ctx;
    struct cf_err err; /* rc CF_OK: nothing went wrong inside a handler */
    unsigned depth;
    size_t starts[DEPTH_MAX]; /* of each level in path */
    char path[PATH_MAX_];
    char text[TEXT_MAX + 1];
    size_t len;
    bool encoded;
};

static void stop(struct azure_xml *x, enum cf_rc rc, const char *why)
{
    if (x->err.rc == CF_OK)
        (void)CF_FAIL(&x->err, rc, "XML answer: %s", why);
    XML_StopParser(x->parser, XML_FALSE);
}

static void on_start(void *arg, const char *name, const char **attributes)
{
    struct azure_xml *x = arg;
    const char *colon = strrchr(name, ':'); /* a name space's prefix says nothing here */
    name = colon != NULL ? colon + 1 : name;
    size_t at = strlen(x->path), len = strlen(name);
    if (x->depth == DEPTH_MAX || at + len + 2 > sizeof x->path) {
        stop(x, CF_E_REMOTE, "too deep");
        return;
    }
    x->starts[x->depth++] = at;
    if (at > 0)
        x->path[at++] = '/';
    memcpy(x->path + at, name, len + 1);
    x->len = 0;
    x->encoded = false;
    for (; attributes[0] != NULL; attributes += 2)
        if (strcmp(attributes[0], "Encoded") == 0)
            x->encoded = strcmp(attributes[1], "true") == 0;
}

static void on_end(void *arg, const char *name)
{
    struct azure_xml *x = arg;
    (void)name; /* expat has matched it */
    if (x->err.rc != CF_OK)
        return;
    x->text[x->len] = '\0';
    enum cf_rc rc = x->fn(x->ctx, x->path, x->text, x->encoded, &x->err);
    if (rc != CF_OK) {
        if (x->err.rc == CF_OK)
            x->err.rc = rc;
        XML_StopParser(x->parser, XML_FALSE);
        return;
    }
    x->path[x->starts[--x->depth]] = '\0';
    x->len = 0;
}

static void on_text(void *arg, const char *s, int len)
{
    struct azure_xml *x = arg;
    if ((size_t)len > TEXT_MAX - x->len) {
        stop(x, CF_E_REMOTE, "a text too long");
        return;
    }
    memcpy(x->text + x->len, s, (size_t)len);
    x->len += (size_t)len;
}

static void on_doctype(void *arg, const char *name, const char *sysid, const char *pubid,
                       int internal)
{
    (void)name;
    (void)sysid;
    (void)pubid;
    (void)internal;
    stop(arg, CF_E_REMOTE, "a document type");
}

enum cf_rc blob_azure_xml_new(azure_xml_fn *fn, void *ctx, struct azure_xml **out, struct cf_err *e)
{
    struct azure_xml *x = calloc(1, sizeof *x);
    *out = NULL;
    if (x == NULL || (x->parser = XML_ParserCreate("UTF-8")) == NULL) {
        free(x);
        return CF_FAIL(e, CF_E_LIMIT, "no memory for an XML answer");
    }
    x->fn = fn;
    x->ctx = ctx;
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, on_start, on_end);
    XML_SetCharacterDataHandler(x->parser, on_text);
    XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
    *out = x;
    return CF_OK;
}

static enum cf_rc parse(struct azure_xml *x, const void *data, size_t len, bool last,
                        struct cf_err *e)
{
    if (len > INT32_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "XML answer: a piece too long");
    if (XML_Parse(x->parser, data, (int)len, last) == XML_STATUS_OK && x->err.rc == CF_OK)
        return CF_OK;
    if (x->err.rc != CF_OK) {
        if (e != NULL && e->rc == CF_OK)
            *e = x->err;
        return x->err.rc;
    }
    return CF_FAIL(e, CF_E_REMOTE,
                   "XML answer: %s; does a gateway or proxy answer in the service's place?",
                   XML_ErrorString(XML_GetErrorCode(x->parser)));
}

enum cf_rc blob_azure_xml_feed(struct azure_xml *x, const void *data, size_t len, struct cf_err *e)
{
    return parse(x, data, len, false, e);
}

enum cf_rc blob_azure_xml_end(struct azure_xml *x, struct cf_err *e)
{
    return parse(x, "", 0, true, e);
}

void blob_azure_xml_free(struct azure_xml *x)
{
    if (x == NULL)
        return;
    XML_ParserFree(x->parser);
    free(x);
}
