/* Dispatch: checks arguments once, so that implementers need not. */
#include <stdlib.h>
#include <string.h>

#include "blob_priv.h"

struct blob_writer {
    struct blob_lane *lane;
};

struct blob_eraser {
    struct blob_lane *lane;
};

enum cf_rc blob_lane_new(struct blob_store *s, struct blob_lane **out, struct cf_err *e)
{
    *out = NULL;
    return s->lane_new(s, out, e);
}

void blob_lane_free(struct blob_lane *lane)
{
    if (lane != NULL)
        lane->ops->free(lane);
}

enum cf_rc blob_lane_run(struct blob_lane *lane, int timeout_ms, unsigned *open, struct cf_err *e)
{
    return lane->ops->run(lane, timeout_ms, open, e);
}

void blob_lane_wake(struct blob_lane *lane)
{
    lane->ops->wake(lane);
}

void blob_lane_cancel(struct blob_lane *lane)
{
    lane->ops->cancel(lane);
}

enum cf_rc blob_writer_new(struct blob_lane *lane, struct blob_writer **out, struct cf_err *e)
{
    *out = NULL;
    if (lane->store->need != BLOB_TO_WRITE)
        return CF_FAIL(e, CF_E_DENIED, "the blob store was not opened for writing");
    struct blob_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a blob writer");
    w->lane = lane;
    *out = w;
    return CF_OK;
}

void blob_writer_free(struct blob_writer *w)
{
    free(w);
}

enum cf_rc blob_eraser_new(struct blob_lane *lane, struct blob_eraser **out, struct cf_err *e)
{
    *out = NULL;
    if (lane->store->need != BLOB_TO_ERASE)
        return CF_FAIL(e, CF_E_DENIED, "the blob store was not opened for erasing");
    struct blob_eraser *x = calloc(1, sizeof *x);
    if (x == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a blob eraser");
    x->lane = lane;
    *out = x;
    return CF_OK;
}

void blob_eraser_free(struct blob_eraser *x)
{
    free(x);
}

static enum cf_rc start(struct blob_lane *lane, const struct blob_op *op, struct cf_err *e)
{
    if (op->end.done == NULL)
        return CF_FAIL(e, CF_E_ARG, "a blob operation without an end");
    if (op->verb != BLOB_DO_LIST) {
        enum cf_rc rc = blob_check_name(op->name, e);
        if (rc != CF_OK)
            return rc;
    }
    return lane->ops->start(lane, op, e);
}

static bool sound(const struct blob_body *b)
{
    bool memory = b->data != NULL, pulled = b->pull != NULL;
    return memory != pulled || (!memory && !pulled && b->len == 0);
}

enum cf_rc blob_put_block(struct blob_writer *w, const char *name, const struct blob_block_id *id,
                          const struct blob_body *body, struct blob_end end, struct cf_err *e)
{
    struct blob_op op = {
        .verb = BLOB_DO_PUT_BLOCK, .name = name, .ids = id, .nids = 1, .body = *body, .end = end
    };
    if (!sound(body) || body->len == 0)
        return CF_FAIL(e, CF_E_ARG, "a block without bytes");
    return start(w->lane, &op, e);
}

enum cf_rc blob_commit(struct blob_writer *w, const char *name, const struct blob_block_id *ids,
                       size_t count, struct blob_end end, struct cf_err *e)
{
    struct blob_op op = {
        .verb = BLOB_DO_COMMIT, .name = name, .ids = ids, .nids = count, .end = end
    };
    if (count == 0 || count > BLOB_BLOCKS_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a blob of %zu blocks", count);
    return start(w->lane, &op, e);
}

enum cf_rc blob_put(struct blob_writer *w, const char *name, const struct blob_body *body,
                    struct blob_end end, struct cf_err *e)
{
    struct blob_op op = { .verb = BLOB_DO_PUT, .name = name, .body = *body, .end = end };
    if (!sound(body))
        return CF_FAIL(e, CF_E_ARG, "a blob with two bodies or none");
    return start(w->lane, &op, e);
}

enum cf_rc blob_erase(struct blob_eraser *x, const char *name, struct blob_end end,
                      struct cf_err *e)
{
    struct blob_op op = { .verb = BLOB_DO_ERASE, .name = name, .end = end };
    return start(x->lane, &op, e);
}

enum cf_rc blob_head(struct blob_lane *lane, const char *name, struct blob_end end,
                     struct cf_err *e)
{
    struct blob_op op = { .verb = BLOB_DO_HEAD, .name = name, .end = end };
    return start(lane, &op, e);
}

enum cf_rc blob_get(struct blob_lane *lane, const struct blob_range *what, blob_push_fn *push,
                    void *push_ctx, struct blob_end end, struct cf_err *e)
{
    struct blob_op op = { .verb = BLOB_DO_GET,
                          .name = what->name,
                          .first = what->first,
                          .count = what->count,
                          .etag = what->etag,
                          .push = push,
                          .ctx = push_ctx,
                          .end = end };
    if (push == NULL || what->first > INT64_MAX || what->count > INT64_MAX)
        return CF_FAIL(e, CF_E_ARG, "a range without a taker, or past 2^63");
    if (op.etag != NULL && (op.etag[0] == '\0' || strlen(op.etag) > BLOB_ETAG_MAX))
        op.etag = NULL;
    return start(lane, &op, e);
}

enum cf_rc blob_list_blocks(struct blob_lane *lane, const char *name, blob_block_fn *each,
                            void *each_ctx, struct blob_end end, struct cf_err *e)
{
    struct blob_op op = {
        .verb = BLOB_DO_LIST_BLOCKS, .name = name, .each_block = each, .ctx = each_ctx, .end = end
    };
    return start(lane, &op, e);
}

/* A prefix is the beginning of a name: what it is followed by makes it one. */
static enum cf_rc check_prefix(const char *prefix, struct cf_err *e)
{
    char name[BLOB_NAME_MAX + 2];
    size_t len = strlen(prefix);
    if (len >= BLOB_NAME_MAX)
        return CF_FAIL(e, CF_E_INPUT, "a prefix of %zu characters", len);
    memcpy(name, prefix, len);
    memcpy(name + len, "x", 2);
    return blob_check_name(name, e);
}

enum cf_rc blob_list(struct blob_lane *lane, const struct blob_listing *what, blob_name_fn *each,
                     void *each_ctx, struct blob_end end, struct cf_err *e)
{
    struct blob_op op = { .verb = BLOB_DO_LIST,
                          .name = what->prefix,
                          .grouped = what->grouped,
                          .each_name = each,
                          .ctx = each_ctx,
                          .end = end };
    enum cf_rc rc = check_prefix(what->prefix, e);
    return rc == CF_OK ? start(lane, &op, e) : rc;
}
