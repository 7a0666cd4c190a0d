#include "run_priv.h"

#include <stdlib.h>
#include <string.h>

#include "access/policy.h"

#define BATCH_ROWS 2000 /* records in one transaction of the stage */
#define CHECK_ALL  64   /* so many keys at most: every one is tried in the token */
#define CHECK_SOME 64   /* else about so many */
#define BATCH_KEYS 64   /* verified together: the token answers several at once */

/* One record stream on its way into the stage. */
struct records_in {
    struct backup_in *b;
    struct store *stage; /* NULL: look at everything, keep nothing */
    struct store_txn *txn;
    size_t in_txn;
    uint32_t stream;
    struct chunk_unpacker *unpacker;
    struct chunk_index index;
    uint64_t next_place; /* chunks below it were taken: a repeated transfer brings them again */
    struct keystore_counts counts;
    uint64_t assignments;
    uint64_t every; /* one key in so many is tried in the token */
    struct team *team;
    struct keystore_record *batch[BATCH_KEYS];
    size_t batched;
    struct chunk_taker other; /* takes the records instead; `take` NULL: nobody */
    size_t *starts;           /* in the sealed index, of each block's entries; samples */
};

static enum cf_rc flush(struct records_in *in, struct cf_err *e)
{
    enum cf_rc rc = in->txn ? store_commit(in->txn, e) : CF_OK;
    store_end(in->txn);
    in->txn = NULL;
    in->in_txn = 0;
    return rc;
}

static enum cf_rc room(struct records_in *in, struct cf_err *e)
{
    enum cf_rc rc = in->in_txn >= BATCH_ROWS ? flush(in, e) : CF_OK;
    if (rc == CF_OK && !in->txn)
        rc = store_write(in->stage, &in->txn, e);
    in->in_txn++;
    return rc;
}

enum cf_rc backup_in_key(const struct backup_in *b, const void *record, size_t len,
                         struct keystore_record **out, struct cf_err *e)
{
    struct keystore *ks = b->j->r->o.keystore;
    enum cf_rc rc = keystore_record_parse(ks, record, len, out, e);
    if (rc == CF_OK && keystore_record_generation(*out) > b->m.generation)
        rc = CF_FAIL(e, CF_E_AUTH, "a key blob is of a later generation than its backup");
    return rc;
}

/* The MAC of each version by the token, now and then a trial use, which begins with the MAC. */
static enum cf_rc verify_once(struct records_in *in, size_t i, struct cf_err *e)
{
    struct keystore *ks = in->b->j->r->o.keystore;
    if (!in->stage && in->every == 1)
        return keystore_record_check(ks, in->batch[i], true, e);
    enum cf_rc rc = keystore_record_verify(ks, in->batch[i], e);
    if (rc == CF_OK && (in->counts.keys + i) % in->every == 0)
        rc = keystore_record_check(ks, in->batch[i], in->every == 1, e);
    return rc;
}

static enum cf_rc verify_key(void *ctx, size_t i, struct cf_err *e)
{
    struct records_in *in = ctx;
    struct token_wait wait = { 0 };
    enum cf_rc rc = CF_OK;
    do
        rc = verify_once(in, i, e);
    while (patience_token(in->b->j, &wait, &rc, e));
    return rc;
}

static enum cf_rc put_key(struct records_in *in, const struct keystore_record *r, struct cf_err *e)
{
    struct keystore_counts c = { 0 };
    enum cf_rc rc = in->stage ? room(in, e) : CF_OK;
    if (rc == CF_OK && in->stage)
        rc = keystore_record_put(r, in->txn, e);
    keystore_record_counts(r, &c);
    in->counts.keys += c.keys;
    in->counts.versions += c.versions;
    in->counts.deleted += c.deleted;
    return rc;
}

static void drop_batch(struct records_in *in)
{
    while (in->batched)
        keystore_record_free(in->batch[--in->batched]);
}

static enum cf_rc end_batch(struct records_in *in, struct cf_err *e)
{
    struct team_work w = { .each = verify_key, .ctx = in, .items = in->batched };
    enum cf_rc rc = in->batched ? team_run(in->team, &w, e) : CF_OK;
    for (size_t i = 0; rc == CF_OK && i < in->batched; i++)
        rc = put_key(in, in->batch[i], e);
    drop_batch(in);
    return rc;
}

static enum cf_rc take_key(struct records_in *in, const void *record, size_t len, struct cf_err *e)
{
    struct keystore_record *r = NULL;
    enum cf_rc rc = backup_in_key(in->b, record, len, &r, e);
    if (rc != CF_OK) {
        keystore_record_free(r);
        return rc;
    }
    in->batch[in->batched++] = r;
    return in->batched == BATCH_KEYS ? end_batch(in, e) : CF_OK;
}

