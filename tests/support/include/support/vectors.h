/* Known answers as tests/vectors/README.md lays them out: lines "name = value". Aborts the test on
 * what is missing. */
#ifndef SUPPORT_VECTORS_H
#define SUPPORT_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct vectors {
    struct cf_buf text;
};

/* `path` below tests/vectors. */
void vectors_read(struct vectors *v, const char *path);
void vectors_clear(struct vectors *v);

bool vectors_has(struct vectors *v, const char *name);
/* The value as text, borrowed until vectors_clear. */
const char *vectors_text(struct vectors *v, const char *name);
uint64_t vectors_uint(struct vectors *v, const char *name);
/* Appends the bytes. */
void vectors_bytes(struct vectors *v, const char *name, struct cf_buf *out);
/* Exactly `len` bytes. */
void vectors_fixed(struct vectors *v, const char *name, void *out, size_t len);
/* Calls `each` for every line, in order. */
void vectors_each(struct vectors *v, void (*each)(void *ctx, const char *name, const char *value),
                  void *ctx);

#endif
