/* Power cuts around the selector: whatever prefix of its write is on the medium, the old or the new
 * record rules, and nothing in between is taken for one. */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "support/keystore_bench.h"
#include "support/scratch.h"

static const uint8_t sides[STORE_SIDES] = { 1 };

struct fixture {
    struct keystore_bench b;
    struct store_live_options o;
    struct cf_buf before, after;
};

/* A directory as it is just before and just after a flip: both stores whole, both records kept. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store_stage *st = NULL;
    keystore_bench_open(&f->b);
    f->o = (struct store_live_options){ .dir = f->b.dir,
                                        .derive = keystore_bench_derive,
                                        .derive_arg = f->b.token };
    const char *path = scratch_path(f->b.dir, "selector");
    assert_int_equal(cf_file_read(path, 128, &f->before, NULL), CF_OK);
    assert_int_equal(store_live_stage(f->b.live, &st, NULL), CF_OK);
    assert_int_equal(store_live_switch(f->b.live, st, sides, NULL), CF_OK);
    assert_int_equal(cf_file_read(path, 128, &f->after, NULL), CF_OK);
    keystore_close(f->b.ks);
    store_live_close(f->b.live);
    f->b.ks = NULL;
    f->b.live = NULL;
    /* The store that a cut flip leaves behind is swept at start: keep a copy. */
    scratch_copy(scratch_path(f->b.dir, "keys-2.db"), scratch_path(f->b.dir, "second"));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cf_buf_clear(&f->before);
    cf_buf_clear(&f->after);
    keystore_bench_close(&f->b);
    free(f);
    return 0;
}

static void lay(struct fixture *f, const char *name, const struct cf_buf *b, size_t len)
{
    assert_int_equal(cf_file_write(scratch_path(f->b.dir, name), 0600, b->data, len, NULL), CF_OK);
}

/* Opens, and tells which store serves. */
static uint64_t live_number(struct fixture *f)
{
    struct cf_err err;
    struct store_live *l = NULL;
    struct store_selector sel;
    EXPECT_OK(store_live_open(&f->o, &l, &err));
    store_live_selector(l, &sel);
    store_live_close(l);
    return sel.number;
}

static void a_cut_while_writing_beside_leaves_the_old_store(void **state)
{
    struct fixture *f = *state;
    for (size_t len = 0; len <= f->after.len; len++) {
        lay(f, "selector", &f->before, f->before.len);
        lay(f, "selector.x1y2z3", &f->after, len);
        scratch_copy(scratch_path(f->b.dir, "second"), scratch_path(f->b.dir, "keys-2.db"));
        assert_int_equal(live_number(f), 1);
        assert_int_not_equal(access(scratch_path(f->b.dir, "selector.x1y2z3"), F_OK), 0);
        assert_int_not_equal(access(scratch_path(f->b.dir, "keys-2.db"), F_OK), 0);
    }
    lay(f, "selector", &f->after, f->after.len);
    scratch_copy(scratch_path(f->b.dir, "second"), scratch_path(f->b.dir, "keys-2.db"));
    assert_int_equal(live_number(f), 2);
}

static void a_torn_record_is_never_taken_for_one(void **state)
{
    struct fixture *f = *state;
    struct store_live *l = NULL;
    struct cf_err err;
    for (size_t cut = 0; cut <= f->after.len; cut++) {
        struct cf_buf mixed = { 0 };
        assert_int_equal(cf_buf_put(&mixed, f->after.data, cut, NULL), CF_OK);
        assert_int_equal(cf_buf_put(&mixed, f->before.data + cut, f->before.len - cut, NULL),
                         CF_OK);
        bool whole = memcmp(mixed.data, f->before.data, 128) == 0 ||
                     memcmp(mixed.data, f->after.data, 128) == 0;
        lay(f, "selector", &mixed, mixed.len);
        if (!whole)
            EXPECT_RC(CF_E_CORRUPT, store_live_open(&f->o, &l, &err));
        lay(f, "selector", &f->after, cut);
        if (cut < f->after.len)
            EXPECT_RC(CF_E_CORRUPT, store_live_open(&f->o, &l, &err));
        cf_buf_clear(&mixed);
    }
    for (size_t bit = 0; bit < 8 * f->after.len; bit += 5) {
        f->after.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        lay(f, "selector", &f->after, f->after.len);
        EXPECT_RC(CF_E_CORRUPT, store_live_open(&f->o, &l, &err));
        f->after.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_cut_while_writing_beside_leaves_the_old_store),
        CASE(a_torn_record_is_never_taken_for_one),
    };
    return cmocka_run_group_tests_name("selector_cut", tests, NULL, NULL);
}
