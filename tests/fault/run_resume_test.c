/* A backup or restore that is cut off goes on at the next start: same id, same folder, at most what
 * was in flight once more; and what may have changed meanwhile, on either side. */
#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "support/blobserver.h"
#include "support/run_expect.h"
#include "support/scratch.h"
#include "support/seals.h"

#define BLOCKS       12 /* of the one partition, 8 MiB each */
#define WINDOW       2  /* connections */
#define BEFORE_PARTS 3  /* the probe's blob and one of each record stream */
#define RECORDS                                                                                    \
    2 /* blocks, one a record stream: sent again where their end was not journaled before the cut  \
       */

struct fixture {
    struct test_blobserver server;
    char sas[512];
    char dir[64];
    struct run_bench_options o;
    struct run_bench b;
    char id[JOBS_ID_SIZE];
    char folder[JOBS_FOLDER_SIZE];
    uint8_t state[32];
    bool whole; /* a blob a block */
};

static struct seals seals;

static void begin(struct fixture *f, const char *permissions, const char *const *args)
{
    test_blobserver_start(&f->server, args);
    test_blobserver_sas(permissions, "60", NULL, f->sas);
    snprintf(f->dir, sizeof f->dir, "/dev/shm/coffer-resume-XXXXXX");
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
    f->o.run.domain.recorder = &seals.recorder;
    run_bench_open(&f->b, &f->o);
    run_bench_fill(&f->b);
    run_bench_state(&f->b, f->state);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    begin(*state, "rcwdl", NULL);
    return 0;
}

/* Nothing may be replaced, and no block list is taken: a blob a block. */
static int set_up_whole(void **state)
{
    static const char *const args[] = { "--worm", "--policy", "no-blocks", NULL };
    *state = calloc(1, sizeof(struct fixture));
    begin(*state, "rcwdl", args);
    ((struct fixture *)*state)->whole = true;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    run_bench_close(&f->b);
    test_blobserver_stop(&f->server);
    scratch_shell("rm -rf '%s'", f->dir);
    free(f);
    return 0;
}

/* --- lives ---------------------------------------------------------------------------------------
 */

static void wait_for(struct fixture *f, const char *stat, uint64_t n)
{
    for (int i = 0; i < 20000 && test_blobserver_stat(&f->server, stat) < n; i++)
        usleep(1000);
    assert_true(test_blobserver_stat(&f->server, stat) >= n);
}

/* Up to where the rule stops it; *record as it stands then. */
static void start_until(struct fixture *f, const char *rule, const char *stat, uint64_t n)
{
    struct run_request q = run_bench_request(&f->b, f->folder[0] ? f->folder : NULL, NULL);
    struct jobs_record r;
    struct cf_err err;
    test_blobserver_no_stats(&f->server);
    test_blobserver_fault(&f->server, rule);
    if (f->folder[0])
        EXPECT_OK(run_restore_start(f->b.run, &q, &r, &err));
    else
        EXPECT_OK(run_backup_start(f->b.run, &q, &r, &err));
    memcpy(f->id, r.id, sizeof f->id);
    wait_for(f, stat, n);
}

/* Rows are on the medium within a second, or as soon as the machine gets to it. */
static void wait_for_rows(struct fixture *f, int rows)
{
    const off_t want = 95 + rows * 41; /* what it is for, and then a row a block */
    struct stat st = { 0 };
    char path[128];
    snprintf(path, sizeof path, "%s/restore.journal", f->dir);
    for (int i = 0; i < 20000 && (stat(path, &st) != 0 || st.st_size < want); i++)
        usleep(1000);
    assert_true(st.st_size >= want);
}

static void start_backup_until(struct fixture *f, const char *rule, uint64_t puts)
{
    f->folder[0] = 0;
    start_until(f, rule, "PutBlock", puts);
}

/* The daemon stops; the storage is well again. */
static void stop(struct fixture *f)
{
    run_bench_close(&f->b);
    test_blobserver_no_faults(&f->server);
}

static void expect_running(struct fixture *f)
{
    struct jobs_record r;
    struct cf_err err;
    EXPECT_OK(jobs_get(f->b.jobs, f->id, &r, &err));
    assert_int_equal(r.state, JOBS_IN_PROGRESS);
}

