#include "worker/cache_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define NONE (-1)

struct entry {
    uint8_t key[P11_CACHE_KEY];
    CK_OBJECT_HANDLE h;
    unsigned pins;
    int next;         /* in its bucket */
    int older, newer; /* in order of use */
};

struct p11_cache {
    pthread_mutex_t lock;
    struct entry *entries;
    int *buckets;
    uint32_t capacity, used;
    int oldest, newest;
};

enum cf_rc p11_cache_new(uint32_t capacity, struct p11_cache **out, struct cf_err *e)
{
    struct p11_cache *c = calloc(1, sizeof *c);
    struct entry *entries = calloc(capacity, sizeof *entries);
    int *buckets = calloc(capacity, sizeof *buckets);
    if (!c || !entries || !buckets) {
        free(c);
        free(entries);
        free(buckets);
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the key cache");
    }
    pthread_mutex_init(&c->lock, NULL);
    c->entries = entries;
    c->buckets = buckets;
    c->capacity = capacity;
    c->oldest = c->newest = NONE;
    for (uint32_t i = 0; i < capacity; i++)
        buckets[i] = NONE;
    *out = c;
    return CF_OK;
}

void p11_cache_free(struct p11_cache *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c->entries);
    free(c->buckets);
    free(c);
}

static int *bucket_of(struct p11_cache *c, const uint8_t *key)
{
    uint32_t v;
    memcpy(&v, key, sizeof v);
    return &c->buckets[v % c->capacity];
}

static int find_locked(struct p11_cache *c, const uint8_t *key)
{
    for (int i = *bucket_of(c, key); i != NONE; i = c->entries[i].next)
        if (cf_equal(c->entries[i].key, key, P11_CACHE_KEY))
            return i;
    return NONE;
}

static void leave_order_locked(struct p11_cache *c, int i)
{
    struct entry *n = &c->entries[i];
    *(n->older == NONE ? &c->oldest : &c->entries[n->older].newer) = n->newer;
    *(n->newer == NONE ? &c->newest : &c->entries[n->newer].older) = n->older;
}

static void enter_newest_locked(struct p11_cache *c, int i)
{
    c->entries[i].older = c->newest;
    c->entries[i].newer = NONE;
    *(c->newest == NONE ? &c->oldest : &c->entries[c->newest].newer) = i;
    c->newest = i;
}

static void pin_locked(struct p11_cache *c, int i, struct p11_held *out)
{
    c->entries[i].pins++;
    *out = (struct p11_held){ .h = c->entries[i].h, .slot = i };
}

/* A free place: a new one, or that of the least recently used entry that nobody holds. */
static int place_locked(struct p11_cache *c, CK_OBJECT_HANDLE *evicted)
{
    if (c->used < c->capacity)
        return (int)c->used++;
    int i = c->oldest;
    while (i != NONE && c->entries[i].pins)
        i = c->entries[i].newer;
    if (i == NONE)
        return NONE;
    int *link = bucket_of(c, c->entries[i].key);
    while (*link != i)
        link = &c->entries[*link].next;
    *link = c->entries[i].next;
    leave_order_locked(c, i);
    *evicted = c->entries[i].h;
    return i;
}

bool p11_cache_take(struct p11_cache *c, const uint8_t key[P11_CACHE_KEY], struct p11_held *out)
{
    pthread_mutex_lock(&c->lock);
    int i = find_locked(c, key);
    if (i != NONE) {
        leave_order_locked(c, i);
        enter_newest_locked(c, i);
        pin_locked(c, i, out);
    }
    pthread_mutex_unlock(&c->lock);
    return i != NONE;
}

CK_OBJECT_HANDLE p11_cache_put(struct p11_cache *c, const uint8_t key[P11_CACHE_KEY],
                               CK_OBJECT_HANDLE h, struct p11_held *out)
{
    CK_OBJECT_HANDLE unwanted = CK_INVALID_HANDLE;
    pthread_mutex_lock(&c->lock);
    int i = find_locked(c, key);
    if (i != NONE) {
        unwanted = h;
        pin_locked(c, i, out);
    } else if ((i = place_locked(c, &unwanted)) == NONE) {
        *out = (struct p11_held){ .h = h, .slot = NONE };
    } else {
        struct entry *n = &c->entries[i];
        memcpy(n->key, key, P11_CACHE_KEY);
        n->h = h;
        n->pins = 0;
        n->next = *bucket_of(c, key);
        *bucket_of(c, key) = i;
        enter_newest_locked(c, i);
        pin_locked(c, i, out);
    }
    pthread_mutex_unlock(&c->lock);
    return unwanted;
}

void p11_cache_give(struct p11_cache *c, const struct p11_held *held)
{
    if (held->slot == NONE)
        return;
    pthread_mutex_lock(&c->lock);
    c->entries[held->slot].pins--;
    pthread_mutex_unlock(&c->lock);
}
