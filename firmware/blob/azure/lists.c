/* Block lists and blob lists (azure-api.md, 7.2), read as they come. */
#include <stdlib.h>
#include <string.h>

#include "azure_priv.h"
#include "base/text.h"

#define NAME_BYTES 4096

static enum cf_rc keep_name(struct azure_list *l, const char *text, bool encoded, struct cf_err *e)
{
    /* names of ours need no encoding */
    size_t len = strlen(text);
    l->named = !encoded && len < NAME_BYTES;
    if (l->named)
        memcpy(l->name, text, len + 1);
    (void)e;
    return CF_OK;
}

static enum cf_rc keep_size(struct azure_list *l, const char *text, struct cf_err *e)
{
    if (cf_parse_u64(text, INT64_MAX, &l->size, NULL) != CF_OK)
        return CF_FAIL(e, CF_E_REMOTE, "XML answer: a size that is no number");
    l->has_size = true;
    return CF_OK;
}

/* A name of which blob.h knows; a group's ends with the '/'. */
static bool is_name(const char *s, bool group)
{
    char name[BLOB_NAME_MAX + 1];
    size_t len = strlen(s);
    if (len > BLOB_NAME_MAX || (group && len > 0 && s[--len] != '/'))
        return false;
    memcpy(name, s, len);
    name[len] = '\0';
    return blob_check_name(name, NULL) == CF_OK;
}

/* Directories of an account with hierarchical namespace lie among its blobs, and are none. */
static enum cf_rc tell_name(struct azure_list *l, bool group, struct cf_err *e)
{
    size_t skip = strlen(l->store->prefix);
    bool ours = l->named && strncmp(l->name, l->store->prefix, skip) == 0 &&
                (group || !l->directory) && is_name(l->name + skip, group);
    uint64_t size = l->has_size && !group ? l->size : 0;
    l->named = l->has_size = l->directory = false;
    if (!ours)
        return CF_OK;
    enum cf_rc rc = l->each_name(l->ctx, l->name + skip, size, e);
    l->failed = rc != CF_OK;
    return rc;
}

static enum cf_rc tell_block(struct azure_list *l, bool committed, struct cf_err *e)
{
    struct blob_block_id id;
    struct cf_buf raw = { 0 };
    bool whole = l->named && l->has_size;
    enum cf_rc rc = whole ? CF_OK : CF_FAIL(e, CF_E_REMOTE, "XML answer: half a block");
    l->named = l->has_size = false;
    if (rc == CF_OK && cf_unbase64(l->name, strlen(l->name), &raw, NULL) == CF_OK &&
        raw.len == sizeof id.bytes) {
        memcpy(id.bytes, raw.data, sizeof id.bytes);
        rc = l->each_block(l->ctx, committed, &id, l->size, e);
        l->failed = rc != CF_OK;
    }
    cf_buf_clear(&raw);
    return rc;
}

static enum cf_rc keep_marker(struct azure_list *l, const char *text, struct cf_err *e)
{
    size_t len = strlen(text);
    if (len >= sizeof l->marker)
        return CF_FAIL(e, CF_E_REMOTE, "XML answer: a marker too long");
    memcpy(l->marker, text, len + 1);
    return CF_OK;
}

static enum cf_rc on_blobs(void *ctx, const char *path, const char *text, bool encoded,
                           struct cf_err *e)
{
    struct azure_list *l = ctx;
    static const char root[] = "EnumerationResults/";
    if (strncmp(path, root, sizeof root - 1) != 0)
        return strcmp(path, "EnumerationResults") == 0
                   ? CF_OK
                   : CF_FAIL(e, CF_E_REMOTE, "XML answer: not a list of blobs");
    path += sizeof root - 1;
    if (strcmp(path, "Blobs/Blob/Name") == 0 || strcmp(path, "Blobs/BlobPrefix/Name") == 0)
        return keep_name(l, text, encoded, e);
    if (strcmp(path, "Blobs/Blob/Properties/Content-Length") == 0)
        return keep_size(l, text, e);
    if (strcmp(path, "Blobs/Blob/Properties/ResourceType") == 0)
        l->directory = strcmp(text, "directory") == 0;
    if (strcmp(path, "Blobs/Blob") == 0 || strcmp(path, "Blobs/BlobPrefix") == 0)
        return tell_name(l, strcmp(path, "Blobs/Blob") != 0, e);
    if (strcmp(path, "NextMarker") == 0)
        return keep_marker(l, text, e);
    return CF_OK;
}

static enum cf_rc on_blocks(void *ctx, const char *path, const char *text, bool encoded,
                            struct cf_err *e)
{
    struct azure_list *l = ctx;
    static const char root[] = "BlockList/";
    if (strncmp(path, root, sizeof root - 1) != 0)
        return strcmp(path, "BlockList") == 0
                   ? CF_OK
                   : CF_FAIL(e, CF_E_REMOTE, "XML answer: not a list of blocks");
    path += sizeof root - 1;
    bool committed = strncmp(path, "CommittedBlocks/", 16) == 0;
    if (!committed && strncmp(path, "UncommittedBlocks/", 18) != 0)
        return CF_OK;
    path += committed ? 16 : 18;
    if (strcmp(path, "Block/Name") == 0)
        return keep_name(l, text, encoded, e);
    if (strcmp(path, "Block/Size") == 0)
        return keep_size(l, text, e);
    return strcmp(path, "Block") == 0 ? tell_block(l, committed, e) : CF_OK;
}

enum cf_rc blob_azure_list_start(struct azure_list *l, struct cf_err *e)
{
    if (l->name == NULL)
        l->name = malloc(NAME_BYTES);
    if (l->name == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a list");
    blob_azure_xml_free(l->xml);
    l->xml = NULL;
    l->marker[0] = '\0';
    l->named = l->has_size = l->directory = false;
    return blob_azure_xml_new(l->each_block != NULL ? on_blocks : on_blobs, l, &l->xml, e);
}

void blob_azure_list_clear(struct azure_list *l)
{
    blob_azure_xml_free(l->xml);
    free(l->name);
    *l = (struct azure_list){ 0 };
}

struct refusal {
    char *code, *message;
};

static void copy_cut(char *out, size_t cap, const char *text)
{
    text += strspn(text, " \t\r\n");
    size_t len = strnlen(text, cap - 1);
    memcpy(out, text, len);
    out[len] = '\0';
}

static enum cf_rc on_error(void *ctx, const char *path, const char *text, bool encoded,
                           struct cf_err *e)
{
    struct refusal *r = ctx;
    (void)encoded;
    (void)e;
    if (strcmp(path, "Error/Code") == 0)
        copy_cut(r->code, 64, text);
    /* the detail, where there is one, says more than the message */
    if (strcmp(path, "Error/Message") == 0 || strcmp(path, "Error/AuthenticationErrorDetail") == 0)
        copy_cut(r->message, 256, text);
    return CF_OK;
}

void blob_azure_error_body(const void *data, size_t len, char code[64], char message[256])
{
    struct refusal r = { code, message };
    struct azure_xml *x = NULL;
    code[0] = message[0] = '\0';
    if (len == 0 || blob_azure_xml_new(on_error, &r, &x, NULL) != CF_OK)
        return;
    /* what was read before damage counts: this only serves a text for people */
    enum cf_rc rc = blob_azure_xml_feed(x, data, len, NULL);
    (void)rc;
    blob_azure_xml_free(x);
    code[strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")] = '\0';
}
