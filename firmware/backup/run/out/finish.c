#include "out_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- `meta`
 * ---------------------------------------------------------------------------------------- */

/* One attempt: all blocks of `meta` in one Put Blob, each under a new salt. */
struct meta_out {
    struct backup *b;
    struct cf_buf plain;
    struct seal_writer *sealer;
    struct flow_block block;
    struct seal_pass pass;
    uint8_t (*salts)[FLOW_SALT_SIZE];
    struct flow_receipt *receipts;
    size_t count;
    size_t open; /* block being pulled */
    char name[MANIFEST_NAME_SIZE];
};

static uint8_t meta_log2(const struct backup *b)
{
    uint8_t log2 = run_chunk_log2(&b->j->r->o);
    return log2 < FLOW_META_LOG2 ? log2 : FLOW_META_LOG2;
}

static enum cf_rc read_meta(void *ctx, uint64_t place, void *dst, size_t len, struct cf_err *e)
{
    struct meta_out *o = ctx;
    (void)e;
    memcpy(dst, o->plain.data + place, len);
    return CF_OK;
}

static void shape(struct meta_out *o, size_t i, struct flow_block *b)
{
    size_t place = i * FLOW_RECORD_BLOCK, left = o->plain.len - place;
    *b = (struct flow_block){ .stream = FLOW_META,
                              .chunk_log2 = meta_log2(o->b),
                              .last = i + 1 == o->count,
                              .number = i,
                              .place = place,
                              .covered =
                                  left < FLOW_RECORD_BLOCK ? (uint32_t)left : FLOW_RECORD_BLOCK };
}

static enum cf_rc open_block(struct meta_out *o, struct cf_err *e)
{
    shape(o, o->open, &o->block);
    o->pass = (struct seal_pass){ .run = &o->b->seal,
                                  .block = &o->block,
                                  .salt = o->salts[o->open],
                                  .from = { .read = read_meta, .ctx = o },
                                  .digest = true };
    return seal_writer_begin(o->sealer, &o->pass, e);
}

static enum cf_rc seal_meta(void *ctx, void *buf, size_t cap, size_t *len, struct cf_err *e)
{
    struct meta_out *o = ctx;
    enum cf_rc rc = seal_writer_pull(o->sealer, buf, cap, len, e);
    if (rc != CF_OK || *len)
        return rc;
    rc = seal_writer_receipt(o->sealer, &o->receipts[o->open], e);
    if (rc == CF_OK && ++o->open < o->count)
        rc = open_block(o, e);
    return rc == CF_OK && o->open < o->count ? seal_writer_pull(o->sealer, buf, cap, len, e) : rc;
}

static enum cf_rc pull_meta(void *ctx, void *buf, size_t cap, size_t *len, struct cf_err *e)
{
    struct meta_out *o = ctx;
    enum cf_rc rc = seal_meta(o, buf, cap, len, e);
    return rc == CF_OK ? job_pace(o->b->j, *len, e) : rc;
}

static enum cf_rc begin_meta(struct meta_out *o, uint64_t *wire, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    *wire = 0;
    for (size_t i = 0; rc == CF_OK && i < o->count; i++) {
        struct flow_block b;
        shape(o, i, &b);
        *wire += flow_wire(&b);
        rc = seal_salts_next(o->b->salts, o->salts[i], e);
    }
    o->open = 0;
    manifest_meta_name(o->salts[0], o->name);
    return rc == CF_OK ? open_block(o, e) : rc;
}

static void try_meta(void *ctx, const struct upload_far *f, struct upload_outcome *out)
{
    struct meta_out *o = ctx;
    char blob[BLOB_NAME_MAX + 1];
    struct cf_err err = { 0 };
    struct blob_body body = { .pull = pull_meta, .pull_ctx = o };
    if (begin_meta(o, &body.len, &err) != CF_OK) {
        *out = (struct upload_outcome){ .verdict = UPLOAD_FAILED, .err = err };
        return;
    }
    job_blob(o->b->j, o->name, blob);
    upload_put_pulled(f, blob, &body, out);
    if (out->verdict == UPLOAD_DONE && o->open < o->count && /* the last row was not asked for */
        seal_writer_receipt(o->sealer, &o->receipts[o->open], &out->err) != CF_OK)
        out->verdict = UPLOAD_FAILED;
}

static enum cf_rc put_section(struct cf_buf *plain, const struct cf_buf *part, uint64_t *offset,
                              uint64_t *len, struct cf_err *e)
{
    *offset = plain->len;
    *len = part->len;
    return cf_buf_put(plain, part->data, part->len, e);
}

