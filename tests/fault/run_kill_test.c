/* kill -9 at moments swept over a backup, a restore and its undo: the next start takes the job up,
 * under its id and in its folder, and brings it to its end (an undo that had not switched is over);
 * no folder that lacks its end reads as a backup. */
#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "support/run_expect.h"
#include "support/scratch.h"
#include "support/seals.h"

#define ROUNDS 40

static struct run_bench_options options = {
    .partitions = 2,
    .bytes = 3 << 20,
    .own_clock = true,
    .run = { .threads = 2, .connections = 4, .chunk_log2 = 16, .record_block = 65536 }
};

struct fixture {
    char template[64]; /* holds a backup of state A, and stands at state B */
    char dir[64];      /* one round's copy of it */
    char folder[JOBS_FOLDER_SIZE];
    uint8_t a[32], b[32];
};

static struct seals seals;

static void open_at(struct run_bench *b, const char *dir)
{
    options.dir = dir;
    options.run.domain.recorder = &seals.recorder;
    run_bench_open(b, &options);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct run_bench b;
    struct jobs_record r;
    struct cf_err err;
    snprintf(f->template, sizeof f->template, "/dev/shm/coffer-kill-XXXXXX");
    assert_non_null(mkdtemp(f->template));
    snprintf(f->dir, sizeof f->dir, "%.50s.run", f->template);
    open_at(&b, f->template);
    run_bench_fill(&b);
    run_bench_state(&b, f->a);
    run_bench_backup(&b, &r);
    expect_done(&r);
    memcpy(f->folder, r.folder, sizeof f->folder);
    EXPECT_OK(keystore_delete(b.kb.ks, "zulu", NULL, &err));
    for (size_t i = 0; i < 2; i++) {
        run_bench_write(&b, i, "later", 1000);
    }
    run_bench_state(&b, f->b);
    run_bench_close(&b);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    scratch_shell("rm -rf '%s' '%s'", f->template, f->dir);
    free(f);
    return 0;
}

enum deed { DO_BACKUP, DO_RESTORE, DO_UNDO };

