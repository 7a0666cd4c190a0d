/* The store by itself: order, snapshots, rollback, revisions, anchor, and what it refuses to open.
 */
#include "support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"
#include "support/scratch.h"

struct board {
    uint64_t counter;
    bool jammed;
};

struct fixture {
    char dir[64];
    char path[80];
    struct cf_secret *page, *row;
    struct board board;
    struct store_anchor anchor;
    struct store_options o;
    struct store *s;
    struct cf_err err;
};

static enum cf_rc board_read(void *arg, uint64_t *out, struct cf_err *e)
{
    (void)e;
    *out = ((struct board *)arg)->counter;
    return CF_OK;
}

static enum cf_rc board_step(void *arg, struct cf_err *e)
{
    struct board *b = arg;
    if (b->jammed)
        return CF_FAIL(e, CF_E_IO, "the counter is jammed");
    b->counter++;
    return CF_OK;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    uint8_t a[32] = { 1 }, b[32] = { 2 };
    scratch_make(f->dir);
    snprintf(f->path, sizeof f->path, "%s/t.db", f->dir);
    assert_int_equal(cf_secret_copy(a, 32, &f->page, NULL), CF_OK);
    assert_int_equal(cf_secret_copy(b, 32, &f->row, NULL), CF_OK);
    f->anchor = (struct store_anchor){ .read = board_read, .step = board_step, .arg = &f->board };
    f->o = (struct store_options){
        .path = f->path, .page_key = f->page, .row_key = f->row, .anchor = &f->anchor
    };
    assert_int_equal(store_create(&f->o, &f->s, NULL), CF_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    cf_secret_free(f->page);
    cf_secret_free(f->row);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

static struct crypto_bytes text(const char *s)
{
    return crypto_bytes_of(s, strlen(s));
}

static enum cf_rc put(struct store_txn *t, enum store_table tbl, const char *key, const char *value,
                      struct cf_err *e)
{
    struct store_put p = { .key = text(key), .value = text(value), .blob = text("blob") };
    return store_put(t, tbl, &p, e);
}

/* One transaction with one row. */
static void set(struct fixture *f, enum store_table tbl, const char *key, const char *value)
{
    struct store_txn *t = NULL;
    assert_int_equal(store_write(f->s, &t, NULL), CF_OK);
    assert_int_equal(put(t, tbl, key, value, NULL), CF_OK);
    assert_int_equal(store_commit(t, NULL), CF_OK);
    store_end(t);
}

/* The value of a row in a new view, compared with `want`; NULL wants it absent. */
static void expect_row(struct fixture *f, const char *key, const char *want)
{
    struct store_view *v = NULL;
    struct store_row row = { 0 };
    assert_int_equal(store_read(f->s, &v, NULL), CF_OK);
    enum cf_rc rc = store_get(v, STORE_KEY, text(key), &row, NULL);
    assert_int_equal(rc, want ? CF_OK : CF_E_ABSENT);
    if (want) {
        assert_int_equal(row.value.len, strlen(want));
        assert_memory_equal(row.value.data, want, row.value.len);
    }
    store_row_clear(&row);
    store_view_end(v);
}

static void reopen(struct fixture *f, enum cf_rc want)
{
    store_close(f->s);
    f->s = NULL;
    struct cf_err err;
    EXPECT_RC(want, store_open(&f->o, &f->s, &err));
}

static void what_was_committed_is_there_after_reopening(void **state)
{
    struct fixture *f = *state;
    set(f, STORE_KEY, "alpha", "1");
    set(f, STORE_KEY, "alpha", "2");
    set(f, STORE_KEY, "beta", "3");
    reopen(f, CF_OK);
    expect_row(f, "alpha", "2");
    expect_row(f, "beta", "3");
    expect_row(f, "gamma", NULL);
}

static void a_transaction_that_ends_without_commit_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_txn *t = NULL;
    set(f, STORE_KEY, "alpha", "1");
    assert_int_equal(store_write(f->s, &t, NULL), CF_OK);
    assert_int_equal(put(t, STORE_KEY, "alpha", "2", NULL), CF_OK);
    assert_int_equal(put(t, STORE_KEY, "beta", "2", NULL), CF_OK);
    assert_int_equal(store_del(t, STORE_KEY, text("alpha"), NULL), CF_OK);
    store_end(t);
    expect_row(f, "alpha", "1");
    expect_row(f, "beta", NULL);
    set(f, STORE_KEY, "beta", "3"); /* the sum of the tags is not confused */
    reopen(f, CF_OK);
    expect_row(f, "alpha", "1");
}

static void a_view_keeps_its_moment(void **state)
{
    struct fixture *f = *state;
    struct store_view *v = NULL;
    struct store_row row = { 0 };
    uint64_t n = 0;
    set(f, STORE_KEY, "alpha", "1");
    assert_int_equal(store_read(f->s, &v, NULL), CF_OK);
    uint64_t counter = store_view_counter(v);
    set(f, STORE_KEY, "alpha", "2");
    set(f, STORE_KEY, "beta", "2");
    assert_int_equal(store_get(v, STORE_KEY, text("alpha"), &row, NULL), CF_OK);
    assert_memory_equal(row.value.data, "1", 1);
    assert_int_equal(row.revision, 1);
    assert_int_equal(store_count(v, STORE_KEY, &n, NULL), CF_OK);
    assert_int_equal(n, 1);
    store_view_end(v);
    assert_int_equal(store_read(f->s, &v, NULL), CF_OK);
    assert_int_equal(store_view_counter(v), counter + 2);
    assert_int_equal(store_get(v, STORE_KEY, text("alpha"), &row, NULL), CF_OK);
    assert_int_equal(row.revision, 2);
    store_view_end(v);
    store_row_clear(&row);
}

/* Keys of a cursor joined by commas. */
static void walk(struct store_view *v, const struct store_range *r, char *out, size_t size)
{
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    bool more = true;
    out[0] = 0;
    assert_int_equal(store_scan(v, STORE_KEY, r, &c, NULL), CF_OK);
    while (true) {
        assert_int_equal(store_next(c, &row, &more, NULL), CF_OK);
        if (!more)
            break;
        size_t n = strlen(out);
        snprintf(out + n, size - n, "%.*s,", (int)row.key.len, (char *)row.key.data);
    }
    store_row_clear(&row);
    store_cursor_end(c);
}

static void cursors_walk_in_order_between_their_bounds(void **state)
{
    static const struct {
        const char *after, *prefix, *want;
    } cases[] = {
        { "", "", "a,aa,ab,b,ba,\xff,\xff\xff," },
        { "a", "", "aa,ab,b,ba,\xff,\xff\xff," },
        { "", "a", "a,aa,ab," },
        { "aa", "a", "ab," },
        { "b", "a", "" },
        { "0", "b", "b,ba," },
        { "\xff", "\xff", "\xff\xff," },
        { "zz", "", "\xff,\xff\xff," },
    };
    struct fixture *f = *state;
    static const char *const keys[] = { "ba", "a", "\xff\xff", "ab", "b", "\xff", "aa" };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        set(f, STORE_KEY, keys[i], "v");
    set(f, STORE_VERSION, "other-table", "v");
    struct store_view *v = NULL;
    assert_int_equal(store_read(f->s, &v, NULL), CF_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store_range r = { .after = text(cases[i].after), .prefix = text(cases[i].prefix) };
        char got[200];
        walk(v, &r, got, sizeof got);
        assert_string_equal(got, cases[i].want);
    }
    store_view_end(v);
}

static void the_last_row_of_a_prefix_is_found(void **state)
{
    struct fixture *f = *state;
    struct store_view *v = NULL;
    struct store_row row = { 0 };
    set(f, STORE_KEY, "k/1", "1");
    set(f, STORE_KEY, "k/3", "3");
    set(f, STORE_KEY, "k/2", "2");
    set(f, STORE_KEY, "k0", "not it");
    assert_int_equal(store_read(f->s, &v, NULL), CF_OK);
    assert_int_equal(store_get_last(v, STORE_KEY, text("k/"), &row, NULL), CF_OK);
    assert_memory_equal(row.value.data, "3", 1);
    assert_int_equal(store_get_last(v, STORE_KEY, text("j"), &row, NULL), CF_E_ABSENT);
    store_view_end(v);
    store_row_clear(&row);
}

static void a_prefix_is_deleted_whole_and_nothing_beside_it(void **state)
{
    struct fixture *f = *state;
    struct store_txn *t = NULL;
    uint64_t n = 0;
    set(f, STORE_KEY, "k/1", "1");
    set(f, STORE_KEY, "k/2", "2");
    set(f, STORE_KEY, "k0", "3");
    assert_int_equal(store_write(f->s, &t, NULL), CF_OK);
    assert_int_equal(store_del(t, STORE_KEY, text("none"), NULL), CF_E_ABSENT);
    assert_int_equal(store_del_prefix(t, STORE_KEY, text("k/"), NULL), CF_OK);
    assert_int_equal(store_count(store_txn_view(t), STORE_KEY, &n, NULL), CF_OK);
    assert_int_equal(n, 1);
    assert_int_equal(store_commit(t, NULL), CF_OK);
    store_end(t);
    reopen(f, CF_OK);
    expect_row(f, "k0", "3");
}

static void sizes_outside_the_limits_are_refused(void **state)
{
    struct fixture *f = *state;
    static uint8_t big[STORE_VALUE_MAX + 1];
    const struct store_put bad[] = {
        { .key = { big, 0 }, .value = { big, 1 } },
        { .key = { big, STORE_KEY_MAX + 1 }, .value = { big, 1 } },
        { .key = { big, 1 }, .value = { big, 0 } },
        { .key = { big, 1 }, .value = { big, STORE_VALUE_MAX + 1 } },
        { .key = { big, 1 }, .value = { big, 1 }, .blob = { big, STORE_BLOB_MAX + 1 } },
    };
    struct store_put largest = { { big, STORE_KEY_MAX },
                                 { big, STORE_VALUE_MAX },
                                 { big, STORE_BLOB_MAX } };
    struct store_txn *t = NULL;
    assert_int_equal(store_write(f->s, &t, NULL), CF_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(store_put(t, STORE_KEY, &bad[i], NULL), CF_E_ARG);
    assert_int_equal(store_put(t, STORE_KEY, &largest, NULL), CF_OK);
    assert_int_equal(store_commit(t, NULL), CF_OK);
    assert_int_equal(store_commit(t, NULL), CF_E_ARG);
    store_end(t);
    reopen(f, CF_OK);
}

static void another_key_does_not_open_the_store(void **state)
{
    struct fixture *f = *state;
    set(f, STORE_KEY, "alpha", "1");
    store_close(f->s);
    f->s = NULL;
    struct cf_err err;
    struct store_options o = f->o;
    o.page_key = f->row;
    EXPECT_RC(CF_E_AUTH, store_open(&o, &f->s, &err));
    o = f->o;
    o.row_key = f->page;
    EXPECT_RC(CF_E_AUTH, store_open(&o, &f->s, &err));
    EXPECT_OK(store_open(&f->o, &f->s, &err));
    EXPECT_RC(CF_E_STATE, store_create(&f->o, &f->s, &err));
    o.path = "/tmp/coffer-test-that-is-not-there";
    EXPECT_RC(CF_E_ABSENT, store_open(&o, &f->s, &err));
}

static void commit_stepped(struct fixture *f, enum cf_rc want)
{
    struct store_txn *t = NULL;
    assert_int_equal(store_write(f->s, &t, NULL), CF_OK);
    assert_int_equal(put(t, STORE_KEY, "alpha", "1", NULL), CF_OK);
    store_step_anchor(t);
    assert_int_equal(store_commit(t, NULL), want);
    store_end(t);
}

static void a_stepped_anchor_refuses_the_older_file(void **state)
{
    struct fixture *f = *state;
    const char *old = scratch_path(f->dir, "old");
    set(f, STORE_KEY, "alpha", "0");
    reopen(f, CF_OK);
    store_close(f->s);
    scratch_copy(f->path, old);
    assert_int_equal(store_open(&f->o, &f->s, NULL), CF_OK);
    commit_stepped(f, CF_OK);
    assert_int_equal(f->board.counter, 1);
    reopen(f, CF_OK);
    store_close(f->s);
    f->s = NULL;
    scratch_copy(old, f->path);
    struct cf_err err;
    EXPECT_RC(CF_E_AUTH, store_open(&f->o, &f->s, &err));
    assert_non_null(strstr(err.text, "older"));
}

static void a_crash_between_commit_and_step_is_made_good_at_the_next_open(void **state)
{
    struct fixture *f = *state;
    f->board.jammed = true;
    commit_stepped(f, CF_E_IO);
    f->board.jammed = false;
    assert_int_equal(f->board.counter, 0);
    reopen(f, CF_OK);
    assert_int_equal(f->board.counter, 1);
    f->board.counter = 3;
    reopen(f, CF_E_AUTH);
    f->board.counter = 0; /* one behind the store: accepted, and stepped */
    assert_int_equal(store_open(&f->o, &f->s, NULL), CF_OK);
}

static void nothing_of_a_row_is_readable_in_the_files(void **state)
{
    struct fixture *f = *state;
    set(f, STORE_KEY, "a-telling-key-name", "a telling value");
    assert_true(scratch_lacks(f->dir, "telling", 7)); /* with the log still beside the file */
    assert_true(scratch_lacks(f->dir, "CREATE TABLE", 12));
    reopen(f, CF_OK);
    assert_true(scratch_lacks(f->dir, "telling", 7));
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

struct worker {
    struct fixture *f;
    unsigned id;
    bool failed;
};

static void *write_some(void *arg)
{
    struct worker *w = arg;
    for (unsigned i = 0; i < 25; i++) {
        struct store_txn *t = NULL;
        char key[32];
        snprintf(key, sizeof key, "key-%u-%u", w->id, i);
        if (store_write(w->f->s, &t, NULL) != CF_OK || put(t, STORE_KEY, key, "v", NULL) != CF_OK ||
            store_commit(t, NULL) != CF_OK)
            w->failed = true;
        store_end(t);
    }
    return NULL;
}

static void *read_some(void *arg)
{
    struct worker *w = arg;
    uint64_t last = 0;
    for (unsigned i = 0; i < 100; i++) {
        struct store_view *v = NULL;
        uint64_t n = 0;
        if (store_read(w->f->s, &v, NULL) != CF_OK ||
            store_count(v, STORE_KEY, &n, NULL) != CF_OK || n < last || n != store_view_counter(v))
            w->failed = true;
        last = n;
        store_view_end(v);
    }
    return NULL;
}

static void many_threads_read_and_write_at_once(void **state)
{
    struct fixture *f = *state;
    struct worker w[14];
    pthread_t thread[14];
    for (unsigned i = 0; i < 14; i++) {
        w[i] = (struct worker){ .f = f, .id = i };
        pthread_create(&thread[i], NULL, i < 4 ? write_some : read_some, &w[i]);
    }
    for (unsigned i = 0; i < 14; i++) {
        pthread_join(thread[i], NULL);
        assert_false(w[i].failed);
    }
    reopen(f, CF_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_committed_is_there_after_reopening),
        CASE(a_transaction_that_ends_without_commit_leaves_nothing),
        CASE(a_view_keeps_its_moment),
        CASE(cursors_walk_in_order_between_their_bounds),
        CASE(the_last_row_of_a_prefix_is_found),
        CASE(a_prefix_is_deleted_whole_and_nothing_beside_it),
        CASE(sizes_outside_the_limits_are_refused),
        CASE(another_key_does_not_open_the_store),
        CASE(a_stepped_anchor_refuses_the_older_file),
        CASE(a_crash_between_commit_and_step_is_made_good_at_the_next_open),
        CASE(nothing_of_a_row_is_readable_in_the_files),
        CASE(many_threads_read_and_write_at_once),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
