/*
 * What every blob store promises of deleting (firmware/blob/include/blob/blob.h), run over a
 * directory ("dir") or the blob server with SAS signatures checked ("azure").
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "blob/place.h"
#include "hal_linux/hal_linux.h"
#include "support/blobserver.h"
#include "support/scratch.h"

struct fixture {
    const char *kind;
    struct test_blobserver server;
    char dir[64], uri[256], writing[512], erasing[512];
    struct blob_store *stores[2];
    struct blob_lane *lane, *eraser_lane;
    struct blob_writer *writer;
    struct blob_eraser *eraser;
};

static const char *world = "dir";

static struct blob_lane *open_for(struct fixture *f, size_t i, enum blob_need need,
                                  const char *token)
{
    const char *roots[] = { f->dir };
    struct blob_options o = { .dir_roots = roots, .ndir_roots = 1, .allow_http = true };
    struct blob_place p = { .uri = f->uri, .token = token };
    struct blob_lane *lane = NULL;
    struct cf_err e = { 0 };
    if (blob_store_open(&p, need, &o, hal_linux_clock(), &f->stores[i], &e) != CF_OK)
        fail_msg("%s", e.text);
    assert_int_equal(blob_lane_new(f->stores[i], &lane, NULL), CF_OK);
    return lane;
}

static int set_up(void **state)
{
    static const char *const args[] = { "--require-sas", "--account-key", TEST_ACCOUNT_KEY, NULL };
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->kind = world;
    snprintf(f->dir, sizeof f->dir, "/tmp/coffer-erase-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    if (strcmp(f->kind, "dir") == 0) {
        snprintf(f->uri, sizeof f->uri, "dir:%s", f->dir);
    } else {
        test_blobserver_start(&f->server, args);
        snprintf(f->uri, sizeof f->uri, "%s", f->server.url);
        test_blobserver_sas("rcwl", "60", TEST_ACCOUNT_KEY, f->writing);
        test_blobserver_sas("rdl", "60", TEST_ACCOUNT_KEY, f->erasing);
    }
    f->lane = open_for(f, 0, BLOB_TO_WRITE, f->writing);
    f->eraser_lane = open_for(f, 1, BLOB_TO_ERASE, f->erasing);
    assert_int_equal(blob_writer_new(f->lane, &f->writer, NULL), CF_OK);
    assert_int_equal(blob_eraser_new(f->eraser_lane, &f->eraser, NULL), CF_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    blob_eraser_free(f->eraser);
    blob_writer_free(f->writer);
    blob_lane_free(f->lane);
    blob_lane_free(f->eraser_lane);
    blob_store_free(f->stores[0]);
    blob_store_free(f->stores[1]);
    test_blobserver_stop(&f->server);
    scratch_shell("rm -r %s", f->dir);
    free(f);
    return 0;
}

/* --- helpers ------------------------------------------------------------------------------- */

static enum blob_why put(struct fixture *f, const char *name)
{
    struct blob_wait w = { 0 };
    struct blob_body body = { .len = 5, .data = "12345" };
    assert_int_equal(blob_put(f->writer, name, &body, blob_wait_end(&w), NULL), CF_OK);
    (void)!blob_wait(f->lane, &w, NULL);
    return w.r.why;
}

static struct blob_result erase(struct fixture *f, const char *name)
{
    struct blob_wait w = { 0 };
    assert_int_equal(blob_erase(f->eraser, name, blob_wait_end(&w), NULL), CF_OK);
    (void)!blob_wait(f->eraser_lane, &w, NULL);
    return w.r;
}

static enum cf_rc add_name(void *ctx, const char *name, uint64_t size, struct cf_err *e)
{
    char *all = ctx;
    (void)size;
    (void)e;
    strncat(all, name, 500 - strlen(all));
    strncat(all, " ", 500 - strlen(all));
    return CF_OK;
}

