/*
 * Drives the stages both ways: full backup, full restore, restore of one key. A start is judged at
 * once and answered with a job; the work goes on in threads of the run, at low priority. The job's
 * record and progress are in jobs/jobs.h.
 * A backup is a folder; its manifest, written last, is the commit. A restore builds the next store
 * and the twins, verifies everything, then flips one record; before the flip nothing has changed.
 * Threads: any; one job at a time.
 */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/access.h"
#include "audit/audit.h"
#include "base/err.h"
#include "blob/place.h"
#include "hal/clock.h"
#include "hal/entropy.h"
#include "hal/partition.h"
#include "hal/token.h"
#include "jobs/jobs.h"
#include "keystore/keystore.h"
#include "manifest/manifest.h"
#include "run/retain.h"
#include "store/live.h"

struct run;

/* A raw partition of the board's table that is marked for backup. `index` is its place in the
 * table, by which the store's selector names its live side (0 first, 1 twin). */
struct run_partition {
    const char *name; /* [A-Za-z0-9._-]{1,64}, unique */
    unsigned index;
    /* The caller closes what it opened. Live for reading, the other side for writing, as `side`
     * (the live one) has it. */
    enum cf_rc (*open_live)(void *ctx, unsigned side, struct hal_partition **out, struct cf_err *e);
    enum cf_rc (*open_other)(void *ctx, unsigned side, struct hal_partition **out,
                             struct cf_err *e);
    /* Optional: the selector calls `side` live from now on. Neither side is open. Repeatable. */
    enum cf_rc (*settle)(void *ctx, unsigned side, struct cf_err *e);
    void *ctx;
};

/* All borrowed for the run's life but the plain values. */
struct run_options {
    const char *dir;      /* of the config partition: journals lie here */
    const char *hsm_name; /* in folder names and manifests */
    const char *writer;   /* program and version, for manifests */
    struct hal_entropy *entropy;
    struct hal_clock *clock;
    struct manifest_domain domain;
    uint8_t appliance_id[FLOW_ID_SIZE];
    uint64_t member_since_s; /* when the domain took this appliance in */
    struct store_live *live;
    struct keystore *keystore;
    struct access *access; /* NULL: nothing to refresh after a restore */
    struct audit *audit;   /* NULL: no audit log */
    struct jobs *jobs;
    struct blob_options storage;
    const struct run_partition *partitions;
    size_t partition_count;
    int64_t min_backup_age_s;     /* 0: a restore asks for no earlier backup */
    const struct cf_buf *signers; /* SPKIs of further signers that manifests may require */
    size_t signer_count;
    bool digest_partitions; /* SHA-256 over partition data too: half the speed */
    unsigned threads;       /* transfer threads; 0: one a core */
    unsigned connections;   /* of all threads together, at most; 0: 16 */
    uint64_t limit_rate;    /* bytes a second to and from storage, of a job that chose none; 0: no
                               limit */
    unsigned attempts;      /* at one request, before the job's first success; 0: 12 */
    uint64_t patience_ms;   /* without any success behind it, before the job fails; 0: 6 hours */
    uint32_t record_block;  /* plain bytes of a record block; 0: 8 MiB. Tests make it small */
    uint8_t chunk_log2;     /* 0: 18, 256 KiB. Tests make it small */
    uint32_t blob_blocks;   /* so many make a blob full; 0: 32,768. Tests make it small */
};

/* A pruning: what it keeps, and whether it only tells what it would delete. */
struct run_prune {
    struct retain_policy policy;
    bool dry_run;
};

/* What a client asked for. */
struct run_request {
    const char *who; /* oid of the principal, for the job's record */
    struct blob_place place;
    const char *folder;             /* restores: last path segment or path of the backup */
    const char *key;                /* selective: the key's name */
    const uint8_t *accepted_writer; /* restores: SHA-256 of an identity that the operator accepts,
                                       or NULL */
    struct jobs_choices choices;
    const struct run_prune *prune; /* prunings */
};

/* Settles partitions to what the selector says, and takes up the backup or restore that was running
 * when the appliance stopped, under its id; restore mode stays on meanwhile. One that had reached
 * its commit is Succeeded; one that cannot go on is Failed, code "Interrupted". */
CF_CHECK enum cf_rc run_open(const struct run_options *o, struct run **out, struct cf_err *e);

