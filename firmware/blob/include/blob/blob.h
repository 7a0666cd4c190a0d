/*
 * A place for blobs: named byte strings that are written once and then read, never overwritten.
 * Written for the backup path; nobody who uses it sees what kind of store it is.
 * Implementers: azure/ (Azure Blob service), dir/ (a directory);
 * tests/contract/blob_contract_test.c says what each must do. How a place is named and judged:
 * blob/place.h.
 *
 * A store is opened once for a job; each transfer thread has a lane of its own, with connections of
 * its own, and lends it its thread: operations are queued, blob_lane_run moves bytes and reports
 * what ended. Bodies are pulled from the caller, answers pushed to it, during blob_lane_run.
 * Rights are types: without a writer nothing can be written, without an eraser nothing deleted; a
 * store is opened for one of them, so who backs up cannot delete and who prunes cannot write.
 * Threads: a store may be used from any; a lane and its writer belong to one.
 */
#ifndef BLOB_BLOB_H
#define BLOB_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define BLOB_NAME_MAX     1024  /* characters; names are '/'-separated, relative to the place */
#define BLOB_SEGMENT_MAX  255   /* characters between two '/' */
#define BLOB_BLOCKS_MAX   50000 /* blocks in one committed blob */
#define BLOB_BLOCK_ID_LEN 48
#define BLOB_PIECE_BYTES                                                                           \
    ((size_t)260 * 1024) /* a pull's room: a sealed chunk of 256 KiB in one piece */
#define BLOB_ETAG_MAX 63

struct blob_store;
struct blob_lane;
struct blob_writer;
struct blob_eraser;

/* Why an operation did not succeed, as far as the caller would act differently. */
enum blob_why {
    BLOB_OK,
    BLOB_TRANSIENT,  /* busy, timed out, connection lost: a new attempt may succeed */
    BLOB_ABSENT,     /* no such blob */
    BLOB_EXISTS,     /* create-only, and a blob of that name is there: perhaps from a lost answer */
    BLOB_BLOCK_LOST, /* the block list names a block that is not there: send it again */
    BLOB_CHANGED,    /* not the version that was asked for */
    BLOB_RANGE,      /* outside the blob */
    BLOB_UNREADABLE, /* there, but not to be read as it lies: archived, or under another's key */
    BLOB_IMMUTABLE,  /* a policy forbids it */
    BLOB_NO_PLACE,   /* container or directory missing */
    BLOB_EXPIRED,    /* the credential has ended or is not yet valid */
    BLOB_CREDENTIAL, /* the credential is not accepted */
    BLOB_PERMISSION, /* accepted, but it does not allow this */
    BLOB_FULL,       /* no room, or a limit of the service */
    BLOB_CALLER,     /* a callback failed, or the operation was canceled */
    BLOB_REFUSED,    /* any other refusal */
};

/* Only BLOB_TRANSIENT is worth another attempt without a change. */
static inline bool blob_worth_retry(enum blob_why why)
{
    return why == BLOB_TRANSIENT;
}

struct blob_result {
    enum blob_why why;
    struct cf_err err;       /* err.rc CF_OK with BLOB_OK; the text names cause and cure */
    uint32_t retry_after_ms; /* what the far side asked for; 0: nothing */
    bool maybe_done;         /* a write failed, but may have taken effect: the answer was lost */
    uint64_t size;           /* head, get: of the whole blob */
    char etag[BLOB_ETAG_MAX + 1]; /* head, get: names this version; "" when the store has none */
};

/* Called once for each operation that was started, from blob_lane_run, never from the call that
 * started it. May start others on the lane. */
typedef void blob_done_fn(void *ctx, const struct blob_result *r);

struct blob_end {
    blob_done_fn *done;
    void *ctx;
};

/* The next 1..cap bytes of a body; cap is BLOB_PIECE_BYTES, or what is left of it. Each byte is
 * asked for once: an attempt that would need one again fails with BLOB_TRANSIENT. The buffer is
 * libcurl's own, so what is sealed in place goes out without a copy. A failure ends the operation
 * with that class (BLOB_CALLER). Must not call into the lane. */
typedef enum cf_rc blob_pull_fn(void *ctx, void *buf, size_t cap, size_t *len, struct cf_err *e);

/* Bytes as they come, in order. Same rules. They are not authenticated. */
typedef enum cf_rc blob_push_fn(void *ctx, const void *data, size_t len, struct cf_err *e);

/* A body of fixed length, from memory that stays until done, or pulled. */
struct blob_body {
    uint64_t len;
    const void *data; /* or NULL: */
    blob_pull_fn *pull;
    void *pull_ctx;
};

/* format page, section 4: be32 stream | be64 block | be32 0 | salt of the attempt. */
struct blob_block_id {
    uint8_t bytes[BLOB_BLOCK_ID_LEN];
};
void blob_block_id_make(uint32_t stream, uint64_t block, const uint8_t salt[32],
                        struct blob_block_id *out);

/* ---- lanes ---- */

CF_CHECK enum cf_rc blob_lane_new(struct blob_store *s, struct blob_lane **out, struct cf_err *e);

/* Drops what is open without calling done. NULL is a no-op. */
void blob_lane_free(struct blob_lane *lane);

/* Moves bytes and reports ends; waits up to `timeout_ms` when there is nothing to do. `*open` is
 * the number of operations left. */
CF_CHECK enum cf_rc blob_lane_run(struct blob_lane *lane, int timeout_ms, unsigned *open,
                                  struct cf_err *e);

