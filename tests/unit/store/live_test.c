/* The live store: first creation, the switch and its way back, and who may be inside meanwhile. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/live.h"
#include "support/scratch.h"

struct fixture {
    char dir[64];
    unsigned generations; /* that the pretended token knows */
    uint8_t newest;
    uint64_t counter;
    struct store_anchor anchor;
    struct store_live_options o;
    struct store_live *l;
    struct store_live *read_meanwhile; /* when keys are derived, as others do at that time */
};

static enum cf_rc derive(void *arg, const uint8_t epoch[STORE_EPOCH_SIZE], unsigned attempt,
                         struct store_keys *out, struct cf_err *e)
{
    struct fixture *f = arg;
    uint8_t key[32] = { 0 };
    struct store_view *v = NULL;
    if (f->read_meanwhile)
        assert_int_equal(store_live_read(f->read_meanwhile, &v, NULL), CF_OK);
    store_view_end(v);
    if (attempt >= f->generations)
        return CF_FAIL(e, CF_E_ABSENT, "no older generation");
    memcpy(key, epoch, STORE_EPOCH_SIZE);
    key[30] = (uint8_t)(f->newest - attempt);
    key[31] = 'p';
    enum cf_rc rc = cf_secret_copy(key, 32, &out->page, e);
    key[31] = 'r';
    return rc == CF_OK ? cf_secret_copy(key, 32, &out->row, e) : rc;
}

static enum cf_rc count_read(void *arg, uint64_t *out, struct cf_err *e)
{
    (void)e;
    *out = *(uint64_t *)arg;
    return CF_OK;
}

