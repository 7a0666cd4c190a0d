/* A blob service that misbehaves as scripted, and directories that are not what they seem: which
 * class a failure gets, and what is there afterwards. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "blob/place.h"
#include "hal_sim/hal_sim.h"
#include "support/blobserver.h"
#include "support/scratch.h"

#define MIB (1u << 20)

struct fixture {
    struct test_blobserver server;
    struct hal_clock *clock;
    struct blob_store *store;
    struct blob_lane *lane;
    struct blob_writer *writer;
    char dir[64];
};

static void open_place(struct fixture *f, const char *uri, const char *token,
                       const struct blob_options *o)
{
    struct blob_place p = { .uri = uri, .token = token };
    struct cf_err e = { 0 };
    if (blob_store_open(&p, BLOB_TO_WRITE, o, f->clock, &f->store, &e) != CF_OK)
        fail_msg("%s", e.text);
    assert_int_equal(blob_lane_new(f->store, &f->lane, NULL), CF_OK);
    assert_int_equal(blob_writer_new(f->lane, &f->writer, NULL), CF_OK);
}

static int set_up_server(void **state, const char *const *args)
{
    static const struct blob_options o = { .allow_http = true, .stall_timeout_ms = 1000 };
    struct fixture *f = calloc(1, sizeof *f);
    char sas[512];
    assert_non_null(f);
    test_blobserver_start(&f->server, args);
    test_blobserver_sas("rcwl", "60", NULL, sas);
    f->clock = hal_sim_clock_new((int64_t)time(NULL) * 1000);
    open_place(f, f->server.url, sas, &o);
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_server(state, NULL);
}

static int set_up_worm(void **state)
{
    static const char *const args[] = { "--worm", NULL };
    return set_up_server(state, args);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    blob_writer_free(f->writer);
    blob_lane_free(f->lane);
    blob_store_free(f->store);
    test_blobserver_stop(&f->server);
    hal_sim_clock_free(f->clock);
    if (f->dir[0] != '\0')
        scratch_shell("chmod -R u+w %s; rm -r %s", f->dir, f->dir);
    free(f);
    return 0;
}

static int set_up_dir(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char uri[80];
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/coffer-blob-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    const char *roots[] = { f->dir };
    struct blob_options o = { .dir_roots = roots, .ndir_roots = 1 };
    f->clock = hal_sim_clock_new((int64_t)time(NULL) * 1000);
    snprintf(uri, sizeof uri, "dir:%s", f->dir);
    open_place(f, uri, "", &o);
    *state = f;
    return 0;
}

static enum cf_rc pull(void *ctx, void *buf, size_t cap, size_t *len, struct cf_err *e)
{
    uint64_t *given = ctx;
    (void)e;
    memset(buf, 'x', cap);
    *given += cap;
    *len = cap;
    return CF_OK;
}

static enum cf_rc push(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    uint64_t *taken = ctx;
    (void)e;
    (void)data;
    *taken += len;
    return CF_OK;
}

static struct blob_block_id id_of(unsigned n)
{
    uint8_t salt[32] = { (uint8_t)n };
    struct blob_block_id id;
    blob_block_id_make(0, n, salt, &id);
    return id;
}

static void finish(struct fixture *f, enum cf_rc started, struct blob_wait *w)
{
    assert_int_equal(started, CF_OK);
    enum cf_rc rc = blob_wait(f->lane, w, NULL);
    assert_int_equal(rc, w->r.err.rc);
    assert_null(strstr(w->r.err.text, "sig="));
}

static struct blob_result put_block(struct fixture *f, const char *name, unsigned n, uint64_t len)
{
    struct blob_wait w;
    uint64_t given = 0;
    struct blob_body body = { .len = len, .pull = pull, .pull_ctx = &given };
    struct blob_block_id id = id_of(n);
    finish(f, blob_put_block(f->writer, name, &id, &body, blob_wait_end(&w), NULL), &w);
    assert_in_range(given, 0, len); /* never asked for twice */
    return w.r;
}

static struct blob_result commit(struct fixture *f, const char *name, unsigned count)
{
    struct blob_wait w;
    struct blob_block_id ids[8];
    for (unsigned i = 0; i < count; i++)
        ids[i] = id_of(i);
    finish(f, blob_commit(f->writer, name, ids, count, blob_wait_end(&w), NULL), &w);
    return w.r;
}

