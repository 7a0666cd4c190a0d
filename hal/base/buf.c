#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static enum cf_rc reserve(struct cf_buf *b, size_t want, struct cf_err *e)
{
    if (want <= b->cap)
        return CF_OK;
    if (want > CF_BUF_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "buffer of %zu bytes is over the limit", want);
    size_t cap = b->cap ? b->cap : 64;
    while (cap < want)
        cap *= 2;
    /* Not realloc: the old bytes may be sensitive and must be wiped where they lay. */
    uint8_t *data = malloc(cap);
    if (!data)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for %zu bytes", cap);
    if (b->len)
        memcpy(data, b->data, b->len);
    cf_wipe(b->data, b->cap);
    free(b->data);
    b->data = data;
    b->cap = cap;
    return CF_OK;
}

void cf_buf_clear(struct cf_buf *b)
{
    if (!b)
        return;
    cf_wipe(b->data, b->cap);
    free(b->data);
    *b = (struct cf_buf){ 0 };
}

enum cf_rc cf_buf_resize(struct cf_buf *b, size_t len, struct cf_err *e)
{
    enum cf_rc rc = reserve(b, len, e);
    if (rc != CF_OK)
        return rc;
    if (len > b->len)
        memset(b->data + b->len, 0, len - b->len);
    else if (len < b->len)
        cf_wipe(b->data + len, b->len - len);
    b->len = len;
    return CF_OK;
}

enum cf_rc cf_buf_put(struct cf_buf *b, const void *src, size_t len, struct cf_err *e)
{
    if (len > CF_BUF_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "buffer of %zu bytes is over the limit", len);
    enum cf_rc rc = reserve(b, b->len + len, e);
    if (rc != CF_OK)
        return rc;
    if (len)
        memcpy(b->data + b->len, src, len);
    b->len += len;
    return CF_OK;
}

enum cf_rc cf_buf_put_text(struct cf_buf *b, const char *text, struct cf_err *e)
{
    return cf_buf_put(b, text, strlen(text), e);
}

enum cf_rc cf_buf_printf(struct cf_buf *b, struct cf_err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int need = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (need < 0)
        return CF_FAIL(e, CF_E_ARG, "bad format");
    enum cf_rc rc = reserve(b, b->len + (size_t)need + 1, e);
    if (rc != CF_OK)
        return rc;
    va_start(ap, fmt);
    vsnprintf((char *)b->data + b->len, (size_t)need + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)need;
    return CF_OK;
}

enum cf_rc cf_buf_text(struct cf_buf *b, const char **text, struct cf_err *e)
{
    enum cf_rc rc = reserve(b, b->len + 1, e);
    if (rc != CF_OK)
        return rc;
    b->data[b->len] = 0;
    *text = (const char *)b->data;
    return CF_OK;
}

const uint8_t *cf_rd_bytes(struct cf_rd *r, size_t len)
{
    if (r->bad || len > r->left) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += len;
    r->left -= len;
    return p;
}

static uint64_t rd_le(struct cf_rd *r, size_t n)
{
    const uint8_t *p = cf_rd_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = n; p && i > 0; i--)
        v = v << 8 | p[i - 1];
    return v;
}

static uint64_t rd_be(struct cf_rd *r, size_t n)
{
    const uint8_t *p = cf_rd_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

uint8_t cf_rd_u8(struct cf_rd *r)
{
    return (uint8_t)rd_le(r, 1);
}

uint16_t cf_rd_le16(struct cf_rd *r)
{
    return (uint16_t)rd_le(r, 2);
}

uint32_t cf_rd_le32(struct cf_rd *r)
{
    return (uint32_t)rd_le(r, 4);
}

uint64_t cf_rd_le64(struct cf_rd *r)
{
    return rd_le(r, 8);
}

uint16_t cf_rd_be16(struct cf_rd *r)
{
    return (uint16_t)rd_be(r, 2);
}

uint32_t cf_rd_be32(struct cf_rd *r)
{
    return (uint32_t)rd_be(r, 4);
}

uint64_t cf_rd_be64(struct cf_rd *r)
{
    return rd_be(r, 8);
}

static void wr_le(uint8_t *out, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}

static void wr_be(uint8_t *out, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

void cf_le16(uint8_t out[2], uint16_t v)
{
    wr_le(out, v, 2);
}

void cf_le32(uint8_t out[4], uint32_t v)
{
    wr_le(out, v, 4);
}

void cf_le64(uint8_t out[8], uint64_t v)
{
    wr_le(out, v, 8);
}

void cf_be16(uint8_t out[2], uint16_t v)
{
    wr_be(out, v, 2);
}

void cf_be32(uint8_t out[4], uint32_t v)
{
    wr_be(out, v, 4);
}

void cf_be64(uint8_t out[8], uint64_t v)
{
    wr_be(out, v, 8);
}

bool cf_all_bytes(const void *data, size_t len, uint8_t value)
{
    const uint8_t *p = data;
    /* Overlapping self-compare: runs at memory speed. */
    return len == 0 || (p[0] == value && (len == 1 || memcmp(p, p + 1, len - 1) == 0));
}
