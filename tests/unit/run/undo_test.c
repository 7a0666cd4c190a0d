/* Undo of the last restore: back, forth again, and refused in words where there is no way back. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/run_expect.h"

#define ADMIN "6f6f6f6f-0000-0000-0000-000000000001"

static const struct run_bench_options with_partitions = {
    .partitions = 2,
    .bytes = 700000,
    .run = { .threads = 2, .connections = 4, .chunk_log2 = 16, .record_block = 65536 }
};
static const struct run_bench_options without_partitions = {
    .run = { .threads = 1, .connections = 2, .chunk_log2 = 16, .record_block = 65536 }
};

struct fixture {
    struct run_bench b;
    char folder[JOBS_FOLDER_SIZE];
    uint8_t old[32];   /* as it was at the backup */
    uint8_t later[32]; /* as it stood before the restore */
};

/* A backup of the old state; then it is changed. */
static void open_fixture(struct fixture *f, const struct run_bench_options *o)
{
    struct jobs_record r;
    struct cf_err err;
    run_bench_open(&f->b, o);
    run_bench_fill(&f->b);
    run_bench_state(&f->b, f->old);
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    memcpy(f->folder, r.folder, sizeof f->folder);
    EXPECT_OK(keystore_delete(f->b.kb.ks, "zulu", NULL, &err));
    EXPECT_OK(access_grant(f->b.access, ADMIN, ACCESS_CRYPTO_USER, &err));
    for (size_t i = 0; i < o->partitions; i++)
        run_bench_write(&f->b, i, "later", 5000);
    run_bench_state(&f->b, f->later);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    open_fixture(f, &with_partitions);
    *state = f;
    return 0;
}

static int set_up_keys_alone(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    open_fixture(f, &without_partitions);
    *state = f;
    return 0;
}

static void restore(struct fixture *f)
{
    struct jobs_record r;
    run_bench_restore(&f->b, f->folder, &r);
    expect_done(&r);
    expect_same(&f->b, f->old);
}

static void expect_refused(struct run_bench *b, const char *words)
{
    struct run_request q = run_bench_request(b, NULL, NULL);
    struct jobs_record r;
    struct run_undo u;
    struct cf_err err;
    EXPECT_RC(CF_E_STATE, run_undo_start(b->run, &q, &r, &err));
    assert_string_equal(err.code, "Conflict");
    if (!strstr(err.text, words))
        print_message("  %s\n", err.text);
    assert_non_null(strstr(err.text, words));
    EXPECT_RC(CF_E_STATE, run_undo_look(b->run, &u, &err));
}

static void an_undo_brings_back_what_the_restore_took_and_a_second_one_the_restored(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct access_principal who = { .verified = cf_verdict_of(true) };
    const struct access_scope keys = access_scope_keys();
    struct cf_err err;
    snprintf(who.oid, sizeof who.oid, ADMIN);
    restore(f);
    for (int round = 0; round < 3; round++) {
        run_bench_undo(&f->b, &r);
        expect_done(&r);
        assert_int_equal(r.kind, JOBS_UNDO);
        assert_string_equal(r.folder, f->folder);
        assert_non_null(strstr(r.details, round == 1 ? "before the undo of the restore of mhsm-"
                                                     : "before the restore of mhsm-"));
        assert_non_null(strstr(r.details, "nothing was changed since then"));
        expect_same(&f->b, round == 1 ? f->old : f->later);
        assert_false(jobs_restore_mode(f->b.jobs));
        enum cf_rc can = access_require(f->b.access, &who, ACCESS_KEYS_SIGN, &keys, NULL);
        assert_int_equal(can, round == 1 ? CF_E_DENIED : CF_OK); /* roles follow at once */
    }
    run_bench_restart(&f->b);
    expect_same(&f->b, f->later);
    run_bench_undo(&f->b, &r); /* after a restart, too */
    expect_done(&r);
    expect_same(&f->b, f->old);
    EXPECT_OK(keystore_delete(f->b.kb.ks, "zulu", NULL, &err)); /* and it serves */
}

static void what_would_be_lost_is_counted(void **state)
{
    struct fixture *f = *state;
    struct run_undo u;
    struct jobs_record r;
    struct cf_err err;
    uint8_t changed[32];
    restore(f);
    EXPECT_OK(run_undo_look(f->b.run, &u, &err));
    assert_false(u.redo);
    assert_true(u.counted);
    assert_int_equal(u.changes, 0);
    assert_int_equal(u.partitions, 2);
    assert_int_equal(u.written, 0);
    assert_string_equal(u.folder, f->folder);
    EXPECT_OK(keystore_delete(f->b.kb.ks, "zulu", NULL, &err));
    run_bench_write(&f->b, 1, "after", 5000);
    run_bench_state(&f->b, changed);
    run_bench_restart(&f->b);
    EXPECT_OK(run_undo_look(f->b.run, &u, &err));
    assert_int_equal(u.changes, 1);
    assert_int_equal(u.written, 1);
    run_bench_undo(&f->b, &r);
    expect_done(&r);
    assert_non_null(strstr(r.details, "1 change and 1 written partition are set aside"));
    expect_same(&f->b, f->later);
    EXPECT_OK(run_undo_look(f->b.run, &u, &err));
    assert_true(u.redo);
    assert_int_equal(u.changes, 0);
    run_bench_undo(&f->b, &r); /* nothing was lost yet */
    expect_done(&r);
    expect_same(&f->b, changed);
}

