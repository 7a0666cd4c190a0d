#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/net.h"
#include "support/blobserver.h"
#include "support/scratch.h"

#define MIB (1u << 20)

struct fixture {
    struct test_blobserver server;
    struct net_lane *lane;
    char url[256];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    static const struct net_options o = { .stall_timeout_ms = 60000 };
    assert_non_null(f);
    test_blobserver_start(&f->server, NULL);
    assert_int_equal(net_lane_new(&o, &f->lane, NULL), CF_OK);
    snprintf(f->url, sizeof f->url, "%s/blob?sv=1&sig=SECRET", f->server.url);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    net_lane_free(f->lane);
    test_blobserver_stop(&f->server);
    free(f);
    return 0;
}

/* A body that counts what is asked of it and fails after `fail_at` bytes. */
struct source {
    uint64_t given, fail_at;
    size_t most;
    unsigned calls;
};

static enum cf_rc pull(void *ctx, void *buf, size_t cap, size_t *len, struct cf_err *e)
{
    struct source *s = ctx;
    s->calls++;
    if (s->fail_at != 0 && s->given >= s->fail_at)
        return CF_FAIL(e, CF_E_DENIED, "the source says no");
    for (size_t i = 0; i < cap; i++)
        ((uint8_t *)buf)[i] = (uint8_t)((s->given + i) * 31 >> 3);
    s->given += cap;
    s->most = cap > s->most ? cap : s->most;
    *len = cap;
    return CF_OK;
}

struct sink {
    uint64_t taken, fail_at;
    bool wrong, headed, refuse_head;
};

static enum cf_rc head(void *ctx, const struct net_result *r, struct cf_err *e)
{
    struct sink *s = ctx;
    assert_false(s->headed);
    assert_int_equal(r->status / 100, 2);
    assert_non_null(net_result_header(r, "etag"));
    s->headed = true;
    return s->refuse_head ? CF_FAIL(e, CF_E_CORRUPT, "not this one") : CF_OK;
}

static enum cf_rc push(void *ctx, const void *data, size_t len, struct cf_err *e)
{
    struct sink *s = ctx;
    assert_true(s->headed);
    if (s->fail_at != 0 && s->taken >= s->fail_at)
        return CF_FAIL(e, CF_E_AUTH, "a tag does not verify");
    for (size_t i = 0; i < len; i++)
        if (((const uint8_t *)data)[i] != (uint8_t)((s->taken + i) * 31 >> 3))
            s->wrong = true;
    s->taken += len;
    return CF_OK;
}

static const char *const put_headers[] = { "x-ms-blob-type: BlockBlob" };
static const char *const etag_only[] = { "ETag" };

static enum cf_rc put(struct fixture *f, struct source *s, uint64_t len, struct net_result *r,
                      struct cf_err *e)
{
    struct net_request req = { .method = NET_PUT,
                               .url = f->url,
                               .headers = put_headers,
                               .nheaders = 1,
                               .body_len = len,
                               .pull = pull,
                               .pull_ctx = s };
    return net_fetch(f->lane, &req, r, e);
}

static enum cf_rc get(struct fixture *f, struct sink *s, struct net_result *r, struct cf_err *e)
{
    struct net_request req = { .method = NET_GET,
                               .url = f->url,
                               .head = head,
                               .push = push,
                               .push_ctx = s,
                               .want = etag_only,
                               .nwant = 1 };
    return net_fetch(f->lane, &req, r, e);
}

static void store_blob(struct fixture *f, uint64_t len)
{
    struct source s = { 0 };
    struct net_result r;
    assert_int_equal(put(f, &s, len, &r, NULL), CF_OK);
    assert_int_equal(r.status, 201);
    net_result_clear(&r);
}

static void pulled_bytes_arrive_and_come_back_in_order(void **state)
{
    struct fixture *f = *state;
    const uint64_t len = 3 * MIB + 12345;
    struct source src = { 0 };
    struct sink dst = { 0 };
    struct net_result r;
    assert_int_equal(put(f, &src, len, &r, NULL), CF_OK);
    assert_int_equal(r.status, 201);
    assert_int_equal(r.sent_bytes, len);
    assert_int_equal(src.most, NET_PIECE_BYTES);
    net_result_clear(&r);

    assert_int_equal(get(f, &dst, &r, NULL), CF_OK);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.received_bytes, len);
    assert_int_equal(dst.taken, len);
    assert_false(dst.wrong);
    net_result_clear(&r);
}