static struct blob_result put(struct fixture *f, const char *name, const char *text)
{
    struct blob_wait w;
    struct blob_body body = { .len = strlen(text), .data = text };
    finish(f, blob_put(f->writer, name, &body, blob_wait_end(&w), NULL), &w);
    return w.r;
}

static struct blob_result get(struct fixture *f, const char *name, uint64_t *taken)
{
    struct blob_wait w;
    struct blob_range r = { .name = name };
    *taken = 0;
    finish(f, blob_get(f->lane, &r, push, taken, blob_wait_end(&w), NULL), &w);
    return w.r;
}

/* ---- the service ---- */

static void faults_of_the_wire_are_worth_a_new_attempt(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *rule;
        bool maybe_done;
        uint32_t retry_after_ms;
    } cases[] = {
        { "op=PutBlock action=status:503 retry-after=3", true, 3000 },
        { "op=PutBlock action=status:500", true, 0 },
        { "op=PutBlock action=status:429 code=TooManyRequests retry-after=1", false, 1000 },
        { "op=PutBlock action=reset:head", false, 0 },
        { "op=PutBlock action=reset:500000", false, 0 },
        { "op=PutBlock action=reset:end", true, 0 },
        { "op=PutBlock action=commit-status:500", true, 0 },
        { "op=PutBlock action=commit-reset", true, 0 },
        { "op=PutBlock action=hang", true, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].rule);
        test_blobserver_no_faults(&f->server);
        test_blobserver_fault(&f->server, cases[i].rule);
        /* larger than socket buffers, so that "sent" means something */
        struct blob_result r = put_block(f, "b", 0, 32 * MIB);
        if (strstr(cases[i].rule, "reset:head") != NULL && r.why == BLOB_OK)
            continue; /* no byte had been pulled yet, so libcurl took another connection */
        assert_int_equal(r.why, BLOB_TRANSIENT);
        assert_int_equal(r.err.rc, CF_E_IO);
        assert_int_equal(r.retry_after_ms, cases[i].retry_after_ms);
        assert_int_equal(r.maybe_done, cases[i].maybe_done);
        assert_int_equal(put_block(f, "b", 0, 1000).why, BLOB_OK);
    }
}

static void early_refusals_do_not_wait_for_the_body(void **state)
{
    struct fixture *f = *state;
    test_blobserver_fault(&f->server, "op=PutBlock action=early-status:503");
    struct blob_result r = put_block(f, "b", 0, 64 * MIB);
    assert_int_equal(r.why, BLOB_TRANSIENT);
    assert_in_range(test_blobserver_stat(&f->server, "bytes_in"), 0, 32 * MIB);
}

struct ids {
    unsigned committed;
    bool ours;
};

static enum cf_rc on_block(void *ctx, bool committed, const struct blob_block_id *id, uint64_t size,
                           struct cf_err *e)
{
    struct ids *seen = ctx;
    struct blob_block_id want = id_of(seen->committed);
    (void)size;
    (void)e;
    if (committed) {
        seen->ours = seen->ours && memcmp(id->bytes, want.bytes, sizeof want.bytes) == 0;
        seen->committed++;
    }
    return CF_OK;
}

static void a_commit_whose_answer_was_lost_can_be_sorted_out(void **state)
{
    struct fixture *f = *state;
    static const char *const rules[] = { "op=PutBlockList action=commit-reset",
                                         "op=PutBlockList action=commit-status:500" };
    for (unsigned i = 0; i < 2; i++) {
        char name[8];
        struct blob_wait w;
        struct ids seen = { .ours = true };
        snprintf(name, sizeof name, "c%u", i);
        assert_int_equal(put_block(f, name, 0, 100).why, BLOB_OK);
        assert_int_equal(put_block(f, name, 1, 100).why, BLOB_OK);
        test_blobserver_fault(&f->server, rules[i]);
        struct blob_result r = commit(f, name, 2);
        assert_int_equal(r.why, BLOB_TRANSIENT);
        assert_true(r.maybe_done);
        assert_int_equal(commit(f, name, 2).why, BLOB_EXISTS);
        finish(f, blob_list_blocks(f->lane, name, on_block, &seen, blob_wait_end(&w), NULL), &w);
        assert_int_equal(w.r.why, BLOB_OK);
        assert_int_equal(seen.committed, 2);
        assert_true(seen.ours);
    }
}

