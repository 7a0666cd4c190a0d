#include "plan_priv.h"
#include "run_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One key: manifest, its row of the table, one segment of the index, one or two chunks. */
struct search {
    struct backup_in *b;
    struct cf_buf rows; /* table of `keys` */
    const char *name;
    struct cf_buf found; /* the record; empty: absent, proven */
    struct chunk_unpacker *unpacker;
};

static enum cf_rc take(void *ctx, struct cf_rd name, const void *record, size_t len, bool *stop,
                       struct cf_err *e)
{
    struct search *s = ctx;
    int order = chunk_name_order(name, cf_rd_of(s->name, strlen(s->name)));
    *stop = order >= 0;
    return order == 0 ? cf_buf_put(&s->found, record, len, e) : CF_OK;
}

/* The last segment whose first name is not greater, or the first of all. */
static const struct manifest_segment *segment_for(const struct manifest_stream *st,
                                                  const char *name)
{
    size_t i = 0;
    while (i + 1 < st->root_count && strcmp(st->root[i + 1].name, name) <= 0)
        i++;
    return &st->root[i];
}

static enum cf_rc look_up(struct search *s, uint64_t *chunk, uint32_t *offset, struct cf_err *e)
{
    const struct manifest_segment *g = segment_for(&s->b->m.streams[0], s->name);
    struct chunk_segment seg = { .len = (uint32_t)g->len, .chunk = g->chunk };
    struct cf_buf bytes = { 0 };
    enum cf_rc rc = backup_in_meta_range(s->b, g->offset, g->len, &bytes, e);
    if (rc == CF_OK)
        rc = chunk_index_find(&seg, bytes.data, s->name, chunk, offset, e);
    cf_buf_clear(&bytes);
    return rc;
}

/* Chunk `c` of the stream: its block, and its number there. False: behind the end. */
static bool chunk_place(const struct search *s, uint64_t c, uint64_t *block, struct flow_block *fb,
                        struct flow_receipt *row)
{
    const struct manifest_stream *st = &s->b->m.streams[0];
    uint64_t place = c << st->chunk_log2;
    for (*block = 0; *block < st->blocks; ++*block) {
        manifest_table_block(&s->b->m, 0, s->rows.data, *block, fb, row);
        if (place < fb->place + fb->covered)
            return true;
    }
    return false;
}

/* Reads one chunk and feeds it, from `offset` on, to the unpacker. */
static enum cf_rc feed_chunk(struct search *s, uint64_t c, uint32_t offset, bool fresh, bool *more,
                             struct cf_err *e)
{
    struct flow_block fb;
    struct flow_receipt row;
    struct block_place at;
    struct cf_buf wire = { 0 };
    uint64_t block = 0, size = 0;
    *more = chunk_place(s, c, &block, &fb, &row);
    if (!*more)
        return CF_OK;
    uint32_t i = (uint32_t)(c - (fb.place >> fb.chunk_log2));
    struct seal_expect x = { .run = &s->b->seal, .block = &fb, .receipt = &row };
    backup_in_place(s->b, 0, s->rows.data, block, &at);
    struct far_range what = { .name = at.name,
                              .first = at.offset + seal_chunk_offset(&fb, i),
                              .count = seal_chunk_wire(&fb, i) };
    enum cf_rc rc = far_get(s->b->j, &what, &wire, &size, e);
    atomic_fetch_add(&s->b->j->wire_bytes, what.count);
    if (rc == CF_OK && size != at.blob_bytes)
        rc = CF_FAIL(e, CF_E_CORRUPT, "blob %s has a wrong length", at.name);
    if (rc == CF_OK)
        rc = seal_chunk_open(&x, i, wire.data, e);
    uint32_t len = flow_chunk_len(&fb, i), start = (i << fb.chunk_log2) + offset;
    if (rc == CF_OK && offset >= len)
        rc = CF_FAIL(e, CF_E_CORRUPT, "an entry of the index points out of its chunk");
    if (rc == CF_OK && (fresh || i == 0))
        rc = chunk_unpacker_block(s->unpacker, fb.covered - start, e);
    if (rc == CF_OK)
        rc = chunk_unpacker_push(s->unpacker, wire.data + offset, len - offset, e);
    if (rc == CF_OK && i + 1 == flow_chunks(&fb))
        rc = chunk_unpacker_end(s->unpacker, e);
    cf_buf_clear(&wire);
    return rc;
}

