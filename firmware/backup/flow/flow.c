#include "flow/flow.h"

#include <string.h>

#include "base/buf.h"

#if CF_DEBUG_RECORDERS
void flow_record(const struct flow_recorder *r, const uint8_t key[32], const uint8_t nonce[12])
{
    if (r && r->record)
        r->record(r->ctx, key, nonce);
}
#else
void flow_record(const struct flow_recorder *r, const uint8_t key[32], const uint8_t nonce[12])
{
    (void)r, (void)key, (void)nonce;
}
#endif

bool flow_log2_ok(unsigned v)
{
    return v == FLOW_LOG2_VECTORS || (v >= FLOW_LOG2_MIN && v <= FLOW_LOG2_MAX);
}

uint32_t flow_chunks(const struct flow_block *b)
{
    uint32_t chunk = 1U << b->chunk_log2;
    return (b->covered + (chunk - 1)) >> b->chunk_log2;
}

uint32_t flow_chunk_len(const struct flow_block *b, uint32_t i)
{
    uint32_t chunk = 1U << b->chunk_log2;
    uint32_t left = b->covered - (i << b->chunk_log2);
    return left < chunk ? left : chunk;
}

size_t flow_map_len(const struct flow_block *b)
{
    return b->mapped ? (size_t)16 * ((flow_chunks(b) + 63) / 64) : 0;
}

enum flow_fill flow_map_get(const struct flow_block *b, uint32_t i)
{
    if (!b->mapped)
        return FLOW_SENT;
    return (enum flow_fill)(b->map[i / 4] >> (2 * (i % 4)) & 3);
}

void flow_map_set(struct flow_block *b, uint32_t i, enum flow_fill v)
{
    unsigned shift = 2 * (i % 4);
    b->map[i / 4] = (uint8_t)((b->map[i / 4] & ~(3U << shift)) | ((unsigned)v << shift));
}

uint32_t flow_wire(const struct flow_block *b)
{
    uint32_t wire = (uint32_t)(FLOW_HEADER_SIZE + flow_map_len(b) + FLOW_TAG_SIZE);
    uint32_t n = flow_chunks(b);
    for (uint32_t i = 0; i < n; i++)
        if (flow_map_get(b, i) == FLOW_SENT)
            wire += flow_chunk_len(b, i) + FLOW_TAG_SIZE;
    return wire;
}

enum cf_rc flow_block_check(const struct flow_block *b, struct cf_err *e)
{
    if (!flow_log2_ok(b->chunk_log2))
        return CF_FAIL(e, CF_E_CORRUPT, "chunk size 2^%u is not allowed", b->chunk_log2);
    if (b->covered == 0)
        return CF_FAIL(e, CF_E_CORRUPT, "a block covers nothing");
    if (b->covered > FLOW_COVERED_MAX || flow_chunks(b) > FLOW_CHUNKS_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a block of %u bytes is over the limit", b->covered);
    if (!b->last && (b->covered & ((1U << b->chunk_log2) - 1)))
        return CF_FAIL(e, CF_E_CORRUPT, "a block ends inside a chunk and is not the last");
    if (b->place > UINT64_MAX - b->covered)
        return CF_FAIL(e, CF_E_CORRUPT, "a block lies past the end of numbers");
    return CF_OK;
}

enum cf_rc flow_map_check(const struct flow_block *b, struct cf_err *e)
{
    uint32_t n = flow_chunks(b);
    uint32_t slots = (uint32_t)(flow_map_len(b) * 4);
    for (uint32_t i = 0; i < slots; i++) {
        unsigned v = (unsigned)b->map[i / 4] >> (2 * (i % 4)) & 3U;
        if (v == 3 || (i >= n && v != 0))
            return CF_FAIL(e, CF_E_CORRUPT, "map of block %llu: bad value at chunk %u",
                           (unsigned long long)b->number, i);
    }
    return CF_OK;
}

void flow_row_put(const struct flow_receipt *r, uint8_t out[FLOW_ROW_SIZE])
{
    memcpy(out, r->salt, FLOW_SALT_SIZE);
    cf_le64(out + 32, r->place);
    cf_le32(out + 40, r->covered);
    cf_le32(out + 44, r->wire);
    memcpy(out + 48, r->digest, FLOW_DIGEST_SIZE);
}

void flow_row_get(const uint8_t row[FLOW_ROW_SIZE], struct flow_receipt *out)
{
    struct cf_rd rd = cf_rd_of(row, FLOW_ROW_SIZE);
    memcpy(out->salt, cf_rd_bytes(&rd, FLOW_SALT_SIZE), FLOW_SALT_SIZE);
    out->place = cf_rd_le64(&rd);
    out->covered = cf_rd_le32(&rd);
    out->wire = cf_rd_le32(&rd);
    memcpy(out->digest, cf_rd_bytes(&rd, FLOW_DIGEST_SIZE), FLOW_DIGEST_SIZE);
}
