/* Backups read back and proven, in this process, on a directory as storage. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "jobs/receipts.h"
#include "support/run_expect.h"

static void expect_unproven(struct jobs_record *r)
{
    expect_failure(r, "BackupNotAuthentic", "does not verify");
}

/* A new backup; its folder. */
static void make_backup(struct run_bench *b, char folder[JOBS_FOLDER_SIZE], uint64_t *wire)
{
    struct jobs_record r;
    run_bench_backup(b, &r);
    expect_done(&r);
    memcpy(folder, r.folder, JOBS_FOLDER_SIZE);
    *wire = r.bytes;
}

static void a_verify_opens_every_key_and_changes_nothing(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    uint8_t before[32];
    char folder[JOBS_FOLDER_SIZE];
    uint64_t wire;
    make_backup(b, folder, &wire);
    EXPECT_OK(keystore_delete(b->kb.ks, "alpha", NULL, &err)); /* what is here does not matter */
    run_bench_state(b, before);
    run_bench_verify(b, folder, &r);
    expect_done(&r);
    assert_int_equal(r.kind, JOBS_VERIFY);
    assert_true(r.bytes > wire - 16384 && r.bytes <= wire);
    assert_non_null(strstr(r.details, "each one opened in the token"));
    assert_false(jobs_restore_mode(b->jobs));
    run_bench_flip(b, folder, "s3.0", 4000, 1);
    run_bench_verify(b, folder, &r);
    expect_unproven(&r);
    expect_same(b, before);
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
    expect_done(&r);
    assert_non_null(strstr(r.warning, "partition part1 of the backup does not exist"));
}

/* --- samples
 * ---------------------------------------------------------------------------------- */

static void verify_sample(struct run_bench *b, const char *folder, unsigned percent,
                          struct jobs_record *r)
{
    struct run_request q = run_bench_request(b, folder, NULL);
    struct cf_err err;
    q.choices.sample_percent = percent;
    EXPECT_OK(run_verify_start(b->run, &q, r, &err));
    run_wait(b->run);
    EXPECT_OK(jobs_get(b->jobs, r->id, r, &err));
}

/* 13 blocks of a partition that is nearly all left out, and about 6 blocks of keys. */
static int set_up_many(void **state)
{
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };
    static const uint64_t size = UINT64_C(100) << 20;
    struct run_bench_options o = run_bench_small;
    struct run_bench *b = calloc(1, sizeof *b);
    struct cf_err err;
    char name[32];
    o.partitions = 1;
    o.bytes = size;
    o.run.chunk_log2 = 0;
    o.run.record_block = 1 << 18;
    run_bench_open(b, &o);
    int fd = open(run_bench_part(b, 0), O_WRONLY | O_CLOEXEC);
    for (uint64_t at = 0; at < size; at += 8 << 20)
        assert_int_equal(pwrite(fd, "block", 5, (off_t)at), 5);
    close(fd);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "many-%03u", i);
        EXPECT_OK(keystore_bench_make(&b->kb, name, &aes, NULL, &err));
    }
    *state = b;
    return 0;
}

static struct manifest_numbers {
    unsigned blocks, all;
} numbers_of(const struct jobs_record *r)
{
    struct manifest_numbers n = { 0 };
    assert_int_equal(sscanf(r->details, "Verified: %u of %u blocks", &n.blocks, &n.all), 2);
    return n;
}

static void a_sample_reads_its_share_with_both_ends_and_says_what_it_is_worth(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    struct jobs_verified v;
    char folder[JOBS_FOLDER_SIZE];
    uint64_t wire;
    make_backup(b, folder, &wire);
    verify_sample(b, folder, 20, &r);
    expect_done(&r);
    struct manifest_numbers n = numbers_of(&r);
    assert_int_equal(n.all, 13 + 1 + 1);   /* the partition, keys, `meta`; no policy */
    assert_int_equal(n.blocks, 5 + 1 + 1); /* both ends, and a fifth of 11, rounded up */
    assert_true(r.bytes < wire);
    assert_non_null(strstr(r.details, "A sample of 20 %"));
    EXPECT_RC(CF_E_ABSENT,
              jobs_newest_verified(b->jobs, NULL, &v, &err)); /* no proof of the whole */
    run_bench_verify(b, folder, &r);
    assert_int_equal(numbers_of(&r).blocks, 15);
    EXPECT_OK(jobs_newest_verified(b->jobs, NULL, &v, &err));
    assert_string_equal(v.folder, folder);
    assert_string_equal(v.job, r.id);
}

