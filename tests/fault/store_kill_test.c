/* kill -9 while a child writes, switches stores or makes keys: what it said was done is there. */
#include "support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keystore/keystore.h"
#include "support/fake_token.h"
#include "support/keystore_bench.h"
#include "support/scratch.h"

#define ROUNDS 25

static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };

/* Runs `work` in a child that reports numbers through a pipe, and kills it after some time and at
 * least one report. The last number reported is returned. */
static unsigned killed_during(void (*work)(struct keystore_bench *b, int out), const char *dir,
                              long after_us)
{
    int p[2];
    unsigned last = 0, got;
    assert_int_equal(pipe(p), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct keystore_bench b;
        close(p[0]);
        keystore_bench_open_at(&b, dir);
        work(&b, p[1]);
        _exit(0);
    }
    close(p[1]);
    assert_int_equal(read(p[0], &last, sizeof last), sizeof last);
    nanosleep(&(struct timespec){ .tv_nsec = after_us * 1000 }, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(p[0], &got, sizeof got) == (ssize_t)sizeof got)
        last = got;
    close(p[0]);
    return last;
}

static void say(int out, unsigned n)
{
    if (write(out, &n, sizeof n) != (ssize_t)sizeof n)
        _exit(1);
}

static void make_keys(struct keystore_bench *b, int out)
{
    struct keystore_counts n;
    if (keystore_count(b->ks, &n, NULL) != CF_OK)
        _exit(1);
    for (unsigned i = (unsigned)n.keys; i < n.keys + 10000; i++) {
        char name[32];
        snprintf(name, sizeof name, "key-%u", i);
        if (keystore_bench_make(b, name, &aes, NULL, NULL) != CF_OK)
            _exit(1);
        say(out, i);
    }
}

static void acknowledged_keys_survive_kill_9(void **state)
{
    (void)state;
    char dir[64];
    scratch_make(dir);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned last = killed_during(make_keys, dir, (round * 7919L) % 30000);
        struct keystore_bench b;
        struct cf_err err;
        keystore_bench_open_at(&b, dir); /* verifies every row */
        for (unsigned i = 0; i <= last; i++) {
            char name[32];
            struct keystore_bundle k = { 0 };
            snprintf(name, sizeof name, "key-%u", i);
            EXPECT_OK(keystore_get(b.ks, name, NULL, &k, &err));
            keystore_bundle_clear(&k);
        }
        struct keystore_counts n;
        EXPECT_OK(keystore_count(b.ks, &n, &err));
        assert_in_range(n.keys, last + 1, last + 2); /* the last one may not have been told */
        assert_int_equal(n.keys, n.versions);
        keystore_bench_close(&b);
    }
    scratch_remove(dir);
}

/* Stores whose one setting is their own number, one after the other. */
static void keep_switching(struct keystore_bench *b, int out)
{
    static const uint8_t sides[STORE_SIDES];
    struct store_selector sel;
    for (;;) {
        struct store_stage *st = NULL;
        struct store_txn *t = NULL;
        store_live_selector(b->live, &sel);
        unsigned n = (unsigned)sel.flips + 1;
        struct store_put p = { .key = { "n", 1 }, .value = { &n, sizeof n } };
        if (store_live_stage(b->live, &st, NULL) != CF_OK ||
            store_write(store_stage_store(st), &t, NULL) != CF_OK ||
            store_put(t, STORE_SETTING, &p, NULL) != CF_OK || store_commit(t, NULL) != CF_OK)
            _exit(1);
        store_end(t);
        if (store_live_switch(b->live, st, sides, NULL) != CF_OK)
            _exit(1);
        say(out, n);
    }
}

static void a_switch_cut_anywhere_leaves_one_whole_store(void **state)
{
    (void)state;
    char dir[64];
    scratch_make(dir);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned last = killed_during(keep_switching, dir, (round * 7919L) % 40000), n = 0;
        struct keystore_bench b;
        struct cf_err err;
        struct store_selector sel;
        struct store_view *v = NULL;
        struct store_row row = { 0 };
        struct crypto_bytes key = { "n", 1 };
        keystore_bench_open_at(&b, dir);
        store_live_selector(b.live, &sel);
        EXPECT_OK(store_live_read(b.live, &v, &err));
        EXPECT_OK(store_get(v, STORE_SETTING, key, &row, &err));
        assert_int_equal(row.value.len, sizeof n);
        memcpy(&n, row.value.data, sizeof n);
        assert_int_equal(n, sel.flips);
        assert_in_range(n, last, last + 1);
        store_view_end(v);
        store_row_clear(&row);
        keystore_bench_close(&b);
    }
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_keys_survive_kill_9),
        cmocka_unit_test(a_switch_cut_anywhere_leaves_one_whole_store),
    };
    return cmocka_run_group_tests_name("store_kill", tests, NULL, NULL);
}
