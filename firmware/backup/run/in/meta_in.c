#include "run_priv.h"

#include <stdio.h>
#include <string.h>

static enum cf_rc check_size(const char *name, uint64_t want, uint64_t got, struct cf_err *e)
{
    return want == got ? CF_OK
                       : CF_FAIL(e, CF_E_CORRUPT, "blob %s has %llu bytes instead of %llu", name,
                                 (unsigned long long)got, (unsigned long long)want);
}

static uint64_t meta_wire(const struct manifest *m)
{
    uint64_t wire = 0;
    for (size_t i = 0; i < m->meta.count; i++)
        wire += m->meta.blocks[i].wire;
    return wire;
}

/* --- the whole of it
 * --------------------------------------------------------------------------------- */

static enum cf_rc put_meta(void *ctx, uint64_t place, const void *data, size_t len,
                           struct cf_err *e)
{
    struct cf_buf *meta = ctx;
    (void)e;
    memcpy(meta->data + place, data, len);
    return CF_OK;
}

static enum cf_rc fill_meta(void *ctx, uint64_t place, size_t len, uint8_t value, struct cf_err *e)
{
    (void)ctx, (void)place, (void)len, (void)value;
    return CF_FAIL(e, CF_E_CORRUPT, "`meta` leaves nothing out");
}

static enum cf_rc get_meta_block(struct backup_in *b, size_t i, uint64_t offset,
                                 struct seal_opener *o, struct cf_err *e)
{
    struct flow_block block;
    const struct flow_receipt *r = &b->m.meta.blocks[i];
    struct seal_expect x = { .run = &b->seal,
                             .block = &block,
                             .receipt = r,
                             .to = { .put = put_meta, .fill = fill_meta, .ctx = &b->meta } };
    struct far_range what = { .name = b->m.meta.blob, .first = offset, .count = r->wire };
    uint64_t size = 0;
    manifest_meta_block(&b->m, i, &block);
    enum cf_rc rc = far_get_block(b->j, &what, o, &x, &size, e);
    atomic_fetch_add(&b->j->wire_bytes, r->wire);
    return rc == CF_OK ? check_size(b->m.meta.blob, meta_wire(&b->m), size, e) : rc;
}

enum cf_rc backup_in_meta(struct backup_in *b, struct cf_err *e)
{
    struct seal_opener *o = NULL;
    uint64_t offset = 0;
    if (b->m.meta.plain > CF_BUF_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "the tables of this backup need too much memory");
    enum cf_rc rc = cf_buf_resize(&b->meta, (size_t)b->m.meta.plain, e);
    if (rc == CF_OK)
        rc = seal_opener_new(b->m.meta.chunk_log2, &o, e);
    for (size_t i = 0; rc == CF_OK && i < b->m.meta.count; i++) {
        rc = get_meta_block(b, i, offset, o, e);
        offset += b->m.meta.blocks[i].wire;
    }
    seal_opener_free(o);
    for (size_t i = 0; rc == CF_OK && i < b->m.stream_count; i++)
        rc = manifest_table_check(&b->m, i, b->meta.data + b->m.streams[i].table_offset, e);
    return rc;
}

/* --- a few chunks of it
 * ------------------------------------------------------------------------------ */

/* Fetches and opens the chunk of `meta` that holds plain byte `at`. A small backup has table and
 * index in one, so it is kept for the next look. */
static enum cf_rc get_chunk(struct backup_in *b, uint64_t at, struct cf_err *e)
{
    struct flow_block block;
    struct cf_buf *wire = &b->chunk;
    uint64_t offset = 0;
    size_t i = 0;
    while (i + 1 < b->m.meta.count && at >= b->m.meta.blocks[i + 1].place)
        offset += b->m.meta.blocks[i++].wire;
    manifest_meta_block(&b->m, i, &block);
    uint32_t c = (uint32_t)((at - block.place) >> block.chunk_log2);
    struct seal_expect x = { .run = &b->seal, .block = &block, .receipt = &b->m.meta.blocks[i] };
    struct far_range what = { .name = b->m.meta.blob,
                              .first = offset + seal_chunk_offset(&block, c),
                              .count = seal_chunk_wire(&block, c) };
    uint64_t size = 0;
    cf_buf_clear(wire);
    enum cf_rc rc = far_get(b->j, &what, wire, &size, e);
    if (rc == CF_OK)
        rc = check_size(b->m.meta.blob, meta_wire(&b->m), size, e);
    if (rc == CF_OK)
        rc = seal_chunk_open(&x, c, wire->data, e);
    if (rc == CF_OK)
        rc = cf_buf_resize(wire, flow_chunk_len(&block, c), e);
    else
        cf_buf_clear(wire); /* not what it should be */
    b->chunk_at = block.place + ((uint64_t)c << block.chunk_log2);
    atomic_fetch_add(&b->j->wire_bytes, what.count);
    return rc;
}

enum cf_rc backup_in_meta_range(struct backup_in *b, uint64_t offset, uint64_t len,
                                struct cf_buf *out, struct cf_err *e)
{
    size_t before = out->len;
    enum cf_rc rc = CF_OK;
    if (offset + len > b->m.meta.plain || len > CF_BUF_MAX)
        return CF_FAIL(e, CF_E_CORRUPT, "a section of `meta` that is not there");
    while (rc == CF_OK && out->len - before < len) {
        uint64_t at = offset + (out->len - before), left = offset + len - at;
        if (at < b->chunk_at || at - b->chunk_at >= b->chunk.len)
            rc = get_chunk(b, at, e);
        uint64_t there = rc == CF_OK ? b->chunk.len - (at - b->chunk_at) : 0;
        if (rc == CF_OK)
            rc = cf_buf_put(out, b->chunk.data + (at - b->chunk_at),
                            (size_t)(left < there ? left : there), e);
    }
    return rc;
}

/* --- where blocks lie
 * -------------------------------------------------------------------------------- */

void backup_in_place(const struct backup_in *b, uint32_t stream, const uint8_t *rows, uint64_t i,
                     struct block_place *out)
{
    const struct manifest_stream *s = &b->m.streams[stream];
    struct flow_receipt row;
    *out = (struct block_place){ 0 };
    if (b->m.layout == MANIFEST_WHOLE) {
        flow_row_get(rows + i * FLOW_ROW_SIZE, &row);
        manifest_block_name(stream, i, row.salt, out->name);
        out->blob_bytes = row.wire;
        return;
    }
    size_t part = 0;
    while (i >= s->blobs[part].first + s->blobs[part].blocks)
        part++;
    snprintf(out->name, sizeof out->name, "%s", s->blobs[part].name);
    out->blob_bytes = s->blobs[part].bytes;
    for (uint64_t n = s->blobs[part].first; n < i; n++) {
        flow_row_get(rows + n * FLOW_ROW_SIZE, &row);
        out->offset += row.wire;
    }
}
