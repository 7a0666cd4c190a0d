/* What a restore would change, told before it does: against what the restore then does. */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "hal_sim/hal_sim.h"
#include "run/plan.h"
#include "support/run_expect.h"

#define ADMIN "6f6f6f6f-0000-0000-0000-000000000001"

static const struct run_bench_options options = {
    .partitions = 2,
    .bytes = 300000,
    .run = { .threads = 2, .connections = 4, .chunk_log2 = 12, .record_block = 8192 }
};

struct fixture {
    struct run_bench b;
    char folder[JOBS_FOLDER_SIZE];
    struct run_plan plan;
    char text[16384]; /* the items, a line each */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct jobs_record r;
    run_bench_open(&f->b, &options);
    run_bench_fill(&f->b);
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    memcpy(f->folder, r.folder, sizeof f->folder);
    *state = f;
    return 0;
}

static enum cf_rc note_item(void *ctx, const struct run_plan_item *i, struct cf_err *e)
{
    static const char *const things[] = { "key", "assignment", "role", "setting", "partition" };
    static const char marks[] = "=+~-";
    struct fixture *f = ctx;
    size_t at = strlen(f->text);
    (void)e;
    snprintf(f->text + at, sizeof f->text - at, "%c %s %s: %s\n", marks[i->change],
             things[i->thing], i->name, i->note);
    return CF_OK;
}

static void plan(struct fixture *f, const char *key, struct jobs_record *r)
{
    struct cf_err err;
    uint8_t before[32];
    run_bench_state(&f->b, before);
    run_bench_plan(&f->b, f->folder, key, r);
    expect_done(r);
    assert_int_equal(r->kind, JOBS_PLAN);
    f->text[0] = 0;
    EXPECT_OK(run_plan_report(f->b.run, r->id, &f->plan, note_item, f, &err));
    assert_string_equal(f->plan.folder, f->folder);
    expect_same(&f->b, before); /* a plan writes nothing */
    print_message("%s", f->text);
}

static void expect_no_change(struct fixture *f)
{
    struct jobs_record r;
    plan(f, NULL, &r);
    assert_int_equal(f->plan.items, 0);
    assert_string_equal(f->text, "");
    for (int t = 0; t < RUN_THINGS; t++)
        for (int c = RUN_ADDED; c < RUN_CHANGES; c++)
            assert_int_equal(f->plan.count[t][c], 0);
}

static void right_after_the_backup_a_restore_would_change_nothing(void **state)
{
    struct fixture *f = *state;
    expect_no_change(f);
    assert_int_equal(f->plan.count[RUN_KEY][RUN_SAME], 5);
    assert_int_equal(f->plan.count[RUN_PARTITION][RUN_SAME], 2);
    assert_true(f->plan.count[RUN_ROLE_ASSIGNMENT][RUN_SAME] > 0);
}

static void each_difference_is_named_once_and_the_restore_ends_them_all(void **state)
{
    struct fixture *f = *state;
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };
    struct keystore_attrs off = { .given = KEYSTORE_GIVEN_ENABLED };
    struct jobs_record r;
    struct cf_err err;
    hal_sim_clock_step(f->b.kb.clock, 5000);
    EXPECT_OK(keystore_bench_make(&f->b.kb, "aardvark", &aes, NULL, &err)); /* before all names */
    EXPECT_OK(keystore_bench_make(&f->b.kb, "zulu-2", &aes, NULL, &err));   /* behind all */
    EXPECT_OK(keystore_bench_make(&f->b.kb, "alpha", &aes, NULL, &err));    /* a newer version */
    EXPECT_OK(keystore_update(f->b.kb.ks, "bravo", NULL, &off, NULL, &err));
    EXPECT_OK(keystore_delete(f->b.kb.ks, "charlie-7", NULL, &err));
    EXPECT_OK(keystore_recover(f->b.kb.ks, "delta", NULL, &err));
    EXPECT_OK(keystore_delete(f->b.kb.ks, "zulu", NULL, &err));
    EXPECT_OK(keystore_purge(f->b.kb.ks, "zulu", &err));
    EXPECT_OK(access_grant(f->b.access, ADMIN, ACCESS_CRYPTO_OFFICER, &err));
    run_bench_write(&f->b, 1, "later", 100);
    plan(f, NULL, &r);
    static const char *const lines[] = {
        "- key aardvark: made after the backup, 1 version lost\n",
        "~ key alpha: 1 version lost\n",
        "~ key bravo: attributes, tags or policies differ\n",
        "~ key charlie-7: is deleted here and comes back\n",
        "~ key delta: is deleted in the backup\n",
        "+ key zulu: \n",
        "- key zulu-2: made after the backup, 1 version lost\n",
        "- assignment Managed HSM Crypto Officer for " ADMIN " at /: \n",
        "~ partition part1: may have been written since the backup\n",
    };
    char want[2048] = "";
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        strncat(want, lines[i], sizeof want - strlen(want) - 1);
    assert_string_equal(f->text, want);
    assert_int_equal(f->plan.count[RUN_KEY][RUN_ADDED], 1);
    assert_int_equal(f->plan.count[RUN_KEY][RUN_REPLACED], 4);
    assert_int_equal(f->plan.count[RUN_KEY][RUN_REMOVED], 2);
    assert_int_equal(f->plan.versions_lost, 3);
    assert_true(f->plan.versions_back >= 1);
    assert_false(f->plan.cut);
    assert_non_null(
        strstr(r.details, "Keys: 1 added, 4 replaced, 2 removed, 0 the same; 3 versions lost"));
    run_bench_restore(&f->b, f->folder, &r);
    expect_done(&r);
    plan(f, NULL, &r);
    assert_int_equal(f->plan.items, f->plan.count[RUN_PARTITION][RUN_REPLACED]); /* the twins' bytes
                                                                are new to the change counters */
}

