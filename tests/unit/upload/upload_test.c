/* One attempt at the far side, judged; on a directory. */
#include "support/test.h"

#include <stdlib.h>

#include "blob/place.h"
#include "hal_linux/hal_linux.h"
#include "support/scratch.h"
#include "upload/upload.h"

struct fixture {
    char dir[64];
    const char *root;
    struct blob_store *store;
    struct upload_far far;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct cf_err err;
    char uri[80];
    scratch_make(f->dir);
    snprintf(uri, sizeof uri, "dir:%s", f->dir);
    f->root = f->dir;
    struct blob_options o = { .dir_roots = &f->root, .ndir_roots = 1 };
    struct blob_place p = { .uri = uri };
    EXPECT_OK(blob_store_open(&p, BLOB_TO_WRITE, &o, hal_linux_clock(), &f->store, &err));
    EXPECT_OK(blob_lane_new(f->store, &f->far.lane, &err));
    EXPECT_OK(blob_writer_new(f->far.lane, &f->far.writer, &err));
    f->far.can_read = true;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    blob_writer_free(f->far.writer);
    blob_lane_free(f->far.lane);
    blob_store_free(f->store);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

static enum cf_rc pull_letters(void *ctx, void *buf, size_t cap, size_t *len, struct cf_err *e)
{
    (void)e;
    *len = cap < 3 ? cap : 3;
    memset(buf, *(char *)ctx, *len);
    return CF_OK;
}

static void send_block(struct fixture *f, uint64_t number, uint8_t salt, char letter)
{
    struct cf_err err;
    struct upload_outcome out = { .verdict = UPLOAD_FAILED };
    uint8_t bytes[FLOW_SALT_SIZE] = { salt };
    struct blob_wait w;
    struct upload_block b = { .blob = "s0.0",
                              .number = number,
                              .salt = bytes,
                              .wire = 10,
                              .pull = pull_letters,
                              .pull_ctx = &letter };
    EXPECT_OK(upload_block_start(f->far.writer, &b, blob_wait_end(&w), &err));
    upload_wait(&f->far, CF_OK, &w, &out);
    assert_int_equal(out.verdict, UPLOAD_DONE);
}

static void make_rows(uint8_t rows[2 * FLOW_ROW_SIZE], uint8_t first, uint8_t second)
{
    struct flow_receipt a = { .salt = { first }, .wire = 10 };
    struct flow_receipt b = { .salt = { second }, .wire = 10 };
    flow_row_put(&a, rows);
    flow_row_put(&b, rows + FLOW_ROW_SIZE);
}

static enum upload_verdict commit(struct fixture *f, uint8_t first, uint8_t second, uint64_t bytes)
{
    uint8_t rows[2 * FLOW_ROW_SIZE];
    struct upload_list list = { .rows = rows, .count = 2, .bytes = bytes };
    struct upload_outcome out;
    make_rows(rows, first, second);
    upload_commit(&f->far, "s0.0", &list, &out);
    return out.verdict;
}

static void the_attempt_that_is_named_is_in_the_blob_and_a_late_other_one_is_not(void **state)
{
    struct fixture *f = *state;
    struct cf_buf bytes = { 0 };
    struct cf_err err;
    send_block(f, 0, 1, 'a');
    send_block(f, 1, 2, 'b');
    send_block(f, 0, 3, 'x'); /* another attempt at block 0, landing late */
    assert_int_equal(commit(f, 1, 2, 20), UPLOAD_DONE);
    EXPECT_OK(blob_read(f->far.lane, "s0.0", 100, &bytes, NULL, &err));
    assert_int_equal(bytes.len, 20);
    assert_memory_equal(bytes.data, "aaaaaaaaaabbbbbbbbbb", 20);
    cf_buf_clear(&bytes);
}

static void a_length_that_differs_at_the_far_side_fails(void **state)
{
    struct fixture *f = *state;
    send_block(f, 0, 1, 'a');
    send_block(f, 1, 2, 'b');
    assert_int_equal(commit(f, 1, 2, 21), UPLOAD_FAILED);
}

static void a_block_that_was_never_sent_fails_the_commit(void **state)
{
    struct fixture *f = *state;
    send_block(f, 0, 1, 'a');
    assert_int_not_equal(commit(f, 1, 2, 20), UPLOAD_DONE);
}

static void a_whole_blob_is_written_once_and_the_same_bytes_again_are_success(void **state)
{
    struct fixture *f = *state;
    struct upload_outcome out;
    upload_put(&f->far, "manifest", "bytes", 5, &out);
    assert_int_equal(out.verdict, UPLOAD_DONE);
    upload_put(&f->far, "manifest", "bytes", 5, &out); /* as after a lost answer */
    assert_int_equal(out.verdict, UPLOAD_DONE);
    upload_put(&f->far, "manifest", "other", 5, &out);
    assert_int_equal(out.verdict, UPLOAD_FAILED);
    assert_int_equal(out.why, BLOB_EXISTS);
    upload_put(&f->far, "manifest", "byte", 4, &out);
    assert_int_equal(out.verdict, UPLOAD_FAILED);
    f->far.can_read = false; /* then nobody can tell */
    upload_put(&f->far, "manifest", "bytes", 5, &out);
    assert_int_equal(out.verdict, UPLOAD_FAILED);
}

static void only_what_may_pass_is_worth_another_attempt(void **state)
{
    (void)state;
    for (int why = BLOB_OK; why <= BLOB_REFUSED; why++) {
        struct blob_result r = { .why = (enum blob_why)why, .retry_after_ms = 7 };
        struct upload_outcome out;
        upload_judge(&r, &out);
        assert_int_equal(out.verdict, why == BLOB_OK          ? UPLOAD_DONE
                                      : why == BLOB_TRANSIENT ? UPLOAD_AGAIN
                                                              : UPLOAD_FAILED);
        assert_int_equal(out.err.rc == CF_OK, why == BLOB_OK);
        assert_int_equal(out.retry_after_ms, 7);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(the_attempt_that_is_named_is_in_the_blob_and_a_late_other_one_is_not),
        T(a_length_that_differs_at_the_far_side_fails),
        T(a_block_that_was_never_sent_fails_the_commit),
        T(a_whole_blob_is_written_once_and_the_same_bytes_again_are_success),
        cmocka_unit_test(only_what_may_pass_is_worth_another_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
