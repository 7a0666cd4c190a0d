/* The only file with SQL text; every statement is prepared once a connection. */
#include "store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define BUSY_MS                                                                                    \
    10000 /* a checkpoint of another connection; our own writers queue in store_write              \
           */

#define COLUMNS "SELECT tbl, key, value, blob, revision, tag FROM row "

/* OR ROLLBACK: what may abort a statement alone makes SQLite journal, and so encrypt, each page
 * once more for every row. Nothing here fails but by a bug or a full disk, and then the whole goes.
 */
static const char *const text[STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN",
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_ROOT] = "SELECT value FROM root WHERE id = 0",
    [SQL_FIRST_ROOT] = "INSERT OR ROLLBACK INTO root (id, value) VALUES (0, ?1)",
    [SQL_SET_ROOT] = "UPDATE OR ROLLBACK root SET value = ?1 WHERE id = 0",
    [SQL_GET] = COLUMNS "WHERE tbl = ?1 AND key = ?2",
    [SQL_LAST] = COLUMNS "WHERE tbl = ?1 AND key >= ?2 AND key < ?3 ORDER BY key DESC LIMIT 1",
    [SQL_COUNT] = "SELECT count(*) FROM row WHERE tbl = ?1",
    [SQL_INSERT] = "INSERT OR ROLLBACK INTO row (tbl, key, value, blob, revision, tag) "
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_UPDATE] = "UPDATE OR ROLLBACK row SET value = ?3, blob = ?4, revision = ?5, tag = ?6 "
                   "WHERE tbl = ?1 AND key = ?2",
    [SQL_DEL] = "DELETE FROM row WHERE tbl = ?1 AND key = ?2",
    [SQL_ALL] = COLUMNS "ORDER BY tbl, key",
    [SQL_ALL_DOWN] = COLUMNS "ORDER BY tbl DESC, key DESC",
};

static const char cursor_text[] = COLUMNS "WHERE tbl = ?1 AND key >= ?2 AND key < ?3 ORDER BY key";

static const char schema[] =
    "CREATE TABLE row (tbl INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, "
    "blob BLOB NOT NULL, revision INTEGER NOT NULL, tag BLOB NOT NULL, "
    "PRIMARY KEY (tbl, key)) WITHOUT ROWID;"
    "CREATE TABLE root (id INTEGER PRIMARY KEY CHECK (id = 0), value BLOB NOT NULL);";

/* What SQLite's code means for the caller: the medium, or the bytes. SQLCipher reports a page whose
 * MAC is wrong as "not a database", a corrupt image, or a plain error, by where it was met. */
static enum cf_rc class_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_SCHEMA:
        return CF_E_AUTH;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return CF_E_ARG;
    case SQLITE_TOOBIG:
        return CF_E_LIMIT;
    default:
        return CF_E_IO;
    }
}

enum cf_rc conn_fail(struct conn *c, const char *doing, struct cf_err *e)
{
    int code = c->db ? sqlite3_extended_errcode(c->db) : SQLITE_NOMEM;
    return cf_err_set(e, class_of(code), CF_SRC_SQLITE, (uint64_t)(unsigned)code, CF_HERE,
                      "store: %s: %s", doing, sqlite3_errstr(code));
}

static enum cf_rc exec(struct conn *c, const char *sql, const char *doing, struct cf_err *e)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK ? CF_OK : conn_fail(c, doing, e);
}

enum cf_rc conn_statement(struct conn *c, enum statement which, sqlite3_stmt **out,
                          struct cf_err *e)
{
    if (!c->stmt[which] &&
        sqlite3_prepare_v2(c->db, text[which], -1, &c->stmt[which], NULL) != SQLITE_OK)
        return conn_fail(c, text[which], e);
    *out = c->stmt[which];
    sqlite3_reset(*out);
    return CF_OK;
}

enum cf_rc conn_run(struct conn *c, enum statement which, struct cf_err *e)
{
    sqlite3_stmt *st = NULL;
    enum cf_rc rc = conn_statement(c, which, &st, e);
    if (rc != CF_OK)
        return rc;
    if (sqlite3_step(st) != SQLITE_DONE)
        rc = conn_fail(c, text[which], e);
    sqlite3_reset(st);
    return rc;
}

