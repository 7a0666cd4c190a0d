/* What comes back, and what it means. */
#include <string.h>
#include <strings.h>

#include "azure_priv.h"
#include "base/text.h"

static enum cf_rc refuse(struct azure_op *o, enum blob_why why, const char *text, struct cf_err *e)
{
    o->own_why = why;
    return CF_FAIL(e, why == BLOB_TRANSIENT ? CF_E_IO : CF_E_REMOTE, "%s", text);
}

/* What the service says when it has done it. A 2xx of another kind is somebody else's: a proxy's
 * page for logging in, say, that answers everything with 200. */
static bool says_done(enum blob_verb verb, int status)
{
    if (azure_is_write(verb))
        return status == 201;
    if (verb == BLOB_DO_ERASE)
        return status == 202;
    return status == 200 || (verb == BLOB_DO_GET && status == 206);
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

/* Nobody asked for it, and what it hides can be neither read nor measured. */
static bool is_compressed(const struct net_result *r)
{
    static const char *const codings[] = { "gzip", "x-gzip", "deflate", "br", "zstd", "compress" };
    const char *coding = net_result_header(r, "Content-Encoding");
    for (size_t i = 0; coding != NULL && i < sizeof codings / sizeof codings[0]; i++)
        if (strcasecmp(coding, codings[i]) == 0)
            return true;
    return false;
}

/* Is this the range that was asked for? Nothing is pushed before. */
enum cf_rc blob_azure_on_head(void *ctx, const struct net_result *r, struct cf_err *e)
{
    struct azure_op *o = ctx;
    uint64_t a = 0, b = 0, total = 0, count = o->op.count;
    const char *length = net_result_header(r, "Content-Length");
    if (!says_done(o->op.verb, r->status))
        return refuse(o, BLOB_REFUSED,
                      "an answer that no blob service gives; does a gateway or proxy answer in its "
                      "place?",
                      e);
    if (!azure_is_change(o->op.verb) && o->op.verb != BLOB_DO_HEAD && is_compressed(r))
        return refuse(o, BLOB_REFUSED,
                      "a compressed answer, which was not asked for; does a gateway change them?",
                      e);
    if (o->op.verb == BLOB_DO_HEAD && length == NULL)
        return refuse(o, BLOB_REFUSED,
                      "an answer without Content-Length; does a gateway take it away?", e);
    if (o->op.verb != BLOB_DO_GET)
        return CF_OK;
    if (r->status == 206) {
        if (!content_range(net_result_header(r, "Content-Range"), &a, &b, &total))
            return refuse(o, BLOB_REFUSED, "a partial answer without Content-Range", e);
        if (a > b || b >= total) /* Azurite's answer at the end of a blob: "bytes 9-8/9" */
            return refuse(o, BLOB_RANGE, "the range lies outside the blob", e);
    } else {
        if (length == NULL || cf_parse_u64(length, INT64_MAX, &total, NULL) != CF_OK)
            return refuse(o, BLOB_REFUSED,
                          "an answer without Content-Length; does a gateway take it away?", e);
        b = total == 0 ? 0 : total - 1;
    }
    o->result.size = total;
    uint64_t given = total == 0 ? 0 : b - a + 1;
    uint64_t wanted = count != 0 ? count : total > o->op.first ? total - o->op.first : 0;
    if (a != o->op.first && !(total == 0 && o->op.first == 0))
        return refuse(o, BLOB_REFUSED,
                      "another range than was asked for; is there a gateway in between?", e);
    if (given < wanted)
        return refuse(o, BLOB_RANGE, "the range lies outside the blob", e);
    if (given > wanted)
        return refuse(o, BLOB_REFUSED, "more than was asked for; is there a gateway in between?",
                      e);
    o->left = given;
    return CF_OK;
}

/* A body that tells no length of its own ("chunked") may be longer or shorter than the head says.
 */
static enum cf_rc take_range(struct azure_op *o, const void *data, size_t len, struct cf_err *e)
{
    if (len > o->left)
        return refuse(o, BLOB_REFUSED, "more than was asked for; is there a gateway in between?",
                      e);
    o->left -= len;
    enum cf_rc rc = o->op.push(o->op.ctx, data, len, e);
    o->caller_failed = rc != CF_OK;
    return rc;
}

enum cf_rc blob_azure_on_push(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    struct azure_op *o = ctx;
    if (o->op.verb == BLOB_DO_GET)
        return take_range(o, data, len, e);
    enum cf_rc rc = blob_azure_xml_feed(o->list.xml, data, len, e);
    o->caller_failed = o->list.failed;
    return rc;
}

static bool out_of_time(const struct azure_op *o, const char *message)
{
    const struct azure_store *s = azure_store_of(o);
    if (s->ends_unix_s != 0 && hal_clock_unix_ms(s->clock) / 1000 >= s->ends_unix_s)
        return true;
    return strstr(message, "time frame") != NULL || strstr(message, "expiry time") != NULL;
}

/* A page for people: the service itself answers machines. */
static bool is_web_page(const struct net_result *r)
{
    static const char *const begins[] = { "<!doctype html", "<html" };
    const char *type = net_result_header(r, "Content-Type");
    const char *text = (const char *)r->body.data;
    size_t at = 0;
    if (type != NULL && strncasecmp(type, "text/html", 9) == 0)
        return true;
    while (at < r->body.len && strchr(" \t\r\n\xef\xbb\xbf", text[at]) != NULL)
        at++;
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (r->body.len - at >= strlen(begins[i]) &&
            strncasecmp(text + at, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
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
                              .out_of_time = out_of_time(o, message),
                              .identity = azure_store_of(o)->identity != NULL };
    a.web_page = a.code[0] == '\0' && is_web_page(r);
    if (r->date_s != 0)
        a.ahead_s = r->date_s - hal_clock_unix_ms(azure_store_of(o)->clock) / 1000;
    blob_azure_judge(&a, &o->result);
    o->result.maybe_done = azure_is_change(o->op.verb) && r->status >= 500;
    if (a.identity && r->status == 401 && blob_azure_bearer_refused(azure_store_of(o)->identity)) {
        o->result.why = BLOB_TRANSIENT; /* it was an old one: the next attempt brings a new one */
        o->result.err.rc = CF_E_IO;
        o->result.err.code = NULL;
    }
}

/* No answer, or not a whole one. */
static void judge_failure(struct azure_op *o, const struct net_result *r)
{
    struct blob_result *out = &o->result;
    out->err = r->err;
    if (o->own_why != BLOB_OK)
        out->why = o->own_why;
    else if (o->caller_failed || (r->by_caller && !azure_is_list(o->op.verb)) ||
             r->rc == CF_E_CANCEL)
        out->why = BLOB_CALLER;
    else if (r->rc == CF_E_IO)
        out->why = BLOB_TRANSIENT;
    else
        out->why = BLOB_REFUSED;
    if (r->rc == CF_E_AUTH && !r->by_caller) /* the server does not verify, not the backup */
        out->err.rc = CF_E_REMOTE;
    out->maybe_done = azure_is_change(o->op.verb) && out->why == BLOB_TRANSIENT && r->connected &&
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

void blob_azure_conclude(struct azure_op *o, const struct net_result *r)
{
    o->result.retry_after_ms = r->retry_after_s > 3600 ? 3600000 : r->retry_after_s * 1000;
    if (r->rc != CF_OK)
        judge_failure(o, r);
    else if (r->status < 200 || r->status > 299)
        judge_answer(o, r);
    else if (o->left != 0)
        (void)refuse(o, o->result.why = BLOB_TRANSIENT, "the answer was cut short", &o->result.err);
    else
        take_headers(o, r);
}
