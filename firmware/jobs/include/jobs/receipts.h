/*
 * Receipts of verified backups, kept beside the records of the jobs that made them. What a receipt
 * says is signed inside it (backup/FORMAT.md, 12); here stand only the few facts by which it is
 * found. It goes when its job's record goes, and the one of each place's newest verified backup
 * stays.
 * Threads: any.
 */
#ifndef JOBS_RECEIPTS_H
#define JOBS_RECEIPTS_H

#include "base/buf.h"
#include "jobs/jobs.h"

#define JOBS_RECEIPT_MAX 60000 /* bytes */

/* Which backup, and what was proven of it. */
struct jobs_verified {
    char job[JOBS_ID_SIZE];
    char uri[JOBS_URI_SIZE];       /* container, without a query */
    char folder[JOBS_FOLDER_SIZE]; /* last segment */
    int64_t at_s;                  /* end of the job, Unix seconds */
    bool whole;                    /* every byte and every key; else a sample, or one key */
    uint64_t created_s;            /* of the backup */
    uint64_t seq;                  /* of the backup on the appliance that wrote it */
    uint8_t backup_id[16];
    uint8_t mac[32]; /* of its manifest: names its content. Zeros: what the restore of one key read,
                        which proves nothing of the backup as a whole */
};

/* What a job leaves when it succeeds; job, uri, folder and at_s are taken from its record. */
struct jobs_receipt {
    const void *bytes; /* 1..JOBS_RECEIPT_MAX */
    size_t len;
    struct jobs_verified facts;
};

/* A line of what a backup covers (backup/FORMAT.md, 12: key 99). */
#define JOBS_COVERS_MAX    200
#define JOBS_COVER_SIZE    193
#define JOBS_COVER_MISSING 3
struct jobs_cover {
    const char *what, *why;
    unsigned state; /* 1 it is inside, 2 outside, JOBS_COVER_MISSING it was to be
                       inside and could not */
};
typedef enum cf_rc jobs_cover_fn(void *ctx, const struct jobs_cover *c, struct cf_err *e);

/* Those that a job's end told, in order; none is fine. `each` must not call jobs. */
CF_CHECK enum cf_rc jobs_cover_each(struct jobs *j, const char *id, jobs_cover_fn *each, void *ctx,
                                    struct cf_err *e);

/* Appends the receipt of a job. CF_E_ABSENT "NotFound": no such job, or it left none (it failed, it
 * still runs, or it is of a kind that gives none). */
CF_CHECK enum cf_rc jobs_receipt_get(struct jobs *j, const char *id, struct cf_buf *out,
                                     struct cf_err *e);

/* What a plan or a pruning found, as its maker encodes it; of each of these kinds the last one is
 * kept, in place of the one before. 1..JOBS_REPORT_MAX bytes. */
#define JOBS_REPORT_MAX (1U << 20)
CF_CHECK enum cf_rc jobs_report_keep(struct jobs *j, const struct jobs_record *r,
                                     const struct cf_buf *report, struct cf_err *e);
/* Appends it; `r` is the job's record. CF_E_ABSENT "NotFound": no such job, or it left none, or a
 * later one took its place. */
CF_CHECK enum cf_rc jobs_report_get(struct jobs *j, const char *id, struct jobs_record *r,
                                    struct cf_buf *out, struct cf_err *e);

/* Every receipt, in no order. `each` borrows; anything but CF_OK stops and is returned. It must not
 * call jobs. */
CF_CHECK enum cf_rc jobs_verified_each(struct jobs *j,
                                       enum cf_rc (*each)(void *ctx, const struct jobs_verified *v,
                                                          struct cf_err *e),
                                       void *ctx, struct cf_err *e);

/* The newest backup (by its own time) that was verified whole, in `uri`, or anywhere (NULL).
 * CF_E_ABSENT "NotFound": there is none. */
CF_CHECK enum cf_rc jobs_newest_verified(struct jobs *j, const char *uri, struct jobs_verified *out,
                                         struct cf_err *e);

#endif