/* Salts, and with them names and bytes, are random: so is the choice. */
static void each_block_comes_up_in_some_sample_and_damage_in_it_is_found(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    char folder[JOBS_FOLDER_SIZE];
    uint64_t wire;
    unsigned found = 0;
    make_backup(b, folder, &wire);
    const long block = 112 + 16 + (256 << 10) + 16; /* as each lies in the blob: one chunk sent */
    run_bench_flip(b, folder, "s2.0", 5 * block + 5000, 1);
    for (unsigned i = 0; i < 60; i++) {
        verify_sample(b, folder, 50, &r);
        found += r.state == JOBS_FAILED;
    }
    print_message("  found in %u of 60 samples of 50 %%\n", found);
    assert_in_range(found, 5, 55); /* 6 of the 11 between the ends: 33 on average */
    run_bench_flip(b, folder, "s2.0", 5 * block + 5000, 1);
    for (unsigned i = 0; i < 2; i++) {
        long at = i == 0 ? 5000 : 12 * block + 5000;
        run_bench_flip(b, folder, "s2.0", at, 1); /* the first and the last are always looked at */
        verify_sample(b, folder, 1, &r);
        expect_unproven(&r);
        run_bench_flip(b, folder, "s2.0", at, 1);
    }
}

static void a_sample_of_a_small_backup_refuses_what_a_restore_refuses(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    char folder[JOBS_FOLDER_SIZE];
    uint64_t wire;
    make_backup(b, folder, &wire);
    verify_sample(b, folder, 10, &r);
    expect_done(&r);
    static const struct {
        const char *blob;
        long at;
    } bad[] = { { "manifest", 250 }, { "s0.0", 100 }, { "s0.0", 3000 }, { "s1.0", 300 } };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        run_bench_flip(b, folder, bad[i].blob, bad[i].at, 1);
        verify_sample(b, folder, 10, &r);
        expect_unproven(&r);
        run_bench_flip(b, folder, bad[i].blob, bad[i].at, 1);
    }
}

static void blocks_of_keys_are_proven_one_by_one_against_the_index(void **state)
{
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    char folder[JOBS_FOLDER_SIZE], name[32];
    uint64_t wire;
    unsigned found = 0;
    for (unsigned i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "many-%03u", i);
        EXPECT_OK(keystore_bench_make(&b->kb, name, &aes, NULL, &err));
    }
    make_backup(b, folder, &wire);
    for (unsigned i = 0; i < 10; i++) {
        verify_sample(b, folder, 30, &r);
        expect_done(&r);
        struct manifest_numbers n = numbers_of(&r);
        assert_in_range(n.blocks, 5, n.all - 1);
    }
    run_bench_flip(b, folder, "s0.0", 20000, 1); /* in its second block */
    for (unsigned i = 0; i < 40; i++) {
        verify_sample(b, folder, 50, &r);
        found += r.state == JOBS_FAILED;
    }
    print_message("  found in %u of 40 samples of 50 %%\n", found);
    assert_in_range(found, 1, 39);
}

/* --- receipts
 * --------------------------------------------------------------------------------- */

static void only_a_verify_that_succeeds_leaves_a_receipt(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    struct cf_buf receipt = { 0 };
    char folder[JOBS_FOLDER_SIZE];
    uint64_t wire;
    make_backup(b, folder, &wire);
    run_bench_verify(b, folder, &r);
    EXPECT_OK(jobs_receipt_get(b->jobs, r.id, &receipt, &err));
    assert_true(receipt.len > 300);
    assert_memory_equal(receipt.data, "CFRRCP01", 8);
    assert_non_null(memmem(receipt.data, receipt.len, folder, strlen(folder)));
    assert_non_null(memmem(receipt.data, receipt.len, r.id, 32));
    run_bench_restart(b);
    size_t len = receipt.len;
    EXPECT_OK(jobs_receipt_get(b->jobs, r.id, &receipt, &err));
    assert_int_equal(receipt.len, 2 * len);
    assert_memory_equal(receipt.data, receipt.data + len, len);
    run_bench_flip(b, folder, "s0.0", 100, 1);
    run_bench_verify(b, folder, &r);
    expect_unproven(&r);
    EXPECT_RC(CF_E_ABSENT, jobs_receipt_get(b->jobs, r.id, &receipt, &err));
    run_bench_flip(b, folder, "s0.0", 100, 1);
    struct run_request q = run_bench_request(b, folder, NULL);
    EXPECT_OK(run_prerestore_start(b->run, &q, &r, &err));
    run_wait(b->run);
    EXPECT_RC(CF_E_ABSENT, jobs_receipt_get(b->jobs, r.id, &receipt, &err));
    cf_buf_clear(&receipt);
}