enum cf_rc conn_root(struct conn *c, uint8_t out[ROOT_SIZE], struct cf_err *e)
{
    sqlite3_stmt *st = NULL;
    enum cf_rc rc = conn_statement(c, SQL_ROOT, &st, e);
    if (rc != CF_OK)
        return rc;
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW && sqlite3_column_bytes(st, 0) == ROOT_SIZE)
        memcpy(out, sqlite3_column_blob(st, 0), ROOT_SIZE);
    else if (step == SQLITE_ROW || step == SQLITE_DONE)
        rc = CF_FAIL(e, CF_E_AUTH, "the store has no root");
    else
        rc = conn_fail(c, "reading the root", e);
    sqlite3_reset(st);
    return rc;
}

enum cf_rc conn_cursor(struct conn *c, sqlite3_stmt **out, struct cf_err *e)
{
    if (c->cursor) {
        *out = c->cursor;
        c->cursor = NULL;
        return CF_OK;
    }
    return sqlite3_prepare_v2(c->db, cursor_text, -1, out, NULL) == SQLITE_OK
               ? CF_OK
               : conn_fail(c, cursor_text, e);
}

void conn_cursor_give(struct conn *c, sqlite3_stmt *st)
{
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    if (c->cursor)
        sqlite3_finalize(st);
    else
        c->cursor = st;
}

void bind_bytes(sqlite3_stmt *st, int at, struct crypto_bytes b)
{
    sqlite3_bind_blob(st, at, b.len ? b.p : "", (int)b.len, SQLITE_STATIC);
}

void conn_fold(struct conn *c)
{
    int code = sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        cf_log(CF_LOG_WARN, "store", "log-not-folded", "code=%d", code);
}

/* After each commit. SQLite's own rule would try at every commit once the log is long, and sort
 * all of it each time in vain while a view holds it. */
_Static_assert(FOLD_BYTES == FOLD_FRAMES * FRAME_BYTES, "a thousand frames");
static int log_grew(void *arg, sqlite3 *db, const char *name, int frames)
{
    struct store *s = arg;
    (void)db, (void)name;
    atomic_store_explicit(&s->log_bytes, (uint64_t)frames * FRAME_BYTES, memory_order_relaxed);
    if (frames < s->folded) /* it began anew */
        s->folded = 0;
    if (frames - s->folded >= FOLD_FRAMES) {
        s->folded = frames;
        conn_fold(s->writer);
    }
    return SQLITE_OK;
}

static enum cf_rc set_up(struct store *s, struct conn *c, bool fresh, struct cf_err *e)
{
    static const char pragmas[] = "PRAGMA cipher_page_size = " CF_STR(
        PAGE_BYTES) ";"
                    "PRAGMA temp_store = MEMORY;"
                    "PRAGMA cache_size = -2048;"
                    "PRAGMA synchronous = FULL;"
                    "PRAGMA journal_size_limit = " CF_STR(
                        FOLD_BYTES) ";"
                                    "PRAGMA secure_delete = ON;"; /* what is purged is gone */
    const void *literal = cf_secret_view(s->page_key);
    if (sqlite3_key(c->db, literal, (int)cf_secret_len(s->page_key)) != SQLITE_OK)
        return conn_fail(c, "setting the page key", e);
    enum cf_rc rc = exec(c, pragmas, "setting up", e);
    if (rc == CF_OK)
        rc = exec(c, "PRAGMA journal_mode = WAL;", "opening", e);
    if (rc == CF_OK && fresh)
        rc = exec(c, schema, "making the tables", e);
    return rc;
}

enum cf_rc conn_open(struct store *s, bool fresh, struct conn **out, struct cf_err *e)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a connection");
    enum cf_rc rc = CF_OK;
    /* No mutex inside SQLite: a connection belongs to one view or transaction at a time. */
    if (sqlite3_open_v2(s->path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        rc = conn_fail(c, "opening", e);
    if (rc == CF_OK) {
        sqlite3_extended_result_codes(c->db, 1);
        sqlite3_busy_timeout(c->db, BUSY_MS);
        sqlite3_wal_hook(c->db, log_grew, s); /* readers never commit */
        rc = set_up(s, c, fresh, e);
    }
    if (rc == CF_OK)
        rc = tagger_init(&c->tagger, s->row_key, e);
    if (rc == CF_OK)
        *out = c;
    else
        conn_close(c);
    return rc;
}

void conn_close(struct conn *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(c->stmt[i]);
    sqlite3_finalize(c->cursor);
    sqlite3_close_v2(c->db);
    tagger_clear(&c->tagger);
    free(c);
}
