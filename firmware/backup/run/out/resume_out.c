/* A backup takes up what its journal and the storage both have: FORMAT.md, 8. */
#include "out_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* --- what the storage has of one stream ----------------------------------------------------------
 */

enum { SEEN_NOT, SEEN_UNCOMMITTED, SEEN_COMMITTED };

struct look {
    struct backup *b;
    uint32_t stream;
    struct cf_buf *rows;
    uint8_t *seen;
    uint64_t first, count; /* blocks of the blob that is looked at */
    bool committed;        /* that blob is there */
    bool foreign;          /* and is not what the journal says */
};

static uint8_t *row_of(const struct look *l, uint64_t i)
{
    return l->rows->data + i * FLOW_ROW_SIZE;
}

static bool acked(const uint8_t *row)
{
    struct flow_receipt r;
    flow_row_get(row, &r);
    return r.covered != 0;
}

static void look_again(void *ctx)
{
    struct look *l = ctx;
    l->committed = l->foreign = false;
    memset(l->seen + l->first, SEEN_NOT, l->count);
}

static enum cf_rc see_block(void *ctx, bool committed, const struct blob_block_id *id,
                            uint64_t size, struct cf_err *e)
{
    struct look *l = ctx;
    struct cf_rd rd = cf_rd_of(id->bytes, sizeof id->bytes);
    uint32_t stream = cf_rd_be32(&rd);
    uint64_t i = cf_rd_be64(&rd);
    struct flow_receipt row = { .covered = 0 };
    (void)e;
    bool ours = stream == l->stream && i >= l->first && i - l->first < l->count;
    if (ours)
        flow_row_get(row_of(l, i), &row);
    ours = ours && row.covered && row.wire == size &&
           cf_equal(id->bytes + BLOB_BLOCK_ID_LEN - FLOW_SALT_SIZE, row.salt, FLOW_SALT_SIZE);
    l->committed |= committed;
    l->foreign |= committed && !ours;
    if (ours && l->seen[i] != SEEN_COMMITTED)
        l->seen[i] = committed ? SEEN_COMMITTED : SEEN_UNCOMMITTED;
    return CF_OK;
}

/* Where a blob is committed, what lies beside it uncommitted will never be part of it. */
static enum cf_rc look_at_blob(struct look *l, size_t part, bool *committed, struct cf_err *e)
{
    char name[MANIFEST_NAME_SIZE];
    struct cf_err err = { 0 };
    uint64_t all = l->rows->len / FLOW_ROW_SIZE, each = run_blob_blocks(&l->b->j->r->o);
    l->first = part * each;
    l->count = all - l->first < each ? all - l->first : each;
    manifest_blob_name(l->stream, part, name);
    enum cf_rc rc =
        far_list(l->b->j, name,
                 &(struct far_lister){ .again = look_again, .each = see_block, .ctx = l }, &err);
    if (rc == CF_E_DENIED && err.src == CF_SRC_HTTP) { /* a policy that no token tells of */
        l->foreign = true;
        return CF_OK;
    }
    if (rc != CF_OK && rc != CF_E_ABSENT) {
        *e = err;
        return rc;
    }
    for (uint64_t i = l->first; i < l->first + l->count; i++) {
        bool here = l->seen[i] == (l->committed ? SEEN_COMMITTED : SEEN_UNCOMMITTED);
        l->foreign |= l->committed && !here;
        if (!here)
            memset(row_of(l, i), 0, FLOW_ROW_SIZE);
    }
    *committed |= l->committed;
    return CF_OK;
}

/* --- layout 1: each block is a blob --------------------------------------------------------------
 */

static void seen_or_not(void *ctx, const struct blob_result *r)
{
    struct slot *s = ctx;
    struct blob_end end = slot_end(s);
    struct blob_result absent = { .why = BLOB_OK };
    end.done(end.ctx, r->why == BLOB_ABSENT || r->why == BLOB_PERMISSION ? &absent : r);
}