static void a_download_that_is_cut_is_never_taken_for_whole(void **state)
{
    struct fixture *f = *state;
    uint64_t taken;
    struct blob_wait w;
    assert_int_equal(put_block(f, "d", 0, MIB).why, BLOB_OK);
    assert_int_equal(commit(f, "d", 1).why, BLOB_OK);
    test_blobserver_fault(&f->server, "op=GetBlob action=truncate:5000");
    assert_int_equal(get(f, "d", &taken).why, BLOB_TRANSIENT);
    assert_int_equal(taken, 5000);
    test_blobserver_fault(&f->server, "op=GetBlob action=early-status:503 retry-after=2");
    struct blob_result r = get(f, "d", &taken);
    assert_int_equal(r.why, BLOB_TRANSIENT);
    assert_int_equal(r.retry_after_ms, 2000);
    assert_int_equal(taken, 0);

    /* another version between two reads */
    struct blob_range range = { .name = "d", .count = 10, .etag = "\"0x1\"" };
    finish(f, blob_get(f->lane, &range, push, &taken, blob_wait_end(&w), NULL), &w);
    assert_int_equal(w.r.why, BLOB_CHANGED);
}

static void an_answer_that_tells_no_length_is_held_to_the_range(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w;
    struct blob_range range = { .name = "u", .first = 100, .count = 1000 };
    static const struct {
        const char *rule;
        uint64_t taken;
        enum blob_why why;
    } cases[] = { { "op=GetBlob action=unsized:10", 10, BLOB_TRANSIENT },
                  { "op=GetBlob action=unsized:0", 0, BLOB_TRANSIENT },
                  { "op=GetBlob action=unsized:1000", 1000, BLOB_OK } };
    assert_int_equal(put_block(f, "u", 0, MIB).why, BLOB_OK);
    assert_int_equal(commit(f, "u", 1).why, BLOB_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t taken = 0;
        test_blobserver_fault(&f->server, cases[i].rule);
        finish(f, blob_get(f->lane, &range, push, &taken, blob_wait_end(&w), NULL), &w);
        assert_int_equal(w.r.why, cases[i].why);
        assert_int_equal(w.r.err.rc, cases[i].why == BLOB_OK ? CF_OK : CF_E_IO);
        assert_int_equal(taken, cases[i].taken);
    }
}

static void slow_bytes_are_waited_for_and_no_bytes_are_not(void **state)
{
    struct fixture *f = *state;
    uint64_t taken;
    assert_int_equal(put_block(f, "s", 0, 3000).why, BLOB_OK);
    assert_int_equal(commit(f, "s", 1).why, BLOB_OK);
    test_blobserver_fault(&f->server, "op=GetBlob action=drip:2000");
    assert_int_equal(get(f, "s", &taken).why, BLOB_OK);
    assert_int_equal(taken, 3000);
    test_blobserver_no_faults(&f->server);
    test_blobserver_fault(&f->server, "op=GetBlob action=hang");
    assert_int_equal(get(f, "s", &taken).why, BLOB_TRANSIENT);
}

static void refusals_are_told_apart(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *rule;
        enum blob_why why;
        enum cf_rc rc;
    } cases[] = {
        { "op=PutBlob action=status:403 code=AuthorizationPermissionMismatch", BLOB_PERMISSION,
          CF_E_DENIED },
        { "op=PutBlob action=status:403 code=AuthenticationFailed", BLOB_CREDENTIAL, CF_E_DENIED },
        { "op=PutBlob action=status:404 code=ContainerNotFound", BLOB_NO_PLACE, CF_E_DENIED },
        { "op=PutBlob action=status:409 code=BlobImmutableDueToPolicy", BLOB_IMMUTABLE,
          CF_E_DENIED },
        { "op=PutBlob action=status:413 code=RequestBodyTooLarge", BLOB_FULL, CF_E_LIMIT },
        { "op=PutBlob action=status:302 code=Moved", BLOB_REFUSED, CF_E_REMOTE },
        { "op=PutBlob action=status:400 code=Unheard", BLOB_REFUSED, CF_E_REMOTE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].rule);
        test_blobserver_fault(&f->server, cases[i].rule);
        struct blob_result r = put(f, "p", "x");
        assert_int_equal(r.why, cases[i].why);
        assert_int_equal(r.err.rc, cases[i].rc);
        assert_false(r.maybe_done);
    }
    assert_int_equal(put(f, "p", "x").why, BLOB_OK);
}

