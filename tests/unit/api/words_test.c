/* What the server says in fixed words: versions, hosts, challenge, errors, algorithms, skip tokens.
 */
#include "alg_priv.h"
#include "server_priv.h"
#include "support/test.h"

static const char *const hosts[] = { "hsm1.coffer.test", "localhost", "pub.example.org:443" };

static struct api server(uint16_t port)
{
    return (struct api){ .port = port,
                         .cfg = { .hosts = hosts,
                                  .host_count = 3,
                                  .authority_url = "https://hsm1.coffer.test:8443/t" },
                         .skip_key = { 7 } };
}

static void listed_api_versions_pass_and_others_are_named(void **state)
{
    (void)state;
    struct cf_err err;
    static const char *const fine[] = { "7.0", "7.2",        "7.4-preview.1",
                                        "7.6", "2025-07-01", "2026-01-01-preview" };
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        EXPECT_OK(api_version_check(fine[i], &err));
    EXPECT_RC(CF_E_INPUT, api_version_check("2016-10-01", &err));
    assert_string_equal(err.code, "BadParameter");
    assert_string_equal(err.text, "The specified version (2016-10-01) is not recognized. Consider "
                                  "using the latest supported version (7.6).");
    EXPECT_RC(CF_E_INPUT, api_version_check(NULL, &err));
    EXPECT_RC(CF_E_INPUT, api_version_check("7.4 ", &err));
}

static void only_configured_host_names_are_answered(void **state)
{
    (void)state;
    struct cf_err err;
    struct api a = server(8443);
    char out[API_HOST_SIZE];
    EXPECT_OK(api_host_check(&a, "HSM1.coffer.TEST:8443", out, &err));
    assert_string_equal(out, "hsm1.coffer.test:8443");
    EXPECT_OK(api_host_check(&a, "pub.example.org", out, &err));
    assert_string_equal(out, "pub.example.org");
    EXPECT_OK(api_host_check(&a, "pub.example.org:443", out, &err));
    assert_string_equal(out, "pub.example.org");
    static const char *const bad[] = {
        "evil.test:8443",          "hsm1.coffer.test",       "hsm1.coffer.test:1",
        "pub.example.org:8443",    "hsm1.coffer.test.:8443", "",
        "hsm1.coffer.test:8443:1", "hsm1.coffer.test:",      ":8443",
        "a@hsm1.coffer.test:8443", "hsm1.coffer.test:08443x"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        print_message("  %s\n", bad[i]);
        EXPECT_RC(CF_E_INPUT, api_host_check(&a, bad[i], out, &err));
    }
}

static void the_challenge_has_the_form_that_every_client_parses(void **state)
{
    (void)state;
    struct cf_err err;
    struct api a = server(8443);
    char out[512];
    EXPECT_OK(api_challenge(&a, "hsm1.coffer.test:8443", out, sizeof out, &err));
    assert_string_equal(out, "Bearer authorization=\"https://hsm1.coffer.test:8443/t\", "
                             "resource=\"https://coffer.test:8443\"");
    EXPECT_OK(api_challenge(&a, "localhost:8443", out, sizeof out, &err));
    assert_non_null(strstr(out, "resource=\"https://coffer.test:8443\""));
    EXPECT_OK(api_challenge(&a, "127.0.0.1:8443", out, sizeof out, &err)); /* no parent domain */
    assert_non_null(strstr(out, "resource=\"https://coffer.test:8443\""));
    a.cfg.resource = "https://managedhsm.azure.net";
    EXPECT_OK(api_challenge(&a, "hsm1.coffer.test:8443", out, sizeof out, &err));
    assert_non_null(strstr(out, "resource=\"https://managedhsm.azure.net\""));
    EXPECT_RC(CF_E_LIMIT, api_challenge(&a, "hsm1.coffer.test:8443", out, 20, &err));
    struct api b = server(443);
    EXPECT_OK(api_challenge(&b, "hsm1.coffer.test", out, sizeof out, &err));
    assert_non_null(strstr(out, "resource=\"https://coffer.test\""));
}

