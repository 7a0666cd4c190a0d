/* What a power cut, a lost block or another configuration must not take from a job: a cancellation,
 * its work, its words. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "support/blobserver.h"
#include "support/run_bench.h"

#define BLOCKS 5 /* of the one partition, 8 MiB each */
#define WINDOW 2 /* connections */

struct fixture {
    struct test_blobserver server;
    char sas[512];
    char dir[64];
    struct run_bench_options o;
    struct run_bench b;
    char folder[JOBS_FOLDER_SIZE]; /* "": a backup is cut, else a restore of it */
    uint8_t state[32];
};

static int set_up(void **state)
{
    struct fixture *f = *state = calloc(1, sizeof *f);
    test_blobserver_start(&f->server, NULL);
    test_blobserver_sas("rcwdl", "60", NULL, f->sas);
    snprintf(f->dir, sizeof f->dir, "/dev/shm/coffer-durable-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->o = (struct run_bench_options){
        .dir = f->dir,
        .partitions = 1,
        .bytes = (uint64_t)BLOCKS << 23,
        .own_clock = true,
        .uri = f->server.url,
        .token = f->sas,
        .run = { .threads = 1, .connections = WINDOW, .attempts = 3, .patience_ms = 20000 }
    };
    run_bench_open(&f->b, &f->o);
    run_bench_fill(&f->b);
    run_bench_state(&f->b, f->state);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char cmd[128];
    run_bench_close(&f->b);
    test_blobserver_stop(&f->server);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", f->dir);
    assert_int_equal(system(cmd), 0);
    free(f);
    return 0;
}

static void succeed(const struct jobs_record *r)
{
    if (r->state != JOBS_SUCCEEDED)
        fail_msg("%s: %s", jobs_state_name(r->state), r->error);
}

static void back_up(struct fixture *f)
{
    struct jobs_record r;
    run_bench_backup(&f->b, &r);
    succeed(&r);
    memcpy(f->folder, r.folder, sizeof f->folder);
}

static void expect_unchanged(struct fixture *f)
{
    uint8_t now[32];
    run_bench_state(&f->b, now);
    assert_memory_equal(now, f->state, 32);
}

/* --- power is lost -------------------------------------------------------------------------------
 */

/* A life of the appliance that ends where `moment` returns. */
static void live_and_die(struct fixture *f, void (*moment)(struct fixture *f, const char *id))
{
    int status;
    run_bench_close(&f->b);
    pid_t pid = fork();
    if (pid == 0) {
        struct jobs_record r;
        run_bench_open(&f->b, &f->o);
        struct run_request q = run_bench_request(&f->b, f->folder[0] ? f->folder : NULL, NULL);
        enum cf_rc rc = f->folder[0] ? run_restore_start(f->b.run, &q, &r, NULL)
                                     : run_backup_start(f->b.run, &q, &r, NULL);
        if (rc == CF_OK)
            moment(f, r.id);
        kill(getpid(), rc == CF_OK ? SIGKILL : SIGABRT);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void cancel_once_it_hangs(struct fixture *f, const char *id)
{
    while (test_blobserver_stat(&f->server, "faults") == 0)
        usleep(1000);
    if (jobs_cancel(f->b.jobs, id, NULL) != CF_OK)
        abort();
}

static void a_cancel_that_was_answered_outlives_a_power_cut(void **state)
{
    static const struct {
        bool restore;
        const char *rule, *warning;
    } cuts[] = {
        { false, "op=PutBlock blob=s2 from=2 action=hang", "" },
        { false, "op=PutBlob blob=manifest from=1 action=hang", "may hold a whole backup" },
        { true, "op=GetBlob blob=s2 from=2 action=hang", "" },
    };
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    for (size_t i = 0; i < 3; i++) {
        print_message("  %s\n", cuts[i].rule);
        f->folder[0] = 0;
        if (cuts[i].restore)
            back_up(f);
        test_blobserver_no_stats(&f->server);
        test_blobserver_fault(&f->server, cuts[i].rule);
        live_and_die(f, cancel_once_it_hangs);
        test_blobserver_no_faults(&f->server);
        run_bench_open(&f->b, &f->o);
        run_wait(f->b.run);
        EXPECT_OK(jobs_last(f->b.jobs, cuts[i].restore ? JOBS_RESTORE : JOBS_BACKUP, &r, &err));
        assert_int_equal(r.state, JOBS_CANCELED);
        assert_string_equal(r.details, "The job was canceled");
        assert_non_null(strstr(r.warning, cuts[i].warning));
        assert_false(jobs_restore_mode(f->b.jobs));
        expect_unchanged(f);
        back_up(f); /* nothing of it is in the way */
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_cancel_that_was_answered_outlives_a_power_cut),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
