#include "out_priv.h"

#include <stdio.h>
#include <stdlib.h>

/* All raw streams together, so that small ones do not wait for each other. */
struct part_out {
    struct hal_partition *partition;
    struct source_raw source;
    uint64_t first;  /* number of the first block to be sent, in the common count */
    uint64_t blocks; /* to be sent */
    uint64_t *todo;  /* their numbers in the stream; NULL: all of it */
};

struct raw_out {
    struct backup *b;
    struct part_out *parts;
    size_t count;
};

static struct part_out *part_of(const struct raw_out *o, uint64_t number, size_t *i)
{
    *i = 0;
    while (number >= o->parts[*i].first + o->parts[*i].blocks)
        ++*i;
    return &o->parts[*i];
}

static enum cf_rc begin_block(void *ctx, struct slot *s, struct cf_err *e)
{
    struct raw_out *o = ctx;
    size_t i = 0;
    struct part_out *p = part_of(o, s->number, &i);
    struct flow_reader from = source_raw_reader(&p->source);
    s->block.stream = (uint32_t)(2 + i);
    s->block.number = s->number - p->first;
    if (p->todo)
        s->block.number = p->todo[s->block.number];
    s->block.chunk_log2 = run_chunk_log2(&o->b->j->r->o);
    chunk_raw_shape(p->partition->size, &s->block);
    enum cf_rc rc = chunk_raw_probe(&s->block, &from, s->scratch, e);
    return rc == CF_OK ? backup_send(o->b, s, from, e) : rc;
}

static enum cf_rc end_block(void *ctx, struct slot *s, struct cf_err *e)
{
    struct raw_out *o = ctx;
    return backup_ack(o->b, s, e);
}

/* What an earlier life left undone. */
static enum cf_rc list_todo(struct raw_out *o, size_t i, struct cf_err *e)
{
    struct stream_out *out = &o->b->streams[2 + i];
    struct part_out *p = &o->parts[i];
    uint64_t n = 0;
    if (p->source.changes != out->changes)
        return CF_FAIL(e, CF_E_STATE, "partition %s was written while the backup was taken up",
                       p->source.name);
    p->todo = calloc((size_t)p->blocks + 1, sizeof *p->todo);
    if (!p->todo)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (uint64_t k = 0; k < p->blocks; k++) {
        struct flow_receipt row;
        flow_row_get(out->rows.data + k * FLOW_ROW_SIZE, &row);
        if (!row.covered)
            p->todo[n++] = k;
    }
    p->blocks = n;
    backup_count(o->b, 2 + i);
    return CF_OK;
}

static enum cf_rc note_begin(struct raw_out *o, size_t i, struct cf_err *e)
{
    const struct part_out *p = &o->parts[i];
    struct journal_stream s = { .size = p->partition->size,
                                .changes = p->source.changes,
                                .chunk_log2 = run_chunk_log2(&o->b->j->r->o) };
    snprintf(s.name, sizeof s.name, "%s", p->source.name);
    return journal_out_stream(o->b->journal, (uint32_t)(2 + i), &s, e);
}

static enum cf_rc open_part(struct raw_out *o, size_t i, uint64_t *blocks, struct cf_err *e)
{
    const struct run_partition *rp = o->b->parts[i];
    struct part_out *p = &o->parts[i];
    struct stream_out *out = &o->b->streams[2 + i];
    struct store_selector sel;
    if (out->whole) {
        atomic_fetch_add(&o->b->j->total_bytes, out->size);
        backup_count(o->b, 2 + i);
        return CF_OK;
    }
    store_live_selector(o->b->j->r->o.live, &sel);
    enum cf_rc rc = rp->open_live(rp->ctx, sel.side[rp->index], &p->partition, e);
    if (rc != CF_OK)
        return cf_err_ctx(e, rc, "partition %s", rp->name);
    p->first = *blocks;
    p->blocks = chunk_raw_blocks(p->partition->size);
    atomic_fetch_add(&o->b->j->total_bytes, p->partition->size);
    rc = cf_buf_resize(&out->rows, (size_t)p->blocks * FLOW_ROW_SIZE, e);
    if (rc == CF_OK)
        rc = source_raw_begin(&p->source, p->partition, rp->name, e);
    if (rc == CF_OK)
        rc = out->begun ? list_todo(o, i, e) : note_begin(o, i, e);
    *blocks += p->blocks;
    return rc;
}

/* Nobody wrote while it was read: only then its blocks become blobs. */
static enum cf_rc close_part(struct raw_out *o, size_t i, struct cf_err *e)
{
    struct stream_out *out = &o->b->streams[2 + i];
    static const struct cf_buf nothing;
    if (out->whole)
        return CF_OK;
    enum cf_rc rc = source_raw_end(&o->parts[i].source, e);
    out->changes = o->parts[i].source.changes;
    return rc == CF_OK ? journal_out_done(o->b->journal, (uint32_t)(2 + i), &nothing, e) : rc;
}

enum cf_rc backup_partitions(struct backup *b, struct cf_err *e)
{
    struct raw_out o = { .b = b, .count = b->part_count };
    struct work w = { .begin = begin_block, .end = end_block, .ctx = &o };
    uint64_t blocks = 0;
    enum cf_rc rc = CF_OK;
    o.parts = calloc(o.count + 1, sizeof *o.parts);
    if (!o.parts)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    atomic_fetch_add(&b->j->total_bytes, b->records_plain);
    for (size_t i = 0; rc == CF_OK && i < o.count; i++)
        rc = open_part(&o, i, &blocks, e);
    if (rc == CF_OK)
        engine_begin(b->j->engine, &w, blocks);
    if (rc == CF_OK) /* what the records still ask for is waited for while blocks travel */
        rc = backup_records_end(b, e);
    if (rc == CF_OK)
        rc = backup_lists_begin(b, LISTS_RECORDS, e);
    if (rc == CF_OK)
        rc = engine_wait(b->j->engine, &w, e);
    if (rc != CF_OK)
        engine_stop(b->j->engine); /* a transfer may still read the partitions */
    for (size_t i = 0; rc == CF_OK && i < o.count; i++)
        rc = close_part(&o, i, e);
    if (rc == CF_OK)
        rc = backup_lists_begin(b, LISTS_PARTITIONS, e);
    for (size_t i = 0; i < o.count; i++) {
        hal_partition_close(o.parts[i].partition);
        free(o.parts[i].todo);
    }
    free(o.parts);
    return rc;
}