static void a_sas_that_ends_during_a_job_is_named_as_that(void **state)
{
    struct fixture *f = *state;
    test_blobserver_fault(&f->server, "op=PutBlob times=2 action=status:403 "
                                      "code=AuthenticationFailed");
    assert_int_equal(put(f, "p", "x").why, BLOB_CREDENTIAL);
    hal_sim_clock_step(f->clock, 3600 * 1000);
    struct blob_result r = put(f, "p", "x");
    assert_int_equal(r.why, BLOB_EXPIRED);
    assert_string_equal(r.err.code, "BadRequest");
}

static void a_container_under_a_policy_takes_new_blobs_and_keeps_old_ones(void **state)
{
    struct fixture *f = *state;
    uint64_t taken;
    assert_int_equal(put_block(f, "w", 0, 1000).why, BLOB_OK);
    assert_int_equal(commit(f, "w", 1).why, BLOB_OK);
    assert_int_equal(put(f, "m", "manifest").why, BLOB_OK);
    assert_int_equal(put(f, "m", "other").why, BLOB_EXISTS);
    assert_int_equal(put_block(f, "w", 1, 1000).why, BLOB_IMMUTABLE);
    assert_int_equal(commit(f, "w", 1).why, BLOB_EXISTS);
    assert_int_equal(get(f, "w", &taken).why, BLOB_OK);
    assert_int_equal(taken, 1000);
    assert_int_equal(test_blobserver_stat(&f->server, "DeleteBlob"), 0);
}

static void every_third_request_failing_only_costs_attempts(void **state)
{
    struct fixture *f = *state;
    unsigned attempts = 0;
    uint64_t taken;
    test_blobserver_fault(&f->server, "op=* every=3 action=status:503");
    for (unsigned n = 0; n < 8; n++) {
        struct blob_result r = { .why = BLOB_TRANSIENT };
        for (unsigned i = 0; i < 5 && r.why == BLOB_TRANSIENT; i++, attempts++)
            r = put_block(f, "e", n, 10000);
        assert_int_equal(r.why, BLOB_OK);
    }
    struct blob_result r = commit(f, "e", 8);
    if (r.why == BLOB_TRANSIENT)
        r = commit(f, "e", 8);
    assert_int_equal(r.why, BLOB_OK);
    assert_in_range(attempts, 10, 14);
    test_blobserver_no_faults(&f->server);
    assert_int_equal(get(f, "e", &taken).why, BLOB_OK);
    assert_int_equal(taken, 80000);
}

struct pages {
    unsigned count;
    char last[32];
    bool sorted;
};

static enum cf_rc on_name(void *ctx, const char *name, uint64_t size, struct cf_err *e)
{
    struct pages *p = ctx;
    (void)size;
    (void)e;
    p->sorted = p->sorted && strcmp(p->last, name) < 0;
    snprintf(p->last, sizeof p->last, "%s", name);
    p->count++;
    return CF_OK;
}

static void on_put(void *ctx, const struct blob_result *r)
{
    *(unsigned *)ctx += r->why == BLOB_OK;
}

