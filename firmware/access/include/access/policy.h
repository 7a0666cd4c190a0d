/*
 * The policy stream of a backup: role assignments, role definitions and settings as records
 * (backup/FORMAT.md 3.8), in ascending order of their key texts.
 * Threads: an export or a staging transaction belongs to one thread at a time.
 */
#ifndef ACCESS_POLICY_H
#define ACCESS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct store_txn;
struct store_view;
struct access_export;

/* Walks the rows that `snapshot` (borrowed until access_export_free) sees. */
CF_CHECK enum cf_rc access_export_new(struct store_view *snapshot, struct access_export **out,
                                      struct cf_err *e);

/* Appends the CBOR of the next record to `record`, or appends nothing and sets `done`.
 * CF_E_CORRUPT: a row does not fit its page. */
CF_CHECK enum cf_rc access_export_next(struct access_export *x, struct cf_buf *record, bool *done,
                                       struct cf_err *e);

/* Role assignments given so far: the manifest counts them. */
uint64_t access_export_assignments(const struct access_export *x);

void access_export_free(struct access_export *x); /* NULL is a no-op */

#define ACCESS_RECORD_KEY_SIZE 256

/* Checks one record as strictly as the page demands, without storing it, and gives its key text
 * (key 1) for the check of order. CF_E_CORRUPT: it does not fit. */
CF_CHECK enum cf_rc access_policy_check(const void *record, size_t len,
                                        char key[ACCESS_RECORD_KEY_SIZE], struct cf_err *e);

/* The record in words for an operator: "ROLE for PRINCIPAL at SCOPE", a role's name, a setting's. A
 * role that is not built in stands by its id. UTF-8, cut to fit. */
#define ACCESS_WORDS_SIZE 256
CF_CHECK enum cf_rc access_policy_words(const void *record, size_t len, char out[ACCESS_WORDS_SIZE],
                                        struct cf_err *e);

/* The same check, and puts the row into the caller's write transaction of a store being built. */
CF_CHECK enum cf_rc access_policy_put(struct store_txn *staging, const void *record, size_t len,
                                      struct cf_err *e);

#endif