static struct jobs_record go_on(struct fixture *f)
{
    struct jobs_record r;
    struct cf_err err;
    run_bench_open(&f->b, &f->o);
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, f->id, &r, &err));
    return r;
}

static bool there(const struct fixture *f, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return access(path, F_OK) == 0;
}

static void expect_nothing_left(struct fixture *f)
{
    static const char *const names[] = { "job.request", "backup.journal", "restore.journal" };
    for (size_t i = 0; i < 3; i++)
        if (there(f, names[i]))
            fail_msg("%s is still there", names[i]);
    assert_false(jobs_restore_mode(f->b.jobs));
}

static void write_part(struct fixture *f, const char *text, long at)
{
    run_bench_write(&f->b, 0, text, at);
}

static void expect_restores(struct fixture *f, const char *folder)
{
    struct jobs_record r;
    char name[JOBS_FOLDER_SIZE];
    snprintf(name, sizeof name, "%s", folder);
    write_part(f, "later", 90L << 20);
    run_bench_restore(&f->b, name, &r);
    expect_done(&r);
    expect_same(&f->b, f->state);
}

/* --- a backup ------------------------------------------------------------------------------------
 */

static void a_stopped_backup_goes_on_where_it_was(void **state)
{
    struct fixture *f = *state;
    start_backup_until(f, "op=PutBlock blob=s2 from=7 action=hang", 3 + 6 + WINDOW);
    stop(f);
    assert_true(there(f, "job.request"));
    test_blobserver_no_stats(&f->server);
    run_bench_open(&f->b, &f->o);
    struct jobs_record r;
    struct cf_err err;
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, f->id, &r, &err));
    expect_done(&r);
    assert_in_range(test_blobserver_stat(&f->server, "PutBlock"), BLOCKS - 6, BLOCKS - 6 + RECORDS);
    expect_nothing_left(f);
    expect_restores(f, r.folder);
}

static void a_job_that_goes_on_is_in_progress_and_keeps_others_out(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    struct run_request q;
    start_backup_until(f, "op=PutBlock blob=s2 from=3 action=hang", 3 + 2 + WINDOW);
    run_bench_close(&f->b); /* and the storage still hangs */
    run_bench_open(&f->b, &f->o);
    expect_running(f);
    q = run_bench_request(&f->b, NULL, NULL);
    EXPECT_RC(CF_E_STATE, run_backup_start(f->b.run, &q, &r, &err));
    EXPECT_OK(jobs_cancel(f->b.jobs, f->id, &err));
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, f->id, &r, &err));
    assert_int_equal(r.state, JOBS_CANCELED);
    expect_nothing_left(f);
    test_blobserver_no_faults(&f->server);
    run_bench_close(&f->b);
    run_bench_open(&f->b, &f->o); /* and stays so */
    EXPECT_OK(jobs_get(f->b.jobs, f->id, &r, &err));
    assert_int_equal(r.state, JOBS_CANCELED);
}

/* kill -9: what the killed process sent and its successor's share make a whole. The two record
 * streams, a block each, start over where the kill came before their end was journaled. */
static void killed_backups_send_at_most_a_window_again(void **state)
{
    struct fixture *f = *state;
    for (unsigned from = 1; from <= BLOCKS; from += 4) {
        char rule[64];
        int status;
        snprintf(rule, sizeof rule, "op=PutBlock blob=s2 from=%u action=hang", from);
        run_bench_close(&f->b);
        test_blobserver_no_stats(&f->server);
        test_blobserver_fault(&f->server, rule);
        pid_t pid = fork();
        if (pid == 0) {
            struct run_request q;
            struct jobs_record r;
            run_bench_open(&f->b, &f->o);
            q = run_bench_request(&f->b, NULL, NULL);
            _exit(run_backup_start(f->b.run, &q, &r, NULL) == CF_OK ? (pause(), 0) : 1);
        }
        wait_for(f, "PutBlock", 3 + from - 1 + WINDOW);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        test_blobserver_no_faults(&f->server);
        run_bench_open(&f->b, &f->o);
        run_wait(f->b.run);
        struct jobs_record r;
        struct cf_err err;
        EXPECT_OK(jobs_last(f->b.jobs, JOBS_BACKUP, &r, &err));
        expect_done(&r);
        assert_in_range(test_blobserver_stat(&f->server, "PutBlock"), 3 + BLOCKS,
                        3 + BLOCKS + WINDOW + RECORDS);
        expect_restores(f, r.folder);
    }
}

