#include "manifest_priv.h"

#include <string.h>

#define REFUSE(e, ...) CF_FAIL((e), CF_E_CORRUPT, __VA_ARGS__)

static bool partition_name_ok(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n > 0 && n <= 64 && s[n] == 0;
}

static enum cf_rc check_names(const struct manifest *m, struct cf_err *e)
{
    static const char *const fixed[] = { "keys", "policy" };
    if (m->stream_count < 2)
        return REFUSE(e, "the streams of keys and policy are not there");
    for (size_t i = 0; i < m->stream_count; i++) {
        const struct manifest_stream *s = &m->streams[i];
        enum flow_kind kind = i == 0 ? FLOW_KEYS : i == 1 ? FLOW_POLICY : FLOW_RAW;
        if (s->kind != kind || (i < 2 && strcmp(s->name, fixed[i]) != 0) ||
            (i >= 2 && !partition_name_ok(s->name)))
            return REFUSE(e, "stream %zu has a wrong name or kind", i);
        for (size_t j = 2; j < i; j++)
            if (strcmp(s->name, m->streams[j].name) == 0)
                return REFUSE(e, "two streams are called %s", s->name);
    }
    return CF_OK;
}

static enum cf_rc check_blobs(const struct manifest *m, size_t number, struct cf_err *e)
{
    const struct manifest_stream *s = &m->streams[number];
    uint64_t blocks = 0, bytes = 0;
    if (m->layout == MANIFEST_WHOLE)
        return s->blob_count == 0 ? CF_OK : REFUSE(e, "layout 1 lists no blobs");
    for (size_t i = 0; i < s->blob_count; i++) {
        const struct manifest_blob *b = &s->blobs[i];
        char name[MANIFEST_NAME_SIZE];
        manifest_blob_name((uint32_t)number, i, name);
        if (strcmp(b->name, name) != 0 || b->first != blocks || b->blocks == 0 ||
            b->bytes > s->wire || b->blocks > s->blocks)
            return REFUSE(e, "blob %zu of stream %zu is out of order", i, number);
        if (b->blocks > FLOW_BLOB_READ)
            return CF_FAIL(e, CF_E_LIMIT, "blob %s has too many blocks", name);
        blocks += b->blocks;
        bytes += b->bytes;
    }
    if (blocks != s->blocks || bytes != s->wire)
        return REFUSE(e, "blobs of stream %zu do not add up", number);
    return CF_OK;
}

static enum cf_rc check_root(const struct manifest_stream *s, struct cf_err *e)
{
    uint64_t at = s->index_offset;
    for (size_t i = 0; i < s->root_count; i++) {
        const struct manifest_segment *g = &s->root[i];
        if (g->len > 65536)
            return CF_FAIL(e, CF_E_LIMIT, "a segment of the index is too long");
        if (g->offset != at || g->len == 0 || (i == 0 && g->chunk != 0))
            return REFUSE(e, "the root of %s does not tile its index", s->name);
        if (i > 0 && (g->chunk <= g[-1].chunk || strcmp(g->name, g[-1].name) <= 0))
            return REFUSE(e, "the root of %s is out of order", s->name);
        at += g->len;
    }
    if (at != s->index_offset + s->index_len)
        return REFUSE(e, "the root of %s does not tile its index", s->name);
    return CF_OK;
}

static enum cf_rc check_stream(const struct manifest *m, size_t number, uint64_t *at,
                               struct cf_err *e)
{
    const struct manifest_stream *s = &m->streams[number];
    bool raw = s->kind == FLOW_RAW;
    if (!flow_log2_ok(s->chunk_log2))
        return REFUSE(e, "chunk size 2^%u of stream %zu is not allowed", s->chunk_log2, number);
    if (s->blocks > (uint64_t)FLOW_BLOBS_MAX * FLOW_BLOB_READ)
        return CF_FAIL(e, CF_E_LIMIT, "stream %zu has too many blocks", number);
    if ((s->blocks == 0) != (s->plain == 0) || (s->blocks == 0) != (s->wire == 0))
        return REFUSE(e, "sums of stream %zu disagree", number);
    if (s->table_offset != *at || s->table_len != s->blocks * FLOW_ROW_SIZE)
        return REFUSE(e, "the table of stream %zu is out of place", number);
    *at += s->table_len;
    if (!raw) {
        if (s->index_offset != *at || s->index_len > MANIFEST_META_MAX ||
            (s->records == 0) != (s->blocks == 0))
            return REFUSE(e, "the index of stream %zu is out of place", number);
        *at += s->index_len;
    }
    enum cf_rc rc = check_blobs(m, number, e);
    return rc == CF_OK && !raw ? check_root(s, e) : rc;
}

static enum cf_rc check_meta(const struct manifest *m, uint64_t *wire, struct cf_err *e)
{
    const struct manifest_meta *meta = &m->meta;
    char name[MANIFEST_NAME_SIZE] = "";
    uint64_t plain = 0;
    if (!flow_log2_ok(meta->chunk_log2))
        return REFUSE(e, "chunk size 2^%u of `meta` is not allowed", meta->chunk_log2);
    for (size_t i = 0; i < meta->count; i++) {
        struct flow_block b;
        manifest_meta_block(m, i, &b);
        enum cf_rc rc = flow_block_check(&b, e);
        if (rc != CF_OK)
            return rc;
        if (meta->blocks[i].wire != flow_wire(&b) ||
            cf_all_bytes(meta->blocks[i].digest, FLOW_DIGEST_SIZE, 0))
            return REFUSE(e, "length or digest of block %zu of `meta` is wrong", i);
        plain += b.covered;
        *wire += meta->blocks[i].wire;
    }
    if (meta->count)
        manifest_meta_name(meta->blocks[0].salt, name);
    if (plain != meta->plain || strcmp(name, meta->blob) != 0)
        return REFUSE(e, "sums or name of `meta` disagree");
    return CF_OK;
}

enum cf_rc manifest_check(const struct manifest *m, struct cf_err *e)
{
    uint64_t at = 0, wire = 0;
    if (m->layout > MANIFEST_WHOLE || m->seq == 0)
        return REFUSE(e, "layout or number of the backup is not allowed");
    if (m->meta.plain > MANIFEST_META_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "`meta` is too large");
    enum cf_rc rc = check_meta(m, &wire, e);
    if (rc == CF_OK)
        rc = check_names(m, e);
    for (size_t i = 0; rc == CF_OK && i < m->stream_count; i++) {
        rc = check_stream(m, i, &at, e);
        if (m->streams[i].wire > UINT64_MAX / FLOW_STREAMS_MAX)
            return REFUSE(e, "sums of stream %zu disagree", i);
        wire += m->streams[i].wire;
    }
    if (rc == CF_OK && at != m->meta.plain)
        rc = REFUSE(e, "tables and indexes do not tile `meta`");
    if (rc == CF_OK && wire != m->wire)
        rc = REFUSE(e, "the sum of all wire bytes disagrees");
    if (rc == CF_OK && (m->keys != m->streams[0].records || m->deleted > m->keys ||
                        m->versions < m->keys || m->assignments > m->streams[1].records))
        rc = REFUSE(e, "counts and streams disagree");
    if (rc == CF_OK && m->keys > (1U << 24))
        rc = CF_FAIL(e, CF_E_LIMIT, "more keys than an appliance holds");
    return rc;
}
