/*
 * Somebody who has the page key and not K_row edits the file between two runs: rows put back,
 * removed, swapped, added; the root of before; counters moved; and, without any key, pages flipped
 * or put back.
 */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#define SQLITE_HAS_CODEC 1
#include <sqlcipher/sqlite3.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "store/store.h"
#include "support/scratch.h"

#define PAGE 16384

struct fixture {
    char dir[64];
    char path[80];
    struct cf_secret *page, *row;
    struct store_options o;
};

static struct crypto_bytes text(const char *s)
{
    return crypto_bytes_of(s, strlen(s));
}

static void change(struct fixture *f, const char *key, const char *value)
{
    struct cf_err err;
    struct store *s = NULL;
    struct store_txn *t = NULL;
    EXPECT_OK(store_open(&f->o, &s, &err));
    EXPECT_OK(store_write(s, &t, &err));
    struct store_put p = { .key = text(key), .value = text(value ? value : ""), .blob = text(key) };
    if (value)
        EXPECT_OK(store_put(t, STORE_VERSION, &p, &err));
    else
        EXPECT_OK(store_del(t, STORE_VERSION, text(key), &err));
    EXPECT_OK(store_commit(t, &err));
    store_end(t);
    store_close(s);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    uint8_t a[32] = { 1 }, b[32] = { 2 };
    struct store *s = NULL;
    scratch_make(f->dir);
    snprintf(f->path, sizeof f->path, "%s/t.db", f->dir);
    assert_int_equal(cf_secret_copy(a, 32, &f->page, NULL), CF_OK);
    assert_int_equal(cf_secret_copy(b, 32, &f->row, NULL), CF_OK);
    f->o = (struct store_options){ .path = f->path, .page_key = f->page, .row_key = f->row };
    assert_int_equal(store_create(&f->o, &s, NULL), CF_OK);
    store_close(s);
    change(f, "alpha", "1");
    change(f, "bravo", "2");
    change(f, "charlie", "3");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cf_secret_free(f->page);
    cf_secret_free(f->row);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

/* Runs SQL on the closed file, with the page key. */
static void edit(struct fixture *f, const char *sql)
{
    sqlite3 *db = NULL;
    char key[68], *why = NULL;
    memcpy(key, "x'", 2);
    cf_hex(cf_secret_view(f->page), 32, key + 2);
    key[66] = '\'';
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_key(db, key, 67), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA cipher_page_size = 16384", NULL, NULL, &why),
                     SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}

static void expect_refused(struct fixture *f, const char *what)
{
    struct store *s = NULL;
    struct cf_err err = { 0 };
    enum cf_rc rc = store_open(&f->o, &s, &err);
    if (rc != CF_E_AUTH)
        fail_msg("%s: %s %s", what, cf_rc_name(rc), err.text);
    assert_null(s);
}

static void edits_of_rows_and_root_are_refused(void **state)
{
    static const char *const edits[] = {
        "DELETE FROM row WHERE key = x'627261766f'", /* bravo */
        "DELETE FROM row",
        "UPDATE row SET value = x'39' WHERE key = x'627261766f'",
        "UPDATE row SET blob = x'39' WHERE key = x'627261766f'",
        "UPDATE row SET revision = 7 WHERE key = x'627261766f'",
        "UPDATE row SET tbl = 3 WHERE key = x'627261766f'",
        "UPDATE row SET key = x'7a' WHERE key = x'627261766f'",
        "UPDATE row SET tag = randomblob(32) WHERE key = x'627261766f'",
        "UPDATE row SET tag = x'00' WHERE key = x'627261766f'",
        "UPDATE row SET tbl = 99",
        ("INSERT INTO row SELECT tbl, x'7a', value, blob, revision, tag FROM row "
         "WHERE key = x'627261766f'"),
        ("CREATE TEMP TABLE t AS SELECT * FROM row; UPDATE row SET "
         "value = (SELECT value FROM t WHERE key = x'616c706861'), "
         "blob = (SELECT blob FROM t WHERE key = x'616c706861'), "
         "tag = (SELECT tag FROM t WHERE key = x'616c706861') WHERE key = x'627261766f'"),
        "DELETE FROM root",
        "UPDATE root SET value = zeroblob(88)",
        "UPDATE root SET value = x'00'",
        "DROP TABLE row",
    };
    struct fixture *f = *state;
    const char *good = scratch_path(f->dir, "good");
    scratch_copy(f->path, good);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        edit(f, edits[i]);
        expect_refused(f, edits[i]);
        scratch_copy(good, f->path);
    }
    struct store *s = NULL;
    struct cf_err err;
    EXPECT_OK(store_open(&f->o, &s, &err));
    store_close(s);
}

