#include "store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *store_alloc(size_t size)
{
    void *p = calloc(1, size == 0 ? 1 : size);
    if (p == NULL) {
        fprintf(stderr, "coffer-blobserver: out of memory\n");
        abort();
    }
    return p;
}

static char *copy_name(const char *s)
{
    size_t len = strlen(s) + 1;
    return memcpy(store_alloc(len), s, len);
}

struct store *store_new(bool worm, bool tree)
{
    struct store *s = store_alloc(sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    s->worm = worm;
    s->tree = tree;
    s->next_etag = 0x8dc0000000001;
    return s;
}

struct store_block *store_block_new(uint8_t *data, uint64_t size)
{
    struct store_block *b = store_alloc(sizeof *b);
    atomic_init(&b->refs, 1);
    b->data = data;
    b->size = size;
    return b;
}

struct store_block *store_block_hold(struct store_block *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}

void store_block_release(struct store_block *b)
{
    if (b != NULL && atomic_fetch_sub(&b->refs, 1) == 1) {
        free(b->data);
        free(b);
    }
}

struct store_content *store_content_new(struct store *s, size_t nsegments)
{
    struct store_content *c = store_alloc(sizeof *c + nsegments * sizeof c->segments[0]);
    atomic_init(&c->refs, 1);
    c->etag = s->next_etag++;
    c->modified = time(NULL);
    c->nsegments = nsegments;
    return c;
}

void store_release(struct store_content *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    for (size_t i = 0; i < c->nsegments; i++)
        store_block_release(c->segments[i].block);
    free(c);
}

void store_pending_clear(struct blob *b)
{
    for (size_t i = 0; i < b->npending; i++)
        store_block_release(b->pending[i].block);
    free(b->pending);
    b->pending = NULL;
    b->npending = b->cap = 0;
}

void store_blob_free(struct blob *b)
{
    store_block_release(b->late);
    store_pending_clear(b);
    store_release(b->content);
    free(b->name);
    free(b);
}

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++) {
        struct container *c = s->containers[i];
        for (size_t j = 0; j < c->count; j++)
            store_blob_free(c->blobs[j]);
        free(c->blobs);
        free(c->account);
        free(c->name);
        free(c);
    }
    free(s->containers);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct container *store_find_container(struct store *s, const struct store_target *t)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->containers[i]->account, t->account) == 0 &&
            strcmp(s->containers[i]->name, t->container) == 0)
            return s->containers[i];
    return NULL;
}

enum bs_error store_container_create(struct store *s, const struct store_target *t)
{
    enum bs_error e = BS_OK;
    pthread_mutex_lock(&s->lock);
    if (store_find_container(s, t) != NULL) {
        e = BS_CONTAINER_EXISTS;
    } else {
        struct container *c = store_alloc(sizeof *c);
        c->account = copy_name(t->account);
        c->name = copy_name(t->container);
        struct container **all = store_alloc((s->count + 1) * sizeof(struct container *));
        for (size_t i = 0; i < s->count; i++)
            all[i] = s->containers[i];
        all[s->count++] = c;
        free(s->containers);
        s->containers = all;
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

enum bs_error store_container_exists(struct store *s, const struct store_target *t)
{
    pthread_mutex_lock(&s->lock);
    enum bs_error e = store_find_container(s, t) != NULL ? BS_OK : BS_CONTAINER_NOT_FOUND;
    pthread_mutex_unlock(&s->lock);
    return e;
}

size_t store_blob_index(const struct container *c, const char *name, bool *found)
{
    size_t lo = 0, hi = c->count;
    *found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(c->blobs[mid]->name, name);
        if (order == 0)
            *found = true;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct blob *store_find_blob(const struct container *c, const char *name)
{
    bool found;
    size_t i = store_blob_index(c, name, &found);
    return found ? c->blobs[i] : NULL;
}

struct blob *store_add_blob(struct container *c, const char *name)
{
    bool found;
    size_t at = store_blob_index(c, name, &found);
    if (found)
        return c->blobs[at];
    if (c->count == c->cap) {
        size_t cap = c->cap == 0 ? 64 : 2 * c->cap;
        struct blob **grown = store_alloc(cap * sizeof(struct blob *));
        if (c->count > 0)
            memcpy(grown, c->blobs, c->count * sizeof(struct blob *));
        free(c->blobs);
        c->blobs = grown;
        c->cap = cap;
    }
    memmove(c->blobs + at + 1, c->blobs + at, (c->count - at) * sizeof(struct blob *));
    c->blobs[at] = store_alloc(sizeof(struct blob));
    c->blobs[at]->name = copy_name(name);
    c->count++;
    return c->blobs[at];
}

enum bs_error store_get(struct store *s, const struct store_target *t, struct store_content **out)
{
    enum bs_error e = BS_OK;
    *out = NULL;
    pthread_mutex_lock(&s->lock);
    struct container *c = store_find_container(s, t);
    struct blob *b = c == NULL ? NULL : store_find_blob(c, t->blob);
    if (c == NULL) {
        e = BS_CONTAINER_NOT_FOUND;
    } else if (b == NULL || b->content == NULL) {
        e = BS_BLOB_NOT_FOUND;
    } else {
        atomic_fetch_add(&b->content->refs, 1);
        *out = b->content;
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

enum bs_error store_blocks(struct store *s, const struct store_target *t, store_block_fn *each,
                           void *ctx)
{
    enum bs_error e = BS_OK;
    pthread_mutex_lock(&s->lock);
    struct container *c = store_find_container(s, t);
    struct blob *b = c == NULL ? NULL : store_find_blob(c, t->blob);
    if (c == NULL) {
        e = BS_CONTAINER_NOT_FOUND;
    } else if (b == NULL) {
        e = BS_BLOB_NOT_FOUND;
    } else {
        for (size_t i = 0; b->content != NULL && i < b->content->nsegments; i++)
            if (b->content->segments[i].id[0] != '\0')
                each(ctx, true, b->content->segments[i].id, b->content->segments[i].size);
        for (size_t i = 0; i < b->npending; i++)
            each(ctx, false, b->pending[i].id, b->pending[i].block->size);
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

enum bs_error store_list(struct store *s, const struct store_target *t, const char *from,
                         store_list_fn *each, void *ctx)
{
    enum bs_error e = BS_OK;
    pthread_mutex_lock(&s->lock);
    struct container *c = store_find_container(s, t);
    if (c == NULL) {
        e = BS_CONTAINER_NOT_FOUND;
    } else {
        bool found, more = true;
        for (size_t i = store_blob_index(c, from, &found); more && i < c->count; i++)
            if (c->blobs[i]->content != NULL)
                more = each(ctx, c->blobs[i]->name, c->blobs[i]->content);
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}