/* The last block of the records holds up no partition. */
static void a_backup_cut_among_its_records_starts_those_over_and_no_partition(void **state)
{
    struct fixture *f = *state;
    start_backup_until(f, "op=PutBlock blob=s1 from=1 action=hang", 1 + RECORDS + BLOCKS);
    stop(f);
    test_blobserver_no_stats(&f->server);
    struct jobs_record r = go_on(f);
    expect_done(&r);
    assert_in_range(test_blobserver_stat(&f->server, "PutBlock"), RECORDS, RECORDS + WINDOW);
    expect_restores(f, r.folder);
}

static void a_partition_that_changed_meanwhile_starts_over(void **state)
{
    struct fixture *f = *state;
    start_backup_until(f, "op=PutBlock blob=s2 from=7 action=hang", 3 + 6 + WINDOW);
    stop(f);
    write_part(f, "meanwhile", 1000);
    test_blobserver_no_stats(&f->server);
    struct jobs_record r = go_on(f);
    expect_done(&r);
    assert_in_range(test_blobserver_stat(&f->server, "PutBlock"), BLOCKS, BLOCKS + RECORDS);
    run_bench_state(&f->b, f->state);
    expect_restores(f, r.folder);
}

static void blocks_that_expired_are_sent_again(void **state)
{
    struct fixture *f = *state;
    start_backup_until(f, "op=PutBlock blob=s2 from=7 action=hang", 3 + 6 + WINDOW);
    stop(f);
    test_blobserver_no_stats(&f->server);
    test_blobserver_fault(&f->server, "op=GetBlockList blob=s2 action=forget");
    struct jobs_record r = go_on(f);
    expect_done(&r);
    assert_in_range(test_blobserver_stat(&f->server, "PutBlock"), BLOCKS, BLOCKS + RECORDS);
    expect_restores(f, r.folder);
}

static void blocks_that_vanish_under_way_get_new_salts(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    test_blobserver_fault(&f->server, "op=PutBlockList blob=s2 nth=1 action=forget");
    run_bench_backup(&f->b, &r);
    expect_done(&r);
}

/* Their block lists are out by then: their snapshot is gone, and not asked for. */
static void committed_records_are_kept_whatever_became_of_the_store(void **state)
{
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 256 };
    struct fixture *f = *state;
    struct cf_err err;
    start_until(f, "op=PutBlock blob=s2 nth=1 action=hang", "PutBlockList", 1 + RECORDS);
    EXPECT_OK(keystore_bench_make(&f->b.kb, "later", &aes, NULL, &err));
    stop(f);
    struct jobs_record r = go_on(f);
    expect_done(&r);
    expect_restores(f, r.folder); /* "later" is not in it */
}

static void a_commit_whose_answer_was_lost_is_found(void **state)
{
    struct fixture *f = *state;
    start_until(f, "op=PutBlockList blob=s2 from=1 action=commit-status:500", "PutBlockList", 4);
    stop(f);
    test_blobserver_no_stats(&f->server);
    write_part(f, "meanwhile", 1000); /* the stream is whole: it is that moment's */
    struct jobs_record r = go_on(f);
    expect_done(&r);
    assert_int_equal(test_blobserver_stat(&f->server, "PutBlock"), 0);
    expect_restores(f, r.folder);
}

/* And `meta` did not wait for it. */
static void a_block_list_that_was_on_its_way_is_sent_again(void **state)
{
    struct fixture *f = *state;
    start_until(f, "op=PutBlockList blob=s2 from=1 action=hang", "PutBlob", 1);
    stop(f);
    test_blobserver_no_stats(&f->server);
    struct jobs_record r = go_on(f);
    expect_done(&r);
    assert_int_equal(test_blobserver_stat(&f->server, "PutBlock"), 0);
    expect_restores(f, r.folder);
}

static void a_manifest_that_was_on_its_way_is_sent_again_with_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r, next;
    start_until(f, "op=PutBlob blob=manifest from=1 action=commit-status:500", "PutBlob", 2);
    stop(f);
    r = go_on(f);
    expect_done(&r);
    expect_nothing_left(f);
    run_bench_backup(&f->b, &next);
    expect_done(&next);
    expect_restores(f, r.folder);
    struct jobs_record again;
    run_bench_restore(&f->b, r.folder, &again);
    assert_non_null(strstr(again.warning, "this is backup 1 of this appliance; the newest is 2"));
}

