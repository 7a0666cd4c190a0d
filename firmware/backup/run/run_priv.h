/* Parts of the run. Private to the module. */
#ifndef RUN_PRIV_H
#define RUN_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine_priv.h"
#include "far_priv.h"
#include "journal_priv.h"
#include "kept_priv.h"
#include "proof_priv.h"
#include "pace_priv.h"
#include "patience_priv.h"
#include "request_priv.h"
#include "source/source.h"
#include "team_priv.h"
#include "words_priv.h"

#define RUN_CONNECTIONS 16
#define RUN_ATTEMPTS    12
#define RUN_TOKEN_MS    UINT64_C(30000)
#define RUN_PATIENCE_MS UINT64_C(21600000) /* six hours */
#define RUN_NICE        10
#define RUN_POLL_MS     500 /* how soon a cancellation is noticed */

/* --- one job --- */

struct run {
    struct run_options o;
    struct journal_last last;
    struct cf_secret *journal_key;
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
    bool errand;    /* no job of its own: no record, no progress, little patience */
    unsigned tries; /* of one of the coordinator's requests; 0: as patience has it */
    char folder[BLOB_NAME_MAX + 1];
    char key[KEYSTORE_NAME_MAX + 1];
    bool accepts;
    uint8_t accepted[32];
    struct jobs_choices choices; /* with the appliance's settings in place of zeroes */
    struct pace pace;
    bool taken_up; /* an earlier life of the appliance began it, or lost blocks were noticed */
    bool lost;     /* blocks that had been sent vanished before they became a blob */
    struct blob_store *store;
    struct blob_report report;
    struct blob_lane *lane;
    struct blob_writer *writer;
    struct blob_eraser *eraser; /* prunings only */
    struct run_prune prune;
    struct engine *engine;
    uint64_t started_ms;
    struct cf_err stillborn;           /* what failed before the thread began; rc CF_OK: nothing */
    atomic_uint_fast64_t done_bytes;   /* plain */
    atomic_uint_fast64_t total_bytes;  /* plain, as far as known */
    atomic_uint_fast64_t moving_bytes; /* of attempts under way */
    atomic_uint_fast64_t wire_bytes;
    atomic_bool reached;           /* the far side did something for this job once */
    atomic_uint_fast64_t heard_ms; /* when it last did; monotonic */
    atomic_bool waiting;           /* the status says so */
    bool past_domain; /* the backup is of our domain: what fails from here on is not told */
    char details[JOBS_TEXT_SIZE], warning[JOBS_TEXT_SIZE];
    uint64_t answer_ms;    /* the quickest of the coordinator's exchanges; 0: none yet */
    struct cf_buf receipt; /* of a verify that succeeded; with its facts */
    struct jobs_verified verified;
    struct manifest_cover *cover; /* of the backup made or verified */
    size_t cover_count;
};

/* Tells the partitions' drivers which side is live. */
CF_CHECK enum cf_rc run_settle(struct run *r, struct cf_err *e);

/* This thread goes behind the daemon's others from now on. */
void run_step_back(void);

/* What runs in the job's thread, one a kind. */
CF_CHECK enum cf_rc backup_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc restore_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc selective_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc prebackup_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc undo_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc plan_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc prerestore_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc verify_main(struct job *j, struct cf_err *e);
CF_CHECK enum cf_rc prune_main(struct job *j, struct cf_err *e);

/* What a stop of the appliance does not end. */
static inline bool job_goes_on(enum jobs_kind k)
{
    return k == JOBS_BACKUP || k == JOBS_RESTORE;
}
/* Judges a request. `began_s`: when an earlier life did so, Unix seconds; 0: none. */
CF_CHECK enum cf_rc job_new(struct run *r, enum jobs_kind kind, const struct run_request *q,
                            int64_t began_s, struct job **out, struct cf_err *e);
/* Makes the record and starts the thread; takes `j` in any case. */
CF_CHECK enum cf_rc job_launch(struct job *j, const struct run_request *q, struct jobs_record *out,
                               struct cf_err *e);
/* The same for a record that an earlier life of the appliance left running. */
CF_CHECK enum cf_rc job_take_up(struct job *j, const struct jobs_record *rec, struct cf_err *e);
/* Goes on with the job that is found running, or settles it. */
CF_CHECK enum cf_rc run_take_up(struct run *r, struct cf_err *e);

/* What asks the storage something for a client who waits: reads, keeps no record. */
CF_CHECK enum cf_rc job_errand(struct run *r, const struct run_request *q, struct job **out,
                               struct cf_err *e);