static void lists_of_several_pages_come_whole_or_fail(void **state)
{
    struct fixture *f = *state;
    static const struct blob_body body = { .len = 1, .data = "x" };
    const unsigned total = 5200; /* a page holds 5000 */
    unsigned done = 0, open = 1;
    struct blob_wait w;
    struct blob_listing what = { "l/", false };
    for (unsigned i = 0; i < total; i++) {
        char name[32];
        snprintf(name, sizeof name, "l/%05u", i);
        assert_int_equal(blob_put(f->writer, name, &body, (struct blob_end){ on_put, &done }, NULL),
                         CF_OK);
    }
    while (open > 0)
        assert_int_equal(blob_lane_run(f->lane, 1000, &open, NULL), CF_OK);
    assert_int_equal(done, total);
    struct pages p = { .sorted = true };
    finish(f, blob_list(f->lane, &what, on_name, &p, blob_wait_end(&w), NULL), &w);
    assert_int_equal(w.r.why, BLOB_OK);
    assert_int_equal(p.count, total);
    assert_true(p.sorted);
    test_blobserver_fault(&f->server, "op=ListBlobs nth=2 action=status:503");
    finish(f, blob_list(f->lane, &what, on_name, &p, blob_wait_end(&w), NULL), &w);
    assert_int_equal(w.r.why, BLOB_TRANSIENT);
    test_blobserver_fault(&f->server, "op=ListBlobs action=flip:60");
    finish(f, blob_list(f->lane, &what, on_name, &p, blob_wait_end(&w), NULL), &w);
    assert_int_equal(w.r.why, BLOB_REFUSED);
    assert_int_equal(w.r.err.rc, CF_E_REMOTE);
}

/* ---- managed identities ---- */

#define STORAGE_TOKEN "eyJ0eXAi.storage.token"

static void identity_place(struct fixture *f, const struct blob_identity *i)
{
    struct blob_options o = { .allow_http = true, .identity = *i, .identity_hosts = "127.0.0.1" };
    struct blob_place p = { .uri = f->server.url, .use_identity = true };
    struct cf_err e = { 0 };
    if (blob_store_open(&p, BLOB_TO_WRITE, &o, f->clock, &f->store, &e) != CF_OK)
        fail_msg("%s", e.text);
    assert_int_equal(blob_lane_new(f->store, &f->lane, NULL), CF_OK);
    assert_int_equal(blob_writer_new(f->lane, &f->writer, NULL), CF_OK);
}

static int set_up_identity(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char key[80];
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/coffer-blob-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(key, sizeof key, "%s/one.key", f->dir);
    const char *const args[] = { "--require-sas", "--bearer", STORAGE_TOKEN, "--arc-key", key,
                                 "--token-life",  "86400",    NULL };
    test_blobserver_start(&f->server, args);
    f->clock = hal_sim_clock_new((int64_t)time(NULL) * 1000);
    *state = f;
    return 0;
}

static void close_place(struct fixture *f)
{
    blob_writer_free(f->writer);
    blob_lane_free(f->lane);
    blob_store_free(f->store);
    f->writer = NULL;
    f->lane = NULL;
    f->store = NULL;
}

static void in_dir(const struct fixture *f, const char *commands);

static void each_kind_of_identity_opens_the_container(void **state)
{
    struct fixture *f = *state;
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "%s/_identity", f->server.root);
    in_dir(f, "echo arc-key-content > one.key");
    const struct blob_identity kinds[] = {
        { .kind = BLOB_IDENTITY_IMDS, .endpoint = endpoint, .client_id = "abc" },
        { .kind = BLOB_IDENTITY_ARC, .endpoint = endpoint, .key_dir = f->dir },
        { .kind = BLOB_IDENTITY_APP_SERVICE, .endpoint = endpoint, .secret = "identity-secret" },
    };
    for (unsigned i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "i%u", i);
        identity_place(f, &kinds[i]);
        assert_int_equal(put_block(f, name, 0, 100000).why, BLOB_OK);
        assert_int_equal(commit(f, name, 1).why, BLOB_OK);
        close_place(f);
    }
}

