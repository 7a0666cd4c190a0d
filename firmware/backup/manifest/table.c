#include "manifest/manifest.h"

#include <string.h>

void manifest_table_block(const struct manifest *m, size_t number, const uint8_t *rows, uint64_t i,
                          struct flow_block *block, struct flow_receipt *receipt)
{
    const struct manifest_stream *s = &m->streams[number];
    flow_row_get(rows + i * FLOW_ROW_SIZE, receipt);
    *block = (struct flow_block){ .stream = (uint32_t)number,
                                  .chunk_log2 = s->chunk_log2,
                                  .last = i + 1 == s->blocks,
                                  .mapped = s->kind == FLOW_RAW,
                                  .number = i,
                                  .place = receipt->place,
                                  .covered = receipt->covered };
}

void manifest_meta_block(const struct manifest *m, size_t i, struct flow_block *block)
{
    const struct flow_receipt *r = &m->meta.blocks[i];
    *block = (struct flow_block){ .stream = FLOW_META,
                                  .chunk_log2 = m->meta.chunk_log2,
                                  .last = i + 1 == m->meta.count,
                                  .number = i,
                                  .place = r->place,
                                  .covered = r->covered };
}

/* A raw block's length depends on its map, which comes with it: here only its bounds. */
static bool wire_fits(const struct flow_block *b, uint32_t wire)
{
    uint32_t full = flow_wire(b);
    if (!b->mapped)
        return wire == full;
    return wire <= full && wire >= FLOW_HEADER_SIZE + flow_map_len(b) + FLOW_TAG_SIZE;
}

static enum cf_rc check_row(const struct flow_block *b, const struct flow_receipt *r,
                            uint64_t place, bool digests, struct cf_err *e)
{
    bool has = !cf_all_bytes(r->digest, FLOW_DIGEST_SIZE, 0);
    enum cf_rc rc = flow_block_check(b, e);
    if (rc != CF_OK)
        return rc;
    if (r->place != place || !wire_fits(b, r->wire) || has != digests ||
        (!b->mapped && (b->covered & ((1U << b->chunk_log2) - 1))))
        return CF_FAIL(e, CF_E_CORRUPT, "row of the table disagrees");
    return CF_OK;
}

enum cf_rc manifest_table_check(const struct manifest *m, size_t number, const uint8_t *rows,
                                struct cf_err *e)
{
    const struct manifest_stream *s = &m->streams[number];
    uint64_t place = 0, wire = 0, in_blob = 0, blob_bytes = 0;
    size_t blob = 0;
    bool digests =
        s->kind != FLOW_RAW || (s->blocks && !cf_all_bytes(rows + 48, FLOW_DIGEST_SIZE, 0));
    for (uint64_t i = 0; i < s->blocks; i++) {
        struct flow_block b;
        struct flow_receipt r;
        manifest_table_block(m, number, rows, i, &b, &r);
        enum cf_rc rc = check_row(&b, &r, place, digests, e);
        if (rc != CF_OK)
            return cf_err_ctx(e, rc, "block %llu of stream %zu", (unsigned long long)i, number);
        place += r.covered;
        wire += r.wire;
        blob_bytes += r.wire;
        if (m->layout == MANIFEST_LISTS && ++in_blob == s->blobs[blob].blocks) {
            if (blob_bytes != s->blobs[blob].bytes)
                return CF_FAIL(e, CF_E_CORRUPT, "blob %s is not the sum of its blocks",
                               s->blobs[blob].name);
            blob++;
            in_blob = blob_bytes = 0;
        }
    }
    if (place != s->plain || wire != s->wire)
        return CF_FAIL(e, CF_E_CORRUPT, "sums of stream %zu disagree", number);
    return CF_OK;
}
