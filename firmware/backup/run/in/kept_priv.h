/*
 * What the last switch of stores left behind, so that it can be undone: file `restore.kept` of the
 * config partition. Private to run.
 *
 *   "CFKEEP01" | u8 count 0..2 | count records | SHA-256 of all before
 *   record: le64 flips | le64 time, Unix s | le64 store's change counter | u8 was an undo |
 *           32 sides | 32 x le64 change counters of the partitions' sides left, and 32 x of those
 *           made live | 32 digest of the partitions' table | 33 job id | 513 folder, both padded
 * with zeroes
 *
 * A record holds for the selector with its number of flips and for no other. Before a switch the
 * next one is written beside the one that holds: whichever side of the flip a power cut falls on,
 * the right one is found.
 */
#ifndef RUN_KEPT_PRIV_H
#define RUN_KEPT_PRIV_H

#include "jobs/jobs.h"
#include "store/live.h"

#define KEPT_UNKNOWN UINT64_MAX /* of a counter: the power went before it could be noted */

struct job;
struct run;

struct kept {
    uint64_t flips;
    int64_t at_s;
    uint64_t counter;              /* of the store that the switch made live, then */
    bool undo;                     /* the switch was an undo, so undoing it is a redo */
    uint8_t side[STORE_SIDES];     /* live sides before the switch */
    uint64_t left[STORE_SIDES];    /* change counters of these: they must be so at the undo */
    uint64_t changes[STORE_SIDES]; /* of the sides that the switch made live, then */
    uint8_t table[32];             /* names of the partitions, in order */
    char job[JOBS_ID_SIZE];        /* that switched */
    char folder[JOBS_FOLDER_SIZE]; /* of the backup restored */
};

/* The record of the selector with so many flips. CF_E_ABSENT: there is none. */
CF_CHECK enum cf_rc kept_read(const char *dir, uint64_t flips, struct kept *out, struct cf_err *e);
/* Durable. `now` NULL: none holds now. */
CF_CHECK enum cf_rc kept_write(const char *dir, const struct kept *now, const struct kept *next,
                               struct cf_err *e);
/* Durable: nothing can be undone any more. */
CF_CHECK enum cf_rc kept_drop(const char *dir, struct cf_err *e);

/* --- switching, and the way back --- */

/* Changes of the live store so far; KEPT_UNKNOWN where it cannot be read. */
uint64_t undo_store_counter(struct run *r);
/* Right before a switch: notes what it will leave behind, so that undo finds it. Sets all of `next`
 * but `undo` and `folder`. */
CF_CHECK enum cf_rc undo_before_flip(struct job *j, const struct store_selector *sel,
                                     struct kept *next, struct cf_err *e);
/* Right after it: what an undo would lose is counted from here. A failure is logged. */
void undo_after_flip(struct job *j, struct kept *next);
/* The selector has been flipped: partitions and roles follow it. */
CF_CHECK enum cf_rc run_switched(struct job *j, struct kept *next, struct cf_err *e);

#endif
