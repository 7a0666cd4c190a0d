#include <stdlib.h>

#include "head_priv.h"
#include "support/test.h"

/* A head as the library leaves it in its buffer: each CRLF two NULs, each lone CR or LF one, the
 * first colon of a line one, the blanks of the request line one. */
struct cut {
    char raw[4096];
    char target[256];
    struct api_head head;
};

static void cut_line(struct cut *c, char *line)
{
    char *colon = strchr(line, ':');
    if (!colon)
        return;
    *colon++ = 0;
    colon += strspn(colon, " \t");
    c->head.field[c->head.count++] = (struct api_field){
        .name = line, .name_len = strlen(line), .value = colon, .value_len = strlen(colon)
    };
}

static void cut(struct cut *c, const char *text)
{
    memset(c, 0, sizeof *c);
    size_t len = strlen(text);
    memcpy(c->raw, text, len);
    c->head.raw_len = len;
    for (size_t i = 0; i < len; i++)
        if (c->raw[i] == '\r' || c->raw[i] == '\n')
            c->raw[i] = 0;
    char *target = strchr(c->raw, ' ') + 1;
    char *version = strchr(target, ' ') + 1;
    target[-1] = version[-1] = 0;
    strcpy(c->target, target);
    c->head.method = c->raw;
    c->head.target = c->target;
    c->head.version = version;
    for (char *p = version + strlen(version); p < c->raw + len; p++)
        if (*p) {
            size_t n = strlen(p);
            cut_line(c, p);
            p += n;
        }
}

static enum cf_rc check(const char *text, struct api_head_facts *facts, struct cf_err *e)
{
    static struct cut c;
    cut(&c, text);
    return api_head_check(&c.head, facts, e);
}

static void a_plain_head_passes(void **state)
{
    (void)state;
    struct cf_err err;
    struct api_head_facts f;
    EXPECT_OK(check("POST /keys/a/create?api-version=7.4 HTTP/1.1\r\nHost: h.x.test:8443\r\n"
                    "Authorization: Bearer abc\r\nContent-Length: 12\r\nAccept:*/*\r\nX:\r\n"
                    "x-ms-client-request-id:  0b5a-1\r\n\r\n",
                    &f, &err));
    assert_string_equal(f.host, "h.x.test:8443");
    assert_string_equal(f.authorization, "Bearer abc");
    assert_string_equal(f.client_request_id, "0b5a-1");
    assert_int_equal(f.content_length, 12);
}

static void heads_that_rfc_9112_forbids_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: nameless\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nAuthorization: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \x80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01"
        "b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cf_err err;
        struct api_head_facts f;
        print_message("  case %zu\n", i);
        EXPECT_RC(CF_E_INPUT, check(bad[i], &f, &err));
        assert_null(f.host);
    }
}

static void what_is_not_served_is_told_apart(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nX-HTTP-METHOD: DELETE\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cf_err err;
        struct api_head_facts f;
        EXPECT_RC(CF_E_LIMIT, check(bad[i], &f, &err));
    }
}

static void a_folded_line_is_seen_by_its_place(void **state)
{
    (void)state;
    struct cf_err err;
    struct api_head_facts f;
    struct cut c;
    cut(&c, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n");
    static char joined[] = "bc";
    c.head.field[1].value = joined; /* the library moves the joined line elsewhere */
    c.head.field[1].value_len = 2;
    EXPECT_RC(CF_E_INPUT, api_head_check(&c.head, &f, &err));
}

static void an_embedded_nul_is_seen_by_its_place(void **state)
{
    (void)state;
    struct cut c;
    cut(&c, "GET / HTTP/1.1\r\nHost: aXb\r\nY: c\r\n\r\n");
    assert_true(api_head_layout(&c.head));
    char *value = (char *)(uintptr_t)c.head.field[0].value;
    value[1] = 0;
    c.head.field[0].value_len = 1;
    assert_false(api_head_layout(&c.head));
}

static void a_client_id_that_is_no_id_is_not_echoed(void **state)
{
    (void)state;
    struct cf_err err;
    struct api_head_facts f;
    EXPECT_OK(check("GET / HTTP/1.1\r\nHost: a\r\nx-ms-client-request-id: a b\r\n\r\n", &f, &err));
    assert_null(f.client_request_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_head_passes),
        cmocka_unit_test(heads_that_rfc_9112_forbids_are_refused),
        cmocka_unit_test(what_is_not_served_is_told_apart),
        cmocka_unit_test(a_folded_line_is_seen_by_its_place),
        cmocka_unit_test(an_embedded_nul_is_seen_by_its_place),
        cmocka_unit_test(a_client_id_that_is_no_id_is_not_echoed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
