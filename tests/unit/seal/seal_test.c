/* Blocks against the independent writer's vectors (tests/vectors/backup-v1/blocks), and all ways a
 * block can be wrong. */
#include "support/test.h"

#include <stdlib.h>

#include "hal_sim/hal_sim.h"
#include "seal/seal.h"
#include "support/vectors.h"

struct block_case {
    struct cf_secret *dk;
    struct seal_run run;
    struct flow_block block;
    uint8_t salt[FLOW_SALT_SIZE];
    struct cf_buf plain, wire;
};

static enum cf_rc read_plain(void *ctx, uint64_t place, void *dst, size_t len, struct cf_err *e)
{
    struct block_case *c = ctx;
    (void)e;
    memcpy(dst, c->plain.data + (place - c->block.place), len);
    return CF_OK;
}

/* The map is the vector's own: which chunks are left out is chunk's business. */
static void load(struct block_case *c, const char *name)
{
    struct vectors v;
    char path[128];
    uint8_t dk[32];
    *c = (struct block_case){ 0 };
    snprintf(path, sizeof path, "backup-v1/blocks/%s.txt", name);
    vectors_read(&v, path);
    vectors_fixed(&v, "dk", dk, sizeof dk);
    assert_int_equal(cf_secret_copy(dk, sizeof dk, &c->dk, NULL), CF_OK);
    c->run.dk = c->dk;
    vectors_fixed(&v, "backup_id", c->run.backup_id, FLOW_ID_SIZE);
    vectors_fixed(&v, "salt", c->salt, sizeof c->salt);
    c->block = (struct flow_block){ .stream = (uint32_t)vectors_uint(&v, "stream"),
                                    .number = vectors_uint(&v, "block"),
                                    .place = vectors_uint(&v, "place"),
                                    .chunk_log2 = (uint8_t)vectors_uint(&v, "log2"),
                                    .last = vectors_uint(&v, "last"),
                                    .mapped = vectors_uint(&v, "raw"),
                                    .covered = (uint32_t)vectors_uint(&v, "plain_bytes") };
    vectors_bytes(&v, "plain", &c->plain);
    assert_int_equal(cf_buf_resize(&c->plain, c->block.covered, NULL), CF_OK); /* zeros */
    vectors_bytes(&v, "wire", &c->wire);
    memcpy(c->block.map, c->wire.data + FLOW_HEADER_SIZE, flow_map_len(&c->block));
    vectors_clear(&v);
}

static void unload(struct block_case *c)
{
    cf_secret_free(c->dk);
    cf_buf_clear(&c->plain);
    cf_buf_clear(&c->wire);
}

static const char *const names[] = { "four-full", "four-short", "left-out-65", "left-out",
                                     "map",       "one-byte",   "one-chunk" };
#define NAMES (sizeof names / sizeof names[0])

static void blocks_are_sealed_as_the_vectors_say(void **state)
{
    (void)state;
    struct cf_err err;
    struct seal_writer *w = NULL;
    EXPECT_OK(seal_writer_new(&w, &err));
    for (size_t n = 0; n < NAMES; n++) {
        struct block_case c;
        struct flow_receipt row;
        size_t got = 1, len = 0;
        print_message("  %s\n", names[n]);
        load(&c, names[n]);
        uint8_t *out = calloc(1, c.wire.len + 8192);
        struct seal_pass p = { .run = &c.run,
                               .block = &c.block,
                               .salt = c.salt,
                               .from = { read_plain, &c },
                               .digest = true };
        EXPECT_OK(seal_writer_begin(w, &p, &err));
        assert_int_equal(flow_wire(&c.block), c.wire.len);
        for (; got; len += got) /* room for one piece at a time */
            EXPECT_OK(seal_writer_pull(w, out + len, SEAL_PIECE(c.block.chunk_log2), &got, &err));
        assert_int_equal(len, c.wire.len);
        assert_memory_equal(out, c.wire.data, len);
        EXPECT_OK(seal_writer_receipt(w, &row, &err));
        assert_int_equal(row.wire, len);
        assert_memory_equal(row.salt, c.salt, sizeof c.salt);
        free(out);
        unload(&c);
    }
    seal_writer_free(w);
}