static void a_token_is_kept_for_half_of_its_life_and_used_on_when_no_new_one_comes(void **state)
{
    struct fixture *f = *state;
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "%s/_identity", f->server.root);
    identity_place(f, &(struct blob_identity){ .kind = BLOB_IDENTITY_IMDS, .endpoint = endpoint });
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(put_block(f, "k", i, 100).why, BLOB_OK);
    assert_int_equal(test_blobserver_stat(&f->server, "Identity"), 1);
    hal_sim_clock_step(f->clock, 43201 * INT64_C(1000));
    test_blobserver_fault(&f->server, "op=Identity action=status:500");
    assert_int_equal(put_block(f, "k", 5, 100).why, BLOB_OK); /* with the old one */
    assert_int_equal(put_block(f, "k", 6, 100).why, BLOB_OK);
    assert_int_equal(test_blobserver_stat(&f->server, "Identity"), 3);

    /* the storage service takes an old token no more */
    hal_sim_clock_step(f->clock, 61000);
    test_blobserver_fault(&f->server, "op=PutBlock action=status:401 "
                                      "code=InvalidAuthenticationInfo");
    assert_int_equal(put_block(f, "k", 7, 100).why, BLOB_TRANSIENT);
    assert_int_equal(put_block(f, "k", 7, 100).why, BLOB_OK);
    assert_int_equal(test_blobserver_stat(&f->server, "Identity"), 4);
    test_blobserver_fault(&f->server, "op=PutBlock nth=2 action=status:401 "
                                      "code=InvalidAuthenticationInfo");
    assert_int_equal(put_block(f, "k", 7, 100).why, BLOB_OK);
    assert_int_equal(put_block(f, "k", 7, 100).why, BLOB_CREDENTIAL);
}

static void an_identity_that_does_not_answer_is_an_outcome_of_the_operation(void **state)
{
    struct fixture *f = *state;
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "%s/_identity", f->server.root);
    static const struct {
        const char *rule;
        enum blob_why why;
    } cases[] = {
        { "op=Identity action=status:400", BLOB_CREDENTIAL },
        { "op=Identity action=status:410", BLOB_TRANSIENT },
        { "op=Identity action=status:429", BLOB_TRANSIENT },
        { "op=Identity action=reset:end", BLOB_TRANSIENT },
        { "op=Identity action=flip:0", BLOB_REFUSED },
    };
    identity_place(f, &(struct blob_identity){ .kind = BLOB_IDENTITY_IMDS, .endpoint = endpoint });
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].rule);
        test_blobserver_fault(&f->server, cases[i].rule);
        struct blob_result r = put(f, "x", "y");
        assert_int_equal(r.why, cases[i].why);
        assert_null(strstr(r.err.text, STORAGE_TOKEN));
    }
    assert_int_equal(put(f, "x", "y").why, BLOB_OK);
    close_place(f);

    identity_place(f, &(struct blob_identity){ .kind = BLOB_IDENTITY_IMDS,
                                               .endpoint = "http://127.0.0.1:1/token" });
    assert_int_equal(put(f, "z", "y").why, BLOB_TRANSIENT);
}

static void an_arc_agent_cannot_have_just_any_file_sent(void **state)
{
    struct fixture *f = *state;
    char endpoint[128], elsewhere[128];
    snprintf(endpoint, sizeof endpoint, "%s/_identity", f->server.root);
    snprintf(elsewhere, sizeof elsewhere, "%s/keys", f->dir);
    in_dir(f, "echo content > secret && mkdir keys && ln -s secret one.key");
    identity_place(f, &(struct blob_identity){
                          .kind = BLOB_IDENTITY_ARC, .endpoint = endpoint, .key_dir = f->dir });
    assert_int_equal(put(f, "a", "y").why, BLOB_CREDENTIAL); /* a link */
    close_place(f);
    in_dir(f, "rm one.key && echo content > one.key");
    identity_place(f, &(struct blob_identity){
                          .kind = BLOB_IDENTITY_ARC, .endpoint = endpoint, .key_dir = elsewhere });
    assert_int_equal(put(f, "a", "y").why, BLOB_CREDENTIAL); /* another directory */
}

/* ---- directories ---- */

static void in_dir(const struct fixture *f, const char *commands)
{
    scratch_shell("cd %s && %s", f->dir, commands);
}

