/* What hal/partition.h promises, asked of every implementer. */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "hal_linux/hal_linux.h"
#include "hal_sim/hal_sim.h"

#define SIZE  ((uint64_t)256 * 1024)
#define BLOCK ((size_t)65536)

static struct cf_err err;
static char file_path[64];

struct kind {
    const char *name;
    struct hal_partition *(*open)(void);
};

static struct hal_partition *open_file(void)
{
    struct hal_partition *p = NULL;
    snprintf(file_path, sizeof file_path, "/tmp/coffer-part-XXXXXX");
    int fd = mkstemp(file_path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)SIZE), 0);
    close(fd);
    EXPECT_OK(hal_linux_partition_open(file_path, true, &p, &err));
    unlink(file_path);
    return p;
}

static struct hal_partition *open_ram(void)
{
    return hal_partition_sim_new(SIZE, 512);
}

static struct hal_partition *open_flash(void)
{
    return hal_partition_sim_flash_new(SIZE, 256, 4096);
}

static const struct kind kinds[] = { { "file", open_file },
                                     { "ram", open_ram },
                                     { "flash", open_flash } };

static void each(void (*body)(struct hal_partition *))
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        print_message("  on %s\n", kinds[i].name);
        struct hal_partition *p = kinds[i].open();
        assert_non_null(p);
        body(p);
        hal_partition_close(p);
    }
}

static void fill_pattern(uint8_t *b, size_t len, uint8_t seed)
{
    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

static void written_bytes_body(struct hal_partition *p)
{
    uint8_t in[8192], out[8192];
    fill_pattern(in, sizeof in, 3);
    EXPECT_OK(hal_partition_erase(p, 8192, 8192, &err));
    EXPECT_OK(hal_partition_write(p, 8192, in, sizeof in, &err));
    EXPECT_OK(hal_partition_sync(p, &err));
    EXPECT_OK(hal_partition_read(p, 8192, out, sizeof out, &err));
    assert_memory_equal(in, out, sizeof in);
    EXPECT_OK(hal_partition_read(p, 8192 + 1000, out, 17, &err)); /* reads need no alignment */
    assert_memory_equal(in + 1000, out, 17);
}

static void written_bytes_are_read_back(void **state)
{
    (void)state;
    each(written_bytes_body);
}

static void outside_body(struct hal_partition *p)
{
    uint8_t b[8192] = { 0 };
    EXPECT_RC(CF_E_ARG, hal_partition_read(p, SIZE - 1, b, 2, &err));
    EXPECT_RC(CF_E_ARG, hal_partition_read(p, UINT64_MAX, b, 2, &err));
    EXPECT_RC(CF_E_ARG, hal_partition_write(p, SIZE, b, 4096, &err));
    EXPECT_RC(CF_E_ARG, hal_partition_write(p, 1, b, 4096, &err));
    EXPECT_RC(CF_E_ARG, hal_partition_write(p, 0, b, 100, &err));
    EXPECT_OK(hal_partition_read(p, SIZE, b, 0, &err));
}

static void nothing_outside_or_askew_is_touched(void **state)
{
    (void)state;
    each(outside_body);
}

static void changes_body(struct hal_partition *p)
{
    uint64_t a = 0, b = 0;
    uint8_t piece[4096] = { 1 };
    EXPECT_OK(hal_partition_changes(p, &a, &err));
    EXPECT_OK(hal_partition_read(p, 0, piece, sizeof piece, &err));
    EXPECT_OK(hal_partition_changes(p, &b, &err));
    assert_true(a == b);
    usleep(20000); /* longer than the coarsest tick that the driver's header names */
    EXPECT_OK(hal_partition_erase(p, 0, 4096, &err));
    EXPECT_OK(hal_partition_write(p, 0, piece, sizeof piece, &err));
    EXPECT_OK(hal_partition_changes(p, &b, &err));
    assert_true(a != b);
}

static void a_write_changes_the_counter_and_a_read_does_not(void **state)
{
    (void)state;
    each(changes_body);
}

static void fill_body(struct hal_partition *p)
{
    uint8_t *out = malloc(BLOCK);
    assert_non_null(out);
    for (unsigned v = 0; v < 256; v += 255) {
        EXPECT_OK(hal_partition_erase(p, BLOCK, BLOCK, &err));
        EXPECT_OK(hal_partition_fill(p, BLOCK, BLOCK, (uint8_t)v, &err));
        EXPECT_OK(hal_partition_read(p, BLOCK, out, BLOCK, &err));
        for (size_t i = 0; i < BLOCK; i++)
            assert_int_equal(out[i], v);
    }
    free(out);
}

static void a_filled_range_reads_as_filled(void **state)
{
    (void)state;
    each(fill_body);
}

static void a_cut_leaves_each_unit_old_or_new(void **state)
{
    (void)state;
    uint8_t old[2048], new[2048], out[2048];
    memset(old, 0x11, sizeof old);
    memset(new, 0x22, sizeof new);
    enum cf_rc rc = CF_E_IO;
    for (uint64_t cut = 0; rc != CF_OK; cut++) {
        struct hal_partition *p = hal_partition_sim_new(SIZE, 512);
        EXPECT_OK(hal_partition_write(p, 0, old, sizeof old, &err));
        hal_partition_sim_cut_after(p, cut);
        rc = hal_partition_write(p, 0, new, sizeof new, NULL);
        hal_partition_sim_cut_after(p, UINT64_MAX);
        EXPECT_OK(hal_partition_read(p, 0, out, sizeof out, &err));
        assert_memory_equal(out, new, (size_t)cut * 512);
        assert_memory_equal(out + cut * 512, old, sizeof old - (size_t)cut * 512);
        hal_partition_close(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_bytes_are_read_back),
        cmocka_unit_test(nothing_outside_or_askew_is_touched),
        cmocka_unit_test(a_write_changes_the_counter_and_a_read_does_not),
        cmocka_unit_test(a_filled_range_reads_as_filled),
        cmocka_unit_test(a_cut_leaves_each_unit_old_or_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
