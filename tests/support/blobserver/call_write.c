#include "call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool is_base64(const char *s)
{
    size_t len = strlen(s), body = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                             "0123456789+/");
    return len > 0 && len % 4 == 0 && len - body <= 2 && strspn(s + body, "=") == len - body;
}

static bool condition(const struct call *c, struct store_condition *out)
{
    *out = (struct store_condition){ 0 };
    const char *none = http_header(c->req, "If-None-Match");
    const char *match = http_header(c->req, "If-Match");
    if (none != NULL && strcmp(none, "*") != 0)
        return false;
    out->create_only = none != NULL;
    if (match != NULL && strcmp(match, "*") != 0)
        out->if_match = strtoull(match[0] == '"' ? match + 1 : match, NULL, 16);
    return true;
}

static enum bs_error put_block(struct call *c, const struct shared *sh)
{
    char id[STORE_ID_MAX + 1];
    if (!http_query(c->req->query, "blockid", id, sizeof id) || !is_base64(id))
        return BS_INVALID_BLOCK_ID;
    if (c->body_len == 0)
        return BS_INVALID_HEADER;
    uint8_t *data = c->body;
    c->body = NULL;
    if (c->fault.action == FAULT_LATE) {
        store_late(sh->store, &c->target, id, data, c->body_len);
        return BS_OK;
    }
    return store_put_block(sh->store, &c->target, id, data, c->body_len);
}

static enum bs_error put_blob(struct call *c, const struct shared *sh)
{
    struct store_condition cond;
    const char *type = http_header(c->req, "x-ms-blob-type");
    if (type == NULL || strcmp(type, "BlockBlob") != 0 || !condition(c, &cond))
        return BS_INVALID_HEADER;
    uint8_t *data = c->body;
    c->body = NULL;
    return store_put_blob(sh->store, &c->target, cond, data, c->body_len);
}

static enum bs_error put_list(struct call *c, const struct shared *sh)
{
    const size_t blocks_max = 50000;
    struct store_condition cond;
    struct store_wanted *list = NULL;
    size_t count = 0;
    if (!condition(c, &cond))
        return BS_INVALID_HEADER;
    if (c->body == NULL || !xml_block_list((const char *)c->body, c->body_len, &list, &count))
        return BS_INVALID_XML;
    enum bs_error e = count > blocks_max ? BS_BLOCK_COUNT : BS_OK;
    if (e == BS_OK)
        e = store_put_list(sh->store, &c->target, cond, list, count);
    free(list);
    return e;
}

/* ETag and date of what was just written. */
static void add_etag(struct call *c, const struct shared *sh)
{
    struct store_content *now = NULL;
    char date[64];
    struct tm tm;
    if (store_get(sh->store, &c->target, &now) != BS_OK)
        return;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now->modified, &tm));
    uint64_t etag = now->etag ^ (c->fault.action == FAULT_ETAG ? 0xffff : 0);
    text_add(&c->reply.head, "ETag: \"0x%" PRIX64 "\"\r\nLast-Modified: %s\r\n", etag, date);
    store_release(now);
}

static void count_unconditional(const struct call *c, const struct shared *sh)
{
    struct store_condition cond;
    bool writes = c->op == OP_PUT_BLOB || c->op == OP_PUT_BLOCK_LIST;
    if (writes && condition(c, &cond) && !cond.create_only)
        stats_unconditional(sh->stats);
}

enum bs_error call_write(struct call *c, const struct shared *sh)
{
    enum bs_error e = BS_UNSUPPORTED;
    c->reply.status = 201;
    count_unconditional(c, sh);
    switch (c->op) {
    case OP_PUT_BLOB:
        e = put_blob(c, sh);
        break;
    case OP_PUT_BLOCK:
        e = put_block(c, sh);
        break;
    case OP_PUT_BLOCK_LIST:
        e = put_list(c, sh);
        break;
    case OP_DELETE_BLOB:
        e = store_delete(sh->store, &c->target);
        c->reply.status = 202;
        break;
    case OP_CREATE_CONTAINER:
        e = store_container_create(sh->store, &c->target);
        break;
    case OP_GET_BLOCK_LIST:
    case OP_GET_BLOB:
    case OP_HEAD_BLOB:
    case OP_LIST_BLOBS:
    case OP_GET_CONTAINER:
    case OP_IDENTITY:
    case OP_OTHER:
    case OP_COUNT:
    default:
        break;
    }
    if (e == BS_OK && (c->op == OP_PUT_BLOB || c->op == OP_PUT_BLOCK_LIST))
        add_etag(c, sh);
    if (e == BS_OK)
        text_add(&c->reply.head, "x-ms-request-server-encrypted: true\r\n");
    return e;
}