/* Ends the wait of blob_lane_run. Any thread. */
void blob_lane_wake(struct blob_lane *lane);

/* Everything open ends with CF_E_CANCEL at the next run. Not from a callback. */
void blob_lane_cancel(struct blob_lane *lane);

/* The right to write, over a lane that stays the caller's. CF_E_DENIED: the store was opened for
 * reading. */
CF_CHECK enum cf_rc blob_writer_new(struct blob_lane *lane, struct blob_writer **out,
                                    struct cf_err *e);
void blob_writer_free(struct blob_writer *w);

/* ---- writing; durable when done says BLOB_OK ---- */

/* A block of a blob to be, invisible until committed; len >= 1. Blocks that are not committed may
 * vanish (Azure: after a week). All ids of one blob have one length. */
CF_CHECK enum cf_rc blob_put_block(struct blob_writer *w, const char *name,
                                   const struct blob_block_id *id, const struct blob_body *body,
                                   struct blob_end end, struct cf_err *e);

/* Makes the blob out of its blocks, in this order. Create-only: BLOB_EXISTS when there is one.
 * `ids` are read before the call returns. */
CF_CHECK enum cf_rc blob_commit(struct blob_writer *w, const char *name,
                                const struct blob_block_id *ids, size_t count, struct blob_end end,
                                struct cf_err *e);

/* A whole blob at once. Create-only. */
CF_CHECK enum cf_rc blob_put(struct blob_writer *w, const char *name, const struct blob_body *body,
                             struct blob_end end, struct cf_err *e);

/* ---- erasing ---- */

/* The right to delete, over a lane that stays the caller's. CF_E_DENIED: the store was opened for
 * reading or writing. */
CF_CHECK enum cf_rc blob_eraser_new(struct blob_lane *lane, struct blob_eraser **out,
                                    struct cf_err *e);
void blob_eraser_free(struct blob_eraser *x);

/* The blob is gone, durably, when done says BLOB_OK or BLOB_ABSENT. BLOB_IMMUTABLE: a policy or
 * hold of the place keeps it, a lease or snapshots of somebody's; BLOB_PERMISSION: this token may
 * not. */
CF_CHECK enum cf_rc blob_erase(struct blob_eraser *x, const char *name, struct blob_end end,
                               struct cf_err *e);

/* ---- reading ---- */

CF_CHECK enum cf_rc blob_head(struct blob_lane *lane, const char *name, struct blob_end end,
                              struct cf_err *e);

struct blob_range {
    const char *name;
    uint64_t first, count; /* exactly these bytes or failure; count 0: from first to the end */
    const char *etag;      /* only of this version (BLOB_CHANGED otherwise); NULL or "": any */
};
CF_CHECK enum cf_rc blob_get(struct blob_lane *lane, const struct blob_range *what,
                             blob_push_fn *push, void *push_ctx, struct blob_end end,
                             struct cf_err *e);

/* The blocks of a blob. Ids of another length than ours are passed over. */
typedef enum cf_rc blob_block_fn(void *ctx, bool committed, const struct blob_block_id *id,
                                 uint64_t size, struct cf_err *e);
CF_CHECK enum cf_rc blob_list_blocks(struct blob_lane *lane, const char *name, blob_block_fn *each,
                                     void *each_ctx, struct blob_end end, struct cf_err *e);

/* Names that start with a prefix, ascending by bytes, however many pages that takes. `grouped`:
 * what follows the prefix up to a '/' comes once, with that '/' and size 0, instead of its blobs;
 * services differ in whether such groups come among the names or before them, and one whose
 * pages overlap may tell a group twice. What has no name that blob_check_name takes, other
 * programs' blobs and placeholders of folders ("a/"), is passed over, and so are directories. */
struct blob_listing {
    const char *prefix;
    bool grouped;
};
typedef enum cf_rc blob_name_fn(void *ctx, const char *name, uint64_t size, struct cf_err *e);
CF_CHECK enum cf_rc blob_list(struct blob_lane *lane, const struct blob_listing *what,
                              blob_name_fn *each, void *each_ctx, struct blob_end end,
                              struct cf_err *e);

/* ---- one operation at a time ---- */

struct blob_wait {
    bool over;
    struct blob_result r;
};

/* An end for the calls above. */
struct blob_end blob_wait_end(struct blob_wait *w);

/* Runs the lane until that operation is over; returns its class, with its error in `e`. */
CF_CHECK enum cf_rc blob_wait(struct blob_lane *lane, struct blob_wait *w, struct cf_err *e);

/* Appends a blob of at most `max` bytes to `out` (CF_E_LIMIT past it). `etag` may be NULL. */
CF_CHECK enum cf_rc blob_read(struct blob_lane *lane, const char *name, size_t max,
                              struct cf_buf *out, char etag[BLOB_ETAG_MAX + 1], struct cf_err *e);

/* How long to wait before attempt number `attempt` (1 is the first repetition): exponential from
 * 250 ms to 30 s with half of it random, and never less than the far side asked for (up to 120 s).
 * `random` is any uniform number. */
uint32_t blob_retry_delay_ms(unsigned attempt, uint32_t retry_after_ms, uint32_t random);

/* A name an operation takes: 1..BLOB_NAME_MAX printable ASCII characters without '\', segments not
 * empty and not beginning with '.'. CF_E_INPUT otherwise. */
CF_CHECK enum cf_rc blob_check_name(const char *name, struct cf_err *e);

#endif
