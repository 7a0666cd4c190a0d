/* Small things over the interface: waiting, reading whole, delays, ids, names. */
#include <string.h>

#include "blob_priv.h"

static void on_done(void *ctx, const struct blob_result *r)
{
    struct blob_wait *w = ctx;
    w->r = *r;
    w->over = true;
}

struct blob_end blob_wait_end(struct blob_wait *w)
{
    *w = (struct blob_wait){ .over = false };
    return (struct blob_end){ .done = on_done, .ctx = w };
}

enum cf_rc blob_wait(struct blob_lane *lane, struct blob_wait *w, struct cf_err *e)
{
    while (!w->over) {
        unsigned open;
        enum cf_rc rc = blob_lane_run(lane, 1000, &open, e);
        if (rc != CF_OK)
            return rc;
    }
    if (w->r.err.rc != CF_OK && e != NULL && e->rc == CF_OK)
        *e = w->r.err;
    return w->r.err.rc;
}

struct whole {
    struct cf_buf *out;
    size_t limit; /* of out->len */
};

static enum cf_rc take(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    struct whole *w = ctx;
    if (len > w->limit - w->out->len)
        return CF_FAIL(e, CF_E_LIMIT, "a blob longer than it may be");
    return cf_buf_put(w->out, data, len, e);
}

enum cf_rc blob_read(struct blob_lane *lane, const char *name, size_t max, struct cf_buf *out,
                     char etag[BLOB_ETAG_MAX + 1], struct cf_err *e)
{
    struct blob_wait w;
    struct blob_range all = { .name = name };
    struct whole whole = { .out = out, .limit = out->len + max };
    size_t before = out->len;
    enum cf_rc rc = blob_get(lane, &all, take, &whole, blob_wait_end(&w), e);
    if (rc == CF_OK)
        rc = blob_wait(lane, &w, e);
    if (rc != CF_OK) {
        enum cf_rc shrunk = cf_buf_resize(out, before, NULL);
        return shrunk == CF_OK ? rc : shrunk;
    }
    if (etag != NULL)
        memcpy(etag, w.r.etag, sizeof w.r.etag);
    return CF_OK;
}

uint32_t blob_retry_delay_ms(unsigned attempt, uint32_t retry_after_ms, uint32_t random)
{
    const uint32_t base = 250, cap = 30000, told_cap = 120000;
    uint32_t full = base;
    for (unsigned i = 1; i < attempt && full < cap; i++)
        full *= 2;
    if (full > cap)
        full = cap;
    uint32_t delay = full / 2 + (uint32_t)((uint64_t)random * (full / 2) / UINT32_MAX);
    uint32_t told = retry_after_ms < told_cap ? retry_after_ms : told_cap;
    return delay > told ? delay : told;
}

void blob_block_id_make(uint32_t stream, uint64_t block, const uint8_t salt[32],
                        struct blob_block_id *out)
{
    cf_be32(out->bytes, stream);
    cf_be64(out->bytes + 4, block);
    cf_be32(out->bytes + 12, 0);
    memcpy(out->bytes + 16, salt, 32);
}

enum cf_rc blob_check_name(const char *name, struct cf_err *e)
{
    size_t len = strnlen(name, BLOB_NAME_MAX + 1), segment = 0;
    if (len == 0 || len > BLOB_NAME_MAX)
        return CF_FAIL(e, CF_E_INPUT, "a blob name of %zu characters", len);
    for (size_t i = 0; i <= len; i++) {
        char c = i < len ? name[i] : '/';
        if (c == '/') {
            if (segment == 0 || segment > BLOB_SEGMENT_MAX)
                return CF_FAIL(e, CF_E_INPUT, "a blob name with an empty or long part");
            segment = 0;
            continue;
        }
        if (c < 0x20 || c > 0x7e || c == '\\' || (c == '.' && segment == 0))
            return CF_FAIL(e, CF_E_INPUT, "a blob name with a character that is not allowed");
        segment++;
    }
    return CF_OK;
}
