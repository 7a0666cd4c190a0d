#include "store_priv.h"

#include <stdlib.h>
#include <string.h>

static size_t pending_index(const struct blob *b, const char *id, bool *found)
{
    size_t lo = 0, hi = b->npending;
    *found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(b->pending[mid].id, id);
        if (order == 0)
            *found = true;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* May this write replace what is there? */
static enum bs_error judge(const struct store *s, const struct blob *b,
                           const struct store_condition *cond)
{
    bool there = b != NULL && b->content != NULL;
    if (there && cond->create_only)
        return BS_BLOB_EXISTS;
    if (cond->if_match != 0 && (!there || b->content->etag != cond->if_match))
        return BS_CONDITION_NOT_MET;
    if (there && s->worm)
        return BS_IMMUTABLE;
    return BS_OK;
}

enum bs_error store_put_blob(struct store *s, const struct store_target *t,
                             struct store_condition cond, uint8_t *data, uint64_t size)
{
    enum bs_error e = BS_CONTAINER_NOT_FOUND;
    pthread_mutex_lock(&s->lock);
    struct container *c = store_find_container(s, t);
    if (c != NULL)
        e = judge(s, store_find_blob(c, t->blob), &cond);
    if (e == BS_OK) {
        struct blob *b = store_add_blob(c, t->blob);
        struct store_content *now = store_content_new(s, 1);
        now->size = size;
        now->segments[0].block = store_block_new(data, size);
        now->segments[0].size = size;
        now->segments[0].data = data;
        data = NULL;
        store_pending_clear(b);
        store_release(b->content);
        b->content = now;
        store_add_parents(s, c, t->blob);
    }
    pthread_mutex_unlock(&s->lock);
    free(data);
    return e;
}

static void insert_pending(struct blob *b, size_t at, const char *id, struct store_block *block)
{
    if (b->npending == b->cap) {
        size_t cap = b->cap == 0 ? 64 : 2 * b->cap;
        struct pending *grown = store_alloc(cap * sizeof *grown);
        if (b->npending > 0)
            memcpy(grown, b->pending, b->npending * sizeof *grown);
        free(b->pending);
        b->pending = grown;
        b->cap = cap;
    }
    memmove(b->pending + at + 1, b->pending + at, (b->npending - at) * sizeof b->pending[0]);
    memcpy(b->pending[at].id, id, strlen(id) + 1);
    b->pending[at].block = block;
    b->npending++;
}

/* All ids of a blob have one length, committed ones included. */
static bool same_id_length(const struct blob *b, const char *id)
{
    size_t len = strlen(id);
    if (b->npending > 0)
        return strlen(b->pending[0].id) == len;
    if (b->content != NULL && b->content->nsegments > 0 && b->content->segments[0].id[0] != '\0')
        return strlen(b->content->segments[0].id) == len;
    return true;
}

enum bs_error store_stage(struct store *s, const struct store_target *t, const char *id,
                          struct store_block *block)
{
    struct container *c = store_find_container(s, t);
    if (c == NULL)
        return BS_CONTAINER_NOT_FOUND;
    struct blob *b = store_find_blob(c, t->blob);
    if (b != NULL && b->content != NULL && s->worm)
        return BS_IMMUTABLE;
    b = store_add_blob(c, t->blob);
    if (!same_id_length(b, id))
        return BS_INVALID_ID_LENGTH;
    bool found;
    size_t at = pending_index(b, id, &found);
    if (!found && b->npending == STORE_PENDING_MAX)
        return BS_BLOCK_COUNT;
    if (found) {
        store_block_release(b->pending[at].block);
        b->pending[at].block = store_block_hold(block);
    } else {
        insert_pending(b, at, id, store_block_hold(block));
    }
    return BS_OK;
}

enum bs_error store_put_block(struct store *s, const struct store_target *t, const char *id,
                              uint8_t *data, uint64_t size)
{
    struct store_block *block = store_block_new(data, size);
    pthread_mutex_lock(&s->lock);
    enum bs_error e = store_stage(s, t, id, block);
    if (e == BS_OK)
        store_land_late(s, t);
    pthread_mutex_unlock(&s->lock);
    store_block_release(block);
    return e;
}

static struct store_block *find_block(const struct blob *b, const struct store_wanted *w)
{
    if (w->look != STORE_COMMITTED) {
        bool found;
        size_t at = pending_index(b, w->id, &found);
        if (found)
            return b->pending[at].block;
    }
    if (w->look != STORE_UNCOMMITTED && b->content != NULL)
        for (size_t i = 0; i < b->content->nsegments; i++)
            if (strcmp(b->content->segments[i].id, w->id) == 0)
                return b->content->segments[i].block;
    return NULL;
}

static enum bs_error assemble(struct store *s, struct blob *b, const struct store_wanted *list,
                              size_t count)
{
    struct store_content *now = store_content_new(s, count);
    for (size_t i = 0; i < count; i++) {
        struct store_block *block = find_block(b, &list[i]);
        if (block == NULL) {
            now->nsegments = i;
            store_release(now);
            return BS_INVALID_BLOCK_LIST;
        }
        struct store_segment *seg = &now->segments[i];
        memcpy(seg->id, list[i].id, sizeof seg->id);
        seg->block = store_block_hold(block);
        seg->start = now->size;
        seg->size = block->size;
        seg->data = block->data;
        now->size += block->size;
    }
    store_pending_clear(b);
    store_release(b->content);
    b->content = now;
    return BS_OK;
}

enum bs_error store_put_list(struct store *s, const struct store_target *t,
                             struct store_condition cond, const struct store_wanted *list,
                             size_t count)
{
    enum bs_error e = BS_CONTAINER_NOT_FOUND;
    pthread_mutex_lock(&s->lock);
    struct container *c = store_find_container(s, t);
    if (c != NULL)
        e = judge(s, store_find_blob(c, t->blob), &cond);
    if (e == BS_OK && count > 0 && store_find_blob(c, t->blob) == NULL)
        e = BS_INVALID_BLOCK_LIST;
    if (e == BS_OK)
        e = assemble(s, store_add_blob(c, t->blob), list, count);
    if (e == BS_OK)
        store_add_parents(s, c, t->blob);
    pthread_mutex_unlock(&s->lock);
    return e;
}

enum bs_error store_delete(struct store *s, const struct store_target *t)
{
    enum bs_error e = BS_OK;
    pthread_mutex_lock(&s->lock);
    struct container *c = store_find_container(s, t);
    bool found = false;
    size_t at = c == NULL ? 0 : store_blob_index(c, t->blob, &found);
    if (c == NULL) {
        e = BS_CONTAINER_NOT_FOUND;
    } else if (!found || c->blobs[at]->content == NULL) {
        e = BS_BLOB_NOT_FOUND;
    } else if (s->worm) {
        e = BS_IMMUTABLE;
    } else if (c->blobs[at]->content->directory && store_is_parent(c, at)) {
        e = BS_DIRECTORY_NOT_EMPTY;
    } else {
        store_blob_free(c->blobs[at]);
        memmove(c->blobs + at, c->blobs + at + 1, (c->count - at - 1) * sizeof(struct blob *));
        c->count--;
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}
