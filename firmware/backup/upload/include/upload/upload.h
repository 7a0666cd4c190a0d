/*
 * Stage 4: one attempt at the far side, judged. Who repeats, how often and when is run's.
 * Rules: ../../FORMAT.md, 4 (block id), 5 and 6.
 * Threads: what takes a lane belongs to that lane's thread.
 */
#ifndef UPLOAD_UPLOAD_H
#define UPLOAD_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "blob/blob.h"
#include "flow/flow.h"

enum upload_verdict {
    UPLOAD_DONE,
    UPLOAD_AGAIN,  /* a new attempt may succeed; never the same bytes under the same block id */
    UPLOAD_FAILED, /* no attempt will, before something changes */
};

struct upload_outcome {
    enum upload_verdict verdict;
    enum blob_why why;       /* the far side's word, where it gave one */
    uint32_t retry_after_ms; /* what the far side asked for */
    struct cf_err err;       /* not with UPLOAD_DONE */
};

/* How an operation of a lane ended, for both ways. */
void upload_judge(const struct blob_result *r, struct upload_outcome *out);

/* One attempt at a block: its salt is in the block id, or in the blob's name, so that a late answer
 * can replace nothing. */
struct upload_block {
    const char *blob; /* with its folder */
    bool whole;       /* the block is this blob (layout 1); else it becomes part of it */
    uint32_t stream;
    uint64_t number;
    const uint8_t *salt;
    uint32_t wire; /* bytes; fixed before the first is pulled */
    blob_pull_fn *pull;
    void *pull_ctx;
};

/* Starts it; `end` gets the result, for upload_judge. */
CF_CHECK enum cf_rc upload_block_start(struct blob_writer *w, const struct upload_block *b,
                                       struct blob_end end, struct cf_err *e);

/* A thread's way to the far side. Borrowed. */
struct upload_far {
    struct blob_lane *lane;
    struct blob_writer *writer;
    bool can_read; /* the credential lets us look at what we wrote */
    /* Optional: asked twice a second; true gives up what is under way, as CF_E_CANCEL. */
    bool (*canceled)(void *ctx);
    void *ctx;
};

/* Waits for an operation that was started, or not, with its error in out->err, and judges it. */
void upload_wait(const struct upload_far *f, enum cf_rc started, struct blob_wait *w,
                 struct upload_outcome *out);

/* The committed attempts of one blob, in order, as rows of the table. */
struct upload_list {
    uint32_t stream;
    uint64_t first;      /* number of the first block */
    const uint8_t *rows; /* FLOW_ROW_SIZE each */
    size_t count;
    uint64_t bytes; /* sum of their wire bytes; 0: the blob's length is not looked at */
};

/* Starts to make the blob out of its blocks, create-only. */
CF_CHECK enum cf_rc upload_commit_start(struct blob_writer *w, const char *blob,
                                        const struct upload_list *list, struct blob_end end,
                                        struct cf_err *e);

/* CF_E_REMOTE, in words: what lies there is not as long as what was sent. */
CF_CHECK enum cf_rc upload_length(const char *blob, uint64_t there, uint64_t sent,
                                  struct cf_err *e);

/* One attempt to make the blob out of its blocks, create-only. A blob that is there already is
 * success when its blocks are these and only these. Waits. */
void upload_commit(const struct upload_far *f, const char *blob, const struct upload_list *list,
                   struct upload_outcome *out);

/* One attempt at a whole blob from memory, create-only. One that is there already is success when
 * its bytes are these. Waits. */
void upload_put(const struct upload_far *f, const char *blob, const void *data, size_t len,
                struct upload_outcome *out);

/* Behind an outcome that is done: looks at the length; not being able to look changes nothing.
 * Waits. */
void upload_look(const struct upload_far *f, const char *blob, uint64_t bytes,
                 struct upload_outcome *out);

/* One attempt at a whole blob whose bytes are pulled; the name belongs to this attempt alone.
 * Waits. */
void upload_put_pulled(const struct upload_far *f, const char *blob, const struct blob_body *body,
                       struct upload_outcome *out);

#endif
