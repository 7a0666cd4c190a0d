/* Storage URIs: what is the service, what the container, what lies below it. */
#include <string.h>
#include <strings.h>

#include "blob_priv.h"

static bool all_of(const char *s, size_t len, const char *allowed)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] == '\0' || strchr(allowed, s[i]) == NULL)
            return false;
    return len > 0;
}

bool blob_host_listed(const char *list, const char *host, size_t len)
{
    static const char between[] = " ,";
    for (const char *at = list == NULL ? "" : list; *(at += strspn(at, between)) != '\0';) {
        size_t word = strcspn(at, between);
        bool all_below = at[0] == '.' && len > word;
        if ((len == word || all_below) && strncasecmp(host + (len - word), at, word) == 0)
            return true;
        at += word;
    }
    return false;
}

/* Hosts that serve several accounts, told apart by the first part of the path. */
static bool path_style(const char *host, size_t len, const struct blob_options *o)
{
    if (len > 0 && host[0] == '[')
        return true; /* an IPv6 address */
    if (all_of(host, len, "0123456789."))
        return true;
    if (memchr(host, '.', len) == NULL) /* localhost, a container's name */
        return true;
    return blob_host_listed(o->path_style_hosts, host, len);
}

/* Container names, azure-api 7.1; also `$root` is none of ours. */
static bool container_name(const char *s)
{
    size_t len = strlen(s);
    if (len < 3 || len > 63 || s[0] == '-' || s[len - 1] == '-' || strstr(s, "--") != NULL)
        return false;
    return all_of(s, len, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

static bool host_text(const char *s, size_t len)
{
    return all_of(s, len, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") &&
           s[0] != ':' && s[0] != '.';
}

/* Cuts the next part off *at; "" at the end. */
static char *cut_part(char **at)
{
    char *part = *at;
    size_t len = strcspn(part, "/");
    *at = part + len;
    if (**at == '/')
        *(*at)++ = '\0';
    return part;
}

/* One spelling of what names one place: a receipt, or a job, is found again by it. */
static void settle_host(char *host, size_t scheme_len)
{
    const char *port = scheme_len == 8 ? ":443" : ":80"; /* of "https://", "http://" */
    size_t len = strlen(host), cut = strlen(port);
    for (size_t i = 0; i < len; i++)
        if (host[i] >= 'A' && host[i] <= 'Z')
            host[i] = (char)(host[i] + ('a' - 'A'));
    if (len > cut && strcmp(host + len - cut, port) == 0)
        host[len - cut] = '\0';
}

/* An account has an address a service, told apart by the second part of the name. */
static bool of_another_service(const char *host, size_t len)
{
    static const char *const names[] = { ".dfs.core.", ".file.core.", ".queue.core.",
                                         ".table.core.", ".web.core." };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *at = strcasestr(host, names[i]);
        if (at != NULL && at < host + len)
            return true;
    }
    return false;
}

static enum cf_rc parse_http(struct blob_uri *u, size_t scheme, const struct blob_options *o,
                             struct cf_err *e)
{
    char *host = u->text + scheme;
    size_t len = strcspn(host, "/");
    size_t name = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    if (len == 0 || !host_text(host, len) || name > len)
        return CF_FAIL(e, CF_E_INPUT, "storageResourceUri: no host in it");
    if (host[len] == '\0')
        return CF_FAIL(e, CF_E_INPUT, "storageResourceUri: no container in it");
    if (of_another_service(host, len))
        return CF_FAIL(e, CF_E_INPUT,
                       "storageResourceUri: that is the account's address of another service; name "
                       "the one of its blob service (https://ACCOUNT.blob...)");
    host[len] = '\0';
    char *rest = host + len + 1;
    settle_host(host, scheme);
    bool by_path = path_style(host, name, o);
    u->origin = u->text;
    u->account = by_path ? cut_part(&rest) : "";
    u->container = cut_part(&rest);
    u->prefix = rest;
    if (by_path && (u->account[0] == '\0' || !all_of(u->account, strlen(u->account),
                                                     "abcdefghijklmnopqrstuvwxyz0123456789-")))
        return CF_FAIL(e, CF_E_INPUT, "storageResourceUri: no account in it");
    if (!container_name(u->container)) /* not shown: a SAS may have slipped in */
        return CF_FAIL(e, CF_E_INPUT,
                       "storageResourceUri: what follows the host is no container name (3 to 63 "
                       "lower-case letters, digits and single hyphens)");
    if (u->prefix[0] == '\0')
        return CF_OK;
    enum cf_rc rc = blob_check_name(u->prefix, e);
    size_t end = strlen(u->prefix);
    if (rc == CF_OK && (u->prefix[end - 1] == '.' || strstr(u->prefix, "./") != NULL))
        rc = CF_FAIL(e, CF_E_INPUT, "a part that ends with a dot, which the service drops");
    if (rc == CF_OK && strchr(u->prefix, '%') != NULL)
        rc = CF_FAIL(e, CF_E_INPUT, "a percent sign below the container");
    return cf_err_ctx(e, rc, "storageResourceUri");
}

static enum cf_rc parse_dir(struct blob_uri *u, char *path, struct cf_err *e)
{
    if (strncmp(path, "///", 3) == 0)
        path += 2; /* dir:///srv is dir:/srv */
    if (path[0] != '/' || path[1] == '/')
        return CF_FAIL(e, CF_E_INPUT, "storageResourceUri: dir: wants an absolute path");
    u->origin = u->account = u->prefix = "";
    u->container = path;
    return CF_OK;
}

enum cf_rc blob_uri_parse(const char *uri, const struct blob_options *o, struct blob_uri *out,
                          struct cf_err *e)
{
    size_t len = uri == NULL ? 0 : strnlen(uri, BLOB_URI_MAX + 1);
    if (len == 0 || len > BLOB_URI_MAX)
        return CF_FAIL(e, CF_E_INPUT, "storageResourceUri is missing or too long");
    memcpy(out->text, uri, len + 1);
    for (size_t i = 0; i < len; i++)
        if (uri[i] <= 0x20 || uri[i] > 0x7e)
            return CF_FAIL(e, CF_E_INPUT, "storageResourceUri has a character that no URI has");
    if (strpbrk(uri, "?#@") != NULL)
        return CF_FAIL(e, CF_E_INPUT,
                       "storageResourceUri holds a query or user; the SAS goes into token");
    while (len > 0 && out->text[len - 1] == '/')
        out->text[--len] = '\0';
    if (strncmp(out->text, "dir:", 4) == 0) {
        out->kind = BLOB_URI_DIR;
        return parse_dir(out, out->text + 4, e);
    }
    if (strncmp(out->text, "https://", 8) == 0) {
        out->kind = BLOB_URI_HTTPS;
        return parse_http(out, 8, o, e);
    }
    if (strncmp(out->text, "http://", 7) != 0)
        return CF_FAIL(e, CF_E_INPUT, "storageResourceUri is not an https URI");
    if (!o->allow_http)
        return CF_FAIL(e, CF_E_INPUT, "storageResourceUri: http is not allowed here, use https");
    out->kind = BLOB_URI_HTTP;
    return parse_http(out, 7, o, e);
}
