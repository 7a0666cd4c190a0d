/*
 * Deterministic CBOR, our strict subset (RFC 8949 4.2.1): unsigned integers, byte strings, UTF-8
 * text, booleans, arrays, and maps whose keys are unsigned integers, ascending and unique; definite
 * lengths, shortest forms, at most CBOR_DEPTH_MAX containers deep. One value has one encoding: what
 * the reader accepts is what the writer would write.
 * Writer and reader keep their first failure: call on, and ask once at the end.
 * Threads: each belongs to one.
 */
#ifndef CBOR_CBOR_H
#define CBOR_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CBOR_DEPTH_MAX 6

enum cbor_type { CBOR_UINT, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_BOOL };

/* An open container; private to the module. */
struct cbor_level {
    uint64_t left; /* items, or pairs, still to come */
    uint64_t key;  /* last key of a map */
    bool map;
    bool value_due; /* a key was passed, its value not yet */
    bool any;       /* a key was passed */
};

/* --- writing -------------------------------------------------------------------------------- */

/* Private fields; lives on the caller's stack. */
struct cbor_wr {
    struct cf_buf *out;
    struct cf_err *e;
    enum cf_rc rc;
    unsigned depth;
    bool done;
    struct cbor_level level[CBOR_DEPTH_MAX];
};

/* One item will be appended to `out`; failures go to `e`. Both stay the caller's. */
void cbor_wr_init(struct cbor_wr *w, struct cf_buf *out, struct cf_err *e);
void cbor_wr_uint(struct cbor_wr *w, uint64_t v);
void cbor_wr_bytes(struct cbor_wr *w, const void *p, size_t len);
void cbor_wr_text(struct cbor_wr *w, const char *text);
void cbor_wr_text_n(struct cbor_wr *w, const void *p, size_t len);
void cbor_wr_bool(struct cbor_wr *w, bool v);
/* The next `n` items, or `n` times a key and an item, are its content; it closes by itself. */
void cbor_wr_array(struct cbor_wr *w, size_t n);
void cbor_wr_map(struct cbor_wr *w, size_t n);
void cbor_wr_key(struct cbor_wr *w, uint64_t key);
/* CF_OK: exactly one whole item was written. CF_E_ARG: too few or too many items, keys that do not
 * ascend, text that is not UTF-8; CF_E_LIMIT: too deep or no memory. On failure cut `out` back. */
CF_CHECK enum cf_rc cbor_wr_end(struct cbor_wr *w);

/* --- reading -------------------------------------------------------------------------------- */

/* Private fields; lives on the caller's stack. */
struct cbor_rd {
    struct cf_rd in;
    struct cf_err *e;
    enum cf_rc rc;
    unsigned depth;
    bool done;
    struct cbor_level level[CBOR_DEPTH_MAX];
};

/* Reads one item that fills `data` entirely; `data` must outlive the reader and what it gave. */
void cbor_rd_init(struct cbor_rd *r, const void *data, size_t len, struct cf_err *e);

/* Type of the item that comes next (a key is a CBOR_UINT). False: failed already, or malformed. */
bool cbor_rd_peek(struct cbor_rd *r, enum cbor_type *out);

/* Each gives zero or NULL once something failed. Bytes and text are borrowed; text is valid UTF-8,
 * has no NUL behind it, and may hold one inside. */
uint64_t cbor_rd_uint(struct cbor_rd *r, uint64_t max);
bool cbor_rd_bool(struct cbor_rd *r);
const uint8_t *cbor_rd_bytes(struct cbor_rd *r, size_t max, size_t *len);
const char *cbor_rd_text(struct cbor_rd *r, size_t max, size_t *len);
/* Exactly `len` bytes, copied; zeros once something failed. */
void cbor_rd_fixed(struct cbor_rd *r, void *out, size_t len);
/* Text without NUL inside, shorter than `size`, copied with a NUL behind it; "" on failure. */
void cbor_rd_string(struct cbor_rd *r, char *out, size_t size);
/* Number of items or pairs; never more than `max` nor than the bytes left could hold, so that the
 * caller may allocate by it. */
size_t cbor_rd_array(struct cbor_rd *r, size_t max);
size_t cbor_rd_map(struct cbor_rd *r, size_t max);
uint64_t cbor_rd_key(struct cbor_rd *r);
/* Passes over one item of any type, checked as strictly as one that is read. */
void cbor_rd_skip(struct cbor_rd *r);

/* The caller found a value it does not allow; `what` is a literal. */
void cbor_rd_refuse(struct cbor_rd *r, const char *what);
bool cbor_rd_ok(const struct cbor_rd *r);
/* CF_OK: one whole item, nothing behind it. Else CF_E_CORRUPT. */
CF_CHECK enum cf_rc cbor_rd_end(struct cbor_rd *r);

#endif
