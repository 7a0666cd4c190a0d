/* One request and its answer, over TLS or the local socket. */
#include "target_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_VERSION    "7.6"
#define ANSWER_TIME_MS 120000

void cli_answer_clear(struct cli_answer *r)
{
    json_free(r->json);
    cf_buf_clear(&r->body);
    *r = (struct cli_answer){ 0 };
}

static enum net_method method_of(const char *name)
{
    static const struct {
        const char *name;
        enum net_method method;
    } rows[] = { { "GET", NET_GET },
                 { "PUT", NET_PUT },
                 { "POST", NET_POST },
                 { "PATCH", NET_PATCH },
                 { "DELETE", NET_DELETE } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].method;
    return NET_GET;
}

static enum cf_rc class_of(int status)
{
    switch (status) {
    case 401:
    case 403:
        return CF_E_DENIED;
    case 404:
        return CF_E_ABSENT;
    case 409:
        return CF_E_STATE;
    case 429:
    case 503:
        return CF_E_IO;
    default:
        return status >= 400 && status < 500 ? CF_E_INPUT : CF_E_REMOTE;
    }
}

/* The appliance's own words, as (code) message. */
static enum cf_rc refusal(const struct cli_answer *a, struct cf_err *e)
{
    const struct json *error = json_member(a->json, "error");
    const char *code = json_text(json_member(error, "code"));
    const char *message = json_text(json_member(error, "message"));
    enum cf_rc rc = class_of(a->status);
    if (!message)
        return cf_err_set(e, rc, CF_SRC_HTTP, (uint64_t)a->status, CF_HERE,
                          "the appliance answered %d without a reason", a->status);
    return cf_err_set(e, rc, CF_SRC_HTTP, (uint64_t)a->status, CF_HERE, "(%s) %s",
                      code ? code : "error", message);
}

static enum cf_rc take_answer(struct net_result *r, struct cli_answer *out, struct cf_err *e)
{
    const char *operation = net_result_header(r, "Azure-AsyncOperation");
    out->status = r->status;
    snprintf(out->operation, sizeof out->operation, "%s", operation ? operation : "");
    out->body = r->body;
    r->body = (struct cf_buf){ 0 };
    if (out->body.len && json_parse(out->body.data, out->body.len, NULL, &out->json, NULL) != CF_OK)
        out->json = NULL;
    return out->status >= 200 && out->status < 300 ? CF_OK : refusal(out, e);
}

enum cf_rc cli_exchange(struct net_lane *lane, const struct cli_request *q, struct cli_answer *out,
                        struct cf_err *e)
{
    static const char *const want[] = { "Azure-AsyncOperation" };
    struct cf_buf auth = { 0 };
    struct net_result r = { 0 };
    const char *headers[2] = { "Content-Type: application/json" };
    size_t nheaders = 1;
    enum cf_rc rc = CF_OK;
    *out = (struct cli_answer){ 0 };
    if (q->token) {
        rc = cf_buf_printf(&auth, e, "Authorization: Bearer %s", q->token);
        if (rc == CF_OK)
            rc = cf_buf_text(&auth, &headers[nheaders++], e);
    }
    if (rc == CF_OK) {
        struct net_request req = {
            .method = method_of(q->method),
            .url = q->url,
            .headers = headers,
            .nheaders = nheaders,
            .body = q->body ? (const void *)q->body->data : NULL,
            .body_len = q->body ? q->body->len : 0,
            .want = want,
            .nwant = 1,
            .max_answer = (uint64_t)4 << 20,
            .total_timeout_ms = ANSWER_TIME_MS,
        };
        rc = net_fetch(lane, &req, &r, e);
    }
    if (rc == CF_OK)
        rc = take_answer(&r, out, e);
    net_result_clear(&r);
    cf_buf_clear(&auth);
    return rc;
}

enum cf_rc cli_call(struct cli_target *t, const char *method, const char *path,
                    const struct cf_buf *body, struct cli_answer *out, struct cf_err *e)
{
    struct cf_buf url = { 0 };
    const char *text = NULL;
    enum cf_rc rc = cf_buf_printf(&url, e, "%s%s%s", t->url, path,
                                  strchr(path, '?') ? "" : "?api-version=" API_VERSION);
    if (rc == CF_OK)
        rc = cf_buf_text(&url, &text, e);
    if (rc == CF_OK) {
        const struct cli_request q = {
            .method = method, .url = text, .body = body, .token = t->token
        };
        rc = cli_exchange(t->lane, &q, out, e);
    }
    cf_buf_clear(&url);
    return rc;
}

/* What the appliance answered, by the class that refusal() gave it. */
static int exit_of_answer(enum cf_rc rc)
{
    if (rc == CF_E_DENIED)
        return EXIT_DENIED;
    if (rc == CF_E_ABSENT)
        return EXIT_ABSENT;
    return rc == CF_E_STATE || rc == CF_E_IO /* 429, 503 */ ? EXIT_CONFLICT : EXIT_FAILED;
}

int cli_exit_of(const struct cf_err *e)
{
    if (e->rc == CF_OK)
        return EXIT_DONE;
    if (e->src == CF_SRC_HTTP)
        return exit_of_answer(e->rc);
    if (e->rc == CF_E_INPUT)
        return EXIT_USAGE;
    if (e->src == CF_SRC_CURL)
        return EXIT_UNREACHABLE;
    if (e->src == CF_SRC_ERRNO) /* a file of this machine, not something on the appliance */
        return EXIT_FAILED;
    return e->rc == CF_E_IO ? EXIT_FAILED : exit_of_answer(e->rc);
}
