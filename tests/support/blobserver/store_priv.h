/* What store.c (finding and reading) and store_write.c (changing) share. The caller holds `lock`.
 */
#ifndef BLOBSERVER_STORE_PRIV_H
#define BLOBSERVER_STORE_PRIV_H

#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

#define STORE_PENDING_MAX 100000 /* uncommitted blocks of a blob, as the service has it */

struct store_block {
    atomic_uint refs;
    uint64_t size;
    uint8_t *data;
};

struct pending {
    char id[STORE_ID_MAX + 1];
    struct store_block *block;
};

struct blob {
    char *name;
    struct store_block *late; /* NULL: none; its id: */
    char late_id[STORE_ID_MAX + 1];
    struct store_content *content; /* NULL: nothing committed yet */
    struct pending *pending;       /* sorted by id */
    size_t npending, cap;
};

struct container {
    char *account, *name;
    struct blob **blobs; /* sorted by name */
    size_t count, cap;
};

struct store {
    pthread_mutex_t lock;
    bool worm, tree;
    uint64_t next_etag;
    struct container **containers;
    size_t count;
};

struct container *store_find_container(struct store *s, const struct store_target *t);

/* The blob's place in the sorted array; *found tells whether it is there. */
size_t store_blob_index(const struct container *c, const char *name, bool *found);
struct blob *store_find_blob(const struct container *c, const char *name);
struct blob *store_add_blob(struct container *c, const char *name);
void store_blob_free(struct blob *b);

/* Adds an uncommitted block, or replaces it. */
enum bs_error store_stage(struct store *s, const struct store_target *t, const char *id,
                          struct store_block *block);

/* The directories above `name`, where the store has such. */
void store_add_parents(struct store *s, struct container *c, const char *name);
/* Is something below the directory at `at`? */
bool store_is_parent(const struct container *c, size_t at);

/* What a fault kept of this blob comes now. */
void store_land_late(struct store *s, const struct store_target *t);

struct store_block *store_block_new(uint8_t *data, uint64_t size);
struct store_block *store_block_hold(struct store_block *b);
void store_block_release(struct store_block *b);
void store_pending_clear(struct blob *b);

struct store_content *store_content_new(struct store *s, size_t nsegments);

/* malloc that ends the process: a test server has no better answer. */
void *store_alloc(size_t size);

#endif
