#include "exchange_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ids_priv.h"

struct api_exchange *api_exchange_new(struct api *a, struct api_conn *c, const char *target)
{
    struct api_exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->api = a;
    x->conn = c;
    x->target_len = strlen(target);
    snprintf(x->target, sizeof x->target, "%s", target);
    memcpy(x->uri, x->target, sizeof x->uri);
    return x;
}

void api_exchange_free(struct api_exchange *x)
{
    if (!x)
        return;
    if (x->counted)
        atomic_fetch_sub(&x->api->busy, 1);
    cf_buf_clear(&x->rq.body);
    cf_buf_clear(&x->rp.body);
    free(x);
}

struct collect {
    struct api_head *head;
    bool too_many;
};

static enum MHD_Result collect_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                     size_t name_len, const char *value, size_t value_len)
{
    struct collect *c = cls;
    (void)kind;
    if (c->head->count == API_FIELDS_MAX) {
        c->too_many = true;
        return MHD_NO;
    }
    c->head->field[c->head->count++] = (struct api_field){
        .name = name, .name_len = name_len, .value = value ? value : "", .value_len = value_len
    };
    return MHD_YES;
}

static size_t head_size(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return i ? i->header_size : 0;
}

static enum cf_rc check_head(struct api_exchange *x, struct MHD_Connection *c, const char *method,
                             const char *version, struct cf_err *e)
{
    struct api_head head = { .method = method, .version = version, .raw_len = head_size(c) };
    struct collect all = { .head = &head };
    head.target = x->target;
    if (x->target_len > API_URI_MAX)
        return CF_FAIL(e, CF_E_INPUT, "The request target is over %d bytes", API_URI_MAX);
    if (head.raw_len > API_HEAD_MAX)
        return CF_FAIL(e, CF_E_INPUT, "The head is over %d bytes", API_HEAD_MAX);
    (void)MHD_get_connection_values_n(c, MHD_HEADER_KIND, collect_field, &all);
    if (all.too_many)
        return CF_FAIL(e, CF_E_INPUT, "More than %d header lines", API_FIELDS_MAX);
    enum cf_rc rc = api_head_check(&head, &x->rq.head, e);
    if (rc == CF_E_LIMIT)
        return cf_err_code(e, rc, "NotImplemented");
    if (rc == CF_OK)
        rc = api_uri_parse(x->uri, &x->rq.path, &x->rq.query, e);
    return rc;
}

static enum api_method method_of(const char *m)
{
    static const char *const names[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
    for (int i = 0; i < API_OTHER; i++)
        if (strcmp(m, names[i]) == 0)
            return (enum api_method)i;
    return API_OTHER;
}

static void note_client(struct api_request *rq, struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *sa = i ? i->client_addr : NULL;
    snprintf(rq->client, sizeof rq->client, "local");
    if (sa && sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, rq->client,
                  sizeof rq->client);
    else if (sa && sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, rq->client,
                  sizeof rq->client);
}

/* The local socket serves root and the daemon's own user, whatever the mode of its path says. */
static enum cf_rc check_peer(const struct api_exchange *x, struct cf_err *e)
{
    const struct api_conn *c = x->conn;
    if (!x->rq.local || (c->peer_known && (c->peer_uid == 0 || c->peer_uid == geteuid())))
        return CF_OK;
    return cf_err_code(e, CF_FAIL(e, CF_E_DENIED, "Only root may use the local socket"),
                       "Forbidden");
}

void api_exchange_head(struct api_exchange *x, struct MHD_Connection *c, const char *method,
                       const char *version)
{
    struct cf_err e = { 0 };
    struct api_request *rq = &x->rq;
    rq->method = method_of(method);
    note_client(rq, c);
    enum cf_rc rc = api_ids_guid(x->api->cfg.entropy, rq->id, &e);
    if (rc == CF_OK && atomic_load(&x->api->closing))
        rc = cf_err_code(&e, CF_FAIL(&e, CF_E_TOKEN, "The appliance is shutting down"),
                         "ServiceUnavailable");
    if (rc == CF_OK)
        rc = check_head(x, c, method, version, &e);
    if (rc == CF_OK)
        rc = check_peer(x, &e);
    if (rc == CF_OK && rq->local)
        snprintf(rq->host, sizeof rq->host, "localhost");
    else if (rc == CF_OK && (rc = api_host_check(x->api, rq->head.host, rq->host, &e)) != CF_OK)
        (void)cf_err_code(&e, rc, "MisdirectedRequest");
    x->admitted = true;
    if (rc != CF_OK) {
        x->rp.close = true;
        api_reply_error(rq, &x->rp, &e);
        x->answered = true;
        return;
    }
    x->answered = api_admit(x->api, rq, &x->rp) != CF_OK;
}

static void free_body(void *cls)
{
    struct cf_buf *b = cls;
    cf_buf_clear(b);
    free(b);
}

/* The library frees the answer's bytes when the last one was taken; they may be plaintext, so they
 * are wiped then. */
static struct MHD_Response *make_response(struct api_reply *rp)
{
    struct cf_buf *body = calloc(1, sizeof *body);
    if (!body)
        return NULL;
    *body = rp->body;
    rp->body = (struct cf_buf){ 0 };
    static char nothing[1];
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
        body->len, body->data ? (void *)body->data : nothing, free_body, body);
    if (!r)
        free_body(body);
    return r;
}

