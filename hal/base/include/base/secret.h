/*
 * Memory for secrets: locked, left out of core dumps, fenced by guard pages, wiped when freed.
 * No call prints, serialises or compares one but cf_equal.
 * Threads: a secret belongs to one thread at a time; reading from several is fine.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct cf_secret;

/* Zeroed memory of `len` bytes, 1..1 MiB. CF_E_LIMIT: no memory, or RLIMIT_MEMLOCK too low
 * (the text says which and the cure). The caller frees it with cf_secret_free. */
CF_CHECK enum cf_rc cf_secret_new(size_t len, struct cf_secret **out, struct cf_err *e);

/* As above with a copy of `src`, which the caller still owns and wipes. */
CF_CHECK enum cf_rc cf_secret_copy(const void *src, size_t len, struct cf_secret **out,
                                   struct cf_err *e);

void cf_secret_free(struct cf_secret *s); /* wipes; NULL is a no-op */

uint8_t *cf_secret_data(struct cf_secret *s);
const uint8_t *cf_secret_view(const struct cf_secret *s);
size_t cf_secret_len(const struct cf_secret *s);

/* Zeroes memory in a way no compiler removes; NULL with 0 is a no-op. */
void cf_wipe(void *p, size_t len);

/* free(3) and realloc(3) that zero what they give up, for libraries that leave plaintext in freed
 * memory. Only for memory of malloc(3); a length of 0 frees. */
void cf_wipe_free(void *p);
void *cf_wipe_realloc(void *p, size_t len);

/* Equality in time that depends on `len` alone. */
bool cf_equal(const void *a, const void *b, size_t len);

/* No core dump and no ptrace for this process: called first thing by every program. */
void cf_secret_harden_process(void);

#endif