/* What came out of the opener, and whether anything did. */
struct sunk {
    struct block_case *c;
    uint8_t *plain;
    size_t bytes;
};

static enum cf_rc sink_put(void *ctx, uint64_t place, const void *data, size_t len,
                           struct cf_err *e)
{
    struct sunk *s = ctx;
    (void)e;
    memcpy(s->plain + (place - s->c->block.place), data, len);
    s->bytes += len;
    return CF_OK;
}

static enum cf_rc sink_fill(void *ctx, uint64_t place, size_t len, uint8_t value, struct cf_err *e)
{
    struct sunk *s = ctx;
    (void)e;
    memset(s->plain + (place - s->c->block.place), value, len);
    s->bytes += len;
    return CF_OK;
}

/* Opens `wire` as block c, in pieces of `step` bytes; the class of the first refusal. */
static enum cf_rc open_as(struct block_case *c, const uint8_t *wire, size_t len, size_t step,
                          struct sunk *s)
{
    struct seal_opener *o = NULL;
    struct flow_receipt row = { .place = c->block.place,
                                .covered = c->block.covered,
                                .wire = (uint32_t)c->wire.len };
    struct seal_expect x = {
        .run = &c->run, .block = &c->block, .receipt = &row, .to = { sink_put, sink_fill, s }
    };
    memcpy(row.salt, c->salt, sizeof row.salt);
    s->c = c;
    s->bytes = 0;
    assert_int_equal(seal_opener_new(c->block.chunk_log2, &o, NULL), CF_OK);
    enum cf_rc rc = seal_opener_begin(o, &x, NULL);
    for (size_t at = 0; rc == CF_OK && at < len; at += step)
        rc = seal_opener_push(o, wire + at, len - at < step ? len - at : step, NULL);
    if (rc == CF_OK)
        rc = seal_opener_end(o, NULL);
    seal_opener_free(o);
    return rc;
}

static void blocks_open_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const size_t steps[] = { 1, 7, 4096, 1 << 20 };
    for (size_t n = 0; n < NAMES; n++)
        for (size_t i = 0; i < 4; i++) {
            struct block_case c;
            load(&c, names[n]);
            struct sunk s = { .plain = calloc(1, c.block.covered) };
            assert_int_equal(open_as(&c, c.wire.data, c.wire.len, steps[i], &s), CF_OK);
            assert_int_equal(s.bytes, c.block.covered);
            assert_memory_equal(s.plain, c.plain.data, c.block.covered);
            free(s.plain);
            unload(&c);
        }
}

static void every_flipped_byte_of_a_block_is_refused(void **state)
{
    (void)state;
    struct block_case c;
    load(&c, "map");
    struct sunk s = { .plain = calloc(1, c.block.covered) };
    for (size_t i = 0; i < c.wire.len; i++) {
        c.wire.data[i] ^= 0x01;
        enum cf_rc rc = open_as(&c, c.wire.data, c.wire.len, c.wire.len, &s);
        c.wire.data[i] ^= 0x01;
        if (rc != CF_E_AUTH && rc != CF_E_CORRUPT && rc != CF_E_LIMIT)
            fail_msg("flip at %zu: %s", i, cf_rc_name(rc));
        /* nothing of a chunk is released unless it is whole, nothing at all on a bad header */
        if (i < FLOW_HEADER_SIZE + 16 + FLOW_TAG_SIZE)
            assert_int_equal(s.bytes, 0);
    }
    free(s.plain);
    unload(&c);
}

