/* Strict JSON in, compact JSON out. */
#include "support/test.h"

#include <stdlib.h>

#include "json/json.h"

static enum cf_rc parse(const char *text, struct json **out, struct cf_err *e)
{
    return json_parse(text, strlen(text), NULL, out, e);
}

static void well_formed_texts_are_taken(void **state)
{
    (void)state;
    static const char *const list[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.5e+3",
        "\"\"",
        " [ 1 , 2 ] \n",
        "{\"a\":{\"b\":[{}, [], {\"c\":null}]}}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"",
        "\"\\ud83d\\ude00\"",
        "\"\xf0\x9f\x98\x80\"",
        "{\"a\":1,\"A\":2}",
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct cf_err err;
        struct json *j = NULL;
        print_message("  %s\n", list[i]);
        EXPECT_OK(parse(list[i], &j, &err));
        assert_non_null(j);
        json_free(j);
    }
    json_free(NULL);
}

static void malformed_texts_are_refused(void **state)
{
    (void)state;
    static const char *const list[] = {
        "",
        " ",
        "{",
        "}",
        "[1",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1 \"b\":2}",
        "[1 2]",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "0x1",
        "NaN",
        "Infinity",
        "tru",
        "nul",
        "truex",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u00\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "{} {}",
        "{}x",
        "[]]",
        "{]",
        "[}",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\xef\xbb\xbf{}",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "/**/1",
        "1//",
        "{\"a\":1,\"a\":2}",
        "[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"\":1,\"\":2}",
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct cf_err err;
        struct json *j = NULL;
        print_message("  %s\n", list[i]);
        EXPECT_RC(CF_E_INPUT, parse(list[i], &j, &err));
        assert_null(j);
        assert_true(err.text[0] != 0);
    }
    struct cf_err err;
    struct json *j = NULL;
    EXPECT_RC(CF_E_INPUT, json_parse("{}\0", 3, NULL, &j, &err));
    EXPECT_RC(CF_E_INPUT, json_parse("\"a\0b\"", 5, NULL, &j, &err));
    EXPECT_RC(CF_E_INPUT, json_parse("\0", 1, NULL, &j, &err));
    EXPECT_RC(CF_E_INPUT, json_parse(NULL, 0, NULL, &j, &err)); /* an empty buffer's data */
}

static void size_and_depth_limits_hold(void **state)
{
    (void)state;
    struct cf_err err;
    struct json *j = NULL;
    struct json_limits four = { .bytes = 8, .depth = 4 };
    EXPECT_OK(json_parse("[[[[]]]]", 8, &four, &j, &err));
    json_free(j);
    EXPECT_RC(CF_E_INPUT, json_parse("[[[[ ]]]]", 9, &four, &j, &err));
    four.bytes = 20;
    EXPECT_RC(CF_E_INPUT, json_parse("[[[[[]]]]]", 10, &four, &j, &err));
    EXPECT_RC(CF_E_INPUT, json_parse("{\"a\":[[[[", 9, &four, &j, &err));
    four.depth = 33;
    EXPECT_RC(CF_E_ARG, json_parse("[]", 2, &four, &j, &err));
    four.depth = 0;
    EXPECT_RC(CF_E_ARG, json_parse("[]", 2, &four, &j, &err));

    char deep[64];
    memset(deep, '[', 32);
    memset(deep + 32, ']', 32);
    four = (struct json_limits){ .bytes = 64, .depth = 32 };
    EXPECT_OK(json_parse(deep, 64, &four, &j, &err));
    json_free(j);
}

#define ALL_KINDS                                                                                  \
    "{\"t\":\"x\",\"b\":true,\"n\":-9007199254740992,\"o\":{\"k\":1},\"a\":[1,\"z\"],"             \
    "\"raw\":\"AQID\",\"none\":null}"