static enum cf_rc begin_look(void *ctx, struct slot *s, struct cf_err *e)
{
    struct look *l = ctx;
    char name[MANIFEST_NAME_SIZE], blob[BLOB_NAME_MAX + 1];
    if (!acked(row_of(l, s->number))) { /* nothing to find: any name that is not there */
        job_blob(l->b->j, "no-such-block", blob);
    } else {
        manifest_block_name(l->stream, s->number, row_of(l, s->number), name);
        job_blob(l->b->j, name, blob);
    }
    return blob_head(s->lane, blob, (struct blob_end){ seen_or_not, s }, e);
}

static enum cf_rc end_look(void *ctx, struct slot *s, struct cf_err *e)
{
    struct look *l = ctx;
    struct flow_receipt row;
    (void)e;
    flow_row_get(row_of(l, s->number), &row);
    if (!row.covered || s->blob_size != row.wire)
        memset(row_of(l, s->number), 0, FLOW_ROW_SIZE);
    return CF_OK;
}

static enum cf_rc look_at_each(struct look *l, struct cf_err *e)
{
    struct work w = { .begin = begin_look, .end = end_look, .ctx = l };
    engine_begin(l->b->j->engine, &w, l->rows->len / FLOW_ROW_SIZE);
    return engine_wait(l->b->j->engine, &w, e);
}

/* Takes out of `rows` what the storage does not have. */
static enum cf_rc look(struct backup *b, uint32_t stream, struct stream_past *sp, struct cf_err *e)
{
    struct look l = { .b = b, .stream = stream, .rows = &b->streams[stream].rows };
    size_t blocks = l.rows->len / FLOW_ROW_SIZE;
    uint64_t each = run_blob_blocks(&b->j->r->o);
    enum cf_rc rc = CF_OK;
    if (!b->j->report.can_read)
        return CF_OK;
    if (b->m.layout == MANIFEST_WHOLE)
        return blocks ? look_at_each(&l, e) : CF_OK;
    l.seen = calloc(blocks + 1, 1);
    if (!l.seen)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    /* without rows too: a damaged journal may have lost those of a blob that is there */
    for (size_t part = 0; rc == CF_OK && (!part || part * each < blocks); part++) {
        rc = look_at_blob(&l, part, &sp->committed, e);
        sp->foreign |= l.foreign;
    }
    free(l.seen);
    return rc;
}

/* --- judging -------------------------------------------------------------------------------------
 */

static bool all_acked(const struct cf_buf *rows)
{
    for (size_t at = 0; at < rows->len; at += FLOW_ROW_SIZE)
        if (!acked(rows->data + at))
            return false;
    return true;
}

static void start_over(struct backup *b, size_t i)
{
    cf_buf_clear(&b->streams[i].rows);
    b->streams[i].begun = false;
}

/* Both streams are one moment of the store: both are whole or both start over. */
static bool judge_records(struct backup *b, const struct journal_past *p,
                          const struct stream_past *sp)
{
    bool whole = p->stream_count >= 2;
    for (size_t i = 0; whole && i < 2; i++)
        whole = p->streams[i].done && all_acked(&b->streams[i].rows);
    if (whole && records_reopen(b, p) == CF_OK)
        return true;
    start_over(b, 0);
    start_over(b, 1);
    return !sp[0].committed && !sp[1].committed;
}

/* As the partition is now: its size and change counter. */
static enum cf_rc ask_partition(struct backup *b, size_t i, uint64_t *size, uint64_t *changes,
                                struct cf_err *e)
{
    const struct run_partition *rp = b->parts[i - 2];
    struct store_selector sel;
    struct hal_partition *p = NULL;
    store_live_selector(b->j->r->o.live, &sel);
    enum cf_rc rc = rp->open_live(rp->ctx, sel.side[rp->index], &p, e);
    if (rc == CF_OK) {
        *size = p->size;
        rc = hal_partition_changes(p, changes, e);
    }
    hal_partition_close(p);
    return cf_err_ctx(e, rc, "partition %s", rp->name);
}

/* Block sizes may be another firmware's. */
static bool shapes_fit(const struct cf_buf *rows, uint64_t size)
{
    for (size_t i = 0; i < rows->len / FLOW_ROW_SIZE; i++) {
        struct flow_receipt r;
        struct flow_block block = { .number = i };
        flow_row_get(rows->data + i * FLOW_ROW_SIZE, &r);
        if (!r.covered)
            continue;
        if (i >= chunk_raw_blocks(size))
            return false;
        chunk_raw_shape(size, &block);
        if (block.place != r.place || block.covered != r.covered)
            return false;
    }
    return true;
}

