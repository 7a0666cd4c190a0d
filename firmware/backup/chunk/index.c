#include "chunk_priv.h"

#include <stdlib.h>
#include <string.h>

void chunk_index_clear(struct chunk_index *x)
{
    if (!x)
        return;
    cf_buf_clear(&x->bytes);
    free(x->segments);
    *x = (struct chunk_index){ 0 };
}

int chunk_name_order(struct cf_rd a, struct cf_rd b)
{
    size_t common = a.left < b.left ? a.left : b.left;
    int order = common ? memcmp(a.p, b.p, common) : 0;
    return order ? order : (a.left > b.left) - (a.left < b.left);
}

bool chunk_name_next(struct last_name *last, struct cf_rd name)
{
    if (name.left == 0 || name.left > FLOW_NAME_MAX ||
        (last->len && chunk_name_order(cf_rd_of(last->bytes, last->len), name) >= 0))
        return false;
    memcpy(last->bytes, name.p, name.left);
    last->len = name.left;
    return true;
}

static enum cf_rc put_entry(struct chunk_index *x, struct cf_rd name, uint32_t offset,
                            struct cf_err *e)
{
    uint8_t head[2], tail[4];
    cf_le16(head, (uint16_t)name.left);
    cf_le32(tail, offset);
    enum cf_rc rc = cf_buf_put(&x->bytes, head, sizeof head, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&x->bytes, name.p, name.left, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&x->bytes, tail, sizeof tail, e);
    if (rc == CF_OK) {
        x->segments[x->count - 1].len += (uint32_t)(name.left + 6);
        x->chunks++;
    }
    return rc;
}

static enum cf_rc begin_segment(struct chunk_index *x, struct cf_rd name, struct cf_err *e)
{
    if (x->count == x->room) {
        size_t room = x->room ? 2 * x->room : 8;
        struct chunk_segment *more = realloc(x->segments, room * sizeof *more);
        if (!more)
            return CF_FAIL(e, CF_E_LIMIT, "no memory for the index");
        x->segments = more;
        x->room = room;
    }
    struct chunk_segment *s = &x->segments[x->count++];
    *s = (struct chunk_segment){ .offset = x->bytes.len, .chunk = x->chunks };
    memcpy(s->name, name.p, name.left);
    return CF_OK;
}

enum cf_rc chunk_index_upto(struct chunk_index *x, uint64_t chunks, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && x->chunks < chunks) {
        if (x->count == 0)
            return CF_FAIL(e, CF_E_CORRUPT, "no record starts in the first chunk");
        rc = put_entry(x, cf_rd_of(NULL, 0), NAMELESS, e);
    }
    return rc;
}

enum cf_rc chunk_index_note(struct chunk_index *x, uint8_t chunk_log2, uint64_t place,
                            struct cf_rd name, struct cf_err *e)
{
    uint64_t chunk = place >> chunk_log2;
    if (chunk < x->chunks)
        return CF_OK;
    enum cf_rc rc = chunk_index_upto(x, chunk, e);
    if (rc != CF_OK)
        return rc;
    size_t entry = name.left + 6;
    if (x->count == 0 || x->segments[x->count - 1].len + entry > CHUNK_SEGMENT_CUT)
        rc = begin_segment(x, name, e);
    if (rc != CF_OK)
        return rc;
    return put_entry(x, name, (uint32_t)(place & ((1ULL << chunk_log2) - 1)), e);
}

enum cf_rc chunk_index_find(const struct chunk_segment *s, const void *bytes, const char *name,
                            uint64_t *chunk, uint32_t *offset, struct cf_err *e)
{
    struct cf_rd rd = cf_rd_of(bytes, s->len);
    struct last_name last = { .len = 0 };
    bool found = false;
    for (uint64_t at = s->chunk; rd.left; at++) {
        uint16_t n = cf_rd_le16(&rd);
        const uint8_t *p = cf_rd_bytes(&rd, n);
        uint32_t off = cf_rd_le32(&rd);
        bool empty = n == 0 && off == NAMELESS;
        if (rd.bad || (!empty && (n == 0 || off == NAMELESS)))
            return CF_FAIL(e, CF_E_CORRUPT, "an index entry is malformed");
        if (empty)
            continue;
        if (!chunk_name_next(&last, cf_rd_of(p, n)))
            return CF_FAIL(e, CF_E_CORRUPT, "index names do not ascend");
        if (!found || chunk_name_order(cf_rd_of(p, n), cf_rd_of(name, strlen(name))) <= 0) {
            *chunk = at;
            *offset = off;
        }
        found = true;
    }
    return found ? CF_OK : CF_FAIL(e, CF_E_CORRUPT, "an index segment names nothing");
}
