/* What a power cut, a lost block or another configuration must not take from a job: a cancellation,
 * its work, its words. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "hal_sim/hal_sim.h"
#include "support/blobserver.h"
#include "support/fake_token.h"
#include "support/run_expect.h"
#include "support/scratch.h"

#define BLOCKS 2 /* of the one partition, 8 MiB each */
#define WINDOW 2 /* connections */

struct fixture {
    struct test_blobserver server;
    char sas[512];
    char dir[64];
    struct run_bench_options o;
    struct run_bench b;
    bool dead;                     /* nothing of `b` is open */
    char folder[JOBS_FOLDER_SIZE]; /* "": a backup is cut, else a restore of it */
    char *id;                      /* of the job that is cut; shared by all lives */
    uint8_t state[32];
};

static int set_up(void **state)
{
    struct fixture *f = *state = calloc(1, sizeof *f);
    f->id = mmap(NULL, JOBS_ID_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(f->id, MAP_FAILED);
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
    if (!f->dead)
        run_bench_close(&f->b);
    test_blobserver_stop(&f->server);
    scratch_shell("rm -rf '%s'", f->dir);
    munmap(f->id, JOBS_ID_SIZE);
    free(f);
    return 0;
}

static void back_up(struct fixture *f)
{
    struct jobs_record r;
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    memcpy(f->folder, r.folder, sizeof f->folder);
}

static void expect_unchanged(struct fixture *f)
{
    expect_same(&f->b, f->state);
}

/* --- power is lost -------------------------------------------------------------------------------
 */

/* A life of the appliance that ends where `moment` returns. */
static void live_and_die(struct fixture *f, void (*moment)(struct fixture *f))
{
    int status;
    run_bench_close(&f->b);
    f->dead = true;
    pid_t pid = fork();
    if (pid == 0) {
        struct jobs_record r;
        run_bench_open(&f->b, &f->o);
        struct run_request q = run_bench_request(&f->b, f->folder[0] ? f->folder : NULL, NULL);
        enum cf_rc rc = f->folder[0] ? run_restore_start(f->b.run, &q, &r, NULL)
                                     : run_backup_start(f->b.run, &q, &r, NULL);
        memcpy(f->id, r.id, sizeof r.id);
        if (rc == CF_OK)
            moment(f);
        kill(getpid(), rc == CF_OK ? SIGKILL : SIGABRT);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static struct jobs_record go_on(struct fixture *f)
{
    struct jobs_record r;
    struct cf_err err;
    run_bench_open(&f->b, &f->o);
    f->dead = false;
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, f->id, &r, &err));
    return r;
}

/* Aborts where the rule meets nothing. */
static void until_it_hangs(struct fixture *f)
{
    for (int i = 0; test_blobserver_stat(&f->server, "faults") == 0; i++) {
        if (i > 20000)
            abort();
        usleep(1000);
    }
}

static void cancel_once_it_hangs(struct fixture *f)
{
    until_it_hangs(f);
    if (jobs_cancel(f->b.jobs, f->id, NULL) != CF_OK)
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
    for (size_t i = 0; i < 3; i++) {
        print_message("  %s\n", cuts[i].rule);
        f->folder[0] = 0;
        if (cuts[i].restore)
            back_up(f);
        test_blobserver_no_stats(&f->server);
        test_blobserver_fault(&f->server, cuts[i].rule);
        live_and_die(f, cancel_once_it_hangs);
        test_blobserver_no_faults(&f->server);
        r = go_on(f);
        assert_int_equal(r.state, JOBS_CANCELED);
        assert_string_equal(r.details, "The job was canceled");
        assert_non_null(strstr(r.warning, cuts[i].warning));
        assert_false(jobs_restore_mode(f->b.jobs));
        expect_unchanged(f);
        back_up(f); /* nothing of it is in the way */
    }
}

/* --- blocks vanish between their answer and the block list ---------------------------------------
 */

static void expect_restores(struct fixture *f, const char *folder)
{
    char name[JOBS_FOLDER_SIZE];
    struct jobs_record r;
    snprintf(name, sizeof name, "%s", folder);
    run_bench_restore(&f->b, name, &r);
    expect_done(&r);
    expect_unchanged(f);
}

static void blocks_that_vanish_from_a_running_backup_are_sent_again(void **state)
{
    static const struct {
        const char *rule;
        uint64_t puts; /* Put Block in all, the probe's too */
    } losses[] = {
        { "op=PutBlockList blob=s2 nth=1 action=forget", 3 + 2 * BLOCKS },
        { "op=PutBlockList blob=s2 from=1 times=4 action=forget", 3 + 5 * BLOCKS },
    };
    struct fixture *f = *state;
    struct jobs_record r;
    for (size_t i = 0; i < 2; i++) {
        print_message("  %s\n", losses[i].rule);
        test_blobserver_no_stats(&f->server);
        test_blobserver_fault(&f->server, losses[i].rule);
        run_bench_backup(&f->b, &r);
        expect_done(&r);
        assert_non_null(strstr(r.warning, "sent again"));
        /* the folder's first name is taken where both were begun within a second */
        assert_in_range(test_blobserver_stat(&f->server, "PutBlock"), losses[i].puts,
                        losses[i].puts + i);
        test_blobserver_no_faults(&f->server);
        expect_restores(f, r.folder);
    }
}

/* The snapshot that the records are of is gone by then: both streams start over, and where one of
 * them is a blob already, the backup does, in another folder. */
static void records_that_vanish_start_over(void **state)
{
    static const char *const rules[] = { "op=PutBlockList blob=s0 nth=1 action=forget",
                                         "op=PutBlockList blob=s1 nth=1 action=forget" };
    struct fixture *f = *state;
    struct jobs_record r;
    for (size_t i = 0; i < 2; i++) {
        print_message("  %s\n", rules[i]);
        test_blobserver_fault(&f->server, rules[i]);
        run_bench_backup(&f->b, &r);
        expect_done(&r);
        test_blobserver_no_faults(&f->server);
        expect_restores(f, r.folder);
    }
}

static void a_storage_that_keeps_no_block_is_not_tried_for_ever(void **state)
{
    static const char *const rules[] = { "op=PutBlockList blob=s0 every=1 action=forget",
                                         "op=PutBlockList blob=s1 every=1 action=forget",
                                         "op=PutBlockList blob=s2 every=1 action=forget" };
    struct fixture *f = *state;
    struct jobs_record r;
    for (size_t i = 0; i < 3; i++) {
        test_blobserver_fault(&f->server, rules[i]);
        run_bench_backup(&f->b, &r);
        assert_int_equal(r.state, JOBS_FAILED);
        print_message("  %s: %s\n", r.error_code, r.error);
        assert_non_null(strstr(r.error, "blocks vanished from the storage 5 times"));
        test_blobserver_no_faults(&f->server);
    }
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    assert_null(strstr(r.warning, "vanished"));
}

/* Nobody can say what is there: all of it is sent again, into another folder. */
static void without_the_right_to_read_all_is_sent_again(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    test_blobserver_sas("cw", "60", NULL, f->sas);
    test_blobserver_fault(&f->server, "op=PutBlockList blob=s2 nth=1 action=forget");
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    test_blobserver_no_faults(&f->server);
    test_blobserver_sas("rl", "60", NULL, f->sas);
    expect_restores(f, r.folder);
}

/* --- the token's worker is slow to come back
 * ------------------------------------------------------
 */

static void a_token_that_fails_once_at_the_start_loses_no_job(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    test_blobserver_fault(&f->server, "op=PutBlock blob=s2 from=1 action=hang");
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    fake_token_fail(f->b.kb.token, CF_E_TOKEN, 1);
    EXPECT_OK(run_backup_start(f->b.run, &q, &r, &err));
    until_it_hangs(f);
    run_close(f->b.run);
    f->b.run = NULL;
    test_blobserver_no_faults(&f->server);
    f->b.o.token_fails = 1;
    run_bench_restart(&f->b);
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r.id, &r, &err));
    expect_done(&r);
}