/* A whole stream is that partition at one moment, whatever happened to it since. */
static enum cf_rc judge_raw(struct backup *b, const struct journal_stream *s,
                            const struct stream_past *sp, size_t i, bool *usable, struct cf_err *e)
{
    struct stream_out *out = &b->streams[i];
    uint64_t size = 0, changes = 0;
    out->changes = s->changes;
    out->size = s->size;
    out->whole = s->done && shapes_fit(&out->rows, s->size) &&
                 out->rows.len / FLOW_ROW_SIZE == chunk_raw_blocks(s->size) &&
                 all_acked(&out->rows);
    if (out->whole)
        return CF_OK;
    enum cf_rc rc = ask_partition(b, i, &size, &changes, e);
    if (rc != CF_OK)
        return rc;
    if (size == s->size && changes == s->changes && shapes_fit(&out->rows, size))
        return CF_OK;
    if (out->rows.len)
        cf_log(CF_LOG_WARN, "run", "stream-starts-over", "job=%s stream=%zu", b->j->record.id, i);
    start_over(b, i);
    *usable = *usable && !sp->committed;
    return CF_OK;
}

/* Where a damaged journal lost rows, the blobs that they were in are looked at all the same. */
static enum cf_rc make_room(struct cf_buf *rows, uint64_t size, struct cf_err *e)
{
    size_t all = (size_t)chunk_raw_blocks(size) * FLOW_ROW_SIZE;
    return rows->len < all ? cf_buf_resize(rows, all, e) : CF_OK;
}

static enum cf_rc judge_streams(struct backup *b, struct journal_past *p, struct stream_past *sp,
                                bool *usable, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    *usable = true;
    for (size_t i = 0; rc == CF_OK && i < b->stream_count; i++) {
        if (i >= 2 && b->streams[i].begun && b->m.layout == MANIFEST_LISTS)
            rc = make_room(&b->streams[i].rows, p->streams[i].size, e);
        if (rc == CF_OK)
            rc = look(b, (uint32_t)i, &sp[i], e);
        *usable = *usable && !sp[i].foreign;
    }
    if (rc == CF_OK)
        *usable = judge_records(b, p, sp) && *usable;
    for (size_t i = 2; rc == CF_OK && i < b->stream_count; i++)
        if (b->streams[i].begun)
            rc = judge_raw(b, &p->streams[i], &sp[i], i, usable, e);
    return rc;
}

/* What another table of partitions, or other chunks, make of no use starts over; without the right
 * to read nobody can say what is committed. */
static bool take_rows(struct backup *b, struct journal_past *p)
{
    bool usable = true;
    for (size_t i = 0; i < p->stream_count; i++) {
        struct journal_stream *s = &p->streams[i];
        bool fits = i < b->stream_count && s->chunk_log2 == run_chunk_log2(&b->j->r->o) &&
                    (i < 2 || strcmp(s->name, b->parts[i - 2]->name) == 0);
        if (!s->begun)
            continue;
        usable = usable && fits && (b->j->report.can_read || !s->done);
        if (!usable)
            return false;
        if (!b->j->report.can_read)
            continue;
        b->streams[i].rows = s->rows;
        b->streams[i].begun = true;
        s->rows = (struct cf_buf){ 0 };
    }
    return usable;
}

/* The folder may have been ours already when the answer was lost. */
static enum cf_rc claim_again(struct backup *b, const struct journal_past *p, bool *ours,
                              struct cf_err *e)
{
    struct job *j = b->j;
    struct run_probe probe = { .layout = (enum manifest_layout)p->layout };
    enum cf_rc rc = CF_OK;
    memcpy(j->folder, p->folder, sizeof p->folder);
    if (!p->claimed)
        rc = far_probe(j, p->probe_salt, &probe, e);
    *ours = rc == CF_OK && !probe.taken;
    if (rc != CF_OK || probe.taken)
        return probe.taken ? CF_OK : rc;
    b->m.layout = probe.layout;
    if (!p->claimed)
        rc = journal_out_claimed(b->journal, (uint8_t)probe.layout, e);
    if (rc == CF_OK && strcmp(j->record.folder, j->folder) != 0)
        rc = jobs_note(j->r->o.jobs, j->record.id, j->folder, NULL, e);
    return rc;
}

