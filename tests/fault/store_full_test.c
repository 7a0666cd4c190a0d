/* A file that may grow no more, as a full medium has it: the transaction fails, nothing has
 * changed, and the store goes on when there is room again. */
#include "support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store/store.h"
#include "support/scratch.h"

static void limit_files(rlim_t bytes)
{
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = bytes < r.rlim_max ? bytes : r.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static enum cf_rc put_many(struct store *s, unsigned first, struct cf_err *e)
{
    static const uint8_t blob[STORE_BLOB_MAX];
    struct store_txn *t = NULL;
    enum cf_rc rc = store_write(s, &t, e);
    for (unsigned i = 0; rc == CF_OK && i < 20; i++) {
        unsigned key = first + i;
        struct store_put p = { .key = { &key, sizeof key },
                               .value = { "v", 1 },
                               .blob = { blob, sizeof blob } };
        rc = store_put(t, STORE_VERSION, &p, e);
    }
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    return rc;
}

static uint64_t rows(struct store *s)
{
    struct store_view *v = NULL;
    uint64_t n = 0;
    assert_int_equal(store_read(s, &v, NULL), CF_OK);
    assert_int_equal(store_count(v, STORE_VERSION, &n, NULL), CF_OK);
    store_view_end(v);
    return n;
}

static void a_full_medium_fails_the_transaction_and_nothing_else(void **state)
{
    (void)state;
    char dir[64];
    struct cf_err err;
    struct store *s = NULL;
    struct cf_secret *page = NULL, *row = NULL;
    uint8_t a[32] = { 1 }, b[32] = { 2 };
    scratch_make(dir);
    EXPECT_OK(cf_secret_copy(a, 32, &page, &err));
    EXPECT_OK(cf_secret_copy(b, 32, &row, &err));
    struct store_options o = { .path = scratch_path(dir, "t.db"),
                               .page_key = page,
                               .row_key = row };
    signal(SIGXFSZ, SIG_IGN);
    EXPECT_OK(store_create(&o, &s, &err));
    EXPECT_OK(put_many(s, 0, &err));
    unsigned refused = 0;
    for (rlim_t room = 16384; room <= 2 << 20; room += 3 * 16384) {
        uint64_t before = rows(s);
        limit_files(room);
        enum cf_rc rc = put_many(s, 1000 + refused * 20, NULL);
        limit_files(RLIM_INFINITY);
        assert_true(rc == CF_OK || rc == CF_E_IO);
        assert_int_equal(rows(s), before + (rc == CF_OK ? 20 : 0));
        if (rc == CF_OK)
            break;
        refused++;
    }
    assert_in_range(refused, 3, 1000);
    EXPECT_OK(put_many(s, 100000, &err));
    uint64_t n = rows(s);
    store_close(s);
    s = NULL;
    EXPECT_OK(store_open(&o, &s, &err));
    assert_int_equal(rows(s), n);
    store_close(s);
    cf_secret_free(page);
    cf_secret_free(row);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_medium_fails_the_transaction_and_nothing_else),
    };
    return cmocka_run_group_tests_name("store_full", tests, NULL, NULL);
}