/* --- another world at the next start
 * --------------------------------------------------------------
 */

/* A stop of the daemon while the partition is sent. */
static void stop_under_way(struct fixture *f)
{
    struct jobs_record r;
    struct cf_err err;
    test_blobserver_no_stats(&f->server);
    test_blobserver_fault(&f->server, "op=PutBlock blob=s2 from=1 action=hang");
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    EXPECT_OK(run_backup_start(f->b.run, &q, &r, &err));
    memcpy(f->id, r.id, sizeof r.id);
    until_it_hangs(f);
    run_bench_close(&f->b);
    f->dead = true;
    test_blobserver_no_faults(&f->server);
}

static void other_settings_at_the_next_start_lose_no_job(void **state)
{
    static const struct {
        size_t partitions;
        unsigned connections, threads, record_block;
        uint8_t chunk_log2;
        const char *names[2];
    } worlds[] = {
        { 2, WINDOW, 1, 0, 0, { "part0", "more" } },  /* a partition more */
        { 0, WINDOW, 1, 0, 0, { "part0" } },          /* none any more */
        { 2, WINDOW, 1, 0, 0, { "front", "part0" } }, /* another order */
        { 1, 7, 3, 1 << 16, 0, { "part0" } },         /* other connections, blocks of records */
        { 1, WINDOW, 1, 1 << 16, 16, { "part0" } },   /* other chunks */
    };
    struct fixture *f = *state;
    const struct run_bench_options before = f->o;
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++) {
        stop_under_way(f);
        f->o.partitions = worlds[i].partitions;
        f->o.names = worlds[i].names;
        f->o.run.connections = worlds[i].connections;
        f->o.run.threads = worlds[i].threads;
        f->o.run.record_block = worlds[i].record_block;
        f->o.run.chunk_log2 = worlds[i].chunk_log2;
        struct jobs_record r = go_on(f);
        expect_done(&r);
        char folder[JOBS_FOLDER_SIZE];
        memcpy(folder, r.folder, sizeof folder);
        run_bench_verify(&f->b, folder, &r);
        expect_done(&r);
        run_bench_close(&f->b);
        f->o = before;
        run_bench_open(&f->b, &f->o);
    }
}

