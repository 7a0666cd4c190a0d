/* A marked partition that cannot be read: left out by name, said wherever the backup is looked at,
 * counted nowhere as a whole one, and refused where a complete one was asked for. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "hal_sim/hal_sim.h"
#include "jobs/receipts.h"
#include "run/list.h"
#include "support/blobserver.h"
#include "support/run_bench.h"

#define BYTES  50000
#define DAY_MS (INT64_C(86400) * 1000)

static const struct run_bench_options two = {
    .partitions = 2,
    .bytes = BYTES,
    .run = { .chunk_log2 = 12, .record_block = 16384, .threads = 1, .connections = 2 }
};

struct fixture {
    struct run_bench b;
    char kept[160]; /* where the first partition's file is while it is missing */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    run_bench_open(&f->b, &two);
    run_bench_fill(&f->b);
    snprintf(f->kept, sizeof f->kept, "%s/kept", f->b.dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    run_bench_close(&f->b);
    free(f);
    return 0;
}

static void take_partition_away(struct fixture *f)
{
    assert_int_equal(rename(run_bench_part(&f->b, 0), f->kept), 0);
}

static void put_partition_back(struct fixture *f)
{
    assert_int_equal(rename(f->kept, run_bench_part(&f->b, 0)), 0);
}

static void back_up(struct fixture *f, struct jobs_choices choices, struct jobs_record *r)
{
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    struct cf_err err;
    q.choices = choices;
    EXPECT_OK(run_backup_start(f->b.run, &q, r, &err));
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r->id, r, &err));
    print_message("  %s: %s %s\n", jobs_state_name(r->state), r->error, r->warning);
    hal_sim_clock_step(f->b.kb.clock, DAY_MS);
}

/* A backup without the first partition, which is then back. */
static void make_incomplete(struct fixture *f, struct jobs_record *r)
{
    take_partition_away(f);
    back_up(f, (struct jobs_choices){ 0 }, r);
    put_partition_back(f);
    assert_int_equal(r->state, JOBS_SUCCEEDED);
}

struct told {
    unsigned missing, lines;
    char why[200];
};

static enum cf_rc tell(void *ctx, const struct jobs_cover *c, struct cf_err *e)
{
    struct told *t = ctx;
    (void)e;
    t->lines++;
    if (c->state != JOBS_COVER_MISSING)
        return CF_OK;
    t->missing++;
    assert_string_equal(c->what, "partition part0");
    snprintf(t->why, sizeof t->why, "%s", c->why);
    return CF_OK;
}

static void what_cannot_be_read_is_left_out_by_name(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct told t = { 0 };
    struct cf_err err;
    make_incomplete(f, &r);
    assert_non_null(strstr(r.details, "incomplete"));
    assert_non_null(strstr(r.warning, "partition part0 is not in it: marked for backup, and"));
    EXPECT_OK(jobs_cover_each(f->b.jobs, r.id, tell, &t, &err));
    assert_int_equal(t.missing, 1);
    assert_string_equal(t.why, "marked for backup, and cannot be read: No such file or directory");
    assert_int_equal(access(run_bench_blob(&f->b, r.folder, "s3.0"), F_OK), -1);
    assert_int_equal(jobs_backups(f->b.jobs).count, 0); /* nor is it one that a restore relies on */
    back_up(f, (struct jobs_choices){ .require_complete = true }, &r);
    assert_int_equal(r.state, JOBS_SUCCEEDED);
    assert_string_equal(r.warning, "");
    assert_int_equal(jobs_backups(f->b.jobs).count, 1);
}

static void a_medium_that_cannot_be_opened_is_left_out_too(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    take_partition_away(f);
    assert_int_equal(mkdir(run_bench_part(&f->b, 0), 0700), 0);
    back_up(f, (struct jobs_choices){ 0 }, &r);
    assert_int_equal(rmdir(run_bench_part(&f->b, 0)), 0);
    put_partition_back(f);
    assert_int_equal(r.state, JOBS_SUCCEEDED);
    assert_non_null(strstr(r.warning, "partition part0"));
}

