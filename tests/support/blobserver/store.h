/*
 * Containers, blobs and uncommitted blocks, in memory. Bodies are handed over, never copied; one
 * uploaded without its bytes (discard mode) keeps its size and reads as zeros.
 * Threads: any; one lock around short operations. What store_get returns may be read without it.
 */
#ifndef BLOBSERVER_STORE_H
#define BLOBSERVER_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "errors.h"

#define STORE_NAME_MAX 1024 /* characters in a blob name */
#define STORE_ID_MAX   88   /* base64 of 64 bytes */

struct store;

struct store_block; /* shared bytes */

struct store_segment {
    char id[STORE_ID_MAX + 1]; /* "" for the one segment of a Put Blob */
    struct store_block *block;
    uint64_t start; /* place of its first byte in the blob */
    uint64_t size;
    const uint8_t *data; /* NULL: discarded */
};

/* A committed blob as it was at one moment. */
struct store_content {
    atomic_uint refs; /* the store's own business */
    uint64_t size, etag;
    time_t modified;
    bool directory;
    size_t nsegments;
    struct store_segment segments[];
};

/* What a write asks of the blob that is there. */
struct store_condition {
    bool create_only;  /* If-None-Match: * */
    uint64_t if_match; /* 0: none */
};

struct store_target {
    const char *account, *container, *blob;
};

/* `tree`: what lies in a directory makes it, and it is an entry like a blob. */
struct store *store_new(bool worm, bool tree);
void store_free(struct store *s);

enum bs_error store_container_create(struct store *s, const struct store_target *t);
enum bs_error store_container_exists(struct store *s, const struct store_target *t);

/* The two calls that bring a body take `data` (malloc'ed, or NULL for `size` discarded bytes) in
 * every case, also on failure. */
enum bs_error store_put_blob(struct store *s, const struct store_target *t,
                             struct store_condition cond, uint8_t *data, uint64_t size);
enum bs_error store_put_block(struct store *s, const struct store_target *t, const char *id,
                              uint8_t *data, uint64_t size);

enum store_look { STORE_LATEST, STORE_COMMITTED, STORE_UNCOMMITTED };
struct store_wanted {
    enum store_look look;
    char id[STORE_ID_MAX + 1];
};
enum bs_error store_put_list(struct store *s, const struct store_target *t,
                             struct store_condition cond, const struct store_wanted *list,
                             size_t count);

/* What only faults do. A container goes with all its blobs; a stolen blob is made of all its
 * uncommitted blocks but the last; a late block takes effect behind the next of its blob. */
enum bs_error store_container_delete(struct store *s, const struct store_target *t);
void store_forget(struct store *s, const struct store_target *t);
void store_steal(struct store *s, const struct store_target *t);
void store_late(struct store *s, const struct store_target *t, const char *id, uint8_t *data,
                uint64_t size);

/* `*out` is given back with store_release. */
enum bs_error store_get(struct store *s, const struct store_target *t, struct store_content **out);
void store_release(struct store_content *c);

enum bs_error store_delete(struct store *s, const struct store_target *t);

/* Calls `each` for every block of a blob under the lock: `committed` first, in content order. */
typedef void store_block_fn(void *ctx, bool committed, const char *id, uint64_t size);
enum bs_error store_blocks(struct store *s, const struct store_target *t, store_block_fn *each,
                           void *ctx);

/* Calls `each` in name order for blobs at or after `from`, until it returns false. */
typedef bool store_list_fn(void *ctx, const char *name, const struct store_content *c);
enum bs_error store_list(struct store *s, const struct store_target *t, const char *from,
                         store_list_fn *each, void *ctx);

#endif
