/* What a verify has seen of a backup's wire bytes, which blocks it looks at, and the receipt it
 * leaves. Private to run. */
#ifndef RUN_PROOF_PRIV_H
#define RUN_PROOF_PRIV_H

#include "jobs/receipts.h"
#include "manifest/receipt.h"

struct job;
struct backup;
struct backup_in;

/* --- what a backup covers (parts.c, cover.c) ---------------------------------------------------
 */

/* Fills `parts` and `m.left_out` by looking at each partition. */
CF_CHECK enum cf_rc backup_choose_parts(struct backup *b, struct cf_err *e);
/* CF_E_STATE Conflict: something would be left out, and a complete backup was asked for. */
CF_CHECK enum cf_rc backup_check_parts(const struct backup *b, struct cf_err *e);
/* The job's end says what its coverage says is missing. */
void backup_tell_missing(struct job *j);

/* Fills the manifest's statement from what else it says, and judges it. */
CF_CHECK enum cf_rc backup_cover(struct backup *b, struct cf_err *e);
/* CF_E_STATE Conflict: a complete backup was asked for, and something marked is missing. */
CF_CHECK enum cf_rc backup_complete(const struct job *j, const struct manifest *m,
                                    struct cf_err *e);
/* For the job's end. */
void job_keep_cover(struct job *j, const struct manifest *m);
size_t job_tell_cover(const struct job *j, struct jobs_cover out[JOBS_COVERS_MAX]);

/* --- what was read -----------------------------------------------------------------------------
 */

/* How old the backup is among this appliance's, as a remark of the job. */
void backup_in_note_age(struct job *j, const struct manifest *m);
/* Reads all of the backup, checks it as a restore does, and keeps nothing. */
CF_CHECK enum cf_rc backup_in_walk(struct backup_in *b, struct cf_err *e);

struct proof_stream {
    uint64_t blocks;
    uint8_t *wanted; /* one a block: not 0 when it is read */
    uint8_t *taken;  /* one a block, written by whichever thread has it */
    uint8_t (*digest)[FLOW_DIGEST_SIZE];
};

/* Zero-initialise; clear with proof_clear. */
struct proof {
    unsigned percent;             /* of the blocks; 100: all */
    struct proof_stream *streams; /* by number; `meta` behind them, always whole */
    size_t count;
    uint64_t keys, versions; /* opened in the token */
};

/* Chooses the blocks, by the host's random source: of each stream the first, the last, and the
 * share of those between them, rounded up. Sets the job's total. */
CF_CHECK enum cf_rc proof_begin(struct backup_in *b, struct proof *p, struct cf_err *e);
void proof_clear(struct proof *p);

static inline bool proof_samples(const struct proof *p)
{
    return p && p->percent < 100;
}
/* True for all of them without a proof. */
bool proof_wants(const struct proof *p, uint32_t stream, uint64_t block);
/* Where the digest of a block's wire bytes goes; NULL without a proof. */
uint8_t *proof_digest(const struct proof *p, uint32_t stream, uint64_t block);
/* The block was authenticated whole. */
void proof_taken(const struct proof *p, uint32_t stream, uint64_t block);
/* Blocks there are, and blocks taken, in all. */
struct proof_tally {
    uint64_t blocks, taken;
};
struct proof_tally proof_tally(const struct proof *p);

/* Appends the receipt of what was taken. */
CF_CHECK enum cf_rc proof_receipt(const struct backup_in *b, struct cf_buf *out, struct cf_err *e);

/* The receipt of the restore of one key: "partial" (FORMAT.md 7.13). */
CF_CHECK enum cf_rc proof_receipt_of_key(const struct backup_in *b, uint64_t versions,
                                         struct cf_buf *out, struct cf_err *e);

/* Where in the sealed index of a record stream each block's entries begin, and behind the last one
 * its end: blocks + 1 numbers, the caller's to free. Entries are well-formed, ascend, and are as
 * many as chunks. */
CF_CHECK enum cf_rc proof_index(const struct backup_in *b, uint32_t stream, size_t **starts,
                                struct cf_err *e);

#endif
