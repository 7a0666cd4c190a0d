/*
 * The server against clients without manners: raw bytes over real TLS, limits of size and time.
 * The table of routes is that of support/api_fixture/echo.c, so that the server stands alone.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hal_linux/hal_linux.h"
#include "hal_sim/hal_sim.h"
#include "support/api_fixture.h"
#include "support/test.h"

struct world {
    struct fake_gate gate;
    struct hal_clock *clock;
    struct api *api;
    struct cf_buf got;
    char local[64];
};

static const char *const hosts[] = { "hsm1.coffer.test", "localhost" };

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct cf_err e = { 0 };
    fake_gate_init(&w->gate);
    w->clock = hal_sim_clock_new(1800000000000);
    snprintf(w->local, sizeof w->local, "/tmp/coffer-api-%d.sock", (int)getpid());
    const struct api_config cfg = {
        .cert_pem = fixture_cert_pem,
        .key_pem = fixture_key_pem,
        .hosts = hosts,
        .host_count = 2,
        .authority_url = "https://hsm1.coffer.test/adfs",
        .clock = w->clock,
        .entropy = hal_linux_entropy(),
        .gate = &w->gate.gate,
        .local_path = w->local,
        .limits = { .connections_per_ip = 12 },
    };
    if (api_start(&cfg, &w->api, &e) != CF_OK)
        print_message("%s\n", e.text);
    *state = w;
    return w->api ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    api_stop(w->api);
    hal_sim_clock_free(w->clock);
    cf_buf_clear(&w->got);
    free(w);
    return 0;
}

/* `text` with the Host header, port and all, where its '@' stands. */
static char *request(const struct world *w, const char *text)
{
    static char out[16384];
    int before = (int)strcspn(text, "@");
    snprintf(out, sizeof out, "%.*sHost: hsm1.coffer.test:%u\r\n%s", before, text,
             (unsigned)api_port(w->api), text + before + 1);
    return out;
}

static const char *got(const struct world *w)
{
    return (const char *)w->got.data;
}

