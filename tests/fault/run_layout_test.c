/* Storage that forbids overwriting, and storage that forbids block lists: the first second finds
 * out which it is; what is written is written once; all readers read it. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "support/blobserver.h"
#include "support/run_expect.h"

struct fixture {
    struct test_blobserver server;
    char sas[512];
    struct run_bench b;
    uint8_t state[32];
};

static void begin(struct fixture *f, const char *const *args, const char *sp)
{
    test_blobserver_start(&f->server, args);
    test_blobserver_sas(sp, "60", NULL, f->sas);
    struct run_bench_options o = { .partitions = 1,
                                   .bytes = 20 << 20,
                                   .own_clock = true,
                                   .uri = f->server.url,
                                   .token = f->sas,
                                   .run = { .threads = 2, .connections = 4, .attempts = 4 } };
    o.run.storage.stall_timeout_ms = 1000;
    run_bench_open(&f->b, &o);
    run_bench_fill(&f->b);
    run_bench_state(&f->b, f->state);
}

static void end(struct fixture *f)
{
    run_bench_close(&f->b);
    test_blobserver_stop(&f->server);
}

static uint64_t stat(struct fixture *f, const char *name)
{
    return test_blobserver_stat(&f->server, name);
}

/* The names in the folder, one a line. */
struct names {
    char text[8192];
    size_t count;
};

static enum cf_rc take_name(void *ctx, const char *name, uint64_t size, struct cf_err *e)
{
    struct names *n = ctx;
    size_t used = strlen(n->text);
    (void)size, (void)e;
    snprintf(n->text + used, sizeof n->text - used, "%s\n", name);
    n->count++;
    return CF_OK;
}

static void list(struct fixture *f, const char *folder, struct names *out)
{
    char sas[512], prefix[JOBS_FOLDER_SIZE + 1];
    struct blob_store *store = NULL;
    struct blob_lane *lane = NULL;
    struct blob_wait w;
    struct cf_err err;
    test_blobserver_sas("rl", "60", NULL, sas);
    struct blob_place place = { .uri = f->server.url, .token = sas };
    struct blob_options o = { .allow_http = true };
    snprintf(prefix, sizeof prefix, "%s/", folder);
    struct blob_listing what = { .prefix = prefix };
    *out = (struct names){ 0 };
    EXPECT_OK(blob_store_open(&place, BLOB_TO_READ, &o, f->b.kb.clock, &store, &err));
    EXPECT_OK(blob_lane_new(store, &lane, &err));
    EXPECT_OK(blob_list(lane, &what, take_name, out, blob_wait_end(&w), &err));
    EXPECT_OK(blob_wait(lane, &w, &err));
    blob_lane_free(lane);
    blob_store_free(store);
}

/* Whole, one key, and a look that changes nothing; with a credential that reads. */
static void expect_readable(struct fixture *f, const char *folder)
{
    struct jobs_record r;
    struct cf_err err;
    char sas[512];
    test_blobserver_sas("rl", "60", NULL, sas);
    f->b.o.token = sas;
    struct run_request q = run_bench_request(&f->b, folder, NULL);
    EXPECT_OK(run_prerestore_start(f->b.run, &q, &r, &err));
    run_wait(f->b.run);
    EXPECT_OK(jobs_get(f->b.jobs, r.id, &r, &err));
    expect_done(&r);
    EXPECT_OK(keystore_delete(f->b.kb.ks, "bravo", NULL, &err));
    EXPECT_OK(keystore_purge(f->b.kb.ks, "bravo", &err));
    test_blobserver_no_stats(&f->server);
    run_bench_selective(&f->b, folder, "bravo", &r);
    expect_done(&r); /* manifest twice, table and index at once, the key's chunk */
    assert_int_equal(test_blobserver_stat(&f->server, "GetBlob"), 4);
    EXPECT_OK(keystore_delete(f->b.kb.ks, "zulu", NULL, &err));
    run_bench_write(&f->b, 0, "later", 15 << 20);
    run_bench_restore(&f->b, folder, &r);
    expect_done(&r);
    expect_same(&f->b, f->state);
    f->b.o.token = f->sas;
}

enum wanted { LISTS, WHOLE, REFUSED };