static void where_a_complete_one_was_asked_for_it_fails_before_a_byte_is_sent(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    take_partition_away(f);
    back_up(f, (struct jobs_choices){ .require_complete = true }, &r);
    put_partition_back(f);
    assert_int_equal(r.state, JOBS_FAILED);
    assert_string_equal(r.error_code, "Conflict");
    assert_non_null(strstr(r.error, "a complete backup was asked for: partition part0 is marked"));
    assert_string_equal(r.folder, "");
}

static void a_check_beforehand_says_so(void **state)
{
    struct fixture *f = *state;
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    struct jobs_record r;
    struct cf_err err;
    take_partition_away(f);
    EXPECT_OK(run_prebackup_start(f->b.run, &q, &r, &err));
    run_wait(f->b.run);
    put_partition_back(f);
    EXPECT_OK(jobs_get(f->b.jobs, r.id, &r, &err));
    assert_int_equal(r.state, JOBS_SUCCEEDED);
    assert_non_null(strstr(r.warning, "the backup would be incomplete: partition part0 is marked"));
}

static void start_restore(struct fixture *f, const char *folder, bool allow, struct jobs_record *r)
{
    struct run_request q = run_bench_request(&f->b, folder, NULL);
    struct cf_err err;
    q.choices.allow_incomplete = allow;
    EXPECT_OK(run_restore_start(f->b.run, &q, r, &err));
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r->id, r, &err));
    print_message("  %s: %s %s\n", jobs_state_name(r->state), r->error, r->warning);
}

static void write_later(struct fixture *f, size_t part)
{
    int fd = open(run_bench_part(&f->b, part), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "later", 5, 7000), 5);
    close(fd);
}

static bool has_later(struct fixture *f, size_t part)
{
    char text[5] = "";
    int fd = open(run_bench_part(&f->b, part), O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, text, 5, 7000), 5);
    close(fd);
    return memcmp(text, "later", 5) == 0;
}

static void it_is_restored_only_when_asked_for_and_leaves_the_rest_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct jobs_record r;
    struct cf_err err;
    char folder[JOBS_FOLDER_SIZE];
    make_incomplete(f, &r);
    memcpy(folder, r.folder, sizeof folder);
    EXPECT_OK(keystore_delete(f->b.kb.ks, "alpha", NULL, &err));
    EXPECT_OK(keystore_purge(f->b.kb.ks, "alpha", &err));
    write_later(f, 0);
    write_later(f, 1);
    start_restore(f, folder, false, &r);
    assert_int_equal(r.state, JOBS_FAILED);
    assert_non_null(strstr(r.error, "the backup is incomplete: part0 is not in it"));
    assert_non_null(strstr(r.error, "--allow-incomplete"));
    EXPECT_RC(CF_E_ABSENT, keystore_delete(f->b.kb.ks, "alpha", NULL, &err));
    start_restore(f, folder, true, &r);
    assert_int_equal(r.state, JOBS_SUCCEEDED);
    assert_non_null(strstr(r.warning, "part0 is not in the backup and stays as it is"));
    EXPECT_OK(keystore_delete(f->b.kb.ks, "alpha", NULL, &err));
    assert_true(has_later(f, 0));
    assert_false(has_later(f, 1));
}

static enum cf_rc note_complete(void *ctx, const struct run_backup *b, struct cf_err *e)
{
    (void)e;
    assert_int_equal(b->state, RUN_BACKUP_WHOLE); /* all is there that was written */
    assert_int_equal(b->m->left_out_count, 1);
    assert_string_equal(b->m->left_out[0], "part0");
    assert_false(b->verified_whole);
    ++*(unsigned *)ctx;
    return CF_OK;
}

