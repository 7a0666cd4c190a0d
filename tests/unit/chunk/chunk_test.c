/* Streams cut into blocks and put together again: backup/FORMAT.md, 3.1 to 3.3. */
#include "support/test.h"

#include <stdlib.h>

#include "cbor/cbor.h"
#include "chunk/chunk.h"

#define CHUNK (1U << FLOW_CHUNK_LOG2)

/* --- raw
 * ------------------------------------------------------------------------------------------ */

static void block_size_doubles_so_that_one_blob_holds_the_stream(void **state)
{
    (void)state;
    const uint64_t mib = 1 << 20, tib = mib << 20;
    assert_int_equal(chunk_raw_block(1), 8 * mib);
    assert_int_equal(chunk_raw_block(32768 * 8 * mib), 8 * mib);
    assert_int_equal(chunk_raw_block(32768 * 8 * mib + 1), 16 * mib);
    assert_int_equal(chunk_raw_block(tib), 32 * mib); /* format.md, 12 */
    assert_int_equal(chunk_raw_block(100 * tib), 64 * mib);
    assert_int_equal(chunk_raw_blocks(0), 0);
    assert_int_equal(chunk_raw_blocks(8 * mib), 1);
    assert_int_equal(chunk_raw_blocks(8 * mib + 1), 2);
}

static void raw_blocks_tile_the_partition(void **state)
{
    (void)state;
    struct cf_err err;
    uint64_t size = (20 << 20) + 12345, place = 0;
    for (uint64_t i = 0; i < chunk_raw_blocks(size); i++) {
        struct flow_block b = { .stream = 5, .number = i, .chunk_log2 = FLOW_CHUNK_LOG2 };
        chunk_raw_shape(size, &b);
        EXPECT_OK(flow_block_check(&b, &err));
        assert_int_equal(b.place, place);
        assert_int_equal(b.last, i + 1 == chunk_raw_blocks(size));
        place += b.covered;
    }
    assert_int_equal(place, size);
}

struct medium {
    uint8_t *bytes;
    uint64_t read;
};

static enum cf_rc read_medium(void *ctx, uint64_t place, void *dst, size_t len, struct cf_err *e)
{
    struct medium *m = ctx;
    (void)e;
    memcpy(dst, m->bytes + place, len);
    m->read += len;
    return CF_OK;
}

static void erased_and_zeroed_chunks_are_left_out_and_little_is_read_for_it(void **state)
{
    (void)state;
    struct cf_err err;
    static uint8_t scratch[CHUNK_SCRATCH];
    struct medium m = { .bytes = calloc(6, CHUNK) };
    struct flow_reader from = { read_medium, &m };
    struct flow_block b = { .stream = 2, .chunk_log2 = FLOW_CHUNK_LOG2 };
    chunk_raw_shape(6 * CHUNK - 10, &b);
    memset(m.bytes + CHUNK, 0xff, CHUNK);     /* erased */
    memset(m.bytes + 2 * CHUNK, 0x55, CHUNK); /* data */
    m.bytes[4 * CHUNK - 1] = 1;               /* zeros but for its last byte */
    memset(m.bytes + 4 * CHUNK, 0xff, CHUNK);
    m.bytes[4 * CHUNK + CHUNK_PROBE] = 0x00; /* erased but for one byte */
    EXPECT_OK(chunk_raw_probe(&b, &from, scratch, &err));
    static const enum flow_fill want[] = { FLOW_ZEROS, FLOW_ONES, FLOW_SENT,
                                           FLOW_SENT,  FLOW_SENT, FLOW_ZEROS };
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(flow_map_get(&b, i), want[i]);
    EXPECT_OK(flow_map_check(&b, &err));
    memset(m.bytes, 0x55, 6 * CHUNK);
    m.read = 0;
    EXPECT_OK(chunk_raw_probe(&b, &from, scratch, &err));
    assert_int_equal(m.read, 6 * CHUNK_PROBE);
    free(m.bytes);
}

static void a_chunk_of_one_value_alone_is_no_reason_to_leave_it_out(void **state)
{
    (void)state;
    struct cf_err err;
    static uint8_t scratch[CHUNK_SCRATCH];
    struct medium m = { .bytes = malloc(CHUNK) };
    struct flow_reader from = { read_medium, &m };
    struct flow_block b = { .stream = 2, .chunk_log2 = FLOW_CHUNK_LOG2 };
    chunk_raw_shape(CHUNK, &b);
    memset(m.bytes, 0xaa, CHUNK);
    EXPECT_OK(chunk_raw_probe(&b, &from, scratch, &err));
    assert_int_equal(flow_map_get(&b, 0), FLOW_SENT);
    free(m.bytes);
}

/* --- records
 * -------------------------------------------------------------------------------------- */

