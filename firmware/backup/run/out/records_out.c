#include "run_priv.h"

#include <string.h>

/* Two blocks of records: one is built while the other travels. */
#define LENT 2

/* A block in memory; `out`: lent to a transfer thread (under the engine's lock). */
struct lent {
    struct cf_buf bytes;
    struct flow_block block;
    bool out;
};

struct pump {
    struct backup *b;
    struct source_records *src;
    struct chunk_packer *packer;
    struct lent lent[LENT]; /* block n is in lent[n % LENT] */
    uint64_t handed;
};

static enum cf_rc read_block(void *ctx, uint64_t place, void *dst, size_t len, struct cf_err *e)
{
    const struct lent *l = ctx;
    uint64_t at = place - l->block.place;
    if (at > l->bytes.len || len > l->bytes.len - at)
        return CF_FAIL(e, CF_E_ARG, "a record block that is not there");
    memcpy(dst, l->bytes.data + at, len);
    return CF_OK;
}

static enum cf_rc begin_block(void *ctx, struct slot *s, struct cf_err *e)
{
    struct pump *p = ctx;
    struct lent *l = &p->lent[s->number % LENT];
    s->block = l->block;
    return backup_send(p->b, s, (struct flow_reader){ .read = read_block, .ctx = l }, e);
}

static enum cf_rc end_block(void *ctx, struct slot *s, struct cf_err *e)
{
    struct pump *p = ctx;
    enum cf_rc rc = backup_ack(p->b, s, e);
    engine_lock(p->b->j->engine);
    p->lent[s->number % LENT].out = false;
    engine_notify_locked(p->b->j->engine);
    engine_unlock(p->b->j->engine);
    return rc;
}

/* Waits until a block is back. The storage may be slow or away for hours, while the snapshot holds
 * the log of a store that is written to. */
static enum cf_rc wait_for(struct pump *p, const struct lent *l, struct cf_err *e)
{
    struct engine *g = p->b->j->engine;
    enum cf_rc rc = source_records_check(p->src, e);
    engine_lock(g);
    while (rc == CF_OK && l->out) {
        rc = engine_sleep_locked(g, e);
        if (rc == CF_OK)
            rc = source_records_check(p->src, e);
    }
    engine_unlock(g);
    return rc;
}

/* Closes the block being built and lends it; then waits for room to build the next. */
static enum cf_rc hand_over(struct pump *p, bool last, struct cf_err *e)
{
    struct engine *g = p->b->j->engine;
    struct lent *l = &p->lent[p->handed % LENT];
    enum cf_rc rc = chunk_packer_close(p->packer, &l->bytes, last, &l->block, e);
    if (rc != CF_OK)
        return rc;
    engine_lock(g);
    l->out = true;
    engine_unlock(g);
    engine_ready(g, ++p->handed);
    l = &p->lent[p->handed % LENT];
    rc = wait_for(p, l, e);
    return rc == CF_OK ? cf_buf_resize(&l->bytes, 0, e) : rc;
}

static struct cf_buf *building(struct pump *p)
{
    return &p->lent[p->handed % LENT].bytes;
}

static enum cf_rc pack(struct pump *p, const struct cf_buf *record, struct cf_err *e)
{
    bool fits = false;
    enum cf_rc rc = chunk_packer_put(p->packer, building(p), record->data, record->len, &fits, e);
    if (rc != CF_OK || fits)
        return rc;
    rc = hand_over(p, false, e);
    if (rc == CF_OK)
        rc = chunk_packer_put(p->packer, building(p), record->data, record->len, &fits, e);
    return rc;
}

static enum cf_rc pump_stream(struct pump *p, enum flow_kind kind, struct cf_err *e)
{
    struct work w = { .begin = begin_block, .end = end_block, .ctx = p };
    struct cf_buf record = { 0 };
    bool more = true;
    enum cf_rc rc = CF_OK;
    engine_begin(p->b->j->engine, &w, 0);
    while (rc == CF_OK && more) {
        rc = source_records_next(p->src, kind, &record, &more, e);
        if (rc == CF_OK && more)
            rc = pack(p, &record, e);
        if (rc == CF_OK && job_canceled(p->b->j))
            rc = CF_FAIL(e, CF_E_CANCEL, "canceled");
    }
    if (rc == CF_OK && building(p)->len)
        rc = hand_over(p, true, e);
    for (unsigned i = 0; rc == CF_OK && i < LENT; i++)
        rc = wait_for(p, &p->lent[i], e);
    if (rc == CF_OK)
        rc = engine_wait(p->b->j->engine, e);
    cf_buf_clear(&record);
    return rc;
}

static enum cf_rc send_stream(struct backup *b, struct source_records *src, uint32_t stream,
                              struct cf_err *e)
{
    const struct run_options *o = &b->j->r->o;
    struct pump p = { .b = b, .src = src };
    struct stream_out *out = &b->streams[stream];
    struct chunk_packing how = { .stream = stream,
                                 .chunk_log2 = run_chunk_log2(o),
                                 .block_max = o->record_block ? o->record_block : FLOW_RECORD_BLOCK,
                                 .index = &out->index };
    enum cf_rc rc = chunk_packer_new(&how, &p.packer, e);
    if (rc == CF_OK)
        rc = pump_stream(&p, stream == 0 ? FLOW_KEYS : FLOW_POLICY, e);
    if (rc == CF_OK)
        out->records = chunk_packer_records(p.packer);
    else
        engine_stop(b->j->engine); /* a transfer may still read these buffers */
    chunk_packer_free(p.packer);
    for (unsigned i = 0; i < LENT; i++)
        cf_buf_clear(&p.lent[i].bytes);
    return rc;
}

static enum cf_rc begin_streams(struct backup *b, struct cf_err *e)
{
    struct journal_stream s = { .chunk_log2 = run_chunk_log2(&b->j->r->o) };
    enum cf_rc rc = CF_OK;
    for (uint32_t i = 0; rc == CF_OK && i < 2; i++)
        rc = journal_out_stream(b->journal, i, &s, e);
    return rc;
}

enum cf_rc backup_commit_records(struct backup *b, struct cf_err *e)
{
    enum cf_rc rc = backup_commit_stream(b, 0, e);
    return rc == CF_OK ? backup_commit_stream(b, 1, e) : rc;
}

enum cf_rc backup_records(struct backup *b, struct cf_err *e)
{
    struct source_records *src = NULL;
    if (b->streams[0].whole) { /* an earlier life sent both and noted its moment of the store */
        backup_count(b, 0);
        backup_count(b, 1);
        return CF_OK;
    }
    b->snapshot_s = (uint64_t)(hal_clock_unix_ms(b->j->r->o.clock) / 1000);
    enum cf_rc rc = begin_streams(b, e);
    if (rc == CF_OK)
        rc = source_records_open(b->j->r->o.keystore, &src, e);
    for (uint32_t stream = 0; rc == CF_OK && stream < 2; stream++)
        rc = send_stream(b, src, stream, e);
    if (rc == CF_OK)
        source_records_counts(src, &b->counts);
    source_records_close(src); /* before the block lists: a snapshot holds the store's log */
    return rc == CF_OK ? records_close(b, e) : rc;
}
