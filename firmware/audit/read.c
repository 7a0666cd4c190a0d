#include "audit_priv.h"

#include <string.h>

#include "base/secret.h"

typedef enum cf_rc each_record(void *ctx, const struct audit_record *r, struct cf_err *e);

/* What a reading carries from segment to segment. */
struct reading {
    struct audit_head head;
    bool chained; /* false before the first segment that is kept */
    uint64_t from;
    each_record *each;
    void *ctx;
};

static enum cf_rc broken(uint64_t sequence, struct cf_err *e)
{
    return CF_FAIL(e, CF_E_AUTH, "the audit log does not chain at record %llu",
                   (unsigned long long)sequence);
}

static enum cf_rc read_segment(struct audit *a, const struct audit_segment *s,
                               const struct cf_buf *data, struct reading *r, struct cf_err *e)
{
    struct audit_found f;
    struct audit_walk w = { .geometry = &a->geometry,
                            .data = data->data,
                            .at = AUDIT_HEADER_SIZE,
                            .head = { .sequence = s->first - 1 } };

    memcpy(w.head.hash, s->prev, AUDIT_HASH_SIZE);
    if (r->chained &&
        (s->first != r->head.sequence + 1 || !cf_equal(s->prev, r->head.hash, AUDIT_HASH_SIZE)))
        return broken(s->first, e);
    while (w.head.sequence < a->locked.head.sequence && audit_walk_next(&w, &f)) {
        if (f.record.sequence < r->from)
            continue;
        enum cf_rc rc = r->each(r->ctx, &f.record, e);
        if (rc != CF_OK)
            return rc;
    }
    r->head = w.head;
    r->chained = true;
    return CF_OK;
}

static enum cf_rc read_all(struct audit *a, struct reading *r, struct cf_err *e)
{
    struct audit_segment s;
    bool full = a->segment + 1 >= a->geometry.count;
    uint64_t oldest = full ? a->segment + 1 - a->geometry.count : 0;

    for (uint64_t n = oldest; n <= a->segment; n++) {
        enum cf_rc rc = audit_segment_read(a, audit_place(&a->geometry, n), &a->scratch, e);
        if (rc != CF_OK)
            return rc;
        bool whole = audit_header_get(&a->geometry, a->scratch.data, &s) && s.number == n;
        /* Only the oldest place may be without a header: a new segment was being begun there. */
        if (!whole && !(full && n == oldest))
            return broken(r->head.sequence + 1, e);
        if (whole)
            rc = read_segment(a, &s, &a->scratch, r, e);
        if (rc != CF_OK)
            return rc;
    }
    if (r->head.sequence != a->locked.head.sequence ||
        !cf_equal(r->head.hash, a->locked.head.hash, AUDIT_HASH_SIZE))
        return broken(r->head.sequence + 1, e);
    return CF_OK;
}

enum cf_rc audit_read(struct audit *a, uint64_t from,
                      enum cf_rc (*each)(void *ctx, const struct audit_record *r, struct cf_err *e),
                      void *ctx, struct cf_err *e)
{
    struct reading r = { .from = from, .each = each, .ctx = ctx };
    enum cf_rc rc = CF_OK;

    /* Holding the lock keeps the writer out, once it is not under way. */
    pthread_mutex_lock(&a->lock);
    while (a->locked.writing)
        pthread_cond_wait(&a->moved, &a->lock);
    if (a->locked.head.sequence > 0)
        rc = read_all(a, &r, e);
    pthread_mutex_unlock(&a->lock);
    return rc;
}
