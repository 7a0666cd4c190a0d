/* Pruning on a directory as storage: what goes, and above all what stays. */
#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/verdict.h"
#include "hal_sim/hal_sim.h"
#include "prune_priv.h"
#include "support/run_expect.h"
#include "support/scratch.h"

#define DAY_MS (INT64_C(86400) * 1000)

struct fixture {
    struct run_bench b;
    char folder[6][JOBS_FOLDER_SIZE]; /* oldest first, a day apart; the last is a day old */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct jobs_record r;
    run_bench_open(&f->b, &run_bench_tiny);
    run_bench_fill(&f->b);
    for (int i = 0; i < 6; i++) {
        run_bench_backup(&f->b, &r);
        expect_done(&r);
        memcpy(f->folder[i], r.folder, sizeof f->folder[i]);
        hal_sim_clock_step(f->b.kb.clock, DAY_MS);
    }
    *state = f;
    return 0;
}

/* --- helpers ------------------------------------------------------------------------------- */

static void prune(struct fixture *f, const struct run_prune *p, struct jobs_record *r)
{
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    struct cf_err err = { 0 };
    q.prune = p;
    if (run_prune_start(f->b.run, &q, r, &err) != CF_OK)
        fail_msg("%s", err.text);
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r->id, r, &err));
}

static void expect_pruned(struct fixture *f, const struct run_prune *p)
{
    struct jobs_record r;
    prune(f, p, &r);
    expect_done(&r);
}

static bool there(struct fixture *f, const char *folder)
{
    return access(run_bench_blob(&f->b, folder, ""), F_OK) == 0;
}

/* The backups that are left, as bits: 1 the oldest. */
static unsigned left(struct fixture *f)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < 6; i++)
        if (there(f, f->folder[i]))
            bits |= 1u << i;
    return bits;
}

static enum retain_fate fate(struct fixture *f, const struct jobs_record *r, const char *folder,
                             char reason[RETAIN_REASON_MAX])
{
    struct retain_folder *all = NULL;
    size_t count = 0;
    enum retain_fate it = RETAIN_STAYS;
    struct cf_err err;
    bool found = false;
    EXPECT_OK(run_prune_report(f->b.run, r->id, &all, &count, &err));
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, folder) == 0) {
            it = all[i].fate;
            retain_reason(&all[i], reason);
            found = true;
        }
    free(all);
    assert_true(found);
    return it;
}

static void expect_restorable(struct fixture *f, const char *folder)
{
    struct jobs_record r;
    run_bench_restore(&f->b, folder, &r);
    expect_done(&r);
}

static const struct run_prune last_two = { .policy = { .last = 2 } };
static const struct run_prune last_one = { .policy = { .last = 1 } };

/* --- what goes ----------------------------------------------------------------------------- */

static void what_no_rule_keeps_goes_and_the_rest_restores(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    char why[RETAIN_REASON_MAX];
    prune(f, &last_two, &r);
    expect_done(&r);
    assert_non_null(strstr(r.details, "Deleted 4 of 6 folders"));
    assert_int_equal(left(f), 0x30);
    assert_int_equal(fate(f, &r, f->folder[0], why), RETAIN_GONE);
    run_bench_restart(&f->b); /* what is told lasts */
    assert_int_equal(fate(f, &r, f->folder[5], why), RETAIN_STAYS);
    assert_string_equal(why, "keep-last, newest backup");
    expect_restorable(f, f->folder[4]);
    expect_restorable(f, f->folder[5]);
    expect_pruned(f, &last_two); /* again: nothing to do */
    assert_int_equal(left(f), 0x30);
}

static void a_dry_run_tells_and_deletes_nothing(void **state)
{
    struct fixture *f = *state;
    struct run_prune p = last_one;
    struct jobs_record r;
    char why[RETAIN_REASON_MAX];
    p.dry_run = true;
    prune(f, &p, &r);
    expect_done(&r);
    assert_non_null(strstr(r.details, "Would delete 5 of 6 folders"));
    assert_int_equal(fate(f, &r, f->folder[0], why), RETAIN_TO_GO);
    assert_string_equal(why, "no rule keeps it");
    assert_int_equal(left(f), 0x3f);
}

static void the_rest_of_a_pruning_that_was_cut_goes_with_the_next(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    /* as a kill between two blobs leaves it: no manifest, and a job that names the folder */
    struct jobs_record in = { .kind = JOBS_RETENTION };
    snprintf(in.uri, sizeof in.uri, "%s", f->b.uri);
    EXPECT_OK(jobs_start(f->b.jobs, &in, &r, &err));
    EXPECT_OK(jobs_note(f->b.jobs, r.id, f->folder[1], NULL, &err));
    assert_int_equal(unlink(run_bench_blob(&f->b, f->folder[1], "manifest")), 0);
    run_bench_restart(&f->b);
    const struct run_prune all = { .policy = { .last = 6 } };
    expect_pruned(f, &all);
    assert_int_equal(left(f), 0x3d);
}