static void requests_without_body_and_of_every_method_work_on_one_connection(void **state)
{
    struct fixture *f = *state;
    struct net_result r;
    store_blob(f, 0);
    test_blobserver_no_stats(&f->server);
    for (int i = 0; i < 3; i++) {
        store_blob(f, 1000);
        struct net_request req = {
            .method = NET_HEAD, .url = f->url, .want = etag_only, .nwant = 1
        };
        assert_int_equal(net_fetch(f->lane, &req, &r, NULL), CF_OK);
        assert_int_equal(r.status, 200);
        assert_non_null(net_result_header(&r, "etag"));
        assert_null(net_result_header(&r, "other"));
        net_result_clear(&r);
        req.method = NET_DELETE;
        assert_int_equal(net_fetch(f->lane, &req, &r, NULL), CF_OK);
        assert_int_equal(r.status, 202);
        net_result_clear(&r);
        req.method = NET_GET;
        assert_int_equal(net_fetch(f->lane, &req, &r, NULL), CF_OK);
        assert_int_equal(r.status, 404);
        net_result_clear(&r);
    }
    /* one of ours, and the one that asks */
    assert_in_range(test_blobserver_stat(&f->server, "connections"), 1, 2);
}

static void an_error_answer_is_kept_and_not_pushed(void **state)
{
    struct fixture *f = *state;
    struct sink dst = { 0 };
    struct net_result r;
    assert_int_equal(get(f, &dst, &r, NULL), CF_OK);
    assert_int_equal(r.status, 404);
    assert_false(dst.headed);
    assert_non_null(memmem(r.body.data, r.body.len, "BlobNotFound", 12));
    net_result_clear(&r);
}

static void a_failing_callback_ends_the_transfer_with_its_own_class(void **state)
{
    struct fixture *f = *state;
    struct source src = { .fail_at = MIB };
    struct sink dst = { .fail_at = MIB };
    struct net_result r;
    struct cf_err e = { 0 };
    assert_int_equal(put(f, &src, 4 * MIB, &r, &e), CF_E_DENIED);
    assert_non_null(strstr(e.text, "the source says no"));
    net_result_clear(&r);

    store_blob(f, 4 * MIB);
    e = (struct cf_err){ 0 };
    assert_int_equal(get(f, &dst, &r, &e), CF_E_AUTH);
    assert_non_null(strstr(e.text, "a tag does not verify"));
    net_result_clear(&r);

    dst = (struct sink){ .refuse_head = true };
    assert_int_equal(get(f, &dst, &r, NULL), CF_E_CORRUPT);
    assert_int_equal(dst.taken, 0);
    net_result_clear(&r);
}

static void a_broken_connection_never_makes_a_pulled_body_start_over(void **state)
{
    struct fixture *f = *state;
    static const char *const faults[] = {
        "op=PutBlob action=reset:head",
        "op=PutBlob action=reset:1000000",
        "op=PutBlob action=reset:end",
        "op=PutBlob action=commit-reset",
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct source src = { 0 };
        struct net_result r;
        struct cf_err e = { 0 };
        store_blob(f, 10); /* there is a kept connection that can die */
        test_blobserver_no_faults(&f->server);
        test_blobserver_fault(&f->server, faults[i]);
        print_message("  %s\n", faults[i]);
        enum cf_rc rc = put(f, &src, 4 * MIB, &r, &e);
        assert_in_range(src.given, 0, 4 * MIB);
        /* libcurl may try again where not one byte had been pulled yet */
        if (i != 0 || rc != CF_OK) {
            assert_int_equal(rc, CF_E_IO);
            assert_int_equal(e.src, CF_SRC_CURL);
        }
        net_result_clear(&r);
    }
}

static void no_request_with_a_method_that_writes_goes_out_twice(void **state)
{
    struct fixture *f = *state;
    for (uint64_t len = 0; len < 2; len++) {
        struct net_result r;
        struct net_request req = { .method = NET_PUT,
                                   .url = f->url,
                                   .headers = put_headers,
                                   .nheaders = 1,
                                   .body = len > 0 ? "x" : NULL,
                                   .body_len = len };
        store_blob(f, 10); /* a kept connection, on which libcurl would try again */
        test_blobserver_no_stats(&f->server);
        test_blobserver_fault(&f->server, "op=PutBlob action=commit-reset");
        assert_int_equal(net_fetch(f->lane, &req, &r, NULL), CF_E_IO);
        assert_int_equal(test_blobserver_stat(&f->server, "PutBlob"), 1);
        net_result_clear(&r);
    }
}

