/* Receipts: the tree, and that none says more than was read. What a receipt's bytes mean is checked
 * by the independent reader, tests/unit/inspect/receipt_test.py and tests/system/verify_test.py. */
#include "support/test.h"

#include "crypto/crypto.h"
#include "manifest/receipt.h"
#include "manifest_priv.h"
#include "support/fake_token.h"

static void hash2(uint8_t first, const uint8_t *a, const uint8_t *b, uint8_t out[32])
{
    uint8_t msg[65] = { first };
    memcpy(msg + 1, a, 32);
    if (b)
        memcpy(msg + 33, b, 32);
    assert_int_equal(crypto_digest(HAL_SHA256, msg, b ? 65 : 33, out, NULL), CF_OK);
}

/* As RFC 9162, 2.1.1, words it: split at the largest power of two below n. */
static void root_by_the_book(const uint8_t (*d)[32], uint64_t n, uint8_t out[32])
{
    uint8_t left[32], right[32];
    uint64_t k = 1;
    if (n == 1) {
        hash2(0, d[0], NULL, out);
        return;
    }
    while (2 * k < n)
        k *= 2;
    root_by_the_book(d, k, left);
    root_by_the_book(d + k, n - k, right);
    hash2(1, left, right, out);
}

static void the_tree_is_that_of_the_rfc(void **state)
{
    static uint8_t d[70][32];
    uint8_t want[32], got[32];
    (void)state;
    for (size_t i = 0; i < 70; i++)
        d[i][i % 32] = (uint8_t)(i + 1);
    assert_int_equal(crypto_digest(HAL_SHA256, "", 0, want, NULL), CF_OK);
    assert_int_equal(manifest_tree_root((const uint8_t(*)[32])d, 0, got, NULL), CF_OK);
    assert_memory_equal(want, got, 32);
    for (uint64_t n = 1; n <= 70; n++) {
        root_by_the_book((const uint8_t(*)[32])d, n, want);
        assert_int_equal(manifest_tree_root((const uint8_t(*)[32])d, n, got, NULL), CF_OK);
        assert_memory_equal(want, got, 32);
    }
}

struct given {
    struct manifest m;
    struct manifest_read reads[3];
    struct manifest_receipt r;
};

/* A receipt of a whole that is borne out. */
static void give(struct given *g)
{
    *g = (struct given){ .m = { .stream_count = 2, .keys = 3, .versions = 4, .generation = 1 } };
    for (uint32_t i = 0; i < 3; i++)
        g->reads[i] = (struct manifest_read){
            .stream = i == 2 ? FLOW_META : i, .blocks = 5, .wire = 500, .read = 5
        };
    g->r = (struct manifest_receipt){ .scope = MANIFEST_PROVES_ALL,
                                      .percent = 100,
                                      .job = "0123456789abcdef0123456789abcdef",
                                      .m = &g->m,
                                      .reads = g->reads,
                                      .read_count = 3,
                                      .keys = 3,
                                      .versions = 4 };
    snprintf(g->m.folder, sizeof g->m.folder, "f");
    snprintf(g->m.hsm, sizeof g->m.hsm, "h");
}

static void no_receipt_says_more_than_was_read(void **state)
{
    static const uint8_t value[32] = { 7 };
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    const struct hal_key_name mk = { .role = HAL_ROLE_MK, .generation = 1 };
    struct manifest_domain d = { .token = fake_token_new() };
    struct cf_secret *secret = NULL;
    struct cf_buf out = { 0 };
    struct cf_err err;
    struct given g;
    (void)state;
    EXPECT_OK(cf_secret_copy(value, sizeof value, &secret, &err));
    EXPECT_OK(hal_token_key_import(d.token, &mk, secret, &err));
    EXPECT_OK(hal_token_key_make(d.token, &identity, &err));
    give(&g);
    EXPECT_OK(manifest_receipt_build(&d, &g.r, &out, &err));
    assert_memory_equal(out.data, "CFRRCP01", 8);
    size_t good = out.len;
    for (int how = 0; how < 8; how++) {
        give(&g);
        g.reads[0].read -= how == 0;
        g.reads[2].read -= how == 1;
        g.r.keys -= how == 2;
        g.r.versions -= how == 3;
        g.r.percent -= how == 4;
        g.r.read_count -= how == 5;
        g.reads[1].read += how == 6;
        g.r.scope = how == 7 ? MANIFEST_PROVES_SAMPLE : g.r.scope; /* of 100 percent */
        print_message("  %d\n", how);
        EXPECT_RC(CF_E_ARG, manifest_receipt_build(&d, &g.r, &out, &err));
        assert_int_equal(out.len, good);
    }
    give(&g);
    g.r.scope = MANIFEST_PROVES_SAMPLE;
    g.r.percent = 10;
    g.reads[0].read = 1;
    EXPECT_OK(manifest_receipt_build(&d, &g.r, &out, &err));
    g.reads[2].read = 4; /* the tables are never sampled */
    EXPECT_RC(CF_E_ARG, manifest_receipt_build(&d, &g.r, &out, &err));
    cf_buf_clear(&out);
    cf_secret_free(secret);
    hal_token_close(d.token);
}

/* --- the coverage statement, under the key that readers ignore ---------------------------------
 */

static size_t lines_of(const char *map, size_t len, struct manifest *m)
{
    manifest_clear(m);
    manifest_extensions_read(crypto_bytes_of(map, len), m);
    return m->cover_count;
}

static void extensions_that_do_not_read_are_not_there(void **state)
{
    struct manifest m = { 0 };
    (void)state;
#define LINES(text) lines_of(text, sizeof(text) - 1, &m)
    assert_int_equal(LINES("\xa0"), 0);
    assert_int_equal(LINES("\xa1\x01\x80"), 0);
    assert_int_equal(LINES("\xa1\x01\x81\x83\x61k\x01\x61y"), 1);
    assert_string_equal(m.cover[0].what, "k");
    assert_string_equal(m.cover[0].why, "y");
    assert_int_equal(m.cover[0].state, MANIFEST_INSIDE);
    assert_int_equal(LINES("\xa2\x01\x82\x83\x61k\x01\x60\x83\x61l\x03\x60\x05\x81\x00"), 2);
    assert_int_equal(LINES("\xa2\x00\xf5\x07\x41z"), 0);             /* another's extensions */
    assert_int_equal(LINES("\xa1\x01\x81\x83\x61k\x00\x60"), 0);     /* state 0 */
    assert_int_equal(LINES("\xa1\x01\x81\x83\x61k\x04\x60"), 0);     /* state 4 */
    assert_int_equal(LINES("\xa1\x01\x81\x82\x61k\x01"), 0);         /* no triple */
    assert_int_equal(LINES("\xa1\x01\x61k"), 0);                     /* no array */
    assert_int_equal(LINES("\xa1\x01\x82\x83\x61k\x01\x60\x80"), 0); /* one good, one bad: none */
    manifest_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_is_that_of_the_rfc),
        cmocka_unit_test(no_receipt_says_more_than_was_read),
        cmocka_unit_test(extensions_that_do_not_read_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
