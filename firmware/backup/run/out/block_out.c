/* One block on its way out: a pass under a fresh salt, and its row once the far side has it. */
#include "out_priv.h"

#include <string.h>

static void name_blob(const struct backup *b, const struct slot *s, char out[BLOB_NAME_MAX + 1])
{
    char name[MANIFEST_NAME_SIZE];
    if (b->m.layout == MANIFEST_WHOLE)
        manifest_block_name(s->block.stream, s->block.number, s->salt, name);
    else
        manifest_blob_name(s->block.stream,
                           (size_t)(s->block.number / run_blob_blocks(&b->j->r->o)), name);
    job_blob(b->j, name, out);
}

/* Who may not look, though no token said so (a stored access policy, a role), takes its word. */
static void looked(void *ctx, const struct blob_result *r)
{
    struct slot *s = ctx;
    struct blob_end end = slot_end(s);
    struct blob_result unseen = { .why = BLOB_OK, .size = flow_wire(&s->block) };
    end.done(end.ctx, r->why == BLOB_PERMISSION ? &unseen : r);
}

/* A block that is a blob: FORMAT.md, 6.5. */
static void look_at_it(void *ctx, const struct blob_result *r)
{
    struct slot *s = ctx;
    struct blob_end end = slot_end(s);
    struct blob_result none = { .why = BLOB_CALLER };
    char blob[BLOB_NAME_MAX + 1];
    if (r->why != BLOB_OK) {
        end.done(end.ctx, r);
        return;
    }
    name_blob(s->backup, s, blob);
    if (blob_head(s->lane, blob, (struct blob_end){ looked, s }, &none.err) != CF_OK)
        end.done(end.ctx, &none);
}

enum cf_rc backup_send(struct backup *b, struct slot *s, struct flow_reader from, struct cf_err *e)
{
    char blob[BLOB_NAME_MAX + 1];
    struct seal_pass pass = { .run = &b->seal,
                              .block = &s->block,
                              .salt = s->salt,
                              .from = from,
                              .digest = !s->block.mapped || b->j->r->o.digest_partitions };
    struct upload_block up = { .blob = blob,
                               .stream = s->block.stream,
                               .number = s->block.number,
                               .salt = s->salt,
                               .wire = flow_wire(&s->block),
                               .whole = b->m.layout == MANIFEST_WHOLE,
                               .pull = backup_pull,
                               .pull_ctx = s };
    bool look = up.whole && b->j->report.can_read;
    enum cf_rc rc = seal_salts_next(b->salts, s->salt, e);
    if (rc == CF_OK)
        rc = seal_writer_begin(s->sealer, &pass, e);
    if (rc != CF_OK)
        return rc;
    s->backup = b;
    name_blob(b, s, blob);
    return upload_block_start(s->writer, &up,
                              look ? (struct blob_end){ look_at_it, s } : slot_end(s), e);
}

enum cf_rc backup_pull(void *ctx, void *buf, size_t cap, size_t *len, struct cf_err *e)
{
    struct slot *s = ctx;
    enum cf_rc rc = seal_writer_pull(s->sealer, buf, cap, len, e);
    return rc == CF_OK ? slot_moved(s, *len, e) : rc;
}

enum cf_rc backup_ack(struct backup *b, struct slot *s, struct cf_err *e)
{
    struct stream_out *out = &b->streams[s->block.stream];
    uint8_t row[FLOW_ROW_SIZE];
    size_t at = (size_t)s->block.number * FLOW_ROW_SIZE;
    enum cf_rc rc = seal_writer_receipt(s->sealer, &s->receipt, e);
    if (rc == CF_OK && b->m.layout == MANIFEST_WHOLE && b->j->report.can_read &&
        s->blob_size != s->receipt.wire)
        rc = CF_FAIL(e, CF_E_REMOTE,
                     "block %llu of stream %u has %llu bytes in the storage instead of %u",
                     (unsigned long long)s->block.number, s->block.stream,
                     (unsigned long long)s->blob_size, s->receipt.wire);
    if (rc != CF_OK)
        return rc;
    flow_row_put(&s->receipt, row);
    rc = journal_out_row(b->journal, s->block.stream, s->block.number, row, e);
    if (rc != CF_OK)
        return rc;
    engine_lock(b->j->engine);
    if (out->rows.len < at + sizeof row)
        rc = cf_buf_resize(&out->rows, at + sizeof row, e);
    if (rc == CF_OK)
        memcpy(out->rows.data + at, row, sizeof row);
    out->plain += s->receipt.covered;
    out->wire += s->receipt.wire;
    out->blocks++;
    engine_unlock(b->j->engine);
    atomic_fetch_add(&b->j->wire_bytes, s->receipt.wire);
    job_advance(b->j, s->receipt.covered);
    return rc;
}