/* --- what stays ---------------------------------------------------------------------------- */

static void the_newest_verified_backup_stays(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    char why[RETAIN_REASON_MAX];
    run_bench_verify(&f->b, f->folder[1], &r);
    expect_done(&r);
    prune(f, &last_one, &r);
    assert_int_equal(left(f), 0x22);
    fate(f, &r, f->folder[1], why);
    assert_string_equal(why, "newest verified backup");
    run_bench_verify(&f->b, f->folder[5], &r);
    expect_done(&r);
    expect_pruned(f, &last_one); /* a newer one is verified now */
    assert_int_equal(left(f), 0x20);
}

static enum cf_rc take_facts(void *ctx, const struct jobs_verified *v, struct cf_err *e)
{
    (void)e;
    *(struct jobs_verified *)ctx = *v;
    return CF_OK;
}

static void verify_sample(struct fixture *f, const char *folder, struct jobs_record *r)
{
    struct run_request q = run_bench_request(&f->b, folder, NULL);
    struct cf_err err = { 0 };
    q.choices.sample_percent = 10;
    EXPECT_OK(run_verify_start(f->b.run, &q, r, &err));
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r->id, r, &err));
    assert_int_equal(r->state, JOBS_SUCCEEDED);
}

static void a_sample_does_not_make_a_backup_a_verified_one(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    verify_sample(f, f->folder[1], &r);
    expect_pruned(f, &last_one);
    assert_int_equal(left(f), 0x20);
}

/* What stands beside a receipt is a note; only the receipt itself is signed. */
static void a_note_without_its_signed_receipt_stops_the_pruning(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r, in = { .kind = JOBS_VERIFY };
    struct jobs_receipt forged = { .len = 0 };
    struct jobs_end end = { .event = JOBS_EV_DONE, .receipt = &forged };
    struct cf_buf sample = { 0 }, other = { 0 };
    struct cf_err err = { 0 };
    verify_sample(f, f->folder[3], &r);
    EXPECT_OK(jobs_verified_each(f->b.jobs, take_facts, &forged.facts, &err)); /* the only one */
    EXPECT_OK(jobs_receipt_get(f->b.jobs, r.id, &sample, &err));
    run_bench_verify(&f->b, f->folder[1], &r);
    EXPECT_OK(jobs_receipt_get(f->b.jobs, r.id, &other, &err));
    const struct crypto_bytes as[] = {
        crypto_bytes_of("receipt", 7),
        crypto_bytes_of(sample.data, sample.len), /* signed, and of a sample */
        crypto_bytes_of(other.data, other.len),   /* signed, and of another backup */
    };
    forged.facts.whole = true;
    snprintf(in.uri, sizeof in.uri, "%s", f->b.uri);
    snprintf(in.folder, sizeof in.folder, "%s", f->folder[3]);
    for (size_t i = 0; i < 3; i++) {
        forged.bytes = as[i].p;
        forged.len = as[i].len;
        EXPECT_OK(jobs_start(f->b.jobs, &in, &r, &err));
        EXPECT_OK(jobs_finish(f->b.jobs, r.id, &end, &err));
        prune(f, &last_one, &r);
        assert_int_equal(left(f), 0x3f);
        assert_int_equal(r.state, JOBS_FAILED);
        assert_string_equal(r.error_code, "BackupNotAuthentic");
    }
    cf_buf_clear(&sample);
    cf_buf_clear(&other);
}

static void a_verified_copy_elsewhere_does_not_vouch_for_this_one(void **state)
{
    struct fixture *f = *state;
    struct run_request q = run_bench_request(&f->b, f->folder[1], NULL);
    struct jobs_record r;
    struct cf_err err = { 0 };
    char uri[200];
    snprintf(uri, sizeof uri, "%s/copies", f->b.uri);
    q.place.uri = uri;
    scratch_shell("mkdir '%s' && cp -r '%s' '%s'", run_bench_blob(&f->b, "copies", ""),
                  run_bench_blob(&f->b, f->folder[1], ""), run_bench_blob(&f->b, "copies", ""));
    EXPECT_OK(run_verify_start(f->b.run, &q, &r, &err));
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r.id, &r, &err));
    expect_done(&r);
    expect_pruned(f, &last_one);
    assert_int_equal(left(f), 0x20);
}