static void make_record(struct cf_buf *out, const char *name, size_t pad)
{
    struct cbor_wr w;
    uint8_t *fill = calloc(1, pad + 1);
    assert_int_equal(cf_buf_resize(out, 0, NULL), CF_OK);
    cbor_wr_init(&w, out, NULL);
    cbor_wr_map(&w, 2);
    cbor_wr_key(&w, 1);
    cbor_wr_text(&w, name);
    cbor_wr_key(&w, 2);
    cbor_wr_bytes(&w, fill, pad);
    assert_int_equal(cbor_wr_end(&w), CF_OK);
    free(fill);
}

/* A whole stream in memory: blocks one behind the other. */
struct packed {
    struct chunk_index index;
    struct cf_buf bytes;
    struct flow_block blocks[64];
    size_t count;
    uint64_t records;
};

static void close_block(struct packed *s, struct chunk_packer *p, struct cf_buf *block, bool last)
{
    assert_int_equal(chunk_packer_close(p, block, last, &s->blocks[s->count++], NULL), CF_OK);
    assert_int_equal(cf_buf_put(&s->bytes, block->data, block->len, NULL), CF_OK);
    assert_int_equal(cf_buf_resize(block, 0, NULL), CF_OK);
}

static size_t pad_of(size_t i)
{
    return i % 7 == 3 ? 3 * CHUNK / 2 : 200 + 911 * i % 5000;
}

static void name_of(size_t i, char out[32])
{
    snprintf(out, 32, "key-%05zu", 10 * i);
}

static struct chunk_packing packing(struct chunk_index *index, uint32_t block_max)
{
    return (struct chunk_packing){ .chunk_log2 = FLOW_CHUNK_LOG2,
                                   .block_max = block_max,
                                   .index = index };
}

static void pack(struct packed *s, size_t n, uint32_t block_max)
{
    struct chunk_packer *p = NULL;
    struct cf_buf block = { 0 }, record = { 0 };
    *s = (struct packed){ .count = 0 };
    struct chunk_packing how = packing(&s->index, block_max);
    assert_int_equal(chunk_packer_new(&how, &p, NULL), CF_OK);
    for (size_t i = 0; i < n; i++) {
        char name[32];
        bool fits = false;
        name_of(i, name);
        make_record(&record, name, pad_of(i));
        assert_int_equal(chunk_packer_put(p, &block, record.data, record.len, &fits, NULL), CF_OK);
        if (fits)
            continue;
        close_block(s, p, &block, false);
        assert_int_equal(chunk_packer_put(p, &block, record.data, record.len, &fits, NULL), CF_OK);
        assert_true(fits);
    }
    if (block.len)
        close_block(s, p, &block, true);
    s->records = chunk_packer_records(p);
    chunk_packer_free(p);
    cf_buf_clear(&block);
    cf_buf_clear(&record);
}

static void packed_clear(struct packed *s)
{
    chunk_index_clear(&s->index);
    cf_buf_clear(&s->bytes);
}

struct seen {
    size_t count;
};

static enum cf_rc see(void *ctx, struct cf_rd name, const void *record, size_t len, bool *stop,
                      struct cf_err *e)
{
    struct seen *s = ctx;
    char want[32];
    (void)record, (void)stop, (void)e;
    name_of(s->count, want);
    assert_int_equal(name.left, strlen(want));
    assert_memory_equal(name.p, want, name.left);
    assert_true(len > pad_of(s->count));
    s->count++;
    return CF_OK;
}

static enum cf_rc unpack(const struct packed *s, struct chunk_taker taker,
                         struct chunk_index *index, size_t step)
{
    struct chunk_unpacker *u = NULL;
    assert_int_equal(chunk_unpacker_new(FLOW_CHUNK_LOG2, taker, index, &u, NULL), CF_OK);
    enum cf_rc rc = CF_OK;
    for (size_t b = 0; rc == CF_OK && b < s->count; b++) {
        const uint8_t *at = s->bytes.data + s->blocks[b].place;
        uint32_t left = s->blocks[b].covered;
        rc = chunk_unpacker_block(u, left, NULL);
        while (rc == CF_OK && left) {
            uint32_t n = left < step ? left : (uint32_t)step;
            rc = chunk_unpacker_push(u, at, n, NULL);
            at += n;
            left -= n;
        }
        if (rc == CF_OK)
            rc = chunk_unpacker_end(u, NULL);
    }
    chunk_unpacker_free(u);
    return rc;
}

