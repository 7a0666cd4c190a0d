/* Finds the newest segment and its tail (FORMAT.md 7). */
#include "audit_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"

static uint32_t round_up(uint32_t n, uint32_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* CF_E_LIMIT: the partition is too small. */
/* CF_E_LIMIT: the partition is too small. */
static enum cf_rc geometry_of(const struct hal_partition *p, struct audit_geometry *out,
                              struct cf_err *e)
{
    uint32_t unit = p->erase_unit > p->write_unit ? p->erase_unit : p->write_unit;
    uint32_t segment = round_up(AUDIT_SEGMENT_SIZE, unit);

    while (p->size / segment < 4 && segment / 2 >= AUDIT_SEGMENT_MIN && segment / 2 % unit == 0)
        segment /= 2;
    if (p->size / segment < 2)
        return CF_FAIL(e, CF_E_LIMIT, "the audit partition must hold two segments of %u bytes",
                       (unsigned)segment);
    *out = (struct audit_geometry){ .segment = segment,
                                    .unit = p->write_unit,
                                    .count = p->size / segment,
                                    .erases = p->erase_unit != 0 };
    return CF_OK;
}

uint64_t audit_place(const struct audit_geometry *g, uint64_t number)
{
    return number % g->count * g->segment;
}

enum cf_rc audit_segment_read(struct audit *a, uint64_t place, struct cf_buf *out, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_resize(out, a->geometry.segment, e);
    if (rc == CF_OK)
        rc = hal_partition_read(a->partition, place, out->data, out->len, e);
    return rc;
}

/* --- the walk -------------------------------------------------------------------------------- */

static bool continues(const struct audit_walk *w, uint32_t at, struct audit_found *out)
{
    return at < w->geometry->segment &&
           audit_record_get(w->data + at, w->geometry->segment - at, out) &&
           out->record.sequence == w->head.sequence + 1 &&
           cf_equal(out->prev, w->head.hash, AUDIT_HASH_SIZE);
}

bool audit_walk_next(struct audit_walk *w, struct audit_found *out)
{
    uint32_t at = w->at;

    if (!continues(w, at, out)) {
        at = round_up(at, w->geometry->unit);
        if (at == w->at || !continues(w, at, out))
            return false;
    }
    w->at = at + out->length;
    w->head.sequence++;
    memcpy(w->head.hash, out->hash, AUDIT_HASH_SIZE);
    return true;
}

/* True when a record stands behind `from` that was written after a commit of sequence `due`. */
static bool committed_behind(const struct audit_geometry *g, const uint8_t *data, uint32_t from,
                             uint64_t due)
{
    struct audit_found f;

    for (uint32_t at = round_up(from, 8); at < g->segment; at += 8)
        if (audit_record_get(data + at, g->segment - at, &f) && f.record.sequence - f.place > due)
            return true;
    return false;
}

/* --- opening --------------------------------------------------------------------------------- */

/* Bytes where headers stand that are neither 00 nor FF. */
enum ink { INK_NONE, INK_FIRST, INK_ELSEWHERE };

static enum cf_rc find_newest(struct audit *a, struct audit_segment *newest, enum ink *ink,
                              struct cf_err *e)
{
    uint8_t header[AUDIT_HEADER_SIZE];
    struct audit_segment s;

    for (uint64_t i = 0; i < a->geometry.count; i++) {
        enum cf_rc rc =
            hal_partition_read(a->partition, i * a->geometry.segment, header, sizeof header, e);
        if (rc != CF_OK)
            return rc;
        if (!cf_all_bytes(header, sizeof header, 0xff) && !cf_all_bytes(header, sizeof header, 0))
            *ink = i == 0 ? INK_FIRST : INK_ELSEWHERE;
        if (!audit_header_get(&a->geometry, header, &s) || s.number % a->geometry.count != i)
            continue;
        if (!a->begun || s.number > newest->number)
            *newest = s;
        a->begun = true;
    }
    return CF_OK;
}

static enum cf_rc damaged(uint64_t due, struct cf_err *e)
{
    return CF_FAIL(e, CF_E_CORRUPT, "audit record %llu is damaged: later ones follow it",
                   (unsigned long long)due);
}

/* The place where the next segment would begin: committed records there mean a lost header. */
static enum cf_rc check_next_place(struct audit *a, uint64_t number, uint64_t due, struct cf_err *e)
{
    enum cf_rc rc = audit_segment_read(a, audit_place(&a->geometry, number), &a->scratch, e);
    if (rc == CF_OK && committed_behind(&a->geometry, a->scratch.data, 0, due))
        rc = damaged(due, e);
    return rc;
}

static enum cf_rc find_tail(struct audit *a, const struct audit_segment *newest, struct cf_err *e)
{
    struct audit_found f;

    a->segment = newest->number;
    enum cf_rc rc = audit_segment_read(a, audit_place(&a->geometry, a->segment), &a->image, e);
    if (rc != CF_OK)
        return rc;
    struct audit_walk w = { .geometry = &a->geometry,
                            .data = a->image.data,
                            .at = AUDIT_HEADER_SIZE,
                            .head = { .sequence = newest->first - 1 } };
    memcpy(w.head.hash, newest->prev, AUDIT_HASH_SIZE);
    while (audit_walk_next(&w, &f))
        ;
    if (committed_behind(&a->geometry, a->image.data, w.at, w.head.sequence + 1))
        return damaged(w.head.sequence + 1, e);
    a->tail = a->written = w.at;
    a->locked.head = w.head;
    uint32_t clean = round_up(w.at, a->geometry.unit);
    a->leave_segment = a->geometry.erases &&
                       !cf_all_bytes(a->image.data + clean, a->geometry.segment - clean, 0xff);
    return cf_buf_resize(&a->image, a->tail, e);
}

static enum cf_rc find_head(struct audit *a, struct cf_err *e)
{
    struct audit_segment newest = { 0 };
    enum ink ink = INK_NONE;

    enum cf_rc rc = geometry_of(a->partition, &a->geometry, e);
    if (rc == CF_OK)
        rc = find_newest(a, &newest, &ink, e);
    if (rc != CF_OK)
        return rc;
    if (!a->begun && ink == INK_ELSEWHERE)
        return CF_FAIL(e, CF_E_CORRUPT,
                       "the partition holds something that is no audit log; erase it to begin one");
    if (!a->begun) /* a first write that was cut may have left ink: then nothing was committed */
        return ink == INK_FIRST ? check_next_place(a, 0, 1, e) : CF_OK;
    rc = find_tail(a, &newest, e);
    if (rc == CF_OK)
        rc = check_next_place(a, a->segment + 1, a->locked.head.sequence + 1, e);
    return rc;
}

enum cf_rc audit_open(struct hal_partition *p, struct hal_clock *clock, struct audit **out,
                      struct cf_err *e)
{
    struct audit *a = calloc(1, sizeof *a);

    if (a == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the audit log");
    a->partition = p;
    a->clock = clock;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->moved, NULL);
    enum cf_rc rc = find_head(a, e);
    if (rc != CF_OK) {
        audit_close(a);
        return cf_err_ctx(e, rc, "opening the audit log");
    }
    cf_log(CF_LOG_DEBUG, "audit", "open", "records=%llu segments=%llu",
           (unsigned long long)a->locked.head.sequence, (unsigned long long)a->geometry.count);
    *out = a;
    return CF_OK;
}

void audit_close(struct audit *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < 2; i++)
        cf_buf_clear(&a->locked.batch[i].bytes);
    cf_buf_clear(&a->image);
    cf_buf_clear(&a->scratch);
    pthread_cond_destroy(&a->moved);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

struct audit_head audit_head(struct audit *a)
{
    pthread_mutex_lock(&a->lock);
    struct audit_head h = a->locked.head;
    pthread_mutex_unlock(&a->lock);
    return h;
}
