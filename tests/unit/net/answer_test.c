/* Answers as no server should give them, and as old or odd ones do: what is made of each, and that
 * none is listened to without end. */
#include "support/test.h"

#include "net/net.h"
#include "support/wire.h"

static unsigned port;

/* One exchange on a lane of its own. `kept` answers come on one connection. */
static enum cf_rc ask(enum net_method method, const char *body, struct net_result *r,
                      struct cf_err *e)
{
    static const struct net_options o = { .stall_timeout_ms = 60000 };
    static const char *const want[] = { "ETag", "X-Long" };
    struct net_lane *lane = NULL;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/a?sig=SECRET", port);
    struct net_request q = { .method = method,
                             .url = url,
                             .body = body,
                             .body_len = body ? strlen(body) : 0,
                             .want = want,
                             .nwant = 2 };
    *e = (struct cf_err){ 0 };
    assert_int_equal(net_lane_new(&o, &lane, e), CF_OK);
    enum cf_rc rc = net_fetch(lane, &q, r, e);
    net_lane_free(lane);
    assert_null(strstr(e->text, "SECRET"));
    return rc;
}

static const struct answer {
    const char *name;
    struct test_wire_answer a;
    enum net_method method;
    enum cf_rc rc;
    int status;
    const char *body; /* NULL: not looked at */
} answers[] = {
    { "chunked",
      { .text =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" },
      NET_GET,
      CF_OK,
      200,
      "abcde" },
    { "chunked, with extensions and a trailer",
      { .text =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nETag: late\r\n\r\n" },
      NET_GET,
      CF_OK,
      200,
      "abc" },
    { "chunked, cut",
      { .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc" },
      NET_GET,
      CF_E_IO,
      200,
      NULL },
    { "chunked, with a length that is no number",
      { .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc" },
      NET_GET,
      CF_E_IO,
      200,
      NULL },
    { "up to the end of the connection",
      { .text = "HTTP/1.1 200 OK\r\n\r\nabc" },
      NET_GET,
      CF_OK,
      200,
      "abc" },
    { "HTTP/1.0",
      { .text = "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nabc" },
      NET_GET,
      CF_OK,
      200,
      "abc" },
    { "HTTP/0.9", { .text = "abc\n" }, NET_GET, CF_E_INPUT, 0, NULL },
    { "bare line feeds",
      { .text = "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc" },
      NET_GET,
      CF_OK,
      200,
      "abc" },
    { "an answer to nothing before the answer",
      { .text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nETag: early\r\n\r\n"
                "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n" },
      NET_PUT,
      CF_OK,
      201,
      "" },
    { "a refusal behind 100",
      { .text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
        .early = true },
      NET_PUT,
      CF_OK,
      403,
      "no" },
    { "nothing but 100", { .text = "HTTP/1.1 100 Continue\r\n\r\n" }, NET_PUT, CF_E_IO, 100, NULL },
    { "100 without end",
      { .text = "", .again = "HTTP/1.1 100 Continue\r\n\r\n", .times = 1000000 },
      NET_PUT,
      CF_E_LIMIT,
      100,
      NULL },
    { "headers without end",
      { .text = "HTTP/1.1 200 OK\r\n", .again = "X-A: bcdefghijklmnop\r\n", .times = 10000000 },
      NET_GET,
      CF_E_LIMIT,
      200,
      NULL },
    { "a body without end",
      { .text = "HTTP/1.1 200 OK\r\n\r\n", .again = "abcdefghijklmnop", .times = 100000000 },
      NET_GET,
      CF_E_LIMIT,
      200,
      NULL },
    { "an error without end",
      { .text = "HTTP/1.1 500 No\r\n\r\n", .again = "abcdefghijklmnop", .times = 100000000 },
      NET_GET,
      CF_OK,
      500,
      NULL },
    { "an error of many gigabytes",
      { .text = "HTTP/1.1 503 No\r\nContent-Length: 99999999999\r\nRetry-After: 7\r\n\r\n",
        "abcdefghijklmnop",
        100000000 },
      NET_PUT,
      CF_OK,
      503,
      NULL },
    { "a length that is no number",
      { .text = "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc" },
      NET_GET,
      CF_E_REMOTE,
      200,
      NULL },
    { "two lengths",
      { .text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 9\r\n\r\nabc" },
      NET_GET,
      CF_E_IO,
      200,
      NULL },
    { "a body where there is none",
      { .text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc" },
      NET_HEAD,
      CF_OK,
      200,
      "" },
    { "more than was said",
      { .text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n" },
      NET_GET,
      CF_OK,
      200,
      "abc" },
    { "a compressed one, as it came",
      { .text = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc" },
      NET_GET,
      CF_OK,
      200,
      "abc" },
};

static void each_answer_is_taken_for_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct answer *x = &answers[i];
        struct net_result r;
        struct cf_err err;
        test_wire_answer(&x->a);
        enum cf_rc rc = ask(x->method, x->method == NET_PUT ? "body" : NULL, &r, &err);
        print_message("  %s: %s, %d: %s\n", x->name, cf_rc_name(rc), r.status, err.text);
        assert_int_equal(rc, x->rc);
        assert_int_equal(r.status, x->status);
        assert_true(r.body.len <= (rc == CF_OK && r.status >= 300 ? NET_KEPT_MAX : 1u << 20));
        if (x->body) {
            assert_int_equal(r.body.len, strlen(x->body));
            if (r.body.len)
                assert_memory_equal(r.body.data, x->body, r.body.len);
        }
        net_result_clear(&r);
    }
}

/* What comes behind an answer belongs to nobody, least of all to the next request. */
static void what_comes_behind_an_answer_is_no_answer_to_the_next_request(void **state)
{
    static const struct test_wire_answer a = {
        .text =
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        .keep = true
    };
    static const struct net_options o = { .connections = 1, .stall_timeout_ms = 60000 };
    struct net_lane *lane = NULL;
    struct cf_err err;
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/a", port);
    test_wire_answer(&a);
    EXPECT_OK(net_lane_new(&o, &lane, &err));
    for (int i = 0; i < 3; i++) {
        struct net_request q = { .method = NET_GET, .url = url };
        struct net_result r;
        EXPECT_OK(net_fetch(lane, &q, &r, &err));
        assert_int_equal(r.status, 200);
        assert_int_equal(r.body.len, 3);
        net_result_clear(&r);
    }
    net_lane_free(lane);
}

static void dates_and_delays_are_read_in_either_form(void **state)
{
    static const struct {
        const char *headers;
        int64_t date_s;
        bool delay;
    } cases[] = {
        { "Date: Fri, 13 Feb 2009 23:31:30 GMT", 1234567890, false },
        { "date:Fri, 13 Feb 2009 23:31:30 GMT", 1234567890, false },
        { "Date: yesterday", 0, false },
        { "X-Date: Fri, 13 Feb 2009 23:31:30 GMT", 0, false },
        { "Retry-After: 3", 0, true },
        { "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT", 0, true },
        { "Retry-After: Fri, 13 Feb 2009 23:31:30 GMT", 0, false }, /* over already */
        { "Retry-After: soon", 0, false },
        { "Retry-After: -5", 0, false },
    };
    /* each in a place of its own: the server's thread may have just sent the one before */
    static char texts[sizeof cases / sizeof cases[0]][256];
    static struct test_wire_answer a[sizeof cases / sizeof cases[0]];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net_result r;
        struct cf_err err;
        a[i].text = texts[i];
        snprintf(texts[i], sizeof texts[i], "HTTP/1.1 503 No\r\n%s\r\nContent-Length: 0\r\n\r\n",
                 cases[i].headers);
        test_wire_answer(&a[i]);
        EXPECT_OK(ask(NET_GET, NULL, &r, &err));
        print_message("  %s: %u s\n", cases[i].headers, r.retry_after_s);
        assert_int_equal(r.date_s, cases[i].date_s);
        assert_int_equal(r.retry_after_s > 0, cases[i].delay);
        net_result_clear(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_is_taken_for_what_it_is),
        cmocka_unit_test(what_comes_behind_an_answer_is_no_answer_to_the_next_request),
        cmocka_unit_test(dates_and_delays_are_read_in_either_form),
    };
    port = test_wire_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