static void a_backup_that_failed_to_verify_is_not_taken_for_a_verified_one(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    char keep[1024];
    snprintf(keep, sizeof keep, "%s", run_bench_blob(&f->b, f->folder[1], "s2.0"));
    scratch_shell("cp '%s' '%s.keep' && printf x >>'%s'", keep, keep, keep);
    run_bench_verify(&f->b, f->folder[1], &r);
    assert_int_equal(r.state, JOBS_FAILED);
    scratch_shell("mv '%s.keep' '%s'", keep, keep);
    expect_pruned(f, &last_one);
    assert_int_equal(left(f), 0x20);
}

static void a_damaged_backup_stays_and_counts_for_nothing(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    char why[RETAIN_REASON_MAX];
    scratch_shell("printf x | dd conv=notrunc bs=1 seek=300 of='%s' 2>/dev/null",
                  run_bench_blob(&f->b, f->folder[5], "manifest"));
    assert_int_equal(unlink(run_bench_blob(&f->b, f->folder[4], "s1.0")), 0);
    scratch_shell("printf x >>'%s'", run_bench_blob(&f->b, f->folder[3], "s2.0"));
    prune(f, &last_two, &r);
    expect_done(&r);
    assert_int_equal(left(f), 0x3e); /* three damaged, the newest two whole */
    assert_int_equal(fate(f, &r, f->folder[4], why), RETAIN_STAYS);
    assert_non_null(strstr(why, "never deleted"));
    assert_non_null(strstr(r.warning, "3 folders hold a backup that does not verify"));
    expect_restorable(f, f->folder[2]);
}

static void an_unfinished_folder_stays_unless_asked_for_and_old(void **state)
{
    struct fixture *f = *state;
    struct run_prune p = last_one;
    assert_int_equal(unlink(run_bench_blob(&f->b, f->folder[0], "manifest")), 0);
    expect_pruned(f, &p);
    assert_int_equal(left(f), 0x21);
    p.policy.unfinished_age_s = RETAIN_PENDING_S;
    expect_pruned(f, &p);
    assert_int_equal(left(f), 0x21); /* 6 days old */
    hal_sim_clock_step(f->b.kb.clock, 3 * DAY_MS);
    expect_pruned(f, &p);
    assert_int_equal(left(f), 0x20);
}

static void folders_of_others_and_unknown_names_stay(void **state)
{
    struct fixture *f = *state;
    static const char *const others[] = {
        "mhsm-other-20200101000000",
        "mhsm-bench-2-20200101000000",
        "mhsm-bench-notes",
        "mhsm-bench-20209901000000",
        "photos",
        "mhsm-bench-2020010100000", /* one digit short */
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) /* whole, authentic, old */
        scratch_shell("cp -r '%s' '%s'", run_bench_blob(&f->b, f->folder[0], ""),
                      run_bench_blob(&f->b, others[i], ""));
    expect_pruned(f, &last_one);
    assert_int_equal(left(f), 0x20);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_true(there(f, others[i]));
}

static void a_backup_under_another_name_is_not_ours(void **state)
{
    struct fixture *f = *state;
    const char *renamed = "mhsm-bench-20200101000000";
    scratch_shell("mv '%s' '%s'", run_bench_blob(&f->b, f->folder[0], ""),
                  run_bench_blob(&f->b, renamed, ""));
    expect_pruned(f, &last_one);
    assert_true(there(f, renamed));
    assert_int_equal(left(f), 0x20);
}

static void backups_of_another_domain_stay(void **state)
{
    struct fixture *f = *state;
    f->b.kb.options.domain_id[0] ^= 1;
    run_bench_restart(&f->b);
    expect_pruned(f, &last_one);
    assert_int_equal(left(f), 0x3f);
}

static void backups_of_another_hsm_of_the_domain_stay(void **state)
{
    struct fixture *f = *state;
    char other[JOBS_FOLDER_SIZE];
    f->b.o.run.hsm_name = "bench-b";
    run_bench_restart(&f->b);
    snprintf(other, sizeof other, "mhsm-bench-b%s", f->folder[0] + strlen("mhsm-bench"));
    scratch_shell("cp -r '%s' '%s'", run_bench_blob(&f->b, f->folder[0], ""),
                  run_bench_blob(&f->b, other, ""));
    expect_pruned(f, &last_one);
    assert_int_equal(left(f), 0x3f);
    assert_true(there(f, other));
}

/* A standby of the same domain that took over the name: the series is not its own to thin out. */
static void backups_by_another_appliance_of_the_name_stay(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    char why[RETAIN_REASON_MAX], own[JOBS_FOLDER_SIZE];
    run_bench_verify(&f->b, f->folder[1], &r);
    f->b.o.run.appliance_id[0] ^= 1;
    run_bench_restart(&f->b);
    run_bench_backup(&f->b, &r);
    assert_int_equal(r.state, JOBS_SUCCEEDED);
    memcpy(own, r.folder, sizeof own);
    hal_sim_clock_step(f->b.kb.clock, DAY_MS);
    run_bench_backup(&f->b, &r);
    assert_int_equal(r.state, JOBS_SUCCEEDED);
    prune(f, &last_one, &r);
    assert_int_equal(r.state, JOBS_SUCCEEDED);
    assert_int_equal(left(f), 0x3f);
    assert_false(there(f, own));
    assert_int_equal(fate(f, &r, f->folder[0], why), RETAIN_STAYS);
    assert_non_null(strstr(why, "never deleted"));
}