static enum cf_rc put_root(const struct stream_out *out, struct manifest_stream *ms,
                           struct cf_err *e)
{
    ms->root = calloc(out->index.count + 1, sizeof *ms->root);
    if (!ms->root)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    ms->root_count = out->index.count;
    for (size_t i = 0; i < out->index.count; i++) {
        const struct chunk_segment *g = &out->index.segments[i];
        ms->root[i] = (struct manifest_segment){ .offset = ms->index_offset + g->offset,
                                                 .len = g->len,
                                                 .chunk = g->chunk };
        memcpy(ms->root[i].name, g->name, sizeof g->name);
    }
    return CF_OK;
}

/* Tables and indexes, one behind the other, and where they lie. */
static enum cf_rc gather_meta(struct backup *b, struct cf_buf *plain, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < b->stream_count; i++) {
        const struct stream_out *out = &b->streams[i];
        struct manifest_stream *ms = &b->m.streams[i];
        rc = put_section(plain, &out->rows, &ms->table_offset, &ms->table_len, e);
        if (rc != CF_OK || i >= 2)
            continue;
        rc = put_section(plain, &out->index.bytes, &ms->index_offset, &ms->index_len, e);
        if (rc == CF_OK)
            rc = put_root(out, ms, e);
    }
    return rc;
}

static enum cf_rc note_meta(struct meta_out *o, struct cf_err *e)
{
    struct manifest_meta *meta = &o->b->m.meta;
    (void)e;
    meta->chunk_log2 = meta_log2(o->b);
    meta->plain = o->plain.len;
    meta->count = o->count;
    meta->blocks = o->receipts;
    o->receipts = NULL;
    if (o->count)
        snprintf(meta->blob, sizeof meta->blob, "%s", o->name);
    return CF_OK;
}

static enum cf_rc send_meta(struct backup *b, struct cf_err *e)
{
    struct meta_out o = { .b = b };
    enum cf_rc rc = gather_meta(b, &o.plain, e);
    o.count = (o.plain.len + FLOW_RECORD_BLOCK - 1) / FLOW_RECORD_BLOCK;
    o.salts = calloc(o.count + 1, sizeof *o.salts);
    o.receipts = calloc(o.count + 1, sizeof *o.receipts);
    if (rc == CF_OK && (!o.salts || !o.receipts))
        rc = CF_FAIL(e, CF_E_LIMIT, "no memory");
    if (rc == CF_OK)
        rc = seal_writer_new(&o.sealer, e);
    if (rc == CF_OK && o.count)
        rc = far_repeat(b->j, try_meta, &o, e);
    if (rc == CF_OK)
        rc = note_meta(&o, e);
    seal_writer_free(o.sealer);
    free(o.salts);
    free(o.receipts);
    cf_buf_clear(&o.plain);
    return rc;
}

/* --- the manifest
 * ---------------------------------------------------------------------------------- */

static void fill_streams(struct backup *b)
{
    for (size_t i = 0; i < b->stream_count; i++) {
        const struct stream_out *out = &b->streams[i];
        struct manifest_stream *ms = &b->m.streams[i];
        const char *name = i == 0 ? "keys" : i == 1 ? "policy" : b->parts[i - 2]->name;
        snprintf(ms->name, sizeof ms->name, "%s", name);
        ms->kind = i == 0 ? FLOW_KEYS : i == 1 ? FLOW_POLICY : FLOW_RAW;
        ms->chunk_log2 = run_chunk_log2(&b->j->r->o);
        ms->plain = out->plain;
        ms->blocks = out->blocks;
        ms->wire = out->wire;
        ms->records = out->records;
        ms->changes = out->changes;
        b->m.wire += out->wire;
    }
    for (size_t i = 0; i < b->m.meta.count; i++)
        b->m.wire += b->m.meta.blocks[i].wire;
}

