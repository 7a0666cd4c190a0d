#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "server_priv.h"

#define HTTPS_PORT 443

/* "name" and "name:port" in lower case; only what a host name can have. */
static enum cf_rc split(const char *host, char name[API_HOST_SIZE], uint64_t *port,
                        struct cf_err *e)
{
    size_t n = 0;
    for (; host[n] && host[n] != ':'; n++) {
        char c = host[n];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.';
        if (!fine || n + 1 >= API_HOST_SIZE - 8)
            return CF_FAIL(e, CF_E_INPUT, "the Host header is no host name");
        name[n] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    name[n] = 0;
    *port = HTTPS_PORT;
    if (!n)
        return CF_FAIL(e, CF_E_INPUT, "the Host header is no host name");
    return host[n] ? cf_parse_u64(host + n + 1, 65535, port, e) : CF_OK;
}

/* A configured name holds for the port we listen on, unless it brings its own. */
static bool fits(const struct api *a, const char *configured, const char *name, uint64_t port)
{
    char own[API_HOST_SIZE];
    uint64_t own_port = HTTPS_PORT;
    if (split(configured, own, &own_port, NULL) != CF_OK)
        return false;
    if (!strchr(configured, ':'))
        own_port = a->port;
    return strcmp(own, name) == 0 && own_port == port;
}

enum cf_rc api_host_check(const struct api *a, const char *host, char out[API_HOST_SIZE],
                          struct cf_err *e)
{
    char name[API_HOST_SIZE];
    uint64_t port = 0;
    enum cf_rc rc = split(host, name, &port, e);
    if (rc != CF_OK)
        return rc;
    for (size_t i = 0; i < a->cfg.host_count; i++) {
        if (!fits(a, a->cfg.hosts[i], name, port))
            continue;
        if (port == HTTPS_PORT)
            snprintf(out, API_HOST_SIZE, "%s", name);
        else
            snprintf(out, API_HOST_SIZE, "%s:%u", name, (unsigned)port);
        return CF_OK;
    }
    return CF_FAIL(e, CF_E_INPUT, "this appliance does not answer to that host name");
}

/* What stands behind the first label; NULL for one label, and for an address, which has no parent.
 */
static const char *behind_label(const char *host)
{
    const char *dot = strchr(host, '.');
    size_t numeric = strspn(host, "0123456789.");
    if (!dot || !dot[1] || !host[numeric] || host[numeric] == ':')
        return NULL;
    return dot + 1;
}

/* The parent domain of `host`, with its port: what clients compare the resource with (1.3).
 * A name without a parent (localhost) borrows the first configured name's. */
static const char *parent_of(const struct api *a, const char *host, char first[API_HOST_SIZE])
{
    const char *parent = behind_label(host);
    if (parent)
        return parent;
    for (size_t i = 0; i < a->cfg.host_count; i++) {
        parent = behind_label(a->cfg.hosts[i]);
        if (!parent)
            continue;
        bool own = strchr(parent, ':') || a->port == HTTPS_PORT;
        snprintf(first, API_HOST_SIZE, own ? "%s" : "%s:%u", parent, (unsigned)a->port);
        return first;
    }
    return host;
}

enum cf_rc api_challenge(const struct api *a, const char *host, char *out, size_t size,
                         struct cf_err *e)
{
    char first[API_HOST_SIZE];
    const char *resource = a->cfg.resource;
    int n = 0;
    if (resource)
        n = snprintf(out, size, "Bearer authorization=\"%s\", resource=\"%s\"",
                     a->cfg.authority_url, resource);
    else
        n = snprintf(out, size, "Bearer authorization=\"%s\", resource=\"https://%s\"",
                     a->cfg.authority_url, parent_of(a, host, first));
    if (n < 0 || (size_t)n >= size)
        return CF_FAIL(e, CF_E_LIMIT, "the challenge does not fit");
    return CF_OK;
}
