/*
 * What travels between the stages of a backup, and nothing else: the shape of a block, the receipt
 * of a sent one, and the callbacks by which one stage pulls from the one before it.
 * Numbers and bytes: ../../FORMAT.md, 3.1, 3.3 and 5. Data only; no I/O, no allocation.
 * Threads: any; a value belongs to one thread at a time.
 */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FLOW_ID_SIZE     16
#define FLOW_SALT_SIZE   32
#define FLOW_DIGEST_SIZE 32
#define FLOW_TAG_SIZE    16

#define FLOW_META         0xFFFFFFFFU /* stream number of `meta` */
#define FLOW_CHUNK_LOG2   18          /* 256 KiB: the unit of sealing */
#define FLOW_META_LOG2    16          /* 64 KiB: `meta` is read in small pieces */
#define FLOW_LOG2_MIN     16          /* and 12, in vectors only; writers take the two above */
#define FLOW_LOG2_MAX     20
#define FLOW_LOG2_VECTORS 12
#define FLOW_CHUNKS_MAX   4096       /* of a block: the counter in the nonce stays far below 2^32 */
#define FLOW_COVERED_MAX  (1U << 28) /* plain bytes of a block */
#define FLOW_MAP_MAX      (FLOW_CHUNKS_MAX / 4)
#define FLOW_HEADER_SIZE  96
#define FLOW_ROW_SIZE     80
#define FLOW_STREAMS_MAX  256
#define FLOW_BLOBS_MAX    4096  /* of a stream */
#define FLOW_BLOB_BLOCKS  32768 /* writers; readers take up to 50,000 */
#define FLOW_BLOB_READ    50000
#define FLOW_RECORD_BLOCK (8U << 20) /* plain bytes of a block of records or of `meta` */
#define FLOW_RECORD_MAX   (4U << 20)
#define FLOW_NAME_MAX     255 /* of a record; partition names end at 64 */

enum flow_kind { FLOW_KEYS = 1, FLOW_POLICY = 2, FLOW_RAW = 3 };

/* Map values of a chunk. */
enum flow_fill { FLOW_SENT = 0, FLOW_ZEROS = 1, FLOW_ONES = 2 };

/* A block before any attempt to send it: all of it is bound into the attempt's key. */
struct flow_block {
    uint32_t stream;
    uint8_t chunk_log2;
    bool last;        /* of its stream */
    bool mapped;      /* `map` counts: exactly on raw streams */
    uint64_t number;  /* in the stream, from 0 */
    uint64_t place;   /* offset of its first plain byte in the stream */
    uint32_t covered; /* plain bytes, left-out chunks included; >= 1 */
    uint8_t map[FLOW_MAP_MAX];
};

/* The committed attempt at a block: one row of the sealed table. */
struct flow_receipt {
    uint8_t salt[FLOW_SALT_SIZE];
    uint64_t place;
    uint32_t covered;
    uint32_t wire;
    uint8_t digest[FLOW_DIGEST_SIZE]; /* SHA-256 of the wire bytes, or zeros */
};

/* Pulls `len` plain bytes that begin at `place` of the stream. Called from the transfer thread
 * that sends the block; a failure fails the attempt. */
struct flow_reader {
    enum cf_rc (*read)(void *ctx, uint64_t place, void *dst, size_t len, struct cf_err *e);
    void *ctx;
};

/* Takes opened bytes, each chunk once its tag has been checked, in rising order within a block.
 * `fill` stands for a left-out chunk. */
struct flow_sink {
    enum cf_rc (*put)(void *ctx, uint64_t place, const void *data, size_t len, struct cf_err *e);
    enum cf_rc (*fill)(void *ctx, uint64_t place, size_t len, uint8_t value, struct cf_err *e);
    void *ctx;
};

/* Debug builds tell each (key, nonce) pair that seals, so that tests see none twice. */
struct flow_recorder {
    void (*record)(void *ctx, const uint8_t key[32], const uint8_t nonce[12]);
    void *ctx;
};
void flow_record(const struct flow_recorder *r, const uint8_t key[32], const uint8_t nonce[12]);

bool flow_log2_ok(unsigned chunk_log2);
uint32_t flow_chunks(const struct flow_block *b);                /* n = ceil(covered / chunk) */
uint32_t flow_chunk_len(const struct flow_block *b, uint32_t i); /* plain bytes of chunk i < n */
size_t flow_map_len(const struct flow_block *b);                 /* 16 k, 0 without a map */
enum flow_fill flow_map_get(const struct flow_block *b, uint32_t i);
void flow_map_set(struct flow_block *b, uint32_t i, enum flow_fill v);

/* Bytes of the block as sent, header and tags included (FORMAT 3.1, W). */
uint32_t flow_wire(const struct flow_block *b);

/* What may be wrong with numbers and map that came from outside: ranges, value 3, set padding.
 * CF_E_CORRUPT or CF_E_LIMIT. */
CF_CHECK enum cf_rc flow_block_check(const struct flow_block *b, struct cf_err *e);
CF_CHECK enum cf_rc flow_map_check(const struct flow_block *b, struct cf_err *e);

/* A row of the table, FORMAT 3.3. */
void flow_row_put(const struct flow_receipt *r, uint8_t out[FLOW_ROW_SIZE]);
void flow_row_get(const uint8_t row[FLOW_ROW_SIZE], struct flow_receipt *out);

#endif
