/* Backup and restore of a whole appliance, in this process, on a directory as storage. */
#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "support/fake_token.h"
#include "support/run_bench.h"

static const struct run_bench_options small = { .partitions = 2, .bytes = 50000,
                                                .run = { .chunk_log2 = 12, .record_block = 16384,
                                                         .attempts = 3, .threads = 2,
                                                         .connections = 4 } };

static int set_up_with(void **state, const struct run_bench_options *o)
{
    struct run_bench *b = calloc(1, sizeof *b);
    run_bench_open(b, o);
    run_bench_fill(b);
    *state = b;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, &small);
}

static int tear_down(void **state)
{
    run_bench_close(*state);
    free(*state);
    return 0;
}

static void expect_state(struct jobs_record *r, enum jobs_state want)
{
    if (r->state != want)
        print_message("job: %s: %s (%s)\n", jobs_state_name(r->state), r->error, r->error_code);
    assert_int_equal(r->state, want);
}

static void spoil(struct run_bench *b)
{
    struct cf_err err;
    EXPECT_OK(keystore_delete(b->kb.ks, "alpha", NULL, &err));
    EXPECT_OK(keystore_purge(b->kb.ks, "alpha", &err));
    EXPECT_OK(keystore_recover(b->kb.ks, "delta", NULL, &err));
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };
    EXPECT_OK(keystore_bench_make(&b->kb, "later", &aes, NULL, &err));
    int fd = open(run_bench_part(b, 0), O_WRONLY);
    assert_int_equal(pwrite(fd, "spoilt", 6, 20000), 6);
    close(fd);
}

static void a_full_restore_brings_everything_back_and_takes_later_things_away(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    uint8_t before[32], after[32];
    run_bench_state(b, before);
    run_bench_backup(b, &r);
    expect_state(&r, JOBS_SUCCEEDED);
    assert_string_equal(r.folder, "mhsm-bench-20231114221320");
    assert_true(r.bytes > 50000);
    spoil(b);
    run_bench_state(b, after);
    assert_memory_not_equal(before, after, 32);
    char folder[JOBS_FOLDER_SIZE];
    memcpy(folder, r.folder, sizeof folder);
    run_bench_restore(b, folder, &r);
    expect_state(&r, JOBS_SUCCEEDED);
    assert_false(jobs_restore_mode(b->jobs));
    run_bench_state(b, after);
    assert_memory_equal(before, after, 32);
    run_bench_restart(b);
    run_bench_state(b, after);
    assert_memory_equal(before, after, 32);
    run_bench_restore(b, folder, &r); /* and again, from the other side */
    expect_state(&r, JOBS_SUCCEEDED);
    run_bench_state(b, after);
    assert_memory_equal(before, after, 32);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_full_restore_brings_everything_back_and_takes_later_things_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