static enum cf_rc walk(struct search *s, struct cf_err *e)
{
    const struct manifest_stream *st = &s->b->m.streams[0];
    struct chunk_taker taker = { .take = take, .ctx = s };
    uint64_t chunk = 0;
    uint32_t offset = 0;
    bool more = true;
    if (st->blocks == 0)
        return CF_OK;
    enum cf_rc rc = backup_in_meta_range(s->b, st->table_offset, st->table_len, &s->rows, e);
    if (rc == CF_OK)
        rc = manifest_table_check(&s->b->m, 0, s->rows.data, e);
    if (rc == CF_OK)
        rc = look_up(s, &chunk, &offset, e);
    if (rc == CF_OK)
        rc = chunk_unpacker_new(st->chunk_log2, taker, NULL, &s->unpacker, e);
    for (bool fresh = true; rc == CF_OK && more && !chunk_unpacker_stopped(s->unpacker);
         fresh = false) {
        rc = feed_chunk(s, chunk++, offset, fresh, &more, e);
        offset = 0;
    }
    chunk_unpacker_free(s->unpacker);
    return rc;
}

/* The record's own checks, then one transaction for this key and nothing else. */
/* The key is there: a receipt that cannot be signed is a remark. */
static void leave_receipt(const struct backup_in *b, uint64_t versions)
{
    struct job *j = b->j;
    struct cf_err err = { 0 };
    if (proof_receipt_of_key(b, versions, &j->receipt, &err) != CF_OK) {
        job_warn(j, "the receipt could not be signed");
        return;
    }
    j->verified.created_s = b->m.created_s;
    j->verified.seq = b->m.seq;
    memcpy(j->verified.backup_id, b->m.backup_id, sizeof j->verified.backup_id);
}

static enum cf_rc put_key(const struct backup_in *b, const struct cf_buf *record, struct cf_err *e)
{
    struct job *j = b->j;
    struct keystore *ks = j->r->o.keystore;
    struct keystore_record *r = NULL;
    struct keystore_counts c = { 0 };
    enum keystore_restored how = KEYSTORE_RESTORED;
    enum cf_rc rc = backup_in_key(b, record->data, record->len, &r, e);
    if (rc == CF_OK)
        rc = keystore_record_verify(ks, r, e);
    if (rc == CF_OK && strcmp(keystore_record_name(r), j->key) != 0)
        rc = CF_FAIL(e, CF_E_CORRUPT, "a record is not of the key that was asked for");
    if (rc == CF_OK)
        rc = keystore_record_check(ks, r, true, e);
    if (rc == CF_OK)
        rc = job_past_cancel(j, e);
    if (rc == CF_OK)
        rc = keystore_record_restore(ks, r, &how, e);
    if (rc == CF_OK) {
        keystore_record_counts(r, &c);
        bool done = how == KEYSTORE_RESTORED;
        snprintf(j->details, sizeof j->details,
                 "Number of successful key versions restored: %llu, "
                 "Number of key versions could not overwrite: %llu",
                 (unsigned long long)(done ? c.versions : 0),
                 (unsigned long long)(done ? 0 : c.versions));
        leave_receipt(b, c.versions);
    }
    keystore_record_free(r);
    return rc;
}

enum cf_rc backup_in_find(struct backup_in *b, const char *name, struct cf_buf *record,
                          struct cf_err *e)
{
    struct search s = { .b = b, .name = name };
    enum cf_rc rc = walk(&s, e);
    if (rc == CF_OK && s.found.len == 0)
        rc = cf_err_code(
            e, CF_FAIL(e, CF_E_ABSENT, "there is no key %s in backup %s", name, b->j->folder),
            "KeyNotFound");
    cf_buf_clear(&s.rows);
    *record = s.found;
    return rc;
}

enum cf_rc selective_main(struct job *j, struct cf_err *e)
{
    struct backup_in b = { 0 };
    struct cf_buf record = { 0 };
    enum cf_rc rc = backup_in_open(j, &b, e);
    if (rc == CF_OK)
        rc = plan_holds(j, &b.m, e);
    if (rc == CF_OK)
        rc = backup_in_find(&b, j->key, &record, e);
    if (rc == CF_OK)
        rc = put_key(&b, &record, e);
    cf_buf_clear(&record);
    backup_in_clear(&b);
    return rc;
}