static void an_empty_appliance_and_an_empty_backup_are_compared_too(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    static const char *const names[] = { "alpha", "bravo", "charlie-7", "delta", "zulu" };
    for (size_t i = 0; i < 5; i++) {
        (void)!keystore_delete(f->b.kb.ks, names[i], NULL, NULL);
        EXPECT_OK(keystore_purge(f->b.kb.ks, names[i], &err));
    }
    plan(f, NULL, &r);
    assert_int_equal(f->plan.count[RUN_KEY][RUN_ADDED], 5);
    assert_int_equal(f->plan.count[RUN_KEY][RUN_SAME], 0);
    assert_int_equal(f->plan.versions_lost, 0);
    char full[JOBS_FOLDER_SIZE];
    memcpy(full, f->folder, sizeof full);
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    char empty[JOBS_FOLDER_SIZE];
    memcpy(empty, r.folder, sizeof empty);
    run_bench_restore(&f->b, full, &r);
    expect_done(&r);
    memcpy(f->folder, empty, sizeof f->folder);
    plan(f, NULL, &r);
    assert_int_equal(f->plan.count[RUN_KEY][RUN_REMOVED], 5);
    assert_non_null(strstr(f->text, "- key delta: not in the backup, deleted here already"));
}

static void one_key_is_planned_by_what_the_restore_would_do_with_it(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    plan(f, "Alpha", &r);
    assert_non_null(strstr(r.details, "Key alpha is there and would be left as it is"));
    assert_int_equal(f->plan.items, 0);
    EXPECT_OK(keystore_delete(f->b.kb.ks, "alpha", NULL, &err));
    plan(f, "alpha", &r);
    assert_non_null(strstr(r.details, "recover or purge it first"));
    EXPECT_OK(keystore_purge(f->b.kb.ks, "alpha", &err));
    plan(f, "alpha", &r);
    assert_string_equal(r.details, "Key alpha would come back with 2 versions");
    assert_string_equal(f->text, "+ key alpha: \n");
    assert_string_equal(f->plan.key, "alpha");
    run_bench_plan(&f->b, f->folder, "nobody", &r);
    assert_int_equal(r.state, JOBS_FAILED);
    assert_non_null(strstr(r.error, "there is no key nobody"));
}

static void a_plan_is_told_for_the_last_one_only_and_not_for_one_that_failed(void **state)
{
    struct fixture *f = *state;
    struct jobs_record first, r;
    struct cf_err err;
    struct run_plan p;
    plan(f, NULL, &first);
    plan(f, NULL, &r);
    EXPECT_RC(CF_E_ABSENT, run_plan_report(f->b.run, first.id, &p, NULL, NULL, &err));
    assert_string_equal(err.code, "NotFound");
    EXPECT_OK(run_plan_report(f->b.run, r.id, &p, NULL, NULL, &err));
    run_bench_plan(&f->b, "mhsm-bench-20200101000000", NULL, &first);
    assert_int_equal(first.state, JOBS_FAILED);
    EXPECT_RC(CF_E_ABSENT, run_plan_report(f->b.run, first.id, &p, NULL, NULL, &err));
    EXPECT_OK(run_plan_report(f->b.run, r.id, &p, NULL, NULL, &err));
}

static void a_plan_outlives_a_restart(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    struct run_plan before, after;
    char text[sizeof f->text];
    plan(f, NULL, &r);
    before = f->plan;
    memcpy(text, f->text, sizeof text);
    run_bench_restart(&f->b);
    f->text[0] = 0;
    EXPECT_OK(run_plan_report(f->b.run, r.id, &after, note_item, f, &err));
    assert_memory_equal(before.count, after.count, sizeof after.count);
    assert_string_equal(before.job, after.job);
    assert_string_equal(before.folder, after.folder);
    assert_int_equal(before.backup_s, after.backup_s);
    assert_int_equal(before.versions_lost, after.versions_lost);
    assert_int_equal(before.versions_back, after.versions_back);
    assert_int_equal(before.items, after.items);
    assert_false(after.cut);
    assert_string_equal(text, f->text);
}