static void there_is_nothing_to_undo_before_the_first_restore(void **state)
{
    struct fixture *f = *state;
    expect_refused(&f->b, "no restore has replaced");
    expect_same(&f->b, f->later);
}

static void a_restore_that_began_to_overwrite_the_other_sides_ends_the_undo(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    char cmd[1200];
    restore(f);
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    snprintf(cmd, sizeof cmd, "%s", run_bench_blob(&f->b, r.folder, "s2.0"));
    assert_int_equal(truncate(cmd, 100), 0);
    run_bench_restore(&f->b, r.folder, &r);
    assert_int_equal(r.state, JOBS_FAILED);
    expect_refused(&f->b, "a later restore has begun to overwrite it");
    run_bench_restart(&f->b);
    expect_refused(&f->b, "a later restore has begun to overwrite it");
    expect_same(&f->b, f->old);
    restore(f); /* the next one can be undone again */
    run_bench_undo(&f->b, &r);
    expect_done(&r);
    expect_same(&f->b, f->old);
}

static void a_restore_that_failed_before_that_leaves_the_undo(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    restore(f);
    run_bench_restore(&f->b, "mhsm-bench-20200101000000", &r);
    assert_int_equal(r.state, JOBS_FAILED);
    run_bench_selective(&f->b, f->folder, "zulu", &r);
    run_bench_undo(&f->b, &r);
    expect_done(&r);
    expect_same(&f->b, f->later);
}

static void without_partitions_only_another_switch_ends_the_undo(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct run_undo u;
    struct cf_err err;
    restore(f);
    EXPECT_OK(run_undo_look(f->b.run, &u, &err));
    assert_int_equal(u.partitions, 0);
    restore(f); /* what the second one replaced is the restored state */
    run_bench_undo(&f->b, &r);
    expect_done(&r);
    expect_same(&f->b, f->old);
    run_bench_undo(&f->b, &r);
    expect_done(&r);
    expect_same(&f->b, f->old);
}

static void a_note_that_cannot_be_believed_is_not_followed(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;
    struct jobs_record r;
    restore(f);
    snprintf(path, sizeof path, "%s/restore.kept", f->b.dir);
    assert_int_equal(stat(path, &st), 0);
    for (off_t at = 0; at < st.st_size; at += 7) {
        uint8_t c = 0;
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, &c, 1, at), 1);
        c ^= 1;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
        expect_refused(&f->b, "cannot be read");
        c ^= 1;
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
        close(fd);
    }
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    expect_refused(&f->b, "cannot be read");
    assert_int_equal(unlink(path), 0);
    expect_refused(&f->b, "nothing to undo");
    expect_same(&f->b, f->old);
    run_bench_backup(&f->b, &r); /* all else works */
    expect_done(&r);
}

static void other_partitions_than_at_the_restore_stop_the_undo(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = { "part0", "other" };
    restore(f);
    f->b.o.names = names;
    snprintf(f->b.names[1], sizeof f->b.names[1], "other");
    run_bench_restart(&f->b);
    expect_refused(&f->b, "the partitions of this appliance are others");
}

static void another_side_that_is_not_what_was_left_fails_the_undo_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    char path[160];
    for (int how = 0; how < 3; how++) {
        restore(f);
        snprintf(path, sizeof path, "%s.next", run_bench_part(&f->b, 1));
        if (how == 0)
            assert_int_equal(truncate(path, 4096), 0);
        else if (how == 1)
            assert_int_equal(unlink(path), 0);
        else
            assert_int_equal(close(open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)), 0);
        for (int again = 0; again < 2; again++) { /* and looking at it does not help */
            run_bench_undo(&f->b, &r);
            assert_int_equal(r.state, JOBS_FAILED);
            assert_non_null(strstr(r.error, "part1: its other side is not as the restore left it"));
            assert_false(jobs_restore_mode(f->b.jobs));
            expect_same(&f->b, f->old);
        }
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, run_bench_tear_down)
    const struct CMUnitTest tests[] = {
        T(an_undo_brings_back_what_the_restore_took_and_a_second_one_the_restored),
        T(what_would_be_lost_is_counted),
        T(there_is_nothing_to_undo_before_the_first_restore),
        T(a_restore_that_began_to_overwrite_the_other_sides_ends_the_undo),
        T(a_restore_that_failed_before_that_leaves_the_undo),
        cmocka_unit_test_setup_teardown(without_partitions_only_another_switch_ends_the_undo,
                                        set_up_keys_alone, run_bench_tear_down),
        T(a_note_that_cannot_be_believed_is_not_followed),
        T(other_partitions_than_at_the_restore_stop_the_undo),
        T(another_side_that_is_not_what_was_left_fails_the_undo_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
