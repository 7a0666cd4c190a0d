/* What operators ask of a running job: to end, wherever it waits; to keep to a rate and a number of
 * connections. */
#include "support/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "run/plan.h"
#include "support/blobserver.h"
#include "support/run_expect.h"

#define MIB         (1u << 20)
#define FOR_EVER_MS 3600000 /* nothing but a cancellation ends what hangs */

struct fixture {
    struct test_blobserver server;
    char sas[512];
    struct run_bench b;
    char folder[JOBS_FOLDER_SIZE];
    uint8_t state[32];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct jobs_record r;
    test_blobserver_start(&f->server, NULL);
    test_blobserver_sas("rcwdl", "60", NULL, f->sas);
    struct run_bench_options o = { .partitions = 1,
                                   .bytes = 6 * MIB,
                                   .own_clock = true,
                                   .uri = f->server.url,
                                   .token = f->sas,
                                   .run = { .threads = 2, .connections = 4 } };
    o.run.storage.stall_timeout_ms = FOR_EVER_MS;
    run_bench_open(&f->b, &o);
    run_bench_fill(&f->b);
    run_bench_state(&f->b, f->state);
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    memcpy(f->folder, r.folder, sizeof f->folder);
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

typedef enum cf_rc start_fn(struct run *r, const struct run_request *q, struct jobs_record *out,
                            struct cf_err *e);

static const struct waiting {
    start_fn *start;
    const char *rule; /* what the far side does */
} waits[] = {
    { run_backup_start, "op=PutBlock nth=1 action=hang" }, /* the probe's */
    { run_backup_start, "op=PutBlockList nth=1 action=hang" },
    { run_backup_start, "op=PutBlock blob=s0 every=1 action=hang" },
    { run_backup_start, "op=PutBlock blob=s2 every=1 action=hang" },
    { run_backup_start, "op=PutBlock blob=s2 every=1 action=status:503 retry-after=100" },
    { run_backup_start, "op=PutBlockList blob=s0 every=1 action=hang" },
    { run_backup_start, "op=PutBlockList blob=s2 every=1 action=status:503 retry-after=100" },
    { run_backup_start, "op=PutBlob blob=meta every=1 action=hang" },
    { run_backup_start, "op=PutBlob blob=manifest every=1 action=hang" },
    { run_backup_start, "op=PutBlob blob=manifest every=1 action=status:503 retry-after=100" },
    { run_restore_start, "op=GetBlob nth=1 action=hang" },
    { run_restore_start, "op=GetBlob nth=2 action=hang" },
    { run_restore_start, "op=GetBlob blob=meta every=1 action=hang" },
    { run_restore_start, "op=GetBlob blob=s0 every=1 action=hang" },
    { run_restore_start, "op=GetBlob blob=s1 every=1 action=status:503 retry-after=100" },
    { run_restore_start, "op=GetBlob blob=s2 every=1 action=hang" },
    { run_restore_start, "op=GetBlob blob=s2 every=1 action=drip:1" },
    { run_selective_start, "op=GetBlob nth=3 action=hang" },
    { run_plan_start, "op=GetBlob blob=s0 every=1 action=hang" },
    { run_verify_start, "op=GetBlob blob=s2 every=1 action=hang" },
};

static void expect_canceled(struct fixture *f, const char *id)
{
    struct jobs_record r;
    struct cf_err err;
    EXPECT_OK(jobs_cancel(f->b.jobs, id, &err));
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, id, &r, &err));
    assert_int_equal(r.state, JOBS_CANCELED);
    assert_string_equal(r.details, "The job was canceled");
    EXPECT_RC(CF_E_STATE, jobs_cancel(f->b.jobs, id, &err));
    assert_false(jobs_restore_mode(f->b.jobs));
    expect_same(&f->b, f->state);
    run_bench_restart(&f->b); /* what was interrupted goes on then, what was canceled does not */
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, id, &r, &err));
    assert_int_equal(r.state, JOBS_CANCELED);
}