/* Stops: a backup or restore stays InProgress and goes on at the next start; any other job is
 * canceled. Waits for it, frees. NULL is a no-op. */
void run_close(struct run *r);

/* Each judges the request, makes the job's record and goes on in its own threads.
 * CF_E_INPUT BadRequest: place, token or folder; the text says what is wrong with it.
 * CF_E_STATE Conflict: another job runs, or (full restore) no backup is old enough. */
CF_CHECK enum cf_rc run_backup_start(struct run *r, const struct run_request *q,
                                     struct jobs_record *out, struct cf_err *e);
CF_CHECK enum cf_rc run_restore_start(struct run *r, const struct run_request *q,
                                      struct jobs_record *out, struct cf_err *e);
CF_CHECK enum cf_rc run_selective_start(struct run *r, const struct run_request *q,
                                        struct jobs_record *out, struct cf_err *e);
/* Nothing is written, nothing changes. A prebackup judges the request and asks the far side for a
 * blob; a prerestore verifies the whole backup as a restore would, key by key and chunk by chunk.
 * Without a folder, or a place, each judges what there is. */
CF_CHECK enum cf_rc run_prebackup_start(struct run *r, const struct run_request *q,
                                        struct jobs_record *out, struct cf_err *e);
CF_CHECK enum cf_rc run_prerestore_start(struct run *r, const struct run_request *q,
                                         struct jobs_record *out, struct cf_err *e);
/* Reads the backup whole, authenticates every byte of it, and tries every version of every key in
 * the token. Writes nothing and asks nothing of this appliance but the domain's keys: an incomplete
 * backup and one with partitions that are not here are verified as well, with a remark. */
CF_CHECK enum cf_rc run_verify_start(struct run *r, const struct run_request *q,
                                     struct jobs_record *out, struct cf_err *e);

/* Deletes the backups of this HSM in the place that the policy lets go (run/retain.h); a dry run
 * only plans, and needs no right to delete. Only folders with a manifest that verifies, all their
 * blobs there, of this domain and HSM are counted or deleted, beside what an earlier pruning left
 * half done and, when asked for, old unfinished ones. What the storage keeps is told and passed
 * over. CF_E_INPUT BadRequest also where the policy keeps nothing. */
CF_CHECK enum cf_rc run_prune_start(struct run *r, const struct run_request *q,
                                    struct jobs_record *out, struct cf_err *e);

/* What the last pruning found and did, newest first; the caller frees `*out`. CF_E_ABSENT for any
 * other job. `mac` and `busy` are not kept. */
CF_CHECK enum cf_rc run_prune_report(struct run *r, const char *job_id, struct retain_folder **out,
                                     size_t *count, struct cf_err *e);

/* What run_undo_start would do. */
struct run_undo {
    bool redo;                     /* the last switch was an undo: this takes it back */
    int64_t switched_s;            /* when it was, Unix seconds */
    char job[JOBS_ID_SIZE];        /* the restore or undo that switched */
    char folder[JOBS_FOLDER_SIZE]; /* of the backup that was restored */
    bool counted;                  /* false: what was changed since is not known */
    uint64_t changes;              /* commits to the key store since */
    size_t partitions, written;    /* raw ones that go back; of them written since */
};
/* CF_E_STATE "Conflict": there is nothing to undo; the text says why. */
CF_CHECK enum cf_rc run_undo_look(struct run *r, struct run_undo *out, struct cf_err *e);

/* Appends the audit log's head, signed by the identity key (manifest/audit_head.h). CF_E_STATE
 * "Conflict": there is no log. */
CF_CHECK enum cf_rc run_audit_head(struct run *r, struct cf_buf *out, struct cf_err *e);

/* Switches back to the store and the partitions' sides that the last restore left, which become
 * live as they were; what is live now is kept in their place, so a second undo is a redo. As with a
 * restore the HSM is in restore mode meanwhile, and a power cut leaves the one state or the other.
 * Reads only `who` of the request. CF_E_STATE as above. */
CF_CHECK enum cf_rc run_undo_start(struct run *r, const struct run_request *q,
                                   struct jobs_record *out, struct cf_err *e);

/* Returns when no job runs. For tests and shutdown. */
void run_wait(struct run *r);

#endif
