/* Which kind of store a place is, and whether it will do. */
#include <string.h>

#include "blob_priv.h"

static const char *token_text(const struct blob_place *p)
{
    const char *t = p->token != NULL ? p->token : "";
    t += strspn(t, " \t\r\n");
    return t[0] == '?' ? t + 1 : t;
}

/* Of the blob service in all clouds, and of its accounts with zones of their own. */
static const char public_hosts[] =
    ".blob.core.windows.net .blob.storage.azure.net .blob.core.usgovcloudapi.net "
    ".blob.core.chinacloudapi.cn";

/* Whoever may name a place would else have our token, which opens all places of the identity, sent
 * to a host of his. */
static enum cf_rc check_shown_to(const struct blob_uri *u, const struct blob_options *o,
                                 struct cf_err *e)
{
    const char *list = o->identity_hosts != NULL ? o->identity_hosts : public_hosts;
    const char *host = strstr(u->origin, "://") + 3;
    if (blob_host_listed(list, host, host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":")))
        return CF_OK;
    return CF_FAIL(e, CF_E_INPUT,
                   "useManagedIdentity: the appliance does not show its identity to %s; have that "
                   "host added to storage.identity_hosts, or give a token",
                   host);
}

/* Its rights are roles that only the service knows. */
static enum cf_rc check_identity(const char *token, const struct blob_uri *u,
                                 const struct blob_options *o, struct blob_report *r,
                                 struct cf_err *e)
{
    if (token[0] != '\0')
        return CF_FAIL(e, CF_E_INPUT, "token and useManagedIdentity exclude each other");
    if (o->identity.kind == BLOB_IDENTITY_NONE)
        return CF_FAIL(e, CF_E_INPUT,
                       "useManagedIdentity: this appliance has no managed identity; give a token");
    enum cf_rc rc = check_shown_to(u, o, e);
    if (rc != CF_OK)
        return rc;
    r->can_read = r->can_list = r->can_create = r->can_write = r->can_delete = true;
    return CF_OK;
}

static enum cf_rc check(const struct blob_place *p, enum blob_need need,
                        const struct blob_options *o, int64_t now_unix_s, struct blob_uri *uri,
                        struct blob_report *report, struct cf_err *e)
{
    *report = (struct blob_report){ 0 };
    enum cf_rc rc = blob_uri_parse(p->uri, o, uri, e);
    if (rc != CF_OK)
        return cf_err_code(e, rc, "BadRequest");
    if (uri->kind != BLOB_URI_DIR && p->use_identity)
        return cf_err_code(e, check_identity(token_text(p), uri, o, report, e), "BadRequest");
    if (uri->kind != BLOB_URI_DIR)
        return cf_err_code(
            e,
            blob_azure_check(uri, token_text(p), need,
                             now_unix_s > o->not_before_s ? now_unix_s : o->not_before_s, report,
                             e),
            "BadRequest");
    if (token_text(p)[0] != '\0')
        return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "a dir: storage URI takes no token"),
                           "BadRequest");
    report->can_read = report->can_list = report->can_create = report->can_write = true;
    report->can_delete = true;
    return CF_OK;
}

enum cf_rc blob_place_check(const struct blob_place *p, enum blob_need need,
                            const struct blob_options *o, int64_t now_unix_s,
                            struct blob_report *report, struct cf_err *e)
{
    struct blob_uri uri;
    struct blob_report own;
    return check(p, need, o, now_unix_s, &uri, report != NULL ? report : &own, e);
}

static void show(struct blob_store *s, const struct blob_uri *u)
{
    const char *const parts[] = { u->kind == BLOB_URI_DIR ? "dir:" : u->origin,
                                  u->account[0] != '\0' ? "/" : "",
                                  u->account,
                                  u->kind == BLOB_URI_DIR ? "" : "/",
                                  u->container,
                                  u->prefix[0] != '\0' ? "/" : "",
                                  u->prefix };
    size_t at = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t len = strlen(parts[i]), room = BLOB_SHOWN_MAX - at;
        memcpy(s->shown + at, parts[i], len < room ? len : room);
        at += len < room ? len : room;
    }
    s->shown[at] = '\0';
}

enum cf_rc blob_store_open(const struct blob_place *p, enum blob_need need,
                           const struct blob_options *o, struct hal_clock *clock,
                           struct blob_store **out, struct cf_err *e)
{
    struct blob_uri uri;
    struct blob_report report;
    *out = NULL;
    enum cf_rc rc = check(p, need, o, hal_clock_unix_ms(clock) / 1000, &uri, &report, e);
    if (rc != CF_OK)
        return rc;
    if (uri.kind == BLOB_URI_DIR) {
        rc = cf_err_code(e, blob_dir_open(uri.container, o, out, e), "BadRequest");
    } else {
        struct blob_azure_setup setup = { .uri = &uri,
                                          .token = p->use_identity ? NULL : token_text(p),
                                          .options = o,
                                          .clock = clock,
                                          .ends_unix_s = report.ends_unix_s };
        rc = blob_azure_open(&setup, out, e);
    }
    if (rc != CF_OK)
        return rc;
    (*out)->need = need;
    show(*out, &uri);
    return CF_OK;
}

void blob_store_free(struct blob_store *s)
{
    if (s != NULL)
        s->free(s);
}

const char *blob_store_shown(const struct blob_store *s)
{
    return s->shown;
}

enum cf_rc blob_folder_name(const char *folder, char out[BLOB_NAME_MAX + 1], struct cf_err *e)
{
    const char *from = folder + strspn(folder, "/");
    size_t len = strnlen(from, BLOB_NAME_MAX + 1);
    while (len > 0 && from[len - 1] == '/')
        len--;
    if (len > BLOB_NAME_MAX)
        return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "the folder name is too long"), "BadRequest");
    memcpy(out, from, len);
    out[len] = '\0';
    enum cf_rc rc = blob_check_name(out, e);
    if (rc != CF_OK)
        return cf_err_code(e, cf_err_ctx(e, rc, "the folder to restore"), "BadRequest");
    return CF_OK;
}