static enum cf_rc reopen(struct backup *b, const struct journal_past *p, bool *usable,
                         struct cf_err *e)
{
    struct run *r = b->j->r;
    const struct journal_file f = run_journal(r, JOURNAL_OUT);
    struct engine_options eo = { .job = b->j, .write = true };
    struct cf_err err = { 0 };
    struct token_wait wait = { 0 };
    enum cf_rc rc = CF_OK;
    do /* the token's worker may be as young as this life */
        rc = manifest_envelope_reopen(&r->o.domain, p->env.bytes, &b->env, &b->dk, &err);
    while (patience_token(b->j, &wait, &rc, &err));
    *usable = rc == CF_OK;
    if (rc == CF_E_AUTH || rc == CF_E_DENIED || rc == CF_E_CORRUPT)
        return CF_OK; /* a key that is no longer here: begin anew */
    if (rc != CF_OK) {
        *e = err;
        return rc;
    }
    rc = journal_go_on(&f, &p->kept, &b->journal, e);
    if (rc == CF_OK)
        rc = journal_out_life(b->journal, p->lives + 1, e);
    if (rc == CF_OK)
        rc = backup_draw(b, p->lives + 1, e);
    if (rc == CF_OK)
        rc = claim_again(b, p, usable, e);
    return rc == CF_OK && *usable ? engine_new(&eo, &b->j->engine, e) : rc;
}

/* All but the commit is done. What the manifest says of itself is asked of its own bytes. */
static enum cf_rc take_up_ready(struct backup *b, struct journal_past *p, struct cf_err *e)
{
    struct manifest_judge judge = { .folder = p->folder,
                                    .known = b->j->r->o.signers,
                                    .known_count = b->j->r->o.signer_count };
    struct cf_secret *dk = NULL;
    struct token_wait wait = { 0 };
    enum cf_rc rc = CF_OK;
    b->ready = p->manifest;
    b->ready_as = p->it;
    p->manifest = (struct cf_buf){ 0 };
    memcpy(b->j->folder, p->folder, sizeof p->folder);
    do {
        manifest_clear(&b->m);
        cf_secret_free(dk);
        dk = NULL;
        rc = manifest_open(&b->j->r->o.domain, &b->ready, &judge, &b->m, &dk, e);
    } while (patience_token(b->j, &wait, &rc, e));
    cf_secret_free(dk);
    if (rc == CF_OK)
        job_keep_cover(b->j, &b->m);
    return rc;
}

static enum cf_rc take_up_past(struct backup *b, struct journal_past *p, bool *usable,
                               struct cf_err *e)
{
    struct stream_past *sp = NULL;
    if (p->manifest.len)
        return take_up_ready(b, p, e);
    *usable = p->folder[0] && take_rows(b, p);
    if (!*usable)
        return CF_OK;
    sp = calloc(b->stream_count, sizeof *sp);
    if (!sp)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    enum cf_rc rc = reopen(b, p, usable, e);
    if (rc == CF_OK && *usable)
        rc = judge_streams(b, p, sp, usable, e);
    free(sp);
    return rc;
}

enum cf_rc backup_take_up(struct backup *b, bool *usable, struct cf_err *e)
{
    struct journal_past past;
    struct cf_err err = { 0 };
    *usable = false;
    const struct journal_file f = run_journal(b->j->r, JOURNAL_OUT);
    enum cf_rc rc = journal_past_read(&f, &past, &err);
    if (rc == CF_E_ABSENT || rc == CF_E_CORRUPT)
        return CF_OK;
    if (rc == CF_OK) {
        *usable = strcmp(past.job_id, b->j->record.id) == 0;
        if (*usable)
            rc = take_up_past(b, &past, usable, &err);
    }
    if (rc != CF_OK && e && e->rc == CF_OK)
        *e = err;
    if (rc == CF_OK)
        cf_log(CF_LOG_INFO, "run", *usable ? "backup-goes-on" : "backup-begins-anew",
               "job=%s lives=%llu", b->j->record.id, (unsigned long long)past.lives + 1);
    journal_past_clear(&past);
    return rc;
}