static void expect_list(struct fixture *f, bool grouped, const char *want)
{
    struct blob_wait w = { 0 };
    struct blob_listing what = { .prefix = "d/", .grouped = grouped };
    char all[512] = "";
    assert_int_equal(blob_list(f->lane, &what, add_name, all, blob_wait_end(&w), NULL), CF_OK);
    assert_int_equal(blob_wait(f->lane, &w, NULL), CF_OK);
    assert_string_equal(all, want);
}

static void id_of(struct blob_block_id *id)
{
    static const uint8_t salt[32] = { 7 };
    blob_block_id_make(1, 0, salt, id);
}

static enum blob_why commit(struct fixture *f, const char *name)
{
    struct blob_wait w = { 0 };
    struct blob_block_id id;
    id_of(&id);
    assert_int_equal(blob_commit(f->writer, name, &id, 1, blob_wait_end(&w), NULL), CF_OK);
    (void)!blob_wait(f->lane, &w, NULL);
    return w.r.why;
}

/* --- the promises -------------------------------------------------------------------------- */

static void an_erased_blob_is_gone_and_no_other(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "d/a/one"), BLOB_OK);
    assert_int_equal(put(f, "d/a/two"), BLOB_OK);
    assert_int_equal(put(f, "d/b"), BLOB_OK);
    assert_int_equal(erase(f, "d/a/one").why, BLOB_OK);
    assert_int_equal(erase(f, "d/a/one").why, BLOB_ABSENT);
    expect_list(f, false, "d/a/two d/b ");
    assert_int_equal(erase(f, "d/a/two").why, BLOB_OK);
    expect_list(f, true, "d/b ");                     /* an empty folder is none */
    assert_int_not_equal(erase(f, "d").why, BLOB_OK); /* a folder is no blob */
    expect_list(f, false, "d/b ");
    assert_int_equal(put(f, "d/a/one"), BLOB_OK);
}

static void the_blocks_of_an_erased_blob_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct blob_wait w = { 0 };
    struct blob_body body = { .len = 5, .data = "12345" };
    struct blob_block_id id;
    id_of(&id);
    assert_int_equal(blob_put_block(f->writer, "x/y", &id, &body, blob_wait_end(&w), NULL), CF_OK);
    assert_int_equal(blob_wait(f->lane, &w, NULL), CF_OK);
    assert_int_equal(commit(f, "x/y"), BLOB_OK);
    assert_int_equal(erase(f, "x/y").why, BLOB_OK);
    assert_int_equal(commit(f, "x/y"), BLOB_BLOCK_LOST);
}

static void who_writes_cannot_erase_and_who_erases_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct blob_writer *w = (struct blob_writer *)f;
    struct blob_eraser *x = (struct blob_eraser *)f;
    assert_int_equal(blob_eraser_new(f->lane, &x, NULL), CF_E_DENIED);
    assert_null(x);
    assert_int_equal(blob_writer_new(f->eraser_lane, &w, NULL), CF_E_DENIED);
    assert_null(w);
}

static void what_a_policy_keeps_is_told_apart(void **state)
{
    struct fixture *f = *state;
    if (strcmp(f->kind, "dir") == 0)
        return; /* a directory knows no such policy */
    assert_int_equal(put(f, "d/kept"), BLOB_OK);
    test_blobserver_fault(&f->server,
                          "op=DeleteBlob action=status:409 code=BlobImmutableDueToPolicy\n");
    struct blob_result r = erase(f, "d/kept");
    assert_int_equal(r.why, BLOB_IMMUTABLE);
    assert_non_null(strstr(r.err.text, "deleting"));
    test_blobserver_no_faults(&f->server);
    expect_list(f, false, "d/kept ");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_erased_blob_is_gone_and_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_blocks_of_an_erased_blob_are_forgotten, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_writes_cannot_erase_and_who_erases_cannot_write, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_a_policy_keeps_is_told_apart, set_up, tear_down),
    };
    if (argc > 1)
        world = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
