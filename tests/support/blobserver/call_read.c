#include "call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_properties(struct call *c, const struct store_content *now)
{
    char date[64];
    struct tm tm;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now->modified, &tm));
    uint64_t etag = now->etag ^ (c->fault.action == FAULT_ETAG ? 0xffff : 0);
    text_add(&c->reply.head,
             "ETag: \"0x%" PRIX64 "\"\r\nLast-Modified: %s\r\nx-ms-blob-type: BlockBlob\r\n"
             "Content-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\n"
             "x-ms-lease-status: unlocked\r\nx-ms-lease-state: available\r\n"
             "x-ms-server-encrypted: true\r\n",
             etag, date);
}

/* As many bytes from another place: further on, or, at the end, further ahead. */
static void move_on(struct call *c)
{
    struct reply *r = &c->reply;
    uint64_t room = r->content->size - r->first - r->count;
    if (room >= c->fault.value)
        r->first += c->fault.value;
    else
        r->first -= c->fault.value < r->first ? c->fault.value : r->first;
}

static enum bs_error get_blob(struct call *c, const struct shared *sh)
{
    struct reply *r = &c->reply;
    enum bs_error e = store_get(sh->store, &c->target, &r->content);
    if (e != BS_OK)
        return e;
    const char *match = http_header(c->req, "If-Match");
    if (match != NULL && strcmp(match, "*") != 0 &&
        strtoull(match[0] == '"' ? match + 1 : match, NULL, 16) != r->content->etag)
        return BS_CONDITION_NOT_MET;

    const char *range = http_header(c->req, "x-ms-range");
    if (range == NULL)
        range = http_header(c->req, "Range");
    if (c->op == OP_HEAD_BLOB || c->fault.action == FAULT_WHOLE)
        range = NULL;
    int status = http_range(range, r->content->size, &r->first, &r->count);
    if (status == 416)
        return BS_INVALID_RANGE;
    r->status = status == 206 ? 206 : 200;
    if (c->fault.action == FAULT_SHIFT)
        move_on(c);
    if (status == 206)
        text_add(&r->head, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", r->first,
                 r->first + r->count - 1,
                 c->fault.action == FAULT_LENGTH ? c->fault.value : r->content->size);
    if (c->fault.action == FAULT_DISPLACE)
        move_on(c);
    add_properties(c, r->content);
    return BS_OK;
}

struct block_ctx {
    struct text *out;
    bool committed;
};

static void add_block(void *ctx, bool committed, const char *id, uint64_t size)
{
    struct block_ctx *b = ctx;
    if (b->committed == committed)
        text_add(b->out, "<Block><Name>%s</Name><Size>%" PRIu64 "</Size></Block>", id, size);
}

static enum bs_error get_block_list(struct call *c, const struct shared *sh)
{
    char type[16] = "committed";
    http_query(c->req->query, "blocklisttype", type, sizeof type);
    bool all = strcmp(type, "all") == 0;
    struct text *out = &c->reply.text;
    struct block_ctx ctx = { out, true };
    enum bs_error e = BS_OK;
    text_add(out, "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    if (all || strcmp(type, "committed") == 0) {
        text_add(out, "<CommittedBlocks>");
        e = store_blocks(sh->store, &c->target, add_block, &ctx);
        text_add(out, "</CommittedBlocks>");
    }
    if (e == BS_OK && (all || strcmp(type, "uncommitted") == 0)) {
        ctx.committed = false;
        text_add(out, "<UncommittedBlocks>");
        e = store_blocks(sh->store, &c->target, add_block, &ctx);
        text_add(out, "</UncommittedBlocks>");
    }
    text_add(out, "</BlockList>");
    text_add(&c->reply.head, "Content-Type: application/xml\r\n");
    return e;
}

struct list_ctx {
    struct text *out;
    char prefix[STORE_NAME_MAX + 1], delimiter[8], last_group[STORE_NAME_MAX + 2];
    char next[STORE_NAME_MAX + 2];
    uint64_t left, looked, page;
};

static void add_blob(struct text *out, const char *name, const struct store_content *c)
{
    char date[64];
    struct tm tm;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&c->modified, &tm));
    text_add(out, "<Blob><Name>");
    text_add_escaped(out, name);
    text_add(out,
             "</Name><Properties><Last-Modified>%s</Last-Modified><Etag>0x%" PRIX64
             "</Etag><Content-Length>%" PRIu64 "</Content-Length><Content-Type>application/"
             "octet-stream</Content-Type><BlobType>BlockBlob</BlobType><LeaseStatus>unlocked"
             "</LeaseStatus><LeaseState>available</LeaseState><ServerEncrypted>true"
             "</ServerEncrypted>%s</Properties></Blob>",
             date, c->etag, c->size, c->directory ? "<ResourceType>directory</ResourceType>" : "");
}

