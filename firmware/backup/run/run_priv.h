/* Parts of the run. Private to the module. */
#ifndef RUN_PRIV_H
#define RUN_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "chunk/chunk.h"
#include "run/run.h"
#include "seal/seal.h"
#include "source/source.h"
#include "upload/upload.h"

#define RUN_CONNECTIONS 8
#define RUN_ATTEMPTS    12
#define RUN_NICE        10
#define RUN_POLL_MS     500 /* how soon a cancellation is noticed */

/* --- the journal of one backup: FORMAT.md 6, steps 1, 4 and 8 --------------------------------- */

struct journal;

/* What is remembered from backup to backup. */
struct journal_last {
    uint64_t seq;                    /* of the newest manifest that may be out there */
    uint8_t mac[MANIFEST_MAC_SIZE];  /* of the newest one that surely is; zeros: none */
};

/* Reads the last state and clears a journal that a crash left: its sequence number counts as used. */
CF_CHECK enum cf_rc journal_recover(const char *dir, struct journal_last *last, struct cf_err *e);
CF_CHECK enum cf_rc journal_begin(const char *dir, const char *job_id,
                                  const struct manifest_envelope *env, struct journal **out,
                                  struct cf_err *e);
/* An acked block; kept in memory until the next flush. Any thread. */
CF_CHECK enum cf_rc journal_row(struct journal *j, uint32_t stream, uint64_t block,
                                const uint8_t row[FLOW_ROW_SIZE], struct cf_err *e);
/* All rows on the medium: before a block list is sent. */
CF_CHECK enum cf_rc journal_flush(struct journal *j, struct cf_err *e);
/* The bytes that will be sent, on the medium: before the commit. */
CF_CHECK enum cf_rc journal_manifest(struct journal *j, uint64_t seq, const struct cf_buf *bytes,
                                     struct cf_err *e);
/* The manifest is out there. */
CF_CHECK enum cf_rc journal_committed(const char *dir, const struct journal_last *last,
                                      struct cf_err *e);
void journal_end(struct journal *j); /* removes the file; NULL is a no-op */

/* A restore's flip: written before it, so that a restart knows whether it happened. */
struct journal_flip {
    char job_id[JOBS_ID_SIZE];
    uint64_t flips; /* of the selector, once it has happened */
};
CF_CHECK enum cf_rc journal_flip_write(const char *dir, const struct journal_flip *f,
                                       struct cf_err *e);
/* CF_E_ABSENT: no restore was that far. */
CF_CHECK enum cf_rc journal_flip_read(const char *dir, struct journal_flip *f, struct cf_err *e);
void journal_flip_end(const char *dir);

/* --- one job ------------------------------------------------------------------------------------ */

struct run {
    struct run_options o;
    struct journal_last last;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    bool busy;
    pthread_t thread;
    bool joinable;
    atomic_bool closing;
};

/* Everything a job's coordinator owns. */
struct job {
    struct run *r;
    struct jobs_record record;
    enum jobs_kind kind;
    char folder[BLOB_NAME_MAX + 1];
    char key[KEYSTORE_NAME_MAX + 1];
    bool accepts;
    uint8_t accepted[32];
    bool has_place;
    struct blob_store *store;
    struct blob_report report;
    struct blob_lane *lane;
    struct blob_writer *writer;
    struct engine *engine;
    uint64_t started_ms;
    atomic_uint_fast64_t done_bytes; /* plain */
    atomic_uint_fast64_t total_bytes; /* plain, as far as known */
    atomic_uint_fast64_t wire_bytes;
    bool past_domain; /* the backup is of our domain: what fails from here on is not told */
    char details[JOBS_TEXT_SIZE];
    char warning[JOBS_TEXT_SIZE];
};

/* Tells the partitions' drivers which side is live. */
CF_CHECK enum cf_rc run_settle(struct run *r, struct cf_err *e);

/* What runs in the job's thread, one a kind. */
CF_CHECK enum cf_rc backup_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc restore_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc selective_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc prebackup_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc prerestore_main(struct job *j, struct cf_err *e);

/* Makes the record and starts the thread; takes `j` in any case. */
CF_CHECK enum cf_rc job_launch(struct job *j, const char *who, struct jobs_record *out,
                               struct cf_err *e);
