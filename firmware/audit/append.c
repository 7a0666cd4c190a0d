/* Appending: callers that come while a write is under way share the next one (FORMAT.md 6). */
#include "audit_priv.h"

#include <string.h>

/* --- writing a batch: by one thread at a time ------------------------------------------------ */

static bool fits(const struct audit *a, size_t len)
{
    return a->begun && !a->leave_segment && a->tail + len <= a->geometry.segment;
}

static enum cf_rc begin_segment(struct audit *a, const struct audit_batch *b, struct cf_err *e)
{
    uint8_t header[AUDIT_HEADER_SIZE];
    struct audit_segment s = { .number = a->begun ? a->segment + 1 : 0,
                               .first = b->before.sequence + 1 };

    memcpy(s.prev, b->before.hash, AUDIT_HASH_SIZE);
    /* A no-op where the medium needs none: records of the last lap are known by their numbers. */
    enum cf_rc rc = hal_partition_erase(a->partition, audit_place(&a->geometry, s.number),
                                        a->geometry.segment, e);
    if (rc != CF_OK)
        return rc;
    audit_header_put(&a->geometry, &s, header);
    cf_buf_clear(&a->image);
    rc = cf_buf_put(&a->image, header, sizeof header, e);
    if (rc != CF_OK)
        return rc;
    a->segment = s.number;
    a->begun = true;
    a->leave_segment = false;
    a->tail = AUDIT_HEADER_SIZE;
    a->written = 0;
    return CF_OK;
}

/* The write begins at `from`, a whole unit; what is in front of the batch there is repeated. */
static enum cf_rc write_image(struct audit *a, uint32_t from, struct cf_err *e)
{
    uint32_t unit = a->geometry.unit;
    size_t end = (a->image.len + unit - 1) / unit * unit;

    cf_buf_clear(&a->scratch);
    enum cf_rc rc = cf_buf_put(&a->scratch, a->image.data + from, a->image.len - from, e);
    size_t used = a->scratch.len;
    if (rc == CF_OK)
        rc = cf_buf_resize(&a->scratch, end - from, e);
    if (rc != CF_OK)
        return rc;
    memset(a->scratch.data + used, 0xff, a->scratch.len - used);
    rc = hal_partition_write(a->partition, audit_place(&a->geometry, a->segment) + from,
                             a->scratch.data, a->scratch.len, e);
    if (rc == CF_OK)
        rc = hal_partition_sync(a->partition, e);
    return rc;
}

static enum cf_rc write_batch(struct audit *a, const struct audit_batch *b, struct cf_err *e)
{
    uint32_t unit = a->geometry.unit;
    enum cf_rc rc = CF_OK;

    if (a->begun && a->geometry.erases)
        a->tail = a->written = (a->tail + unit - 1) / unit * unit;
    if (!fits(a, b->bytes.len))
        rc = begin_segment(a, b, e);
    else
        rc = cf_buf_resize(&a->image, a->tail, e); /* on flash: over the gap to the next unit */
    if (rc == CF_OK)
        rc = cf_buf_put(&a->image, b->bytes.data, b->bytes.len, e);
    if (rc == CF_OK)
        rc = write_image(a, a->written / unit * unit, e);
    if (rc == CF_OK) {
        a->tail = a->written = (uint32_t)a->image.len;
        return CF_OK;
    }
    /* Nothing of it counts. What is half written on flash cannot be written again. */
    if (a->geometry.erases)
        a->leave_segment = true;
    if (a->tail < a->image.len && cf_buf_resize(&a->image, a->tail, NULL) != CF_OK)
        a->leave_segment = true;
    return rc;
}

/* --- waiting --------------------------------------------------------------------------------- */

/* A batch that can take one more record; waits while both are full or under way. */
static struct audit_batch *room_locked(struct audit *a)
{
    for (;;) {
        struct audit_batch *b = &a->locked.batch[a->locked.filling];
        if (!b->done && b->bytes.len + AUDIT_RECORD_MAX <= AUDIT_BATCH_MAX)
            return b;
        if (b->done && b->waiters == 0) { /* all have read its outcome: empty it */
            cf_buf_clear(&b->bytes);
            b->records = 0;
            b->done = false;
            b->err = (struct cf_err){ 0 };
            return b;
        }
        pthread_cond_wait(&a->moved, &a->lock);
    }
}

static enum cf_rc put_locked(struct audit *a, struct audit_batch *b, const struct audit_record *r,
                             struct cf_err *e)
{
    struct audit_record dated = *r;

    dated.unix_ms = hal_clock_unix_ms(a->clock);
    if (b->records == 0) {
        /* A batch under way ends before this one is written; if badly, this one fails with it. */
        const struct audit_batch *other = &a->locked.batch[1 - a->locked.filling];
        b->before = a->locked.writing ? other->after : a->locked.head;
        b->after = b->before;
    }
    enum cf_rc rc = audit_record_put(&dated, b->records, &b->after, &b->bytes, e);
    if (rc == CF_OK)
        b->records++;
    return rc;
}

/* A batch failed: the one that was chained to it meanwhile must not be written. */
static void fail_next_locked(struct audit *a, const struct audit_batch *b)
{
    struct audit_batch *next = &a->locked.batch[a->locked.filling];

    if (next == b || next->records == 0 || next->done)
        return;
    next->done = true;
    next->rc = b->rc;
    next->err = b->err;
}

/* Writes the batch that fills, without the lock; the other one fills meanwhile. */
static void write_locked(struct audit *a, struct audit_batch *b)
{
    a->locked.writing = true;
    a->locked.filling = 1 - a->locked.filling;
    pthread_mutex_unlock(&a->lock);
    b->err = (struct cf_err){ 0 };
    enum cf_rc rc = write_batch(a, b, &b->err);
    pthread_mutex_lock(&a->lock);
    b->rc = rc;
    b->done = true;
    a->locked.writing = false;
    if (rc == CF_OK)
        a->locked.head = b->after;
    else
        fail_next_locked(a, b);
    pthread_cond_broadcast(&a->moved);
}

enum cf_rc audit_append(struct audit *a, const struct audit_record *r, struct cf_err *e)
{
    pthread_mutex_lock(&a->lock);
    struct audit_batch *b = room_locked(a);
    enum cf_rc rc = put_locked(a, b, r, e);
    if (rc != CF_OK) {
        pthread_mutex_unlock(&a->lock);
        return rc;
    }
    b->waiters++;
    while (!b->done) {
        struct audit_batch *filling = &a->locked.batch[a->locked.filling];
        if (!a->locked.writing && b == filling)
            write_locked(a, b);
        else
            pthread_cond_wait(&a->moved, &a->lock);
    }
    rc = b->rc;
    if (rc != CF_OK && e != NULL)
        *e = b->err;
    b->waiters--;
    if (b->waiters == 0)
        pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "audit record");
}
