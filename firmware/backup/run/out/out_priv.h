/* Parts of a backup's way out. Private to run. */
#ifndef RUN_OUT_PRIV_H
#define RUN_OUT_PRIV_H

#include "aside_priv.h"
#include "run_priv.h"

/* One stream on its way out: what becomes its part of the manifest and of `meta`. */
struct stream_out {
    struct cf_buf rows; /* FLOW_ROW_SIZE a block; under the engine's lock */
    struct chunk_index index;
    uint64_t plain, wire, blocks, records, changes;
    uint64_t size;     /* raw ones, of an earlier life */
    bool begun, whole; /* by an earlier life; whole: nothing is left to send */
};

struct backup {
    struct job *j;
    struct manifest_envelope env;
    struct cf_secret *dk;
    struct seal_run seal;
    struct seal_salts *salts;
    struct journal *journal;
    const struct run_partition **parts; /* that it holds, in the table's order */
    char (*left_why)[192];              /* of those in m.left_out */
    struct stream_out *streams;         /* keys, policy, `parts` */
    size_t part_count, stream_count;
    struct source_counts counts;
    uint64_t snapshot_s;
    struct records_out *records; /* until the last of their blocks is acked */
    uint64_t records_plain;      /* bytes of both record streams */
    struct asides lists[2];      /* enum backup_lists */
    struct manifest m;
    struct cf_buf ready; /* an earlier life had the manifest's bytes, and all before it out there */
    struct journal_last ready_as;
};

/* What the storage said of a stream of an earlier life. */
struct stream_past {
    bool committed; /* a blob of it is there, for ever */
    bool foreign;   /* and holds what this job did not send */
};

/* Takes up what an earlier life left. *usable false: begin anew, under another folder's name if one
 * was claimed; what `b` has is then to be cleared. */
CF_CHECK enum cf_rc backup_take_up(struct backup *b, bool *usable, struct cf_err *e);
/* The salts of one life of the job: its number is in them. */
CF_CHECK enum cf_rc backup_draw(struct backup *b, uint64_t life, struct cf_err *e);
/* Counts the rows that an earlier life left in a stream. */
void backup_count(struct backup *b, size_t stream);
/* records_closing.c: to the journal before the first block list of the two, and back. */
CF_CHECK enum cf_rc records_close(struct backup *b, struct cf_err *e);
CF_CHECK enum cf_rc records_reopen(struct backup *b, const struct journal_past *p);

/* The row of an acked block: kept, journaled, counted. Any transfer thread. */
CF_CHECK enum cf_rc backup_ack(struct backup *b, struct slot *s, struct cf_err *e);
/* The attempt's salt, pass and Put Block: the same for all streams. */
CF_CHECK enum cf_rc backup_send(struct backup *b, struct slot *s, struct flow_reader from,
                                struct cf_err *e);
/* Builds both record streams from one moment of the store and hands their blocks on; their end is
 * waited for beside the partitions. */
CF_CHECK enum cf_rc backup_records(struct backup *b, struct cf_err *e);
CF_CHECK enum cf_rc backup_records_end(struct backup *b, struct cf_err *e);
void records_out_free(struct records_out *r);
CF_CHECK enum cf_rc backup_partitions(struct backup *b, struct cf_err *e);
/* Block lists of streams whose blocks are all acked, and their blobs in the manifest. What is begun
 * goes before blocks that wait. */
enum backup_lists { LISTS_RECORDS, LISTS_PARTITIONS };
CF_CHECK enum cf_rc backup_lists_begin(struct backup *b, enum backup_lists which, struct cf_err *e);
CF_CHECK enum cf_rc backup_lists_wait(struct backup *b, struct cf_err *e);
/* `meta`, manifest, its copy: the commit. */
CF_CHECK enum cf_rc backup_finish(struct backup *b, struct cf_err *e);
/* A blob_pull_fn over a slot's seal_writer. */
CF_CHECK enum cf_rc backup_pull(void *slot, void *buf, size_t cap, size_t *len, struct cf_err *e);

#endif