static enum cf_rc take_policy(struct records_in *in, struct cf_rd name, const void *record,
                              size_t len, struct cf_err *e)
{
    static const char assignment[] = "assignment/";
    size_t n = sizeof assignment - 1;
    char key[ACCESS_RECORD_KEY_SIZE];
    enum cf_rc rc = CF_OK;
    if (!in->stage)
        rc = access_policy_check(record, len, key, e);
    else if ((rc = room(in, e)) == CF_OK)
        rc = access_policy_put(in->txn, record, len, e);
    in->assignments += name.left > n && cf_equal(name.p, assignment, n);
    return rc;
}

static enum cf_rc take(void *ctx, struct cf_rd name, const void *record, size_t len, bool *stop,
                       struct cf_err *e)
{
    struct records_in *in = ctx;
    (void)stop;
    if (job_canceled(in->b->j))
        return CF_FAIL(e, CF_E_CANCEL, "canceled");
    return in->stream == 0 ? take_key(in, record, len, e) : take_policy(in, name, record, len, e);
}

static enum cf_rc put_chunk(void *ctx, uint64_t place, const void *data, size_t len,
                            struct cf_err *e)
{
    struct records_in *in = ctx;
    if (place < in->next_place)
        return CF_OK;
    in->next_place = place + len;
    return chunk_unpacker_push(in->unpacker, data, len, e);
}

static enum cf_rc fill_chunk(void *ctx, uint64_t place, size_t len, uint8_t value, struct cf_err *e)
{
    (void)ctx, (void)place, (void)len, (void)value;
    return CF_FAIL(e, CF_E_CORRUPT, "a record stream leaves nothing out");
}

static enum cf_rc get_block(struct records_in *in, const uint8_t *rows, uint64_t i,
                            struct seal_opener *o, struct cf_err *e)
{
    struct flow_block block;
    struct flow_receipt row;
    struct block_place at;
    uint64_t size = 0;
    manifest_table_block(&in->b->m, in->stream, rows, i, &block, &row);
    backup_in_place(in->b, in->stream, rows, i, &at);
    struct seal_expect x = { .run = &in->b->seal,
                             .block = &block,
                             .receipt = &row,
                             .to = { .put = put_chunk, .fill = fill_chunk, .ctx = in },
                             .digest = proof_digest(in->b->proof, in->stream, i) };
    struct far_range what = { .name = at.name, .first = at.offset, .count = row.wire };
    enum cf_rc rc = chunk_unpacker_block(in->unpacker, row.covered, e);
    if (rc == CF_OK)
        rc = far_get_block(in->b->j, &what, o, &x, &size, e);
    if (rc == CF_OK && size != at.blob_bytes)
        rc = CF_FAIL(e, CF_E_CORRUPT, "blob %s has a wrong length", at.name);
    if (rc == CF_OK)
        rc = chunk_unpacker_end(in->unpacker, e);
    if (rc == CF_OK)
        proof_taken(in->b->proof, in->stream, i);
    atomic_fetch_add(&in->b->j->wire_bytes, row.wire);
    job_advance(in->b->j, row.covered);
    return rc;
}

/* A block of a sample: split by itself, and its own index compared with its part of the sealed one.
 */
static enum cf_rc get_alone(struct records_in *in, const uint8_t *rows, uint64_t i,
                            struct seal_opener *o, struct cf_err *e)
{
    const struct manifest_stream *s = &in->b->m.streams[in->stream];
    struct chunk_taker taker = { .take = take, .ctx = in };
    const uint8_t *sealed = in->b->meta.data + s->index_offset + in->starts[i];
    size_t len = in->starts[i + 1] - in->starts[i];
    chunk_unpacker_free(in->unpacker);
    in->unpacker = NULL;
    chunk_index_clear(&in->index);
    enum cf_rc rc = chunk_unpacker_new(s->chunk_log2, taker, &in->index, &in->unpacker, e);
    if (rc == CF_OK)
        rc = get_block(in, rows, i, o, e);
    if (rc == CF_OK && (in->index.bytes.len != len || !cf_equal(in->index.bytes.data, sealed, len)))
        rc = CF_FAIL(e, CF_E_CORRUPT, "the index of stream %s is not true", s->name);
    return rc;
}

