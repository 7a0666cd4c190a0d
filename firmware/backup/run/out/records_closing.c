/* What the manifest needs of the record streams beyond their rows, for a next life of the job:
 * their moment of the store is gone with the process. */
#include "out_priv.h"

#include <stdlib.h>
#include <string.h>

#include "cbor/cbor.h"

/* {1 snapshot, 2 keys, 3 versions, 4 deleted, 5 assignments, 6 store's changes, 7 records, 8
 * chunks, 9 index, 10 [[name, offset, length, chunk], ..]}. 1 to 6 are the same in both streams. */
#define MEMBERS      10
#define SEGMENTS_MAX ((size_t)1 << 20)

static const struct {
    uint64_t key;
    size_t offset;
} numbers[] = {
    { 1, offsetof(struct backup, snapshot_s) },
    { 2, offsetof(struct backup, counts.keys.keys) },
    { 3, offsetof(struct backup, counts.keys.versions) },
    { 4, offsetof(struct backup, counts.keys.deleted) },
    { 5, offsetof(struct backup, counts.assignments) },
    { 6, offsetof(struct backup, counts.store_changes) },
};
#define NUMBERS (sizeof numbers / sizeof numbers[0])

static enum cf_rc encode(const struct backup *b, const struct stream_out *s, struct cf_buf *out,
                         struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, MEMBERS);
    for (size_t i = 0; i < NUMBERS; i++) {
        uint64_t v;
        memcpy(&v, (const uint8_t *)b + numbers[i].offset, sizeof v);
        cbor_wr_key(&w, numbers[i].key);
        cbor_wr_uint(&w, v);
    }
    cbor_wr_key(&w, 7);
    cbor_wr_uint(&w, s->records);
    cbor_wr_key(&w, 8);
    cbor_wr_uint(&w, s->index.chunks);
    cbor_wr_key(&w, 9);
    cbor_wr_bytes(&w, s->index.bytes.data, s->index.bytes.len);
    cbor_wr_key(&w, 10);
    cbor_wr_array(&w, s->index.count);
    for (size_t i = 0; i < s->index.count; i++) {
        const struct chunk_segment *g = &s->index.segments[i];
        cbor_wr_array(&w, 4);
        cbor_wr_text(&w, g->name);
        cbor_wr_uint(&w, g->offset);
        cbor_wr_uint(&w, g->len);
        cbor_wr_uint(&w, g->chunk);
    }
    return cbor_wr_end(&w);
}

enum cf_rc records_close(struct backup *b, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (uint32_t i = 0; rc == CF_OK && i < 2; i++) {
        struct cf_buf closing = { 0 };
        rc = encode(b, &b->streams[i], &closing, e);
        if (rc == CF_OK)
            rc = journal_out_done(b->journal, i, &closing, e);
        cf_buf_clear(&closing);
    }
    return rc;
}

static enum cf_rc read_segments(struct cbor_rd *r, struct chunk_index *x, struct cf_err *e)
{
    size_t n = cbor_rd_array(r, SEGMENTS_MAX);
    x->segments = calloc(n + 1, sizeof *x->segments);
    if (!x->segments)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    x->count = x->room = n;
    for (size_t i = 0; i < n && cbor_rd_ok(r); i++) {
        struct chunk_segment *g = &x->segments[i];
        if (cbor_rd_array(r, 4) != 4)
            cbor_rd_refuse(r, "a segment has four members");
        cbor_rd_string(r, g->name, sizeof g->name);
        g->offset = cbor_rd_uint(r, UINT64_MAX);
        g->len = (uint32_t)cbor_rd_uint(r, UINT32_MAX);
        g->chunk = cbor_rd_uint(r, UINT64_MAX);
    }
    return CF_OK;
}

static enum cf_rc decode(struct backup *b, struct stream_out *s, const struct cf_buf *closing,
                         struct cf_err *e)
{
    struct cbor_rd r;
    size_t len = 0;
    cbor_rd_init(&r, closing->data, closing->len, e);
    if (cbor_rd_map(&r, MEMBERS) != MEMBERS)
        cbor_rd_refuse(&r, "a closing has other members");
    for (uint64_t key = 1; key <= 8; key++) {
        if (cbor_rd_key(&r) != key)
            cbor_rd_refuse(&r, "a closing has other members");
        uint64_t v = cbor_rd_uint(&r, UINT64_MAX);
        if (key <= NUMBERS)
            memcpy((uint8_t *)b + numbers[key - 1].offset, &v, sizeof v);
        else if (key == 7)
            s->records = v;
        else
            s->index.chunks = v;
    }
    if (cbor_rd_key(&r) != 9)
        cbor_rd_refuse(&r, "a closing has other members");
    const uint8_t *bytes = cbor_rd_bytes(&r, CF_BUF_MAX, &len);
    enum cf_rc rc = cf_buf_put(&s->index.bytes, bytes, len, e);
    if (cbor_rd_key(&r) != 10)
        cbor_rd_refuse(&r, "a closing has other members");
    if (rc == CF_OK)
        rc = read_segments(&r, &s->index, e);
    enum cf_rc end = cbor_rd_end(&r);
    return rc == CF_OK ? end : rc;
}

enum cf_rc records_reopen(struct backup *b, const struct journal_past *p)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < 2; i++) {
        rc = decode(b, &b->streams[i], &p->streams[i].closing, NULL);
        b->streams[i].whole = rc == CF_OK;
    }
    for (size_t i = 0; rc != CF_OK && i < 2; i++) {
        chunk_index_clear(&b->streams[i].index);
        b->streams[i].whole = false;
    }
    return rc;
}
