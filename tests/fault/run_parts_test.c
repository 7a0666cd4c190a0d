/* Streams of several blobs, which take more than 32,768 blocks but in tests: made, cut off and gone
 * on with, read back, damaged. In both layouts, though one has no such blobs. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "support/blobserver.h"
#include "support/run_expect.h"
#include "support/scratch.h"

#define BLOCKS   7 /* of the one partition, 8 MiB each: s2.0 to s2.2 have three, three and one */
#define A_BLOB   3
#define PARTS    3
#define LATER_AT (50L << 20) /* where restores have something to take back */
#define WINDOW   2           /* connections */
#define KEYS     60          /* in more than one blob too */

struct fixture {
    struct test_blobserver server;
    bool whole; /* layout 1 */
    char sas[512];
    char dir[64];
    struct run_bench_options o;
    struct run_bench b;
    bool dead;                     /* nothing of `b` is open */
    char folder[JOBS_FOLDER_SIZE]; /* "": backups are cut, else restores of it */
    char *id;                      /* of the job that is cut; shared by all lives */
    useconds_t rest_us;            /* between the hang and the kill */
    uint8_t state[32];
};

static void begin(struct fixture *f, const char *const *args)
{
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 256 };
    struct cf_err err;
    f->id = mmap(NULL, JOBS_ID_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(f->id, MAP_FAILED);
    test_blobserver_start(&f->server, args);
    test_blobserver_sas("rcwdl", "60", NULL, f->sas);
    snprintf(f->dir, sizeof f->dir, "/dev/shm/coffer-parts-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->o = (struct run_bench_options){ .dir = f->dir,
                                       .partitions = 1,
                                       .bytes = (uint64_t)BLOCKS << 23,
                                       .own_clock = true,
                                       .uri = f->server.url,
                                       .token = f->sas,
                                       .run = { .threads = 1,
                                                .connections = WINDOW,
                                                .attempts = 3,
                                                .patience_ms = 20000,
                                                .chunk_log2 = 12,
                                                .record_block = 4096,
                                                .blob_blocks = A_BLOB } };
    run_bench_open(&f->b, &f->o);
    run_bench_fill(&f->b);
    for (unsigned i = 0; i < KEYS; i++) {
        char name[16];
        snprintf(name, sizeof name, "more-%u", i);
        EXPECT_OK(keystore_bench_make(&f->b.kb, name, &aes, NULL, &err));
    }
    run_bench_state(&f->b, f->state);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    begin(*state, NULL);
    return 0;
}

