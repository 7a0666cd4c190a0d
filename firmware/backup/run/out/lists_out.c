/* Block lists of streams that are whole: sent beside what else there is to send. */
#include "out_priv.h"

#include <stdlib.h>
#include <string.h>

static size_t parts_of(const struct backup *b, size_t stream)
{
    uint64_t each = run_blob_blocks(&b->j->r->o);
    return (size_t)((b->streams[stream].blocks + each - 1) / each);
}

static void fill_item(const struct backup *b, size_t stream, size_t part, struct aside *x)
{
    const struct stream_out *out = &b->streams[stream];
    uint64_t each = run_blob_blocks(&b->j->r->o), first = part * each, left = out->blocks - first;
    struct upload_list *l = &x->list;
    manifest_blob_name((uint32_t)stream, part, x->name);
    *l = (struct upload_list){ .stream = (uint32_t)stream,
                               .first = first,
                               .rows = out->rows.data + first * FLOW_ROW_SIZE,
                               .count = (size_t)(left < each ? left : each) };
    for (size_t i = 0; i < l->count; i++) {
        struct flow_receipt row;
        flow_row_get(l->rows + i * FLOW_ROW_SIZE, &row);
        l->bytes += row.wire;
    }
}

static enum cf_rc fill_stream(struct backup *b, size_t stream, struct aside *items,
                              struct cf_err *e)
{
    struct manifest_stream *ms = &b->m.streams[stream];
    size_t parts = parts_of(b, stream);
    ms->blobs = calloc(parts + 1, sizeof *ms->blobs);
    if (!ms->blobs)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    ms->blob_count = parts;
    for (size_t i = 0; i < parts; i++) {
        struct manifest_blob *mb = &ms->blobs[i];
        struct aside *x = &items[i];
        fill_item(b, stream, i, x);
        memcpy(mb->name, x->name, sizeof mb->name);
        mb->first = x->list.first;
        mb->blocks = x->list.count;
        mb->bytes = x->list.bytes;
    }
    return CF_OK;
}

enum cf_rc backup_lists_begin(struct backup *b, enum backup_lists which, struct cf_err *e)
{
    size_t first = which == LISTS_RECORDS ? 0 : 2;
    size_t behind = which == LISTS_RECORDS ? 2 : b->stream_count, all = 0;
    struct asides *a = &b->lists[which];
    enum cf_rc rc = journal_flush(b->journal, e);
    if (b->m.layout == MANIFEST_WHOLE) /* each block is its blob, and there */
        return rc;
    for (size_t i = first; rc == CF_OK && i < behind; i++) {
        all += parts_of(b, i);
        if (parts_of(b, i) > FLOW_BLOBS_MAX)
            rc = CF_FAIL(e, CF_E_LIMIT, "stream %zu would need %zu blobs", i, parts_of(b, i));
    }
    if (rc != CF_OK)
        return rc;
    *a = (struct asides){ .j = b->j, .item = calloc(all + 1, sizeof *a->item) };
    if (!a->item)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (size_t i = first; rc == CF_OK && i < behind; i++) {
        rc = fill_stream(b, i, a->item + a->count, e);
        a->count += b->m.streams[i].blob_count;
    }
    if (rc == CF_OK)
        asides_begin(a);
    return rc;
}

/* For both, also where one has failed: a list that still travels may not come behind what another
 * life of the job finds. */
enum cf_rc backup_lists_wait(struct backup *b, struct cf_err *e)
{
    enum cf_rc first = asides_wait(&b->lists[LISTS_RECORDS], e);
    enum cf_rc second = asides_wait(&b->lists[LISTS_PARTITIONS], first == CF_OK ? e : NULL);
    return first == CF_OK ? second : first;
}