static void records_come_back_in_pieces_of_any_size_with_the_same_index(void **state)
{
    (void)state;
    static const size_t steps[] = { 3, 4096, CHUNK, 10 * CHUNK };
    struct packed s;
    pack(&s, 60, 4 * CHUNK);
    assert_true(s.count > 4);
    for (size_t i = 0; i < 4; i++) {
        struct seen seen = { 0 };
        struct chunk_index index = { 0 };
        assert_int_equal(unpack(&s, (struct chunk_taker){ see, &seen }, &index, steps[i]), CF_OK);
        assert_int_equal(seen.count, 60);
        assert_int_equal(index.bytes.len, s.index.bytes.len);
        assert_memory_equal(index.bytes.data, s.index.bytes.data, index.bytes.len);
        chunk_index_clear(&index);
    }
    assert_int_equal(s.records, 60);
    assert_int_equal(s.index.chunks, s.bytes.len / CHUNK);
    packed_clear(&s);
}

static void blocks_of_records_are_whole_chunks_and_only_the_last_is_last(void **state)
{
    (void)state;
    struct cf_err err;
    struct packed s;
    pack(&s, 60, 4 * CHUNK);
    for (size_t i = 0; i < s.count; i++) {
        EXPECT_OK(flow_block_check(&s.blocks[i], &err));
        assert_int_equal(s.blocks[i].covered % CHUNK, 0);
        assert_int_equal(s.blocks[i].last, i + 1 == s.count);
        assert_int_equal(s.blocks[i].number, i);
    }
    packed_clear(&s);
}

static void the_index_leads_to_every_record_and_to_where_an_absent_one_would_be(void **state)
{
    (void)state;
    struct cf_err err;
    struct packed s;
    pack(&s, 60, 4 * CHUNK);
    assert_int_equal(s.index.count, 1);
    for (size_t i = 0; i < 60; i++) {
        char name[32];
        uint64_t chunk = 0;
        uint32_t offset = 0;
        name_of(i, name);
        EXPECT_OK(chunk_index_find(&s.index.segments[0], s.index.bytes.data, name, &chunk, &offset,
                                   &err));
        /* the record that starts there has a name that is not greater */
        const uint8_t *at = s.bytes.data + chunk * CHUNK + offset;
        struct cf_rd rd = cf_rd_of(at, 4), found;
        uint32_t len = cf_rd_le32(&rd);
        EXPECT_OK(chunk_record_name(at + 4, len, &found, &err));
        assert_true(memcmp(found.p, name, found.left) <= 0);
    }
    packed_clear(&s);
}

static void long_indexes_are_cut_into_segments_that_begin_with_a_name(void **state)
{
    (void)state;
    struct cf_err err;
    struct packed s;
    struct chunk_packer *p = NULL;
    struct cf_buf block = { 0 }, record = { 0 };
    s = (struct packed){ .count = 0 };
    struct chunk_packing how = packing(&s.index, FLOW_RECORD_BLOCK);
    assert_int_equal(chunk_packer_new(&how, &p, NULL), CF_OK);
    for (size_t i = 0; i < 900; i++) { /* one record a chunk, names of 120 characters */
        char name[128];
        bool fits = false;
        struct flow_block b;
        memset(name, 'n', sizeof name);
        snprintf(name + 110, sizeof name - 110, "%08zu", i);
        make_record(&record, name, CHUNK - 200);
        assert_int_equal(chunk_packer_put(p, &block, record.data, record.len, &fits, NULL), CF_OK);
        assert_int_equal(chunk_packer_close(p, &block, i == 899, &b, NULL), CF_OK);
        assert_int_equal(cf_buf_resize(&block, 0, NULL), CF_OK);
    }
    assert_true(s.index.count > 2);
    uint64_t at = 0;
    for (size_t i = 0; i < s.index.count; i++) {
        const struct chunk_segment *g = &s.index.segments[i];
        uint64_t chunk = 0;
        uint32_t offset = 1;
        assert_int_equal(g->offset, at);
        assert_true(g->len <= CHUNK_SEGMENT_CUT);
        EXPECT_OK(
            chunk_index_find(g, s.index.bytes.data + g->offset, g->name, &chunk, &offset, &err));
        assert_int_equal(chunk, g->chunk);
        assert_int_equal(offset, 0);
        at += g->len;
    }
    assert_int_equal(at, s.index.bytes.len);
    chunk_packer_free(p);
    packed_clear(&s);
    cf_buf_clear(&block);
    cf_buf_clear(&record);
}

static void names_that_do_not_ascend_are_refused_both_ways(void **state)
{
    (void)state;
    struct chunk_index index = { 0 };
    struct chunk_packer *p = NULL;
    struct cf_buf block = { 0 }, record = { 0 };
    bool fits = false;
    struct chunk_packing how = packing(&index, 4 * CHUNK);
    assert_int_equal(chunk_packer_new(&how, &p, NULL), CF_OK);
    make_record(&record, "b", 10);
    assert_int_equal(chunk_packer_put(p, &block, record.data, record.len, &fits, NULL), CF_OK);
    assert_int_equal(chunk_packer_put(p, &block, record.data, record.len, &fits, NULL), CF_E_ARG);
    make_record(&record, "a", 10);
    assert_int_equal(chunk_packer_put(p, &block, record.data, record.len, &fits, NULL), CF_E_ARG);
    chunk_packer_free(p);
    chunk_index_clear(&index);
    cf_buf_clear(&block);
    cf_buf_clear(&record);
}

