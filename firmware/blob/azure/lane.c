/* One lane to the service: operations become HTTP requests on a net lane. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure_priv.h"
#include "base/text.h"

#define HEADER_MAX 128

struct azure_op {
    struct azure_op *next, *prev; /* next alone in the spare list */
    struct azure_lane *lane;
    struct blob_op op;
    char name[BLOB_NAME_MAX + 1], etag[BLOB_ETAG_MAX + 1];
    struct net_transfer *transfer;
    struct cf_buf url, body;
    struct azure_list list;
    char last_marker[sizeof((struct azure_list *)0)->marker];
    enum blob_why own_why; /* of a refusal found here, BLOB_OK: none */
    bool caller_failed;
    struct blob_result result;
};

struct azure_lane {
    struct blob_lane base;
    struct net_lane *net;
    struct azure_op *open, *spare;
};

static struct azure_store *store_of(const struct azure_op *o)
{
    return (struct azure_store *)(void *)o->lane->base.store;
}

/* ---- what comes back ---- */

static enum cf_rc refuse(struct azure_op *o, enum blob_why why, const char *text, struct cf_err *e)
{
    o->own_why = why;
    return CF_FAIL(e, why == BLOB_RANGE ? CF_E_REMOTE : CF_E_IO, "%s", text);
}

/* "bytes a-b/total" */
static bool content_range(const char *s, uint64_t *a, uint64_t *b, uint64_t *total)
{
    char text[64];
    size_t len = s == NULL ? 0 : strlen(s);
    if (len < 7 || len - 6 >= sizeof text || strncmp(s, "bytes ", 6) != 0)
        return false;
    memcpy(text, s + 6, len - 6 + 1);
    char *dash = strchr(text, '-'), *slash = strchr(text, '/');
    if (dash == NULL || slash == NULL || slash < dash)
        return false;
    *dash++ = *slash++ = '\0';
    return cf_parse_u64(text, INT64_MAX, a, NULL) == CF_OK &&
           cf_parse_u64(dash, INT64_MAX, b, NULL) == CF_OK &&
           cf_parse_u64(slash, INT64_MAX, total, NULL) == CF_OK;
}

/* Is this the range that was asked for? Nothing is pushed before. */
static enum cf_rc on_head(void *ctx, const struct net_result *r, struct cf_err *e)
{
    struct azure_op *o = ctx;
    uint64_t a = 0, b = 0, total = 0, count = o->op.count;
    const char *length = net_result_header(r, "Content-Length");
    if (o->op.verb != BLOB_DO_GET)
        return CF_OK;
    if (r->status == 206) {
        if (!content_range(net_result_header(r, "Content-Range"), &a, &b, &total))
            return refuse(o, BLOB_REFUSED, "a partial answer without Content-Range", e);
        if (a > b || b >= total) /* Azurite's answer at the end of a blob: "bytes 9-8/9" */
            return refuse(o, BLOB_RANGE, "the range lies outside the blob", e);
    } else {
        if (length == NULL || cf_parse_u64(length, INT64_MAX, &total, NULL) != CF_OK)
            return refuse(o, BLOB_REFUSED, "an answer without Content-Length", e);
        b = total == 0 ? 0 : total - 1;
    }
    o->result.size = total;
    uint64_t given = total == 0 ? 0 : b - a + 1;
    uint64_t wanted = count != 0 ? count : total > o->op.first ? total - o->op.first : 0;
    if (a != o->op.first && !(total == 0 && o->op.first == 0))
        return refuse(o, BLOB_REFUSED, "another range than was asked for", e);
    if (given < wanted)
        return refuse(o, BLOB_RANGE, "the range lies outside the blob", e);
    if (given > wanted)
        return refuse(o, BLOB_REFUSED, "more than was asked for", e);
    return CF_OK;
}

static enum cf_rc on_push(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    struct azure_op *o = ctx;
    enum cf_rc rc;
    if (o->op.verb == BLOB_DO_GET) {
        rc = o->op.push(o->op.ctx, data, len, e);
        o->caller_failed = rc != CF_OK;
        return rc;
    }
    rc = blob_azure_xml_feed(o->list.xml, data, len, e);
    o->caller_failed = o->list.failed;
    return rc;
}

