/* Places as other makers' storages and other programs leave them: directories among the blobs,
 * pages that overlap, names that are none of ours, blobs that were archived. Listing and pruning
 * get along with all of it, and never delete more for it. */
#include "run/list.h"
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/log.h"
#include "hal_sim/hal_sim.h"
#include "net/net.h"
#include "support/blobserver.h"
#include "support/run_bench.h"

#define DAY_MS  (INT64_C(86400) * 1000)
#define BACKUPS 4

struct fixture {
    struct test_blobserver server;
    struct run_bench b;
    char sas[512], folder[BACKUPS][JOBS_FOLDER_SIZE]; /* the oldest first, a day apart */
    enum run_backup_state told[16];
    char why[16][JOBS_TEXT_SIZE], name[16][JOBS_FOLDER_SIZE];
    size_t count;
};

static void back_up(struct fixture *f, size_t i)
{
    struct jobs_record r;
    run_bench_backup(&f->b, &r);
    if (r.state != JOBS_SUCCEEDED)
        fail_msg("%s", r.error);
    memcpy(f->folder[i], r.folder, sizeof f->folder[i]);
    hal_sim_clock_step(f->b.kb.clock, DAY_MS);
}

static struct fixture *begin(const char *const *args)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_blobserver_start(&f->server, args);
    test_blobserver_sas("rcwdl", "60", NULL, f->sas);
    struct run_bench_options o = {
        .partitions = 1,
        .bytes = 5000,
        .uri = f->server.url,
        .token = f->sas,
        .run = { .chunk_log2 = 12, .record_block = 8192, .threads = 1, .connections = 1 }
    };
    run_bench_open(&f->b, &o);
    run_bench_fill(&f->b);
    for (size_t i = 0; i < BACKUPS; i++)
        back_up(f, i);
    return f;
}

static void end(struct fixture *f)
{
    run_bench_close(&f->b);
    test_blobserver_stop(&f->server);
    free(f);
}

static enum cf_rc note(void *ctx, const struct run_backup *b, struct cf_err *e)
{
    struct fixture *f = ctx;
    (void)e;
    assert_true(f->count < 16);
    f->told[f->count] = b->state;
    snprintf(f->why[f->count], sizeof f->why[0], "%s", b->why);
    snprintf(f->name[f->count++], sizeof f->name[0], "%s", b->folder);
    return CF_OK;
}

static void list(struct fixture *f)
{
    struct run_listing l = { .limit = 16 };
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    struct cf_err err = { 0 };
    f->count = 0;
    if (run_list(f->b.run, &q, &l, note, f, &err) != CF_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < f->count; i++)
        print_message("  %s %d %s\n", f->name[i], f->told[i], f->why[i]);
}

/* All that is told is whole: these, as bits, 1 the oldest. */
static void expect_left(struct fixture *f, unsigned want)
{
    unsigned bits = 0;
    list(f);
    for (size_t i = 0; i < f->count; i++) {
        assert_int_equal(f->told[i], RUN_BACKUP_WHOLE);
        for (unsigned k = 0; k < BACKUPS; k++)
            if (strcmp(f->name[i], f->folder[k]) == 0) {
                assert_false(bits & 1u << k);
                bits |= 1u << k;
            }
    }
    assert_int_equal(bits, want);
}

static void prune(struct fixture *f, uint32_t last)
{
    struct run_prune p = { .policy = { .last = last } };
    struct run_request q = run_bench_request(&f->b, NULL, NULL);
    struct jobs_record r;
    struct cf_err err = { 0 };
    q.prune = &p;
    if (run_prune_start(f->b.run, &q, &r, &err) != CF_OK)
        fail_msg("%s", err.text);
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r.id, &r, &err));
    if (r.state != JOBS_SUCCEEDED)
        fail_msg("%s", r.error);
}

/* Another program writes a blob; `path` is percent-encoded. */
static void put(const struct fixture *f, const char *path, const char *text)
{
    static const char *const headers[] = { "x-ms-version: 2021-12-02",
                                           "x-ms-blob-type: BlockBlob" };
    struct net_options o = { .connections = 1 };
    struct net_lane *lane = NULL;
    struct net_result r;
    struct cf_err err;
    char url[512];
    snprintf(url, sizeof url, "%s/%s", f->server.url, path);
    struct net_request q = { .method = NET_PUT,
                             .url = url,
                             .headers = headers,
                             .nheaders = 2,
                             .body = text[0] ? text : NULL,
                             .body_len = strlen(text) };
    EXPECT_OK(net_lane_new(&o, &lane, &err));
    EXPECT_OK(net_fetch(lane, &q, &r, &err));
    assert_int_equal(r.status, 201);
    net_result_clear(&r);
    net_lane_free(lane);
}

static void put_beside(const struct fixture *f, const char *folder, const char *name)
{
    char path[JOBS_FOLDER_SIZE + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    put(f, path, "x");
}

static void directories_are_no_blobs(void **state)
{
    static const char *const lists[] = { "--tree", NULL };
    static const char *const blobs[] = { "--tree", "--policy", "no-lists", NULL };
    const char *const *const kinds[] = { lists, blobs };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = begin(kinds[i]);
        expect_left(f, 0xf);
        prune(f, 2);
        expect_left(f, 0xc);
        prune(f, 1); /* what the first one left empty is nothing to it */
        expect_left(f, 0x8);
        end(f);
    }
}