static void a_cut_or_grown_block_is_refused(void **state)
{
    (void)state;
    struct block_case c;
    load(&c, "four-short");
    struct sunk s = { .plain = calloc(1, c.block.covered) };
    for (size_t len = 0; len < c.wire.len; len += 37)
        assert_int_equal(open_as(&c, c.wire.data, len, 512, &s), CF_E_CORRUPT);
    assert_int_equal(cf_buf_put(&c.wire, "x", 1, NULL), CF_OK);
    c.wire.len--; /* the table has the true length */
    assert_int_equal(open_as(&c, c.wire.data, c.wire.len + 1, 4096, &s), CF_E_CORRUPT);
    free(s.plain);
    unload(&c);
}

static void a_block_opens_only_where_and_when_it_belongs(void **state)
{
    (void)state;
    struct block_case c;
    load(&c, "four-full");
    struct sunk s = { .plain = calloc(1, c.block.covered) };
    c.block.number++;
    assert_int_equal(open_as(&c, c.wire.data, c.wire.len, 4096, &s), CF_E_AUTH);
    c.block.number--;
    c.block.stream++;
    assert_int_equal(open_as(&c, c.wire.data, c.wire.len, 4096, &s), CF_E_AUTH);
    c.block.stream--;
    c.block.place += 4096;
    assert_int_equal(open_as(&c, c.wire.data, c.wire.len, 4096, &s), CF_E_AUTH);
    c.block.place -= 4096;
    c.block.last = !c.block.last;
    assert_int_equal(open_as(&c, c.wire.data, c.wire.len, 4096, &s), CF_E_AUTH);
    c.block.last = !c.block.last;
    c.salt[0] ^= 1; /* another attempt at the same block */
    assert_int_equal(open_as(&c, c.wire.data, c.wire.len, 4096, &s), CF_E_AUTH);
    c.salt[0] ^= 1;
    c.run.backup_id[0] ^= 1;
    assert_int_equal(open_as(&c, c.wire.data, c.wire.len, 4096, &s), CF_E_AUTH);
    c.run.backup_id[0] ^= 1;
    cf_secret_data(c.dk)[0] ^= 1;
    assert_int_equal(open_as(&c, c.wire.data, c.wire.len, 4096, &s), CF_E_AUTH);
    assert_int_equal(s.bytes, 0);
    free(s.plain);
    unload(&c);
}

static void one_chunk_opens_alone_and_only_as_itself(void **state)
{
    (void)state;
    struct cf_err err;
    struct block_case c;
    load(&c, "four-full");
    uint8_t plain[4][4096];
    struct flow_receipt row = { .wire = 0 };
    memcpy(row.salt, c.salt, sizeof row.salt);
    c.block.mapped = false; /* as in a record stream: seal it anew */
    struct seal_writer *w = NULL;
    struct seal_pass p = {
        .run = &c.run, .block = &c.block, .salt = c.salt, .from = { read_plain, &c }
    };
    uint8_t wire[FLOW_HEADER_SIZE + FLOW_TAG_SIZE + 4 * SEAL_PIECE(12)];
    size_t got = 0;
    EXPECT_OK(seal_writer_new(&w, &err));
    EXPECT_OK(seal_writer_begin(w, &p, &err));
    EXPECT_OK(seal_writer_pull(w, wire, sizeof wire, &got, &err));
    assert_int_equal(got, sizeof wire);
    struct seal_expect x = { .run = &c.run, .block = &c.block, .receipt = &row };
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t piece[SEAL_PIECE(12)];
        memcpy(piece, wire + seal_chunk_offset(&c.block, i), seal_chunk_wire(&c.block, i));
        EXPECT_RC(CF_E_AUTH, seal_chunk_open(&x, (i + 1) % 4, piece, &err));
        memcpy(piece, wire + seal_chunk_offset(&c.block, i), seal_chunk_wire(&c.block, i));
        EXPECT_OK(seal_chunk_open(&x, i, piece, &err));
        memcpy(plain[i], piece, sizeof plain[i]);
    }
    assert_memory_equal(plain, c.plain.data, c.block.covered);
    seal_writer_free(w);
    unload(&c);
}

