#include "chunk_priv.h"

#include <stdlib.h>

struct chunk_packer {
    struct chunk_packing how;
    uint64_t number; /* of the open block */
    uint64_t place;  /* of its first byte */
    uint64_t records;
    struct last_name last;
};

enum cf_rc chunk_packer_new(const struct chunk_packing *how, struct chunk_packer **out,
                            struct cf_err *e)
{
    if (how->block_max == 0 || how->block_max & ((1U << how->chunk_log2) - 1))
        return CF_FAIL(e, CF_E_ARG, "a record block is whole chunks");
    struct chunk_packer *p = calloc(1, sizeof *p);
    if (!p)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    p->how = *how;
    *out = p;
    return CF_OK;
}

void chunk_packer_free(struct chunk_packer *p)
{
    free(p);
}

enum cf_rc chunk_packer_put(struct chunk_packer *p, struct cf_buf *block, const void *record,
                            size_t len, bool *fits, struct cf_err *e)
{
    struct cf_rd name;
    uint8_t head[4];
    if (len == 0 || len > FLOW_RECORD_MAX || len + sizeof head > p->how.block_max)
        return CF_FAIL(e, CF_E_LIMIT, "a record of %zu bytes is over the limit", len);
    *fits = block->len + sizeof head + len <= p->how.block_max;
    if (!*fits)
        return CF_OK;
    enum cf_rc rc = chunk_record_name(record, len, &name, e);
    if (rc != CF_OK)
        return rc;
    if (!chunk_name_next(&p->last, name))
        return CF_FAIL(e, CF_E_ARG, "records must come in ascending order of names");
    rc = chunk_index_note(p->how.index, p->how.chunk_log2, p->place + block->len, name, e);
    cf_le32(head, (uint32_t)len);
    if (rc == CF_OK)
        rc = cf_buf_put(block, head, sizeof head, e);
    if (rc == CF_OK)
        rc = cf_buf_put(block, record, len, e);
    if (rc == CF_OK)
        p->records++;
    return rc;
}

enum cf_rc chunk_packer_close(struct chunk_packer *p, struct cf_buf *block, bool last,
                              struct flow_block *out, struct cf_err *e)
{
    size_t chunk = (size_t)1 << p->how.chunk_log2;
    if (block->len == 0)
        return CF_FAIL(e, CF_E_ARG, "an empty block is not sent");
    enum cf_rc rc = cf_buf_resize(block, (block->len + chunk - 1) & ~(chunk - 1), e);
    if (rc != CF_OK)
        return rc;
    *out = (struct flow_block){ .stream = p->how.stream,
                                .chunk_log2 = p->how.chunk_log2,
                                .last = last,
                                .number = p->number,
                                .place = p->place,
                                .covered = (uint32_t)block->len };
    p->number++;
    p->place += block->len;
    return chunk_index_upto(p->how.index, p->place >> p->how.chunk_log2, e);
}

uint64_t chunk_packer_records(const struct chunk_packer *p)
{
    return p->records;
}
