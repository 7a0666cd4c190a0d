/* Shared by packer and unpacker, so that both build the same index. Private to chunk. */
#ifndef CHUNK_PRIV_H
#define CHUNK_PRIV_H

#include "chunk/chunk.h"

#define NAMELESS 0xFFFFFFFFU /* offset of an entry in whose chunk no record starts */

/* The last name seen; names ascend by bytes over a whole stream. */
struct last_name {
    uint8_t bytes[FLOW_NAME_MAX];
    size_t len; /* 0: none yet */
};

/* True and remembered when `name` comes after the last one. */
bool chunk_name_next(struct last_name *last, struct cf_rd name);

/* A record starts at `place` of the stream. Only a chunk's first one makes an entry. */
CF_CHECK enum cf_rc chunk_index_note(struct chunk_index *x, uint8_t chunk_log2, uint64_t place,
                                     struct cf_rd name, struct cf_err *e);
/* The stream is known up to `chunks`: those without a start get their empty entries. */
CF_CHECK enum cf_rc chunk_index_upto(struct chunk_index *x, uint64_t chunks, struct cf_err *e);

#endif