static void a_short_answer_and_a_long_one_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sink dst = { 0 };
    struct net_result r;
    store_blob(f, 2 * MIB);
    test_blobserver_fault(&f->server, "op=GetBlob action=truncate:100000");
    assert_int_equal(get(f, &dst, &r, NULL), CF_E_IO);
    assert_int_equal(dst.taken, 100000);
    net_result_clear(&r);

    struct net_request req = { .method = NET_GET, .url = f->url, .max_answer = MIB };
    assert_int_equal(net_fetch(f->lane, &req, &r, NULL), CF_E_LIMIT);
    net_result_clear(&r);
}

static void retry_after_is_told(void **state)
{
    struct fixture *f = *state;
    struct net_result r;
    struct source src = { 0 };
    test_blobserver_fault(&f->server, "op=PutBlob action=status:503 retry-after=7");
    assert_int_equal(put(f, &src, 1000, &r, NULL), CF_OK);
    assert_int_equal(r.status, 503);
    assert_int_equal(r.retry_after_s, 7);
    net_result_clear(&r);
}

static void a_server_that_hangs_runs_into_the_time_limit(void **state)
{
    struct fixture *f = *state;
    struct net_result r;
    struct cf_err e = { 0 };
    test_blobserver_fault(&f->server, "op=GetBlob action=hang");
    struct net_request req = { .method = NET_GET, .url = f->url, .total_timeout_ms = 1000 };
    assert_int_equal(net_fetch(f->lane, &req, &r, &e), CF_E_IO);
    assert_non_null(strstr(e.text, "timed out"));
    assert_true(r.connected);
    net_result_clear(&r);
}

static void a_redirect_is_an_answer_like_any_other(void **state)
{
    struct fixture *f = *state;
    struct net_result r;
    struct net_request req = { .method = NET_GET, .url = f->url };
    test_blobserver_fault(&f->server, "op=GetBlob action=status:302");
    assert_int_equal(net_fetch(f->lane, &req, &r, NULL), CF_OK);
    assert_int_equal(r.status, 302);
    net_result_clear(&r);
}

struct outcome {
    unsigned done;
    enum cf_rc rc;
    struct net_transfer *other;
};

static void on_done(void *ctx, struct net_result *r)
{
    struct outcome *o = ctx;
    o->done++;
    o->rc = r->rc;
}

static void many_transfers_share_a_lane_and_one_can_be_canceled(void **state)
{
    struct fixture *f = *state;
    struct outcome outcomes[5] = { { 0 } };
    struct sink sinks[5] = { { 0 } };
    struct net_transfer *hung = NULL;
    unsigned open = 5;
    store_blob(f, MIB);
    test_blobserver_fault(&f->server, "op=GetBlob action=hang nth=3");
    for (int i = 0; i < 5; i++) {
        struct net_request req = { .method = NET_GET,
                                   .url = f->url,
                                   .head = head,
                                   .push = push,
                                   .push_ctx = &sinks[i],
                                   .want = etag_only,
                                   .nwant = 1,
                                   .done = on_done,
                                   .done_ctx = &outcomes[i] };
        assert_int_equal(net_start(f->lane, &req, &outcomes[i].other, NULL), CF_OK);
        assert_int_equal(outcomes[i].done, 0);
    }
    while (open > 1)
        assert_int_equal(net_lane_run(f->lane, 1000, &open, NULL), CF_OK);
    unsigned good = 0, canceled = 0;
    for (int i = 0; i < 5; i++) {
        if (outcomes[i].done == 0)
            hung = outcomes[i].other;
        else
            good += outcomes[i].rc == CF_OK && sinks[i].taken == MIB;
    }
    assert_int_equal(good, 4);
    assert_non_null(hung);
    net_cancel(hung);
    while (open > 0)
        assert_int_equal(net_lane_run(f->lane, 1000, &open, NULL), CF_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(outcomes[i].done, 1);
        canceled += outcomes[i].rc == CF_E_CANCEL;
    }
    assert_int_equal(canceled, 1);
}

static void no_error_text_shows_the_query(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {
        "http://127.0.0.1:1/c/b?sig=SECRET",
        "http://user:SECRET@127.0.0.1:1/c/b?sig=SECRET",
        "http://nothing.invalid/c/b?sig=SECRET#SECRET",
        "http://[bad/c?sig=SECRET",
        "http://127.0.0.1:99999/c?sig=SECRET",
        "ftp://127.0.0.1/c?sig=SECRET",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct net_result r;
        struct cf_err e = { 0 };
        struct net_request req = { .method = NET_GET, .url = urls[i] };
        assert_int_not_equal(net_fetch(f->lane, &req, &r, &e), CF_OK);
        print_message("  %s\n", e.text);
        assert_null(strstr(e.text, "SECRET"));
        net_result_clear(&r);
    }
}

