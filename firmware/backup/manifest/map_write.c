#include "manifest_priv.h"

enum cf_rc manifest_public_write(const struct manifest *m, struct cf_buf *out, struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, 6);
    cbor_wr_key(&w, 1);
    cbor_wr_text(&w, m->folder);
    cbor_wr_key(&w, 2);
    cbor_wr_text(&w, m->hsm);
    cbor_wr_key(&w, 3);
    cbor_wr_uint(&w, m->created_s);
    cbor_wr_key(&w, 4);
    cbor_wr_uint(&w, m->completed_s);
    cbor_wr_key(&w, 5);
    cbor_wr_uint(&w, m->wire);
    cbor_wr_key(&w, 6);
    cbor_wr_text(&w, m->writer);
    return cbor_wr_end(&w);
}

static void write_source(struct cbor_wr *w, const struct manifest *m)
{
    size_t raw = m->stream_count - 2;
    cbor_wr_array(w, 4);
    cbor_wr_bytes(w, m->store_epoch, sizeof m->store_epoch);
    cbor_wr_uint(w, m->store_changes);
    cbor_wr_uint(w, m->snapshot_s);
    cbor_wr_array(w, raw);
    for (size_t i = 2; i < m->stream_count; i++) {
        cbor_wr_array(w, 2);
        cbor_wr_text(w, m->streams[i].name);
        cbor_wr_uint(w, m->streams[i].changes);
    }
}

static void write_blobs(struct cbor_wr *w, const struct manifest_stream *s)
{
    cbor_wr_array(w, s->blob_count);
    for (size_t i = 0; i < s->blob_count; i++) {
        cbor_wr_array(w, 4);
        cbor_wr_text(w, s->blobs[i].name);
        cbor_wr_uint(w, s->blobs[i].first);
        cbor_wr_uint(w, s->blobs[i].blocks);
        cbor_wr_uint(w, s->blobs[i].bytes);
    }
}

static void write_pair(struct cbor_wr *w, uint64_t key, uint64_t a, uint64_t b)
{
    cbor_wr_key(w, key);
    cbor_wr_array(w, 2);
    cbor_wr_uint(w, a);
    cbor_wr_uint(w, b);
}

static void write_index(struct cbor_wr *w, const struct manifest_stream *s)
{
    write_pair(w, 13, s->index_offset, s->index_len);
    cbor_wr_key(w, 14);
    cbor_wr_array(w, s->root_count);
    for (size_t i = 0; i < s->root_count; i++) {
        cbor_wr_array(w, 4);
        cbor_wr_text(w, s->root[i].name);
        cbor_wr_uint(w, s->root[i].offset);
        cbor_wr_uint(w, s->root[i].len);
        cbor_wr_uint(w, s->root[i].chunk);
    }
}

static void write_stream(struct cbor_wr *w, size_t number, const struct manifest_stream *s)
{
    const uint64_t values[] = { [4] = s->plain, [5] = s->blocks, [6] = s->wire };
    bool raw = s->kind == FLOW_RAW;
    cbor_wr_map(w, raw ? 10 : 12);
    cbor_wr_key(w, 1);
    cbor_wr_uint(w, number);
    cbor_wr_key(w, 2);
    cbor_wr_text(w, s->name);
    cbor_wr_key(w, 3);
    cbor_wr_uint(w, s->kind);
    for (uint64_t key = 4; key <= 6; key++) {
        cbor_wr_key(w, key);
        cbor_wr_uint(w, values[key]);
    }
    cbor_wr_key(w, 7);
    write_blobs(w, s);
    cbor_wr_key(w, raw ? 9 : 8);
    cbor_wr_uint(w, raw ? s->plain : s->records);
    cbor_wr_key(w, 10);
    cbor_wr_uint(w, s->chunk_log2);
    write_pair(w, 12, s->table_offset, s->table_len);
    if (!raw)
        write_index(w, s);
}

void manifest_streams_write(struct cbor_wr *w, const struct manifest *m)
{
    cbor_wr_array(w, m->stream_count);
    for (size_t i = 0; i < m->stream_count; i++)
        write_stream(w, i, &m->streams[i]);
}

static void write_meta(struct cbor_wr *w, const struct manifest_meta *meta)
{
    cbor_wr_map(w, 4);
    cbor_wr_key(w, 1);
    cbor_wr_text(w, meta->blob);
    cbor_wr_key(w, 2);
    cbor_wr_uint(w, meta->plain);
    cbor_wr_key(w, 3);
    cbor_wr_array(w, meta->count);
    for (size_t i = 0; i < meta->count; i++) {
        const struct flow_receipt *r = &meta->blocks[i];
        cbor_wr_array(w, 4);
        cbor_wr_bytes(w, r->salt, sizeof r->salt);
        cbor_wr_uint(w, r->covered);
        cbor_wr_uint(w, r->wire);
        cbor_wr_bytes(w, r->digest, sizeof r->digest);
    }
    cbor_wr_key(w, 4);
    cbor_wr_uint(w, meta->chunk_log2);
}

static void write_trust(struct cbor_wr *w, const struct manifest *m)
{
    cbor_wr_key(w, 10);
    cbor_wr_array(w, 3);
    cbor_wr_bytes(w, m->spki.data, m->spki.len);
    cbor_wr_uint(w, m->since);
    cbor_wr_bytes(w, m->endorsement, sizeof m->endorsement);
    cbor_wr_key(w, 11);
    cbor_wr_array(w, 5);
    cbor_wr_uint(w, m->keys);
    cbor_wr_uint(w, m->versions);
    cbor_wr_uint(w, m->deleted);
    cbor_wr_uint(w, m->assignments);
    cbor_wr_array(w, m->left_out_count);
    for (size_t i = 0; i < m->left_out_count; i++)
        cbor_wr_text(w, m->left_out[i]);
    cbor_wr_key(w, 12);
    cbor_wr_array(w, m->signer_count);
    for (size_t i = 0; i < m->signer_count; i++) {
        cbor_wr_array(w, 2);
        cbor_wr_uint(w, m->signers[i].alg);
        cbor_wr_bytes(w, m->signers[i].key_id, sizeof m->signers[i].key_id);
    }
}

enum cf_rc manifest_sealed_write(const struct manifest *m, struct cf_buf *out, struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, m->cover_count ? 12 : 11);
    cbor_wr_key(&w, 1);
    cbor_wr_uint(&w, m->seq);
    cbor_wr_key(&w, 2);
    cbor_wr_bytes(&w, m->prev, sizeof m->prev);
    cbor_wr_key(&w, 3);
    cbor_wr_bytes(&w, m->appliance, sizeof m->appliance);
    cbor_wr_key(&w, 4);
    cbor_wr_array(&w, 2);
    cbor_wr_uint(&w, m->audit_record);
    cbor_wr_bytes(&w, m->audit_hash, sizeof m->audit_hash);
    cbor_wr_key(&w, 5);
    write_source(&w, m);
    cbor_wr_key(&w, 6);
    manifest_streams_write(&w, m);
    cbor_wr_key(&w, 7);
    write_meta(&w, &m->meta);
    cbor_wr_key(&w, 8);
    cbor_wr_uint(&w, m->layout);
    write_trust(&w, m);
    if (m->cover_count) {
        cbor_wr_key(&w, 99);
        cbor_wr_map(&w, 1);
        cbor_wr_key(&w, 1);
        manifest_cover_write(&w, m);
    }
    return cbor_wr_end(&w);
}
