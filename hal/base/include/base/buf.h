/*
 * Bytes: a growing buffer, a bounded reader, and writers of fixed-width integers.
 * Everything that comes from outside is read through struct cf_rd and nothing else.
 * Threads: a buffer or reader belongs to one thread at a time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* No buffer grows beyond this; what is larger travels in pieces. */
#define CF_BUF_MAX ((size_t)256 << 20)

/* Zero-initialise; free with cf_buf_clear. `data` is NULL while cap is 0. */
struct cf_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
};

/* Wipes and frees; the buffer may be used again. */
void cf_buf_clear(struct cf_buf *b);

/* Sets len; new bytes are zero, dropped ones are wiped. CF_E_LIMIT past CF_BUF_MAX or without
 * memory. */
CF_CHECK enum cf_rc cf_buf_resize(struct cf_buf *b, size_t len, struct cf_err *e);

/* Appends; `src` may be NULL when len is 0, and must not point into the buffer. */
CF_CHECK enum cf_rc cf_buf_put(struct cf_buf *b, const void *src, size_t len, struct cf_err *e);
CF_CHECK enum cf_rc cf_buf_put_text(struct cf_buf *b, const char *text, struct cf_err *e);
CF_CHECK enum cf_rc cf_buf_printf(struct cf_buf *b, struct cf_err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The content as a C string: puts a NUL behind it that len does not count. */
CF_CHECK enum cf_rc cf_buf_text(struct cf_buf *b, const char **text, struct cf_err *e);

/* A cursor over bytes from outside. A read past the end gives zeros or NULL, leaves the cursor
 * and sets `bad`: read on, and check cf_rd_ok once at the end. */
struct cf_rd {
    const uint8_t *p;
    size_t left;
    bool bad;
};

static inline struct cf_rd cf_rd_of(const void *data, size_t len)
{
    return (struct cf_rd){ .p = data, .left = len };
}

const uint8_t *cf_rd_bytes(struct cf_rd *r, size_t len); /* borrowed; NULL past the end */
uint8_t cf_rd_u8(struct cf_rd *r);
uint16_t cf_rd_le16(struct cf_rd *r);
uint32_t cf_rd_le32(struct cf_rd *r);
uint64_t cf_rd_le64(struct cf_rd *r);
uint16_t cf_rd_be16(struct cf_rd *r);
uint32_t cf_rd_be32(struct cf_rd *r);
uint64_t cf_rd_be64(struct cf_rd *r);

/* True when nothing was read past the end and nothing is left. */
static inline bool cf_rd_done(const struct cf_rd *r)
{
    return !r->bad && r->left == 0;
}

void cf_le16(uint8_t out[2], uint16_t v);
void cf_le32(uint8_t out[4], uint32_t v);
void cf_le64(uint8_t out[8], uint64_t v);
void cf_be16(uint8_t out[2], uint16_t v);
void cf_be32(uint8_t out[4], uint32_t v);
void cf_be64(uint8_t out[8], uint64_t v);

/* True when all `len` bytes equal `value`: how erased and zero runs are found. Not for secrets. */
bool cf_all_bytes(const void *data, size_t len, uint8_t value);

#endif