static void a_request_that_contradicts_itself_is_refused(void **state)
{
    struct fixture *f = *state;
    struct source src = { 0 };
    struct net_result r;
    static const char *const split[] = { "A: b\r\nC: d" };
    struct net_request bad[] = {
        { .method = NET_GET, .url = f->url, .body = "x", .body_len = 1 },
        { .method = NET_PUT, .url = f->url, .body_len = 5 },
        { .method = NET_PUT,
          .url = f->url,
          .body = "x",
          .body_len = 1,
          .pull = pull,
          .pull_ctx = &src },
        { .method = NET_GET, .url = f->url, .want = etag_only, .nwant = NET_WANT_MAX + 1 },
        { .method = NET_GET, .url = f->url, .headers = split, .nheaders = 1 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_not_equal(net_fetch(f->lane, &bad[i], &r, NULL), CF_OK);
    assert_int_equal(test_blobserver_stat(&f->server, "connections"), 1);
}

static void the_environments_proxy_is_ignored(void **state)
{
    struct fixture *f = *state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    store_blob(f, 5);
    unsetenv("http_proxy");
}

static void a_certificate_must_verify_against_the_authority_given(void **state)
{
    (void)state;
    char dir[] = "/tmp/coffer-net-XXXXXX", cert[64], key[64], url[192];
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    scratch_shell(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
        key, cert);
    struct test_blobserver server;
    const char *const args[] = { "--tls-cert", cert, "--tls-key", key, NULL };
    test_blobserver_start(&server, args);

    const struct {
        const char *ca, *host;
        enum cf_rc rc;
    } cases[] = { { cert, "127.0.0.1", CF_OK },
                  { NULL, "127.0.0.1", CF_E_AUTH },
                  { cert, "localhost", CF_E_AUTH } };
    for (size_t i = 0; i < 3; i++) {
        struct net_options o = { .ca_file = cases[i].ca };
        struct net_lane *lane;
        struct net_result r;
        snprintf(url, sizeof url, "https://%s:%u/devstoreaccount1/coffer/x", cases[i].host,
                 server.port);
        struct net_request req = { .method = NET_PUT,
                                   .url = url,
                                   .headers = put_headers,
                                   .nheaders = 1,
                                   .body = "abc",
                                   .body_len = 3 };
        assert_int_equal(net_lane_new(&o, &lane, NULL), CF_OK);
        assert_int_equal(net_fetch(lane, &req, &r, NULL), cases[i].rc);
        net_result_clear(&r);
        net_lane_free(lane);
    }
    struct net_options missing = { .ca_file = "/nonexistent.pem" };
    struct net_lane *lane;
    assert_int_equal(net_lane_new(&missing, &lane, NULL), CF_E_INPUT);
    test_blobserver_stop(&server);
    scratch_shell("rm -r %s", dir);
}

static void a_shown_url_has_no_user_and_no_query(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "http://h/c/b?sig=x", "http://h/c/b" },
        { "https://u:p@h:1/c#f", "https://h:1/c" },
        { "http://h/a@b?c", "http://h/a@b" },
        { "nonsense?x", "nonsense" },
        { "http://h/0123456789012345678901234567890", "http://h/01234567890123" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char out[24];
        net_safe_url(pairs[i][0], out, sizeof out);
        assert_string_equal(out, pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_SERVER(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
        WITH_SERVER(pulled_bytes_arrive_and_come_back_in_order),
        WITH_SERVER(requests_without_body_and_of_every_method_work_on_one_connection),
        WITH_SERVER(an_error_answer_is_kept_and_not_pushed),
        WITH_SERVER(a_failing_callback_ends_the_transfer_with_its_own_class),
        WITH_SERVER(a_broken_connection_never_makes_a_pulled_body_start_over),
        WITH_SERVER(no_request_with_a_method_that_writes_goes_out_twice),
        WITH_SERVER(a_short_answer_and_a_long_one_are_refused),
        WITH_SERVER(retry_after_is_told),
        WITH_SERVER(a_server_that_hangs_runs_into_the_time_limit),
        WITH_SERVER(a_redirect_is_an_answer_like_any_other),
        WITH_SERVER(many_transfers_share_a_lane_and_one_can_be_canceled),
        WITH_SERVER(no_error_text_shows_the_query),
        WITH_SERVER(a_request_that_contradicts_itself_is_refused),
        WITH_SERVER(the_environments_proxy_is_ignored),
        cmocka_unit_test(a_certificate_must_verify_against_the_authority_given),
        cmocka_unit_test(a_shown_url_has_no_user_and_no_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