static void a_job_is_canceled_wherever_it_waits(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct run_request q = run_bench_request(&f->b, f->folder, "alpha");
        struct jobs_record r;
        struct cf_err err;
        print_message("  %s\n", waits[i].rule);
        test_blobserver_no_faults(&f->server);
        test_blobserver_no_stats(&f->server);
        test_blobserver_fault(&f->server, waits[i].rule);
        if (waits[i].start == run_restore_start || waits[i].start == run_verify_start)
            q.key = NULL;
        if (waits[i].start == run_plan_start)
            q.key = NULL;
        EXPECT_OK(waits[i].start(f->b.run, &q, &r, &err));
        while (test_blobserver_stat(&f->server, "faults") == 0)
            usleep(1000);
        expect_canceled(f, r.id);
    }
    struct jobs_record r;
    test_blobserver_no_faults(&f->server);
    run_bench_restore(&f->b, f->folder, &r); /* and afterwards all is as ever */
    expect_done(&r);
}

/* A port that answers no connection attempt: its queue is full. */
static void a_storage_that_is_dead_does_not_hold_up_a_cancellation(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int full[4], listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct jobs_record r;
    struct cf_err err;
    char uri[128];
    assert_int_equal(bind(listener, (struct sockaddr *)(void *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)(void *)&at, &len), 0);
    for (size_t i = 0; i < 4; i++) {
        full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(full[i], (struct sockaddr *)(void *)&at, sizeof at);
    }
    snprintf(uri, sizeof uri, "http://127.0.0.1:%u/devstoreaccount1/coffer", ntohs(at.sin_port));
    for (int restore = 0; restore < 2; restore++) {
        struct run_request q = run_bench_request(&f->b, f->folder, NULL);
        q.place.uri = uri;
        EXPECT_OK(restore ? run_restore_start(f->b.run, &q, &r, &err)
                          : run_backup_start(f->b.run, &q, &r, &err));
        usleep(50000); /* it may have begun to connect, or not yet */
        expect_canceled(f, r.id);
    }
    for (size_t i = 0; i < 4; i++)
        close(full[i]);
    close(listener);
}

/* Nothing that a backup could leave out. */
static void fill_densely(struct fixture *f)
{
    uint8_t *all = malloc(6 * MIB);
    int fd = open(run_bench_part(&f->b, 0), O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < 6 * MIB; i++)
        all[i] = (uint8_t)((i * 2654435761u) >> 13 | 1);
    assert_int_equal(pwrite(fd, all, 6 * MIB, 0), 6 * MIB);
    close(fd);
    free(all);
}

/* No clock makes a job faster than its limit, so the bound holds on any machine. What one piece a
 * connection and a quarter of a second hold may go at once. */
static void a_limit_holds_for_all_connections_together_both_ways(void **state)
{
    struct fixture *f = *state;
    const uint64_t limit = 4 * MIB;
    struct jobs_record r;
    struct cf_err err;
    fill_densely(f);
    for (int way = 0; way < 2; way++) {
        struct run_request q = run_bench_request(&f->b, f->folder, NULL);
        q.choices = (struct jobs_choices){ .limit_rate = limit, .connections = 3 };
        test_blobserver_no_stats(&f->server);
        EXPECT_OK(way ? run_restore_start(f->b.run, &q, &r, &err)
                      : run_backup_start(f->b.run, &q, &r, &err));
        run_wait(f->b.run);
        EXPECT_OK(jobs_get(f->b.jobs, r.id, &r, &err));
        expect_done(&r);
        memcpy(f->folder, r.folder, sizeof f->folder);
        uint64_t at_once = limit / 4 + 4 * 260 * 1024;
        print_message("  %llu KiB in %llu ms\n", (unsigned long long)r.bytes / 1024,
                      (unsigned long long)r.elapsed_ms);
        assert_true(r.bytes > 6 * MIB);
        assert_true(r.bytes <= limit * r.elapsed_ms / 1000 + at_once);
        assert_true(test_blobserver_stat(&f->server, "connections_most") <= 3 + 1);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_job_is_canceled_wherever_it_waits),
        T(a_storage_that_is_dead_does_not_hold_up_a_cancellation),
        T(a_limit_holds_for_all_connections_together_both_ways),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