/* Between the plan and the deed another appliance may have committed what looked unfinished. */
static void what_changed_since_the_plan_does_not_go(void **state)
{
    (void)state;
    struct survey_blob manifest = { .name = (char[]){ "manifest" }, .size = 300 };
    const struct survey_names with = { .item = &manifest, .count = 1 }, without = { 0 };
    static const struct {
        enum retain_kind kind;
        bool with, goes;
    } cases[] = {
        { RETAIN_WHOLE, true, true },       { RETAIN_WHOLE, false, false },
        { RETAIN_UNFINISHED, false, true }, { RETAIN_UNFINISHED, true, false },
        { RETAIN_HALF_GONE, false, true },  { RETAIN_HALF_GONE, true, false },
        { RETAIN_DAMAGED, true, false },    { RETAIN_FOREIGN, true, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct retain_folder f = { .kind = cases[i].kind };
        struct cf_verdict v = prune_still_goes(&f, cases[i].with ? &with : &without);
        assert_int_equal(cf_granted(&v), cases[i].goes);
    }
}

/* Who may write to the container must not take the appliance's memory. */
static void a_container_full_of_folders_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    char path[300];
    for (unsigned i = 0; i <= 50000; i++) {
        snprintf(path, sizeof path, "%s/blobs/mhsm-bench-20%06u%06u", f->b.dir, i, i);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/blobs/mhsm-bench-20%06u%06u/x", f->b.dir, i, i);
        assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
    }
    prune(f, &last_one, &r);
    assert_int_equal(r.state, JOBS_FAILED);
    assert_non_null(strstr(r.error, "too many to judge"));
    assert_int_equal(left(f), 0x3f);
}

static void young_backups_stay(void **state)
{
    struct fixture *f = *state;
    const struct run_prune p = { .policy = { .last = 1, .min_age_s = 3 * 86400 + 43200 } };
    expect_pruned(f, &p);
    assert_int_equal(left(f), 0x38); /* one, two and three days old */
}

static void what_the_storage_does_not_let_go_fails_the_job_and_stays_whole(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    if (geteuid() == 0)
        skip(); /* no directory is closed to root */
    scratch_shell("chmod 500 '%s'", run_bench_blob(&f->b, f->folder[0], ""));
    prune(f, &last_one, &r);
    scratch_shell("chmod 700 '%s'", run_bench_blob(&f->b, f->folder[0], ""));
    assert_int_equal(r.state, JOBS_FAILED);
    assert_int_equal(left(f), 0x3f);
    expect_restorable(f, f->folder[0]);
}

static void a_policy_that_keeps_nothing_starts_no_job(void **state)
{
    struct fixture *f = *state;
    const struct run_prune none = { .policy = { .min_age_s = 1 } };
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    struct jobs_record r;
    struct cf_err err = { 0 };
    q.prune = &none;
    assert_int_equal(run_prune_start(f->b.run, &q, &r, &err), CF_E_INPUT);
    assert_int_equal(left(f), 0x3f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, run_bench_tear_down)
    const struct CMUnitTest tests[] = {
        T(what_no_rule_keeps_goes_and_the_rest_restores),
        T(a_dry_run_tells_and_deletes_nothing),
        T(the_rest_of_a_pruning_that_was_cut_goes_with_the_next),
        T(the_newest_verified_backup_stays),
        T(a_sample_does_not_make_a_backup_a_verified_one),
        T(a_note_without_its_signed_receipt_stops_the_pruning),
        T(a_verified_copy_elsewhere_does_not_vouch_for_this_one),
        T(a_backup_that_failed_to_verify_is_not_taken_for_a_verified_one),
        T(a_damaged_backup_stays_and_counts_for_nothing),
        T(an_unfinished_folder_stays_unless_asked_for_and_old),
        T(folders_of_others_and_unknown_names_stay),
        T(a_backup_under_another_name_is_not_ours),
        T(backups_of_another_domain_stay),
        T(backups_of_another_hsm_of_the_domain_stay),
        T(backups_by_another_appliance_of_the_name_stay),
        T(what_changed_since_the_plan_does_not_go),
        T(a_container_full_of_folders_is_left_alone),
        T(young_backups_stay),
        T(what_the_storage_does_not_let_go_fails_the_job_and_stays_whole),
        T(a_policy_that_keeps_nothing_starts_no_job),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
