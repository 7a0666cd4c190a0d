/* The log: how long a view may make it, and that it gets short again. */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/store.h"
#include "support/scratch.h"

#define MIB  ((uint64_t)1 << 20)
#define ROWS 16 /* a commit: a mebibyte */

struct fixture {
    char dir[64], path[80];
    struct cf_secret *key;
    struct store *s;
};

static void open_with(struct fixture *f, uint64_t log_max)
{
    const struct store_options o = {
        .path = f->path, .page_key = f->key, .row_key = f->key, .log_max = log_max
    };
    assert_int_equal(store_create(&o, &f->s, NULL), CF_OK);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    scratch_make(f->dir);
    snprintf(f->path, sizeof f->path, "%s/store.db", f->dir);
    uint8_t key[32] = { 1 };
    assert_int_equal(cf_secret_copy(key, sizeof key, &f->key, NULL), CF_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    cf_secret_free(f->key);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

static void write_mebibyte(struct fixture *f, unsigned number)
{
    static uint8_t value[STORE_VALUE_MAX];
    struct store_txn *t = NULL;
    assert_int_equal(store_write(f->s, &t, NULL), CF_OK);
    for (unsigned i = 0; i < ROWS; i++) {
        char key[32];
        snprintf(key, sizeof key, "%u/%u", number, i);
        struct store_put p = { .key = crypto_bytes_of(key, strlen(key)),
                               .value = crypto_bytes_of(value, sizeof value) };
        assert_int_equal(store_put(t, STORE_KEY, &p, NULL), CF_OK);
    }
    assert_int_equal(store_commit(t, NULL), CF_OK);
    store_end(t);
}

static uint64_t log_bytes(const struct fixture *f)
{
    char path[sizeof f->path + 8];
    struct stat st;
    snprintf(path, sizeof path, "%s-wal", f->path);
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

static void a_view_that_holds_too_long_a_log_is_told(void **state)
{
    struct fixture *f = *state;
    struct store_view *v = NULL, *later = NULL;
    struct cf_err err = { 0 };
    open_with(f, 4 * MIB);
    write_mebibyte(f, 0);
    assert_int_equal(store_read(f->s, &v, NULL), CF_OK);
    for (unsigned i = 1; i <= 3; i++)
        write_mebibyte(f, i);
    assert_int_equal(store_view_check(v, NULL), CF_OK);
    for (unsigned i = 4; i <= 5; i++)
        write_mebibyte(f, i);
    assert_int_equal(store_view_check(v, &err), CF_E_STATE);
    assert_int_equal(store_read(f->s, &later, NULL), CF_OK);
    assert_int_equal(store_view_check(later, NULL), CF_OK);
    store_view_end(later);
    store_view_end(v);
}

static void the_log_is_short_again_after_a_long_view(void **state)
{
    struct fixture *f = *state;
    struct store_view *v = NULL;
    uint64_t n = 0;
    open_with(f, 0);
    assert_int_equal(store_read(f->s, &v, NULL), CF_OK);
    for (unsigned i = 0; i < 80; i++)
        write_mebibyte(f, i);
    assert_true(log_bytes(f) > 80 * MIB);
    assert_int_equal(store_count(v, STORE_KEY, &n, NULL), CF_OK);
    assert_int_equal(n, 0); /* its moment is as it was */
    store_view_end(v);
    write_mebibyte(f, 80);
    assert_true(log_bytes(f) < 20 * MIB);
}

static void the_log_stays_short_without_views(void **state)
{
    struct fixture *f = *state;
    open_with(f, 0);
    for (unsigned i = 0; i < 60; i++)
        write_mebibyte(f, i);
    assert_true(log_bytes(f) < 20 * MIB);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_view_that_holds_too_long_a_log_is_told),
        CASE(the_log_is_short_again_after_a_long_view),
        CASE(the_log_stays_short_without_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
