#include "upload/upload.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define WAIT_MS 500

static void fail(struct upload_outcome *out, enum cf_rc rc, const struct cf_err *err)
{
    *out = (struct upload_outcome){ .verdict = UPLOAD_FAILED, .err = *err };
    if (out->err.rc == CF_OK)
        (void)CF_FAIL(&out->err, rc, "the storage refused");
}

/* A far side that gives a byte now and then is not hanging, but must not hold up a cancellation. */
static enum cf_rc wait_or_cancel(const struct upload_far *f, struct blob_wait *w, struct cf_err *e)
{
    bool canceled = false;
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && !w->over) {
        unsigned open = 0;
        rc = blob_lane_run(f->lane, WAIT_MS, &open, e);
        if (rc == CF_OK && !w->over && !canceled && f->canceled && f->canceled(f->ctx)) {
            canceled = true;
            blob_lane_cancel(f->lane);
        }
    }
    return rc;
}

void upload_wait(const struct upload_far *f, enum cf_rc started, struct blob_wait *w,
                 struct upload_outcome *out)
{
    struct cf_err err = out->err;
    enum cf_rc rc = started;
    if (rc == CF_OK)
        rc = wait_or_cancel(f, w, &err);
    if (w->over)
        upload_judge(&w->r, out);
    else
        fail(out, rc, &err);
}

static struct blob_block_id *make_ids(const struct upload_list *l)
{
    struct blob_block_id *ids = calloc(l->count, sizeof *ids);
    for (size_t i = 0; ids && i < l->count; i++)
        blob_block_id_make(l->stream, l->first + i, l->rows + i * FLOW_ROW_SIZE, &ids[i]);
    return ids;
}

/* Compares the committed list with ours as it comes. */
struct same_list {
    const struct upload_list *list;
    const struct blob_block_id *ids;
    size_t seen;
    bool differs;
};

static enum cf_rc see_block(void *ctx, bool committed, const struct blob_block_id *id,
                            uint64_t size, struct cf_err *e)
{
    struct same_list *s = ctx;
    struct flow_receipt row;
    (void)e;
    if (!committed)
        return CF_OK;
    if (s->seen >= s->list->count) {
        s->differs = true;
        return CF_OK;
    }
    flow_row_get(s->list->rows + s->seen * FLOW_ROW_SIZE, &row);
    if (size != row.wire || !cf_equal(id, &s->ids[s->seen], sizeof *id))
        s->differs = true;
    s->seen++;
    return CF_OK;
}

static void not_ours(const char *blob, struct upload_outcome *out)
{
    struct cf_err err = { 0 };
    (void)CF_FAIL(&err, CF_E_STATE,
                  "a blob %.100s is there that this backup did not write: another writer uses the "
                  "folder; start the backup again",
                  blob);
    fail(out, CF_E_STATE, &err);
    out->why = BLOB_EXISTS;
}

/* Ours, from an answer that was lost, or not. */
static void cannot_tell(struct upload_outcome *out)
{
    (void)cf_err_ctx(&out->err, out->err.rc,
                     "a lost answer cannot be sorted out, since the SAS does not allow to read; "
                     "start again with one that does");
}

static void judge_existing(const struct upload_far *f, const char *blob,
                           const struct upload_list *list, const struct blob_block_id *ids,
                           struct upload_outcome *out)
{
    struct same_list same = { .list = list, .ids = ids };
    struct blob_wait w = { 0 };
    struct upload_outcome refusal = *out;
    *out = (struct upload_outcome){ 0 };
    upload_wait(f, blob_list_blocks(f->lane, blob, see_block, &same, blob_wait_end(&w), &out->err),
                &w, out);
    bool other = out->verdict == UPLOAD_DONE && (same.differs || same.seen != list->count);
    if (other && refusal.why == BLOB_EXISTS)
        not_ours(blob, out);
    else if (out->why == BLOB_PERMISSION && refusal.why == BLOB_EXISTS)
        cannot_tell(out);
    else if (other || out->why == BLOB_ABSENT)
        *out = refusal;
}

/* A container under a policy may say of a blob that is there what it says of any change. */
static bool may_lie_there(const struct upload_outcome *out)
{
    return out->why == BLOB_EXISTS || out->why == BLOB_IMMUTABLE;
}

