/* Backup and restore against a blob server that misbehaves as scripted: what is worth another
 * attempt gets one, under a new salt; what is not ends the job at once. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "support/blobserver.h"
#include "support/run_expect.h"
#include "support/seals.h"

static struct seals seals;

struct fixture {
    struct test_blobserver server;
    char sas[512];
    struct run_bench b;
    uint8_t state[32];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    test_blobserver_start(&f->server, NULL);
    test_blobserver_sas("rcwdl", "60", NULL, f->sas);
    struct run_bench_options o = {
        .partitions = 1,
        .bytes = 40 << 20,
        .own_clock = true,
        .uri = f->server.url,
        .token = f->sas,
        .run = { .threads = 2, .connections = 4, .attempts = 5, .patience_ms = 20000 }
    };
    o.run.storage.stall_timeout_ms = 1000;
    o.run.domain.recorder = &seals.recorder;
    run_bench_open(&f->b, &o);
    run_bench_fill(&f->b);
    run_bench_state(&f->b, f->state);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    run_bench_close(&f->b);
    test_blobserver_stop(&f->server);
    free(f);
    return 0;
}

/* A restore brings back what was there; something later is taken away to see it. */
static void expect_restores(struct fixture *f, const char *folder)
{
    struct jobs_record r;
    char name[JOBS_FOLDER_SIZE];
    snprintf(name, sizeof name, "%s", folder);
    run_bench_write(&f->b, 0, "later", 30 << 20);
    run_bench_restore(&f->b, name, &r);
    expect_done(&r);
    expect_same(&f->b, f->state);
}

static void a_backup_gets_through_what_passes(void **state)
{
    static const char *const rules[] = {
        "op=PutBlock every=3 times=3 action=status:503 code=ServerBusy",
        "op=PutBlock nth=2 action=reset:head",
        "op=PutBlock nth=3 action=reset:100000",
        "op=PutBlock nth=4 action=reset:end",
        "op=PutBlock nth=2 action=commit-reset", /* both attempts lie there */
        "op=PutBlock nth=4 action=early-status:500",
        "op=PutBlock nth=3 action=hang",             /* the stall timeout ends it */
        "op=PutBlock nth=4 action=delay:1500",       /* lands after its second try began */
        "op=PutBlockList nth=1 action=commit-reset", /* the probe's */
        "op=PutBlockList nth=2 action=commit-reset",
        "op=PutBlockList nth=3 action=status:500",
        "op=PutBlob blob=meta action=commit-reset",
        "op=PutBlob blob=manifest action=commit-reset",
        "op=PutBlob blob=manifest action=status:503",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct jobs_record r;
        test_blobserver_fault(&f->server, rules[i]);
        run_bench_backup(&f->b, &r);
        print_message("  %s: %s\n", rules[i], jobs_state_name(r.state));
        expect_done(&r);
        assert_true(test_blobserver_stat(&f->server, "faults") > 0);
        test_blobserver_no_faults(&f->server);
        test_blobserver_no_stats(&f->server);
        expect_restores(f, r.folder);
    }
}

static void a_refusal_ends_the_backup_at_once(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    test_blobserver_fault(&f->server, "every=1 action=status:403 code=AuthorizationFailure");
    run_bench_backup(&f->b, &r);
    assert_int_equal(r.state, JOBS_FAILED);
    assert_string_equal(r.error_code, "BadRequest");
    assert_int_equal(test_blobserver_stat(&f->server, "PutBlock"), 1); /* the probe found out */
    assert_int_equal(test_blobserver_stat(&f->server, "PutBlob"), 1);
    test_blobserver_no_faults(&f->server);
    test_blobserver_no_stats(&f->server);
    test_blobserver_fault(&f->server, "op=PutBlock blob=s2 every=1 action=status:409 "
                                      "code=BlobImmutableDueToPolicy");
    run_bench_backup(&f->b, &r);
    assert_int_equal(r.state, JOBS_FAILED);
    print_message("  %s\n", r.error);
    assert_true(test_blobserver_stat(&f->server, "PutBlock") <= 8);
    run_bench_restore(&f->b, r.folder, &r);
    assert_int_equal(r.state, JOBS_FAILED);
}

