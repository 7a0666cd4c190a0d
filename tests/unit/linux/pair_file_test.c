#include "support/test.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "hal_linux/hal_linux.h"

static struct cf_err err;
static char dir[64];
static char path[128], next[140], note[140];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/coffer-pair-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/data", dir);
    snprintf(next, sizeof next, "%s.next", path);
    snprintf(note, sizeof note, "%s.slot", path);
    return cf_file_write(path, 0600, "AAAA", 4, NULL) == CF_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    unlink(next);
    unlink(note);
    return rmdir(dir);
}

static void make_twin(const char *bytes)
{
    struct hal_partition *twin = NULL;
    EXPECT_OK(hal_linux_pair_open_twin(path, &twin, &err));
    assert_int_equal(twin->size, 4);
    EXPECT_OK(hal_partition_write(twin, 0, bytes, 4, &err));
    EXPECT_OK(hal_partition_sync(twin, &err));
    hal_partition_close(twin);
}

static void expect_live(const char *bytes)
{
    struct hal_partition *p = NULL;
    char out[4];
    EXPECT_OK(hal_linux_partition_open(path, false, &p, &err));
    EXPECT_OK(hal_partition_read(p, 0, out, 4, &err));
    assert_memory_equal(out, bytes, 4);
    hal_partition_close(p);
}

static void the_names_trade_when_the_slot_flips_and_only_then(void **state)
{
    (void)state;
    EXPECT_OK(
        hal_linux_pair_settle(path, 0, &err)); /* nothing restored yet: no twin, no note needed */
    expect_live("AAAA");
    make_twin("BBBB");
    EXPECT_OK(hal_linux_pair_settle(path, 0, &err)); /* built but not flipped */
    expect_live("AAAA");
    EXPECT_OK(hal_linux_pair_settle(path, 1, &err));
    expect_live("BBBB");
    EXPECT_OK(hal_linux_pair_settle(path, 1, &err));
    expect_live("BBBB");
    EXPECT_OK(hal_linux_pair_settle(path, 0, &err)); /* undo */
    expect_live("AAAA");
}

static void a_cut_between_the_trade_and_the_note_trades_once(void **state)
{
    (void)state;
    make_twin("BBBB");
    EXPECT_OK(hal_linux_pair_settle(path, 0, &err));
    struct cf_buf before = { 0 };
    EXPECT_OK(hal_linux_pair_settle(path, 1, &err));
    EXPECT_OK(hal_linux_pair_settle(path, 0, &err));
    EXPECT_OK(cf_file_read(note, 64, &before, &err)); /* says: slot 0 */
    EXPECT_OK(hal_linux_pair_settle(path, 1, &err));
    EXPECT_OK(cf_file_write(note, 0600, before.data, before.len, &err)); /* the note was lost */
    EXPECT_OK(hal_linux_pair_settle(path, 1, &err));
    expect_live("BBBB");
    cf_buf_clear(&before);
}

static void a_file_replaced_from_outside_stays_live(void **state)
{
    (void)state;
    make_twin("BBBB");
    EXPECT_OK(hal_linux_pair_settle(path, 1, &err));
    EXPECT_OK(cf_file_write(path, 0600, "CCCC", 4, &err)); /* a new inode */
    EXPECT_OK(hal_linux_pair_settle(path, 1, &err));
    expect_live("CCCC");
}

/* The owner of the data writes it anew as a file of its own, then a restore is cut. */
static void a_cut_trade_of_a_file_that_was_replaced_trades_once(void **state)
{
    (void)state;
    make_twin("BBBB");
    EXPECT_OK(hal_linux_pair_settle(path, 0, &err));
    EXPECT_OK(cf_file_write(path, 0600, "CCCC", 4, &err));
    EXPECT_OK(hal_linux_pair_settle(path, 0, &err)); /* a start notes the new file */
    assert_int_equal(renameat2(AT_FDCWD, next, AT_FDCWD, path, RENAME_EXCHANGE), 0); /* the cut */
    EXPECT_OK(hal_linux_pair_settle(path, 1, &err));
    expect_live("BBBB");
    EXPECT_OK(hal_linux_pair_settle(path, 0, &err));
    expect_live("CCCC");
}

static void a_garbled_note_is_refused(void **state)
{
    (void)state;
    EXPECT_OK(cf_file_write(note, 0600, "2 x\n", 4, &err));
    EXPECT_RC(CF_E_CORRUPT, hal_linux_pair_settle(path, 0, &err));
}

static void a_second_writer_is_refused(void **state)
{
    (void)state;
    struct hal_partition *a = NULL, *b = NULL;
    EXPECT_OK(hal_linux_partition_open(path, true, &a, &err));
    EXPECT_RC(CF_E_STATE, hal_linux_partition_open(path, true, &b, &err));
    hal_partition_close(a);
    EXPECT_OK(hal_linux_partition_open(path, true, &b, &err));
    hal_partition_close(b);
    EXPECT_RC(CF_E_ABSENT, hal_linux_partition_open("/nonexistent/x", false, &a, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_names_trade_when_the_slot_flips_and_only_then, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cut_between_the_trade_and_the_note_trades_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_replaced_from_outside_stays_live, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_trade_of_a_file_that_was_replaced_trades_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_garbled_note_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_writer_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