static void add_fixed_headers(struct MHD_Response *r, const struct api_reply *rp)
{
    static const char *const fixed[][2] = {
        { "Content-Security-Policy", "default-src 'self'" },
        { "Strict-Transport-Security", "max-age=31536000; includeSubDomains" },
        { "X-Content-Type-Options", "nosniff" },
        { "X-Frame-Options", "SAMEORIGIN" },
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        (void)MHD_add_response_header(r, fixed[i][0], fixed[i][1]);
    (void)MHD_add_response_header(r, "Cache-Control", rp->no_store ? "no-store" : "no-cache");
    if (rp->status != 204)
        (void)MHD_add_response_header(r, "Content-Type",
                                      rp->content_type ? rp->content_type
                                                       : "application/json; charset=utf-8");
    if (rp->close)
        (void)MHD_add_response_header(r, "Connection", "close");
    if (rp->status == 405 && rp->allow[0])
        (void)MHD_add_response_header(r, "Allow", rp->allow);
    if (rp->retry_after)
        (void)MHD_add_response_header(r, "Retry-After", CF_STR(API_RETRY_S));
}

static void add_headers(const struct api_exchange *x, struct MHD_Response *r)
{
    char text[1024];
    const struct api_request *rq = &x->rq;
    add_fixed_headers(r, &x->rp);
    if (rq->id[0])
        (void)MHD_add_response_header(r, "x-ms-request-id", rq->id);
    if (rq->head.client_request_id)
        (void)MHD_add_response_header(r, "x-ms-client-request-id", rq->head.client_request_id);
    if (x->api->cfg.region && x->rp.status < 300)
        (void)MHD_add_response_header(r, "x-ms-keyvault-region", x->api->cfg.region);
    if (x->rp.async_path[0]) {
        snprintf(text, sizeof text, "https://%s%s", rq->host, x->rp.async_path);
        (void)MHD_add_response_header(r, "Azure-AsyncOperation", text);
    }
    if (x->rp.challenge && api_challenge(x->api, rq->host, text, sizeof text, NULL) == CF_OK)
        (void)MHD_add_response_header(r, "WWW-Authenticate", text);
}

enum MHD_Result api_exchange_send(struct api_exchange *x, struct MHD_Connection *c)
{
    struct MHD_Response *r = make_response(&x->rp);
    if (!r)
        return MHD_NO;
    add_headers(x, r);
    enum MHD_Result done = MHD_queue_response(c, x->rp.status, r);
    MHD_destroy_response(r);
    return done;
}
