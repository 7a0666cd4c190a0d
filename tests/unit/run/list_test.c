/* Lists of what lies in a place: which folder is what, the order, the pages. */
#include "run/list.h"
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "hal_sim/hal_sim.h"
#include "support/run_expect.h"

static const struct run_bench_options small = {
    .partitions = 1,
    .bytes = 50000,
    .run = { .chunk_log2 = 12, .record_block = 16384, .threads = 1, .connections = 1 }
};

struct line {
    char folder[JOBS_FOLDER_SIZE];
    char why[JOBS_TEXT_SIZE];
    char hsm[64];
    struct run_backup b;
    size_t covered;
};

struct fixture {
    struct run_bench b;
    struct line lines[16];
    size_t count;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    run_bench_open(&f->b, &small);
    run_bench_fill(&f->b);
    *state = f;
    return 0;
}

static enum cf_rc note(void *ctx, const struct run_backup *b, struct cf_err *e)
{
    struct fixture *f = ctx;
    struct line *l = &f->lines[f->count++];
    (void)e;
    assert_true(f->count <= 16);
    l->b = *b;
    snprintf(l->folder, sizeof l->folder, "%s", b->folder);
    snprintf(l->why, sizeof l->why, "%s", b->why);
    snprintf(l->hsm, sizeof l->hsm, "%s", b->hsm);
    l->covered = b->m ? b->m->cover_count : 0;
    return CF_OK;
}

static struct run_listing list(struct fixture *f, size_t limit, const char *after)
{
    struct run_listing l = { .limit = limit, .after = after };
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    struct cf_err err;
    f->count = 0;
    EXPECT_OK(run_list(f->b.run, &q, &l, note, f, &err));
    for (size_t i = 0; i < f->count; i++)
        print_message("  %s %d %s\n", f->lines[i].folder, f->lines[i].b.state, f->lines[i].why);
    return l;
}

static void back_up(struct fixture *f, char folder[JOBS_FOLDER_SIZE])
{
    struct jobs_record r;
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    memcpy(folder, r.folder, sizeof r.folder);
    hal_sim_clock_step(f->b.kb.clock, 5000);
}

static void a_whole_backup_is_told_with_what_its_manifest_says(void **state)
{
    struct fixture *f = *state;
    char first[JOBS_FOLDER_SIZE], second[JOBS_FOLDER_SIZE];
    struct jobs_record r;
    back_up(f, first);
    back_up(f, second);
    run_bench_verify(&f->b, first, &r);
    expect_done(&r);
    struct run_listing l = list(f, 10, NULL);
    assert_int_equal(l.folders, 2);
    assert_false(l.more);
    assert_int_equal(f->count, 2);
    assert_string_equal(f->lines[0].folder, second); /* newest first */
    assert_string_equal(f->lines[1].folder, first);
    for (size_t i = 0; i < 2; i++) {
        const struct run_backup *b = &f->lines[i].b;
        assert_int_equal(b->state, RUN_BACKUP_WHOLE);
        assert_string_equal(f->lines[i].why, "");
        assert_string_equal(f->lines[i].hsm, "bench");
        assert_true(b->proven && b->ours);
        assert_int_equal(b->seq, 2 - i);
        assert_true(b->bytes > 10000);
        assert_int_equal(b->made_s, 1700000000 + (i == 0 ? 5 : 0));
    }
    assert_int_equal(f->lines[0].b.verified_s, 0);
    assert_int_equal(f->lines[1].b.verified_s, r.end_s);
    assert_true(f->lines[1].b.verified_whole);
}

static void pages_follow_each_other_without_gap(void **state)
{
    struct fixture *f = *state;
    char folder[5][JOBS_FOLDER_SIZE];
    for (size_t i = 0; i < 5; i++)
        back_up(f, folder[i]);
    struct run_listing l = list(f, 2, NULL);
    assert_true(l.more && l.folders == 5 && f->count == 2);
    assert_string_equal(f->lines[1].folder, folder[3]);
    l = list(f, 2, folder[3]);
    assert_true(l.more && f->count == 2);
    assert_string_equal(f->lines[0].folder, folder[2]);
    l = list(f, 2, folder[1]);
    assert_true(!l.more && f->count == 1);
    assert_string_equal(f->lines[0].folder, folder[0]);
    l = list(f, 5, "mhsm-bench-20231114221322"); /* a folder that is gone by now */
    assert_int_equal(f->count, 1);
}