static int set_up_whole(void **state)
{
    static const char *const args[] = { "--policy", "no-blocks", NULL };
    struct fixture *f = *state = calloc(1, sizeof *f);
    f->whole = true;
    begin(f, args);
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

static void expect_restores(struct fixture *f, const char *folder)
{
    char name[JOBS_FOLDER_SIZE];
    struct jobs_record r;
    snprintf(name, sizeof name, "%s", folder);
    run_bench_write(&f->b, 0, "later", LATER_AT);
    run_bench_restore(&f->b, name, &r);
    expect_done(&r);
    expect_same(&f->b, f->state);
}

/* --- lives ---------------------------------------------------------------------------------------
 */

/* A life that hangs where the rule says and is killed there. */
static void die_at(struct fixture *f, const char *rule)
{
    int status;
    run_bench_close(&f->b);
    f->dead = true;
    test_blobserver_no_stats(&f->server);
    test_blobserver_fault(&f->server, rule);
    pid_t pid = fork();
    if (pid == 0) {
        struct jobs_record r;
        run_bench_open(&f->b, &f->o);
        struct run_request q = run_bench_request(&f->b, f->folder[0] ? f->folder : NULL, NULL);
        enum cf_rc rc = f->folder[0] ? run_restore_start(f->b.run, &q, &r, NULL)
                                     : run_backup_start(f->b.run, &q, &r, NULL);
        memcpy(f->id, r.id, sizeof r.id);
        for (int i = 0; test_blobserver_stat(&f->server, "faults") == 0; i++) {
            if (rc != CF_OK || i > 20000)
                abort(); /* the rule met nothing */
            usleep(1000);
        }
        usleep(f->rest_us);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    test_blobserver_no_faults(&f->server);
    test_blobserver_no_stats(&f->server);
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

/* --- there and back ------------------------------------------------------------------------------
 */

static void a_backup_of_several_blobs_a_stream_comes_back(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    back_up(f);
    if (!f->whole) /* the probe, more than one of the keys, one of the policy, the partition's */
        assert_true(test_blobserver_stat(&f->server, "PutBlockList") >= 1 + 2 + 1 + PARTS);
    run_bench_verify(&f->b, f->folder, &r);
    expect_done(&r);
    run_bench_write(&f->b, 0, "later", LATER_AT);
    run_bench_selective(&f->b, f->folder, "alpha", &r);
    expect_done(&r);
    run_bench_plan(&f->b, f->folder, NULL, &r);
    expect_done(&r);
    expect_restores(f, f->folder);
}

static const char *const cuts[] = {
    "op=PutBlock blob=/s0.1 nth=1 action=hang",
    "op=PutBlockList blob=/s0.1 action=hang",
    "op=PutBlockList blob=/s1 action=hang",
    "op=PutBlock blob=/s2.1 nth=1 action=hang",
    "op=PutBlockList blob=/s2.0 action=commit-status:500\n"
    "op=PutBlockList blob=/s2.0 action=hang",
    "op=PutBlockList blob=/s2.1 action=hang",
    "op=PutBlockList blob=/s2.2 action=hang",
    "op=PutBlob blob=/manifest action=hang",
};

/* What was in flight at the kill, and nothing of a whole stream. */
static void a_killed_backup_goes_on_wherever_it_was(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        print_message("  %s\n", cuts[i]);
        f->folder[0] = 0;
        die_at(f, cuts[i]);
        struct jobs_record r = go_on(f);
        expect_done(&r);
        if (i >= 4) /* the partition's end is in the journal */
            assert_int_equal(test_blobserver_stat(&f->server, "PutBlock"), 0);
        if (i % 3 == 0)
            expect_restores(f, r.folder);
    }
}

static void a_killed_backup_of_blob_a_block_goes_on(void **state)
{
    struct fixture *f = *state;
    die_at(f, "op=PutBlob blob=/s2/5 action=hang");
    struct jobs_record r = go_on(f);
    expect_done(&r);
    expect_restores(f, r.folder);
}

/* All blobs are there, and rows of any of them lost. */
static void a_journal_torn_anywhere_costs_bytes_only(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/backup.journal", f->dir);
    for (int i = 1; i <= 7; i += 3) {
        f->folder[0] = 0;
        die_at(f, "op=PutBlob blob=/meta action=hang");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(truncate(path, st.st_size - 110 * i), 0); /* about a row each */
        struct jobs_record r = go_on(f);
        expect_done(&r);
        expect_restores(f, r.folder);
    }
}

static void blocks_of_one_blob_that_vanish_are_sent_again(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    test_blobserver_fault(&f->server, "op=PutBlockList blob=/s2.1 nth=1 action=forget\n"
                                      "op=PutBlockList blob=/s2.2 nth=1 action=forget");
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    uint64_t lists = test_blobserver_stat(&f->server, "PutBlockList.ok");
    test_blobserver_no_faults(&f->server);
    assert_true(lists >= 1 + 2 + 1 + PARTS);
    expect_restores(f, r.folder);
}

/* --- a restore -----------------------------------------------------------------------------------
 */

static void a_killed_restore_goes_on_wherever_it_was(void **state)
{
    static const char *const lists[] = { "op=GetBlob blob=/s0.1 action=hang",
                                         "op=GetBlob blob=/s2.1 nth=2 action=hang",
                                         "op=GetBlob blob=/s2.2 action=hang" };
    static const char *const whole[] = { "op=GetBlob blob=/s0/2 action=hang",
                                         "op=GetBlob blob=/s2/4 action=hang",
                                         "op=GetBlob blob=/s2/6 action=hang" };
    struct fixture *f = *state;
    back_up(f);
    for (size_t i = f->whole ? 2 : 0; i < 3; i++) {
        print_message("  %s\n", f->whole ? whole[i] : lists[i]);
        run_bench_write(&f->b, 0, "later", LATER_AT);
        f->rest_us = i == 2 ? 1500000 : 0; /* rows are on the medium within a second, or not yet */
        die_at(f, f->whole ? whole[i] : lists[i]);
        struct jobs_record r = go_on(f);
        expect_done(&r);
        expect_same(&f->b, f->state);
    }
}

/* --- damage --------------------------------------------------------------------------------------
 */

static void damage_in_any_blob_is_found(void **state)
{
    static const char *const rules[] = {
        "op=GetBlob blob=/s2.0 nth=1 action=flip:90",
        "op=GetBlob blob=/s2.1 nth=2 action=flip:90",
        "op=GetBlob blob=/s2.2 nth=1 action=flip:90",
        "op=GetBlob blob=/s0.1 nth=1 action=flip:200",
        "op=GetBlob blob=/s2.1 nth=2 action=displace:4096",
        "op=GetBlob blob=/s2.2 every=1 action=length:17",
        "op=GetBlob blob=/s2.1 every=1 action=status:404 code=BlobNotFound",
    };
    struct fixture *f = *state;
    struct jobs_record r;
    back_up(f);
    run_bench_write(&f->b, 0, "later", LATER_AT);
    run_bench_state(&f->b, f->state);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        test_blobserver_fault(&f->server, rules[i]);
        if (i % 2) /* both take the same walk */
            run_bench_verify(&f->b, f->folder, &r);
        else
            run_bench_restore(&f->b, f->folder, &r);
        test_blobserver_no_faults(&f->server);
        if (r.state != JOBS_FAILED)
            fail_msg("%s: %s", rules[i], jobs_state_name(r.state));
        expect_same(&f->b, f->state);
        print_message("  %s: %s\n", rules[i], r.error);
    }
    run_bench_verify(&f->b, f->folder, &r);
    expect_done(&r);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define W(name) cmocka_unit_test_setup_teardown(name, set_up_whole, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_backup_of_several_blobs_a_stream_comes_back),
        W(a_backup_of_several_blobs_a_stream_comes_back),
        T(a_killed_backup_goes_on_wherever_it_was),
        W(a_killed_backup_of_blob_a_block_goes_on),
        T(a_journal_torn_anywhere_costs_bytes_only),
        T(blocks_of_one_blob_that_vanish_are_sent_again),
        T(a_killed_restore_goes_on_wherever_it_was),
        W(a_killed_restore_goes_on_wherever_it_was),
        T(damage_in_any_blob_is_found),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