static enum cf_rc ignore(void *ctx, struct cf_rd name, const void *record, size_t len, bool *stop,
                         struct cf_err *e)
{
    (void)ctx, (void)name, (void)record, (void)len, (void)stop, (void)e;
    return CF_OK;
}

/* One block of one chunk with these bytes in front, zeros behind. */
static enum cf_rc unpack_bytes(const void *bytes, size_t len, uint32_t covered)
{
    struct packed s = { .count = 1, .blocks = { { .covered = covered } } };
    assert_int_equal(cf_buf_put(&s.bytes, bytes, len, NULL), CF_OK);
    assert_int_equal(cf_buf_resize(&s.bytes, covered, NULL), CF_OK);
    enum cf_rc rc = unpack(&s, (struct chunk_taker){ ignore, NULL }, NULL, 1000);
    cf_buf_clear(&s.bytes);
    return rc;
}

static void what_is_no_stream_of_records_is_refused(void **state)
{
    (void)state;
    static const uint8_t good[] = { 6, 0, 0, 0, 0xa2, 1, 0x61, 'a', 2, 0x40 };
    uint8_t bad[64];
    assert_int_equal(unpack_bytes(good, sizeof good, CHUNK), CF_OK);
    /* more padding than a chunk */
    assert_int_equal(unpack_bytes(good, sizeof good, 2 * CHUNK), CF_E_CORRUPT);
    /* padding that is not zero */
    memcpy(bad, good, sizeof good);
    memset(bad + sizeof good, 0, sizeof bad - sizeof good);
    bad[sizeof good + 20] = 1;
    assert_int_equal(unpack_bytes(bad, sizeof bad, CHUNK), CF_E_CORRUPT);
    /* a record that runs over its block, one that is too long, one that is no map */
    static const uint8_t over[] = { 0xff, 0xff, 4, 0, 0xa1 };
    static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff };
    static const uint8_t text[] = { 2, 0, 0, 0, 0x61, 'a' };
    assert_int_equal(unpack_bytes(over, sizeof over, CHUNK), CF_E_CORRUPT);
    assert_int_equal(unpack_bytes(huge, sizeof huge, CHUNK), CF_E_LIMIT);
    assert_int_equal(unpack_bytes(text, sizeof text, CHUNK), CF_E_CORRUPT);
}

static void malformed_indexes_are_refused(void **state)
{
    (void)state;
    uint64_t chunk;
    uint32_t offset;
    static const uint8_t cut[] = { 1, 0, 'a', 0, 0, 0 };
    static const uint8_t empty_only[] = { 0, 0, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t no_offset[] = { 1, 0, 'a', 0xff, 0xff, 0xff, 0xff };
    static const uint8_t doubled[] = { 1, 0, 'a', 0, 0, 0, 0, 1, 0, 'a', 0, 0, 0, 0 };
    struct {
        const void *p;
        uint32_t len;
    } cases[] = {
        { cut, sizeof cut },
        { empty_only, sizeof empty_only },
        { no_offset, sizeof no_offset },
        { doubled, sizeof doubled },
    };
    for (size_t i = 0; i < 4; i++) {
        struct chunk_segment s = { .len = cases[i].len };
        assert_int_equal(chunk_index_find(&s, cases[i].p, "a", &chunk, &offset, NULL),
                         CF_E_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_size_doubles_so_that_one_blob_holds_the_stream),
        cmocka_unit_test(raw_blocks_tile_the_partition),
        cmocka_unit_test(erased_and_zeroed_chunks_are_left_out_and_little_is_read_for_it),
        cmocka_unit_test(a_chunk_of_one_value_alone_is_no_reason_to_leave_it_out),
        cmocka_unit_test(records_come_back_in_pieces_of_any_size_with_the_same_index),
        cmocka_unit_test(blocks_of_records_are_whole_chunks_and_only_the_last_is_last),
        cmocka_unit_test(the_index_leads_to_every_record_and_to_where_an_absent_one_would_be),
        cmocka_unit_test(long_indexes_are_cut_into_segments_that_begin_with_a_name),
        cmocka_unit_test(names_that_do_not_ascend_are_refused_both_ways),
        cmocka_unit_test(what_is_no_stream_of_records_is_refused),
        cmocka_unit_test(malformed_indexes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
