/*
 * The store: one transactional ordered table of rows in one encrypted file, every row under a tag
 * and all of them under a root (firmware/keystore/FORMAT.md, 3.2 and 6). The only code that speaks
 * SQL. Rights are types: a view can read and nothing else; a transaction can change.
 * Errors: CF_E_AUTH the file was changed behind our back or the key is another one: do not serve;
 * CF_E_CORRUPT not a file of ours; CF_E_IO disk full or failing, the transaction is rolled back.
 * Threads: a store may be used by any number; a view, cursor or transaction belongs to one.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/crypto.h"

#define STORE_KEY_MAX   255
#define STORE_VALUE_MAX 65536
#define STORE_BLOB_MAX  16384
#define STORE_LOG_MAX   ((uint64_t)1 << 30) /* bytes that commits may add while a view lasts */

/* The numbers stand in files: never renumber. The first five live in keys-<n>.db, which restore
 * replaces; those from STORE_PRINCIPAL on in appliance.db, which is never switched. */
enum store_table {
    STORE_KEY = 1,
    STORE_VERSION = 2,
    STORE_ASSIGNMENT = 3,
    STORE_ROLE = 4,
    STORE_SETTING = 5,
    STORE_PRINCIPAL = 17,
    STORE_JOB = 18,
    STORE_JOURNAL = 19, /* blocks and receipts of running jobs */
    STORE_STATE = 20,   /* the appliance's state, last backups, restore mode */
    STORE_DOMAIN = 21,
    STORE_RECEIPT = 22, /* of verified backups */
    STORE_COVER = 23,   /* what backups cover */
    STORE_REPORT = 24,  /* of the last plan and pruning */
    STORE_TABLE_MAX = 31,
};

struct store;
struct store_view; /* the whole content at one moment */
struct store_txn;  /* changes that happen all or not at all */
struct store_cursor;

/* The board's monotonic counter, which outlives every file (FORMAT.md 6.3). */
struct store_anchor {
    enum cf_rc (*read)(void *arg, uint64_t *out, struct cf_err *e);
    enum cf_rc (*step)(void *arg, struct cf_err *e);
    void *arg;
};

struct store_options {
    const char *path;
    const struct cf_secret *page_key;  /* 32 bytes; borrowed for the call */
    const struct cf_secret *row_key;   /* K_row, 32 bytes; copied into locked memory */
    const struct store_anchor *anchor; /* NULL: the board has none. Borrowed for the store's life */
    unsigned readers;                  /* views at one time; 0 = 8. One more waits */
    enum store_table last;             /* rows of tables behind it are refused; 0: none are */
    uint64_t log_max;                  /* STORE_LOG_MAX but in tests: 0 */
};

/* A row as read; zero-initialise, reuse from call to call, free with store_row_clear. */
struct store_row {
    struct cf_buf key;
    struct cf_buf value;
    struct cf_buf blob;
    uint64_t revision; /* 1 when new, + 1 at each change */
};
void store_row_clear(struct store_row *r);

/* Makes an empty store, lasting over a power cut. CF_E_STATE: the file is there already. */
CF_CHECK enum cf_rc store_create(const struct store_options *o, struct store **out,
                                 struct cf_err *e);

/* Opens and verifies: root, anchor, tag of every row, their number and sum; memory stays flat.
 * CF_E_ABSENT: no file. CF_E_AUTH: the text names the table that differs, or says "older". */
CF_CHECK enum cf_rc store_open(const struct store_options *o, struct store **out, struct cf_err *e);

/* Waits for open views and transactions, then closes; the log is folded into the file.
 * NULL is a no-op. */
void store_close(struct store *s);

/* --- reading --------------------------------------------------------------------------------- */

/* A snapshot; later commits do not show. Waits while all readers are out, so a thread holds one
 * view at a time. Ends with store_view_end. */
CF_CHECK enum cf_rc store_read(struct store *s, struct store_view **out, struct cf_err *e);
void store_view_end(struct store_view *v); /* NULL is a no-op */

