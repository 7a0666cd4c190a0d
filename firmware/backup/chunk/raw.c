#include "chunk/chunk.h"

#include <string.h>

uint32_t chunk_raw_block(uint64_t size)
{
    uint32_t block = FLOW_RECORD_BLOCK;
    while (block < (64U << 20) && (size + block - 1) / block > FLOW_BLOB_BLOCKS)
        block *= 2;
    return block;
}

uint64_t chunk_raw_blocks(uint64_t size)
{
    uint32_t block = chunk_raw_block(size);
    return size / block + (size % block != 0);
}

void chunk_raw_shape(uint64_t size, struct flow_block *out)
{
    uint32_t block = chunk_raw_block(size);
    uint64_t place = out->number * block;
    uint64_t left = size - place;
    out->last = left <= block;
    out->mapped = true;
    out->place = place;
    out->covered = left < block ? (uint32_t)left : block;
    memset(out->map, 0, sizeof out->map);
}

/* Reads on while all is one value; CF_OK with FLOW_SENT at the first byte that is not. */
static enum cf_rc probe_chunk(const struct flow_reader *from, uint64_t place, uint32_t len,
                              uint8_t *scratch, enum flow_fill *fill, struct cf_err *e)
{
    uint32_t step = len < CHUNK_PROBE ? len : CHUNK_PROBE;
    *fill = FLOW_SENT;
    enum flow_fill seen = FLOW_SENT;
    for (uint32_t done = 0; done < len; done += step, step = CHUNK_SCRATCH) {
        if (step > len - done)
            step = len - done;
        enum cf_rc rc = from->read(from->ctx, place + done, scratch, step, e);
        if (rc != CF_OK)
            return rc;
        if (done == 0)
            seen = scratch[0] == 0x00 ? FLOW_ZEROS : scratch[0] == 0xff ? FLOW_ONES : FLOW_SENT;
        uint8_t value = seen == FLOW_ONES ? 0xff : 0x00;
        if (seen == FLOW_SENT || !cf_all_bytes(scratch, step, value))
            return CF_OK;
    }
    *fill = seen;
    return CF_OK;
}

enum cf_rc chunk_raw_probe(struct flow_block *b, const struct flow_reader *from,
                           uint8_t scratch[CHUNK_SCRATCH], struct cf_err *e)
{
    uint32_t n = flow_chunks(b);
    memset(b->map, 0, sizeof b->map);
    for (uint32_t i = 0; i < n; i++) {
        enum flow_fill fill = FLOW_SENT;
        uint64_t place = b->place + ((uint64_t)i << b->chunk_log2);
        enum cf_rc rc = probe_chunk(from, place, flow_chunk_len(b, i), scratch, &fill, e);
        if (rc != CF_OK)
            return rc;
        flow_map_set(b, i, fill);
    }
    return CF_OK;
}
