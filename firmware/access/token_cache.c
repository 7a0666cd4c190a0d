/* Verified tokens by the SHA-256 of their bytes: verifying RSA for each request would cost more
 * than many of the requests. Bounded: sets of four places, the earliest to expire gives way. */
#include "bearer_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define SETS 128
#define WAYS 4

struct place {
    uint8_t digest[32];
    int64_t not_before_s;
    struct access_principal *principal; /* NULL: free */
};

struct access_cache {
    pthread_rwlock_t lock;
    struct {
        uint64_t epoch;
        struct place place[SETS][WAYS];
    } locked;
};

enum cf_rc access_cache_new(struct access_cache **out, struct cf_err *e)
{
    struct access_cache *c = calloc(1, sizeof *c);

    if (c == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory to remember tokens");
    pthread_rwlock_init(&c->lock, NULL);
    *out = c;
    return CF_OK;
}

static void forget_locked(struct access_cache *c)
{
    for (size_t s = 0; s < SETS; s++) {
        for (size_t w = 0; w < WAYS; w++) {
            free(c->locked.place[s][w].principal);
            c->locked.place[s][w].principal = NULL;
        }
    }
}

void access_cache_free(struct access_cache *c)
{
    if (c == NULL)
        return;
    forget_locked(c);
    pthread_rwlock_destroy(&c->lock);
    free(c);
}

void access_cache_forget(struct access_cache *c)
{
    pthread_rwlock_wrlock(&c->lock);
    c->locked.epoch++;
    forget_locked(c);
    pthread_rwlock_unlock(&c->lock);
}

uint64_t access_cache_epoch(struct access_cache *c)
{
    pthread_rwlock_rdlock(&c->lock);
    uint64_t epoch = c->locked.epoch;
    pthread_rwlock_unlock(&c->lock);
    return epoch;
}

static struct place *set_of(struct access_cache *c, const uint8_t digest[32])
{
    return c->locked.place[digest[0] % SETS];
}

bool access_cache_get(struct access_cache *c, const uint8_t digest[32], int64_t now_s,
                      struct access_principal *out)
{
    bool found = false;

    pthread_rwlock_rdlock(&c->lock);
    const struct place *set = set_of(c, digest);
    for (size_t w = 0; w < WAYS && !found; w++) {
        const struct place *p = &set[w];
        if (p->principal == NULL || !cf_equal(p->digest, digest, sizeof p->digest))
            continue;
        if (!access_time_good(now_s, p->not_before_s, p->principal->expires_s))
            break;
        *out = *p->principal;
        found = true;
    }
    pthread_rwlock_unlock(&c->lock);
    return found;
}

/* The place of the same token, a free one, or the one that expires first. */
static struct place *choose_locked(struct access_cache *c, const uint8_t digest[32])
{
    struct place *set = set_of(c, digest), *best = &set[0];

    for (size_t w = 0; w < WAYS; w++) {
        struct place *p = &set[w];
        if (p->principal == NULL || cf_equal(p->digest, digest, sizeof p->digest))
            return p;
        if (p->principal->expires_s < best->principal->expires_s)
            best = p;
    }
    return best;
}

void access_cache_put(struct access_cache *c, const struct access_cached *n)
{
    struct access_principal *copy = malloc(sizeof *copy);

    if (copy == NULL)
        return; /* not remembered: the next request verifies again */
    *copy = *n->principal;
    pthread_rwlock_wrlock(&c->lock);
    if (n->epoch == c->locked.epoch) {
        struct place *p = choose_locked(c, n->digest);
        free(p->principal);
        p->principal = copy;
        p->not_before_s = n->not_before_s;
        memcpy(p->digest, n->digest, sizeof p->digest);
        copy = NULL;
    }
    pthread_rwlock_unlock(&c->lock);
    free(copy);
}
