/* The CBOR subset: RFC 8949 appendix A where it is in the subset, and all that is refused. */
#include "support/test.h"

#include "base/text.h"
#include "cbor/cbor.h"

struct bin {
    uint8_t data[64];
    size_t len;
};

static struct bin from_hex(const char *text)
{
    struct bin b = { .len = strlen(text) / 2 };
    assert_true(b.len <= sizeof b.data);
    assert_int_equal(cf_unhex(text, b.data, b.len, NULL), CF_OK);
    return b;
}

static void expect_written(struct cf_buf *out, const char *hex_text)
{
    struct bin want = from_hex(hex_text);
    assert_int_equal(out->len, want.len);
    assert_memory_equal(out->data, want.data, want.len);
    cf_buf_clear(out);
}

static void integers_take_their_shortest_form(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        const char *hex;
    } list[] = { { 0, "00" },
                 { 23, "17" },
                 { 24, "1818" },
                 { 255, "18ff" },
                 { 256, "190100" },
                 { 65535, "19ffff" },
                 { 65536, "1a00010000" },
                 { UINT32_MAX, "1affffffff" },
                 { (uint64_t)UINT32_MAX + 1, "1b0000000100000000" },
                 { UINT64_MAX, "1bffffffffffffffff" } };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct cf_err err;
        struct cf_buf out = { 0 };
        struct cbor_wr w;
        struct cbor_rd r;
        cbor_wr_init(&w, &out, &err);
        cbor_wr_uint(&w, list[i].v);
        EXPECT_OK(cbor_wr_end(&w));
        cbor_rd_init(&r, out.data, out.len, &err);
        assert_true(cbor_rd_uint(&r, UINT64_MAX) == list[i].v);
        EXPECT_OK(cbor_rd_end(&r));
        expect_written(&out, list[i].hex);
    }
}

static void a_nested_map_is_written_and_read(void **state)
{
    (void)state;
    struct cf_err err = { 0 };
    struct cf_buf out = { 0 };
    struct cbor_wr w;
    cbor_wr_init(&w, &out, &err);
    cbor_wr_map(&w, 4);
    cbor_wr_key(&w, 1);
    cbor_wr_text(&w, "name");
    cbor_wr_key(&w, 2);
    cbor_wr_array(&w, 3);
    cbor_wr_bool(&w, true);
    cbor_wr_array(&w, 0);
    cbor_wr_bytes(&w, "\1\2", 2);
    cbor_wr_key(&w, 30);
    cbor_wr_map(&w, 0);
    cbor_wr_key(&w, 99);
    cbor_wr_uint(&w, 7);
    EXPECT_OK(cbor_wr_end(&w));

    struct cbor_rd r;
    char name[8];
    uint8_t two[2];
    cbor_rd_init(&r, out.data, out.len, &err);
    assert_int_equal(cbor_rd_map(&r, 9), 4);
    assert_int_equal(cbor_rd_key(&r), 1);
    cbor_rd_string(&r, name, sizeof name);
    assert_string_equal(name, "name");
    assert_int_equal(cbor_rd_key(&r), 2);
    assert_int_equal(cbor_rd_array(&r, 3), 3);
    assert_true(cbor_rd_bool(&r));
    assert_int_equal(cbor_rd_array(&r, 3), 0);
    cbor_rd_fixed(&r, two, 2);
    assert_int_equal(two[1], 2);
    assert_int_equal(cbor_rd_key(&r), 30);
    cbor_rd_skip(&r);
    assert_int_equal(cbor_rd_key(&r), 99);
    cbor_rd_skip(&r);
    EXPECT_OK(cbor_rd_end(&r));
    cbor_rd_init(&r, out.data, out.len, &err);
    cbor_rd_skip(&r);
    EXPECT_OK(cbor_rd_end(&r));
    expect_written(&out, "a401646e616d650283f58042"
                         "0102181ea0186307");
}

