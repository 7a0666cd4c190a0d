/* A job whose end meets a full medium, in a process of its own: the limit that stands for it is the
 * process's. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "support/run_expect.h"

/* No file may grow: what a full medium does to every write. */
static void fill_medium(bool full)
{
    struct rlimit l;
    getrlimit(RLIMIT_FSIZE, &l);
    l.rlim_cur = full ? 1 : l.rlim_max;
    setrlimit(RLIMIT_FSIZE, &l);
}

static void a_job_that_ends_on_a_full_medium_ends_once_there_is_room(void **state)
{
    struct run_bench bench, *b = &bench;
    struct jobs_record r, seen;
    struct cf_err err;
    (void)state;
    run_bench_open(b, &run_bench_small);
    run_bench_fill(b);
    run_bench_backup(b, &r);
    struct run_request q = run_bench_request(b, r.folder, NULL);
    EXPECT_OK(run_restore_start(b->run, &q, &r, &err));
    fill_medium(true);
    usleep(300000); /* the restore fails meanwhile, or has ended before */
    fill_medium(false);
    run_wait(b->run);
    EXPECT_OK(jobs_get(b->jobs, r.id, &seen, &err));
    assert_int_not_equal(seen.state, JOBS_IN_PROGRESS);
    assert_false(jobs_restore_mode(b->jobs));
    run_bench_backup(b, &r);
    expect_done(&r);
    struct keystore_new n = { .spec = { .type = HAL_EC, .curve = HAL_P256 } };
    EXPECT_OK(keystore_create(b->kb.ks, "after", &n, NULL, &err));
    run_bench_close(b);
}

/* Whoever wants the writing to stop must be heard all the more. */
static void a_cancel_on_a_full_medium_stops_the_job_all_the_same(void **state)
{
    struct run_bench bench, *b = &bench;
    struct run_bench_options o = run_bench_small;
    struct jobs_record r;
    struct cf_err err;
    (void)state;
    o.bytes = 8 << 20;
    run_bench_open(b, &o);
    run_bench_fill(b);
    struct run_request q = run_bench_request(b, NULL, NULL);
    q.choices.limit_rate = JOBS_RATE_MIN; /* it lasts for a minute, if nothing stops it */
    EXPECT_OK(run_backup_start(b->run, &q, &r, &err));
    fill_medium(true);
    enum cf_rc rc = jobs_cancel(b->jobs, r.id, &err);
    bool asked = jobs_cancel_asked(b->jobs);
    fill_medium(false);
    assert_int_equal(rc, CF_E_IO);
    assert_true(asked);
    assert_non_null(strstr(err.text, "the job stops now"));
    run_wait(b->run);
    EXPECT_OK(jobs_get(b->jobs, r.id, &r, &err));
    assert_true(r.state == JOBS_CANCELED || r.state == JOBS_FAILED); /* it met the medium before */
    run_bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_that_ends_on_a_full_medium_ends_once_there_is_room),
        cmocka_unit_test(a_cancel_on_a_full_medium_stops_the_job_all_the_same),
    };
    signal(SIGXFSZ, SIG_IGN); /* for good: writes come from other threads */
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