void job_free(struct job *j);
bool job_canceled(struct job *j);
void job_advance(struct job *j, uint64_t plain_bytes);
/* Blob name within the place: folder and name. */
void job_blob(const struct job *j, const char *name, char out[BLOB_NAME_MAX + 1]);

/* The error as the status shows it: code and text. What must not be told after the domain check is
 * one sentence; `place` (the true text) goes to the audit log. */
void words_for(const struct job *j, const struct cf_err *err, char code[JOBS_CODE_SIZE],
               char text[JOBS_TEXT_SIZE]);

/* --- transfer threads ---------------------------------------------------------------------------- */

struct engine;

/* One connection of a transfer thread. Belongs to that thread; what begin and end leave here stays
 * until the block is done. */
struct slot {
    struct engine *engine;
    struct blob_lane *lane;
    struct blob_writer *writer;
    struct seal_writer *sealer;
    struct seal_opener *opener;
    uint8_t *scratch; /* CHUNK_SCRATCH; backups */
    uint64_t number;  /* of the work's block */
    struct flow_block block;
    struct flow_receipt receipt;
    uint8_t salt[FLOW_SALT_SIZE];
    uint64_t blob_bytes; /* restores: as it must be */
    uint64_t blob_size;  /* and as the far side has it */
    unsigned attempt;
    enum { SLOT_IDLE, SLOT_BUSY, SLOT_RESTING } state;
    uint64_t due_ms;
};

/* A stream's blocks. Both calls come from any transfer thread. */
struct work {
    /* One attempt at slot->number: prepares and starts the operation, with slot_end() as its end. */
    enum cf_rc (*begin)(void *ctx, struct slot *s, struct cf_err *e);
    /* The far side took, or gave, all of it. */
    enum cf_rc (*end)(void *ctx, struct slot *s, struct cf_err *e);
    void *ctx;
};

static inline uint8_t run_chunk_log2(const struct run_options *o)
{
    return o->chunk_log2 ? o->chunk_log2 : FLOW_CHUNK_LOG2;
}
unsigned run_threads(const struct run_options *o);
unsigned run_connections_each(const struct run_options *o); /* of one transfer thread */

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

/* Begins a stream; blocks below `ready` may be sent at once. One at a time. */
void engine_begin(struct engine *g, const struct work *w, uint64_t ready);
void engine_ready(struct engine *g, uint64_t ready);
/* Waits until all ready blocks are done. The first failure ends everything and stays. */
CF_CHECK enum cf_rc engine_wait(struct engine *g, struct cf_err *e);
/* For what begin, end and the coordinator share. */
void engine_lock(struct engine *g);
void engine_unlock(struct engine *g);
/* With the lock: wakes a coordinator in engine_sleep_locked; that one returns the failure, if any. */
void engine_notify_locked(struct engine *g);
CF_CHECK enum cf_rc engine_sleep_locked(struct engine *g, struct cf_err *e);
struct blob_end slot_end(struct slot *s);

/* --- the coordinator's own operations, repeated while worth it ---------------------------------- */

typedef void far_attempt_fn(void *ctx, const struct upload_far *f, struct upload_outcome *out);
CF_CHECK enum cf_rc far_repeat(struct job *j, far_attempt_fn *attempt, void *ctx,
                               struct cf_err *e);
CF_CHECK enum cf_rc far_commit(struct job *j, const char *name, const struct upload_list *list,
                               struct cf_err *e);
CF_CHECK enum cf_rc far_put(struct job *j, const char *name, const void *data, size_t len,
                            struct cf_err *e);
/* Claims the folder by writing the blob `probe`, and so tells early whether blobs can be made.
 * `salt` marks it as ours. *taken: somebody's folder already. */
CF_CHECK enum cf_rc far_probe(struct job *j, const uint8_t salt[FLOW_SALT_SIZE], bool *taken,
                              struct cf_err *e);
/* A range of a blob into `out` (appended). `*size`: of the whole blob. */
struct far_range {
    const char *name; /* within the folder */
    uint64_t first, count;
    enum blob_why why; /* the far side's last word */
};
CF_CHECK enum cf_rc far_get(struct job *j, struct far_range *what, struct cf_buf *out,
                            uint64_t *size, struct cf_err *e);
