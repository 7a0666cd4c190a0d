#include "support/test.h"
#include "api/uri.h"

static char text[256];

static enum cf_rc parse(const char *uri, struct api_path *p, struct api_params *q, struct cf_err *e)
{
    snprintf(text, sizeof text, "%s", uri);
    return api_uri_parse(text, p, q, e);
}

static void slashes_are_collapsed_and_the_last_one_dropped(void **state)
{
    (void)state;
    static const char *const same[] = { "/keys/n", "//keys//n", "/keys/n/", "///keys/n//" };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct cf_err err;
        struct api_path p;
        struct api_params q;
        EXPECT_OK(parse(same[i], &p, &q, &err));
        assert_int_equal(p.count, 2);
        assert_string_equal(p.segment[0], "keys");
        assert_string_equal(p.segment[1], "n");
    }
}

static void a_path_with_an_escape_or_a_strange_byte_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "/keys/a%00b",        "/keys/%61",   "/keys/a b", "/keys/a;b",
        "/keys/a\\b",         "/keys/../x",  "/keys/./x", "keys",
        "http://evil/keys",   "*",           "/keys/a#b", "/keys/\x80",
        "/a/b/c/d/e/f/g/h/i", "/keys/a%2Fb", "/keys/a:b",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cf_err err;
        struct api_path p;
        struct api_params q;
        print_message("  %s\n", bad[i]);
        EXPECT_RC(CF_E_INPUT, parse(bad[i], &p, &q, &err));
    }
}

static void parameters_are_decoded_once(void **state)
{
    (void)state;
    struct cf_err err;
    struct api_path p;
    struct api_params q;
    EXPECT_OK(parse("/keys?api-version=7.4&%24skiptoken=a%2Bb&f=x+y&e=&p=%2541", &p, &q, &err));
    assert_string_equal(api_param(&q, "api-version"), "7.4");
    assert_string_equal(api_param(&q, "$skiptoken"), "a+b");
    assert_string_equal(api_param(&q, "f"), "x y");
    assert_string_equal(api_param(&q, "e"), "");
    assert_string_equal(api_param(&q, "p"), "%41");
    assert_null(api_param(&q, "E"));
}

static void a_query_that_could_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "/k?a",         "/k?=b",
        "/k?a=1&a=2",   "/k?a=%00",
        "/k?a=%0a",     "/k?a=%e4",
        "/k?a=%4",      "/k?a=%zz",
        "/k?a=1&&b=2",  "/k?a=1&",
        "/k?a=1&%61=2", "/k?a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1&l=1&m=1&n=1&o=1&p=1&q=1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cf_err err;
        struct api_path p;
        struct api_params q;
        print_message("  %s\n", bad[i]);
        EXPECT_RC(CF_E_INPUT, parse(bad[i], &p, &q, &err));
    }
    struct cf_err err;
    struct api_path p;
    struct api_params q;
    EXPECT_OK(parse("/k?", &p, &q, &err));
    assert_int_equal(q.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slashes_are_collapsed_and_the_last_one_dropped),
        cmocka_unit_test(a_path_with_an_escape_or_a_strange_byte_is_refused),
        cmocka_unit_test(parameters_are_decoded_once),
        cmocka_unit_test(a_query_that_could_be_read_in_two_ways_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
