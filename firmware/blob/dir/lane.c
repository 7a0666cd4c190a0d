/* A directory as a store: each run of a lane does one queued operation from beginning to end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dir_priv.h"

static void op_free(struct dir_op *o)
{
    cf_buf_clear(&o->ids);
    free(o);
}

static enum cf_rc start(struct blob_lane *base, const struct blob_op *op, struct cf_err *e)
{
    struct dir_lane *lane = (struct dir_lane *)(void *)base;
    struct dir_op *o = calloc(1, sizeof *o);
    if (o == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a blob operation");
    o->op = *op;
    memcpy(o->name, op->name, strlen(op->name) + 1);
    o->op.name = o->name;
    if (op->etag != NULL) {
        memcpy(o->etag, op->etag, strlen(op->etag) + 1);
        o->op.etag = o->etag;
    }
    for (size_t i = 0; i < op->nids; i++) {
        enum cf_rc rc = cf_buf_put(&o->ids, op->ids[i].bytes, BLOB_BLOCK_ID_LEN, e);
        if (rc != CF_OK) {
            op_free(o);
            return rc;
        }
    }
    o->op.ids = NULL;
    if (lane->last != NULL)
        lane->last->next = o;
    else
        lane->first = o;
    lane->last = o;
    lane->count++;
    return CF_OK;
}

static void perform(struct dir_lane *lane, struct dir_op *o)
{
    static bool (*const verbs[])(struct dir_job *) = {
        [BLOB_DO_PUT_BLOCK] = dir_put_block,
        [BLOB_DO_COMMIT] = dir_commit,
        [BLOB_DO_PUT] = dir_put,
        [BLOB_DO_HEAD] = dir_head,
        [BLOB_DO_GET] = dir_get,
        [BLOB_DO_LIST_BLOCKS] = dir_list_blocks,
        [BLOB_DO_LIST] = dir_list,
        [BLOB_DO_ERASE] = dir_erase,
    };
    struct dir_job j = { .root = ((struct dir_store *)(void *)lane->base.store)->root,
                         .o = o,
                         .piece = lane->piece };
    o->result = (struct blob_result){ .why = BLOB_OK };
    if (lane->canceled) {
        o->result.why = BLOB_CALLER;
        (void)cf_err_set(&o->result.err, CF_E_CANCEL, CF_SRC_NONE, 0, CF_HERE, "canceled");
        return;
    }
    (void)verbs[o->op.verb](&j); /* the result says it too */
}

static enum cf_rc run(struct blob_lane *base, int timeout_ms, unsigned *open, struct cf_err *e)
{
    struct dir_lane *lane = (struct dir_lane *)(void *)base;
    struct dir_op *o = lane->first;
    (void)timeout_ms; /* nothing to wait for */
    (void)e;
    if (o == NULL) {
        *open = 0;
        return CF_OK;
    }
    lane->first = o->next;
    if (lane->first == NULL)
        lane->last = NULL;
    lane->count--;
    perform(lane, o);
    if (lane->count == 0)
        lane->canceled = false;
    o->op.end.done(o->op.end.ctx, &o->result);
    op_free(o);
    *open = lane->count;
    return CF_OK;
}

static void wake(struct blob_lane *base)
{
    (void)base; /* run never waits */
}

static void cancel(struct blob_lane *base)
{
    struct dir_lane *lane = (struct dir_lane *)(void *)base;
    lane->canceled = lane->count > 0;
}

static void lane_free(struct blob_lane *base)
{
    struct dir_lane *lane = (struct dir_lane *)(void *)base;
    while (lane->first != NULL) {
        struct dir_op *o = lane->first;
        lane->first = o->next;
        op_free(o);
    }
    free(lane->piece);
    free(lane);
}

static enum cf_rc lane_new(struct blob_store *s, struct blob_lane **out, struct cf_err *e)
{
    static const struct blob_lane_ops ops = { start, run, wake, cancel, lane_free };
    struct dir_lane *lane = calloc(1, sizeof *lane);
    *out = NULL;
    if (lane == NULL || (lane->piece = malloc(DIR_PIECE_BYTES)) == NULL) {
        free(lane);
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a lane");
    }
    lane->base.ops = &ops;
    lane->base.store = s;
    *out = &lane->base;
    return CF_OK;
}

static void store_free(struct blob_store *base)
{
    struct dir_store *s = (struct dir_store *)(void *)base;
    close(s->root);
    free(s);
}

/* What of `path` lies below `root`: "" for the root itself, NULL when it does not. */
static const char *below(const char *path, const char *root)
{
    size_t len = strlen(root);
    while (len > 0 && root[len - 1] == '/')
        len--;
    if (strncmp(path, root, len) != 0 || (path[len] != '\0' && path[len] != '/'))
        return NULL;
    return path[len] == '/' ? path + len + 1 : path + len;
}

static int open_below(const char *root, const char *rest)
{
    char leaf[BLOB_SEGMENT_MAX + 1];
    int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* trusted, may be a link */
    if (top < 0 || rest[0] == '\0')
        return top;
    int parent = dir_open_parent(top, rest, false, leaf);
    int fd =
        parent < 0 ? -1 : openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int saved = errno;
    if (parent >= 0)
        close(parent);
    close(top);
    errno = saved;
    return fd;
}

static enum cf_rc open_root(const char *path, const struct blob_options *o, int *fd,
                            struct cf_err *e)
{
    for (size_t i = 0; i < o->ndir_roots; i++) {
        const char *rest = below(path, o->dir_roots[i]);
        if (rest == NULL)
            continue;
        if (rest[0] != '\0' && blob_check_name(rest, NULL) != CF_OK)
            return CF_FAIL(e, CF_E_INPUT, "storageResourceUri: not a plain path below %s",
                           o->dir_roots[i]);
        *fd = open_below(o->dir_roots[i], rest);
        if (*fd < 0)
            return CF_FAIL_ERRNO(e, CF_E_INPUT, "storageResourceUri: directory %.100s", path);
        return CF_OK;
    }
    return CF_FAIL(e, CF_E_INPUT,
                   "storageResourceUri: %.100s lies below no directory that the configuration "
                   "allows (storage.dir_roots)",
                   path);
}

enum cf_rc blob_dir_open(const char *path, const struct blob_options *o, struct blob_store **out,
                         struct cf_err *e)
{
    int fd = -1;
    *out = NULL;
    enum cf_rc rc = open_root(path, o, &fd, e);
    if (rc != CF_OK)
        return rc;
    struct dir_store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        close(fd);
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a blob store");
    }
    s->base.lane_new = lane_new;
    s->base.free = store_free;
    s->root = fd;
    *out = &s->base;
    return CF_OK;
}