static void typed_members_are_read(void **state)
{
    (void)state;
    struct cf_err err;
    struct json *j = NULL;
    const char *text = NULL;
    bool flag = false;
    int64_t n = 0;
    const struct json *sub = NULL;
    struct cf_buf bytes = { 0 };
    struct json_range any = { -JSON_INT_MAX, JSON_INT_MAX };
    EXPECT_OK(parse(ALL_KINDS, &j, &err));
    EXPECT_OK(json_get_text(j, "t", &text, &err));
    assert_string_equal(text, "x");
    EXPECT_OK(json_get_bool(j, "b", &flag, &err));
    assert_true(flag);
    EXPECT_OK(json_get_int(j, "n", any, &n, &err));
    assert_true(n == -JSON_INT_MAX);
    EXPECT_OK(json_get_object(j, "o", &sub, &err));
    assert_int_equal(json_count(sub), 1);
    EXPECT_OK(json_get_array(j, "a", &sub, &err));
    assert_true(json_int(json_first(sub), &n) && n == 1);
    assert_string_equal(json_text(json_next(json_first(sub))), "z");
    assert_null(json_name(json_first(sub)));
    EXPECT_OK(json_get_base64(j, "raw", 3, &bytes, &err));
    assert_int_equal(bytes.len, 3);
    assert_string_equal(json_name(json_first(j)), "t");
    assert_int_equal(json_type_of(json_member(j, "none")), JSON_NULL);
    assert_null(json_member(j, "T"));
    cf_buf_clear(&bytes);

    text = "kept";
    EXPECT_OK(json_opt_text(j, "none", &text, &err));
    EXPECT_OK(json_opt_text(j, "absent", &text, &err));
    assert_string_equal(text, "kept");
    EXPECT_OK(json_opt_int(j, "absent", any, &n, &err));
    json_free(j);
}

static void wrong_members_are_named(void **state)
{
    (void)state;
    struct cf_err err;
    struct json *j = NULL;
    const char *text = NULL;
    const struct json *sub = NULL;
    bool flag;
    int64_t n = 5;
    struct cf_buf bytes = { 0 };
    struct json_range small = { 1, 10 };
    EXPECT_OK(parse("{\"t\":1,\"n\":1.5,\"big\":1e300,\"x\":11,\"f\":\"true\",\"raw\":\"A\","
                    "\"long\":\"AQIDBA\",\"none\":null}",
                    &j, &err));
    EXPECT_RC(CF_E_INPUT, json_get_text(j, "t", &text, &err));
    assert_non_null(strstr(err.text, "'t'"));
    EXPECT_RC(CF_E_INPUT, json_get_text(j, "gone", &text, &err));
    assert_non_null(strstr(err.text, "'gone' is missing"));
    EXPECT_RC(CF_E_INPUT, json_get_text(j, "none", &text, &err));
    EXPECT_RC(CF_E_INPUT, json_opt_text(j, "t", &text, &err));
    EXPECT_RC(CF_E_INPUT, json_get_int(j, "n", small, &n, &err));
    EXPECT_RC(CF_E_INPUT, json_get_int(j, "big", small, &n, &err));
    EXPECT_RC(CF_E_INPUT, json_get_int(j, "x", small, &n, &err));
    assert_int_equal(n, 5);
    EXPECT_RC(CF_E_INPUT, json_get_bool(j, "f", &flag, &err));
    EXPECT_RC(CF_E_INPUT, json_get_object(j, "f", &sub, &err));
    EXPECT_RC(CF_E_INPUT, json_get_array(j, "f", &sub, &err));
    EXPECT_RC(CF_E_INPUT, json_get_base64(j, "raw", 9, &bytes, &err));
    EXPECT_RC(CF_E_INPUT, json_get_base64(j, "long", 3, &bytes, &err));
    assert_int_equal(bytes.len, 0);
    cf_buf_clear(&bytes);
    json_free(j);
}

static void unknown_members_are_listed_when_asked(void **state)
{
    (void)state;
    static const char *const known[] = { "a", "b" };
    struct cf_err err;
    struct json *j = NULL;
    EXPECT_OK(parse("{\"b\":1,\"a\":2}", &j, &err));
    EXPECT_OK(json_only(j, known, 2, &err));
    EXPECT_RC(CF_E_INPUT, json_only(j, known, 1, &err));
    assert_non_null(strstr(err.text, "'b'"));
    json_free(j);
}

static void a_text_of_too_many_values_is_refused_before_it_takes_memory(void **state)
{
    (void)state;
    struct cf_err err;
    struct cf_buf text = { 0 };
    struct json *j = NULL;
    EXPECT_OK(cf_buf_put_text(&text, "[1", &err));
    for (int i = 2; i < JSON_VALUES; i++) /* the array is one too */
        EXPECT_OK(cf_buf_put_text(&text, ",1", &err));
    EXPECT_OK(cf_buf_put_text(&text, "]", &err));
    EXPECT_OK(json_parse(text.data, text.len, NULL, &j, &err));
    json_free(j);
    text.len--;
    EXPECT_OK(cf_buf_put_text(&text, ",1]", &err));
    EXPECT_RC(CF_E_INPUT, json_parse(text.data, text.len, NULL, &j, &err));
    cf_buf_clear(&text);
}