static void attempts_are_bounded_until_the_storage_was_reached(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    f->b.o.run.attempts = 2;
    run_bench_restart(&f->b);
    test_blobserver_fault(&f->server, "op=PutBlock every=1 action=status:503");
    run_bench_backup(&f->b, &r);
    assert_int_equal(r.state, JOBS_FAILED);
    assert_non_null(strstr(r.error, "given up after 2 attempts"));
    assert_int_equal(test_blobserver_stat(&f->server, "PutBlock"), 2);
}

static void once_it_was_reached_the_time_without_a_success_decides(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r, seen = { .details = "" };
    struct cf_err err;
    f->b.o.run.attempts = 2;
    f->b.o.run.patience_ms = 1500;
    run_bench_restart(&f->b);
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    test_blobserver_fault(&f->server, "op=PutBlock blob=s0 every=1 action=status:503");
    EXPECT_OK(run_backup_start(f->b.run, &q, &r, &err));
    do { /* the status says meanwhile why it does not get on */
        if (strstr(r.details, "waiting for the storage since"))
            seen = r;
        usleep(1000);
        EXPECT_OK(jobs_get(f->b.jobs, r.id, &r, &err));
    } while (r.state == JOBS_IN_PROGRESS);
    assert_non_null(strstr(seen.details, "busy"));
    run_wait(f->b.run);
    assert_int_equal(r.state, JOBS_FAILED);
    assert_string_equal(r.error_code, "ServiceUnavailable");
    assert_non_null(strstr(r.error, "nothing went through for 1 min; check network"));
    assert_true(test_blobserver_stat(&f->server, "PutBlock") > 1 + 2);
}

static void a_canceled_backup_stops_and_is_no_backup(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    test_blobserver_fault(&f->server, "op=PutBlock blob=s2 every=1 action=hang");
    EXPECT_OK(run_backup_start(f->b.run, &q, &r, &err));
    EXPECT_OK(jobs_cancel(f->b.jobs, r.id, &err));
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r.id, &r, &err));
    assert_int_equal(r.state, JOBS_CANCELED);
    test_blobserver_no_faults(&f->server);
    run_bench_backup(&f->b, &r); /* and the next one works */
    expect_done(&r);
}

static void a_blob_that_is_not_as_long_as_it_was_sent_fails_the_backup(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    test_blobserver_fault(&f->server, "op=HeadBlob blob=s2 action=length:17");
    run_bench_backup(&f->b, &r);
    assert_int_equal(r.state, JOBS_FAILED);
    assert_non_null(strstr(r.error, "has 17 bytes"));
}

static void a_missing_second_copy_is_a_warning(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    test_blobserver_fault(&f->server, "op=PutBlob blob=manifest.copy action=status:403");
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    assert_non_null(strstr(r.warning, "second copy"));
}

