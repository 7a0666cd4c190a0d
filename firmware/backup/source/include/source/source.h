/*
 * Stage 1: consistent bytes to back up. A partition is read in place and must not change between
 * first and last block; keys and policy come out of one snapshot of the store.
 * Threads: source_raw_reader from any number of threads; records belong to one.
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "flow/flow.h"
#include "hal/partition.h"
#include "keystore/export.h"

/* --- a raw partition ---------------------------------------------------------------------------
 */

struct source_raw {
    struct hal_partition *partition; /* borrowed */
    const char *name;                /* borrowed; for messages */
    uint64_t changes;                /* before the first block */
};

/* Notes the change counter. */
CF_CHECK enum cf_rc source_raw_begin(struct source_raw *s, struct hal_partition *p,
                                     const char *name, struct cf_err *e);
/* `place` of a read is the partition's offset. */
struct flow_reader source_raw_reader(struct source_raw *s);
/* After the last block. CF_E_STATE: somebody wrote meanwhile; the text names the partition. */
CF_CHECK enum cf_rc source_raw_end(const struct source_raw *s, struct cf_err *e);

/* --- records ------------------------------------------------------------------------------------
 */

struct source_records;
struct source_counts {
    struct keystore_counts keys;
    uint64_t assignments;
    uint64_t store_changes; /* change counter of the store in this snapshot */
};

/* One moment of keys and policy. */
CF_CHECK enum cf_rc source_records_open(struct keystore *ks, struct source_records **out,
                                        struct cf_err *e);
void source_records_close(struct source_records *s); /* NULL is a no-op */

/* The next record of that kind (FLOW_KEYS, FLOW_POLICY; keys first) replaces `record`, in ascending
 * order of names. *more false: none is left. */
CF_CHECK enum cf_rc source_records_next(struct source_records *s, enum flow_kind kind,
                                        struct cf_buf *record, bool *more, struct cf_err *e);
/* CF_E_STATE: the moment cannot be held any longer, too much is written meanwhile. Cheap; whoever
 * waits with records open asks now and then. */
CF_CHECK enum cf_rc source_records_check(const struct source_records *s, struct cf_err *e);
/* What was given so far. */
void source_records_counts(const struct source_records *s, struct source_counts *out);

#endif
