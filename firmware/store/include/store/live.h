/*
 * The live keys-<n>.db behind its selector: who reads and writes keys goes through here, and
 * a restore builds the next file and flips one record (firmware/keystore/FORMAT.md, 3.4 and 6.4).
 * Before the flip the old state is untouched, after it the new one is whole.
 * Threads: any, but one stage at a time.
 */
#ifndef STORE_LIVE_H
#define STORE_LIVE_H

#include "store/store.h"

#define STORE_EPOCH_SIZE 16
#define STORE_SIDES      32 /* raw partitions in the board's table */

/* The record on the medium. */
struct store_selector {
    uint64_t flips;
    uint64_t number; /* n of the live keys-<n>.db */
    uint8_t epoch[STORE_EPOCH_SIZE];
    uint64_t former; /* the one before the last flip, kept for undo; 0 = none */
    uint8_t former_epoch[STORE_EPOCH_SIZE];
    uint8_t side[STORE_SIDES]; /* live side of each raw partition: 0 first, 1 twin */
};

/* Keys of one store file, made by the caller's token. */
struct store_keys {
    struct cf_secret *page; /* 32 bytes each; freed by the caller of the callback */
    struct cf_secret *row;
};

/* Gives the keys of the file with that epoch under the (newest - try)th generation of the domain;
 * a new file always takes try 0. CF_E_ABSENT: no generation is left to try. */
typedef enum cf_rc store_derive_fn(void *arg, const uint8_t epoch[STORE_EPOCH_SIZE], unsigned try_,
                                   struct store_keys *out, struct cf_err *e);

struct store_live_options {
    const char *dir; /* the keystore partition; copied */
    store_derive_fn *derive;
    void *derive_arg;                  /* borrowed for the store's life */
    const struct store_anchor *anchor; /* as in store_options; so are these */
    unsigned readers;
    uint64_t log_max;
};

struct store_live;

/* The first store of an appliance: keys-1.db, empty, and a selector that names it.
 * CF_E_STATE: there is a selector. */
CF_CHECK enum cf_rc store_live_create(const struct store_live_options *o, struct store_live **out,
                                      struct cf_err *e);

/* Opens what the selector names, verified; removes half-built stages and stores older than the
 * former one. CF_E_ABSENT: no selector, the appliance has no store yet. CF_E_CORRUPT: torn
 * selector. */
CF_CHECK enum cf_rc store_live_open(const struct store_live_options *o, struct store_live **out,
                                    struct cf_err *e);

/* Waits for open views and transactions. NULL is a no-op. */
void store_live_close(struct store_live *l);

/* As store_read and store_write on the live store; they wait while a switch is under way. */
CF_CHECK enum cf_rc store_live_read(struct store_live *l, struct store_view **out,
                                    struct cf_err *e);
CF_CHECK enum cf_rc store_live_write(struct store_live *l, struct store_txn **out,
                                     struct cf_err *e);

/* On: from now on store_live_write is refused (CF_E_STATE "Conflict", in the words of a restore),
 * and no transaction is open when this returns. What would be written between a restore's start and
 * its flip would be acknowledged and then gone. Off: as usual. Not kept over a restart. */
void store_live_hold(struct store_live *l, bool on);

void store_live_selector(struct store_live *l, struct store_selector *out);

/* --- the next store -------------------------------------------------------------------------- */

struct store_stage;

/* keys-<next>.db with a new epoch, empty. CF_E_STATE: another stage is open. */
CF_CHECK enum cf_rc store_live_stage(struct store_live *l, struct store_stage **out,
                                     struct cf_err *e);
/* The store being built: write it in transactions of some thousand rows. Borrowed. */
struct store *store_stage_store(struct store_stage *st);

/* Takes the stage in any case. Closes and reopens it (so all of it is verified), waits until no
 * view or transaction is open, closes the live store, writes the selector (the one commit point)
 * with `side`, and serves the new store. CF_OK: switched, lasting. Failure: the old store serves
 * as before and the stage is gone. The caller moves the board's anchor by its next transaction. */
CF_CHECK enum cf_rc store_live_switch(struct store_live *l, struct store_stage *st,
                                      const uint8_t side[STORE_SIDES], struct cf_err *e);

void store_stage_drop(struct store_stage *st); /* removes its file; NULL is a no-op */

/* Flips back to the former store, which becomes live as it was; what is live now becomes the former
 * one. CF_E_STATE: none is kept. */
CF_CHECK enum cf_rc store_live_undo(struct store_live *l, const uint8_t side[STORE_SIDES],
                                    struct cf_err *e);

#endif