static bool list_one(void *arg, const char *name, const struct store_content *c)
{
    struct list_ctx *l = arg;
    size_t plen = strlen(l->prefix);
    int order = strncmp(name, l->prefix, plen);
    if (order < 0)
        return true;
    if (order > 0)
        return false;
    if (l->page != 0 && l->looked++ == l->page) {
        memcpy(l->next, name, strlen(name) + 1);
        return false;
    }
    const char *cut = l->delimiter[0] != '\0' ? strstr(name + plen, l->delimiter) : NULL;
    size_t glen = cut != NULL ? (size_t)(cut - name) + strlen(l->delimiter) : 0;
    char directory[STORE_NAME_MAX + 2];
    if (cut == NULL && l->delimiter[0] == '/' && c->directory) {
        snprintf(directory, sizeof directory, "%s/", name);
        name = directory;
        glen = strlen(directory);
    }
    if (glen > 0 && strncmp(l->last_group, name, glen) == 0 && l->last_group[glen] == '\0')
        return true;
    if (l->left == 0) {
        memcpy(l->next, name, strlen(name) + 1);
        return false;
    }
    l->left--;
    if (glen > 0) {
        memcpy(l->last_group, name, glen);
        l->last_group[glen] = '\0';
        text_add(l->out, "<BlobPrefix><Name>");
        text_add_escaped(l->out, l->last_group);
        text_add(l->out, "</Name></BlobPrefix>");
    } else {
        add_blob(l->out, name, c);
    }
    return true;
}

static enum bs_error list_blobs(struct call *c, const struct shared *sh)
{
    const uint64_t page = 5000;
    char marker[STORE_NAME_MAX + 1] = "", max[16];
    struct list_ctx *l = calloc(1, sizeof *l);
    if (l == NULL)
        abort();
    l->out = &c->reply.text;
    l->left = page;
    l->page = sh->opt->page;
    enum bs_error e = BS_OK;
    http_query(c->req->query, "prefix", l->prefix, sizeof l->prefix);
    http_query(c->req->query, "delimiter", l->delimiter, sizeof l->delimiter);
    http_query(c->req->query, "marker", marker, sizeof marker);
    if (http_query(c->req->query, "maxresults", max, sizeof max) &&
        (!http_u64(max, &l->left) || l->left == 0))
        e = BS_INVALID_QUERY;
    if (l->left > page)
        l->left = page;
    if (e == BS_OK) {
        text_add(l->out,
                 "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults "
                 "ServiceEndpoint=\"http://127.0.0.1/%s\" ContainerName=\"%s\"><Prefix>",
                 c->account, c->container);
        text_add_escaped(l->out, l->prefix);
        text_add(l->out, "</Prefix><Blobs>");
        e = store_list(sh->store, &c->target, marker[0] != '\0' ? marker : l->prefix, list_one, l);
        text_add(l->out, "</Blobs><NextMarker>");
        text_add_escaped(l->out, l->next);
        text_add(l->out, "</NextMarker></EnumerationResults>");
        text_add(&c->reply.head, "Content-Type: application/xml\r\n");
    }
    free(l);
    return e;
}

enum bs_error call_read(struct call *c, const struct shared *sh)
{
    c->reply.status = 200;
    switch (c->op) {
    case OP_GET_BLOB:
    case OP_HEAD_BLOB:
        return get_blob(c, sh);
    case OP_GET_BLOCK_LIST:
        return get_block_list(c, sh);
    case OP_LIST_BLOBS:
        return list_blobs(c, sh);
    case OP_GET_CONTAINER:
        return store_container_exists(sh->store, &c->target);
    case OP_IDENTITY:
        call_identity(c, sh);
        return BS_OK;
    case OP_PUT_BLOB:
    case OP_PUT_BLOCK:
    case OP_PUT_BLOCK_LIST:
    case OP_DELETE_BLOB:
    case OP_CREATE_CONTAINER:
    case OP_OTHER:
    case OP_COUNT:
    default:
        return BS_UNSUPPORTED;
    }
}