static void what_is_not_canonical_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why, *hex;
    } list[] = {
        { "long form of 23", "1817" },
        { "long form of 255", "1900ff" },
        { "long form of 65535", "1a0000ffff" },
        { "long form of 2^32-1", "1b00000000ffffffff" },
        { "long length", "580101" },
        { "indefinite bytes", "5f4101ff" },
        { "indefinite array", "9f01ff" },
        { "indefinite map", "bf0102ff" },
        { "negative", "20" },
        { "tag", "c000" },
        { "null", "f6" },
        { "undefined", "f7" },
        { "float", "f90000" },
        { "simple 0 in long form", "f800" },
        { "false in long form", "f814" },
        { "break alone", "ff" },
        { "keys descend", "a202000100" },
        { "key doubled", "a201000100" },
        { "key in long form", "a1180100" },
        { "text key", "a1616100" },
        { "trailing byte", "0000" },
        { "cut in a number", "19ff" },
        { "cut in bytes", "4301" },
        { "cut in an array", "8201" },
        { "cut in a map", "a101" },
        { "nothing", "" },
        { "bad UTF-8", "61ff" },
        { "overlong UTF-8", "62c080" },
        { "surrogate", "63eda080" },
        { "seven deep", "81818181818180" },
        { "length 2^63", "5b8000000000000000" },
        { "items 2^64-1", "9bffffffffffffffff" },
        { "pairs 2^32-1", "baffffffff00" },
        { "reserved info 28", "1c" },
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct cf_err err = { 0 };
        struct bin b = from_hex(list[i].hex);
        struct cbor_rd r;
        print_message("  %s\n", list[i].why);
        cbor_rd_init(&r, b.data, b.len, &err);
        cbor_rd_skip(&r);
        assert_int_equal(cbor_rd_end(&r), CF_E_CORRUPT);
        assert_int_equal(err.rc, CF_E_CORRUPT);
        assert_int_equal(cbor_rd_uint(&r, 9), 0); /* nothing comes out of it any more */
        assert_int_equal(cbor_rd_array(&r, 9), 0);
    }
    struct bin six = from_hex("818181818180");
    struct cbor_rd r;
    struct cf_err err;
    cbor_rd_init(&r, six.data, six.len, &err);
    cbor_rd_skip(&r);
    EXPECT_OK(cbor_rd_end(&r));
}

static void values_over_the_callers_limits_are_refused(void **state)
{
    (void)state;
    struct cf_err err = { 0 };
    struct cbor_rd r;
    struct bin b = from_hex("83010203");
    char text[3];
    uint8_t fixed[3];
    size_t len;
    cbor_rd_init(&r, b.data, b.len, &err);
    assert_int_equal(cbor_rd_array(&r, 2), 0);
    assert_false(cbor_rd_ok(&r));
    b = from_hex("05");
    cbor_rd_init(&r, b.data, b.len, &err);
    assert_int_equal(cbor_rd_uint(&r, 4), 0);
    assert_false(cbor_rd_ok(&r));
    b = from_hex("63616263");
    cbor_rd_init(&r, b.data, b.len, &err);
    cbor_rd_string(&r, text, sizeof text);
    assert_string_equal(text, "");
    assert_false(cbor_rd_ok(&r));
    b = from_hex("626100");
    cbor_rd_init(&r, b.data, b.len, &err);
    cbor_rd_string(&r, text, sizeof text);
    assert_false(cbor_rd_ok(&r));
    b = from_hex("420102");
    cbor_rd_init(&r, b.data, b.len, &err);
    cbor_rd_fixed(&r, fixed, 3);
    assert_false(cbor_rd_ok(&r));
    cbor_rd_init(&r, b.data, b.len, &err);
    assert_null(cbor_rd_bytes(&r, 1, &len));
    cbor_rd_init(&r, b.data, b.len, &err);
    assert_null(cbor_rd_text(&r, 9, &len));
}

