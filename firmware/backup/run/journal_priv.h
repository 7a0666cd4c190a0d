/* What a power cut must not take: journals of a backup and of a flip. Private to run. */
#ifndef RUN_JOURNAL_PRIV_H
#define RUN_JOURNAL_PRIV_H

#include "run/run.h"

/* --- the journal of one backup: FORMAT.md 6, steps 1, 4 and 8 --------------------------------- */

struct journal;

/* What is remembered from backup to backup. */
struct journal_last {
    uint64_t seq;                   /* of the newest manifest that may be out there */
    uint8_t mac[MANIFEST_MAC_SIZE]; /* of the newest one that surely is; zeros: none */
};

/* Reads the last state and clears a journal that a crash left: its sequence number counts as used.
 * `done`: the job that it cut behind its commit, or "". */
CF_CHECK enum cf_rc journal_recover(const char *dir, struct journal_last *last,
                                    char done[JOBS_ID_SIZE], struct cf_err *e);
CF_CHECK enum cf_rc journal_begin(const char *dir, const char *job_id,
                                  const struct manifest_envelope *env, struct journal **out,
                                  struct cf_err *e);
/* An acked block; kept in memory until the next flush. Any thread. */
CF_CHECK enum cf_rc journal_row(struct journal *j, uint32_t stream, uint64_t block,
                                const uint8_t row[FLOW_ROW_SIZE], struct cf_err *e);
/* All rows on the medium: before a block list is sent. */
CF_CHECK enum cf_rc journal_flush(struct journal *j, struct cf_err *e);
/* The bytes that will be sent, on the medium: before the commit. */
CF_CHECK enum cf_rc journal_manifest(struct journal *j, const struct journal_last *it,
                                     const struct cf_buf *bytes, struct cf_err *e);
/* The manifest is out there. */
CF_CHECK enum cf_rc journal_committed(const char *dir, const struct journal_last *last,
                                      struct cf_err *e);
void journal_close(struct journal *j); /* the file stays; NULL is a no-op */
void journal_end(const char *dir);     /* removes it: once the job's end is on the medium */

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

#endif