/* Does the deed in a process of its own, which is killed after `us`; 0: it ends by itself. */
static void do_and_kill(struct fixture *f, enum deed deed, long us)
{
    int go[2];
    char c;
    assert_int_equal(pipe(go), 0);
    scratch_shell("rm -rf '%s' && cp -r '%s' '%s'", f->dir, f->template, f->dir);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct run_bench b;
        struct jobs_record r;
        open_at(&b, f->dir);
        if (deed == DO_UNDO)
            run_bench_restore(&b, f->folder, &r);
        (void)!write(go[1], "g", 1);
        if (deed == DO_BACKUP)
            run_bench_backup(&b, &r);
        else if (deed == DO_UNDO)
            run_bench_undo(&b, &r);
        else
            run_bench_restore(&b, f->folder, &r);
        run_bench_close(&b);
        _exit(r.state == JOBS_SUCCEEDED ? 0 : 1);
    }
    assert_int_equal(read(go[0], &c, 1), 1);
    close(go[0]);
    close(go[1]);
    if (us) {
        struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(us || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

static long duration_us(struct fixture *f, enum deed deed)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    do_and_kill(f, deed, 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000;
}

/* From the signal, behind the restore, to the end. */
static long undo_us(struct fixture *f)
{
    struct timespec a, b;
    struct jobs_record r;
    struct run_bench bench;
    scratch_shell("rm -rf '%s' && cp -r '%s' '%s'", f->dir, f->template, f->dir);
    open_at(&bench, f->dir);
    run_bench_restore(&bench, f->folder, &r);
    clock_gettime(CLOCK_MONOTONIC, &a);
    run_bench_undo(&bench, &r);
    clock_gettime(CLOCK_MONOTONIC, &b);
    expect_done(&r);
    run_bench_close(&bench);
    return (b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000;
}

/* Killed between its record and its request: nobody was told its id. */
static bool unanswered(const struct jobs_record *r)
{
    return r->state == JOBS_FAILED && strcmp(r->error_code, "Interrupted") == 0;
}

static void a_killed_restore_is_brought_to_its_end_by_the_next_start(void **state)
{
    struct fixture *f = *state;
    long all = duration_us(f, DO_RESTORE);
    unsigned old = 0, new = 0;
    for (long i = 1; i <= ROUNDS; i++) {
        struct run_bench b;
        struct jobs_record r;
        struct cf_err err;
        uint8_t now[32];
        do_and_kill(f, DO_RESTORE, all * i / ROUNDS);
        open_at(&b, f->dir);
        run_wait(b.run);
        run_bench_state(&b, now);
        assert_false(jobs_restore_mode(b.jobs));
        if (jobs_last(b.jobs, JOBS_RESTORE, &r, &err) == CF_OK && /* it had begun */
            !unanswered(&r)) {
            expect_done(&r);
            assert_memory_equal(now, f->a, 32);
            new ++;
        } else {
            assert_memory_equal(now, f->b, 32);
            old++;
        }
        run_bench_restore(&b, f->folder, &r); /* and it can be done again */
        expect_done(&r);
        expect_same(&b, f->a);
        run_bench_close(&b);
    }
    print_message("  not begun %u, done %u\n", old, new);
}

/* Before its flip or behind it: the undo can be done, or taken back, all the same. */
static void a_killed_undo_leaves_the_restored_state_or_the_one_before_and_a_way_on(void **state)
{
    struct fixture *f = *state;
    long all = undo_us(f);
    unsigned old = 0, new = 0;
    for (long i = 1; i <= ROUNDS / 2; i++) {
        struct run_bench b;
        struct jobs_record r;
        struct cf_err err;
        struct run_undo u;
        uint8_t now[32];
        do_and_kill(f, DO_UNDO, all * i / (ROUNDS / 2));
        open_at(&b, f->dir);
        run_bench_state(&b, now);
        bool is_new = cf_equal(now, f->b, 32);
        if (!is_new)
            assert_memory_equal(now, f->a, 32);
        assert_false(jobs_restore_mode(b.jobs));
        if (jobs_last(b.jobs, JOBS_UNDO, &r, &err) == CF_OK) /* it had begun */
            assert_int_equal(r.state, is_new ? JOBS_SUCCEEDED : JOBS_FAILED);
        EXPECT_OK(run_undo_look(b.run, &u, &err));
        assert_int_equal(u.redo, is_new);
        is_new ? new ++ : old++;
        run_bench_undo(&b, &r);
        expect_done(&r);
        expect_same(&b, is_new ? f->a : f->b);
        run_bench_close(&b);
    }
    print_message("  old %u, new %u\n", old, new);
}

/* Each folder but the template's own is whole or says that it is none. */
static void expect_folders_whole_or_none(struct fixture *f, struct run_bench *b)
{
    char path[128];
    snprintf(path, sizeof path, "%s/blobs", f->dir);
    DIR *d = opendir(path);
    struct dirent *entry;
    assert_non_null(d);
    while ((entry = readdir(d))) {
        struct jobs_record r;
        if (strncmp(entry->d_name, "mhsm-", 5) != 0 || strcmp(entry->d_name, f->folder) == 0)
            continue;
        bool whole = access(run_bench_blob(b, entry->d_name, "manifest"), F_OK) == 0;
        run_bench_restore(b, entry->d_name, &r);
        if ((r.state == JOBS_SUCCEEDED) != whole)
            print_message("  %s: %s\n", entry->d_name, r.error);
        assert_int_equal(r.state, whole ? JOBS_SUCCEEDED : JOBS_FAILED);
        if (!whole)
            assert_non_null(strstr(r.error, "holds no manifest"));
        expect_same(b, f->b);
    }
    closedir(d);
}

/* The template's own folder, and that of this round. */
static int folders(struct fixture *f)
{
    char path[128];
    int n = 0;
    snprintf(path, sizeof path, "%s/blobs", f->dir);
    DIR *d = opendir(path);
    struct dirent *entry;
    assert_non_null(d);
    while ((entry = readdir(d)))
        n += strncmp(entry->d_name, "mhsm-", 5) == 0;
    closedir(d);
    return n;
}

struct ended {
    const char *template; /* its folder */
    unsigned done;
};

/* Every backup is the template's, was brought to its end, or was told to nobody. */
static enum cf_rc expect_ended(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    struct ended *n = ctx;
    (void)e;
    if (r->state != JOBS_SUCCEEDED && !unanswered(r))
        fail_msg("%s %s", jobs_state_name(r->state), r->error);
    n->done += r->state == JOBS_SUCCEEDED && strcmp(r->folder, n->template) != 0;
    return CF_OK;
}

static void a_killed_backup_is_brought_to_its_end_in_one_folder(void **state)
{
    struct fixture *f = *state;
    long all = duration_us(f, DO_BACKUP);
    for (long i = 1; i <= ROUNDS; i++) {
        struct run_bench b;
        struct jobs_record r;
        struct cf_err err;
        do_and_kill(f, DO_BACKUP, all * i / ROUNDS);
        open_at(&b, f->dir);
        run_wait(b.run);
        struct ended n = { .template = f->folder };
        EXPECT_OK(jobs_list(b.jobs, expect_ended, &n, &err));
        assert_int_equal(folders(f), 1 + n.done);
        run_bench_backup(&b, &r);
        expect_done(&r);
        expect_folders_whole_or_none(f, &b);
        run_bench_close(&b);
    }
}

static void no_key_met_a_nonce_twice_in_any_of_these_processes(void **state)
{
    (void)state;
    if (!CF_DEBUG_RECORDERS)
        skip();
    seals_expect_no_pair_twice(&seals);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_killed_restore_is_brought_to_its_end_by_the_next_start),
        T(a_killed_undo_leaves_the_restored_state_or_the_one_before_and_a_way_on),
        T(a_killed_backup_is_brought_to_its_end_in_one_folder),
        cmocka_unit_test(no_key_met_a_nonce_twice_in_any_of_these_processes), /* last */
    };
    seals_open(&seals);
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
