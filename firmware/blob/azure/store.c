/* One container, opened for a job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure_priv.h"
#include "base/secret.h"

static void azure_free(struct blob_store *base)
{
    struct azure_store *s = (struct azure_store *)(void *)base;
    cf_secret_free(s->token);
    blob_azure_identity_free(s->identity);
    free(s->container_url);
    free(s->prefix);
    free(s->ca_file);
    free(s->proxy);
    free(s);
}

/* a/b/c, with slashes only where something stands before and after; NULL without memory. */
static char *joined(const char *a, const char *b, const char *c)
{
    char *out = NULL;
    if (asprintf(&out, "%s%s%s%s%s", a, b[0] != '\0' ? "/" : "", b, c[0] != '\0' ? "/" : "", c) < 0)
        return NULL;
    return out;
}

static bool copy(char **out, const char *text)
{
    *out = text == NULL ? NULL : strdup(text);
    return text == NULL || *out != NULL;
}

enum cf_rc blob_azure_open(const struct blob_azure_setup *setup, struct blob_store **out,
                           struct cf_err *e)
{
    const struct blob_options *o = setup->options;
    const char *version = o->service_version != NULL ? o->service_version : BLOB_AZURE_VERSION;
    struct azure_store *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a blob store");
    s->base.lane_new = blob_azure_lane_new;
    s->base.free = azure_free;
    s->clock = setup->clock;
    s->ends_unix_s = setup->ends_unix_s;
    s->connections = o->connections;
    s->connect_timeout_ms = o->connect_timeout_ms;
    s->stall_timeout_ms = o->stall_timeout_ms;
    snprintf(s->version, sizeof s->version, "%s", version);
    s->container_url = joined(setup->uri->origin, setup->uri->account, setup->uri->container);
    if (setup->uri->prefix[0] == '\0')
        s->prefix = strdup("");
    else if (asprintf(&s->prefix, "%s/", setup->uri->prefix) < 0)
        s->prefix = NULL;
    enum cf_rc rc = CF_OK;
    if (s->container_url == NULL || s->prefix == NULL || !copy(&s->ca_file, o->ca_file) ||
        !copy(&s->proxy, o->proxy))
        rc = CF_FAIL(e, CF_E_LIMIT, "no memory for a blob store");
    if (rc == CF_OK && setup->token == NULL)
        rc = blob_azure_identity_new(&o->identity, setup->clock, &s->identity, e);
    else if (rc == CF_OK)
        rc = blob_azure_token(setup->token, &s->token, e);
    if (rc != CF_OK) {
        azure_free(&s->base);
        return rc;
    }
    *out = &s->base;
    return CF_OK;
}
