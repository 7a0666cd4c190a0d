/* Transfer threads: lanes, connections, the order of blocks, retries. Private to run. */
#ifndef RUN_ENGINE_PRIV_H
#define RUN_ENGINE_PRIV_H

#include "chunk/chunk.h"
#include "run/run.h"
#include "seal/seal.h"

struct job;
struct backup;
struct part_in;

/* --- transfer threads ----------------------------------------------------------------------------
 */

struct engine;

/* One connection of a transfer thread. Belongs to that thread; what begin and end leave here stays
 * until the block is done. */
struct slot {
    struct engine *engine;
    struct work *work; /* whose block this is */
    struct blob_lane *lane;
    struct blob_writer *writer;
    struct seal_writer *sealer;
    struct seal_opener *opener;
    uint8_t *scratch; /* CHUNK_SCRATCH; backups */
    uint64_t number;  /* of the work's block */
    struct flow_block block;
    struct flow_receipt receipt;
    uint8_t salt[FLOW_SALT_SIZE];
    struct backup *backup; /* backups: whose block this is */
    uint64_t moved;        /* bytes of this attempt so far */
    struct part_in *part;  /* restores: where this block goes */
    uint64_t sum;          /* of what went there */
    uint64_t blob_bytes;   /* as it must be */
    uint64_t blob_size;    /* and as the far side has it */
    unsigned attempt;
    enum { SLOT_IDLE, SLOT_BUSY, SLOT_RESTING } state;
    uint64_t due_ms;
};

/* Blocks of one kind. Both calls come from any transfer thread. The caller's, and there until
 * engine_wait has returned or the engine has stopped. */
struct work {
    /* One attempt at slot->number: prepares and starts the operation, with slot_end() as its end.
     */
    enum cf_rc (*begin)(void *ctx, struct slot *s, struct cf_err *e);
    /* The far side took, or gave, all of it. */
    enum cf_rc (*end)(void *ctx, struct slot *s, struct cf_err *e);
    void *ctx;
    bool urgent; /* goes before what began earlier */
    /* the engine's, under its lock */
    uint64_t next, ready, done;
    struct work *behind;
};

static inline uint8_t run_chunk_log2(const struct run_options *o)
{
    return o->chunk_log2 ? o->chunk_log2 : FLOW_CHUNK_LOG2;
}
/* Blocks of a blob in layout 0, but for its stream's last one. */
static inline uint64_t run_blob_blocks(const struct run_options *o)
{
    return o->blob_blocks ? o->blob_blocks : FLOW_BLOB_BLOCKS;
}
unsigned job_threads(const struct job *j);
unsigned job_connections_each(const struct job *j); /* of one transfer thread, at most */

/* How many blocks a thread has under way at once: one on a fast link, where more only push each
 * other's buffers out of the cache, all its connections where it is mostly waiting. */
#define WIDTH_LOOK_MS 5 /* how often that is judged */
struct width {
    unsigned now, most;
    int fd;
    uint64_t wall_ns, busy_ns; /* at the last look */
};
/* These three in the thread it is about. `answer_ms`: of the far side, 0 if not known. */
void width_begin(struct width *w, unsigned most, uint64_t answer_ms);
void width_end(struct width *w);
void width_look(struct width *w);
/* Twice as many for a thread that had work for under half of the time, one fewer for one that had
 * for over seven eighths. */
unsigned width_next(const struct width *w, uint64_t passed_ns, uint64_t busy_ns);
static inline bool width_may_grow(const struct width *w)
{
    return w->now < w->most;
}

struct engine_options {
    struct job *job;
    bool write;
    uint8_t chunk_log2; /* largest to be opened; reading */
};
CF_CHECK enum cf_rc engine_new(const struct engine_options *o, struct engine **out,
                               struct cf_err *e);
/* Ends all transfers and waits for their threads to let go; the engine serves no more. */
void engine_stop(struct engine *g);
void engine_free(struct engine *g); /* cancels what is open; NULL is a no-op */

/* Begins a work, behind those that are not waited for yet; blocks below `ready` may be sent at
 * once.
 */
void engine_begin(struct engine *g, struct work *w, uint64_t ready);
void engine_ready(struct engine *g, struct work *w, uint64_t ready);
/* Waits until all ready blocks of a work are done, which then has ended. The first failure of any
 * work ends all, stops the engine, and stays. */
CF_CHECK enum cf_rc engine_wait(struct engine *g, struct work *w, struct cf_err *e);
/* For what begin, end and the coordinator share. */
void engine_lock(struct engine *g);
void engine_unlock(struct engine *g);
/* With the lock: wakes a coordinator in engine_sleep_locked, which sleeps a second at the most;
 * that one returns the failure, if any. */
void engine_notify_locked(struct engine *g);
CF_CHECK enum cf_rc engine_sleep_locked(struct engine *g, struct cf_err *e);
struct blob_end slot_end(struct slot *s);
/* For pulls and pushes: counts, and waits as the job's limit asks. */
CF_CHECK enum cf_rc slot_moved(struct slot *s, size_t bytes, struct cf_err *e);

#endif
