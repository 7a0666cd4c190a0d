/* What happens to a store behind its client's back. */
#include "store_priv.h"

#include <stdlib.h>
#include <string.h>

enum bs_error store_container_delete(struct store *s, const struct store_target *t)
{
    enum bs_error e = BS_CONTAINER_NOT_FOUND;
    pthread_mutex_lock(&s->lock);
    struct container *c = store_find_container(s, t);
    if (c != NULL) {
        for (size_t i = 0; i < c->count; i++)
            store_blob_free(c->blobs[i]);
        c->count = 0;
        free(c->name);
        c->name = store_alloc(1); /* no request names this one */
        e = BS_OK;
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

static struct blob *find(struct store *s, const struct store_target *t)
{
    struct container *c = store_find_container(s, t);
    return c == NULL ? NULL : store_find_blob(c, t->blob);
}

void store_forget(struct store *s, const struct store_target *t)
{
    pthread_mutex_lock(&s->lock);
    struct blob *b = find(s, t);
    if (b != NULL)
        store_pending_clear(b);
    pthread_mutex_unlock(&s->lock);
}

void store_steal(struct store *s, const struct store_target *t)
{
    struct store_wanted *list = NULL;
    size_t count = 0;
    pthread_mutex_lock(&s->lock);
    struct blob *b = find(s, t);
    if (b != NULL && b->npending > 0) {
        count = b->npending > 1 ? b->npending - 1 : 1;
        list = store_alloc(count * sizeof *list);
        for (size_t i = 0; i < count; i++)
            memcpy(list[i].id, b->pending[i].id, sizeof list[i].id);
    }
    pthread_mutex_unlock(&s->lock);
    if (list != NULL)
        (void)store_put_list(s, t, (struct store_condition){ 0 }, list, count);
    free(list);
}

void store_late(struct store *s, const struct store_target *t, const char *id, uint8_t *data,
                uint64_t size)
{
    struct store_block *block = store_block_new(data, size);
    pthread_mutex_lock(&s->lock);
    struct container *c = store_find_container(s, t);
    if (c != NULL) {
        struct blob *b = store_add_blob(c, t->blob);
        store_block_release(b->late);
        b->late = store_block_hold(block);
        memcpy(b->late_id, id, strlen(id) + 1);
    }
    pthread_mutex_unlock(&s->lock);
    store_block_release(block);
}

void store_land_late(struct store *s, const struct store_target *t)
{
    struct blob *b = find(s, t);
    struct store_block *late = b == NULL ? NULL : b->late;
    if (late == NULL)
        return;
    b->late = NULL;
    (void)store_stage(s, t, b->late_id, late);
    store_block_release(late);
}