static void each_cause_has_its_status_and_codes(void **state)
{
    (void)state;
    static const struct {
        enum cf_rc rc;
        const char *cause;
        struct api_fault want;
    } rows[] = {
        { CF_E_DENIED, "AccessDenied", { 403, "AccessDenied", NULL } },
        { CF_E_DENIED, "Unauthorized", { 401, "Unauthorized", NULL } },
        { CF_E_DENIED, "KeyDisabled", { 403, "Forbidden", "KeyDisabled" } },
        { CF_E_DENIED, NULL, { 403, "Forbidden", NULL } },
        { CF_E_STATE,
          "ObjectIsDeletedButRecoverable",
          { 409, "Conflict", "ObjectIsDeletedButRecoverable" } },
        { CF_E_STATE, NULL, { 409, "Conflict", NULL } },
        { CF_E_ABSENT, "KeyNotFound", { 404, "KeyNotFound", NULL } },
        { CF_E_ABSENT, NULL, { 404, "NotFound", NULL } },
        { CF_E_INPUT, NULL, { 400, "BadParameter", NULL } },
        { CF_E_INPUT, "a cause of tomorrow", { 400, "BadParameter", NULL } },
        { CF_E_AUTH, NULL, { 500, "InternalError", NULL } },
        { CF_E_TOKEN, NULL, { 503, "ServiceUnavailable", NULL } },
        { CF_E_IO, NULL, { 500, "InternalError", NULL } },
        { CF_E_ARG, NULL, { 500, "InternalError", NULL } },
        { CF_E_CORRUPT, NULL, { 500, "InternalError", NULL } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cf_err e = { .rc = rows[i].rc, .code = rows[i].cause };
        struct api_fault f = api_fault_of(&e);
        assert_int_equal(f.status, rows[i].want.status);
        assert_string_equal(f.code, rows[i].want.code);
        if (rows[i].want.inner)
            assert_string_equal(f.inner, rows[i].want.inner);
        else
            assert_null(f.inner);
    }
}

static void error_bodies_have_the_services_shape(void **state)
{
    (void)state;
    struct api_request rq = { .id = "11111111-2222-4333-8444-555555555555" };
    struct api_reply rp = { 0 };
    struct cf_err e = { 0 };
    (void)cf_err_code(&e, CF_FAIL(&e, CF_E_DENIED, "no \"way\""), "KeyDisabled");
    api_reply_error(&rq, &rp, &e);
    const char *text = NULL;
    assert_int_equal(cf_buf_text(&rp.body, &text, NULL), CF_OK);
    assert_string_equal(text,
                        "{\"error\":{\"code\":\"Forbidden\",\"message\":\"no \\\"way\\\" (Activity "
                        "ID: 11111111-2222-4333-8444-555555555555)\","
                        "\"innererror\":{\"code\":\"KeyDisabled\"}}}");
    assert_false(rp.retry_after);
    struct api_route front = { .flags = API_FRONT };
    rq.route = &front;
    api_reply_error(&rq, &rp, &e);
    assert_int_equal(cf_buf_text(&rp.body, &text, NULL), CF_OK);
    assert_null(strstr(text, "Activity"));
    cf_buf_clear(&rp.body);
}

/* A text that quotes the client may cut its words inside a character. */
static void an_error_that_quotes_half_a_character_still_has_a_body(void **state)
{
    (void)state;
    struct api_request rq = { .id = "x" };
    struct api_reply rp = { 0 };
    struct cf_err e = { 0 };
    (void)API_BAD(&e, "The algorithm %.2s is not one of this operation", "x\xc3\xa9");
    api_reply_error(&rq, &rp, &e);
    const char *text = NULL;
    assert_int_equal(cf_buf_text(&rp.body, &text, NULL), CF_OK);
    assert_non_null(strstr(text, "\"The algorithm x? is not one of"));
    cf_buf_clear(&rp.body);
}

static void an_internal_error_tells_nothing_of_the_inside_but_to_root_beside_it(void **state)
{
    (void)state;
    for (int local = 0; local < 2; local++) {
        struct api_request rq = { .id = "x", .local = local };
        struct api_reply rp = { 0 };
        struct cf_err e = { 0 };
        (void)CF_FAIL(&e, CF_E_IO, "/var/lib/secret-path is full");
        api_reply_error(&rq, &rp, &e);
        const char *text = NULL;
        assert_int_equal(cf_buf_text(&rp.body, &text, NULL), CF_OK);
        assert_int_equal(rp.status, 500);
        assert_int_equal(strstr(text, "secret-path") != NULL, local);
        cf_buf_clear(&rp.body);
    }
}

static void the_algorithm_table_names_each_once_and_fits_its_key(void **state)
{
    (void)state;
    size_t n = 0;
    const struct api_alg *t = api_algs(&n);
    for (size_t i = 0; i < n; i++) {
        const struct api_alg *a = &t[i];
        for (size_t k = i + 1; k < n; k++)
            assert_string_not_equal(a->name, t[k].name);
        unsigned bits = 0;
        if (sscanf(a->name, "A%u", &bits) == 1)
            assert_int_equal(a->wants.bits, bits);
        if (strncmp(a->name, "ES", 2) == 0)
            assert_int_not_equal(a->wants.curve, 0);
        if (a->wants.type != HAL_OCT && (a->uses & API_ALG_SIGN) && a->hash != HAL_NO_HASH)
            assert_int_equal(a->digest_len, a->hash == HAL_SHA256   ? 32
                                            : a->hash == HAL_SHA384 ? 48
                                                                    : 64);
        assert_int_not_equal(a->wants.type, 0);
    }
    assert_non_null(api_alg_find("RS256", API_ALG_SIGN));
    assert_non_null(api_alg_find("ES256", API_ALG_SIGN));
    assert_non_null(api_alg_find("RSA-OAEP-256", API_ALG_WRAP));
    assert_non_null(api_alg_find("A256KW", API_ALG_WRAP));
    assert_null(api_alg_find("A256KW", API_ALG_ENCRYPT));
    assert_null(api_alg_find("RS256", API_ALG_ENCRYPT));
    assert_null(api_alg_find("rs256", API_ALG_SIGN));
    assert_null(api_alg_find("", API_ALG_SIGN));
}

static void a_skip_token_works_for_its_own_list_only(void **state)
{
    (void)state;
    struct cf_err err;
    struct api a = server(1);
    struct api other = server(1);
    other.skip_key[0] = 8;
    struct cf_buf token = { 0 };
    struct cf_buf last = { 0 };
    const char *text = NULL;
    EXPECT_OK(api_skip_make(&a, "keys", "my-key", &token, &err));
    EXPECT_OK(cf_buf_text(&token, &text, &err));
    EXPECT_OK(api_skip_read(&a, "keys", text, &last, &err));
    assert_int_equal(last.len, 6);
    assert_memory_equal(last.data, "my-key", 6);
    cf_buf_clear(&last);
    EXPECT_RC(CF_E_INPUT, api_skip_read(&a, "deletedkeys", text, &last, &err));
    EXPECT_RC(CF_E_INPUT, api_skip_read(&other, "keys", text, &last, &err));
    EXPECT_RC(CF_E_INPUT, api_skip_read(&a, "keys", "", &last, &err));
    EXPECT_RC(CF_E_INPUT, api_skip_read(&a, "keys", "AAAA", &last, &err));
    for (size_t i = 0; i < token.len; i++) {
        char bad[128];
        snprintf(bad, sizeof bad, "%s", text);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        EXPECT_RC(CF_E_INPUT, api_skip_read(&a, "keys", bad, &last, &err));
        assert_int_equal(last.len, 0);
    }
    cf_buf_clear(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listed_api_versions_pass_and_others_are_named),
        cmocka_unit_test(only_configured_host_names_are_answered),
        cmocka_unit_test(the_challenge_has_the_form_that_every_client_parses),
        cmocka_unit_test(each_cause_has_its_status_and_codes),
        cmocka_unit_test(error_bodies_have_the_services_shape),
        cmocka_unit_test(an_error_that_quotes_half_a_character_still_has_a_body),
        cmocka_unit_test(an_internal_error_tells_nothing_of_the_inside_but_to_root_beside_it),
        cmocka_unit_test(the_algorithm_table_names_each_once_and_fits_its_key),
        cmocka_unit_test(a_skip_token_works_for_its_own_list_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
