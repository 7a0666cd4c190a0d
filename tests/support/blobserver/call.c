#include "call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sas.h"

void call_clear(struct call *c)
{
    free(c->body);
    c->body = NULL;
    free(c->reply.head.data);
    free(c->reply.text.data);
    store_release(c->reply.content);
    c->reply = (struct reply){ .flip = UINT64_MAX };
}

void call_refuse_status(struct call *c, int status, const char *code, const char *message)
{
    struct reply *r = &c->reply;
    r->status = status;
    r->head.len = r->text.len = 0;
    store_release(r->content);
    r->content = NULL;
    r->count = 0;
    text_add(&r->head, "x-ms-error-code: %s\r\nContent-Type: application/xml\r\n", code);
    if (status == 401)
        text_add(&r->head, "WWW-Authenticate: Bearer authorization_uri=https://login.test/tenant "
                           "resource_id=https://storage.azure.com\r\n");
    if (c->fault.retry_after_s >= 0)
        text_add(&r->head, "Retry-After: %d\r\n", c->fault.retry_after_s);
    text_add(&r->text,
             "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code>"
             "<Message>%s\nRequestId:00000000-0000-0000-0000-000000000000\nTime:now</Message>"
             "</Error>",
             code, message);
}

void call_refuse(struct call *c, const struct shared *sh, enum bs_error e)
{
    (void)sh;
    const struct bs_error_row *row = bs_error_row(e);
    call_refuse_status(c, row->status, row->code, row->message);
}

static enum bs_error authorize(const struct call *c, const struct shared *sh)
{
    const struct options *o = sh->opt;
    if (c->op == OP_IDENTITY)
        return BS_OK;
    const char *auth = http_header(c->req, "Authorization");
    if (o->bearer != NULL && auth != NULL)
        return strncmp(auth, "Bearer ", 7) == 0 && strcmp(auth + 7, o->bearer) == 0 ? BS_OK
                                                                                    : BS_NO_AUTH;
    if (!o->require_sas)
        return BS_OK;
    return sas_judge(c->req->query, c->op, &c->target, o->account_key, c->tls);
}

static enum bs_error forbidden(enum bs_op op, enum options_policy policy)
{
    bool block = op == OP_PUT_BLOCK, list = op == OP_PUT_BLOCK_LIST;
    if (policy == POLICY_NO_BLOCKS && (block || list))
        return BS_AUTH_PERMISSION;
    if (policy == POLICY_NO_LISTS && list)
        return BS_IMMUTABLE;
    if (policy == POLICY_LOCKED && (block || list || op == OP_PUT_BLOB))
        return BS_IMMUTABLE;
    return BS_OK;
}

static enum bs_error perform(struct call *c, const struct shared *sh)
{
    enum bs_error e = authorize(c, sh);
    if (e == BS_OK)
        e = forbidden(c->op, sh->opt->policy);
    if (e != BS_OK)
        return e;
    e = call_fault_before(c, sh);
    if (e != BS_OK)
        return e;
    return c->req->method == HTTP_GET || c->req->method == HTTP_HEAD ? call_read(c, sh)
                                                                     : call_write(c, sh);
}

void call_run(struct call *c, const struct shared *sh)
{
    if (c->admin != ADMIN_NONE) {
        call_admin(c, sh);
        return;
    }
    if (c->fault.action == FAULT_STATUS || c->fault.action == FAULT_EARLY_STATUS ||
        c->fault.action == FAULT_REDIRECT) {
        call_fault_answer(c);
        return;
    }
    enum bs_error e = perform(c, sh);
    if (e != BS_OK)
        call_refuse(c, sh, e);
    if (c->fault.action == FAULT_COMMIT_STATUS)
        call_fault_answer(c);
    if (c->fault.action == FAULT_FLIP && c->req->method == HTTP_GET)
        c->reply.flip = c->fault.value;
}

void call_finish_head(struct call *c)
{
    struct reply *r = &c->reply;
    struct text head = { 0 };
    char date[64];
    time_t now = time(NULL) + (c->fault.action == FAULT_DATE ? (time_t)c->fault.value : 0);
    struct tm tm;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    uint64_t len = r->content != NULL ? r->count : r->text.len;
    if (c->fault.action == FAULT_LENGTH && c->req->method == HTTP_HEAD)
        len = c->fault.value;
    text_add(&head, "HTTP/1.1 %d %s\r\nServer: coffer-blobserver\r\nDate: %s\r\n", r->status,
             http_reason(r->status), date);
    if (r->status != 204 && r->status != 304 && c->fault.action != FAULT_UNSIZED)
        text_add(&head, "Content-Length: %" PRIu64 "\r\n", len);
    const char *id = http_header(c->req, "x-ms-client-request-id");
    if (id != NULL)
        text_add(&head, "x-ms-client-request-id: %s\r\n", id);
    text_add(
        &head,
        "x-ms-request-id: 00000000-0000-0000-0000-000000000000\r\nx-ms-version: %s\r\n%s%s\r\n",
        "2021-12-02", r->close ? "Connection: close\r\n" : "",
        r->head.data != NULL ? r->head.data : "");
    free(r->head.data);
    r->head = head;
}

void call_admin(struct call *c, const struct shared *sh)
{
    struct reply *r = &c->reply;
    r->status = 200;
    if (c->req->method == HTTP_DELETE) {
        if (c->admin == ADMIN_STATS)
            stats_reset(sh->stats);
        else
            faults_clear(sh->faults);
        text_add(&r->text, "cleared\n");
    } else if (c->admin == ADMIN_STATS) {
        char out[8192];
        stats_print(sh->stats, out, sizeof out);
        text_add(&r->head, "Content-Type: application/json\r\n");
        text_add(&r->text, "%s", out);
    } else if (c->body != NULL) {
        unsigned line;
        struct text rules = { 0 };
        text_add(&rules, "%.*s", (int)c->body_len, (const char *)c->body);
        if (faults_add(sh->faults, rules.data != NULL ? rules.data : "", &line)) {
            text_add(&r->text, "added\n");
        } else {
            r->status = 400;
            text_add(&r->text, "line %u is not understood\n", line);
        }
        free(rules.data);
    }
}