/* A view holds the log, which then grows with every commit, on the medium that the commits need.
 * CF_E_STATE: since the view began it grew by more than STORE_LOG_MAX or than the room that is
 * left: whoever can begin anew ends the view. Cheap; for views that last. */
CF_CHECK enum cf_rc store_view_check(const struct store_view *v, struct cf_err *e);

/* Transactions committed up to this view: what backups call the change counter. */
uint64_t store_view_counter(const struct store_view *v);

/* One row, its tag verified. CF_E_ABSENT: no such key. `row` may be reused. */
CF_CHECK enum cf_rc store_get(struct store_view *v, enum store_table t, struct crypto_bytes key,
                              struct store_row *row, struct cf_err *e);

/* The greatest key that begins with `prefix`. CF_E_ABSENT: none does. */
CF_CHECK enum cf_rc store_get_last(struct store_view *v, enum store_table t,
                                   struct crypto_bytes prefix, struct store_row *row,
                                   struct cf_err *e);

/* Rows of a table; linear in their number. */
CF_CHECK enum cf_rc store_count(struct store_view *v, enum store_table t, uint64_t *out,
                                struct cf_err *e);

/* Which rows a cursor gives: those after a key (exclusive), among those that begin with a prefix;
 * a length of 0 lifts either bound. Borrowed for the call that opens the cursor. */
struct store_range {
    struct crypto_bytes after;
    struct crypto_bytes prefix;
};

/* Rows in ascending order of their keys' bytes. `r` may be NULL: the whole table. */
CF_CHECK enum cf_rc store_scan(struct store_view *v, enum store_table t,
                               const struct store_range *r, struct store_cursor **out,
                               struct cf_err *e);
/* The next row, verified; `*more` false: none is left and `row` is empty. */
CF_CHECK enum cf_rc store_next(struct store_cursor *c, struct store_row *row, bool *more,
                               struct cf_err *e);
void store_cursor_end(struct store_cursor *c); /* before its view ends; NULL is a no-op */

/* --- changing -------------------------------------------------------------------------------- */

/* Waits until no other transaction is open. Keep it short: never across a token or network call.
 * Ends with store_end. */
CF_CHECK enum cf_rc store_write(struct store *s, struct store_txn **out, struct cf_err *e);

/* The content with this transaction's own changes; borrowed, do not end it. */
struct store_view *store_txn_view(struct store_txn *t);

/* What a row is to hold. */
struct store_put {
    struct crypto_bytes key;   /* 1..STORE_KEY_MAX */
    struct crypto_bytes value; /* 1..STORE_VALUE_MAX */
    struct crypto_bytes blob;  /* 0..STORE_BLOB_MAX */
};

/* New row or new content of the one with that key. After any failure the transaction can only end.
 */
CF_CHECK enum cf_rc store_put(struct store_txn *t, enum store_table tbl, const struct store_put *p,
                              struct cf_err *e);

/* CF_E_ABSENT: no such row; the transaction goes on. */
CF_CHECK enum cf_rc store_del(struct store_txn *t, enum store_table tbl, struct crypto_bytes key,
                              struct cf_err *e);

/* Every row whose key begins with `prefix` (0 bytes: the whole table); none is fine. */
CF_CHECK enum cf_rc store_del_prefix(struct store_txn *t, enum store_table tbl,
                                     struct crypto_bytes prefix, struct cf_err *e);

/* This transaction may not be rolled back with the file later: its commit moves the anchor one on
 * and then steps the board's counter. For purge, disable, role removal, and hourly (wear). */
void store_step_anchor(struct store_txn *t);

/* CF_OK: on the medium, whatever happens next. Else nothing has changed. End it afterwards.
 * CF_E_IO with a stepped anchor: committed, but the board's counter did not step; the next open
 * does. */
CF_CHECK enum cf_rc store_commit(struct store_txn *t, struct cf_err *e);

/* Rolls back unless committed; frees. NULL is a no-op. */
void store_end(struct store_txn *t);

#endif