static void what_makes_it_impossible_is_told(void **state)
{
    static const struct {
        const char *rule, *words;
    } ends[] = {
        { "op=GetBlockList from=1 action=delete-container", "the container does not exist" },
        { "op=GetBlockList from=1 action=expired", "SAS" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        start_backup_until(f, "op=PutBlock blob=s2 from=7 action=hang", 3 + 6 + WINDOW);
        stop(f);
        test_blobserver_fault(&f->server, ends[1 - i].rule); /* the container stays gone */
        struct jobs_record r = go_on(f);
        assert_int_equal(r.state, JOBS_FAILED);
        print_message("  %s: %s\n", r.error_code, r.error);
        assert_non_null(strstr(r.error, ends[1 - i].words));
        expect_nothing_left(f);
        test_blobserver_no_faults(&f->server);
    }
}

static void without_its_request_a_job_is_interrupted(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/job.request", f->dir);
    for (int how = 0; how < 2; how++) {
        start_backup_until(f, "op=PutBlock blob=s2 from=3 action=hang", 3 + 2 + WINDOW);
        stop(f);
        if (how == 0) {
            assert_int_equal(unlink(path), 0);
        } else {
            uint8_t sealed;
            int fd = open(path, O_RDWR | O_CLOEXEC);
            assert_int_equal(pread(fd, &sealed, 1, 60), 1);
            sealed ^= 1; /* a constant might be what stands there */
            assert_int_equal(pwrite(fd, &sealed, 1, 60), 1);
            close(fd);
        }
        struct jobs_record r = go_on(f);
        assert_int_equal(r.state, JOBS_FAILED);
        assert_string_equal(r.error_code, "Interrupted");
        expect_nothing_left(f);
        run_bench_backup(&f->b, &r);
        expect_done(&r);
    }
}

static void a_torn_foreign_or_missing_journal_costs_bytes_only(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/backup.journal", f->dir);
    for (int how = 0; how < 8; how++) {
        start_backup_until(f, "op=PutBlock blob=s2 from=7 action=hang", 3 + 6 + WINDOW);
        stop(f);
        assert_int_equal(stat(path, &st), 0);
        if (how == 0)
            assert_int_equal(truncate(path, st.st_size - 50), 0);
        if (how == 1)
            assert_int_equal(truncate(path, 100), 0);
        if (how == 2)
            assert_int_equal(unlink(path), 0);
        if (how > 3) /* what was committed may be among what is lost: another folder then */
            assert_int_equal(truncate(path, st.st_size * (how - 3) / 5), 0);
        if (how == 3) { /* of a firmware that writes what this one does not know */
            int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
            assert_int_equal(write(fd, "\0\0\0\0\x63\xdb\x8a\x2b", 8), 8);
            close(fd);
        }
        struct jobs_record r = go_on(f);
        expect_done(&r);
        expect_restores(f, r.folder);
    }
}

/* Nothing that the storage has can be looked at: all is sent again, in the same folder if none of
 * its blobs can be committed yet. */
static void a_credential_that_may_not_read_starts_over(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    test_blobserver_sas("cw", "60", NULL, f->sas);
    start_backup_until(f, "op=PutBlock blob=s1 from=1 action=hang", 1 + 1 + 1);
    stop(f);
    r = go_on(f);
    expect_done(&r);
    start_backup_until(f, "op=PutBlock blob=s2 from=5 action=hang", 3 + 4 + WINDOW);
    stop(f);
    r = go_on(f);
    expect_done(&r);
    test_blobserver_sas("rl", "60", NULL, f->sas);
    expect_restores(f, r.folder);
}

/* The same, where the token does not tell: a stored access policy, or a role. */
static void a_policy_that_forbids_reading_starts_over(void **state)
{
#define NO_LOOK "every=1 action=status:403 code=AuthorizationPermissionMismatch\n"
    struct fixture *f = *state;
    struct jobs_record r;
    f->folder[0] = 0;
    if (f->whole)
        start_until(f, "op=PutBlob blob=/s2/ from=5 action=hang\nop=HeadBlob " NO_LOOK, "PutBlob",
                    BEFORE_PARTS + 4 + WINDOW);
    else
        start_until(f, "op=PutBlock blob=s2 from=5 action=hang\nop=HeadBlob " NO_LOOK, "PutBlock",
                    3 + 4 + WINDOW);
    stop(f);
    test_blobserver_fault(&f->server, "op=HeadBlob " NO_LOOK "op=GetBlockList " NO_LOOK);
    r = go_on(f);
    expect_done(&r);
    test_blobserver_no_faults(&f->server);
    expect_restores(f, r.folder);
}

/* --- a blob a block ------------------------------------------------------------------------------
 */

#define BEHIND_PARTS 3 /* `meta`, manifest and its copy */

static void a_blob_a_block_goes_on_where_it_was(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    f->folder[0] = 0;
    start_until(f, "op=PutBlob blob=/s2/ from=7 action=hang", "PutBlob", BEFORE_PARTS + 6 + WINDOW);
    stop(f);
    test_blobserver_no_stats(&f->server);
    r = go_on(f);
    expect_done(&r);
    assert_in_range(test_blobserver_stat(&f->server, "PutBlob"), BLOCKS - 6 + BEHIND_PARTS,
                    BLOCKS - 6 + BEHIND_PARTS + RECORDS);
    assert_int_equal(test_blobserver_stat(&f->server, "PutBlob.refused"), 0);
    assert_int_equal(test_blobserver_stat(&f->server, "unconditional"), 0);
    expect_nothing_left(f);
    expect_restores(f, r.folder);
}

/* What lies there without its answer is garbage that nobody lists. */
static void a_blob_a_block_whose_answer_was_lost_is_sent_under_another_name(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    f->folder[0] = 0;
    start_until(f,
                "op=PutBlob blob=/s2/ nth=3 action=commit-reset\n"
                "op=PutBlob blob=/s2/ from=7 action=hang",
                "PutBlob", BEFORE_PARTS + 6 + WINDOW);
    stop(f);
    r = go_on(f);
    expect_done(&r);
    assert_int_equal(test_blobserver_stat(&f->server, "PutBlob.refused"), 0);
    expect_restores(f, r.folder);
}

static void a_blob_a_block_that_nobody_may_look_at_starts_over(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    f->folder[0] = 0;
    test_blobserver_sas("c", "60", NULL, f->sas);
    start_until(f, "op=PutBlob blob=/s2/ from=5 action=hang", "PutBlob", BEFORE_PARTS + 4 + WINDOW);
    stop(f);
    r = go_on(f);
    expect_done(&r);
    assert_in_range(test_blobserver_stat(&f->server, "PutBlob.refused"), 0, 1); /* a new probe */
    test_blobserver_sas("rl", "60", NULL, f->sas);
    expect_restores(f, r.folder);
}

static void a_restore_of_a_blob_a_block_fetches_none_twice(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    memcpy(f->folder, r.folder, sizeof f->folder);
    write_part(f, "later", 90L << 20);
    start_until(f, "op=GetBlob blob=/s2/ from=7 action=hang", "GetBlob", 5 + 6 + WINDOW);
    wait_for_rows(f, 6);
    stop(f);
    test_blobserver_no_stats(&f->server);
    r = go_on(f);
    expect_done(&r);
    assert_in_range(test_blobserver_stat(&f->server, "GetBlob"), 5 + BLOCKS - 6,
                    5 + BLOCKS - 6 + WINDOW);
    expect_same(&f->b, f->state);
}

static void no_secret_lies_in_the_clear(void **state)
{
    struct fixture *f = *state;
    char cmd[256];
    const char *sig = strstr(f->sas, "sig=");
    assert_non_null(sig);
    start_backup_until(f, "op=PutBlock blob=s2 from=3 action=hang", 3 + 2 + WINDOW);
    snprintf(cmd, sizeof cmd, "grep -rqaF '%.20s' '%s'", sig + 4, f->dir);
    assert_int_not_equal(system(cmd), 0);
    stop(f);
    assert_int_not_equal(system(cmd), 0);
    struct jobs_record r = go_on(f);
    expect_done(&r);
}

/* --- a restore -----------------------------------------------------------------------------------
 */

static void back_up(struct fixture *f)
{
    struct jobs_record r;
    run_bench_backup(&f->b, &r);
    expect_done(&r);
    memcpy(f->folder, r.folder, sizeof f->folder);
    write_part(f, "later", 90L << 20);
}

static void expect_restored(struct fixture *f, const struct jobs_record *r)
{
    expect_done(r);
    expect_same(&f->b, f->state);
    expect_nothing_left(f);
}

static void a_stopped_restore_fetches_no_block_twice(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    back_up(f);
    start_until(f, "op=GetBlob blob=s2 from=9 action=hang", "GetBlob", 5 + 8 + WINDOW);
    wait_for_rows(f, 8);
    run_bench_close(&f->b);
    test_blobserver_no_stats(&f->server);
    run_bench_open(&f->b, &f->o);
    expect_running(f);
    assert_true(jobs_restore_mode(f->b.jobs)); /* all the while */
    test_blobserver_no_faults(&f->server);
    run_bench_close(&f->b);
    test_blobserver_no_stats(&f->server);
    run_bench_open(&f->b, &f->o);
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, f->id, &r, &err));
    expect_restored(f, &r);
    uint64_t gets = test_blobserver_stat(&f->server, "GetBlob");
    print_message("  %llu gets\n", (unsigned long long)gets);
    assert_in_range(gets, 5 + BLOCKS - 8, 5 + BLOCKS - 8 + WINDOW);
}

