#include "manifest_priv.h"

#include <stdlib.h>
#include <string.h>

static void expect_array(struct cbor_rd *r, size_t n)
{
    if (cbor_rd_array(r, n) != n)
        cbor_rd_refuse(r, "an array has the wrong length");
}

static uint64_t keyed_uint(struct cbor_rd *r, uint64_t key)
{
    manifest_expect_key(r, key);
    return cbor_rd_uint(r, UINT64_MAX);
}

static void read_pair(struct cbor_rd *r, uint64_t key, uint64_t *a, uint64_t *b)
{
    manifest_expect_key(r, key);
    expect_array(r, 2);
    *a = cbor_rd_uint(r, UINT64_MAX);
    *b = cbor_rd_uint(r, UINT64_MAX);
}

static void read_blobs(struct cbor_rd *r, struct manifest_stream *s)
{
    manifest_expect_key(r, 7);
    size_t n = cbor_rd_array(r, FLOW_BLOBS_MAX);
    s->blobs = calloc(n + 1, sizeof *s->blobs);
    if (!s->blobs) {
        cbor_rd_refuse(r, "no memory");
        return;
    }
    s->blob_count = n;
    for (size_t i = 0; i < n && cbor_rd_ok(r); i++) {
        expect_array(r, 4);
        manifest_text(r, s->blobs[i].name, sizeof s->blobs[i].name);
        s->blobs[i].first = cbor_rd_uint(r, UINT64_MAX);
        s->blobs[i].blocks = cbor_rd_uint(r, UINT64_MAX);
        s->blobs[i].bytes = cbor_rd_uint(r, UINT64_MAX);
    }
}

static void read_root(struct cbor_rd *r, struct manifest_stream *s)
{
    manifest_expect_key(r, 14);
    size_t n = cbor_rd_array(r, 65536);
    s->root = calloc(n + 1, sizeof *s->root);
    if (!s->root) {
        cbor_rd_refuse(r, "no memory");
        return;
    }
    s->root_count = n;
    for (size_t i = 0; i < n && cbor_rd_ok(r); i++) {
        expect_array(r, 4);
        manifest_text(r, s->root[i].name, sizeof s->root[i].name);
        s->root[i].offset = cbor_rd_uint(r, UINT64_MAX);
        s->root[i].len = cbor_rd_uint(r, UINT64_MAX);
        s->root[i].chunk = cbor_rd_uint(r, UINT64_MAX);
    }
}

static void read_stream(struct cbor_rd *r, size_t number, struct manifest_stream *s)
{
    size_t pairs = cbor_rd_map(r, 12);
    if (keyed_uint(r, 1) != number)
        cbor_rd_refuse(r, "streams are not in order");
    manifest_expect_key(r, 2);
    manifest_text(r, s->name, sizeof s->name);
    uint64_t kind = keyed_uint(r, 3);
    if (kind < FLOW_KEYS || kind > FLOW_RAW || pairs != (kind == FLOW_RAW ? 10 : 12)) {
        cbor_rd_refuse(r, "a stream is of no known kind");
        return;
    }
    s->kind = (enum flow_kind)kind;
    s->plain = keyed_uint(r, 4);
    s->blocks = keyed_uint(r, 5);
    s->wire = keyed_uint(r, 6);
    read_blobs(r, s);
    if (s->kind == FLOW_RAW) {
        if (keyed_uint(r, 9) != s->plain)
            cbor_rd_refuse(r, "device size and plain bytes differ");
    } else {
        s->records = keyed_uint(r, 8);
    }
    manifest_expect_key(r, 10);
    s->chunk_log2 = (uint8_t)cbor_rd_uint(r, 255);
    read_pair(r, 12, &s->table_offset, &s->table_len);
    if (s->kind != FLOW_RAW) {
        read_pair(r, 13, &s->index_offset, &s->index_len);
        read_root(r, s);
    }
}

void manifest_streams_read(struct cbor_rd *r, struct manifest *m)
{
    size_t n = cbor_rd_array(r, FLOW_STREAMS_MAX);
    if (manifest_set_streams(m, n, NULL) != CF_OK) {
        cbor_rd_refuse(r, "no memory");
        return;
    }
    for (size_t i = 0; i < n && cbor_rd_ok(r); i++)
        read_stream(r, i, &m->streams[i]);
}

void manifest_meta_read(struct cbor_rd *r, struct manifest *m)
{
    struct manifest_meta *meta = &m->meta;
    uint64_t place = 0;
    if (cbor_rd_map(r, 4) != 4)
        cbor_rd_refuse(r, "the map of `meta` is not whole");
    manifest_expect_key(r, 1);
    cbor_rd_string(r, meta->blob, sizeof meta->blob);
    meta->plain = keyed_uint(r, 2);
    manifest_expect_key(r, 3);
    size_t n = cbor_rd_array(r, (size_t)(MANIFEST_META_MAX >> FLOW_META_LOG2));
    meta->blocks = calloc(n + 1, sizeof *meta->blocks);
    if (!meta->blocks) {
        cbor_rd_refuse(r, "no memory");
        return;
    }
    meta->count = n;
    for (size_t i = 0; i < n && cbor_rd_ok(r); i++) {
        struct flow_receipt *b = &meta->blocks[i];
        expect_array(r, 4);
        cbor_rd_fixed(r, b->salt, sizeof b->salt);
        b->covered = (uint32_t)cbor_rd_uint(r, UINT32_MAX);
        b->wire = (uint32_t)cbor_rd_uint(r, UINT32_MAX);
        cbor_rd_fixed(r, b->digest, sizeof b->digest);
        b->place = place;
        place += b->covered;
    }
    manifest_expect_key(r, 4);
    meta->chunk_log2 = (uint8_t)cbor_rd_uint(r, 255);
}