static const struct place {
    const char *name;
    const char *args[6];
    const char *sp;
    enum wanted wanted;
    const char *words; /* of a refusal */
    const char *rules;
} places[] = {
    { .name = "nothing may be replaced", .args = { "--worm" }, .sp = "rcwdl", .wanted = LISTS },
    { .name = "blocks are not permitted",
      .args = { "--worm", "--policy", "no-blocks" },
      .sp = "rcwdl",
      .wanted = WHOLE },
    { .name = "a policy forbids block lists",
      .args = { "--worm", "--policy", "no-lists" },
      .sp = "rcwdl",
      .wanted = WHOLE },
    { .name = "a token that only creates, where blocks need more",
      .args = { "--worm", "--require-sas", "--policy", "no-blocks" },
      .sp = "c",
      .wanted = WHOLE },
    { .name = "a token that only creates, where that suffices",
      .args = { "--worm", "--require-sas" },
      .sp = "c",
      .wanted = LISTS },
    { .name = "a service without block lists",
      .sp = "rcw",
      .wanted = WHOLE,
      .rules = "op=PutBlock every=1 action=status:400 code=FeatureNotSupported" },
    { .name = "an emulator without block lists",
      .sp = "rcw",
      .wanted = WHOLE,
      .rules = "op=PutBlock every=1 action=status:500 code=FeatureNotSupported" },
    { .name = "a gateway that knows no blocks",
      .sp = "rcw",
      .wanted = WHOLE,
      .rules = "op=PutBlock every=1 action=status:403 code=AuthorizationFailure" },
    { .name = "a policy that forbids all",
      .args = { "--worm", "--policy", "locked" },
      .sp = "rcwdl",
      .wanted = REFUSED,
      .words = "the storage takes no blobs: writing mhsm-" },
    { .name = "the words of that policy",
      .args = { "--policy", "locked" },
      .sp = "rcwdl",
      .wanted = REFUSED,
      .words = "use a container whose policy allows new blobs" },
    { .name = "a legal hold",
      .sp = "rcw",
      .wanted = REFUSED,
      .words = "legal hold",
      .rules = "every=1 action=status:409 code=BlobImmutableDueToLegalHold" },
};

static void play(const struct place *p)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct jobs_record r;
    struct names names;
    print_message("  %s\n", p->name);
    begin(f, p->args, p->sp);
    if (p->rules)
        test_blobserver_fault(&f->server, p->rules);
    run_bench_backup(&f->b, &r);
    if (p->wanted == REFUSED) {
        expect_state(&r, JOBS_FAILED);
        assert_string_equal(r.error_code, "BadRequest");
        print_message("    %s\n", r.error);
        assert_non_null(strstr(r.error, p->words));
        assert_true(stat(f, "PutBlob") + stat(f, "PutBlock") + stat(f, "PutBlockList") <= 9);
        end(f);
        free(f);
        return;
    }
    expect_done(&r);
    test_blobserver_no_faults(&f->server);
    list(f, r.folder, &names);
    bool whole = strstr(names.text, "/s2/0-") && !strstr(names.text, "/s2.0");
    assert_int_equal(whole, p->wanted == WHOLE);
    assert_int_equal(strstr(names.text, "/s2.0") != NULL, p->wanted == LISTS);
    assert_int_equal(stat(f, "PutBlob.refused"), 0); /* every name was new */
    assert_int_equal(stat(f, "PutBlob"), stat(f, "PutBlob.ok"));
    assert_int_equal(stat(f, "unconditional"), 0);
    assert_int_equal(stat(f, "DeleteBlob"), 0);
    if (whole)
        assert_int_equal(stat(f, "PutBlockList.ok"), 0);
    expect_readable(f, r.folder);
    end(f);
    free(f);
}

static void the_first_second_decides_how_blobs_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        play(&places[i]);
}

/* Each attempt has a name of its own: what a lost answer left behind is no part of the backup. */
static void a_blob_a_block_gets_through_what_passes(void **state)
{
    static const char *const args[] = { "--worm", "--policy", "no-blocks", NULL };
    static const char *const rules[] = {
        "op=PutBlob blob=probe action=commit-reset",
        "op=PutBlob blob=/s2/ nth=2 action=commit-reset",
        "op=PutBlob blob=/manifest action=commit-reset",
    };
    struct fixture *f = calloc(1, sizeof *f);
    (void)state;
    begin(f, args, "rcwdl");
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct jobs_record r;
        print_message("  %s\n", rules[i]);
        test_blobserver_no_stats(&f->server);
        test_blobserver_fault(&f->server, rules[i]);
        run_bench_backup(&f->b, &r);
        expect_done(&r);
        assert_true(stat(f, "faults") > 0);
        test_blobserver_no_faults(&f->server);
        expect_readable(f, r.folder);
    }
    end(f);
    free(f);
}

static void a_block_that_lies_there_with_another_length_fails_the_backup(void **state)
{
    static const char *const args[] = { "--policy", "no-blocks", NULL };
    struct fixture *f = calloc(1, sizeof *f);
    struct jobs_record r;
    (void)state;
    begin(f, args, "rcwdl");
    test_blobserver_fault(&f->server, "op=HeadBlob blob=/s2/ action=length:17");
    run_bench_backup(&f->b, &r);
    expect_state(&r, JOBS_FAILED);
    assert_non_null(strstr(r.error, "has 17 bytes"));
    test_blobserver_fault(&f->server, "op=HeadBlob blob=/meta- action=length:18");
    run_bench_backup(&f->b, &r);
    expect_state(&r, JOBS_FAILED);
    assert_non_null(strstr(r.error, "has 18 bytes"));
    test_blobserver_fault(&f->server, "op=HeadBlob blob=/manifest every=1 action=length:19");
    run_bench_backup(&f->b, &r);
    expect_state(&r, JOBS_FAILED);
    assert_non_null(strstr(r.error, "has 19 bytes"));
    end(f);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_second_decides_how_blobs_are_written),
        cmocka_unit_test(a_blob_a_block_gets_through_what_passes),
        cmocka_unit_test(a_block_that_lies_there_with_another_length_fails_the_backup),
    };
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