static void the_restore_of_one_key_leaves_a_receipt_that_counts_for_no_more(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    struct cf_buf receipt = { 0 };
    struct jobs_verified v;
    char folder[JOBS_FOLDER_SIZE];
    uint64_t wire;
    make_backup(b, folder, &wire);
    EXPECT_OK(keystore_delete(b->kb.ks, "alpha", NULL, &err));
    EXPECT_OK(keystore_purge(b->kb.ks, "alpha", &err));
    run_bench_selective(b, folder, "alpha", &r);
    expect_done(&r);
    EXPECT_OK(jobs_receipt_get(b->jobs, r.id, &receipt, &err));
    assert_memory_equal(receipt.data + 12, "\xae\x01\x03", 3); /* a map of 14, scope 3: partial */
    assert_null(memmem(receipt.data, receipt.len, "alpha", 5));
    EXPECT_RC(CF_E_ABSENT, jobs_newest_verified(b->jobs, NULL, &v, &err));
    cf_buf_clear(&receipt);
    run_bench_selective(b, folder, "no-such-key", &r);
    expect_state(&r, JOBS_FAILED);
    EXPECT_RC(CF_E_ABSENT, jobs_receipt_get(b->jobs, r.id, &receipt, &err));
}

/* --- coverage
 * --------------------------------------------------------------------------------- */

struct told {
    size_t lines;
    char text[2048];
};

static enum cf_rc tell(void *ctx, const struct jobs_cover *c, struct cf_err *e)
{
    struct told *t = ctx;
    size_t used = strlen(t->text);
    (void)e;
    t->lines++;
    snprintf(t->text + used, sizeof t->text - used, "%u %s: %s\n", c->state, c->what, c->why);
    return CF_OK;
}

static void what_a_backup_covers_is_told_by_its_job_and_by_its_verification(void **state)
{
    struct run_bench *b = *state;
    struct jobs_record r;
    struct cf_err err;
    struct told made = { 0 }, verified = { 0 }, none = { 0 };
    struct cf_buf receipt = { 0 };
    struct run_request q = run_bench_request(b, NULL, NULL);
    q.choices.require_complete = true;
    EXPECT_OK(run_backup_start(b->run, &q, &r, &err));
    run_wait(b->run);
    EXPECT_OK(jobs_get(b->jobs, r.id, &r, &err));
    expect_done(&r);
    run_bench_restart(b);
    EXPECT_OK(jobs_cover_each(b->jobs, r.id, tell, &made, &err));
    print_message("%s", made.text);
    assert_non_null(strstr(made.text, "1 keys: "));
    assert_non_null(strstr(made.text, "1 partition part1: 50000 bytes"));
    assert_non_null(strstr(made.text, "2 TLS key: "));
    assert_null(strstr(made.text, "3 "));
    run_bench_verify(b, r.folder, &r);
    expect_done(&r);
    EXPECT_OK(jobs_cover_each(b->jobs, r.id, tell, &verified, &err));
    assert_string_equal(made.text, verified.text);
    EXPECT_OK(jobs_receipt_get(b->jobs, r.id, &receipt, &err));
    assert_non_null(memmem(receipt.data, receipt.len, "partition part1", 15));
    cf_buf_clear(&receipt);
    run_bench_flip(b, r.folder, "s3.0", 4000, 1);
    run_bench_verify(b, r.folder, &r);
    expect_unproven(&r);
    EXPECT_OK(jobs_cover_each(b->jobs, r.id, tell, &none, &err));
    assert_int_equal(none.lines, 0);
}

int main(void)
{
#define T(name)    cmocka_unit_test_setup_teardown(name, run_bench_set_up, run_bench_tear_down)
#define MANY(name) cmocka_unit_test_setup_teardown(name, set_up_many, run_bench_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_verify_opens_every_key_and_changes_nothing),
        T(a_verify_needs_no_partition_of_that_name_but_says_so),
        MANY(a_sample_reads_its_share_with_both_ends_and_says_what_it_is_worth),
        MANY(each_block_comes_up_in_some_sample_and_damage_in_it_is_found),
        T(blocks_of_keys_are_proven_one_by_one_against_the_index),
        T(a_sample_of_a_small_backup_refuses_what_a_restore_refuses),
        T(only_a_verify_that_succeeds_leaves_a_receipt),
        T(the_restore_of_one_key_leaves_a_receipt_that_counts_for_no_more),
        T(what_a_backup_covers_is_told_by_its_job_and_by_its_verification),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
