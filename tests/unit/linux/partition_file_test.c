/* A partition on a sparse file: holes are zeros, data beside them is data. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "hal_linux/hal_linux.h"

#define SIZE  (8U << 20)
#define PLACE 5000001U /* of five bytes; all else is a hole */

static struct cf_err err;
static char path[64];
static struct hal_partition *p;

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/coffer-sparse-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, SIZE) != 0 || pwrite(fd, "data!", 5, PLACE) != 5)
        return -1;
    close(fd);
    return hal_linux_partition_open(path, false, &p, &err) == CF_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    hal_partition_close(p);
    return unlink(path);
}

static void all_of_a_sparse_file_reads_as_it_is(void **state)
{
    static uint8_t got[65536], want[SIZE];
    (void)state;
    memcpy(want + PLACE, "data!", 5);
    for (size_t step = 4095; step <= sizeof got; step += 20480)
        for (size_t at = 0; at < SIZE; at += step) {
            size_t n = step < SIZE - at ? step : SIZE - at;
            memset(got, 0xaa, n);
            EXPECT_OK(hal_partition_read(p, at, got, n, &err));
            assert_memory_equal(got, want + at, n);
        }
}

static void a_file_that_became_shorter_is_no_hole(void **state)
{
    static uint8_t got[65536];
    (void)state;
    assert_int_equal(truncate(path, SIZE - 65536), 0);
    EXPECT_OK(hal_partition_read(p, SIZE - 131072, got, sizeof got, &err));
    assert_int_equal(hal_partition_read(p, SIZE - 100000, got, sizeof got, NULL), CF_E_IO);
    assert_int_equal(hal_partition_read(p, SIZE - 65536, got, sizeof got, NULL), CF_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_of_a_sparse_file_reads_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_became_shorter_is_no_hole, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