void job_free(struct job *j);
bool job_canceled(struct job *j);
/* What comes now cannot be taken back. CF_E_CANCEL: it was asked for before. */
CF_CHECK enum cf_rc job_past_cancel(struct job *j, struct cf_err *e);
/* A literal: what the status calls what the job does now. */
void job_phase(struct job *j, const char *phase);
void job_advance(struct job *j, uint64_t plain_bytes);
/* Of an attempt under way; taken back at its end, whatever that is. Only for what is shown. */
void job_moving(struct job *j, int64_t bytes);
/* False: canceled meanwhile. */
bool job_pause(struct job *j, uint64_t ms);
/* Called for bytes that were moved to or from storage: waits as the job's limit asks. In the
 * callbacks of a lane too: its other transfers share the limit, so they are not held up. */
CF_CHECK enum cf_rc job_pace(struct job *j, size_t bytes, struct cf_err *e);
/* Adds a remark to what the job's end will say. */
void job_warn(struct job *j, const char *text);
/* Blob name within the place: folder and name. */
void job_blob(const struct job *j, const char *name, char out[BLOB_NAME_MAX + 1]);

/* The error as the status shows it: code and text. What must not be told after the domain check is
 * one sentence; `place` (the true text) goes to the audit log. */
void words_for(const struct job *j, const struct cf_err *err, char code[JOBS_CODE_SIZE],
               char text[JOBS_TEXT_SIZE]);

/* --- restore --- */

/* An opened backup. Zero-initialise; clear with backup_in_clear. */
struct backup_in {
    struct job *j;
    struct manifest m;
    enum blob_why why; /* the far side's last word about the manifest */
    struct cf_secret *dk;
    struct seal_run seal;
    struct cf_buf head;  /* first bytes of the manifest, where somebody has them already */
    uint64_t size;       /* with them: of the whole */
    struct cf_buf meta;  /* plain, whole; full restore only */
    struct cf_buf chunk; /* plain, of `meta` from chunk_at on; else */
    uint64_t chunk_at;
    struct proof *proof; /* a verify: which blocks, what was seen. NULL: all, nothing noted */
};
/* Manifest: 96 bytes (if they are not in `head`), domain, then the rest, all its checks. */
CF_CHECK enum cf_rc backup_in_open(struct job *j, struct backup_in *b, struct cf_err *e);
void backup_in_clear(struct backup_in *b);
/* Remarks what lies in the folder and is no part of the backup, whose `meta` is here. */
void beside_note(const struct backup_in *b);
/* All of `meta`, digests and tables checked. */
CF_CHECK enum cf_rc backup_in_meta(struct backup_in *b, struct cf_err *e);
/* Only the chunks of `meta` that hold this range; appended to `out`. */
CF_CHECK enum cf_rc backup_in_meta_range(struct backup_in *b, uint64_t offset, uint64_t len,
                                         struct cf_buf *out, struct cf_err *e);
/* Where block i of a stream lies: blob name, offset, its length and the blob's. */
struct block_place {
    char name[MANIFEST_NAME_SIZE];
    uint64_t offset, blob_bytes;
};
void backup_in_place(const struct backup_in *b, uint32_t stream, const uint8_t *rows, uint64_t i,
                     struct block_place *out);

/* One record of `keys`: parsed strictly; its blobs' MACs are still to be verified. *out is the
 * caller's to free, also after a failure. */
CF_CHECK enum cf_rc backup_in_key(const struct backup_in *b, const void *record, size_t len,
                                  struct keystore_record **out, struct cf_err *e);

/* Downloads a record stream whole, checks it against its index, and gives each record to `to`. */
CF_CHECK enum cf_rc backup_in_records(struct backup_in *b, uint32_t stream, struct chunk_taker to,
                                      struct cf_err *e);
/* The record of one key, by the index; the caller clears it. CF_E_ABSENT "KeyNotFound". */
CF_CHECK enum cf_rc backup_in_find(struct backup_in *b, const char *name, struct cf_buf *record,
                                   struct cf_err *e);

/* Both only verify when there is nothing to write to: stage NULL, sel and side NULL. */
CF_CHECK enum cf_rc restore_records(struct backup_in *b, struct store_stage *stage,
                                    struct cf_err *e);
CF_CHECK enum cf_rc restore_partitions(struct backup_in *b, const struct store_selector *sel,
                                       uint8_t side[STORE_SIDES], struct cf_err *e);

#endif