static void links_and_devices_are_not_followed(void **state)
{
    struct fixture *f = *state;
    uint64_t taken;
    in_dir(f, "mkdir -p real outside.d && echo secret > real/file && ln -s real linked && "
              "ln -s real/file filelink && mkfifo fifo && ln -s nowhere dangling");
    static const char *const names[] = { "linked/file", "filelink", "fifo", "dangling" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        print_message("  %s\n", names[i]);
        assert_int_not_equal(get(f, names[i], &taken).why, BLOB_OK);
        assert_int_equal(taken, 0);
        assert_int_not_equal(put(f, names[i], "x").why, BLOB_OK);
    }
    assert_int_not_equal(put(f, "linked/new", "x").why, BLOB_OK);
    in_dir(f, "test ! -e real/new && grep -q secret real/file && test ! -e nowhere");
    assert_int_equal(get(f, "real/file", &taken).why, BLOB_OK);
    assert_int_equal(taken, 7);
}

static void a_staging_directory_that_is_a_link_is_refused(void **state)
{
    struct fixture *f = *state;
    in_dir(f, "mkdir elsewhere && ln -s elsewhere .coffer-staging");
    assert_int_not_equal(put(f, "p", "x").why, BLOB_OK);
    assert_int_not_equal(put_block(f, "p", 0, 10).why, BLOB_OK);
    in_dir(f, "test -z \"$(ls elsewhere)\" && test ! -e p");
}

static void a_full_medium_is_told_and_leaves_no_half_blob(void **state)
{
    struct fixture *f = *state;
    struct rlimit small = { 100000, RLIM_INFINITY }, before;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(put_block(f, "b", 0, 60000).why, BLOB_OK);
    assert_int_equal(put_block(f, "b", 1, 60000).why, BLOB_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct blob_result r = put_block(f, "c", 0, 200000);
    struct blob_result c = commit(f, "b", 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r.why, BLOB_FULL);
    assert_int_equal(r.err.rc, CF_E_LIMIT);
    assert_int_not_equal(c.why, BLOB_OK);
    in_dir(f, "test ! -e b && test ! -e c && test -z \"$(find . -name '.t-*')\"");
}

static void what_was_left_by_a_crash_does_not_hinder(void **state)
{
    struct fixture *f = *state;
    uint64_t taken;
    in_dir(f, "mkdir -p .coffer-staging/b && echo half > .coffer-staging/b/.t-0011223344556677 && "
              "echo junk > .coffer-staging/b/.b-zz && echo x > .coffer-staging/b/.committed");
    assert_int_equal(put_block(f, "b", 0, 100).why, BLOB_OK);
    assert_int_equal(commit(f, "b", 1).why, BLOB_OK);
    assert_int_equal(get(f, "b", &taken).why, BLOB_OK);
    assert_int_equal(taken, 100);
    in_dir(f, "test -z \"$(find . -name '.t-*' -o -name '.b-*')\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH(t, up) cmocka_unit_test_setup_teardown(t, up, tear_down)
        WITH(faults_of_the_wire_are_worth_a_new_attempt, set_up),
        WITH(early_refusals_do_not_wait_for_the_body, set_up),
        WITH(a_commit_whose_answer_was_lost_can_be_sorted_out, set_up),
        WITH(a_download_that_is_cut_is_never_taken_for_whole, set_up),
        WITH(an_answer_that_tells_no_length_is_held_to_the_range, set_up),
        WITH(slow_bytes_are_waited_for_and_no_bytes_are_not, set_up),
        WITH(refusals_are_told_apart, set_up),
        WITH(a_sas_that_ends_during_a_job_is_named_as_that, set_up),
        WITH(a_container_under_a_policy_takes_new_blobs_and_keeps_old_ones, set_up_worm),
        WITH(every_third_request_failing_only_costs_attempts, set_up),
        WITH(lists_of_several_pages_come_whole_or_fail, set_up),
        WITH(each_kind_of_identity_opens_the_container, set_up_identity),
        WITH(a_token_is_kept_for_half_of_its_life_and_used_on_when_no_new_one_comes,
             set_up_identity),
        WITH(an_identity_that_does_not_answer_is_an_outcome_of_the_operation, set_up_identity),
        WITH(an_arc_agent_cannot_have_just_any_file_sent, set_up_identity),
        WITH(links_and_devices_are_not_followed, set_up_dir),
        WITH(a_staging_directory_that_is_a_link_is_refused, set_up_dir),
        WITH(a_full_medium_is_told_and_leaves_no_half_blob, set_up_dir),
        WITH(what_was_left_by_a_crash_does_not_hinder, set_up_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