static enum cf_rc check_root(const struct records_in *in, struct cf_err *e)
{
    const struct manifest_stream *s = &in->b->m.streams[in->stream];
    for (size_t i = 0; i < s->root_count; i++) {
        struct chunk_segment g = { .len = (uint32_t)s->root[i].len, .chunk = s->root[i].chunk };
        const uint8_t *at = in->b->meta.data + s->root[i].offset;
        struct cf_rd rd = cf_rd_of(at, g.len);
        uint16_t n = cf_rd_le16(&rd);
        const uint8_t *name = cf_rd_bytes(&rd, n);
        if (!name || n != strlen(s->root[i].name) || !cf_equal(name, s->root[i].name, n))
            return CF_FAIL(e, CF_E_CORRUPT, "the root of stream %s is not true", s->name);
    }
    return CF_OK;
}

/* What was read must be what the sealed index and root say, entry by entry. */
static enum cf_rc check_index(const struct records_in *in, struct cf_err *e)
{
    const struct manifest_stream *s = &in->b->m.streams[in->stream];
    const struct cf_buf *got = &in->index.bytes;
    if (in->starts) /* block by block, above */
        return check_root(in, e);
    if (chunk_unpacker_records(in->unpacker) != s->records)
        return CF_FAIL(e, CF_E_CORRUPT, "stream %s holds %llu records instead of %llu", s->name,
                       (unsigned long long)chunk_unpacker_records(in->unpacker),
                       (unsigned long long)s->records);
    if (got->len != s->index_len ||
        (got->len && !cf_equal(got->data, in->b->meta.data + s->index_offset, got->len)))
        return CF_FAIL(e, CF_E_CORRUPT, "the index of stream %s is not true", s->name);
    return check_root(in, e);
}

static enum cf_rc restore_stream(struct records_in *in, struct cf_err *e)
{
    const struct manifest_stream *s = &in->b->m.streams[in->stream];
    const uint8_t *rows = in->b->meta.data + s->table_offset;
    struct chunk_taker taker =
        in->other.take ? in->other : (struct chunk_taker){ .take = take, .ctx = in };
    struct seal_opener *o = NULL;
    bool all = in->b->proof || s->records <= CHECK_ALL;
    in->every = all ? 1 : s->records / CHECK_SOME;
    enum cf_rc rc = chunk_unpacker_new(s->chunk_log2, taker, &in->index, &in->unpacker, e);
    if (rc == CF_OK)
        rc = seal_opener_new(s->chunk_log2, &o, e);
    if (rc == CF_OK)
        rc = team_new(&in->team, e);
    if (rc == CF_OK && proof_samples(in->b->proof))
        rc = proof_index(in->b, in->stream, &in->starts, e);
    for (uint64_t i = 0; rc == CF_OK && i < s->blocks; i++)
        if (proof_wants(in->b->proof, in->stream, i))
            rc = in->starts ? get_alone(in, rows, i, o, e) : get_block(in, rows, i, o, e);
    if (rc == CF_OK)
        rc = end_batch(in, e);
    if (rc == CF_OK)
        rc = check_index(in, e);
    if (rc == CF_OK)
        rc = flush(in, e);
    drop_batch(in);
    team_free(in->team);
    store_end(in->txn);
    seal_opener_free(o);
    chunk_unpacker_free(in->unpacker);
    chunk_index_clear(&in->index);
    free(in->starts);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "stream %s", s->name);
}

enum cf_rc restore_records(struct backup_in *b, struct store_stage *stage, struct cf_err *e)
{
    struct store *into = stage ? store_stage_store(stage) : NULL;
    struct records_in keys = { .b = b, .stage = into, .stream = 0 };
    struct records_in policy = { .b = b, .stage = into, .stream = 1 };
    enum cf_rc rc = restore_stream(&keys, e);
    if (rc == CF_OK)
        rc = restore_stream(&policy, e);
    if (rc == CF_OK && b->proof) {
        b->proof->keys = keys.counts.keys;
        b->proof->versions = keys.counts.versions;
    }
    if (rc == CF_OK && !proof_samples(b->proof) &&
        (keys.counts.keys != b->m.keys || keys.counts.versions != b->m.versions ||
         keys.counts.deleted != b->m.deleted || policy.assignments != b->m.assignments))
        rc = CF_FAIL(e, CF_E_CORRUPT, "the counts of the manifest are not true");
    return rc;
}

enum cf_rc backup_in_records(struct backup_in *b, uint32_t stream, struct chunk_taker to,
                             struct cf_err *e)
{
    struct records_in in = { .b = b, .stream = stream, .other = to };
    return restore_stream(&in, e);
}
