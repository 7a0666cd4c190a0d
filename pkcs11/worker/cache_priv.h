/*
 * Opened user keys, least recently used goes first. Handles only; who puts, takes and gives them
 * opens and destroys the objects. Threads: any.
 */
#ifndef P11_CACHE_PRIV_H
#define P11_CACHE_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "module/cryptoki.h"

#include "base/err.h"

#define P11_CACHE_KEY 32 /* SHA-256 over what the key is and the MAC that proved it */

struct p11_cache;

CF_CHECK enum cf_rc p11_cache_new(uint32_t capacity, struct p11_cache **out, struct cf_err *e);
void p11_cache_free(struct p11_cache *c);

/* A handle out of the cache, or one that found no place there. */
struct p11_held {
    CK_OBJECT_HANDLE h;
    int slot; /* -1: not in the cache; the holder destroys the object */
};

/* Pins the entry, so that nobody evicts it before p11_cache_give. */
bool p11_cache_take(struct p11_cache *c, const uint8_t key[P11_CACHE_KEY], struct p11_held *out);

/* Enters and pins a freshly opened key. The object to destroy in its stead, or CK_INVALID_HANDLE:
 * the evicted one, or `h` itself where another thread was faster (then `out` holds that one). */
CK_OBJECT_HANDLE p11_cache_put(struct p11_cache *c, const uint8_t key[P11_CACHE_KEY],
                               CK_OBJECT_HANDLE h, struct p11_held *out);

void p11_cache_give(struct p11_cache *c, const struct p11_held *held);

#endif