static void each_folder_is_told_for_what_it_is(void **state)
{
    struct fixture *f = *state;
    char folder[7][JOBS_FOLDER_SIZE], from[1024];
    static const struct {
        enum run_backup_state state;
        const char *why, *hsm;
        bool proven;
    } want[] = {
        { RUN_BACKUP_UNFINISHED, "no manifest", "", false },
        { RUN_BACKUP_DAMAGED, "does not verify", "", false },
        { RUN_BACKUP_DAMAGED, "missing or have other sizes", "bench", true },
        { RUN_BACKUP_FOREIGN, "another security domain", "bench", false },
        { RUN_BACKUP_GENERATION, "needs generation 3", "bench", false },
        { RUN_BACKUP_NEWER_FORMAT, "newer format", "bench", false },
        { RUN_BACKUP_DAMAGED, "does not verify", "", false },
    };
    for (size_t i = 0; i < 7; i++)
        back_up(f, folder[i]);
    assert_int_equal(unlink(run_bench_blob(&f->b, folder[0], "manifest")), 0);
    run_bench_flip(&f->b, folder[1], "manifest", 300, 1);
    assert_int_equal(truncate(run_bench_blob(&f->b, folder[2], "s2.0"), 1000), 0);
    run_bench_flip(&f->b, folder[3], "manifest", 20, 1);
    run_bench_flip(&f->b, folder[4], "manifest", 12, 2);
    run_bench_flip(&f->b, folder[5], "manifest", 8, 2);
    snprintf(from, sizeof from, "%s", run_bench_blob(&f->b, folder[6], ""));
    snprintf(folder[6], sizeof folder[6], "mhsm-bench-20301114221320"); /* renamed */
    assert_int_equal(rename(from, run_bench_blob(&f->b, folder[6], "")), 0);
    list(f, 16, NULL);
    assert_int_equal(f->count, 7);
    for (size_t i = 0; i < 7; i++)
        for (size_t k = 0; k < 7; k++) {
            const struct line *l = &f->lines[k];
            if (strcmp(l->folder, folder[i]) != 0)
                continue;
            print_message("  %zu: %s\n", i, l->why);
            assert_int_equal(l->b.state, want[i].state);
            assert_non_null(strstr(l->why, want[i].why));
            assert_string_equal(l->hsm, want[i].hsm);
            assert_int_equal(l->b.proven, want[i].proven);
            assert_true(l->b.made_s > 1700000000 - 1);
        }
    assert_string_equal(f->lines[0].folder, folder[6]); /* by its name it is the newest */
}

static void a_cut_manifest_is_damaged_and_other_names_are_left_out(void **state)
{
    struct fixture *f = *state;
    char folder[JOBS_FOLDER_SIZE];
    back_up(f, folder);
    assert_int_equal(truncate(run_bench_blob(&f->b, folder, "manifest"), 50), 0);
    assert_int_equal(mkdir(run_bench_blob(&f->b, "other", ""), 0700), 0);
    assert_int_equal(cf_file_write(run_bench_blob(&f->b, "other", "x"), 0600, "x", 1, NULL), CF_OK);
    list(f, 16, NULL);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->lines[0].b.state, RUN_BACKUP_DAMAGED);
}

static void a_sample_is_told_as_a_sample(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    char folder[JOBS_FOLDER_SIZE];
    back_up(f, folder);
    struct run_request q = run_bench_request(&f->b, folder, NULL);
    q.choices.sample_percent = 10;
    EXPECT_OK(run_verify_start(f->b.run, &q, &r, &err));
    run_wait(f->b.run);
    list(f, 1, NULL);
    assert_true(f->lines[0].b.verified_s > 0);
    assert_false(f->lines[0].b.verified_whole);
}

static void a_token_that_may_not_list_is_refused_in_words(void **state)
{
    struct fixture *f = *state;
    struct run_listing l = { .limit = 1 };
    struct cf_err err;
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    q.place.uri = "https://acct.blob.core.windows.net/cont";
    q.place.token = "sv=2021-08-06&sr=c&sp=r&se=2999-01-01T00%3A00%3A00Z&sig=eA%3D%3D";
    EXPECT_RC(CF_E_INPUT, run_list(f->b.run, &q, &l, note, f, &err));
    assert_string_equal(err.code, "BadRequest");
    assert_non_null(strstr(err.text, "list"));
    q.place.uri = NULL;
    EXPECT_RC(CF_E_INPUT, run_list(f->b.run, &q, &l, note, f, &err));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, run_bench_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_whole_backup_is_told_with_what_its_manifest_says),
        T(pages_follow_each_other_without_gap),
        T(each_folder_is_told_for_what_it_is),
        T(a_cut_manifest_is_damaged_and_other_names_are_left_out),
        T(a_sample_is_told_as_a_sample),
        T(a_token_that_may_not_list_is_refused_in_words),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