/* ATTACHes the file of before and takes something out of it. */
static void take_from(struct fixture *f, const char *old, const char *sql)
{
    char hex[65], all[600];
    cf_hex(cf_secret_view(f->page), 32, hex);
    snprintf(all, sizeof all,
             "PRAGMA cipher_default_page_size = 16384; ATTACH '%s' AS old KEY \"x'%s'\"; %s", old,
             hex, sql);
    edit(f, all);
}

static void what_was_true_once_is_refused_later(void **state)
{
    static const char *const edits[] = {
        "REPLACE INTO row SELECT * FROM old.row WHERE key = x'627261766f'",
        "INSERT INTO row SELECT * FROM old.row WHERE key = x'616c706861'",
        "REPLACE INTO root SELECT * FROM old.root",
        ("REPLACE INTO root SELECT * FROM old.root; REPLACE INTO row SELECT * FROM old.row "
         "WHERE key = x'627261766f'"),
    };
    struct fixture *f = *state;
    char old[80], good[80];
    snprintf(old, sizeof old, "%s/old", f->dir);
    snprintf(good, sizeof good, "%s/good", f->dir);
    scratch_copy(f->path, old);
    change(f, "bravo", "changed");
    change(f, "alpha", NULL);
    scratch_copy(f->path, good);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        take_from(f, old, edits[i]);
        expect_refused(f, edits[i]);
        scratch_copy(good, f->path);
    }
    /* The whole file of before: only the board's counter could tell (unit/store). */
    scratch_copy(old, f->path);
    struct store *s = NULL;
    struct cf_err err;
    EXPECT_OK(store_open(&f->o, &s, &err));
    store_close(s);
}

/* Enough rows that two threads share them: what happens at the ends and where they meet. */
static void a_row_missing_or_extra_is_found_wherever_it_is(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct store *s = NULL;
    struct store_txn *t = NULL;
    char good[80], sql[200];
    snprintf(good, sizeof good, "%s/good", f->dir);
    EXPECT_OK(store_open(&f->o, &s, &err));
    EXPECT_OK(store_write(s, &t, &err));
    EXPECT_OK(store_del_prefix(t, STORE_VERSION, text(""), &err));
    for (unsigned i = 0; i < 3001; i++) {
        char key[16];
        snprintf(key, sizeof key, "%05u", i);
        struct store_put p = { .key = text(key), .value = text("v") };
        EXPECT_OK(store_put(t, i < 1000 ? STORE_KEY : STORE_VERSION, &p, &err));
    }
    EXPECT_OK(store_commit(t, &err));
    store_end(t);
    store_close(s);
    scratch_copy(f->path, good);
    static const unsigned places[] = { 0, 1, 1499, 1500, 1501, 1502, 2999, 3000 };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(sql, sizeof sql, "DELETE FROM row WHERE CAST(key AS TEXT) = '%05u'", places[i]);
        edit(f, sql);
        expect_refused(f, sql);
        scratch_copy(good, f->path);
        snprintf(sql, sizeof sql,
                 "INSERT INTO row SELECT tbl, CAST(key || 'x' AS BLOB), value, blob, revision, tag "
                 "FROM row WHERE CAST(key AS TEXT) = '%05u'",
                 places[i]);
        edit(f, sql);
        expect_refused(f, sql);
        scratch_copy(good, f->path);
        snprintf(sql, sizeof sql, "UPDATE row SET value = x'41' WHERE CAST(key AS TEXT) = '%05u'",
                 places[i]);
        edit(f, sql);
        expect_refused(f, sql);
        scratch_copy(good, f->path);
    }
    EXPECT_OK(store_open(&f->o, &s, &err));
    store_close(s);
}