static void fill_manifest(struct backup *b)
{
    struct run *r = b->j->r;
    struct manifest *m = &b->m;
    struct store_selector sel;
    store_live_selector(r->o.live, &sel);
    snprintf(m->folder, sizeof m->folder, "%.255s", b->j->folder);
    snprintf(m->hsm, sizeof m->hsm, "%s", r->o.hsm_name);
    snprintf(m->writer, sizeof m->writer, "%s", r->o.writer);
    m->completed_s = (uint64_t)(hal_clock_unix_ms(r->o.clock) / 1000);
    m->seq = r->last.seq + 1;
    memcpy(m->prev, r->last.mac, sizeof m->prev);
    memcpy(m->appliance, r->o.appliance_id, sizeof m->appliance);
    if (r->o.audit) {
        struct audit_head head = audit_head(r->o.audit);
        m->audit_record = head.sequence;
        memcpy(m->audit_hash, head.hash, sizeof m->audit_hash);
    }
    memcpy(m->store_epoch, sel.epoch, sizeof m->store_epoch);
    m->store_changes = b->counts.store_changes;
    m->snapshot_s = b->snapshot_s;
    m->since = r->o.member_since_s;
    m->keys = b->counts.keys.keys;
    m->versions = b->counts.keys.versions;
    m->deleted = b->counts.keys.deleted;
    m->assignments = b->counts.assignments;
    fill_streams(b);
}

/* All bytes are over there: a token that is taken out now, and put back, must not waste them. */
static enum cf_rc build(struct backup *b, struct cf_buf *bytes, struct cf_err *e)
{
    const struct run_options *o = &b->j->r->o;
    struct token_wait wait = { 0 };
    enum cf_rc rc = CF_OK;
    do
        rc = manifest_build(&o->domain, &b->env, b->dk, o->entropy, &b->m, bytes, e);
    while (patience_token(b->j, &wait, &rc, e));
    return rc;
}

/* A look at the manifest beside its second copy. A copy that fails is a remark. */
static enum cf_rc look_and_copy(struct backup *b, struct cf_err *e)
{
    struct job *j = b->j;
    struct aside copy = { .name = "manifest.copy", .bytes = &b->ready };
    struct asides a = { .j = j, .item = &copy, .count = 1 };
    struct engine_options eo = { .job = j, .write = true };
    struct cf_err late = { 0 };
    enum cf_rc copied = j->engine ? CF_OK : engine_new(&eo, &j->engine, &late);
    if (copied == CF_OK)
        asides_begin(&a);
    enum cf_rc rc = far_look(j, "manifest", b->ready.len, e);
    if (copied == CF_OK)
        copied = asides_wait(&a, &late);
    if (copied != CF_OK)
        job_warn(j, "the manifest's second copy could not be written");
    return rc;
}

/* The bytes are on our medium before they are on the other side: a repetition sends the same. */
static enum cf_rc commit(struct backup *b, struct cf_err *e)
{
    struct run *r = b->j->r;
    struct cf_err late = { 0 };
    enum cf_rc rc = far_put(b->j, "manifest", b->ready.data, b->ready.len, e);
    if (rc == CF_E_CANCEL)
        job_warn(b->j, RUN_MAY_BE_WHOLE);
    if (rc == CF_OK) { /* the backup is whole from here on */
        (void)!job_past_cancel(b->j, NULL);
        rc = look_and_copy(b, e);
    }
    r->last.seq = b->ready_as.seq; /* used, whatever the answer was: after a restart too */
    if (rc == CF_OK)
        memcpy(r->last.mac, b->ready_as.mac, sizeof r->last.mac);
    if (journal_last_write(r->o.dir, &r->last, &late) != CF_OK)
        job_warn(b->j, "the backup's number could not be remembered here");
    return cf_err_ctx(e, rc, "writing the manifest");
}

static enum cf_rc make_ready(struct backup *b, struct cf_err *e)
{
    enum cf_rc rc = send_meta(b, e); /* beside the last block lists */
    if (rc == CF_OK)
        rc = backup_lists_wait(b, e);
    if (rc == CF_OK) {
        fill_manifest(b);
        rc = backup_cover(b, e);
    }
    if (rc == CF_OK) {
        job_keep_cover(b->j, &b->m);
        rc = build(b, &b->ready, e);
    }
    b->ready_as.seq = b->m.seq;
    memcpy(b->ready_as.mac, b->m.mac, sizeof b->ready_as.mac);
    if (rc == CF_OK && job_canceled(b->j))
        rc = CF_FAIL(e, CF_E_CANCEL, "canceled");
    return rc == CF_OK ? journal_out_manifest(b->journal, &b->ready_as, &b->ready, e) : rc;
}

enum cf_rc backup_finish(struct backup *b, struct cf_err *e)
{
    enum cf_rc rc = b->ready.len ? CF_OK : make_ready(b, e);
    if (rc == CF_OK)
        rc = commit(b, e);
    if (rc == CF_OK)
        backup_tell_missing(b->j);
    atomic_store(&b->j->wire_bytes, b->m.wire + 2 * b->ready.len);
    return rc;
}
