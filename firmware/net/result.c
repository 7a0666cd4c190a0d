#include <string.h>
#include <strings.h>

#include "net_priv.h"

/* What a failure of libcurl means here. Codes that are not listed are CF_E_IO. */
static const struct {
    CURLcode code;
    enum cf_rc rc;
    const char *text; /* NULL: libcurl's own */
} meanings[] = {
    { CURLE_URL_MALFORMAT, CF_E_INPUT, "the URL is malformed" },
    { CURLE_UNSUPPORTED_PROTOCOL, CF_E_INPUT, "HTTP is not spoken there" },
    { CURLE_PEER_FAILED_VERIFICATION, CF_E_AUTH,
      "check the server's certificate and the authority configured for it" },
    { CURLE_SSL_CONNECT_ERROR, CF_E_IO, "no TLS connection; is TLS 1.2 or later spoken there?" },
    { CURLE_SSL_CACERT_BADFILE, CF_E_INPUT, "the file of certificate authorities is unusable" },
    { CURLE_SSL_CERTPROBLEM, CF_E_INPUT, "the client certificate is unusable" },
    { CURLE_OUT_OF_MEMORY, CF_E_LIMIT, "no memory" },
    { CURLE_WEIRD_SERVER_REPLY, CF_E_REMOTE, "the answer is not HTTP" },
    { CURLE_SEND_FAIL_REWIND, CF_E_IO,
      "a kept connection died during the request; the body must be made anew" },
    { CURLE_PARTIAL_FILE, CF_E_IO, "the answer was cut short" },
    { CURLE_GOT_NOTHING, CF_E_IO, "the connection closed without an answer" },
    { CURLE_OPERATION_TIMEDOUT, CF_E_IO, "timed out" },
    { CURLE_COULDNT_RESOLVE_HOST, CF_E_IO, "check the name, and the name servers set up here" },
    { CURLE_SEND_ERROR, CF_E_IO, "the connection broke while sending" },
    { CURLE_RECV_ERROR, CF_E_IO, "the connection broke while receiving" },
};

bool net_is_success(int status)
{
    return status >= 200 && status <= 299;
}

/* libcurl keeps the first detail it has. Where a kept connection died and it went to another one by
 * itself, that is the first one's death, and not why the second did not come. */
static bool of_another_connection(CURLcode code, const char *detail)
{
    return (code == CURLE_COULDNT_CONNECT || code == CURLE_PEER_FAILED_VERIFICATION) &&
           (strncmp(detail, "Recv failure", 12) == 0 || strncmp(detail, "Send failure", 12) == 0);
}

/* The detail names hosts, addresses and what TLS said, but no query, in these cases. */
static bool tells_no_query(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
           code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR;
}

/* How far a transfer came that ran out of time before it was sent; NULL: it was sent. */
static const char *where_it_stopped(struct net_transfer *t)
{
    curl_off_t named = 0, greeted = 0;
    long port = 0;
    curl_easy_getinfo(t->easy, CURLINFO_NAMELOOKUP_TIME_T, &named);
    curl_easy_getinfo(t->easy, CURLINFO_LOCAL_PORT, &port); /* there is one from TCP on */
    curl_easy_getinfo(t->easy, CURLINFO_APPCONNECT_TIME_T, &greeted);
    if (t->result.connected)
        return NULL;
    if (named == 0)
        return "no name server answers for this name in time; check the name servers set up here";
    if (port <= 0)
        return "nobody takes the connection in time; check address, port and firewall";
    if (greeted == 0 && strncmp(t->shown_url, "https", 5) == 0)
        return "the TLS handshake came to no end in time; is it a TLS port, and does something in "
               "between hold TLS up?";
    return NULL;
}

/* libcurl calls it an error of receiving, and would have it tried again. */
static bool refused_by_proxy(struct net_transfer *t, CURLcode code)
{
    struct net_result *r = &t->result;
    long status = 0;
    if (curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &status) != CURLE_OK || status < 300)
        return false;
    r->rc = cf_err_set(&r->err, status >= 500 ? CF_E_IO : CF_E_REMOTE, CF_SRC_CURL, (uint64_t)code,
                       CF_HERE, "the proxy does not let the connection through (HTTP %ld)", status);
    return true;
}

static void fail(struct net_transfer *t, CURLcode code)
{
    struct net_result *r = &t->result;
    enum cf_rc rc = CF_E_IO;
    if (refused_by_proxy(t, code))
        return;
    const char *text = code == CURLE_OPERATION_TIMEDOUT ? where_it_stopped(t) : NULL;
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0] && text == NULL; i++) {
        if (meanings[i].code == code) {
            rc = meanings[i].rc;
            text = meanings[i].text;
        }
    }
    const char *detail = tells_no_query(code) && t->curl_text[0] != '\0' &&
                                 !of_another_connection(code, t->curl_text)
                             ? t->curl_text
                             : NULL;
    if (text == NULL) {
        text = detail != NULL ? detail : curl_easy_strerror(code);
        detail = NULL;
    }
    r->rc = cf_err_set(&r->err, rc, CF_SRC_CURL, (uint64_t)code, CF_HERE, "%s", text);
    if (detail != NULL)
        cf_err_ctx(&r->err, r->rc, "%.100s", detail);
}

void net_result_finish(struct net_transfer *t, CURLcode code)
{
    struct net_result *r = &t->result;
    curl_off_t after = 0;
    long connected = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after);
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &connected);
    r->retry_after_s = after > 0 && after < UINT32_MAX ? (uint32_t)after : 0;
    r->connected = connected > 0;
    r->sent_bytes = t->pulled;
    if (t->cut && code == CURLE_WRITE_ERROR)
        code = CURLE_OK;

    if (r->rc == CF_OK && code == CURLE_OK && net_is_success(r->status))
        net_call_head(t); /* an answer without a body */
    if (t->canceled && r->rc == CF_OK)
        r->rc = CF_FAIL(&r->err, CF_E_CANCEL, "canceled");
    else if (code != CURLE_OK && r->rc == CF_OK)
        fail(t, code);
    /* a server may answer, with an error, before it has read the body: that answer counts; a
     * success before the end of the body is no success */
    else if (r->rc == CF_OK && net_is_success(r->status) && t->pulled < t->req.body_len)
        r->rc = CF_FAIL(&r->err, CF_E_IO, "answered before the whole body was sent");
    if (r->rc != CF_OK)
        cf_err_ctx(&r->err, r->rc, "%s %s", net_method_names[t->req.method], t->shown_url);
}

const char *net_result_header(const struct net_result *r, const char *name)
{
    for (size_t i = 0; i < r->nwant; i++)
        if (r->present[i] && strcasecmp(r->want[i], name) == 0)
            return r->values[i];
    return NULL;
}

void net_result_clear(struct net_result *r)
{
    cf_buf_clear(&r->body);
    *r = (struct net_result){ 0 };
}

void net_safe_url(const char *url, char *out, size_t cap)
{
    const char *host = strstr(url, "://");
    size_t scheme = host == NULL ? 0 : (size_t)(host + 3 - url);
    const char *rest = url + scheme;
    size_t len = strcspn(rest, "?#");
    size_t authority = strcspn(rest, "/?#");
    for (size_t i = authority; i > 0; i--) {
        if (rest[i - 1] == '@') {
            rest += i;
            len -= i;
            break;
        }
    }
    if (cap == 0)
        return;
    size_t n = scheme < cap ? scheme : cap - 1;
    memcpy(out, url, n);
    if (len > cap - 1 - n)
        len = cap - 1 - n;
    memcpy(out + n, rest, len);
    out[n + len] = '\0';
}