static void verified_and_listed_it_is_still_not_a_whole_one(void **state)
{
    struct fixture *f = *state;
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    struct run_listing l = { .limit = 10 };
    struct jobs_verified v;
    struct jobs_record r;
    struct cf_err err;
    unsigned seen = 0;
    make_incomplete(f, &r);
    run_bench_verify(&f->b, r.folder, &r);
    assert_int_equal(r.state, JOBS_SUCCEEDED);
    assert_non_null(strstr(r.warning, "the backup is incomplete: part0 is not in it"));
    EXPECT_RC(CF_E_ABSENT, jobs_newest_verified(f->b.jobs, NULL, &v, &err));
    EXPECT_OK(run_list(f->b.run, &q, &l, note_complete, &seen, &err));
    assert_int_equal(seen, 1);
}

static void prune_to_one(struct fixture *f)
{
    static const struct run_prune p = { .policy = { .last = 1 } };
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    struct jobs_record r;
    struct cf_err err;
    q.prune = &p;
    EXPECT_OK(run_prune_start(f->b.run, &q, &r, &err));
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r.id, &r, &err));
    assert_int_equal(r.state, JOBS_SUCCEEDED);
}

static bool there(struct fixture *f, const struct jobs_record *r)
{
    return access(run_bench_blob(&f->b, r->folder, "manifest"), F_OK) == 0;
}

static void in_retention_it_takes_no_whole_ones_place(void **state)
{
    struct fixture *f = *state;
    struct jobs_record whole[2], part[2];
    back_up(f, (struct jobs_choices){ 0 }, &whole[0]);
    back_up(f, (struct jobs_choices){ 0 }, &whole[1]);
    make_incomplete(f, &part[0]);
    make_incomplete(f, &part[1]);
    prune_to_one(f);
    assert_false(there(f, &whole[0]));
    assert_true(there(f, &whole[1])); /* the newest whole one, though two came later */
    assert_true(there(f, &part[0]));
    assert_true(there(f, &part[1]));
}

/* The manifest is on its way when the appliance stops. Who commits it then says so too. */
static void a_restart_before_the_commit_forgets_nothing(void **state)
{
    struct test_blobserver server;
    struct fixture f = { 0 };
    struct run_bench_options o = two;
    struct jobs_record r;
    struct cf_err err;
    char sas[512];
    (void)state;
    test_blobserver_start(&server, NULL);
    test_blobserver_sas("rcwdl", "60", NULL, sas);
    o.uri = server.url;
    o.token = sas;
    o.own_clock = true;
    o.run.storage.stall_timeout_ms = 1000;
    run_bench_open(&f.b, &o);
    run_bench_fill(&f.b);
    snprintf(f.kept, sizeof f.kept, "%s/kept", f.b.dir);
    test_blobserver_fault(&server, "op=PutBlob blob=/manifest every=1 action=hang");
    take_partition_away(&f);
    struct run_request q = run_bench_request(&f.b, NULL, NULL);
    EXPECT_OK(run_backup_start(f.b.run, &q, &r, &err));
    for (int i = 0; i < 20000 && test_blobserver_stat(&server, "faults") == 0; i++)
        usleep(1000);
    put_partition_back(&f); /* what is in the manifest stays in it */
    run_bench_restart(&f.b);
    test_blobserver_no_faults(&server);
    run_wait(f.b.run);
    EXPECT_OK(jobs_get(f.b.jobs, r.id, &r, &err));
    print_message("  %s: %s %s\n", jobs_state_name(r.state), r.error, r.warning);
    assert_int_equal(r.state, JOBS_SUCCEEDED);
    assert_non_null(strstr(r.warning, "partition part0 is not in it"));
    assert_int_equal(jobs_backups(f.b.jobs).count, 0);
    run_bench_close(&f.b);
    test_blobserver_stop(&server);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_cannot_be_read_is_left_out_by_name),
        T(a_medium_that_cannot_be_opened_is_left_out_too),
        T(where_a_complete_one_was_asked_for_it_fails_before_a_byte_is_sent),
        T(a_check_beforehand_says_so),
        T(it_is_restored_only_when_asked_for_and_leaves_the_rest_as_it_is),
        T(verified_and_listed_it_is_still_not_a_whole_one),
        T(in_retention_it_takes_no_whole_ones_place),
        cmocka_unit_test(a_restart_before_the_commit_forgets_nothing),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