/* The library only says that it did not start. */
static void a_server_that_cannot_start_says_which_file_or_port_is_wrong(void **state)
{
    struct world *w = *state;
    struct api *a = NULL;
    static const struct {
        const char *cert, *key, *words;
    } rows[] = {
        { "junk", fixture_key_pem, "certificate is no PEM chain" },
        { "", fixture_key_pem, "certificate is no PEM chain" },
        { fixture_cert_pem, "junk", "key is not usable" },
        { fixture_cert_pem, NULL, "has no key" },
        { fixture_cert_pem, fixture_key_pem, "Address already in use" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cf_err e = { 0 };
        const struct api_config cfg = {
            .cert_pem = rows[i].cert,
            .key_pem = rows[i].key,
            .hosts = hosts,
            .host_count = 2,
            .port = api_port(w->api),
            .authority_url = "https://hsm1.coffer.test/adfs",
            .clock = w->clock,
            .entropy = hal_linux_entropy(),
            .gate = &w->gate.gate,
        };
        assert_int_not_equal(api_start(&cfg, &a, &e), CF_OK);
        assert_null(a);
        print_message("  %s\n", e.text);
        assert_non_null(strstr(e.text, rows[i].words));
    }
}

static void a_good_request_is_answered_and_the_connection_kept(void **state)
{
    struct world *w = *state;
    struct tls_client *c = tls_client_open(api_port(w->api), NULL);
    assert_non_null(c);
    for (int i = 0; i < 3; i++) {
        char *r = request(w, "POST /keys/k1/create?api-version=7.4 HTTP/1.1\r\n@"
                             "Authorization: Bearer good\r\nContent-Type: application/json\r\n"
                             "x-ms-client-request-id: 42\r\nContent-Length: 5\r\n\r\nabcde");
        assert_true(tls_client_send(c, r, strlen(r)));
        assert_int_equal(tls_client_answer(c, &w->got), 200);
        assert_non_null(strstr(got(w), "{\"key\":\"k1\",\"bytes\":5}"));
    }
    static const char *const headers[] = {
        "\r\nContent-Type: application/json; charset=utf-8\r\n",
        "\r\nCache-Control: no-cache\r\n",
        "\r\nContent-Security-Policy: default-src 'self'\r\n",
        "\r\nStrict-Transport-Security: max-age=31536000; includeSubDomains\r\n",
        "\r\nX-Content-Type-Options: nosniff\r\n",
        "\r\nX-Frame-Options: SAMEORIGIN\r\n",
        "\r\nx-ms-request-id: ",
        "\r\nx-ms-client-request-id: 42\r\n",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        assert_non_null(strstr(got(w), headers[i]));
    tls_client_close(c);
}

static void malformed_requests_are_refused_and_the_connection_closed(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *text;
        int status;
    } bad[] = {
        { "GET /health HTTP/1.1\n@\r\n", 400 },
        { "GET /health HTTP/1.1\r\n@X: y\n\r\n", 400 },
        { "GET /health HTTP/1.1\r\n@\n", 400 },
        { "GET /health HTTP/1.1\r\n@X: y\rZ: z\r\n\r\n", 400 },
        { "GET /health HTTP/1.1\r\n@X: y\r\n folded\r\n\r\n", 400 },
        { "GET /health HTTP/1.1\r\n folded\r\n@\r\n", 400 },
        { "GET /health HTTP/1.1\r\n@no colon\r\n\r\n", 400 },
        { "GET /health HTTP/1.1\r\n@X : y\r\n\r\n", 400 },
        { "GET /health HTTP/1.1\r\n@Host: localhost\r\n\r\n", 400 },
        { "GET /health HTTP/1.1\r\nHost: evil.test\r\nX: @\r\n\r\n", 421 },
        { "GET /health HTTP/1.1\r\nX-@\r\n", 400 },
        { "POST /keys/k/create HTTP/1.1\r\n@Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400 },
        { "POST /keys/k/create HTTP/1.1\r\n@Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"
          "\r\n0\r\n\r\n",
          501 },
        { "POST /keys/k/create HTTP/1.1\r\n@Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501 },
        { "GET /keys/a%00b?api-version=7.4 HTTP/1.1\r\n@Authorization: Bearer good\r\n\r\n", 400 },
        { "GET /keys/%61 HTTP/1.1\r\n@\r\n", 400 },
        { "GET /keys/a?api-version=7.4&api-version=7.3 HTTP/1.1\r\n@\r\n", 400 },
        { "GET /keys/a?x=%00 HTTP/1.1\r\n@\r\n", 400 },
        { "GET http://hsm1.coffer.test/health HTTP/1.1\r\n@\r\n", 400 },
        { "GET /health HTTP/1.0\r\n@\r\n", 501 },
        { "GET /health\r\n@\r\n", 400 },
        { "GET /../health HTTP/1.1\r\n@\r\n", 400 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tls_client *c = tls_client_open(api_port(w->api), NULL);
        char *r = request(w, bad[i].text);
        print_message("  case %zu\n", i);
        assert_non_null(c);
        assert_true(tls_client_send(c, r, strlen(r)));
        assert_int_equal(tls_client_answer(c, &w->got), bad[i].status);
        assert_true(tls_client_closed(c));
        tls_client_close(c);
    }
}

static void a_nul_in_a_header_is_refused(void **state)
{
    struct world *w = *state;
    struct tls_client *c = tls_client_open(api_port(w->api), NULL);
    char *r = request(w, "GET /health HTTP/1.1\r\n@X: aQb\r\n\r\n");
    size_t len = strlen(r);
    *strchr(r, 'Q') = 0;
    assert_true(tls_client_send(c, r, len));
    int status = tls_client_answer(c, &w->got);
    assert_true(status == 400 || status == 0);
    assert_true(tls_client_closed(c));
    tls_client_close(c);
}

static void without_a_token_comes_the_challenge_whatever_else_is_wrong(void **state)
{
    struct world *w = *state;
    static const char *const asks[] = {
        "GET /keys/k HTTP/1.1\r\n@\r\n",
        "GET /nowhere HTTP/1.1\r\n@\r\n",
        "POST /keys/k/create?api-version=1.1 HTTP/1.1\r\n@Content-Length: 0\r\n\r\n",
        "POST /keys/k/create HTTP/1.1\r\n@Content-Type: text/plain\r\nContent-Length: 3\r\n\r\n{x}",
        "GET /keys/k HTTP/1.1\r\n@Authorization: Bearer bad\r\n\r\n",
        "GET /keys/k HTTP/1.1\r\n@Authorization: Basic Z29vZA==\r\n\r\n",
        "GET /keys/k HTTP/1.1\r\n@Authorization: Bearer\r\n\r\n",
        "OPTIONS /keys/k HTTP/1.1\r\n@\r\n",
        "GET /local/status HTTP/1.1\r\n@\r\n",
    };
    struct tls_client *c = tls_client_open(api_port(w->api), NULL);
    char challenge[256];
    snprintf(challenge, sizeof challenge,
             "\r\nWWW-Authenticate: Bearer authorization=\"https://hsm1.coffer.test/adfs\", "
             "resource=\"https://coffer.test:%u\"\r\n",
             (unsigned)api_port(w->api));
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        char *r = request(w, asks[i]);
        print_message("  case %zu\n", i);
        assert_true(tls_client_send(c, r, strlen(r))); /* one connection for all: it is kept */
        assert_int_equal(tls_client_answer(c, &w->got), 401);
        assert_non_null(strstr(got(w), challenge));
        assert_non_null(strstr(got(w), "\"code\":\"Unauthorized\""));
    }
    tls_client_close(c);
}

static void with_a_token_the_checks_come_in_their_order(void **state)
{
    struct world *w = *state;
    uint16_t port = api_port(w->api);
    static const struct {
        const char *text;
        int status;
        const char *says;
    } rows_[] = {
        { "GET /nowhere HTTP/1.1\r\n@Authorization: Bearer good\r\n\r\n", 404, "NotFound" },
        { "PATCH /health HTTP/1.1\r\n@Authorization: Bearer good\r\n\r\n", 405,
          "\r\nAllow: GET\r\n" },
        { "GET /keys/k HTTP/1.1\r\n@Authorization: Bearer other\r\n\r\n", 400, "api-version" },
        { "GET /keys/k?api-version=9 HTTP/1.1\r\n@Authorization: Bearer other\r\n\r\n", 400,
          "(7.6)." },
        { "GET /keys/a_b?api-version=7.4 HTTP/1.1\r\n@Authorization: Bearer other\r\n\r\n", 400,
          "key's name" },
        { "GET /keys/k?api-version=7.4 HTTP/1.1\r\n@Authorization: Bearer other\r\n\r\n", 403,
          "AccessDenied" },
        { "GET /keys/k?api-version=7.4 HTTP/1.1\r\n@Authorization: bearer good\r\n\r\n", 200,
          "\"k\"" },
        { "POST /keys/k/create?api-version=7.4 HTTP/1.1\r\n@Authorization: Bearer good\r\n"
          "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
          415, "application/json" },
    };
    for (size_t i = 0; i < sizeof rows_ / sizeof rows_[0]; i++) {
        print_message("  case %zu\n", i);
        assert_int_equal(tls_client_once(port, request(w, rows_[i].text), &w->got),
                         rows_[i].status);
        assert_non_null(strstr(got(w), rows_[i].says));
        assert_null(strstr(got(w), "Retry-After"));
    }
}

#define GOOD "GET /keys/k?api-version=7.4 HTTP/1.1\r\n@Authorization: Bearer good\r\n\r\n"

static void the_state_of_the_appliance_rules_over_rights(void **state)
{
    struct world *w = *state;
    uint16_t port = api_port(w->api);
    w->gate.state = API_RESTORING;
    assert_int_equal(tls_client_once(port, request(w, GOOD), &w->got), 409);
    assert_non_null(strstr(got(w), "{\"error\":{\"code\":\"Conflict\",\"message\":\"User triggered "
                                   "Restore operation is in progress. Retry after the restore "
                                   "operation (Activity ID: "));
    w->gate.state = API_PROVISIONED;
    assert_int_equal(tls_client_once(port, request(w, GOOD), &w->got), 403);
    assert_non_null(strstr(got(w), "not activated"));
    assert_int_equal(tls_client_once(port, request(w, "GET /health HTTP/1.1\r\n@\r\n"), &w->got),
                     200);
    w->gate.state = API_ACTIVE;
    assert_int_equal(tls_client_once(port, request(w, GOOD), &w->got), 200);
}

static void a_request_that_cannot_be_recorded_fails(void **state)
{
    struct world *w = *state;
    uint16_t port = api_port(w->api);
    static const char create[] = "POST /keys/k/create?api-version=7.4 HTTP/1.1\r\n@"
                                 "Authorization: Bearer good\r\nContent-Length: 2\r\n\r\n{}";
    unsigned before = w->gate.records;
    assert_int_equal(tls_client_once(port, request(w, create), &w->got), 200);
    assert_int_equal(w->gate.records, before + 1);
    w->gate.record_fails = 1;
    assert_int_equal(tls_client_once(port, request(w, create), &w->got), 500);
    w->gate.record_fails = 0;
    assert_int_equal(tls_client_once(port, request(w, GOOD), &w->got),
                     200); /* reads: not recorded */
    assert_int_equal(w->gate.records, before + 1);
}

static void sizes_are_bounded(void **state)
{
    struct world *w = *state;
    uint16_t port = api_port(w->api);
    char *big = malloc(200000);
    static const struct {
        const char *before;
        size_t fill;
        const char *after;
    } cases[] = {
        { "GET /", 5000, " HTTP/1.1\r\nHost: localhost\r\n\r\n" },
        { "GET /health HTTP/1.1\r\nX: ", 40000, "\r\n\r\n" },
        { "GET /health HTTP/1.1\r\nX: ", 150000, "\r\n\r\n" },
        { "GET ", 150000, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = strlen(cases[i].before);
        memcpy(big, cases[i].before, n);
        memset(big + n, 'a', cases[i].fill);
        snprintf(big + n + cases[i].fill, 64, "%s", cases[i].after);
        struct tls_client *c = tls_client_open(port, NULL);
        (void)tls_client_send(c, big, strlen(big)); /* may be cut short by the refusal */
        int status = tls_client_answer(c, &w->got);
        print_message("  case %zu: %d\n", i, status);
        assert_true(status == 400 || status == 414 || status == 431 || status == 413 ||
                    status == 0);
        assert_true(tls_client_closed(c));
        tls_client_close(c);
    }
    free(big);
    assert_int_equal(tls_client_once(port,
                                     request(w, "POST /keys/k/create?api-version=7.4 HTTP/1.1\r\n@"
                                                "Authorization: Bearer good\r\n"
                                                "Content-Length: 1048577\r\n\r\n"),
                                     &w->got),
                     413);
    assert_non_null(strstr(got(w), "\r\nConnection: close\r\n"));
    assert_int_equal(tls_client_once(port,
                                     request(w, "POST /keys/k/create HTTP/1.1\r\n@"
                                                "Content-Length: 1048576\r\n\r\n"),
                                     &w->got),
                     401); /* answered without waiting for a stranger's megabyte */
}

static void a_body_of_the_limit_is_taken(void **state)
{
    struct world *w = *state;
    struct tls_client *c = tls_client_open(api_port(w->api), NULL);
    char *r = request(w, "POST /keys/k/create?api-version=7.4 HTTP/1.1\r\n@"
                         "Authorization: Bearer good\r\nContent-Length: 1048576\r\n\r\n");
    char *body = calloc(1, 1048576);
    assert_true(tls_client_send(c, r, strlen(r)));
    assert_true(tls_client_send(c, body, 1048576));
    assert_int_equal(tls_client_answer(c, &w->got), 200);
    assert_non_null(strstr(got(w), "\"bytes\":1048576"));
    free(body);
    tls_client_close(c);
}

/* Sends a byte every now and then, minutes of the server's clock apart, until it is cut. */
static bool is_cut(struct world *w, struct tls_client *c)
{
    for (int i = 0; i < 2000; i++) {
        hal_sim_clock_step(w->clock, 100);
        if (!tls_client_send(c, "a", 1))
            return true;
        usleep(5000);
    }
    return false;
}

static void trickling_clients_are_cut_at_their_deadline(void **state)
{
    struct world *w = *state;
    static const char head[] = "GET /health HTTP/1.1\r\nHost: ";
    char *body = request(w, "POST /keys/k/create?api-version=7.4 HTTP/1.1\r\n@"
                            "Authorization: Bearer good\r\nContent-Length: 100000\r\n\r\nabc");
    struct tls_client *c = tls_client_open(api_port(w->api), NULL);
    assert_true(tls_client_send(c, head, sizeof head - 1));
    assert_true(is_cut(w, c));
    tls_client_close(c);
    c = tls_client_open(api_port(w->api), NULL);
    assert_true(tls_client_send(c, body, strlen(body)));
    assert_true(is_cut(w, c));
    tls_client_close(c);
    c = tls_client_open(api_port(w->api), NULL); /* the server itself goes on */
    assert_non_null(c);
    tls_client_close(c);
}

static void connections_from_one_address_are_bounded(void **state)
{
    struct world *w = *state;
    struct tls_client *c[24] = { 0 };
    size_t open = 0;
    for (size_t i = 0; i < 24; i++) {
        c[i] = tls_client_open(api_port(w->api), NULL);
        open += c[i] != NULL;
    }
    print_message("  %zu of 24 were let in\n", open);
    assert_in_range(open, 1, 12);
    for (size_t i = 0; i < 24; i++)
        tls_client_close(c[i]);
}

static void old_tls_and_plain_http_are_refused(void **state)
{
    struct world *w = *state;
    uint16_t port = api_port(w->api);
    assert_null(tls_client_open(port, "NORMAL:-VERS-ALL:+VERS-TLS1.1"));
    assert_null(tls_client_open(port, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC"));
    assert_null(tls_client_open(port, "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA"));
    struct tls_client *c = tls_client_open(port, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
    assert_non_null(c);
    tls_client_close(c);
    c = tls_client_open(port, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
    assert_non_null(c);
    tls_client_close(c);
}

static int local_request(const char *path, const char *text, char *out, size_t size)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ssize_t n = -1;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
        write(fd, text, strlen(text)) == (ssize_t)strlen(text))
        n = read(fd, out, size - 1);
    close(fd);
    out[n > 0 ? n : 0] = 0;
    return n > 9 ? (int)strtol(out + 9, NULL, 10) : -1;
}

static void the_local_socket_has_its_own_routes_and_no_others(void **state)
{
    struct world *w = *state;
    char out[2048];
    assert_int_equal(
        local_request(w->local, "GET /local/status HTTP/1.1\r\nHost: x\r\n\r\n", out, sizeof out),
        200);
    assert_int_equal(
        local_request(w->local, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", out, sizeof out), 404);
    assert_int_equal(
        local_request(w->local, "GET /local/status HTTP/1.1\nHost: x\r\n\r\n", out, sizeof out),
        400);
    assert_int_equal(tls_client_once(api_port(w->api),
                                     request(w, "GET /local/status?api-version=7.4 HTTP/1.1\r\n@"
                                                "Authorization: Bearer good\r\n\r\n"),
                                     &w->got),
                     404);
}

#define ASK(name)                                                                                  \
    "GET /keys/" name "?api-version=7.4 HTTP/1.1\r\n@Authorization: Bearer good\r\n\r\n"

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct world *w = *state;
    struct tls_client *c = tls_client_open(api_port(w->api), NULL);
    char two[1024];
    int n = snprintf(two, sizeof two, "%s", request(w, ASK("first")));
    snprintf(two + n, sizeof two - (size_t)n, "%s", request(w, ASK("second")));
    assert_true(tls_client_send(c, two, strlen(two)));
    assert_int_equal(tls_client_answer(c, &w->got), 200);
    assert_non_null(strstr(got(w), "\"first\""));
    assert_int_equal(tls_client_answer(c, &w->got), 200);
    assert_non_null(strstr(got(w), "\"second\""));
    tls_client_close(c);
}

static void *stop_server(void *arg)
{
    api_stop(arg);
    return NULL;
}

/* A client whose key was made must learn so, whatever happens to the server meanwhile. */
static void what_runs_at_the_end_is_answered_and_what_comes_is_told_to_come_again(void **state)
{
    struct world *w = *state;
    struct fake_gate *g = &w->gate;
    struct api *a = NULL;
    struct cf_err e = { 0 };
    pthread_t thread;
    const struct api_config cfg = {
        .cert_pem = fixture_cert_pem,
        .key_pem = fixture_key_pem,
        .hosts = hosts,
        .host_count = 2,
        .authority_url = "https://hsm1.coffer.test/adfs",
        .clock = w->clock,
        .entropy = hal_linux_entropy(),
        .gate = &g->gate,
    };
    assert_int_equal(api_start(&cfg, &a, &e), CF_OK);
    char make[512], get[512];
    snprintf(make, sizeof make,
             "POST /keys/k1/create?api-version=7.4 HTTP/1.1\r\nHost: localhost:%u\r\n"
             "Authorization: Bearer good\r\nContent-Length: 2\r\n\r\n{}",
             (unsigned)api_port(a));
    snprintf(get, sizeof get,
             "GET /keys/k1?api-version=7.4 HTTP/1.1\r\nHost: localhost:%u\r\n"
             "Authorization: Bearer good\r\n\r\n",
             (unsigned)api_port(a));
    struct tls_client *running = tls_client_open(api_port(a), NULL);
    struct tls_client *idle = tls_client_open(api_port(a), NULL);
    assert_true(tls_client_send(idle, get, strlen(get)));
    assert_int_equal(tls_client_answer(idle, &w->got), 200);
    atomic_store(&g->record_waits, 1);
    assert_true(tls_client_send(running, make, strlen(make)));
    while (!atomic_load(&g->recording))
        sched_yield();
    pthread_create(&thread, NULL, stop_server, a);
    bool told = false; /* to come again, or with a last answer that the connection ends */
    while (!told) {
        assert_true(tls_client_send(idle, get, strlen(get)));
        int status = tls_client_answer(idle, &w->got);
        assert_true(status == 200 || (status == 503 && strstr(got(w), "Retry-After")));
        told = status == 503 || strstr(got(w), "\r\nConnection: close\r\n") != NULL;
    }
    atomic_store(&g->record_waits, 0);
    assert_int_equal(tls_client_answer(running, &w->got), 200);
    pthread_join(thread, NULL);
    tls_client_close(running);
    tls_client_close(idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_cannot_start_says_which_file_or_port_is_wrong),
        cmocka_unit_test(a_good_request_is_answered_and_the_connection_kept),
        cmocka_unit_test(malformed_requests_are_refused_and_the_connection_closed),
        cmocka_unit_test(a_nul_in_a_header_is_refused),
        cmocka_unit_test(without_a_token_comes_the_challenge_whatever_else_is_wrong),
        cmocka_unit_test(with_a_token_the_checks_come_in_their_order),
        cmocka_unit_test(the_state_of_the_appliance_rules_over_rights),
        cmocka_unit_test(a_request_that_cannot_be_recorded_fails),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(a_body_of_the_limit_is_taken),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(the_local_socket_has_its_own_routes_and_no_others),
        cmocka_unit_test(old_tls_and_plain_http_are_refused),
        cmocka_unit_test(trickling_clients_are_cut_at_their_deadline),
        cmocka_unit_test(what_runs_at_the_end_is_answered_and_what_comes_is_told_to_come_again),
        cmocka_unit_test(connections_from_one_address_are_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