/* One block through an opener; chunks go to its sink, which must take a repeated chunk. */
CF_CHECK enum cf_rc far_get_block(struct job *j, struct far_range *what,
                                  struct seal_opener *o, const struct seal_expect *x,
                                  uint64_t *size, struct cf_err *e);

/* --- backup --------------------------------------------------------------------------------------- */

/* One stream on its way out: what becomes its part of the manifest and of `meta`. */
struct stream_out {
    struct cf_buf rows; /* FLOW_ROW_SIZE a block; under the engine's lock */
    struct chunk_index index;
    uint64_t plain, wire, blocks, records, changes;
};

struct backup {
    struct job *j;
    struct manifest_envelope env;
    struct cf_secret *dk;
    struct seal_run seal;
    struct seal_salts *salts;
    struct journal *journal;
    struct stream_out *streams; /* keys, policy, partitions in the table's order */
    size_t stream_count;
    struct source_counts counts;
    uint64_t snapshot_s;
    struct manifest m;
};

/* The row of an acked block: kept, journaled, counted. Any transfer thread. */
CF_CHECK enum cf_rc backup_ack(struct backup *b, struct slot *s, struct cf_err *e);
/* The attempt's salt, pass and Put Block: the same for all streams. */
CF_CHECK enum cf_rc backup_send(struct backup *b, struct slot *s, struct flow_reader from,
                                struct cf_err *e);
/* Block lists of a stream whose blocks are all acked; fills its blobs in the manifest. */
CF_CHECK enum cf_rc backup_commit_stream(struct backup *b, uint32_t number, struct cf_err *e);
CF_CHECK enum cf_rc backup_records(struct backup *b, struct cf_err *e);
CF_CHECK enum cf_rc backup_partitions(struct backup *b, struct cf_err *e);
/* `meta`, manifest, its copy: the commit. */
CF_CHECK enum cf_rc backup_finish(struct backup *b, struct cf_err *e);
/* A blob_pull_fn over a seal_writer. */
CF_CHECK enum cf_rc backup_pull(void *sealer, void *buf, size_t cap, size_t *len,
                                struct cf_err *e);

/* --- restore --------------------------------------------------------------------------------------- */

/* An opened backup. Zero-initialise; clear with backup_in_clear. */
struct backup_in {
    struct job *j;
    struct manifest m;
    struct cf_secret *dk;
    struct seal_run seal;
    struct cf_buf meta; /* plain, whole; full restore only */
};
/* Manifest: 96 bytes, domain, then the rest, all its checks. */
CF_CHECK enum cf_rc backup_in_open(struct job *j, struct backup_in *b, struct cf_err *e);
void backup_in_clear(struct backup_in *b);
/* All of `meta`, digests and tables checked. */
CF_CHECK enum cf_rc backup_in_meta(struct backup_in *b, struct cf_err *e);
/* Only the chunks of `meta` that hold this range; appended to `out`. */
CF_CHECK enum cf_rc backup_in_meta_range(struct backup_in *b, uint64_t offset, uint64_t len,
                                         struct cf_buf *out, struct cf_err *e);
/* Where block i of a stream lies: blob name, offset, its length and the blob's. */
struct block_place {
    char name[MANIFEST_NAME_SIZE + 64];
    uint64_t offset, blob_bytes;
};
void backup_in_place(const struct backup_in *b, uint32_t stream, const uint8_t *rows, uint64_t i,
                     struct block_place *out);

/* One record of `keys`: parsed strictly, each blob's MAC verified by the token. *out is the
 * caller's to free, also after a failure. */
CF_CHECK enum cf_rc backup_in_key(const struct backup_in *b, const void *record, size_t len,
                                  struct keystore_record **out, struct cf_err *e);
CF_CHECK enum cf_rc restore_records(struct backup_in *b, struct store_stage *stage,
                                    struct cf_err *e);
CF_CHECK enum cf_rc restore_partitions(struct backup_in *b, const struct store_selector *sel,
                                       uint8_t side[STORE_SIDES], struct cf_err *e);

#endif
