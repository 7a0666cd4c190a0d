/* An operation as an HTTP request. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "azure_priv.h"
#include "base/text.h"

#define HEADER_MAX 128

/* A page of 5,000 names, or 150,000 blocks; beyond it somebody only wants to be read. */
#define LIST_BYTES_MAX ((uint64_t)64 << 20)

enum cf_rc blob_azure_commit_body(struct azure_op *o, struct cf_err *e)
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
    char version[HEADER_MAX], date[HEADER_MAX], range[HEADER_MAX], match[HEADER_MAX];
    struct cf_buf bearer; /* a secret: cleared when libcurl has its copy */
};

/* RFC 1123, in English whatever the locale; wanted beside a bearer token. */
static void put_date(struct header_set *h, struct hal_clock *clock)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(hal_clock_unix_ms(clock) / 1000);
    struct tm t;
    gmtime_r(&now, &t);
    snprintf(h->date, sizeof h->date, "x-ms-date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
             days + 3L * t.tm_wday, t.tm_mday, months + 3L * t.tm_mon, t.tm_year + 1900, t.tm_hour,
             t.tm_min, t.tm_sec);
    h->lines[h->count++] = h->date;
}

static enum cf_rc add_bearer(struct azure_op *o, struct header_set *h, struct cf_err *e)
{
    const struct azure_store *s = azure_store_of(o);
    const char *line = NULL;
    if (s->identity == NULL)
        return CF_OK;
    enum cf_rc rc = blob_azure_bearer(s->identity, &h->bearer, &o->own_why, e);
    if (rc == CF_OK)
        rc = cf_buf_text(&h->bearer, &line, e);
    if (rc != CF_OK)
        return rc;
    h->lines[h->count++] = line;
    put_date(h, s->clock);
    return CF_OK;
}

static void add_headers(const struct azure_op *o, struct header_set *h)
{
    const struct blob_op *op = &o->op;
    *h = (struct header_set){ .count = 0 };
    snprintf(h->version, sizeof h->version, "x-ms-version: %s", azure_store_of(o)->version);
    h->lines[h->count++] = h->version;
    if (op->verb == BLOB_DO_PUT || op->verb == BLOB_DO_COMMIT)
        h->lines[h->count++] = "If-None-Match: *";
    if (op->verb == BLOB_DO_PUT)
        h->lines[h->count++] = "x-ms-blob-type: BlockBlob";
    if (op->verb == BLOB_DO_COMMIT)
        h->lines[h->count++] = "x-ms-blob-content-type: application/octet-stream";
    if (azure_is_write(op->verb))
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

static enum net_method method_of(enum blob_verb verb)
{
    if (verb == BLOB_DO_ERASE)
        return NET_DELETE;
    if (verb == BLOB_DO_HEAD)
        return NET_HEAD;
    return azure_is_write(verb) ? NET_PUT : NET_GET;
}

enum cf_rc blob_azure_submit(struct azure_op *o, net_done_fn *done, struct cf_err *e)
{
    static const char *const want[] = {
        "ETag",        "Content-Length", "Content-Range", "x-ms-error-code", "Content-Encoding",
        "Content-Type"
    };
    struct header_set h;
    enum cf_rc rc = blob_azure_url(azure_store_of(o), &o->op, o->list.marker, &o->url, e);
    if (rc == CF_OK && azure_is_list(o->op.verb))
        rc = blob_azure_list_start(&o->list, e);
    if (rc != CF_OK)
        return rc;
    add_headers(o, &h);
    rc = add_bearer(o, &h, e);
    if (rc != CF_OK) {
        cf_buf_clear(&h.bearer);
        return rc;
    }
    struct net_request req = {
        .method = method_of(o->op.verb),
        .url = (const char *)o->url.data,
        .headers = h.lines,
        .nheaders = h.count,
        .body = o->op.body.data,
        .body_len = o->op.body.len,
        .pull = o->op.body.pull,
        .pull_ctx = o->op.body.pull_ctx,
        .head = blob_azure_on_head,
        .push = azure_is_change(o->op.verb) ? NULL : blob_azure_on_push,
        .push_ctx = o,
        .max_answer = azure_is_list(o->op.verb) ? LIST_BYTES_MAX : 0,
        .want = want,
        .nwant = sizeof want / sizeof want[0],
        .done = done,
        .done_ctx = o,
    };
    rc = net_start(o->lane->net, &req, &o->transfer, e);
    cf_buf_clear(&o->url); /* libcurl has its copies; ours held the credential */
    cf_buf_clear(&h.bearer);
    return rc;
}
