/*
 * Inside audit: geometry, bytes, batches. FORMAT.md names the fields.
 */
#ifndef AUDIT_PRIV_H
#define AUDIT_PRIV_H

#include <pthread.h>
#include <stdbool.h>

#include "audit/audit.h"
#include "base/buf.h"

#define AUDIT_HEADER_SIZE  96
#define AUDIT_RECORD_MAX   2048
#define AUDIT_BATCH_MAX    7168
#define AUDIT_SEGMENT_SIZE 65536
#define AUDIT_SEGMENT_MIN  8192
#define AUDIT_TEXTS        5

struct audit_geometry {
    uint32_t segment; /* bytes */
    uint32_t unit;
    uint64_t count; /* segments */
    bool erases;    /* a written unit cannot be written again */
};

struct audit_segment {
    uint64_t number;
    uint64_t first; /* sequence */
    uint8_t prev[AUDIT_HASH_SIZE];
};

/* Records that one write takes. Two of them trade places: one fills while one is written. */
struct audit_batch {
    struct cf_buf bytes;
    struct audit_head before; /* what its first record chains to */
    struct audit_head after;
    uint32_t records;
    unsigned waiters;
    bool done;
    enum cf_rc rc;
    struct cf_err err;
};

struct audit {
    struct hal_partition *partition;
    struct hal_clock *clock;
    struct audit_geometry geometry;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct {
        struct audit_head head; /* on the medium */
        struct audit_batch batch[2];
        unsigned filling;
        bool writing;
    } locked;
    /* Of the thread that writes: `writing` is set, or the log is being opened. */
    uint64_t segment; /* number of the newest; meaningless while `begun` is false */
    uint32_t tail;    /* offset in it behind the last record */
    uint32_t written; /* offset up to which it is on the medium; less than `tail` after a failure */
    bool begun;       /* there is a segment */
    bool leave_segment;  /* its rest cannot be written */
    struct cf_buf image; /* bytes of the newest segment up to the tail */
    struct cf_buf scratch;
};

uint64_t audit_place(const struct audit_geometry *g, uint64_t number); /* byte offset */

/* Appends the record's bytes and moves `head` on. Texts are cut to their limits. */
CF_CHECK enum cf_rc audit_record_put(const struct audit_record *r, uint32_t place,
                                     struct audit_head *head, struct cf_buf *out, struct cf_err *e);

/* A record as it lies in a segment. */
struct audit_found {
    struct audit_record record; /* texts are in `text` */
    uint32_t place;
    uint32_t length;
    uint8_t prev[AUDIT_HASH_SIZE];
    uint8_t hash[AUDIT_HASH_SIZE];
    char text[AUDIT_TEXTS][AUDIT_RESOURCE_MAX + 1];
};

/* True when a whole record with a good own hash stands at `data`; its chain is not judged. */
bool audit_record_get(const uint8_t *data, size_t len, struct audit_found *out);

void audit_header_put(const struct audit_geometry *g, const struct audit_segment *s,
                      uint8_t out[AUDIT_HEADER_SIZE]);
bool audit_header_get(const struct audit_geometry *g, const uint8_t data[AUDIT_HEADER_SIZE],
                      struct audit_segment *out);

/* Walks the records of one segment in memory from `*at`, chaining to `head`, which moves on.
 * Stops at the tail (`*at`), or at the first record that `each` does not like. */
struct audit_walk {
    const struct audit_geometry *geometry;
    const uint8_t *data; /* a whole segment */
    uint32_t at;
    struct audit_head head;
};
/* The next record that continues the chain, or false at the tail. */
bool audit_walk_next(struct audit_walk *w, struct audit_found *out);

CF_CHECK enum cf_rc audit_segment_read(struct audit *a, uint64_t place, struct cf_buf *out,
                                       struct cf_err *e);

#endif