static void a_folder_that_is_told_twice_counts_once(void **state)
{
    static const char *const args[] = { "--page", "2", NULL };
    struct fixture *f = begin(args);
    (void)state;
    expect_left(f, 0xf);
    prune(f, 2);
    expect_left(f, 0xc);
    end(f);
}

static void blobs_of_other_programs_hinder_nothing(void **state)
{
    static const char *const names[] = { "", ".DS_Store", "a//b", "%C3%BCbel", "back%5Cslash" };
    struct fixture *f = begin(NULL);
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put_beside(f, f->folder[0], names[i]);
    put(f, "mhsm-bench-20200101000000/", "");
    put(f, "mhsm-bench-20200102000000", "");
    put(f, "mhsm-notes.txt", "x");
    expect_left(f, 0xf);
    prune(f, 1);
    expect_left(f, 0x8);
    end(f);
}

static void an_archived_backup_is_told_as_that_and_stays(void **state)
{
    char rule[JOBS_FOLDER_SIZE + 128];
    struct fixture *f = begin(NULL);
    (void)state;
    snprintf(rule, sizeof rule,
             "op=GetBlob blob=%s/manifest every=1 action=status:409 code=BlobArchived\n",
             f->folder[1]);
    test_blobserver_fault(&f->server, rule);
    list(f);
    assert_int_equal(f->count, BACKUPS);
    assert_int_equal(f->told[1], RUN_BACKUP_WHOLE);
    assert_int_equal(f->told[2], RUN_BACKUP_UNREADABLE);
    assert_non_null(strstr(f->why[2], "rehydrate it first"));
    prune(f, 1);
    test_blobserver_no_faults(&f->server);
    expect_left(f, 0xa);
    end(f);
}

static void verify(struct fixture *f, const char *folder, const char *warning)
{
    struct jobs_record r;
    run_bench_verify(&f->b, folder, &r);
    if (r.state != JOBS_SUCCEEDED)
        fail_msg("%s", r.error);
    print_message("  %s\n", r.warning);
    assert_int_equal(strstr(r.warning, "no part of the backup") != NULL, warning != NULL);
    assert_non_null(strstr(r.warning, warning != NULL ? warning : ""));
}

static void what_lies_beside_a_backup_is_told(void **state)
{
    static const char *const lists[] = { "--tree", NULL };
    static const char *const blobs[] = { "--tree", "--policy", "no-lists", NULL };
    const char *const *const kinds[] = { lists, blobs };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = begin(kinds[i]);
        verify(f, f->folder[0], NULL);
        put_beside(f, f->folder[0], "stranger");
        put_beside(f, f->folder[0], "s2/0-00");
        verify(f, f->folder[0], "2 blobs in the folder are no part of the backup, the first is s2");
        verify(f, f->folder[1], NULL);
        test_blobserver_fault(
            &f->server,
            "op=ListBlobs every=1 action=status:403 code=AuthorizationPermissionMismatch\n");
        verify(f, f->folder[0], NULL);
        test_blobserver_no_faults(&f->server);
        test_blobserver_fault(&f->server, "op=ListBlobs every=1 action=status:503\n");
        test_blobserver_no_stats(&f->server);
        verify(f, f->folder[0], NULL);
        assert_true(test_blobserver_stat(&f->server, "ListBlobs") <= 1); /* not waited for */
        end(f);
    }
}

static void a_lease_on_one_backup_keeps_that_one_alone(void **state)
{
    char rule[JOBS_FOLDER_SIZE + 128];
    struct fixture *f = begin(NULL);
    (void)state;
    snprintf(rule, sizeof rule,
             "op=DeleteBlob blob=%s/manifest every=1 action=status:412 code=LeaseIdMissing\n",
             f->folder[0]);
    test_blobserver_fault(&f->server, rule);
    prune(f, 1);
    expect_left(f, 0x9);
    end(f);
}

static void an_empty_manifest_is_a_damaged_one(void **state)
{
    struct fixture *f = begin(NULL);
    (void)state;
    put(f, "mhsm-bench-20200101000000/manifest", "");
    list(f);
    assert_int_equal(f->count, BACKUPS + 1);
    assert_int_equal(f->told[BACKUPS], RUN_BACKUP_DAMAGED);
    prune(f, 1);
    list(f);
    assert_int_equal(f->count, 2);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories_are_no_blobs),
        cmocka_unit_test(a_folder_that_is_told_twice_counts_once),
        cmocka_unit_test(blobs_of_other_programs_hinder_nothing),
        cmocka_unit_test(an_archived_backup_is_told_as_that_and_stays),
        cmocka_unit_test(what_lies_beside_a_backup_is_told),
        cmocka_unit_test(a_lease_on_one_backup_keeps_that_one_alone),
        cmocka_unit_test(an_empty_manifest_is_a_damaged_one),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
