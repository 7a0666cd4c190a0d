#include "call.h"

#include <string.h>

static enum bs_op blob_op(const struct http_request *r, const char *comp)
{
    bool none = comp[0] == '\0';
    switch (r->method) {
    case HTTP_PUT:
        if (none)
            return OP_PUT_BLOB;
        if (strcmp(comp, "block") == 0)
            return OP_PUT_BLOCK;
        return strcmp(comp, "blocklist") == 0 ? OP_PUT_BLOCK_LIST : OP_OTHER;
    case HTTP_GET:
        if (none)
            return OP_GET_BLOB;
        return strcmp(comp, "blocklist") == 0 ? OP_GET_BLOCK_LIST : OP_OTHER;
    case HTTP_HEAD:
        return none ? OP_HEAD_BLOB : OP_OTHER;
    case HTTP_DELETE:
        return none ? OP_DELETE_BLOB : OP_OTHER;
    case HTTP_POST:
    case HTTP_OTHER:
    default:
        return OP_OTHER;
    }
}

static enum bs_op container_op(const struct http_request *r, const char *comp)
{
    char restype[32];
    if (!http_query(r->query, "restype", restype, sizeof restype) ||
        strcmp(restype, "container") != 0)
        return OP_OTHER;
    if (r->method == HTTP_GET && strcmp(comp, "list") == 0)
        return OP_LIST_BLOBS;
    if (comp[0] != '\0')
        return OP_OTHER;
    if (r->method == HTTP_GET || r->method == HTTP_HEAD)
        return OP_GET_CONTAINER;
    return r->method == HTTP_PUT ? OP_CREATE_CONTAINER : OP_OTHER;
}

/* Cuts "/account/container/blob" apart, each part decoded. */
static bool cut_path(struct call *c, const char *path)
{
    size_t n = strcspn(path + 1, "/");
    if (!http_unescape(path + 1, n, false, c->account, sizeof c->account))
        return false;
    path += 1 + n;
    if (*path == '\0')
        return true;
    n = strcspn(path + 1, "/");
    if (!http_unescape(path + 1, n, false, c->container, sizeof c->container))
        return false;
    path += 1 + n;
    return *path == '\0' ||
           http_unescape(path + 1, strlen(path + 1), false, c->blob, sizeof c->blob);
}

enum bs_error call_route(struct call *c, const struct http_request *req)
{
    char comp[32] = "";
    *c = (struct call){ .op = OP_OTHER, .req = req };
    c->fault.retry_after_s = -1;
    c->reply.flip = UINT64_MAX;
    c->reply.head_only = req->method == HTTP_HEAD;
    c->target = (struct store_target){ c->account, c->container, c->blob };
    if (strcmp(req->path, "/_stats") == 0)
        c->admin = ADMIN_STATS;
    if (strcmp(req->path, "/_fault") == 0)
        c->admin = ADMIN_FAULT;
    if (strcmp(req->path, "/_identity") == 0 && req->method == HTTP_GET)
        c->op = OP_IDENTITY;
    if (c->admin != ADMIN_NONE || c->op == OP_IDENTITY)
        return BS_OK;

    if (!cut_path(c, req->path) || c->account[0] == '\0')
        return BS_INVALID_URI;
    http_query(req->query, "comp", comp, sizeof comp);
    if (c->blob[0] != '\0')
        c->op = blob_op(req, comp);
    else if (c->container[0] != '\0')
        c->op = container_op(req, comp);
    if (req->method == HTTP_PUT && !req->has_length)
        return BS_MISSING_LENGTH;
    return BS_OK;
}

bool call_may_discard(const struct call *c)
{
    const uint64_t small = 1 << 20; /* manifests stay readable */
    return c->op == OP_PUT_BLOCK || (c->op == OP_PUT_BLOB && c->req->content_length > small);
}
