#include "taken_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One raw stream on its way into the other side of its partition. */
struct part_in {
    const struct run_partition *partition;
    struct hal_partition *twin; /* NULL: look at everything, keep nothing */
    pthread_mutex_t lock;       /* hal/partition.h: one writer at a time */
    uint32_t stream;
    const uint8_t *rows;
    uint64_t *offsets; /* of each block in its blob */
    uint64_t first;    /* number of the first one that is fetched, in the common count */
    uint64_t left;     /* blocks that are fetched */
    uint64_t blocks;
    struct taken taken;
};

struct raw_in {
    struct backup_in *b;
    struct part_in *parts;
    size_t count;
    uint64_t *sample;        /* the blocks that are looked at; NULL: all */
    struct journal *journal; /* NULL: nothing is kept */
};

static struct part_in *part_of(const struct raw_in *in, uint64_t number)
{
    size_t i = 0;
    while (number >= in->parts[i].first + in->parts[i].left)
        i++;
    return &in->parts[i];
}

static enum cf_rc put_chunk(void *ctx, uint64_t place, const void *data, size_t len,
                            struct cf_err *e)
{
    struct slot *s = ctx;
    struct part_in *p = s->part;
    if (!p->twin)
        return CF_OK;
    s->sum += taken_sum(place, data, len);
    pthread_mutex_lock(&p->lock);
    enum cf_rc rc = hal_partition_write(p->twin, place, data, len, e);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

static enum cf_rc fill_chunk(void *ctx, uint64_t place, size_t len, uint8_t value, struct cf_err *e)
{
    struct slot *s = ctx;
    struct part_in *p = s->part;
    if (!p->twin)
        return CF_OK;
    s->sum += taken_fill(place, len, value, s->block.chunk_log2);
    pthread_mutex_lock(&p->lock);
    enum cf_rc rc = hal_partition_fill(p->twin, place, len, value, e);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

static enum cf_rc push_block(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    struct slot *s = ctx;
    enum cf_rc rc = seal_opener_push(s->opener, data, len, e);
    return rc == CF_OK ? slot_moved(s, len, e) : rc;
}

static void place_of(const struct raw_in *in, const struct part_in *p, uint64_t i,
                     struct block_place *out)
{
    const struct manifest_stream *s = &in->b->m.streams[p->stream];
    if (in->b->m.layout == MANIFEST_WHOLE) {
        backup_in_place(in->b, p->stream, p->rows, i, out);
        return;
    }
    size_t part = 0;
    while (i >= s->blobs[part].first + s->blobs[part].blocks)
        part++;
    backup_in_place(in->b, p->stream, p->rows, s->blobs[part].first, out);
    out->offset = p->offsets[i];
}

static enum cf_rc begin_block(void *ctx, struct slot *s, struct cf_err *e)
{
    struct raw_in *in = ctx;
    uint64_t number = in->sample ? in->sample[s->number] : s->number;
    struct part_in *p = part_of(in, number);
    struct block_place at;
    char blob[BLOB_NAME_MAX + 1];
    uint64_t i = number - p->first;
    if (p->taken.todo)
        i = p->taken.todo[i];
    manifest_table_block(&in->b->m, p->stream, p->rows, i, &s->block, &s->receipt);
    place_of(in, p, i, &at);
    s->blob_bytes = at.blob_bytes;
    s->part = p;
    s->sum = 0;
    struct seal_expect x = { .run = &in->b->seal,
                             .block = &s->block,
                             .receipt = &s->receipt,
                             .to = { .put = put_chunk, .fill = fill_chunk, .ctx = s },
                             .digest = proof_digest(in->b->proof, p->stream, i) };
    struct blob_range range = { .name = blob, .first = at.offset, .count = s->receipt.wire };
    job_blob(in->b->j, at.name, blob);
    enum cf_rc rc = seal_opener_begin(s->opener, &x, e);
    if (rc != CF_OK)
        return rc;
    return blob_get(s->lane, &range, push_block, s, slot_end(s), e);
}

static enum cf_rc end_block(void *ctx, struct slot *s, struct cf_err *e)
{
    struct raw_in *in = ctx;
    enum cf_rc rc = seal_opener_end(s->opener, e);
    if (rc == CF_OK && s->blob_size != s->blob_bytes)
        rc = CF_FAIL(e, CF_E_CORRUPT, "a blob of stream %u has a wrong length", s->block.stream);
    if (rc == CF_OK)
        proof_taken(in->b->proof, s->block.stream, s->block.number);
    if (rc == CF_OK && in->journal)
        rc = journal_in_row(in->journal, s->block.stream, s->block.number, s->sum, e);
    atomic_fetch_add(&in->b->j->wire_bytes, s->receipt.wire);
    job_advance(in->b->j, s->receipt.covered);
    return rc;
}

static enum cf_rc find_offsets(struct raw_in *in, struct part_in *p, struct cf_err *e)
{
    const struct manifest_stream *s = &in->b->m.streams[p->stream];
    uint64_t at = 0;
    p->offsets = calloc((size_t)p->blocks + 1, sizeof *p->offsets);
    if (!p->offsets)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (uint64_t i = 0, part = 0; i < p->blocks; i++) {
        struct flow_receipt row;
        if (in->b->m.layout == MANIFEST_LISTS &&
            i == s->blobs[part].first + s->blobs[part].blocks) {
            part++;
            at = 0;
        }
        p->offsets[i] = at;
        flow_row_get(p->rows + i * FLOW_ROW_SIZE, &row);
        at += row.wire;
    }
    return CF_OK;
}

static const struct run_partition *partition_called(const struct run *r, const char *name)
{
    for (size_t i = 0; i < r->o.partition_count; i++)
        if (strcmp(r->o.partitions[i].name, name) == 0)
            return &r->o.partitions[i];
    return NULL;
}

static enum cf_rc open_twin(struct part_in *p, const struct store_selector *sel, uint64_t bytes,
                            struct cf_err *e)
{
    const struct run_partition *rp = p->partition;
    enum cf_rc rc = rp->open_other(rp->ctx, sel->side[rp->index], &p->twin, e);
    if (rc == CF_OK && p->twin->size != bytes)
        rc = CF_FAIL(e, CF_E_STATE, "partition %s has %llu bytes here and %llu in the backup",
                     rp->name, (unsigned long long)p->twin->size, (unsigned long long)bytes);
    return rc;
}

static enum cf_rc open_part(struct raw_in *in, size_t i, const struct store_selector *sel,
                            struct cf_err *e)
{
    struct part_in *p = &in->parts[i];
    p->stream = (uint32_t)(2 + i);
    const struct manifest_stream *s = &in->b->m.streams[p->stream];
    p->partition = partition_called(in->b->j->r, s->name);
    if (!p->partition && sel) /* to look at it, it need not be ours */
        return CF_FAIL(e, CF_E_STATE,
                       "the backup holds partition %s, which this appliance does not have",
                       s->name);
    p->rows = in->b->meta.data + s->table_offset;
    p->blocks = p->left = s->blocks;
    enum cf_rc rc = sel ? open_twin(p, sel, s->plain, e) : CF_OK;
    if (rc == CF_OK && sel)
        rc = taken_init(&p->taken, p->blocks, e);
    return rc == CF_OK ? find_offsets(in, p, e) : rc;
}

static void note_taken(void *ctx, uint32_t stream, uint64_t block, uint64_t sum)
{
    struct raw_in *in = ctx;
    if (stream >= 2 && stream - 2 < in->count)
        taken_note(&in->parts[stream - 2].taken, block, sum);
}

/* What rows speak of is on its medium before they are. */
static enum cf_rc sync_twins(void *ctx, struct cf_err *e)
{
    struct raw_in *in = ctx;
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < in->count; i++) {
        pthread_mutex_lock(&in->parts[i].lock);
        rc = hal_partition_sync(in->parts[i].twin, e);
        pthread_mutex_unlock(&in->parts[i].lock);
    }
    return rc;
}

/* Leaves out what an earlier life of this restore has brought already. */
static enum cf_rc take_up(struct raw_in *in, struct cf_err *e)
{
    struct journal_file f = { .before = sync_twins, .ctx = in };
    enum cf_rc rc = taken_read(in->b, note_taken, &f, &in->journal, e);
    for (size_t i = 0; rc == CF_OK && i < in->count; i++) {
        struct part_in *p = &in->parts[i];
        struct taken_view v = {
            .j = in->b->j, .m = &in->b->m, .stream = p->stream, .rows = p->rows, .twin = p->twin
        };
        rc = taken_settle(&p->taken, &v, e);
        p->left = p->taken.left;
    }
    return rc;
}

static uint64_t count_blocks(struct raw_in *in)
{
    uint64_t n = 0;
    for (size_t i = 0; i < in->count; i++) {
        in->parts[i].first = n;
        n += in->parts[i].left;
    }
    return n;
}

static enum cf_rc transfer(struct raw_in *in, uint64_t blocks, uint8_t log2, struct cf_err *e)
{
    struct work w = { .begin = begin_block, .end = end_block, .ctx = in };
    struct engine_options eo = { .job = in->b->j, .chunk_log2 = log2 };
    enum cf_rc rc = engine_new(&eo, &in->b->j->engine, e);
    if (rc == CF_OK) {
        engine_begin(in->b->j->engine, &w, blocks);
        rc = engine_wait(in->b->j->engine, &w, e);
    }
    engine_free(in->b->j->engine); /* a transfer may still write to the twins */
    in->b->j->engine = NULL;
    return rc;
}

/* Sets `*blocks` to how many of them a sample looks at. */
static enum cf_rc choose(struct raw_in *in, uint64_t *blocks, struct cf_err *e)
{
    uint64_t n = 0;
    if (!proof_samples(in->b->proof))
        return CF_OK;
    in->sample = calloc((size_t)*blocks + 1, sizeof *in->sample);
    if (!in->sample)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (size_t k = 0; k < in->count; k++)
        for (uint64_t i = 0; i < in->parts[k].blocks; i++)
            if (proof_wants(in->b->proof, in->parts[k].stream, i))
                in->sample[n++] = in->parts[k].first + i;
    *blocks = n;
    return CF_OK;
}

/* A twin that found no room holds it all now; what else lies on that medium needs some. */
static void give_back_room(const struct raw_in *in, const struct cf_err *err)
{
    if (!err || err->src != CF_SRC_ERRNO || (err->native != ENOSPC && err->native != EDQUOT))
        return;
    for (size_t i = 0; i < in->count; i++)
        if (in->parts[i].twin)
            (void)!hal_partition_fill(in->parts[i].twin, 0, in->parts[i].twin->size, 0, NULL);
}

enum cf_rc restore_partitions(struct backup_in *b, const struct store_selector *sel,
                              uint8_t side[STORE_SIDES], struct cf_err *e)
{
    struct raw_in in = { .b = b, .count = b->m.stream_count - 2 };
    uint64_t blocks = 0;
    uint8_t log2 = FLOW_LOG2_VECTORS;
    enum cf_rc rc = CF_OK;
    in.parts = calloc(in.count + 1, sizeof *in.parts);
    if (!in.parts)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (size_t i = 0; i < in.count; i++) {
        pthread_mutex_init(&in.parts[i].lock, NULL);
        if (b->m.streams[2 + i].chunk_log2 > log2)
            log2 = b->m.streams[2 + i].chunk_log2;
    }
    if (sel && in.count) /* the other sides are overwritten: what they were is gone */
        rc = kept_drop(b->j->r->o.dir, e);
    for (size_t i = 0; rc == CF_OK && i < in.count; i++)
        rc = open_part(&in, i, sel, e);
    if (rc == CF_OK && sel)
        rc = take_up(&in, e);
    blocks = count_blocks(&in);
    if (rc == CF_OK)
        rc = choose(&in, &blocks, e);
    if (rc == CF_OK && blocks)
        rc = transfer(&in, blocks, log2, e);
    for (size_t i = 0; rc == CF_OK && sel && i < in.count; i++) {
        rc = hal_partition_sync(in.parts[i].twin, e);
        unsigned index = in.parts[i].partition->index;
        side[index] = (uint8_t)!sel->side[index];
    }
    journal_close(in.journal); /* it syncs the twins */
    if (rc != CF_OK)
        give_back_room(&in, e);
    for (size_t i = 0; i < in.count; i++) {
        hal_partition_close(in.parts[i].twin);
        pthread_mutex_destroy(&in.parts[i].lock);
        free(in.parts[i].offsets);
        taken_clear(&in.parts[i].taken);
    }
    free(in.parts);
    free(in.sample);
    return rc;
}