static void what_would_stop_the_restore_is_told_beside_the_plan(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    assert_int_equal(truncate(run_bench_part(&f->b, 1), 4096), 0);
    plan(f, NULL, &r);
    assert_non_null(
        strstr(r.warning, "a restore would be refused: partition part1 has another size"));
    f->b.o.partitions = 1;
    run_bench_restart(&f->b);
    plan(f, NULL, &r);
    assert_non_null(
        strstr(r.warning, "a restore would be refused: this appliance has no partition part1"));
}

static void more_names_than_are_listed_are_counted(void **state)
{
    struct fixture *f = *state;
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };
    struct jobs_record r;
    struct cf_err err;
    char name[KEYSTORE_NAME_MAX + 1];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "new-%0100d", i);
        EXPECT_OK(keystore_bench_make(&f->b.kb, name, &aes, NULL, &err));
    }
    run_bench_plan(&f->b, f->folder, NULL, &r);
    expect_done(&r);
    EXPECT_OK(run_plan_report(f->b.run, r.id, &f->plan, NULL, NULL, &err));
    assert_int_equal(f->plan.count[RUN_KEY][RUN_REMOVED], 300);
    assert_int_equal(f->plan.items, 300);
    assert_false(f->plan.cut);
}

/* --- a restore bound to its plan --- */

static void restore_as_planned(struct fixture *f, const char *key, const char *plan_job,
                               struct jobs_record *r)
{
    struct run_request q = run_bench_request(&f->b, f->folder, key);
    struct cf_err err = { 0 };
    snprintf(q.choices.plan, sizeof q.choices.plan, "%s", plan_job);
    EXPECT_OK(key ? run_selective_start(f->b.run, &q, r, &err)
                  : run_restore_start(f->b.run, &q, r, &err));
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r->id, r, &err));
}

static void expect_refused(struct fixture *f, const char *key, const char *plan_job,
                           const char *why)
{
    struct jobs_record r;
    uint8_t before[32];
    run_bench_state(&f->b, before);
    restore_as_planned(f, key, plan_job, &r);
    assert_int_equal(r.state, JOBS_FAILED);
    assert_string_equal(r.error_code, "Conflict");
    if (!strstr(r.error, why))
        fail_msg("%s", r.error);
    expect_same(&f->b, before);
}

static void a_restore_bound_to_its_plan_does_what_was_planned_or_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };
    struct jobs_record r, first;
    struct cf_err err;
    plan(f, NULL, &first);
    EXPECT_OK(keystore_bench_make(&f->b.kb, "since", &aes, NULL, &err));
    expect_refused(f, NULL, first.id, "has changed since the plan");
    plan(f, NULL, &r);
    expect_refused(f, NULL, first.id, "not kept any more");
    expect_refused(f, "alpha", r.id, "of another restore");
    run_bench_restart(&f->b);
    restore_as_planned(f, NULL, r.id, &r);
    expect_done(&r);
    plan(f, NULL, &first);
    for (int c = RUN_ADDED; c < RUN_CHANGES; c++)
        assert_int_equal(f->plan.count[RUN_KEY][c], 0);
}

/* Two appliances of one name whose clocks agree write folders of one name. */
static void a_backup_that_was_swapped_since_the_plan_is_not_restored(void **state)
{
    struct fixture *f = *state;
    struct jobs_record planned, r;
    char from[700], aside[710];
    snprintf(from, sizeof from, "%s/blobs/%s", f->b.dir, f->folder);
    snprintf(aside, sizeof aside, "%s/aside", f->b.dir);
    plan(f, NULL, &planned);
    assert_int_equal(rename(from, aside), 0);
    run_bench_backup(&f->b, &r); /* the clock stands: the same name */
    expect_done(&r);
    assert_string_equal(r.folder, f->folder);
    expect_refused(f, NULL, planned.id, "not the one that was planned");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, run_bench_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_restore_bound_to_its_plan_does_what_was_planned_or_nothing),
        T(a_backup_that_was_swapped_since_the_plan_is_not_restored),
        T(right_after_the_backup_a_restore_would_change_nothing),
        T(each_difference_is_named_once_and_the_restore_ends_them_all),
        T(an_empty_appliance_and_an_empty_backup_are_compared_too),
        T(one_key_is_planned_by_what_the_restore_would_do_with_it),
        T(a_plan_is_told_for_the_last_one_only_and_not_for_one_that_failed),
        T(a_plan_outlives_a_restart),
        T(what_would_stop_the_restore_is_told_beside_the_plan),
        T(more_names_than_are_listed_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
