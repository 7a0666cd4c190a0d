/*
 * Inside the store: one connection, the tags, the root. Only this folder's files include it.
 */
#ifndef STORE_PRIV_H
#define STORE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#define SQLITE_HAS_CODEC 1 /* declares sqlite3_key */
#include <sqlcipher/sqlite3.h>

#include "crypto/crypto.h"
#include "store/store.h"

#define TAG_SIZE  32
#define ROOT_SIZE 88 /* FORMAT.md 3.2 */

/* FORMAT.md 5: rows of RSA keys stay on their page, which makes start-up read half as much. */
#define PAGE_BYTES 16384

#define READERS_DEFAULT 8

/* The log: frames of a page and its head. It is folded into the file each time it has grown by so
 * many, and its file is cut to that size when it begins anew. */
#define FRAME_BYTES (PAGE_BYTES + 24)
#define FOLD_FRAMES 1000
#define FOLD_BYTES  16408000 /* of FRAME_BYTES; a number, since a pragma takes its text */

struct root {
    uint64_t counter;
    uint64_t anchor;
    uint64_t rows;
    uint8_t x[TAG_SIZE]; /* XOR of all row tags, unmasked */
};

/* Computes under K_row. Belongs to one thread at a time. */
struct tagger {
    struct crypto_mac *mac;
    struct crypto_hash *hash;
};

CF_CHECK enum cf_rc tagger_init(struct tagger *t, const struct cf_secret *row_key,
                                struct cf_err *e);
void tagger_clear(struct tagger *t);

/* What a tag covers. */
struct tagged {
    enum store_table table;
    uint64_t revision;
    struct store_put c;
};
CF_CHECK enum cf_rc tag_row(struct tagger *t, const struct tagged *row, uint8_t out[TAG_SIZE],
                            struct cf_err *e);
void tag_xor(uint8_t x[TAG_SIZE], const uint8_t tag[TAG_SIZE]);

CF_CHECK enum cf_rc root_seal(struct tagger *t, const struct cf_secret *row_key,
                              const struct root *r, uint8_t out[ROOT_SIZE], struct cf_err *e);
/* CF_E_AUTH: the MAC differs. */
CF_CHECK enum cf_rc root_open(struct tagger *t, const struct cf_secret *row_key,
                              const uint8_t in[ROOT_SIZE], struct root *out, struct cf_err *e);

enum statement {
    SQL_BEGIN,
    SQL_BEGIN_WRITE,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_ROOT,
    SQL_FIRST_ROOT,
    SQL_SET_ROOT,
    SQL_GET,
    SQL_LAST,
    SQL_COUNT,
    SQL_INSERT,
    SQL_UPDATE,
    SQL_DEL,
    SQL_ALL,
    SQL_ALL_DOWN,
    STATEMENTS,
};

struct conn {
    sqlite3 *db;
    sqlite3_stmt *stmt[STATEMENTS]; /* made at first use */
    sqlite3_stmt *cursor;           /* an idle one, or NULL */
    struct tagger tagger;
    struct conn *next; /* in the pool of idle readers */
};

struct store {
    char *path;
    struct cf_secret *page_key; /* the literal that opens the pages, as more readers come */
    struct cf_secret *row_key;
    const struct store_anchor *anchor;
    unsigned readers;
    enum store_table last;
    struct conn *writer;
    int folded; /* length of the log, in frames, when it was last folded; the writer's */
    uint64_t log_max;
    _Atomic uint64_t log_bytes; /* as the last commit left it */

    pthread_mutex_t lock;
    pthread_cond_t given_back;
    struct {
        struct conn *idle;
        unsigned made; /* readers that exist */
        bool writing;
        unsigned out;     /* views and transactions */
        struct root root; /* as last committed */
        uint8_t root_bytes[ROOT_SIZE];
    } locked;
};

/* Called when the view or transaction has ended. */
struct hold {
    void (*ended)(void *arg);
    void *arg;
};

struct store_view {
    struct store *s;
    struct conn *c;
    uint64_t counter;
    uint64_t log_at; /* length of the log when it began */
    struct hold hold;
};

struct store_txn {
    struct store_view view;
    struct root root;
    bool step_anchor;
    bool adopt_anchor; /* moves the anchor ahead, another step follows elsewhere */
    bool broken;       /* a change failed half way: may only end */
    bool committed;
};

struct store_cursor {
    struct store_view *v;
    sqlite3_stmt *stmt;
};

/* --- sql.c ------------------------------------------------------------------------------------ */

CF_CHECK enum cf_rc conn_open(struct store *s, bool fresh, struct conn **out, struct cf_err *e);
void conn_close(struct conn *c);
/* Records what SQLite says, in its class. */
enum cf_rc conn_fail(struct conn *c, const char *doing, struct cf_err *e);
CF_CHECK enum cf_rc conn_statement(struct conn *c, enum statement which, sqlite3_stmt **out,
                                   struct cf_err *e);
CF_CHECK enum cf_rc conn_run(struct conn *c, enum statement which, struct cf_err *e);
/* The root row's bytes. CF_E_AUTH: not there or of another size. */
CF_CHECK enum cf_rc conn_root(struct conn *c, uint8_t out[ROOT_SIZE], struct cf_err *e);
/* Folds what no view needs any more into the file; a failure is met again by the next try. */
void conn_fold(struct conn *c);
/* A cursor's statement; the connection keeps one ready, since most views have one cursor. */
CF_CHECK enum cf_rc conn_cursor(struct conn *c, sqlite3_stmt **out, struct cf_err *e);
void conn_cursor_give(struct conn *c, sqlite3_stmt *st);
void bind_bytes(sqlite3_stmt *st, int at, struct crypto_bytes b);

/* --- row.c: columns tbl, key, value, blob, revision, tag of the current row ------------------- */

/* The row, its sizes and tag verified. Borrowed until the statement moves. */
CF_CHECK enum cf_rc row_verified(struct conn *c, sqlite3_stmt *st, struct tagged *out,
                                 struct cf_err *e);
/* As SQLite orders blobs: by bytes, the shorter one first. Negative: a comes before b. */
int key_order(struct crypto_bytes a, struct crypto_bytes b);
CF_CHECK enum cf_rc row_copy(const struct tagged *from, struct store_row *to, struct cf_err *e);

/* --- verify.c: reads everything; fills `s->locked.root`. ----------------------------------------
 */

CF_CHECK enum cf_rc store_verify(struct store *s, struct cf_err *e);

/* --- for live.c
 * ----------------------------------------------------------------------------------- */

/* Opens without looking at the anchor: a former store, about to be made live again. */
CF_CHECK enum cf_rc store_open_former(const struct store_options *o, struct store **out,
                                      struct cf_err *e);
/* One transaction that moves the anchor to the board's counter + 1, which the caller steps next. */
CF_CHECK enum cf_rc store_adopt_anchor(struct store *s, struct cf_err *e);
void store_view_on_end(struct store_view *v, struct hold h);
void store_txn_on_end(struct store_txn *t, struct hold h);

#endif