static void a_twin_that_was_replaced_is_fetched_again(void **state)
{
    struct fixture *f = *state;
    char path[128];
    back_up(f);
    start_until(f, "op=GetBlob blob=s2 from=9 action=hang", "GetBlob", 5 + 8 + WINDOW);
    wait_for_rows(f, 8);
    stop(f);
    snprintf(path, sizeof path, "%s/part0.next", f->dir);
    assert_int_equal(unlink(path), 0);
    struct jobs_record r = go_on(f);
    expect_restored(f, &r);
}

static void a_restore_cut_among_its_records_starts_over(void **state)
{
    struct fixture *f = *state;
    back_up(f);
    start_until(f, "op=GetBlob blob=s0 from=1 action=hang", "GetBlob", 4);
    stop(f);
    struct jobs_record r = go_on(f);
    expect_restored(f, &r);
}

/* --- */

static void no_key_met_a_nonce_twice_in_any_of_these_lives(void **state)
{
    (void)state;
    if (!CF_DEBUG_RECORDERS)
        skip();
    seals_expect_no_pair_twice(&seals);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define W(name) cmocka_unit_test_setup_teardown(name, set_up_whole, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_stopped_backup_goes_on_where_it_was),
        T(a_job_that_goes_on_is_in_progress_and_keeps_others_out),
        T(killed_backups_send_at_most_a_window_again),
        T(a_backup_cut_among_its_records_starts_those_over_and_no_partition),
        T(a_partition_that_changed_meanwhile_starts_over),
        T(blocks_that_expired_are_sent_again),
        T(blocks_that_vanish_under_way_get_new_salts),
        T(committed_records_are_kept_whatever_became_of_the_store),
        T(a_commit_whose_answer_was_lost_is_found),
        T(a_block_list_that_was_on_its_way_is_sent_again),
        T(a_manifest_that_was_on_its_way_is_sent_again_with_the_same_bytes),
        T(what_makes_it_impossible_is_told),
        T(without_its_request_a_job_is_interrupted),
        T(a_torn_foreign_or_missing_journal_costs_bytes_only),
        T(a_credential_that_may_not_read_starts_over),
        T(a_policy_that_forbids_reading_starts_over),
        W(a_policy_that_forbids_reading_starts_over),
        W(a_blob_a_block_goes_on_where_it_was),
        W(a_blob_a_block_whose_answer_was_lost_is_sent_under_another_name),
        W(a_blob_a_block_that_nobody_may_look_at_starts_over),
        W(a_restore_of_a_blob_a_block_fetches_none_twice),
        T(no_secret_lies_in_the_clear),
        T(a_stopped_restore_fetches_no_block_twice),
        T(a_twin_that_was_replaced_is_fetched_again),
        T(a_restore_cut_among_its_records_starts_over),
        cmocka_unit_test(no_key_met_a_nonce_twice_in_any_of_these_lives), /* last */
    };
    seals_open(&seals);
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
