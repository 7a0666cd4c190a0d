#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "net_priv.h"

#define KEPT_ANSWER_DEFAULT (1u << 20)
/* Bytes a second that a transfer must reach over the stall timeout: a far side that gives a byte
 * now and then would hold a connection for ever. */
#define SPEED_FLOOR   1024L
#define RECEIVE_BYTES (128L * 1024)

const char *const net_method_names[] = { "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE" };

/* Sets one option and remembers whether that ever failed. */
#define SET(ok, easy, option, value)                                                               \
    do {                                                                                           \
        if (curl_easy_setopt((easy), (option), (value)) != CURLE_OK)                               \
            (ok) = false;                                                                          \
    } while (0)

static bool set_security(CURL *easy, const struct net_lane *lane)
{
    bool ok = true;
    SET(ok, easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(ok, easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(ok, easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(ok, easy, CURLOPT_PROXY, lane->proxy != NULL ? lane->proxy : "");
    SET(ok, easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* its status is not the server's */
    SET(ok, easy, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(ok, easy, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(ok, easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* what goes through is sealed with AES-256 already; the shorter key saves 6 % (performance
     * notes, section 5, lesson 6) and protects the headers as well as needed */
    SET(ok, easy, CURLOPT_TLS13_CIPHERS,
        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    if (lane->ca_file != NULL) {
        SET(ok, easy, CURLOPT_CAINFO, lane->ca_file);
        SET(ok, easy, CURLOPT_CAPATH, NULL);
    }
    if (lane->client_cert_file != NULL)
        SET(ok, easy, CURLOPT_SSLCERT, lane->client_cert_file);
    if (lane->client_key_file != NULL)
        SET(ok, easy, CURLOPT_SSLKEY, lane->client_key_file);
    return ok;
}

static bool set_transport(CURL *easy, const struct net_lane *lane)
{
    bool ok = true;
    SET(ok, easy, CURLOPT_NOSIGNAL, 1L);
    SET(ok, easy, CURLOPT_QUICK_EXIT, 1L); /* a name server that hangs holds up no cancellation */
    SET(ok, easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(ok, easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(ok, easy, CURLOPT_TCP_KEEPIDLE, 30L);
    SET(ok, easy, CURLOPT_TCP_KEEPINTVL, 15L);
    SET(ok, easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)NET_PIECE_BYTES);
    SET(ok, easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    SET(ok, easy, CURLOPT_CONNECTTIMEOUT_MS, (long)lane->connect_timeout_ms);
    SET(ok, easy, CURLOPT_LOW_SPEED_LIMIT, SPEED_FLOOR);
    SET(ok, easy, CURLOPT_LOW_SPEED_TIME, (long)((lane->stall_timeout_ms + 999) / 1000));
    SET(ok, easy, CURLOPT_USERAGENT, lane->user_agent);
    if (lane->resolve != NULL)
        SET(ok, easy, CURLOPT_RESOLVE, lane->resolve);
    if (lane->unix_socket != NULL)
        SET(ok, easy, CURLOPT_UNIX_SOCKET_PATH, lane->unix_socket);
    return ok;
}

static bool set_callbacks(struct net_transfer *t)
{
    bool ok = true;
    SET(ok, t->easy, CURLOPT_PRIVATE, t);
    SET(ok, t->easy, CURLOPT_ERRORBUFFER, t->curl_text);
    SET(ok, t->easy, CURLOPT_READFUNCTION, net_on_read);
    SET(ok, t->easy, CURLOPT_READDATA, t);
    SET(ok, t->easy, CURLOPT_WRITEFUNCTION, net_on_write);
    SET(ok, t->easy, CURLOPT_WRITEDATA, t);
    SET(ok, t->easy, CURLOPT_HEADERFUNCTION, net_on_header);
    SET(ok, t->easy, CURLOPT_HEADERDATA, t);
    return ok && net_cork_setup(t->easy, t->lane);
}

/* request.c. A handle with everything that is the same for all transfers of the lane. */
/* A handle with everything that is the same for all transfers of the lane. */
static enum cf_rc transfer_new(struct net_lane *lane, struct net_transfer **out, struct cf_err *e)
{
    struct net_transfer *t = calloc(1, sizeof *t);
    *out = NULL;
    if (t == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a transfer");
    t->lane = lane;
    t->easy = curl_easy_init();
    if (t->easy == NULL || !set_security(t->easy, lane) || !set_transport(t->easy, lane) ||
        !set_callbacks(t)) {
        net_transfer_free(t);
        return CF_FAIL(e, CF_E_STATE, "this libcurl lacks an option that is needed");
    }
    *out = t;
    return CF_OK;
}

static void free_headers(struct net_transfer *t)
{
    for (struct curl_slist *h = t->headers; h != NULL; h = h->next)
        cf_wipe(h->data, strlen(h->data)); /* one may be an Authorization */
    curl_slist_free_all(t->headers);
    t->headers = NULL;
}

void net_transfer_free(struct net_transfer *t)
{
    if (t == NULL)
        return;
    curl_easy_cleanup(t->easy);
    free_headers(t);
    net_result_clear(&t->result);
    free(t);
}

static enum cf_rc add_header(struct net_transfer *t, const char *line, struct cf_err *e)
{
    if (strpbrk(line, "\r\n") != NULL)
        return CF_FAIL(e, CF_E_INPUT, "line feed in a header of a request");
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (more == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a header");
    t->headers = more;
    return CF_OK;
}

static enum cf_rc add_headers(struct net_transfer *t, const struct net_request *req,
                              struct cf_err *e)
{
    free_headers(t);
    if (req->nheaders > NET_HEADERS_MAX)
        return CF_FAIL(e, CF_E_ARG, "%zu headers", req->nheaders);
    /* libcurl's own: a round trip more for every block, and a second type */
    enum cf_rc rc = add_header(t, "Expect:", e);
    if (rc == CF_OK)
        rc = add_header(t, "Accept:", e);
    for (size_t i = 0; rc == CF_OK && i < req->nheaders; i++)
        rc = add_header(t, req->headers[i], e);
    return rc;
}

static bool has_body(enum net_method m)
{
    return m == NET_PUT || m == NET_POST || m == NET_PATCH;
}

/* Handles are used again, so every option that differs between requests is set each time. */
static bool set_request(struct net_transfer *t, const struct net_request *req)
{
    bool ok = true;
    bool body = has_body(req->method);
    SET(ok, t->easy, CURLOPT_HTTPGET, 1L); /* takes UPLOAD and NOBODY back */
    if (body) {
        SET(ok, t->easy, CURLOPT_UPLOAD, 1L);
        SET(ok, t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->body_len);
    } else if (req->method == NET_HEAD) {
        SET(ok, t->easy, CURLOPT_NOBODY, 1L);
    }
    SET(ok, t->easy, CURLOPT_CUSTOMREQUEST,
        req->method == NET_GET || req->method == NET_HEAD ? NULL : net_method_names[req->method]);
    /* Where a kept connection dies before the answer, libcurl sends the request again by itself
     * if it can. It cannot rewind a body, having no seek function; where there is none to rewind,
     * a new connection prevents it. */
    SET(ok, t->easy, CURLOPT_FRESH_CONNECT, body && req->body_len == 0 ? 1L : 0L);
    SET(ok, t->easy, CURLOPT_HTTPHEADER, t->headers);
    SET(ok, t->easy, CURLOPT_TIMEOUT_MS, (long)req->total_timeout_ms);
    SET(ok, t->easy, CURLOPT_URL, req->url);
    return ok;
}

static enum cf_rc check_request(const struct net_request *req, struct cf_err *e)
{
    bool body = req->body != NULL || req->pull != NULL || req->body_len != 0;
    if (req->done == NULL || req->nwant > NET_WANT_MAX || (body && !has_body(req->method)) ||
        (req->body != NULL && req->pull != NULL) ||
        (req->body_len != 0 && req->body == NULL && req->pull == NULL))
        return CF_FAIL(e, CF_E_ARG, "a request that contradicts itself");
    if (strncmp(req->url, "http://", 7) != 0 && strncmp(req->url, "https://", 8) != 0)
        return CF_FAIL(e, CF_E_INPUT, "not an http or https URL");
    return CF_OK;
}

static void take_request(struct net_transfer *t, const struct net_request *req)
{
    t->req = *req;
    t->req.url = NULL;
    t->req.headers = NULL;
    if (t->req.max_answer == 0)
        t->req.max_answer = req->push != NULL ? UINT64_MAX : KEPT_ANSWER_DEFAULT;
    t->result = (struct net_result){ .want = req->want, .nwant = req->nwant };
    t->pulled = 0;
    t->head_bytes = 0;
    t->canceled = t->headed = t->corked = t->cut = false;
    t->curl_text[0] = '\0';
    net_safe_url(req->url, t->shown_url, sizeof t->shown_url);
}

enum cf_rc net_start(struct net_lane *lane, const struct net_request *req,
                     struct net_transfer **out, struct cf_err *e)
{
    struct net_transfer *t = lane->spare;
    if (out != NULL)
        *out = NULL;
    enum cf_rc rc = check_request(req, e);
    if (rc != CF_OK)
        return rc;
    if (t != NULL)
        lane->spare = t->next;
    else
        rc = transfer_new(lane, &t, e);
    if (rc != CF_OK)
        return rc;
    t->next = t->prev = NULL;
    take_request(t, req);
    rc = add_headers(t, req, e);
    if (rc == CF_OK && !set_request(t, req))
        rc =
            CF_FAIL(e, CF_E_LIMIT, "%s %s: no memory", net_method_names[req->method], t->shown_url);
    if (rc == CF_OK && curl_multi_add_handle(lane->multi, t->easy) != CURLM_OK)
        rc = CF_FAIL(e, CF_E_STATE, "the lane takes no transfer");
    if (rc != CF_OK) {
        net_transfer_free(t);
        return rc;
    }
    t->next = lane->open;
    if (lane->open != NULL)
        lane->open->prev = t;
    lane->open = t;
    lane->nopen++;
    if (out != NULL)
        *out = t;
    return CF_OK;
}
