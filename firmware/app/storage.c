/* What the configuration says about storage, as the run takes it; and secrets that lie in files. */
#include "appliance.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"

#define HEADER_MAX 4096

enum cf_rc app_secret_text(const char *path, size_t max, struct cf_secret **out, struct cf_err *e)
{
    struct cf_buf text = { 0 };
    *out = NULL;
    enum cf_rc rc = cf_file_read(path, max, &text, e);
    while (rc == CF_OK && text.len && isspace(text.data[text.len - 1]))
        rc = cf_buf_resize(&text, text.len - 1, e);
    if (rc == CF_OK && (text.len == 0 || memchr(text.data, 0, text.len)))
        rc = CF_FAIL(e, CF_E_INPUT, "%s is empty, or no text", path);
    if (rc == CF_OK)
        rc = cf_buf_put(&text, "", 1, e);
    if (rc == CF_OK)
        rc = cf_secret_copy(text.data, text.len, out, e);
    cf_buf_clear(&text); /* wipes */
    return rc;
}

static enum cf_rc identity(struct appliance *a, struct blob_identity *out, struct cf_err *e)
{
    static const struct {
        const char *name;
        enum blob_identity_kind kind;
    } kinds[] = { { "imds", BLOB_IDENTITY_IMDS },
                  { "arc", BLOB_IDENTITY_ARC },
                  { "app-service", BLOB_IDENTITY_APP_SERVICE } };
    const struct app_config *c = &a->config;
    *out = (struct blob_identity){
        .endpoint = c->identity_endpoint[0] ? c->identity_endpoint : NULL,
        .client_id = c->identity_client[0] ? c->identity_client : NULL,
        .resource_id = c->identity_resource[0] ? c->identity_resource : NULL,
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, c->managed_identity) == 0)
            out->kind = kinds[i].kind;
    if (out->kind != BLOB_IDENTITY_APP_SERVICE)
        return CF_OK;
    enum cf_rc rc = a->identity_header ? CF_OK
                                       : app_secret_text(c->identity_header_file, HEADER_MAX,
                                                         &a->identity_header, e);
    if (rc == CF_OK)
        out->secret = (const char *)cf_secret_view(a->identity_header);
    return cf_err_ctx(e, rc, "storage.identity_header_file");
}

enum cf_rc app_storage(struct appliance *a, struct blob_options *out, struct cf_err *e)
{
    const struct app_config *c = &a->config;
    for (size_t i = 0; i < c->dir_root_count; i++)
        a->dir_roots[i] = c->dir_root[i];
    *out = (struct blob_options){
        .dir_roots = a->dir_roots,
        .ndir_roots = c->dir_root_count,
        .allow_http = a->board->bench,
        .path_style_hosts = c->path_style_hosts,
        .identity_hosts = c->identity_hosts[0] ? c->identity_hosts : NULL,
        .service_version = c->service_version[0] ? c->service_version : NULL,
        .proxy = c->proxy[0] ? c->proxy : NULL,
        .ca_file = c->storage_ca[0] ? c->storage_ca : NULL,
        .stall_timeout_ms = (uint32_t)c->stall_ms,
    };
    return identity(a, &out->identity, e);
}