static void a_row_changed_under_an_open_store_is_noticed_at_use(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct store *s = NULL;
    struct store_view *v = NULL;
    struct store_txn *t = NULL;
    struct store_row row = { 0 };
    EXPECT_OK(store_open(&f->o, &s, &err));
    edit(f, "UPDATE row SET value = x'39' WHERE key = x'627261766f'");
    EXPECT_OK(store_read(s, &v, &err));
    EXPECT_RC(CF_E_AUTH, store_get(v, STORE_VERSION, text("bravo"), &row, &err));
    EXPECT_OK(store_get(v, STORE_VERSION, text("alpha"), &row, &err));
    store_view_end(v);
    edit(f, "UPDATE root SET value = randomblob(88)");
    EXPECT_RC(CF_E_AUTH, store_write(s, &t, &err));
    EXPECT_RC(CF_E_AUTH, store_read(s, &v, &err));
    store_row_clear(&row);
    store_close(s);
}

static void a_flip_anywhere_in_the_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct cf_buf b = { 0 };
    struct store *s = NULL;
    assert_int_equal(cf_file_read(f->path, 1 << 20, &b, NULL), CF_OK);
    assert_int_equal(b.len % PAGE, 0);
    for (size_t at = 0; at < b.len; at += 509) {
        b.data[at] ^= 0x20;
        assert_int_equal(cf_file_write(f->path, 0600, b.data, b.len, NULL), CF_OK);
        expect_refused(f, "a flipped bit");
        b.data[at] ^= 0x20;
    }
    assert_int_equal(cf_file_write(f->path, 0600, b.data, b.len, NULL), CF_OK);
    assert_int_equal(store_open(&f->o, &s, NULL), CF_OK);
    store_close(s);
    cf_buf_clear(&b);
}

static void pages_of_before_are_refused_one_by_one(void **state)
{
    struct fixture *f = *state;
    struct cf_buf old = { 0 }, now = { 0 };
    assert_int_equal(cf_file_read(f->path, 1 << 20, &old, NULL), CF_OK);
    change(f, "bravo", "changed");
    assert_int_equal(cf_file_read(f->path, 1 << 20, &now, NULL), CF_OK);
    assert_int_equal(old.len, now.len);
    for (size_t at = PAGE; at < now.len; at += PAGE) { /* page 1 holds the schema, unchanged */
        uint8_t keep[PAGE];
        if (memcmp(old.data + at, now.data + at, PAGE) == 0)
            continue;
        memcpy(keep, now.data + at, PAGE);
        memcpy(now.data + at, old.data + at, PAGE);
        assert_int_equal(cf_file_write(f->path, 0600, now.data, now.len, NULL), CF_OK);
        expect_refused(f, "a page of before");
        memcpy(now.data + at, keep, PAGE);
    }
    cf_buf_clear(&old);
    cf_buf_clear(&now);
}

static void a_cut_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct cf_buf b = { 0 };
    assert_int_equal(cf_file_read(f->path, 1 << 20, &b, NULL), CF_OK);
    for (size_t len = 0; len < b.len; len += PAGE / 4) {
        assert_int_equal(cf_file_write(f->path, 0600, b.data, len, NULL), CF_OK);
        expect_refused(f, "a cut file");
    }
    cf_buf_clear(&b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(edits_of_rows_and_root_are_refused),
        CASE(what_was_true_once_is_refused_later),
        CASE(a_row_missing_or_extra_is_found_wherever_it_is),
        CASE(a_row_changed_under_an_open_store_is_noticed_at_use),
        CASE(a_flip_anywhere_in_the_file_is_refused),
        CASE(pages_of_before_are_refused_one_by_one),
        CASE(a_cut_file_is_refused),
    };
    return cmocka_run_group_tests_name("store_tamper", tests, NULL, NULL);
}
