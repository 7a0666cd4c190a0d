#include "run_priv.h"

#include <stdio.h>

#include "base/log.h"

static bool given_up(void *ctx)
{
    return job_canceled(ctx);
}

static struct upload_far far_of(struct job *j)
{
    return (struct upload_far){ .lane = j->lane,
                                .writer = j->writer,
                                .can_read = j->report.can_read,
                                .canceled = given_up,
                                .ctx = j };
}

enum cf_rc far_reach(struct job *j, const char *blob, struct cf_err *e)
{
    struct upload_far f = far_of(j);
    struct upload_outcome out = { 0 };
    struct blob_wait w = { 0 };
    upload_wait(&f, blob_head(f.lane, blob, blob_wait_end(&w), &out.err), &w, &out);
    if (out.verdict == UPLOAD_DONE || out.why == BLOB_ABSENT || out.why == BLOB_PERMISSION)
        return CF_OK;
    if (e && e->rc == CF_OK)
        *e = out.err;
    return out.err.rc;
}

/* How far away the far side is: transfer threads begin with more connections on a long way. */
static void note_answer(struct job *j, uint64_t began_ms, const struct upload_outcome *out)
{
    uint64_t took_ms = hal_clock_monotonic_ms(j->r->o.clock) - began_ms + 1;
    if (out->verdict == UPLOAD_DONE && (j->answer_ms == 0 || took_ms < j->answer_ms))
        j->answer_ms = took_ms;
}

enum cf_rc far_repeat(struct job *j, far_attempt_fn *attempt, void *ctx, struct cf_err *e)
{
    struct upload_far f = far_of(j);
    struct upload_outcome out = { .verdict = UPLOAD_AGAIN };
    for (unsigned n = 1; out.verdict == UPLOAD_AGAIN; n++) {
        uint32_t random = 0;
        if (job_canceled(j))
            return CF_FAIL(e, CF_E_CANCEL, "canceled");
        uint64_t began_ms = hal_clock_monotonic_ms(j->r->o.clock);
        attempt(ctx, &f, &out);
        note_answer(j, began_ms, &out);
        if (out.verdict != UPLOAD_AGAIN || !patience_left(j, n, &out.err))
            break;
        (void)!hal_entropy_fill(j->r->o.entropy, &random, sizeof random, NULL);
        uint32_t delay = blob_retry_delay_ms(n, out.retry_after_ms, random);
        cf_log(CF_LOG_WARN, "run", "retry", "attempt=%u delay_ms=%u cause=%s", n, delay,
               cf_rc_name(out.err.rc));
        if (!job_pause(j, delay))
            return CF_FAIL(e, CF_E_CANCEL, "canceled");
    }
    if (out.verdict == UPLOAD_DONE) {
        patience_heard(j);
        return CF_OK;
    }
    if (e && e->rc == CF_OK)
        *e = out.err;
    return out.err.rc;
}

struct commit_call {
    const char *blob;
    const struct upload_list *list;
    enum blob_why why;
};

static void try_commit(void *ctx, const struct upload_far *f, struct upload_outcome *out)
{
    struct commit_call *c = ctx;
    upload_commit(f, c->blob, c->list, out);
    c->why = out->why;
}

enum cf_rc far_commit(struct job *j, const char *name, const struct upload_list *list,
                      struct cf_err *e)
{
    char blob[BLOB_NAME_MAX + 1];
    struct commit_call c = { .blob = blob, .list = list };
    job_blob(j, name, blob);
    enum cf_rc rc = far_repeat(j, try_commit, &c, e);
    j->lost = j->lost || (rc != CF_OK && c.why == BLOB_BLOCK_LOST);
    return rc;
}

struct list_call {
    const char *blob;
    const struct far_lister *l;
};

static void try_list(void *ctx, const struct upload_far *f, struct upload_outcome *out)
{
    const struct list_call *c = ctx;
    struct blob_wait w = { 0 };
    *out = (struct upload_outcome){ 0 };
    c->l->again(c->l->ctx);
    upload_wait(
        f, blob_list_blocks(f->lane, c->blob, c->l->each, c->l->ctx, blob_wait_end(&w), &out->err),
        &w, out);
}

