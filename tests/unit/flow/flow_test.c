/* Sizes and maps of blocks: backup/FORMAT.md, 3.1 and 3.3. */
#include "support/test.h"

#include "flow/flow.h"

static struct flow_block raw(uint8_t log2, uint32_t covered)
{
    return (struct flow_block){
        .stream = 2, .chunk_log2 = log2, .mapped = true, .last = true, .covered = covered
    };
}

static void a_block_of_records_costs_a_header_and_a_tag_a_chunk(void **state)
{
    (void)state;
    struct flow_block b = { .chunk_log2 = 18, .covered = 8 << 20 };
    assert_int_equal(flow_chunks(&b), 32);
    assert_int_equal(flow_wire(&b), (8 << 20) + 624); /* the figure of format.md, 2 */
}

static void a_map_takes_sixteen_bytes_for_64_chunks(void **state)
{
    (void)state;
    struct flow_block b = raw(12, 64 << 12);
    assert_int_equal(flow_map_len(&b), 16);
    b.covered++;
    assert_int_equal(flow_map_len(&b), 32);
    assert_int_equal(flow_chunk_len(&b, 64), 1);
    b.mapped = false;
    assert_int_equal(flow_map_len(&b), 0);
}

static void left_out_chunks_are_not_on_the_wire(void **state)
{
    (void)state;
    struct flow_block b = raw(12, 3 << 12);
    uint32_t all = flow_wire(&b);
    flow_map_set(&b, 1, FLOW_ONES);
    assert_int_equal(flow_map_get(&b, 1), FLOW_ONES);
    assert_int_equal(flow_map_get(&b, 0), FLOW_SENT);
    assert_int_equal(flow_wire(&b), all - (1 << 12) - FLOW_TAG_SIZE);
    flow_map_set(&b, 1, FLOW_SENT);
    assert_int_equal(flow_wire(&b), all);
}

static void value_3_and_set_padding_of_a_map_are_refused(void **state)
{
    (void)state;
    struct cf_err err;
    struct flow_block b = raw(12, 3 << 12);
    EXPECT_OK(flow_map_check(&b, &err));
    b.map[0] = 3;
    EXPECT_RC(CF_E_CORRUPT, flow_map_check(&b, &err));
    b.map[0] = 1 << 6; /* chunk 3 of 3 */
    EXPECT_RC(CF_E_CORRUPT, flow_map_check(&b, &err));
    b.map[0] = 0;
    b.map[15] = 1;
    EXPECT_RC(CF_E_CORRUPT, flow_map_check(&b, &err));
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    struct cf_err err;
    struct flow_block b = raw(18, 1 << 20);
    EXPECT_OK(flow_block_check(&b, &err));
    b.covered = 0;
    EXPECT_RC(CF_E_CORRUPT, flow_block_check(&b, &err));
    b.covered = FLOW_COVERED_MAX + 1;
    EXPECT_RC(CF_E_LIMIT, flow_block_check(&b, &err));
    b.covered = (4096 << 12) + 1;
    b.chunk_log2 = 12;
    EXPECT_RC(CF_E_LIMIT, flow_block_check(&b, &err));
    for (unsigned log2 = 0; log2 < 256; log2++) {
        bool good = log2 == 12 || (log2 >= 16 && log2 <= 20);
        assert_int_equal(flow_log2_ok(log2), good);
    }
    b = raw(18, 1000);
    b.last = false;
    EXPECT_RC(CF_E_CORRUPT, flow_block_check(&b, &err));
    b = raw(18, 1 << 18);
    b.place = UINT64_MAX - 5;
    EXPECT_RC(CF_E_CORRUPT, flow_block_check(&b, &err));
}

static void a_row_reads_as_it_was_written(void **state)
{
    (void)state;
    uint8_t row[FLOW_ROW_SIZE];
    struct flow_receipt in = { .salt = { 1 },
                               .place = 1ULL << 40,
                               .covered = 7,
                               .wire = 9,
                               .digest = { [31] = 2 } },
                        out;
    flow_row_put(&in, row);
    flow_row_get(row, &out);
    assert_memory_equal(&in, &out, sizeof in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_of_records_costs_a_header_and_a_tag_a_chunk),
        cmocka_unit_test(a_map_takes_sixteen_bytes_for_64_chunks),
        cmocka_unit_test(left_out_chunks_are_not_on_the_wire),
        cmocka_unit_test(value_3_and_set_padding_of_a_map_are_refused),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(a_row_reads_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
