/*
 * Stage 3: a block of plain bytes becomes the bytes on the wire, and back.
 * Each pass over a block's plain bytes takes a fresh salt and with it a key of its own, so a nonce
 * that repeats from pass to pass never meets the same key twice. Bytes: ../../FORMAT.md, 3.1 and 4.
 * Threads: salts from any; a writer or opener belongs to one thread at a time.
 */
#ifndef SEAL_SEAL_H
#define SEAL_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "flow/flow.h"
#include "hal/clock.h"
#include "hal/entropy.h"

/* What a run owns and every block of it shares. All borrowed. */
struct seal_run {
    const struct cf_secret *dk; /* the backup's data key, 32 bytes */
    uint8_t backup_id[FLOW_ID_SIZE];
    const struct flow_recorder *recorder; /* NULL but in tests */
};

/* --- salts ------------------------------------------------------------------------------------ */

struct seal_salts;
/* Draws the run's random key and mixes `other` into it, 32 bytes of the token's random source, so
 * that two runs differ though one source is stuck. Entropy and clock are borrowed. */
CF_CHECK enum cf_rc seal_salts_new(struct hal_entropy *entropy, struct hal_clock *clock,
                                   const uint8_t other[32], struct seal_salts **out,
                                   struct cf_err *e);
void seal_salts_free(struct seal_salts *s); /* wipes; NULL is a no-op */
/* Never the same twice, even from a stuck random source: attempt number and clock are mixed in. */
CF_CHECK enum cf_rc seal_salts_next(struct seal_salts *s, uint8_t out[FLOW_SALT_SIZE],
                                    struct cf_err *e);

/* --- one way ---------------------------------------------------------------------------------- */

/* The least room a pull is asked with: a header with the largest map, or one chunk with its tag. */
#define SEAL_PIECE(chunk_log2) (((size_t)1 << (chunk_log2)) + FLOW_TAG_SIZE)

/* One a connection, used again for each attempt. */
struct seal_writer;
CF_CHECK enum cf_rc seal_writer_new(struct seal_writer **out, struct cf_err *e);
void seal_writer_free(struct seal_writer *w);

/* One attempt: all borrowed until the last byte was pulled. */
struct seal_pass {
    const struct seal_run *run;
    const struct flow_block *block; /* map included */
    const uint8_t *salt;            /* fresh; FLOW_SALT_SIZE */
    struct flow_reader from;
    bool digest; /* of the wire bytes: record streams and `meta` */
};

CF_CHECK enum cf_rc seal_writer_begin(struct seal_writer *w, const struct seal_pass *p,
                                      struct cf_err *e);

/* The next wire bytes, as many whole pieces as fit: read into `dst` and sealed there while hot.
 * *got 0: all was pulled. A failure ends the attempt. CF_E_ARG: `cap` is under SEAL_PIECE. */
CF_CHECK enum cf_rc seal_writer_pull(struct seal_writer *w, uint8_t *dst, size_t cap, size_t *got,
                                     struct cf_err *e);

/* The row of the table. CF_E_STATE: not all was pulled. */
CF_CHECK enum cf_rc seal_writer_receipt(struct seal_writer *w, struct flow_receipt *out,
                                        struct cf_err *e);

/* --- and back --------------------------------------------------------------------------------- */

/* One a connection: holds one chunk. */
struct seal_opener;
/* `chunk_log2`: the largest that will be met. */
CF_CHECK enum cf_rc seal_opener_new(uint8_t chunk_log2, struct seal_opener **out, struct cf_err *e);
void seal_opener_free(struct seal_opener *o);

/* What the sealed table says of the block; its map comes with the block. All borrowed. */
struct seal_expect {
    const struct seal_run *run;
    const struct flow_block *block;     /* `map` ignored */
    const struct flow_receipt *receipt; /* digest of zeros: none */
    struct flow_sink to;
    uint8_t *digest; /* NULL, or gets the SHA-256 of the block as sent, once it is proven */
};

CF_CHECK enum cf_rc seal_opener_begin(struct seal_opener *o, const struct seal_expect *x,
                                      struct cf_err *e);

/* Wire bytes in order, in pieces of any size. Each chunk reaches the sink once its tag is checked.
 * CF_E_AUTH: not the block that the table names; CF_E_CORRUPT: malformed or too long. */
CF_CHECK enum cf_rc seal_opener_push(struct seal_opener *o, const void *data, size_t len,
                                     struct cf_err *e);

/* All came. CF_E_CORRUPT: too short; CF_E_AUTH: the digest differs. */
CF_CHECK enum cf_rc seal_opener_end(struct seal_opener *o, struct cf_err *e);

/* --- one chunk alone, of a stream without map (selective restore) ------------------------------
 */

uint32_t seal_chunk_offset(const struct flow_block *b, uint32_t i); /* in the block's wire bytes */
uint32_t seal_chunk_wire(const struct flow_block *b, uint32_t i);   /* with tag */

/* Opens `wire` (seal_chunk_wire bytes) in place: its first flow_chunk_len bytes are then plain. */
CF_CHECK enum cf_rc seal_chunk_open(const struct seal_expect *x, uint32_t i, uint8_t *wire,
                                    struct cf_err *e);

#endif