enum cf_rc far_list(struct job *j, const char *name, const struct far_lister *l, struct cf_err *e)
{
    char blob[BLOB_NAME_MAX + 1];
    struct list_call c = { .blob = blob, .l = l };
    job_blob(j, name, blob);
    return far_repeat(j, try_list, &c, e);
}

struct put_call {
    const char *blob;
    const void *data;
    size_t len;
};

static void try_put(void *ctx, const struct upload_far *f, struct upload_outcome *out)
{
    const struct put_call *c = ctx;
    upload_put(f, c->blob, c->data, c->len, out);
}

enum cf_rc far_put(struct job *j, const char *name, const void *data, size_t len, struct cf_err *e)
{
    char blob[BLOB_NAME_MAX + 1];
    struct put_call c = { .blob = blob, .data = data, .len = len };
    job_blob(j, name, blob);
    return far_repeat(j, try_put, &c, e);
}

enum cf_rc far_look(struct job *j, const char *name, uint64_t bytes, struct cf_err *e)
{
    char blob[BLOB_NAME_MAX + 1];
    struct upload_far f = far_of(j);
    struct upload_outcome out = { .verdict = UPLOAD_DONE };
    job_blob(j, name, blob);
    upload_look(&f, blob, bytes, &out);
    if (out.verdict != UPLOAD_DONE && e && e->rc == CF_OK)
        *e = out.err;
    return out.err.rc;
}

/* --- reading
 * -------------------------------------------------------------------------------------- */

struct get_call {
    struct job *j;
    struct blob_range range;
    uint64_t size;
    enum blob_why why;
    struct cf_buf *out; /* one of these two takes the bytes */
    size_t keep;
    struct seal_opener *opener;
    const struct seal_expect *x;
};

static enum cf_rc push_buf(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    struct get_call *c = ctx;
    enum cf_rc rc = cf_buf_put(c->out, data, len, e);
    return rc == CF_OK ? job_pace(c->j, len, e) : rc;
}

static enum cf_rc push_opener(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    struct get_call *c = ctx;
    enum cf_rc rc = seal_opener_push(c->opener, data, len, e);
    return rc == CF_OK ? job_pace(c->j, len, e) : rc;
}

static void try_get(void *ctx, const struct upload_far *f, struct upload_outcome *out)
{
    struct get_call *c = ctx;
    struct blob_wait w = { 0 };
    *out = (struct upload_outcome){ 0 };
    enum cf_rc rc = c->opener ? seal_opener_begin(c->opener, c->x, &out->err)
                              : cf_buf_resize(c->out, c->keep, &out->err);
    if (rc == CF_OK)
        rc = blob_get(f->lane, &c->range, c->opener ? push_opener : push_buf, c, blob_wait_end(&w),
                      &out->err);
    upload_wait(f, rc, &w, out);
    c->why = out->why;
    c->size = w.r.size;
    if (out->verdict == UPLOAD_DONE && c->opener && seal_opener_end(c->opener, &out->err) != CF_OK)
        out->verdict = UPLOAD_FAILED;
}

static enum cf_rc get(struct job *j, struct far_range *what, struct get_call *c, uint64_t *size,
                      struct cf_err *e)
{
    char blob[BLOB_NAME_MAX + 1];
    job_blob(j, what->name, blob);
    c->range = (struct blob_range){ .name = blob, .first = what->first, .count = what->count };
    enum cf_rc rc = far_repeat(j, try_get, c, e);
    what->why = c->why;
    if (size)
        *size = c->size;
    return rc;
}

enum cf_rc far_get(struct job *j, struct far_range *what, struct cf_buf *out, uint64_t *size,
                   struct cf_err *e)
{
    struct get_call c = { .j = j, .out = out, .keep = out->len };
    return get(j, what, &c, size, e);
}

enum cf_rc far_get_block(struct job *j, struct far_range *what, struct seal_opener *o,
                         const struct seal_expect *x, uint64_t *size, struct cf_err *e)
{
    struct get_call c = { .j = j, .opener = o, .x = x };
    return get(j, what, &c, size, e);
}