/* ---- requests ---- */

static bool is_write(enum blob_verb v)
{
    return v == BLOB_DO_PUT_BLOCK || v == BLOB_DO_COMMIT || v == BLOB_DO_PUT;
}

static bool is_list(enum blob_verb v)
{
    return v == BLOB_DO_LIST || v == BLOB_DO_LIST_BLOCKS;
}

static enum cf_rc commit_body(struct azure_op *o, struct cf_err *e)
{
    char id[CF_BASE64_SIZE(BLOB_BLOCK_ID_LEN)];
    enum cf_rc rc =
        cf_buf_put_text(&o->body, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>", e);
    for (size_t i = 0; rc == CF_OK && i < o->op.nids; i++) {
        cf_base64(o->op.ids[i].bytes, sizeof o->op.ids[i].bytes, id);
        rc = cf_buf_printf(&o->body, e, "<Latest>%s</Latest>", id);
    }
    if (rc == CF_OK)
        rc = cf_buf_put_text(&o->body, "</BlockList>", e);
    o->op.body = (struct blob_body){ .len = o->body.len, .data = o->body.data };
    return rc;
}

struct header_set {
    const char *lines[8];
    size_t count;
    char version[HEADER_MAX], range[HEADER_MAX], match[HEADER_MAX];
};

static void add_headers(const struct azure_op *o, struct header_set *h)
{
    const struct blob_op *op = &o->op;
    *h = (struct header_set){ .count = 0 };
    snprintf(h->version, sizeof h->version, "x-ms-version: %s", store_of(o)->version);
    h->lines[h->count++] = h->version;
    if (op->verb == BLOB_DO_PUT || op->verb == BLOB_DO_COMMIT)
        h->lines[h->count++] = "If-None-Match: *";
    if (op->verb == BLOB_DO_PUT)
        h->lines[h->count++] = "x-ms-blob-type: BlockBlob";
    if (op->verb == BLOB_DO_COMMIT)
        h->lines[h->count++] = "x-ms-blob-content-type: application/octet-stream";
    if (is_write(op->verb))
        h->lines[h->count++] = op->verb == BLOB_DO_COMMIT
                                   ? "Content-Type: application/xml"
                                   : "Content-Type: application/octet-stream";
    if (op->verb != BLOB_DO_GET)
        return;
    if (op->count != 0)
        snprintf(h->range, sizeof h->range, "x-ms-range: bytes=%" PRIu64 "-%" PRIu64, op->first,
                 op->first + op->count - 1);
    else if (op->first != 0)
        snprintf(h->range, sizeof h->range, "x-ms-range: bytes=%" PRIu64 "-", op->first);
    if (h->range[0] != '\0')
        h->lines[h->count++] = h->range;
    if (op->etag != NULL) {
        snprintf(h->match, sizeof h->match, "If-Match: %s", op->etag);
        h->lines[h->count++] = h->match;
    }
}

static void on_done(void *ctx, struct net_result *r);

static enum cf_rc submit(struct azure_op *o, struct cf_err *e)
{
    static const char *const want[] = { "ETag", "Content-Length", "Content-Range",
                                        "x-ms-error-code" };
    struct header_set h;
    enum cf_rc rc = blob_azure_url(store_of(o), &o->op, o->list.marker, &o->url, e);
    if (rc == CF_OK && is_list(o->op.verb))
        rc = blob_azure_list_start(&o->list, e);
    if (rc != CF_OK)
        return rc;
    add_headers(o, &h);
    struct net_request req = {
        .method = is_write(o->op.verb)         ? NET_PUT
                  : o->op.verb == BLOB_DO_HEAD ? NET_HEAD
                                               : NET_GET,
        .url = (const char *)o->url.data,
        .headers = h.lines,
        .nheaders = h.count,
        .body = o->op.body.data,
        .body_len = o->op.body.len,
        .pull = o->op.body.pull,
        .pull_ctx = o->op.body.pull_ctx,
        .head = on_head,
        .push = is_write(o->op.verb) ? NULL : on_push,
        .push_ctx = o,
        .want = want,
        .nwant = sizeof want / sizeof want[0],
        .done = on_done,
        .done_ctx = o,
    };
    rc = net_start(o->lane->net, &req, &o->transfer, e);
    cf_buf_clear(&o->url); /* libcurl has its copy; ours held the SAS */
    return rc;
}

/* ---- ends ---- */

static void take_off(struct azure_op *o)
{
    if (o->next != NULL)
        o->next->prev = o->prev;
    if (o->prev != NULL)
        o->prev->next = o->next;
    else
        o->lane->open = o->next;
}

static void give_back(struct azure_op *o)
{
    struct azure_lane *lane = o->lane;
    cf_buf_clear(&o->url);
    cf_buf_clear(&o->body);
    blob_azure_list_clear(&o->list);
    *o = (struct azure_op){ .lane = lane, .next = lane->spare };
    lane->spare = o;
}

static bool out_of_time(const struct azure_op *o, const char *message)
{
    const struct azure_store *s = store_of(o);
    if (s->ends_unix_s != 0 && hal_clock_unix_ms(s->clock) / 1000 >= s->ends_unix_s)
        return true;
    return strstr(message, "time frame") != NULL || strstr(message, "expiry time") != NULL;
}

static void judge_answer(struct azure_op *o, const struct net_result *r)
{
    char code[64], message[256];
    const char *header = net_result_header(r, "x-ms-error-code");
    blob_azure_error_body(r->body.data, r->body.len, code, message);
    struct azure_answer a = { .verb = o->op.verb,
                              .name = o->name,
                              .status = r->status,
                              .code = header != NULL ? header : code,
                              .out_of_time = out_of_time(o, message) };
    blob_azure_judge(&a, &o->result);
    o->result.maybe_done = is_write(o->op.verb) && r->status >= 500;
}

/* No answer, or not a whole one. */
static void judge_failure(struct azure_op *o, const struct net_result *r)
{
    struct blob_result *out = &o->result;
    out->err = r->err;
    if (o->own_why != BLOB_OK)
        out->why = o->own_why;
    else if (o->caller_failed || (r->by_caller && !is_list(o->op.verb)) || r->rc == CF_E_CANCEL)
        out->why = BLOB_CALLER;
    else
        out->why = r->rc == CF_E_IO ? BLOB_TRANSIENT : BLOB_REFUSED;
    out->maybe_done = is_write(o->op.verb) && out->why == BLOB_TRANSIENT && r->connected &&
                      r->sent_bytes == o->op.body.len;
}

static void take_headers(struct azure_op *o, const struct net_result *r)
{
    const char *etag = net_result_header(r, "ETag");
    const char *length = net_result_header(r, "Content-Length");
    if (etag != NULL && strlen(etag) <= BLOB_ETAG_MAX)
        memcpy(o->result.etag, etag, strlen(etag) + 1);
    if (o->op.verb == BLOB_DO_HEAD && length != NULL)
        (void)(cf_parse_u64(length, INT64_MAX, &o->result.size, NULL) == CF_OK);
}

/* True when another page was asked for. */
static bool next_page(struct azure_op *o)
{
    enum cf_rc rc = blob_azure_xml_end(o->list.xml, &o->result.err);
    if (rc == CF_OK && o->list.marker[0] == '\0')
        return false;
    if (rc == CF_OK && strcmp(o->list.marker, o->last_marker) == 0)
        rc = CF_FAIL(&o->result.err, CF_E_CORRUPT, "listing: the same page twice");
    if (rc == CF_OK) {
        memcpy(o->last_marker, o->list.marker, sizeof o->last_marker);
        rc = submit(o, &o->result.err);
    }
    if (rc != CF_OK)
        o->result.why = BLOB_REFUSED;
    return rc == CF_OK;
}

static void on_done(void *ctx, struct net_result *r)
{
    struct azure_op *o = ctx;
    o->transfer = NULL;
    o->result.retry_after_ms = r->retry_after_s > 3600 ? 3600000 : r->retry_after_s * 1000;
    if (r->rc != CF_OK) {
        judge_failure(o, r);
    } else if (r->status < 200 || r->status > 299) {
        judge_answer(o, r);
    } else {
        take_headers(o, r);
        if (is_list(o->op.verb) && next_page(o))
            return;
    }
    struct blob_result result = o->result;
    struct blob_end end = o->op.end;
    take_off(o);
    give_back(o);
    end.done(end.ctx, &result);
}

/* ---- the lane ---- */

static void copy_op(struct azure_op *o, const struct blob_op *op)
{
    o->op = *op;
    memcpy(o->name, op->name, strlen(op->name) + 1);
    o->op.name = o->name;
    if (op->etag != NULL) {
        memcpy(o->etag, op->etag, strlen(op->etag) + 1);
        o->op.etag = o->etag;
    }
    o->list.store = store_of(o);
    o->list.each_block = op->each_block;
    o->list.each_name = op->each_name;
    o->list.ctx = op->ctx;
}

static enum cf_rc start(struct blob_lane *base, const struct blob_op *op, struct cf_err *e)
{
    struct azure_lane *lane = (struct azure_lane *)(void *)base;
    struct azure_op *o = lane->spare;
    if (o != NULL)
        lane->spare = o->next;
    else if ((o = calloc(1, sizeof *o)) == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a blob operation");
    o->lane = lane;
    o->next = o->prev = NULL;
    copy_op(o, op);
    enum cf_rc rc = op->verb == BLOB_DO_COMMIT ? commit_body(o, e) : CF_OK;
    if (rc == CF_OK)
        rc = submit(o, e);
    o->op.ids = NULL; /* the caller's, read by now */
    if (rc != CF_OK) {
        give_back(o);
        return rc;
    }
    o->next = lane->open;
    if (lane->open != NULL)
        lane->open->prev = o;
    lane->open = o;
    return CF_OK;
}

static enum cf_rc run(struct blob_lane *base, int timeout_ms, unsigned *open, struct cf_err *e)
{
    return net_lane_run(((struct azure_lane *)(void *)base)->net, timeout_ms, open, e);
}

static void wake(struct blob_lane *base)
{
    net_lane_wake(((struct azure_lane *)(void *)base)->net);
}

static void cancel(struct blob_lane *base)
{
    struct azure_lane *lane = (struct azure_lane *)(void *)base;
    for (struct azure_op *o = lane->open; o != NULL; o = o->next)
        net_cancel(o->transfer);
}

static void lane_free(struct blob_lane *base)
{
    struct azure_lane *lane = (struct azure_lane *)(void *)base;
    net_lane_free(lane->net); /* first: it refers to the operations */
    while (lane->open != NULL) {
        struct azure_op *o = lane->open;
        take_off(o);
        give_back(o);
    }
    while (lane->spare != NULL) {
        struct azure_op *o = lane->spare;
        lane->spare = o->next;
        free(o);
    }
    free(lane);
}

enum cf_rc blob_azure_lane_new(struct blob_store *base, struct blob_lane **out, struct cf_err *e)
{
    static const struct blob_lane_ops ops = { start, run, wake, cancel, lane_free };
    struct azure_store *s = (struct azure_store *)(void *)base;
    struct azure_lane *lane = calloc(1, sizeof *lane);
    *out = NULL;
    if (lane == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a lane");
    struct net_options o = { .ca_file = s->ca_file,
                             .proxy = s->proxy,
                             .connections = s->connections,
                             .stall_timeout_ms = s->stall_timeout_ms };
    enum cf_rc rc = net_lane_new(&o, &lane->net, e);
    if (rc != CF_OK) {
        free(lane);
        return rc;
    }
    lane->base.ops = &ops;
    lane->base.store = base;
    *out = &lane->base;
    return CF_OK;
}