static enum cf_rc count_step(void *arg, struct cf_err *e)
{
    (void)e;
    ++*(uint64_t *)arg;
    return CF_OK;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    scratch_make(f->dir);
    f->generations = 1;
    f->newest = 7;
    f->anchor = (struct store_anchor){ .read = count_read, .step = count_step, .arg = &f->counter };
    f->o = (struct store_live_options){
        .dir = f->dir, .derive = derive, .derive_arg = f, .anchor = &f->anchor
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_live_close(f->l);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

static void put_into(struct store_txn *t, const char *value)
{
    struct store_put p = { .key = { "k", 1 }, .value = { value, strlen(value) } };
    assert_int_equal(store_put(t, STORE_KEY, &p, NULL), CF_OK);
    assert_int_equal(store_commit(t, NULL), CF_OK);
    store_end(t);
}

static void set(struct fixture *f, const char *value)
{
    struct store_txn *t = NULL;
    assert_int_equal(store_live_write(f->l, &t, NULL), CF_OK);
    put_into(t, value);
}

static void expect_row(struct fixture *f, const char *want)
{
    struct store_view *v = NULL;
    struct store_row row = { 0 };
    struct crypto_bytes k = { "k", 1 };
    assert_int_equal(store_live_read(f->l, &v, NULL), CF_OK);
    assert_int_equal(store_get(v, STORE_KEY, k, &row, NULL), CF_OK);
    assert_int_equal(row.value.len, strlen(want));
    assert_memory_equal(row.value.data, want, row.value.len);
    store_row_clear(&row);
    store_view_end(v);
}

static void reopen(struct fixture *f)
{
    struct cf_err err;
    store_live_close(f->l);
    f->l = NULL;
    EXPECT_OK(store_live_open(&f->o, &f->l, &err));
}

static void create(struct fixture *f)
{
    struct cf_err err;
    EXPECT_OK(store_live_create(&f->o, &f->l, &err));
}

static struct store_stage *stage_with(struct fixture *f, const char *value)
{
    struct store_stage *st = NULL;
    struct store_txn *t = NULL;
    struct cf_err err;
    EXPECT_OK(store_live_stage(f->l, &st, &err));
    assert_int_equal(store_write(store_stage_store(st), &t, NULL), CF_OK);
    put_into(t, value);
    return st;
}

static bool there(struct fixture *f, const char *name)
{
    return access(scratch_path(f->dir, name), F_OK) == 0;
}

static const uint8_t sides[STORE_SIDES] = { 1, 0, 1 }, no_sides[STORE_SIDES];

static void an_appliance_without_a_store_says_so_and_creates_one_once(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    EXPECT_RC(CF_E_ABSENT, store_live_open(&f->o, &f->l, &err));
    create(f);
    struct store_live *second = NULL;
    EXPECT_RC(CF_E_STATE, store_live_create(&f->o, &second, &err));
    set(f, "one");
    reopen(f);
    expect_row(f, "one");
}

static void a_switch_serves_the_new_store_and_keeps_the_old_for_undo(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct store_selector sel;
    create(f);
    set(f, "old");
    struct store_stage *st = stage_with(f, "new"), *other = NULL;
    EXPECT_RC(CF_E_STATE, store_live_stage(f->l, &other, &err));
    set(f, "old, changed meanwhile");
    EXPECT_OK(store_live_switch(f->l, st, sides, &err));
    expect_row(f, "new");
    reopen(f);
    expect_row(f, "new");
    store_live_selector(f->l, &sel);
    assert_int_equal(sel.number, 2);
    assert_int_equal(sel.former, 1);
    assert_int_equal(sel.flips, 1);
    assert_memory_equal(sel.side, sides, sizeof sides);
    EXPECT_OK(store_live_undo(f->l, no_sides, &err));
    expect_row(f, "old, changed meanwhile");
    reopen(f);
    expect_row(f, "old, changed meanwhile");
    EXPECT_OK(store_live_undo(f->l, sides, &err));
    expect_row(f, "new");
}

/* Checking the former store takes as long as it has keys; nobody waits for that. */
static void an_undo_is_read_from_while_it_opens_the_former_store(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    create(f);
    set(f, "old");
    EXPECT_OK(store_live_switch(f->l, stage_with(f, "new"), sides, &err));
    f->read_meanwhile = f->l;
    EXPECT_OK(store_live_undo(f->l, no_sides, &err));
    f->read_meanwhile = NULL;
    expect_row(f, "old");
}

static void the_third_store_drops_the_first(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    create(f);
    EXPECT_RC(CF_E_STATE, store_live_undo(f->l, sides, &err));
    EXPECT_OK(store_live_switch(f->l, stage_with(f, "two"), sides, &err));
    EXPECT_OK(store_live_switch(f->l, stage_with(f, "three"), sides, &err));
    assert_false(there(f, "keys-1.db"));
    assert_true(there(f, "keys-2.db"));
    expect_row(f, "three");
}

static void a_dropped_or_half_built_stage_leaves_no_file(void **state)
{
    struct fixture *f = *state;
    create(f);
    set(f, "one");
    store_stage_drop(stage_with(f, "never"));
    assert_false(there(f, "keys-2.db"));
    scratch_copy(scratch_path(f->dir, "keys-1.db"), scratch_path(f->dir, "keys-2.db"));
    scratch_copy(scratch_path(f->dir, "keys-1.db"), scratch_path(f->dir, "keys-2.db-wal"));
    scratch_copy(scratch_path(f->dir, "selector"), scratch_path(f->dir, "selector.a1b2c3"));
    reopen(f);
    assert_false(there(f, "keys-2.db"));
    assert_false(there(f, "keys-2.db-wal"));
    assert_false(there(f, "selector.a1b2c3"));
    expect_row(f, "one");
}

static void a_store_of_the_generation_before_still_opens(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    create(f);
    set(f, "of generation 7");
    store_live_close(f->l);
    f->l = NULL;
    f->newest = 8;
    EXPECT_RC(CF_E_AUTH, store_live_open(&f->o, &f->l, &err));
    f->generations = 2;
    EXPECT_OK(store_live_open(&f->o, &f->l, &err));
    expect_row(f, "of generation 7");
}

static void a_missing_file_is_not_taken_for_a_fresh_appliance(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    create(f);
    store_live_close(f->l);
    f->l = NULL;
    unlink(scratch_path(f->dir, "keys-1.db"));
    EXPECT_RC(CF_E_CORRUPT, store_live_open(&f->o, &f->l, &err));
}

static void the_former_store_put_back_in_place_of_the_live_one_is_refused(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    create(f);
    set(f, "old");
    EXPECT_OK(store_live_switch(f->l, stage_with(f, "new"), sides, &err));
    store_live_close(f->l);
    f->l = NULL;
    scratch_copy(scratch_path(f->dir, "keys-1.db"), scratch_path(f->dir, "keys-2.db"));
    EXPECT_RC(CF_E_AUTH, store_live_open(&f->o, &f->l, &err));
}

static void a_held_store_is_read_but_takes_no_writes_until_it_is_let_go(void **state)
{
    struct fixture *f = *state;
    struct store_txn *t = NULL;
    struct cf_err err;
    create(f);
    set(f, "old");
    store_live_hold(f->l, true);
    EXPECT_RC(CF_E_STATE, store_live_write(f->l, &t, &err));
    assert_string_equal(err.code, "Conflict");
    expect_row(f, "old");
    EXPECT_OK(store_live_switch(f->l, stage_with(f, "new"), sides, &err));
    EXPECT_RC(CF_E_STATE, store_live_write(f->l, &t, &err));
    store_live_hold(f->l, false);
    set(f, "newer");
    expect_row(f, "newer");
}

static void *hold_it(void *arg)
{
    struct fixture *f = arg;
    store_live_hold(f->l, true);
    return NULL;
}

static void a_hold_waits_for_the_transaction_that_is_open(void **state)
{
    struct fixture *f = *state;
    struct store_txn *t = NULL, *more = NULL;
    pthread_t thread;
    create(f);
    assert_int_equal(store_live_write(f->l, &t, NULL), CF_OK);
    pthread_create(&thread, NULL, hold_it, f);
    put_into(t, "mine"); /* succeeds on either side of the hold's beginning */
    pthread_join(thread, NULL);
    assert_int_equal(store_live_write(f->l, &more, NULL), CF_E_STATE);
    expect_row(f, "mine");
}

struct reader {
    struct fixture *f;
    atomic_bool stop;
    atomic_uint old_seen, new_seen, wrong;
};

static void *keep_reading(void *arg)
{
    struct reader *r = arg;
    while (!atomic_load(&r->stop)) {
        struct store_view *v = NULL;
        struct store_row row = { 0 };
        struct crypto_bytes k = { "k", 1 };
        if (store_live_read(r->f->l, &v, NULL) != CF_OK ||
            store_get(v, STORE_KEY, k, &row, NULL) != CF_OK)
            atomic_fetch_add(&r->wrong, 1);
        else if (row.value.data[0] == 'o')
            atomic_fetch_add(&r->old_seen, 1);
        else
            atomic_fetch_add(&r->new_seen, 1);
        store_row_clear(&row);
        store_view_end(v);
    }
    return NULL;
}

static void readers_wait_out_a_switch_and_miss_nothing(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct reader r = { .f = f };
    pthread_t thread[3];
    create(f);
    set(f, "old");
    for (size_t i = 0; i < 3; i++)
        pthread_create(&thread[i], NULL, keep_reading, &r);
    while (!atomic_load(&r.old_seen))
        sched_yield();
    EXPECT_OK(store_live_switch(f->l, stage_with(f, "new"), sides, &err));
    while (!atomic_load(&r.new_seen))
        sched_yield();
    atomic_store(&r.stop, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(atomic_load(&r.wrong), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_appliance_without_a_store_says_so_and_creates_one_once),
        CASE(a_switch_serves_the_new_store_and_keeps_the_old_for_undo),
        CASE(an_undo_is_read_from_while_it_opens_the_former_store),
        CASE(the_third_store_drops_the_first),
        CASE(a_dropped_or_half_built_stage_leaves_no_file),
        CASE(a_store_of_the_generation_before_still_opens),
        CASE(a_missing_file_is_not_taken_for_a_fresh_appliance),
        CASE(the_former_store_put_back_in_place_of_the_live_one_is_refused),
        CASE(a_held_store_is_read_but_takes_no_writes_until_it_is_let_go),
        CASE(a_hold_waits_for_the_transaction_that_is_open),
        CASE(readers_wait_out_a_switch_and_miss_nothing),
    };
    return cmocka_run_group_tests_name("store_live", tests, NULL, NULL);
}
