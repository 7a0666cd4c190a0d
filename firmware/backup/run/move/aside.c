#include "aside_priv.h"

#include "run_priv.h"

static struct aside *aside_of(const struct slot *s)
{
    const struct asides *a = s->work->ctx;
    return &a->item[s->number];
}

static uint64_t length_of(const struct aside *x)
{
    return x->list.rows ? x->list.bytes : x->bytes->len;
}

/* What is there may be ours, from an answer that was lost. Lost blocks are told once the other
 * lists have their answers: a list that came late could meet the blocks that are sent instead. */
static bool is_for_later(const struct aside *x)
{
    return x->why == BLOB_EXISTS || x->why == BLOB_IMMUTABLE || x->why == BLOB_BLOCK_LOST;
}

/* Who may not look, though no token said so (a stored access policy, a role), takes its word. */
static void looked(void *ctx, const struct blob_result *r)
{
    struct slot *s = ctx;
    struct blob_end end = slot_end(s);
    struct blob_result unseen = { .why = BLOB_OK, .size = length_of(aside_of(s)) };
    end.done(end.ctx, r->why == BLOB_PERMISSION ? &unseen : r);
}

static void written(void *ctx, const struct blob_result *r)
{
    struct slot *s = ctx;
    struct aside *x = aside_of(s);
    const struct asides *a = s->work->ctx;
    struct blob_end end = slot_end(s);
    struct blob_result none = { .why = BLOB_CALLER }, later = { .why = BLOB_OK };
    char blob[BLOB_NAME_MAX + 1];
    x->why = r->why;
    x->err = r->err;
    if (is_for_later(x) || r->why != BLOB_OK || !a->j->report.can_read) {
        end.done(end.ctx, is_for_later(x) ? &later : r);
        return;
    }
    job_blob(a->j, x->name, blob);
    if (blob_head(s->lane, blob, (struct blob_end){ looked, s }, &none.err) != CF_OK)
        end.done(end.ctx, &none);
}

static enum cf_rc begin(void *ctx, struct slot *s, struct cf_err *e)
{
    const struct asides *a = ctx;
    const struct aside *x = aside_of(s);
    struct blob_end end = { .done = written, .ctx = s };
    char blob[BLOB_NAME_MAX + 1];
    job_blob(a->j, x->name, blob);
    if (x->list.rows)
        return upload_commit_start(s->writer, blob, &x->list, end, e);
    struct blob_body body = { .data = x->bytes->data, .len = x->bytes->len };
    return blob_put(s->writer, blob, &body, end, e);
}

static enum cf_rc end(void *ctx, struct slot *s, struct cf_err *e)
{
    const struct asides *a = ctx;
    const struct aside *x = aside_of(s);
    char blob[BLOB_NAME_MAX + 1];
    if (is_for_later(x) || !a->j->report.can_read)
        return CF_OK;
    job_blob(a->j, x->name, blob);
    return upload_length(blob, s->blob_size, length_of(x), e);
}

void asides_begin(struct asides *a)
{
    a->w = (struct work){ .begin = begin, .end = end, .ctx = a, .urgent = true };
    engine_begin(a->j->engine, &a->w, a->count);
}

/* Asks again for what was refused, and compares. */
static enum cf_rc settle(struct asides *a, const struct aside *x, struct cf_err *e)
{
    if (x->why == BLOB_BLOCK_LOST) {
        a->j->lost = true;
        if (e && e->rc == CF_OK)
            *e = x->err;
        return x->err.rc;
    }
    return x->list.rows ? far_commit(a->j, x->name, &x->list, e)
                        : far_put(a->j, x->name, x->bytes->data, x->bytes->len, e);
}

enum cf_rc asides_wait(struct asides *a, struct cf_err *e)
{
    enum cf_rc rc = a->count ? engine_wait(a->j->engine, &a->w, e) : CF_OK;
    for (size_t i = 0; rc == CF_OK && i < a->count; i++)
        if (is_for_later(&a->item[i]))
            rc = settle(a, &a->item[i], e);
    return rc;
}