/* A board without a clock of its own begins at some moment of the past. */
static void a_clock_that_was_set_back_stops_no_job(void **state)
{
    struct fixture *f = *state;
    char sas[512], st[32];
    struct tm tm;
    f->o.own_clock = false;
    f->o.ahead_ms = INT64_C(86400000) * 100;
    time_t then = (time_t)((hal_clock_unix_ms(f->b.kb.clock) + f->o.ahead_ms) / 1000);
    test_blobserver_sas("rcwdl", "60", NULL, sas);
    strftime(st, sizeof st, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &tm));
    snprintf(f->sas, sizeof f->sas, "st=%s&%.450s", st, sas);
    test_blobserver_no_stats(&f->server);
    test_blobserver_fault(&f->server, "op=PutBlock blob=s2 from=1 action=hang");
    live_and_die(f, until_it_hangs);
    test_blobserver_no_faults(&f->server);
    f->o.ahead_ms = 0;
    f->o.run.patience_ms = 500; /* and stays so */
    struct jobs_record r = go_on(f);
    expect_done(&r);
}

static void a_job_waits_for_a_clock_that_is_still_to_be_set(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    f->o.own_clock = false;
    f->o.run.patience_ms = 0; /* the usual one: two minutes of it for the clock */
    f->o.ahead_ms = INT64_C(86400000) * 100;
    test_blobserver_no_stats(&f->server);
    test_blobserver_fault(&f->server, "op=PutBlock blob=s2 from=1 action=hang");
    live_and_die(f, until_it_hangs);
    test_blobserver_no_faults(&f->server);
    test_blobserver_no_stats(&f->server);
    f->o.ahead_ms = 0;
    run_bench_open(&f->b, &f->o);
    f->dead = false;
    do {
        usleep(1000);
        EXPECT_OK(jobs_get(f->b.jobs, f->id, &r, &err));
    } while (r.state == JOBS_IN_PROGRESS && !strstr(r.details, "waiting for the clock"));
    assert_int_equal(r.state, JOBS_IN_PROGRESS);
    assert_int_equal(test_blobserver_stat(&f->server, "GetBlockList"), 0);
    hal_sim_clock_jump(f->b.kb.clock, INT64_C(86400000) * 100);
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, f->id, &r, &err));
    expect_done(&r);
}

static void what_cannot_be_kept_fails_the_job_in_words(void **state)
{
    static const char *const names[] = { "job.request", "backup.journal", "restore.journal" };
    struct fixture *f = *state;
    struct jobs_record r;
    back_up(f);
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        assert_int_equal(mkdir(path, 0700), 0); /* no file can be made or replaced there */
        if (i < 2)
            run_bench_backup(&f->b, &r);
        else
            run_bench_restore(&f->b, f->folder, &r);
        print_message("  %s: %s\n", r.error_code, r.error);
        assert_int_equal(r.state, JOBS_FAILED);
        assert_non_null(strstr(r.error, names[i]));
        assert_false(jobs_restore_mode(f->b.jobs));
        assert_int_equal(rmdir(path), 0);
        expect_same(&f->b, f->state);
    }
    back_up(f);
    expect_restores(f, f->folder);
}

/* The second copy is made up for, too. */
static void a_kill_right_behind_the_commit_is_success(void **state)
{
    struct fixture *f = *state;
    test_blobserver_no_stats(&f->server);
    test_blobserver_fault(&f->server, "op=PutBlob blob=manifest.copy action=hang");
    live_and_die(f, until_it_hangs);
    test_blobserver_no_faults(&f->server);
    struct jobs_record r = go_on(f);
    expect_done(&r);
    assert_null(strstr(r.warning, "copy"));
    assert_int_equal(test_blobserver_stat(&f->server, "PutBlob.refused"), 1); /* the manifest's */
    expect_restores(f, r.folder);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_cancel_that_was_answered_outlives_a_power_cut),
        T(a_token_that_fails_once_at_the_start_loses_no_job),
        T(other_settings_at_the_next_start_lose_no_job),
        T(a_clock_that_was_set_back_stops_no_job),
        T(a_job_waits_for_a_clock_that_is_still_to_be_set),
        T(what_cannot_be_kept_fails_the_job_in_words),
        T(a_kill_right_behind_the_commit_is_success),
        T(blocks_that_vanish_from_a_running_backup_are_sent_again),
        T(records_that_vanish_start_over),
        T(a_storage_that_keeps_no_block_is_not_tried_for_ever),
        T(without_the_right_to_read_all_is_sent_again),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
