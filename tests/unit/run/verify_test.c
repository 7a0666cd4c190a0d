/* Backups read back and proven, in this process, on a directory as storage. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "support/run_bench.h"

static const struct run_bench_options small = { .partitions = 2,
                                                .bytes = 50000,
                                                .run = { .chunk_log2 = 12,
                                                         .record_block = 16384,
                                                         .attempts = 3,
                                                         .threads = 2,
                                                         .connections = 4 } };

static int set_up(void **state)
{
    struct run_bench *b = calloc(1, sizeof *b);
    run_bench_open(b, &small);
    run_bench_fill(b);
    *state = b;
    return 0;
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

static void expect_unproven(struct jobs_record *r)
{
    expect_state(r, JOBS_FAILED);
    assert_string_equal(r->error_code, "BackupNotAuthentic");
    assert_non_null(strstr(r->error, "does not verify"));
}

/* A new backup; its folder. */
static void make_backup(struct run_bench *b, char folder[JOBS_FOLDER_SIZE], uint64_t *wire)
{
    struct jobs_record r;
    run_bench_backup(b, &r);
    expect_state(&r, JOBS_SUCCEEDED);
    memcpy(folder, r.folder, JOBS_FOLDER_SIZE);
    *wire = r.bytes;
}

static void flip(struct run_bench *b, const char *folder, const char *name, long at)
{
    uint8_t c;
    int fd = open(run_bench_blob(b, folder, name), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static void a_verify_opens_every_key_and_changes_nothing(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    uint8_t before[32], after[32];
    char folder[JOBS_FOLDER_SIZE];
    uint64_t wire;
    make_backup(b, folder, &wire);
    EXPECT_OK(keystore_delete(b->kb.ks, "alpha", NULL, &err)); /* what is here does not matter */
    run_bench_state(b, before);
    run_bench_verify(b, folder, &r);
    expect_state(&r, JOBS_SUCCEEDED);
    assert_int_equal(r.kind, JOBS_VERIFY);
    assert_true(r.bytes > wire - 16384 && r.bytes <= wire);
    assert_non_null(strstr(r.details, "each one opened in the token"));
    assert_false(jobs_restore_mode(b->jobs));
    flip(b, folder, "s3.0", 4000);
    run_bench_verify(b, folder, &r);
    expect_unproven(&r);
    run_bench_state(b, after);
    assert_memory_equal(before, after, 32);
}

static void a_verify_needs_no_partition_of_that_name_but_says_so(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    char folder[JOBS_FOLDER_SIZE];
    uint64_t wire;
    make_backup(b, folder, &wire);
    snprintf(b->names[1], sizeof b->names[1], "other");
    run_bench_verify(b, folder, &r);
    expect_state(&r, JOBS_SUCCEEDED);
    assert_non_null(strstr(r.warning, "partition part1 of the backup does not exist"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_verify_opens_every_key_and_changes_nothing),
        T(a_verify_needs_no_partition_of_that_name_but_says_so),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