enum cf_rc upload_length(const char *blob, uint64_t there, uint64_t sent, struct cf_err *e)
{
    return there == sent
               ? CF_OK
               : CF_FAIL(e, CF_E_REMOTE, "%s has %llu bytes in the storage instead of %llu", blob,
                         (unsigned long long)there, (unsigned long long)sent);
}

/* What lies there must be as long as what was sent. A stored access policy or a role shows only now
 * that it does not allow to look: as with a token that says so, nothing is looked at then. */
static void check_length(const struct upload_far *f, const char *blob, uint64_t bytes,
                         struct upload_outcome *out)
{
    struct blob_wait w = { 0 };
    struct cf_err err = { 0 };
    *out = (struct upload_outcome){ 0 };
    upload_wait(f, blob_head(f->lane, blob, blob_wait_end(&w), &out->err), &w, out);
    if (out->why == BLOB_PERMISSION)
        *out = (struct upload_outcome){ .verdict = UPLOAD_DONE };
    else if (out->verdict == UPLOAD_DONE && upload_length(blob, w.r.size, bytes, &err) != CF_OK)
        fail(out, CF_E_REMOTE, &err);
}

void upload_look(const struct upload_far *f, const char *blob, uint64_t bytes,
                 struct upload_outcome *out)
{
    struct upload_outcome looked;
    if (out->verdict != UPLOAD_DONE || !f->can_read)
        return;
    check_length(f, blob, bytes, &looked);
    if (looked.verdict == UPLOAD_FAILED && looked.why == BLOB_OK)
        *out = looked;
}

enum cf_rc upload_commit_start(struct blob_writer *w, const char *blob,
                               const struct upload_list *list, struct blob_end end,
                               struct cf_err *e)
{
    struct blob_block_id *ids = make_ids(list);
    if (!ids)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a block list");
    enum cf_rc rc = blob_commit(w, blob, ids, list->count, end, e);
    free(ids);
    return rc;
}

void upload_commit(const struct upload_far *f, const char *blob, const struct upload_list *list,
                   struct upload_outcome *out)
{
    struct blob_wait w = { 0 };
    struct cf_err err = { 0 };
    struct blob_block_id *ids = make_ids(list);
    if (!ids) {
        (void)CF_FAIL(&err, CF_E_LIMIT, "no memory for a block list");
        fail(out, CF_E_LIMIT, &err);
        return;
    }
    *out = (struct upload_outcome){ 0 };
    upload_wait(f, blob_commit(f->writer, blob, ids, list->count, blob_wait_end(&w), &out->err), &w,
                out);
    if (may_lie_there(out) && f->can_read)
        judge_existing(f, blob, list, ids, out);
    else if (out->why == BLOB_EXISTS)
        cannot_tell(out);
    if (out->verdict == UPLOAD_DONE && f->can_read && list->bytes)
        check_length(f, blob, list->bytes, out);
    free(ids);
}

void upload_put(const struct upload_far *f, const char *blob, const void *data, size_t len,
                struct upload_outcome *out)
{
    struct blob_body body = { .len = len, .data = data };
    struct cf_buf there = { 0 };
    struct cf_err err = { 0 };
    struct blob_wait w = { 0 };
    *out = (struct upload_outcome){ 0 };
    upload_wait(f, blob_put(f->writer, blob, &body, blob_wait_end(&w), &out->err), &w, out);
    if (may_lie_there(out) && f->can_read) {
        enum cf_rc rc = blob_read(f->lane, blob, len, &there, NULL, &err);
        if (rc == CF_OK && there.len == len && cf_equal(there.data, data, len))
            *out = (struct upload_outcome){ .verdict = UPLOAD_DONE };
        else if (rc == CF_E_IO)
            *out = (struct upload_outcome){ .verdict = UPLOAD_AGAIN, .err = err };
        else if ((rc == CF_OK || rc == CF_E_LIMIT) && out->why == BLOB_EXISTS)
            not_ours(blob, out);
    } else if (out->why == BLOB_EXISTS) {
        cannot_tell(out);
    }
    cf_buf_clear(&there);
}

void upload_put_pulled(const struct upload_far *f, const char *blob, const struct blob_body *body,
                       struct upload_outcome *out)
{
    struct blob_wait w = { 0 };
    *out = (struct upload_outcome){ 0 };
    upload_wait(f, blob_put(f->writer, blob, body, blob_wait_end(&w), &out->err), &w, out);
    if (out->verdict == UPLOAD_DONE && f->can_read)
        check_length(f, blob, body->len, out);
}
