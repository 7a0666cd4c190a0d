#include "out_priv.h"

#include <stdlib.h>
#include <string.h>

/* Two blocks of records: one is built while the other travels. */
#define LENT 2

/* A block in memory; `out`: lent to a transfer thread (under the engine's lock). */
struct lent {
    struct cf_buf bytes;
    struct flow_block block;
    bool out;
};

/* Both streams, one behind the other: the second does not wait for the first one's last block, nor
 * the partitions for either. */
struct records_out {
    struct backup *b;
    struct source_records *src;
    struct chunk_packer *packer; /* of the stream that is built */
    struct lent lent[LENT];      /* block n of both is in lent[n % LENT] */
    uint64_t handed;
    bool building; /* lent[handed % LENT] */
    struct work w;
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
    struct records_out *p = ctx;
    struct lent *l = &p->lent[s->number % LENT];
    s->block = l->block;
    return backup_send(p->b, s, (struct flow_reader){ .read = read_block, .ctx = l }, e);
}

static enum cf_rc end_block(void *ctx, struct slot *s, struct cf_err *e)
{
    struct records_out *p = ctx;
    enum cf_rc rc = backup_ack(p->b, s, e);
    engine_lock(p->b->j->engine);
    p->lent[s->number % LENT].out = false;
    engine_notify_locked(p->b->j->engine);
    engine_unlock(p->b->j->engine);
    return rc;
}

/* Waits until a block is back. The storage may be slow or away for hours, while the snapshot holds
 * the log of a store that is written to. */
static enum cf_rc wait_for(struct records_out *p, const struct lent *l, struct cf_err *e)
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

static struct lent *current(struct records_out *p)
{
    return &p->lent[p->handed % LENT];
}

/* Closes the block being built and lends it. */
static enum cf_rc hand_over(struct records_out *p, bool last, struct cf_err *e)
{
    struct engine *g = p->b->j->engine;
    struct lent *l = current(p);
    enum cf_rc rc = chunk_packer_close(p->packer, &l->bytes, last, &l->block, e);
    if (rc != CF_OK)
        return rc;
    p->building = false;
    p->b->records_plain += l->block.covered;
    engine_lock(g);
    l->out = true;
    engine_unlock(g);
    engine_ready(g, &p->w, ++p->handed);
    return CF_OK;
}

static enum cf_rc begin_building(struct records_out *p, struct cf_err *e)
{
    enum cf_rc rc = wait_for(p, current(p), e);
    if (rc == CF_OK)
        rc = cf_buf_resize(&current(p)->bytes, 0, e);
    p->building = rc == CF_OK;
    return rc;
}

static enum cf_rc pack(struct records_out *p, const struct cf_buf *record, struct cf_err *e)
{
    bool fits = false;
    enum cf_rc rc = p->building ? CF_OK : begin_building(p, e);
    if (rc == CF_OK)
        rc = chunk_packer_put(p->packer, &current(p)->bytes, record->data, record->len, &fits, e);
    if (rc != CF_OK || fits)
        return rc;
    rc = hand_over(p, false, e);
    if (rc == CF_OK)
        rc = begin_building(p, e);
    if (rc == CF_OK)
        rc = chunk_packer_put(p->packer, &current(p)->bytes, record->data, record->len, &fits, e);
    return rc;
}

static enum cf_rc pack_all(struct records_out *p, enum flow_kind kind, struct cf_err *e)
{
    struct cf_buf record = { 0 };
    bool more = true;
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && more) {
        rc = source_records_next(p->src, kind, &record, &more, e);
        if (rc == CF_OK && more)
            rc = pack(p, &record, e);
        if (rc == CF_OK && job_canceled(p->b->j))
            rc = CF_FAIL(e, CF_E_CANCEL, "canceled");
    }
    if (rc == CF_OK && p->building)
        rc = hand_over(p, true, e);
    cf_buf_clear(&record);
    return rc;
}

static enum cf_rc send_stream(struct records_out *p, uint32_t stream, struct cf_err *e)
{
    const struct run_options *o = &p->b->j->r->o;
    struct stream_out *out = &p->b->streams[stream];
    struct chunk_packing how = { .stream = stream,
                                 .chunk_log2 = run_chunk_log2(o),
                                 .block_max = o->record_block ? o->record_block : FLOW_RECORD_BLOCK,
                                 .index = &out->index };
    enum cf_rc rc = chunk_packer_new(&how, &p->packer, e);
    if (rc == CF_OK)
        rc = pack_all(p, stream == 0 ? FLOW_KEYS : FLOW_POLICY, e);
    if (rc == CF_OK)
        out->records = chunk_packer_records(p->packer);
    chunk_packer_free(p->packer);
    p->packer = NULL;
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

static enum cf_rc send_streams(struct records_out *p, struct cf_err *e)
{
    struct backup *b = p->b;
    enum cf_rc rc = source_records_open(b->j->r->o.keystore, &p->src, e);
    if (rc == CF_OK)
        engine_begin(b->j->engine, &p->w, 0);
    for (uint32_t stream = 0; rc == CF_OK && stream < 2; stream++)
        rc = send_stream(p, stream, e);
    if (rc == CF_OK)
        source_records_counts(p->src, &b->counts);
    source_records_close(p->src); /* a snapshot holds the store's log */
    p->src = NULL;
    return rc;
}

enum cf_rc backup_records(struct backup *b, struct cf_err *e)
{
    if (b->streams[0].whole) { /* an earlier life sent both and noted its moment of the store */
        backup_count(b, 0);
        backup_count(b, 1);
        b->records_plain = b->streams[0].plain + b->streams[1].plain;
        return CF_OK;
    }
    b->records = calloc(1, sizeof *b->records);
    if (!b->records)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    b->records->b = b;
    b->records->w = (struct work){ .begin = begin_block, .end = end_block, .ctx = b->records };
    b->snapshot_s = (uint64_t)(hal_clock_unix_ms(b->j->r->o.clock) / 1000);
    enum cf_rc rc = begin_streams(b, e);
    return rc == CF_OK ? send_streams(b->records, e) : rc;
}

enum cf_rc backup_records_end(struct backup *b, struct cf_err *e)
{
    if (!b->records)
        return CF_OK;
    enum cf_rc rc = engine_wait(b->j->engine, &b->records->w, e);
    records_out_free(b->records);
    b->records = NULL;
    return rc == CF_OK ? records_close(b, e) : rc;
}

void records_out_free(struct records_out *p)
{
    for (unsigned i = 0; p && i < LENT; i++)
        cf_buf_clear(&p->lent[i].bytes);
    free(p);
}
