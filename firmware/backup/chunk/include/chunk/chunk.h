/*
 * Stage 2: a stream becomes numbered blocks of chunks, and back.
 * Raw streams are cut at fixed places, their erased and zeroed chunks left out; record streams are
 * packed at record boundaries, with an index by name. Rules: ../../FORMAT.md, 3.1 to 3.3.
 * Threads: an object belongs to one thread at a time.
 */
#ifndef CHUNK_CHUNK_H
#define CHUNK_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "flow/flow.h"

/* --- raw streams ---------------------------------------------------------------------------- */

#define CHUNK_PROBE   4096  /* bytes read of each chunk before more is read of it */
#define CHUNK_SCRATCH 65536 /* what chunk_raw_probe needs beside the block */

/* 8, 16, 32 or 64 MiB, so that one blob holds the stream as long as it can. */
uint32_t chunk_raw_block(uint64_t size);
uint64_t chunk_raw_blocks(uint64_t size);

/* The numbers of block out->number, with an empty map; out->stream and out->chunk_log2 are set. */
void chunk_raw_shape(uint64_t size, struct flow_block *out);

/* Fills the map by reading: a chunk that is all 00 or all FF is left out. After it the wire length
 * is fixed. */
CF_CHECK enum cf_rc chunk_raw_probe(struct flow_block *b, const struct flow_reader *from,
                                    uint8_t scratch[CHUNK_SCRATCH], struct cf_err *e);

/* --- record streams -------------------------------------------------------------------------- */

/* Key 1 of a record: its name, borrowed. CF_E_CORRUPT: no map that begins with a text. */
CF_CHECK enum cf_rc chunk_record_name(const void *record, size_t len, struct cf_rd *name,
                                      struct cf_err *e);

/* Negative, 0, positive: names by bytes, a prefix first. Takes time by content: not for secrets. */
int chunk_name_order(struct cf_rd a, struct cf_rd b);

/* One run of index entries that is read at once. */
struct chunk_segment {
    char name[FLOW_NAME_MAX + 1]; /* of its first entry */
    uint64_t offset;              /* in the index */
    uint32_t len;
    uint64_t chunk; /* number of its first chunk */
};

#define CHUNK_SEGMENT_CUT 32768 /* writer: a named entry that would pass it begins a segment */
#define CHUNK_SEGMENT_MAX 65536 /* reader */

/* Index under construction: zero-initialise, clear with chunk_index_clear. */
struct chunk_index {
    struct cf_buf bytes;
    struct chunk_segment *segments;
    size_t count;
    size_t room;
    uint64_t chunks; /* entries so far */
};
void chunk_index_clear(struct chunk_index *x);

/* Packs records into blocks that the caller lends, one behind the other. */
struct chunk_packer;
struct chunk_packing {
    uint32_t stream;
    uint8_t chunk_log2;        /* FLOW_CHUNK_LOG2 but in tests */
    uint32_t block_max;        /* FLOW_RECORD_BLOCK but in tests: whole chunks; a record must fit */
    struct chunk_index *index; /* borrowed; grows */
};
CF_CHECK enum cf_rc chunk_packer_new(const struct chunk_packing *how, struct chunk_packer **out,
                                     struct cf_err *e);
void chunk_packer_free(struct chunk_packer *p);

/* Appends the record to `block`, whose content is this packer's alone until chunk_packer_close.
 * *fits false: nothing was appended; close the block and come again with the next one.
 * CF_E_ARG: names do not ascend; CF_E_LIMIT: over 4 MiB. */
CF_CHECK enum cf_rc chunk_packer_put(struct chunk_packer *p, struct cf_buf *block,
                                     const void *record, size_t len, bool *fits, struct cf_err *e);

/* Pads `block` to whole chunks and gives its numbers. Not for an empty block. */
CF_CHECK enum cf_rc chunk_packer_close(struct chunk_packer *p, struct cf_buf *block, bool last,
                                       struct flow_block *out, struct cf_err *e);

uint64_t chunk_packer_records(const struct chunk_packer *p);

/* --- and back --------------------------------------------------------------------------------- */

/* Takes one record, borrowed. *stop true ends the walk early. */
struct chunk_taker {
    enum cf_rc (*take)(void *ctx, struct cf_rd name, const void *record, size_t len, bool *stop,
                       struct cf_err *e);
    void *ctx;
};

/* Splits the opened bytes of blocks into records; checks lengths, padding and order. */
struct chunk_unpacker;
/* `index` may be NULL; else it is rebuilt from what is read, for comparison with the sealed one. */
CF_CHECK enum cf_rc chunk_unpacker_new(uint8_t chunk_log2, struct chunk_taker taker,
                                       struct chunk_index *index, struct chunk_unpacker **out,
                                       struct cf_err *e);
void chunk_unpacker_free(struct chunk_unpacker *u);

/* The next `left` bytes are (the rest of) one block, beginning at a record. */
CF_CHECK enum cf_rc chunk_unpacker_block(struct chunk_unpacker *u, uint32_t left, struct cf_err *e);
CF_CHECK enum cf_rc chunk_unpacker_push(struct chunk_unpacker *u, const void *data, size_t len,
                                        struct cf_err *e);
/* The block is whole. CF_E_CORRUPT: it ended inside a record. */
CF_CHECK enum cf_rc chunk_unpacker_end(struct chunk_unpacker *u, struct cf_err *e);
uint64_t chunk_unpacker_records(const struct chunk_unpacker *u);
bool chunk_unpacker_stopped(const struct chunk_unpacker *u);

/* Where to begin for `name` in one segment: the last entry whose name is not greater, or the
 * segment's first. CF_E_CORRUPT: entries malformed or not ascending. */
CF_CHECK enum cf_rc chunk_index_find(const struct chunk_segment *s, const void *bytes,
                                     const char *name, uint64_t *chunk, uint32_t *offset,
                                     struct cf_err *e);

#endif
