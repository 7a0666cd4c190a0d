/* A whole backup of about 16 KiB: every byte of every blob flipped, every blob cut, grown and
 * exchanged. Each verify and each restore is refused, and store and partitions stay untouched. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "hal_sim/hal_sim.h"
#include "support/run_expect.h"
#include "support/scratch.h"

/* ThreadSanitizer makes each restore ten times as long, and has seen all threads after a few. */
#ifdef __SANITIZE_THREAD__
#define FLIP_STEP 13
#else
#define FLIP_STEP 1
#endif

struct fixture {
    struct run_bench b;
    char folder[JOBS_FOLDER_SIZE];
    char names[8][MANIFEST_NAME_SIZE]; /* blobs that a reader reads */
    size_t count;
    uint8_t state[32];
};

static void note_name(struct fixture *f, const char *name)
{
    snprintf(f->names[f->count++], MANIFEST_NAME_SIZE, "%s", name);
}

static const char *path(struct fixture *f, size_t i)
{
    return run_bench_blob(&f->b, f->folder, f->names[i]);
}

static int set_up(void **state)
{
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };
    struct fixture *f = calloc(1, sizeof *f);
    struct jobs_record r;
    struct cf_err err;
    char cmd[512], line[128];
    run_bench_open(&f->b, &run_bench_tiny);
    EXPECT_OK(keystore_bench_make(&f->b.kb, "one", &aes, NULL, &err));
    EXPECT_OK(access_grant(f->b.access, "6f6f6f6f-0000-0000-0000-000000000001",
                           ACCESS_ADMINISTRATOR, &err));
    run_bench_write(&f->b, 0, "content", 4990); /* chunk 0 left out, chunk 1 sent */
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    assert_true(r.bytes <= 16384);
    memcpy(f->folder, r.folder, sizeof f->folder);
    snprintf(cmd, sizeof cmd, "ls %s | grep -v -e probe -e copy",
             run_bench_blob(&f->b, f->folder, ""));
    FILE *ls = popen(cmd, "r");
    while (fgets(line, sizeof line, ls)) {
        line[strcspn(line, "\n")] = 0;
        note_name(f, line);
    }
    pclose(ls);
    assert_int_equal(f->count, 5);           /* manifest, meta, s0.0, s1.0, s2.0 */
    run_bench_write(&f->b, 0, "later", 100); /* what an accepted forgery would undo */
    run_bench_state(&f->b, f->state);
    *state = f;
    return 0;
}

static bool refused(struct fixture *f)
{
    struct jobs_record r;
    run_bench_verify(&f->b, f->folder, &r);
    bool verify_refuses = r.state == JOBS_FAILED;
    run_bench_restore(&f->b, f->folder, &r);
    bool restore_refuses = r.state == JOBS_FAILED;
    assert_int_equal(verify_refuses, restore_refuses);
    return restore_refuses;
}

static void expect_untouched(struct fixture *f)
{
    expect_same(&f->b, f->state);
}

static void every_flipped_byte_of_every_blob_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t all = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct stat st;
        int fd = open(path(f, i), O_RDWR | O_CLOEXEC);
        assert_int_equal(fstat(fd, &st), 0);
        for (off_t at = 0; at < st.st_size; at += FLIP_STEP, all++) {
            uint8_t c, bad;
            assert_int_equal(pread(fd, &c, 1, at), 1);
            bad = (uint8_t)(c ^ (1u << (at % 8)));
            assert_int_equal(pwrite(fd, &bad, 1, at), 1);
            if (!refused(f))
                fail_msg("%s: a flip at %ld was accepted", f->names[i], (long)at);
            assert_int_equal(pwrite(fd, &c, 1, at), 1);
            if (all % 64 == 0) /* old records of jobs are pruned one a start: keep them few */
                hal_sim_clock_step(f->b.kb.clock, (JOBS_KEEP_S + 1) * INT64_C(1000));
        }
        close(fd);
        expect_untouched(f);
    }
    print_message("  %zu flips\n", all);
    assert_false(refused(f)); /* as it was, it restores */
}

static void a_cut_grown_or_missing_blob_is_refused(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->count; i++) {
        char keep[1024], at[1024];
        struct stat st;
        snprintf(at, sizeof at, "%s", path(f, i));
        snprintf(keep, sizeof keep, "%.1000s.keep", at);
        assert_int_equal(stat(at, &st), 0);
        for (int how = 0; how < 5; how++) {
            scratch_shell("cp '%s' '%s'", at, keep);
            off_t len = how == 0   ? 0
                        : how == 1 ? st.st_size - 1
                        : how == 2 ? st.st_size / 2
                                   : st.st_size + 1;
            assert_int_equal(how == 4 ? unlink(at) : truncate(at, len), 0);
            if (!refused(f))
                fail_msg("%s: change %d was accepted", f->names[i], how);
            assert_int_equal(rename(keep, at), 0);
        }
    }
    expect_untouched(f);
}

static void blobs_exchanged_within_a_folder_or_between_two_backups_are_refused(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    run_bench_backup(&f->b, &r); /* another backup of the same appliance */
    expect_done(&r);
    for (size_t i = 0; i < f->count; i++)
        for (size_t k = 0; k < f->count; k++) {
            char a[1024], b[1024];
            snprintf(a, sizeof a, "%s", path(f, i));
            if (i == k)
                snprintf(b, sizeof b, "$(ls %s | grep ^%.4s | grep -v copy | sed 's,^,%s,')",
                         run_bench_blob(&f->b, r.folder, ""), f->names[i],
                         run_bench_blob(&f->b, r.folder, ""));
            else
                snprintf(b, sizeof b, "'%s'", path(f, k));
            scratch_shell("cp '%s' '%.500s.keep' && cp %s '%s'", a, a, b, a);
            if (!refused(f))
                fail_msg("%s in the place of %s was accepted", b, f->names[i]);
            scratch_shell("mv '%.500s.keep' '%s'", a, a);
        }
    expect_untouched(f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, run_bench_tear_down)
    const struct CMUnitTest tests[] = {
        T(every_flipped_byte_of_every_blob_is_refused),
        T(a_cut_grown_or_missing_blob_is_refused),
        T(blobs_exchanged_within_a_folder_or_between_two_backups_are_refused),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
