/*
 * Keys as records of a backup (firmware/backup/FORMAT.md, 3.7), out of one snapshot and back in.
 * The way in is cut where time is spent: parse (strict, CPU), verify (a MAC a version, token),
 * check (a trial unwrap a version, token), then one put, without a token call, in a short
 * transaction. Threads: a snapshot or record belongs to one; several records may be worked on at
 * once.
 */
#ifndef KEYSTORE_EXPORT_H
#define KEYSTORE_EXPORT_H

#include "keystore/keystore.h"

/* --- out -----------------------------------------------------------------------------------------
 */

struct keystore_snapshot;

/* One moment of the whole store; policy rows are read from its view as well. Holds one reader. */
CF_CHECK enum cf_rc keystore_snapshot_open(struct keystore *ks, struct keystore_snapshot **out,
                                           struct cf_err *e);
/* Borrowed; tables STORE_ASSIGNMENT, STORE_ROLE, STORE_SETTING of the same moment. */
struct store_view *keystore_snapshot_view(struct keystore_snapshot *s);

/* Sets `record` to the CBOR of the next key with all versions (without length prefix), names
 * strictly ascending; `*more` false: that was all, `record` is empty.
 * CF_E_LIMIT: the record would pass 4 MiB (`name` in the error text). */
CF_CHECK enum cf_rc keystore_snapshot_next(struct keystore_snapshot *s, struct cf_buf *record,
                                           bool *more, struct cf_err *e);
/* What the records given so far hold. */
void keystore_snapshot_counts(const struct keystore_snapshot *s, struct keystore_counts *out);
void keystore_snapshot_close(struct keystore_snapshot *s); /* NULL is a no-op */

/* --- in ------------------------------------------------------------------------------------------
 */

struct keystore_record;

/* Parses as strictly as FORMAT.md says (CF_E_CORRUPT, CF_E_LIMIT; CF_E_DENIED: other domain, or a
 * generation that the keyring lacks; CF_E_AUTH: a blob that does not belong to its row). Copies. */
CF_CHECK enum cf_rc keystore_record_parse(struct keystore *ks, const void *cbor, size_t len,
                                          struct keystore_record **out, struct cf_err *e);
void keystore_record_free(struct keystore_record *r); /* NULL is a no-op */

const char *keystore_record_name(const struct keystore_record *r); /* lower case */
void keystore_record_counts(const struct keystore_record *r, struct keystore_counts *out);
/* The newest generation of the domain under which one of its blobs is wrapped. */
uint32_t keystore_record_generation(const struct keystore_record *r);

/* What lies between two states of one key, either of which may be NULL: it is not there. */
struct keystore_difference {
    uint64_t lost; /* versions of `now` that `then` lacks */
    uint64_t back; /* versions of `then` that `now` lacks */
    bool deleted_now, deleted_then;
    uint64_t created; /* of the key of `now`, Unix s */
};
void keystore_record_compare(const struct keystore_record *now, const struct keystore_record *then,
                             struct keystore_difference *out);

/* The MAC of each version's blob, by the token. CF_E_AUTH: one does not verify. Must have passed
 * before the record is put anywhere; putting one that was not verified is CF_E_ARG. */
CF_CHECK enum cf_rc keystore_record_verify(struct keystore *ks, struct keystore_record *r,
                                           struct cf_err *e);

/* Trial unwrap of each version (or of the current one alone), for those who sample. */
CF_CHECK enum cf_rc keystore_record_check(struct keystore *ks, const struct keystore_record *r,
                                          bool all_versions, struct cf_err *e);

/* The rows into a transaction of a stage. CF_E_STATE: the stage has that name already. */
CF_CHECK enum cf_rc keystore_record_put(const struct keystore_record *r, struct store_txn *txn,
                                        struct cf_err *e);

enum keystore_restored { KEYSTORE_RESTORED, KEYSTORE_NOT_OVERWRITTEN };

/* Selective restore: all versions into the live store or none. A live key of that name stays as it
 * is (CF_OK, KEYSTORE_NOT_OVERWRITTEN); a soft-deleted one: CF_E_STATE Conflict. A record that is
 * itself soft-deleted comes back deleted, with its dates. */
CF_CHECK enum cf_rc keystore_record_restore(struct keystore *ks, const struct keystore_record *r,
                                            enum keystore_restored *out, struct cf_err *e);

#endif
