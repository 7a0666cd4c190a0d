#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net_priv.h"

#define CONNECTIONS_DEFAULT     16
#define CONNECT_TIMEOUT_DEFAULT 10000
#define STALL_TIMEOUT_DEFAULT   60000

/* A copy of an optional text. */
static bool copy(char **out, const char *text)
{
    *out = text == NULL ? NULL : strdup(text);
    return text == NULL || *out != NULL;
}

static enum cf_rc check_file(const char *path, const char *what, struct cf_err *e)
{
    if (path != NULL && access(path, R_OK) != 0)
        return CF_FAIL_ERRNO(e, CF_E_INPUT, "%s %s", what, path);
    return CF_OK;
}

static enum cf_rc take_options(struct net_lane *lane, const struct net_options *o, struct cf_err *e)
{
    lane->connections = o->connections != 0 ? o->connections : CONNECTIONS_DEFAULT;
    lane->connect_timeout_ms =
        o->connect_timeout_ms != 0 ? o->connect_timeout_ms : CONNECT_TIMEOUT_DEFAULT;
    lane->stall_timeout_ms = o->stall_timeout_ms != 0 ? o->stall_timeout_ms : STALL_TIMEOUT_DEFAULT;
    if (!copy(&lane->ca_file, o->ca_file) || !copy(&lane->proxy, o->proxy) ||
        !copy(&lane->unix_socket, o->unix_socket) ||
        !copy(&lane->client_cert_file, o->client_cert_file) ||
        !copy(&lane->client_key_file, o->client_key_file) ||
        !copy(&lane->user_agent, o->user_agent != NULL ? o->user_agent : "coffer"))
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a network lane");
    if (o->resolve != NULL) {
        lane->resolve = curl_slist_append(NULL, o->resolve);
        if (lane->resolve == NULL)
            return CF_FAIL(e, CF_E_LIMIT, "no memory for a network lane");
    }
    enum cf_rc rc = check_file(o->ca_file, "certificate authorities", e);
    if (rc == CF_OK)
        rc = check_file(o->client_cert_file, "client certificate", e);
    if (rc == CF_OK)
        rc = check_file(o->client_key_file, "client key", e);
    return rc;
}

enum cf_rc net_lane_new(const struct net_options *o, struct net_lane **out, struct cf_err *e)
{
    *out = NULL;
    struct net_lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a network lane");
    /* counted inside libcurl, and safe from several threads since 7.84 */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(lane);
        return CF_FAIL(e, CF_E_STATE, "libcurl does not start");
    }
    enum cf_rc rc = take_options(lane, o, e);
    if (rc == CF_OK && (lane->multi = curl_multi_init()) == NULL)
        rc = CF_FAIL(e, CF_E_LIMIT, "no memory for a network lane");
    if (rc != CF_OK) {
        net_lane_free(lane);
        return rc;
    }
    curl_multi_setopt(lane->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)lane->connections);
    curl_multi_setopt(lane->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)lane->connections);
    *out = lane;
    return CF_OK;
}

static void unlink_open(struct net_transfer *t)
{
    struct net_lane *lane = t->lane;
    if (t->next != NULL)
        t->next->prev = t->prev;
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        lane->open = t->next;
    lane->nopen--;
    curl_multi_remove_handle(lane->multi, t->easy);
}

void net_abandon(struct net_transfer *t)
{
    unlink_open(t);
    net_transfer_free(t);
}

void net_lane_free(struct net_lane *lane)
{
    if (lane == NULL)
        return;
    while (lane->open != NULL)
        net_abandon(lane->open);
    while (lane->spare != NULL) {
        struct net_transfer *t = lane->spare;
        lane->spare = t->next;
        net_transfer_free(t);
    }
    curl_multi_cleanup(lane->multi);
    curl_slist_free_all(lane->resolve);
    free(lane->ca_file);
    free(lane->client_cert_file);
    free(lane->client_key_file);
    free(lane->proxy);
    free(lane->unix_socket);
    free(lane->user_agent);
    free(lane);
    curl_global_cleanup();
}

/* The handle goes back to the lane before done is called, so that done may start the next. */
static void finish(struct net_transfer *t, CURLcode code)
{
    struct net_lane *lane = t->lane;
    net_cork(t, false); /* an answer may have come before the body's end */
    unlink_open(t);
    net_result_finish(t, code);
    struct net_result r = t->result;
    net_done_fn *done = t->req.done;
    void *ctx = t->req.done_ctx;
    t->result = (struct net_result){ 0 };
    t->next = lane->spare;
    t->prev = NULL;
    lane->spare = t;
    done(ctx, &r);
    net_result_clear(&r);
}

/* True when one was found: the list may be another one now. */
static bool finish_one_canceled(struct net_lane *lane)
{
    for (struct net_transfer *t = lane->open; t != NULL; t = t->next) {
        if (t->canceled) {
            finish(t, CURLE_ABORTED_BY_CALLBACK);
            return true;
        }
    }
    return false;
}

static bool finish_ended(struct net_lane *lane)
{
    int left;
    bool any = false;
    for (;;) {
        CURLMsg *m = curl_multi_info_read(lane->multi, &left);
        if (m == NULL)
            break;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        struct net_transfer *t = NULL;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        finish(t, code);
        any = true;
    }
    while (finish_one_canceled(lane))
        any = true;
    return any;
}

enum cf_rc net_lane_run(struct net_lane *lane, int timeout_ms, unsigned *open, struct cf_err *e)
{
    int running;
    CURLMcode mc = curl_multi_perform(lane->multi, &running);
    if (mc != CURLM_OK)
        return CF_FAIL(e, CF_E_STATE, "libcurl: %s", curl_multi_strerror(mc));
    if (!finish_ended(lane) && timeout_ms > 0) {
        mc = curl_multi_poll(lane->multi, NULL, 0, timeout_ms, NULL);
        if (mc == CURLM_OK)
            mc = curl_multi_perform(lane->multi, &running);
        if (mc != CURLM_OK)
            return CF_FAIL(e, CF_E_STATE, "libcurl: %s", curl_multi_strerror(mc));
        finish_ended(lane);
    }
    *open = lane->nopen;
    return CF_OK;
}

void net_lane_wake(struct net_lane *lane)
{
    curl_multi_wakeup(lane->multi);
}

void net_cancel(struct net_transfer *t)
{
    t->canceled = true;
    curl_multi_wakeup(t->lane->multi);
}
