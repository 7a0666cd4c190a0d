#include <string.h>
#include <strings.h>

#include "net_priv.h"

/* A callback of the caller failed: its word is the result, whatever curl calls it. */
static void note_failure(struct net_transfer *t, enum cf_rc rc)
{
    t->result.rc = t->result.err.rc != CF_OK ? t->result.err.rc : rc;
    t->result.by_caller = true;
}

size_t net_on_read(char *buf, size_t size, size_t n, void *arg)
{
    struct net_transfer *t = arg;
    uint64_t left = t->req.body_len - t->pulled;
    size_t cap = size * n, len = 0;
    if (left < cap)
        cap = (size_t)left;
    if (cap == 0)
        return 0;
    if (t->req.pull == NULL) {
        memcpy(buf, (const char *)t->req.body + t->pulled, cap);
        len = cap;
    } else {
        enum cf_rc rc = t->req.pull(t->req.pull_ctx, buf, cap, &len, &t->result.err);
        if (rc == CF_OK && (len == 0 || len > cap))
            rc = CF_FAIL(&t->result.err, CF_E_ARG, "a pull gave %zu bytes of %zu", len, cap);
        if (rc != CF_OK) {
            note_failure(t, rc);
            return CURL_READFUNC_ABORT;
        }
    }
    t->pulled += len;
    net_cork(t, t->pulled < t->req.body_len);
    return len;
}

void net_call_head(struct net_transfer *t)
{
    if (t->headed || t->req.head == NULL)
        return;
    t->headed = true;
    enum cf_rc rc = t->req.head(t->req.push_ctx, &t->result, &t->result.err);
    if (rc != CF_OK)
        note_failure(t, rc);
}

static size_t keep(struct net_transfer *t, const char *data, size_t len)
{
    bool success = net_is_success(t->result.status);
    size_t room = success ? SIZE_MAX : NET_KEPT_MAX - t->result.body.len;
    t->result.rc = cf_buf_put(&t->result.body, data, len < room ? len : room, &t->result.err);
    return t->result.rc == CF_OK ? len : 0;
}

/* Who answers without end with an error is not listened to without end. */
static size_t keep_error(struct net_transfer *t, const char *data, size_t len)
{
    t->cut = t->result.body.len + len > NET_KEPT_MAX;
    size_t taken = keep(t, data, len);
    return t->cut ? 0 : taken;
}

size_t net_on_write(char *data, size_t size, size_t n, void *arg)
{
    struct net_transfer *t = arg;
    size_t len = size * n;
    t->result.received_bytes += len;
    if (!net_is_success(t->result.status))
        return keep_error(t, data, len);
    net_call_head(t);
    if (t->result.rc != CF_OK)
        return 0;
    if (t->result.received_bytes > t->req.max_answer) {
        t->result.rc = CF_FAIL(&t->result.err, CF_E_LIMIT, "answer longer than %llu bytes",
                               (unsigned long long)t->req.max_answer);
        return 0;
    }
    if (t->req.push == NULL)
        return keep(t, data, len);
    enum cf_rc rc = t->req.push(t->req.push_ctx, data, len, &t->result.err);
    if (rc != CF_OK) {
        note_failure(t, rc);
        return 0;
    }
    return len;
}

/* An interim or repeated answer begins: forget the headers of the one before. */
static void start_answer(struct net_transfer *t, const char *line, size_t len)
{
    const char *space = memchr(line, ' ', len);
    t->result.status = 0;
    t->result.date_s = 0;
    memset(t->result.present, 0, sizeof t->result.present);
    if (space == NULL || (size_t)(line + len - space) < 4)
        return;
    for (int i = 1; i <= 3 && space[i] >= '0' && space[i] <= '9'; i++)
        t->result.status = 10 * t->result.status + (space[i] - '0');
}

static void take_value(struct net_transfer *t, size_t i, const char *value, size_t len)
{
    while (len > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        len--;
    }
    while (len > 0 && strchr(" \t\r\n", value[len - 1]) != NULL)
        len--;
    t->result.present[i] = len <= NET_VALUE_MAX;
    if (t->result.present[i]) {
        memcpy(t->result.values[i], value, len);
        t->result.values[i][len] = '\0';
    }
}

static void take_date(struct net_transfer *t, const char *value, size_t len)
{
    char text[64];
    if (len >= sizeof text)
        return;
    memcpy(text, value, len);
    text[len] = '\0';
    time_t at = curl_getdate(text, NULL);
    t->result.date_s = at > 0 ? (int64_t)at : 0;
}

size_t net_on_header(char *line, size_t size, size_t n, void *arg)
{
    struct net_transfer *t = arg;
    size_t len = size * n;
    t->head_bytes += len;
    if (t->head_bytes > NET_HEAD_MAX) {
        t->result.rc = CF_FAIL(&t->result.err, CF_E_LIMIT,
                               "an answer whose headers do not end; is there a "
                               "gateway in between?");
        return 0;
    }
    if (len >= 5 && strncmp(line, "HTTP/", 5) == 0) {
        start_answer(t, line, len);
        return len;
    }
    const char *colon = memchr(line, ':', len);
    if (colon == NULL)
        return len;
    size_t name = (size_t)(colon - line);
    if (name == 4 && strncasecmp(line, "Date", 4) == 0)
        take_date(t, colon + 1, len - name - 1);
    for (size_t i = 0; i < t->req.nwant; i++)
        if (strlen(t->req.want[i]) == name && strncasecmp(t->req.want[i], line, name) == 0)
            take_value(t, i, colon + 1, len - name - 1);
    return len;
}