static enum cf_rc read_fails(void *ctx, uint64_t place, void *dst, size_t len, struct cf_err *e)
{
    (void)ctx, (void)place;
    memset(dst, 'p', len);
    return CF_FAIL(e, CF_E_IO, "the medium failed");
}

static void a_failed_read_ends_the_attempt_and_shows_no_plaintext(void **state)
{
    (void)state;
    struct cf_err err;
    struct block_case c;
    load(&c, "one-chunk");
    struct seal_writer *w = NULL;
    struct flow_receipt row;
    uint8_t out[8192];
    size_t got = 0;
    struct seal_pass p = {
        .run = &c.run, .block = &c.block, .salt = c.salt, .from = { read_fails, NULL }
    };
    EXPECT_OK(seal_writer_new(&w, &err));
    EXPECT_OK(seal_writer_begin(w, &p, &err));
    EXPECT_RC(CF_E_IO, seal_writer_pull(w, out, sizeof out, &got, &err));
    assert_int_equal(got, 0);
    EXPECT_RC(CF_E_STATE, seal_writer_pull(w, out, sizeof out, &got, &err));
    EXPECT_RC(CF_E_STATE, seal_writer_receipt(w, &row, &err));
    seal_writer_free(w);
    unload(&c);
}

static void a_pull_without_room_for_a_chunk_is_the_callers_fault(void **state)
{
    (void)state;
    struct cf_err err;
    struct block_case c;
    load(&c, "one-chunk");
    struct seal_writer *w = NULL;
    uint8_t out[1024];
    size_t got = 0;
    struct seal_pass p = {
        .run = &c.run, .block = &c.block, .salt = c.salt, .from = { read_plain, &c }
    };
    EXPECT_OK(seal_writer_new(&w, &err));
    EXPECT_OK(seal_writer_begin(w, &p, &err));
    EXPECT_OK(seal_writer_pull(w, out, sizeof out, &got, &err)); /* the header fits */
    EXPECT_RC(CF_E_ARG, seal_writer_pull(w, out, sizeof out, &got, &err));
    seal_writer_free(w);
    unload(&c);
}

static void salts_differ_though_the_random_source_is_stuck_and_the_clock_stands(void **state)
{
    (void)state;
    struct cf_err err;
    struct hal_entropy *stuck = hal_sim_entropy_new(1, 1);
    struct hal_clock *clock = hal_sim_clock_new(0);
    struct seal_salts *s = NULL;
    static uint8_t salts[200][FLOW_SALT_SIZE];
    uint8_t none[32] = { 0 };
    EXPECT_OK(seal_salts_new(stuck, clock, none, &s, &err));
    for (size_t i = 0; i < 200; i++) {
        EXPECT_OK(seal_salts_next(s, salts[i], &err));
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(salts[i], salts[k], FLOW_SALT_SIZE);
    }
    seal_salts_free(s);
    hal_sim_clock_free(clock);
    hal_sim_entropy_free(stuck);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_sealed_as_the_vectors_say),
        cmocka_unit_test(blocks_open_in_pieces_of_any_size),
        cmocka_unit_test(every_flipped_byte_of_a_block_is_refused),
        cmocka_unit_test(a_cut_or_grown_block_is_refused),
        cmocka_unit_test(a_block_opens_only_where_and_when_it_belongs),
        cmocka_unit_test(one_chunk_opens_alone_and_only_as_itself),
        cmocka_unit_test(a_failed_read_ends_the_attempt_and_shows_no_plaintext),
        cmocka_unit_test(a_pull_without_room_for_a_chunk_is_the_callers_fault),
        cmocka_unit_test(salts_differ_though_the_random_source_is_stuck_and_the_clock_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