static void many_members_cost_little(void **state)
{
    (void)state;
    struct cf_err err;
    struct cf_buf text = { 0 };
    struct json *j = NULL;
    struct json_limits wide = { .bytes = 4 << 20, .depth = 2, .values = 100001 };
    EXPECT_OK(cf_buf_put_text(&text, "{", &err));
    for (int i = 0; i < 100000; i++)
        EXPECT_OK(cf_buf_printf(&text, &err, "%s\"m%d\":%d", i ? "," : "", i, i));
    EXPECT_OK(cf_buf_put_text(&text, "}", &err));
    EXPECT_OK(json_parse(text.data, text.len, &wide, &j, &err));
    assert_int_equal(json_count(j), 100000);
    json_free(j);
    cf_buf_clear(&text);
}

static void values_are_written_compactly_and_escaped(void **state)
{
    (void)state;
    struct cf_err err = { 0 };
    struct cf_buf out = { 0 };
    struct json_wr w;
    const char *text = NULL;
    json_wr_init(&w, &out, &err);
    json_put_object(&w, NULL);
    json_put_text(&w, "t", "a\"\\\b\f\n\r\t\1\x7f/\xc3\xa9");
    json_put_int(&w, "n", INT64_MIN);
    json_put_array(&w, "a");
    json_put_bool(&w, NULL, true);
    json_put_null(&w, NULL);
    json_put_object(&w, NULL);
    json_close(&w);
    json_put_array(&w, NULL);
    json_close(&w);
    json_close(&w);
    json_put_base64url(&w, "b", "\xfb\xff", 2);
    json_put_raw(&w, "r", "{\"k\":[]}");
    json_put_text(&w, "x", NULL);
    json_close(&w);
    EXPECT_OK(json_wr_end(&w));
    EXPECT_OK(cf_buf_text(&out, &text, &err));
    assert_string_equal(text, "{\"t\":\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f/\xc3\xa9\","
                              "\"n\":-9223372036854775808,\"a\":[true,null,{},[]],\"b\":\"-_8\","
                              "\"r\":{\"k\":[]},\"x\":null}");
    struct json *j = NULL;
    struct cf_buf again = { 0 };
    EXPECT_OK(parse(text, &j, &err));
    json_wr_init(&w, &again, &err);
    json_put_value(&w, NULL, json_member(j, "a"));
    EXPECT_OK(json_wr_end(&w));
    assert_int_equal(again.len, 17);
    assert_memory_equal(again.data, "[true,null,{},[]]", 17);
    cf_buf_clear(&again);
    json_free(j);
    cf_buf_clear(&out);
}

static void a_writer_that_breaks_the_rules_is_told(void **state)
{
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        struct cf_err err = { 0 };
        struct cf_buf out = { 0 };
        struct json_wr w;
        enum cf_rc want = CF_E_ARG;
        json_wr_init(&w, &out, &err);
        if (kind == 0) {
            json_put_object(&w, NULL);
        } else if (kind == 1) {
            json_put_null(&w, NULL);
            json_put_null(&w, NULL);
        } else if (kind == 2) {
            json_put_object(&w, NULL);
            json_put_null(&w, NULL);
        } else if (kind == 3) {
            json_put_array(&w, NULL);
            json_put_null(&w, "n");
        } else if (kind == 4) {
            json_close(&w);
        } else if (kind == 5) {
            json_put_text(&w, NULL, "\xff");
        } else if (kind == 6) {
            for (int i = 0; i < 33; i++)
                json_put_array(&w, NULL);
            want = CF_E_LIMIT;
        }
        assert_int_equal(json_wr_end(&w), want);
        cf_buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_texts_are_taken),
        cmocka_unit_test(malformed_texts_are_refused),
        cmocka_unit_test(size_and_depth_limits_hold),
        cmocka_unit_test(typed_members_are_read),
        cmocka_unit_test(wrong_members_are_named),
        cmocka_unit_test(unknown_members_are_listed_when_asked),
        cmocka_unit_test(a_text_of_too_many_values_is_refused_before_it_takes_memory),
        cmocka_unit_test(many_members_cost_little),
        cmocka_unit_test(values_are_written_compactly_and_escaped),
        cmocka_unit_test(a_writer_that_breaks_the_rules_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