static void a_restore_gets_through_what_passes_and_writes_nothing_false(void **state)
{
    static const char *const rules[] = {
        "op=GetBlob nth=1 action=status:503",
        "op=GetBlob nth=2 action=truncate:50",
        "op=GetBlob nth=1 action=unsized:10",
        "op=GetBlob nth=2 action=unsized:50",
        "op=GetBlob blob=s2 nth=2 action=unsized:1000000",
        "op=GetBlob blob=s0 action=truncate:300000",
        "op=GetBlob blob=s2 nth=2 action=truncate:1000000",
        "op=GetBlob blob=s2 nth=3 action=reset:end",
        "op=GetBlob blob=s2 every=2 times=2 action=status:500",
    };
    struct fixture *f = *state;
    struct jobs_record r;
    char folder[JOBS_FOLDER_SIZE];
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    memcpy(folder, r.folder, sizeof folder);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        print_message("  %s\n", rules[i]);
        test_blobserver_fault(&f->server, rules[i]);
        expect_restores(f, folder);
        test_blobserver_no_faults(&f->server);
    }
    static const char *const lies[] = {
        "op=GetBlob nth=1 action=flip:40",         "op=GetBlob nth=2 action=flip:400",
        "op=GetBlob blob=meta action=flip:300",    "op=GetBlob blob=s0 action=flip:200000",
        "op=GetBlob blob=s1 action=flip:100",      "op=GetBlob blob=s2 nth=4 action=flip:3",
        "op=GetBlob blob=s2 nth=5 action=flip:50",
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        test_blobserver_fault(&f->server, lies[i]);
        run_bench_restore(&f->b, folder, &r);
        print_message("  %s: %s\n", lies[i], r.error_code);
        assert_int_equal(r.state, JOBS_FAILED);
        test_blobserver_no_faults(&f->server);
        expect_same(&f->b, f->state);
    }
}

/* The far side took the manifest though it said otherwise: its number must not come again. */
static void a_manifest_that_may_be_out_there_has_used_its_number(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    char folder[JOBS_FOLDER_SIZE];
    f->b.o.run.patience_ms = 300;
    f->b.o.run.storage.stall_timeout_ms = 60000; /* a busy machine is no failure */
    run_bench_restart(&f->b);
    test_blobserver_fault(&f->server, "op=PutBlob blob=manifest every=1 action=commit-status:500");
    run_bench_backup(&f->b, &r);
    assert_int_equal(r.state, JOBS_FAILED);
    memcpy(folder, r.folder, sizeof folder);
    test_blobserver_no_faults(&f->server);
    run_bench_restart(&f->b);
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    run_bench_restore(&f->b, folder, &r);
    expect_done(&r);
    assert_non_null(strstr(r.warning, "this is backup 1 of this appliance; the newest is 2"));
}

/* At this pace the manifest alone would take half an hour. */
static void a_far_side_that_dribbles_does_not_hold_up_a_cancellation(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err e = { 0 };
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    test_blobserver_fault(&f->server, "op=GetBlob nth=2 action=drip:1");
    struct run_request q = run_bench_request(&f->b, r.folder, NULL);
    if (run_restore_start(f->b.run, &q, &r, &e) != CF_OK)
        fail_msg("%s", e.text);
    while (test_blobserver_stat(&f->server, "GetBlob") < 2)
        usleep(1000);
    assert_int_equal(jobs_cancel(f->b.jobs, r.id, NULL), CF_OK);
    run_wait(f->b.run);
    assert_int_equal(jobs_get(f->b.jobs, r.id, &r, NULL), CF_OK);
    assert_int_equal(r.state, JOBS_CANCELED);
    assert_string_equal(r.details, "The job was canceled");
    assert_false(jobs_restore_mode(f->b.jobs));
}

static void no_key_met_a_nonce_twice_in_all_of_this(void **state)
{
    (void)state;
    assert_true(seals_count(&seals) > 1000 || !CF_DEBUG_RECORDERS);
    seals_expect_no_pair_twice(&seals);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_backup_gets_through_what_passes),
        T(a_refusal_ends_the_backup_at_once),
        T(attempts_are_bounded_until_the_storage_was_reached),
        T(once_it_was_reached_the_time_without_a_success_decides),
        T(a_canceled_backup_stops_and_is_no_backup),
        T(a_blob_that_is_not_as_long_as_it_was_sent_fails_the_backup),
        T(a_missing_second_copy_is_a_warning),
        T(a_restore_gets_through_what_passes_and_writes_nothing_false),
        T(a_manifest_that_may_be_out_there_has_used_its_number),
        T(a_far_side_that_dribbles_does_not_hold_up_a_cancellation),
        cmocka_unit_test(no_key_met_a_nonce_twice_in_all_of_this), /* last */
    };
    seals_open(&seals);
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
