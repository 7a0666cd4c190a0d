/* URLs of operations. They hold the SAS: buffers are wiped by cf_buf_clear. */
#include <stdio.h>
#include <string.h>

#include "azure_priv.h"
#include "base/secret.h"
#include "base/text.h"

static enum cf_rc put_encoded(struct cf_buf *b, const char *s, const char *keep, struct cf_err *e)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && *s != '\0') {
        size_t run = strspn(s, plain);
        if (run == 0 && strchr(keep, *s) != NULL)
            run = 1;
        if (run > 0)
            rc = cf_buf_put(b, s, run, e);
        else
            rc = cf_buf_printf(b, e, "%%%02X", (unsigned)(unsigned char)*s);
        s += run > 0 ? run : 1;
    }
    return rc;
}

enum cf_rc blob_azure_put_path(struct cf_buf *b, const char *s, struct cf_err *e)
{
    return put_encoded(b, s, "/", e);
}

enum cf_rc blob_azure_put_query(struct cf_buf *b, const char *s, struct cf_err *e)
{
    return put_encoded(b, s, "", e);
}

static enum cf_rc put_list_query(const struct azure_store *s, const struct blob_op *op,
                                 const char *marker, struct cf_buf *url, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_put_text(url, "restype=container&comp=list&maxresults=5000&prefix=", e);
    if (rc == CF_OK)
        rc = blob_azure_put_query(url, s->prefix, e);
    if (rc == CF_OK)
        rc = blob_azure_put_query(url, op->name, e);
    if (rc == CF_OK && op->grouped)
        rc = cf_buf_put_text(url, "&delimiter=%2F", e);
    if (rc == CF_OK && marker[0] != '\0')
        rc = cf_buf_put_text(url, "&marker=", e);
    if (rc == CF_OK)
        rc = blob_azure_put_query(url, marker, e);
    return rc == CF_OK ? cf_buf_put_text(url, "&", e) : rc;
}

static enum cf_rc put_verb_query(const struct blob_op *op, struct cf_buf *url, struct cf_err *e)
{
    char id[CF_BASE64_SIZE(BLOB_BLOCK_ID_LEN)];
    enum cf_rc rc;
    switch (op->verb) {
    case BLOB_DO_PUT_BLOCK:
        cf_base64(op->ids[0].bytes, sizeof op->ids[0].bytes, id);
        rc = cf_buf_put_text(url, "comp=block&blockid=", e);
        if (rc == CF_OK)
            rc = blob_azure_put_query(url, id, e);
        return rc == CF_OK ? cf_buf_put_text(url, "&", e) : rc;
    case BLOB_DO_COMMIT:
        return cf_buf_put_text(url, "comp=blocklist&", e);
    case BLOB_DO_LIST_BLOCKS:
        return cf_buf_put_text(url, "comp=blocklist&blocklisttype=all&", e);
    case BLOB_DO_PUT:
    case BLOB_DO_HEAD:
    case BLOB_DO_GET:
    case BLOB_DO_LIST:
    case BLOB_DO_ERASE:
    default:
        return CF_OK;
    }
}

enum cf_rc blob_azure_url(const struct azure_store *s, const struct blob_op *op, const char *marker,
                          struct cf_buf *url, struct cf_err *e)
{
    const char *text;
    cf_buf_clear(url);
    enum cf_rc rc = cf_buf_put_text(url, s->container_url, e);
    if (rc == CF_OK && op->verb != BLOB_DO_LIST) {
        rc = cf_buf_put_text(url, "/", e);
        if (rc == CF_OK)
            rc = blob_azure_put_path(url, s->prefix, e);
        if (rc == CF_OK)
            rc = blob_azure_put_path(url, op->name, e);
    }
    if (rc == CF_OK)
        rc = cf_buf_put_text(url, "?", e);
    if (rc == CF_OK)
        rc = op->verb == BLOB_DO_LIST ? put_list_query(s, op, marker, url, e)
                                      : put_verb_query(op, url, e);
    if (rc == CF_OK && s->token != NULL)
        rc = cf_buf_put(url, cf_secret_view(s->token), cf_secret_len(s->token), e);
    return rc == CF_OK ? cf_buf_text(url, &text, e) : rc;
}