static void skipping_stops_behind_one_item(void **state)
{
    (void)state;
    struct cf_err err = { 0 };
    struct cbor_rd r;
    /* [[1, {2: [3]}], 4, {5: [], 6: 7}] */
    struct bin b = from_hex("838201a10281030"
                            "4a205800607");
    cbor_rd_init(&r, b.data, b.len, &err);
    assert_int_equal(cbor_rd_array(&r, 3), 3);
    cbor_rd_skip(&r);
    assert_int_equal(cbor_rd_uint(&r, 9), 4);
    assert_int_equal(cbor_rd_map(&r, 2), 2);
    assert_int_equal(cbor_rd_key(&r), 5);
    cbor_rd_skip(&r);
    assert_int_equal(cbor_rd_key(&r), 6);
    cbor_rd_skip(&r);
    EXPECT_OK(cbor_rd_end(&r));
}

static void a_reader_that_stops_early_or_asks_too_much_is_told(void **state)
{
    (void)state;
    struct cf_err err = { 0 };
    struct cbor_rd r;
    struct bin b = from_hex("a10102");
    cbor_rd_init(&r, b.data, b.len, &err);
    assert_int_equal(cbor_rd_map(&r, 1), 1);
    assert_int_equal(cbor_rd_end(&r), CF_E_CORRUPT);
    cbor_rd_init(&r, b.data, b.len, &err);
    assert_int_equal(cbor_rd_map(&r, 1), 1);
    assert_int_equal(cbor_rd_uint(&r, 9), 0); /* a key is due */
    assert_false(cbor_rd_ok(&r));
    cbor_rd_init(&r, b.data, b.len, &err);
    assert_int_equal(cbor_rd_key(&r), 0); /* not in a map yet */
    assert_false(cbor_rd_ok(&r));
    cbor_rd_init(&r, b.data, b.len, &err);
    cbor_rd_refuse(&r, "the caller says so");
    assert_int_equal(cbor_rd_end(&r), CF_E_CORRUPT);
}

static void a_writer_that_breaks_the_rules_is_told(void **state)
{
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        struct cf_err err = { 0 };
        struct cf_buf out = { 0 };
        struct cbor_wr w;
        cbor_wr_init(&w, &out, &err);
        if (kind == 0) { /* too few */
            cbor_wr_array(&w, 2);
            cbor_wr_uint(&w, 1);
        } else if (kind == 1) { /* too many */
            cbor_wr_uint(&w, 1);
            cbor_wr_uint(&w, 1);
        } else if (kind == 2) { /* keys descend */
            cbor_wr_map(&w, 2);
            cbor_wr_key(&w, 2);
            cbor_wr_uint(&w, 0);
            cbor_wr_key(&w, 2);
        } else if (kind == 3) { /* no key */
            cbor_wr_map(&w, 1);
            cbor_wr_uint(&w, 0);
        } else if (kind == 4) { /* key in an array */
            cbor_wr_array(&w, 1);
            cbor_wr_key(&w, 0);
        } else if (kind == 5) { /* key without value */
            cbor_wr_map(&w, 1);
            cbor_wr_key(&w, 0);
        } else if (kind == 6) {
            cbor_wr_text_n(&w, "\xc3", 1);
        } else {
            for (int i = 0; i < 7; i++)
                cbor_wr_array(&w, 1);
        }
        assert_int_equal(cbor_wr_end(&w), CF_E_ARG);
        cf_buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_take_their_shortest_form),
        cmocka_unit_test(a_nested_map_is_written_and_read),
        cmocka_unit_test(what_is_not_canonical_is_refused),
        cmocka_unit_test(values_over_the_callers_limits_are_refused),
        cmocka_unit_test(skipping_stops_behind_one_item),
        cmocka_unit_test(a_reader_that_stops_early_or_asks_too_much_is_told),
        cmocka_unit_test(a_writer_that_breaks_the_rules_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
