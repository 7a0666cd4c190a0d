/* Bearer tokens: what is taken, and each reason to refuse. */
#include "token_maker.h"

#include <pthread.h>
#include <stdbool.h>

#include "access/bearer.h"
#include "base/verdict.h"
#include "hal_sim/hal_sim.h"

#define NOW_S  INT64_C(1700000000)
#define ISSUER "https://sts.example/11111111-2222-3333-4444-555555555555/v2.0"
#define TENANT "11111111-2222-3333-4444-555555555555"
#define OID    "aaaaaaaa-0000-4000-8000-000000000001"
#define AUD    "https://coffer.test:8443"

struct fixture {
    struct maker maker;
    struct cf_buf jwks, token, other;
    struct hal_clock *clock;
    struct access_bearer *b;
};

static int set_up(void **state)
{
    static struct fixture f;
    static const char *const audiences[] = { "https://unused.test", AUD };
    memset(&f, 0, sizeof f);
    maker_begin(&f.maker, 1);
    f.clock = hal_sim_clock_new(NOW_S * 1000);
    struct access_issuer issuer = { .issuer = ISSUER,
                                    .tenant = "11111111-2222-3333-4444-555555555555",
                                    .audiences = audiences,
                                    .audience_count = 2,
                                    .jwks = maker_jwks(&f.maker, &f.jwks) };
    assert_int_equal(access_bearer_new(f.clock, &issuer, 1, &f.b, NULL), CF_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    access_bearer_free(f->b);
    hal_sim_clock_free(f->clock);
    cf_buf_clear(&f->jwks);
    cf_buf_clear(&f->token);
    cf_buf_clear(&f->other);
    maker_end(&f->maker);
    return 0;
}

/* Claims that are taken, but for what the arguments make of them. */
#define CLAIMS_WITH(aud, exp, rest)                                                                \
    "{\"iss\":\"" ISSUER "\",\"aud\":" aud ",\"exp\":" exp ",\"nbf\":1699999990,\"tid\":\"" TENANT \
    "\",\"oid\":\"" OID "\"" rest "}"
#define CLAIMS CLAIMS_WITH("\"" AUD "\"", "1700003600", "")

static enum cf_rc check(struct fixture *f, const char *token, struct access_principal *p,
                        struct cf_err *e)
{
    return access_bearer_check(f->b, token, strlen(token), p, e);
}

static void expect_refused(struct fixture *f, const char *token, const char *why)
{
    static const struct access_principal nobody;
    struct access_principal p;
    struct cf_err err;
    memset(&p, 0xa5, sizeof p);
    EXPECT_RC(CF_E_DENIED, check(f, token, &p, &err));
    assert_string_equal(err.code, "Unauthorized");
    if (strstr(err.text, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, why);
    assert_memory_equal(&p, &nobody, sizeof p);
}

static void expect_claims_refused(struct fixture *f, const char *claims, const char *why)
{
    expect_refused(f, maker_sign(&f->maker, 0, NULL, claims, &f->token), why);
}

static void a_good_token_of_either_algorithm_becomes_a_principal(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p;
    for (int ec = 0; ec < 2; ec++) {
        EXPECT_OK(check(f,
                        maker_sign(&f->maker, ec, NULL,
                                   CLAIMS_WITH("\"" AUD "\"", "1700003600",
                                               ",\"appid\":\"app\",\"upn\":\"a@b\\n\""),
                                   &f->token),
                        &p, &err));
        assert_true(cf_granted(&p.verified));
        assert_string_equal(p.oid, OID);
        assert_string_equal(p.tenant, TENANT);
        assert_string_equal(p.app, "app");
        assert_string_equal(p.upn, "a@b?"); /* goes to the log: no line breaks */
        assert_int_equal(p.expires_s, NOW_S + 3600);
        assert_int_equal(p.group_count, 0);
    }
}

static void audiences_may_have_one_slash_behind_or_stand_in_a_list(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p;
    static const char *const good[] = {
        CLAIMS_WITH("\"" AUD "/\"", "1700003600", ""),
        CLAIMS_WITH("[\"https://x\",\"" AUD "\"]", "1700003600", ""),
        CLAIMS_WITH("\"https://unused.test\"", "1700003600", ""),
    };
    for (size_t i = 0; i < 3; i++)
        EXPECT_OK(check(f, maker_sign(&f->maker, 1, NULL, good[i], &f->token), &p, &err));
    static const char *const bad[] = { "\"https://vault.azure.net\"",
                                       "\"" AUD "//\"",
                                       "\"\"",
                                       "[]",
                                       "[[\"" AUD "\"]]",
                                       "17",
                                       "{\"a\":\"" AUD "\"}",
                                       "null",
                                       "\"HTTPS://coffer.test:8443\"",
                                       "\"https://coffer.test\"" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char claims[1024];
        snprintf(claims, sizeof claims, CLAIMS_WITH("%s", "1700003600", ""), bad[i]);
        expect_claims_refused(f, claims, "audience");
    }
    expect_claims_refused(f, "{\"iss\":\"" ISSUER "\",\"exp\":1700003600,\"oid\":\"" OID "\"}",
                          "no audience");
}

static void time_has_five_minutes_of_tolerance(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p;
    static const struct {
        const char *exp, *nbf;
        bool good;
    } cases[] = {
        { "1699999701", "0", true },           /* 299 s over */
        { "1699999700", "0", false },          /* 300 s over */
        { "1700003600", "1700000300", true },  /* comes in 300 s */
        { "1700003600", "1700000301", false }, /* comes in 301 s */
        { "-5", "0", false },
        { "1e12", "0", false },
        { "\"1700003600\"", "0", false },
        { "1700003600.5", "0", false },
        { "9007199254740993", "0", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char claims[1024];
        snprintf(claims, sizeof claims,
                 "{\"iss\":\"" ISSUER "\",\"aud\":\"" AUD "\",\"tid\":\"" TENANT "\",\"oid\":\"" OID
                 "\",\"exp\":%s,\"nbf\":%s}",
                 cases[i].exp, cases[i].nbf);
        const char *token = maker_sign(&f->maker, 1, NULL, claims, &f->token);
        enum cf_rc want = cases[i].good ? CF_OK : CF_E_DENIED;
        EXPECT_RC(want, check(f, token, &p, &err));
    }
    expect_claims_refused(f,
                          "{\"iss\":\"" ISSUER "\",\"aud\":\"" AUD "\",\"tid\":\"" TENANT
                          "\",\"oid\":\"" OID "\"}",
                          "exp");
}

static void a_remembered_token_expires_as_a_fresh_one(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p;
    const char *token = maker_sign(&f->maker, 0, NULL, CLAIMS, &f->token);
    EXPECT_OK(check(f, token, &p, &err));
    hal_sim_clock_step(f->clock, (3600 + 299) * 1000);
    EXPECT_OK(check(f, token, &p, &err));
    hal_sim_clock_step(f->clock, 1000);
    expect_refused(f, token, "expired");
    hal_sim_clock_step(f->clock, -(3600 + 300 + 311) * INT64_C(1000)); /* the clock is set back */
    expect_refused(f, token, "not valid before");
}

static void remembering_does_not_take_a_changed_token(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p;
    EXPECT_OK(check(f, maker_sign(&f->maker, 0, NULL, CLAIMS, &f->token), &p, &err));
    f->token.data[f->token.len - 10] ^= 1;
    expect_refused(f, (const char *)f->token.data, "");
}

static void replaced_keys_forget_what_they_signed(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p;
    struct maker next;
    struct cf_buf jwks = { 0 };
    const char *token = maker_sign(&f->maker, 0, NULL, CLAIMS, &f->token);
    EXPECT_OK(check(f, token, &p, &err));
    maker_begin(&next, 9);
    EXPECT_RC(CF_E_INPUT, access_bearer_keys(f->b, ISSUER, "{\"keys\":[]}", &err));
    EXPECT_OK(check(f, token, &p, &err)); /* a bad set changes nothing */
    EXPECT_RC(CF_E_ABSENT,
              access_bearer_keys(f->b, "https://other", maker_jwks(&next, &jwks), &err));
    EXPECT_OK(access_bearer_keys(f->b, ISSUER, maker_jwks(&next, &jwks), &err));
    expect_refused(f, token, "key that the issuer's set does not have");
    EXPECT_OK(check(f, maker_sign(&next, 0, NULL, CLAIMS, &f->other), &p, &err));
    maker_end(&next);
    cf_buf_clear(&jwks);
}

static void a_strangers_signature_is_refused(void **state)
{
    struct fixture *f = *state;
    struct maker stranger;
    maker_begin(&stranger, 5);
    for (int ec = 0; ec < 2; ec++) {
        expect_refused(f, maker_sign(&stranger, ec, NULL, CLAIMS, &f->token), "set does not have");
        const char *kid = ec ? f->maker.p256_kid : f->maker.rsa_kid;
        expect_refused(f, maker_sign(&stranger, ec, kid, CLAIMS, &f->token), "");
    }
    maker_end(&stranger);
}

static void the_key_says_the_algorithm_and_not_the_token(void **state)
{
    struct fixture *f = *state;
    /* ES256 under the RSA key's name, and the other way round. */
    expect_refused(f, maker_sign(&f->maker, 1, f->maker.rsa_kid, CLAIMS, &f->token),
                   "another algorithm");
    expect_refused(f, maker_sign(&f->maker, 0, f->maker.p256_kid, CLAIMS, &f->token),
                   "another algorithm");
}

static void unsigned_and_malformed_tokens_are_refused(void **state)
{
    struct fixture *f = *state;
    char header[256];
    static const char *const algs[] = { "none", "None", "HS256", "PS256", "RS384", "RS1", "" };
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", algs[i],
                 f->maker.rsa_kid);
        expect_refused(f, maker_raw(header, CLAIMS, "", &f->token), "");
        expect_refused(f, maker_raw(header, CLAIMS, "signature", &f->token), "");
    }
    expect_refused(f, maker_raw("{}", CLAIMS, "x", &f->token), "");
    expect_refused(f, maker_raw("{\"alg\":\"RS256\"}", CLAIMS, "x", &f->token), "does not have");
    static const char *const bad[] = { ".", "..", "...", "a.b", "a.b.c.d", "Bearer x", "\x01" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_refused(f, bad[i], "");
    expect_refused(f, "", "size");
    /* A good token with one byte more, or less. */
    maker_sign(&f->maker, 0, NULL, CLAIMS, &f->token);
    struct access_principal p;
    const char *token = (const char *)f->token.data;
    assert_int_equal(access_bearer_check(f->b, token, f->token.len - 1, &p, NULL), CF_E_DENIED);
    assert_int_equal(cf_buf_put_text(&f->token, "A", NULL), CF_OK);
    token = (const char *)f->token.data;
    assert_int_equal(access_bearer_check(f->b, token, f->token.len, &p, NULL), CF_E_DENIED);
}

static void a_token_over_its_size_is_not_looked_at(void **state)
{
    struct fixture *f = *state;
    static char big[ACCESS_TOKEN_MAX + 2];
    memset(big, 'a', sizeof big - 1);
    expect_refused(f, big, "size");
}

static void every_claim_that_must_be_there_is_asked_for(void **state)
{
    struct fixture *f = *state;
#define REST ",\"aud\":\"" AUD "\",\"exp\":1700003600"
    expect_claims_refused(f, "{\"iss\":\"https://evil\\u000a\",\"oid\":\"" OID "\"" REST "}",
                          "unknown issuer https://evil?");
    expect_claims_refused(f, "{\"oid\":\"" OID "\"" REST "}", "issuer");
    expect_claims_refused(f, "{\"iss\":\"" ISSUER "\",\"tid\":\"" TENANT "\"" REST "}", "oid");
    expect_claims_refused(
        f, "{\"iss\":\"" ISSUER "\",\"tid\":\"" TENANT "\",\"oid\":\"admin\"" REST "}", "oid");
    expect_claims_refused(f, "{\"iss\":\"" ISSUER "\",\"oid\":\"" OID "\"" REST "}", "tenant");
    expect_claims_refused(f,
                          "{\"iss\":\"" ISSUER
                          "\",\"tid\":\"11111111-2222-3333-4444-555555555556\","
                          "\"oid\":\"" OID "\"" REST "}",
                          "tenant");
    expect_claims_refused(f, "[]", "");
    expect_claims_refused(f, "{\"iss\":\"" ISSUER "\",\"iss\":\"" ISSUER "\"}", "");
}

static void groups_are_kept_up_to_their_limit(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p;
    EXPECT_OK(check(f,
                    maker_sign(&f->maker, 0, NULL,
                               CLAIMS_WITH("\"" AUD "\"", "1700003600",
                                           ",\"groups\":[\"CCCCCCCC-0000-4000-8000-000000000003\","
                                           "\"S-1-5-32-544\",7]"),
                               &f->token),
                    &p, &err));
    assert_int_equal(p.group_count, 1);
    assert_int_equal(p.groups[0][0], 0xcc);

    struct cf_buf claims = { 0 };
    const char *text = NULL;
    for (int n = ACCESS_GROUPS_MAX; n <= ACCESS_GROUPS_MAX + 1; n++) {
        cf_buf_clear(&claims);
        EXPECT_OK(cf_buf_put_text(&claims,
                                  "{\"iss\":\"" ISSUER "\",\"tid\":\"" TENANT "\",\"oid\":\"" OID
                                  "\"" REST ",\"groups\":[",
                                  &err));
        for (int i = 0; i < n; i++)
            EXPECT_OK(cf_buf_printf(&claims, &err, "%s\"cccccccc-0000-4000-8000-%012x\"",
                                    i ? "," : "", (unsigned)i));
        EXPECT_OK(cf_buf_put_text(&claims, "]}", &err));
        EXPECT_OK(cf_buf_text(&claims, &text, &err));
        enum cf_rc want = n <= ACCESS_GROUPS_MAX ? CF_OK : CF_E_DENIED;
        EXPECT_RC(want, check(f, maker_sign(&f->maker, 0, NULL, text, &f->token), &p, &err));
    }
    cf_buf_clear(&claims);
}

static void more_tokens_than_are_remembered_are_all_taken(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p;
    char claims[1024];
    for (int lap = 0; lap < 2; lap++) {
        for (int i = 0; i < 700; i++) {
            snprintf(claims, sizeof claims, CLAIMS_WITH("\"" AUD "\"", "1700003600", ",\"n\":%d"),
                     i);
            EXPECT_OK(check(f, maker_sign(&f->maker, 1, NULL, claims, &f->token), &p, &err));
        }
    }
}

static void *check_on(void *arg)
{
    struct fixture *f = arg;
    struct access_principal p;
    for (int i = 0; i < 3000; i++)
        assert_int_equal(
            access_bearer_check(f->b, (const char *)f->token.data, f->token.len, &p, NULL), CF_OK);
    return NULL;
}

static void keys_may_be_replaced_while_tokens_are_checked(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    pthread_t t[3];
    maker_sign(&f->maker, 1, NULL, CLAIMS, &f->token);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, check_on, f), 0);
    for (int i = 0; i < 50; i++)
        EXPECT_OK(access_bearer_keys(f->b, ISSUER, (const char *)f->jwks.data, &err));
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}

static void wrong_configurations_are_refused(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_bearer *b = NULL;
    static const char *const aud[] = { AUD };
    static const char *const slash[] = { "/" };
    const char *jwks = (const char *)f->jwks.data;
    const struct access_issuer bad[] = {
        { .issuer = NULL, .audiences = aud, .audience_count = 1, .jwks = jwks },
        { .issuer = "", .audiences = aud, .audience_count = 1, .jwks = jwks },
        { .issuer = "i", .audiences = aud, .audience_count = 0, .jwks = jwks },
        { .issuer = "i", .audiences = slash, .audience_count = 1, .jwks = jwks },
        { .issuer = "i", .tenant = "t", .audiences = aud, .audience_count = 1, .jwks = jwks },
        { .issuer = "i", .audiences = aud, .audience_count = 1, .jwks = "{" },
        { .issuer = "i", .audiences = aud, .audience_count = 1, .jwks = "{\"keys\":[]}" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_RC(CF_E_INPUT, access_bearer_new(f->clock, &bad[i], 1, &b, &err));
    const struct access_issuer good = { .issuer = "i", .audiences = aud, .audience_count = 1 };
    const struct access_issuer twice[] = { good, good };
    EXPECT_RC(CF_E_INPUT, access_bearer_new(f->clock, twice, 2, &b, &err));
    EXPECT_RC(CF_E_INPUT, access_bearer_new(f->clock, &good, 0, &b, &err));
    assert_null(b);
}

static void an_issuer_without_keys_yet_has_all_its_tokens_refused(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_bearer *b = NULL;
    struct access_principal p;
    static const char *const aud[] = { AUD };
    const struct access_issuer one = { .issuer = ISSUER, .audiences = aud, .audience_count = 1 };
    EXPECT_OK(access_bearer_new(f->clock, &one, 1, &b, &err));
    const char *token = maker_sign(&f->maker, 0, NULL, CLAIMS, &f->token);
    EXPECT_RC(CF_E_DENIED, access_bearer_check(b, token, strlen(token), &p, &err));
    EXPECT_OK(access_bearer_keys(b, ISSUER, (const char *)f->jwks.data, &err));
    EXPECT_OK(access_bearer_check(b, token, strlen(token), &p, &err));
    access_bearer_free(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_token_of_either_algorithm_becomes_a_principal),
        TEST(audiences_may_have_one_slash_behind_or_stand_in_a_list),
        TEST(time_has_five_minutes_of_tolerance),
        TEST(a_remembered_token_expires_as_a_fresh_one),
        TEST(remembering_does_not_take_a_changed_token),
        TEST(replaced_keys_forget_what_they_signed),
        TEST(a_strangers_signature_is_refused),
        TEST(the_key_says_the_algorithm_and_not_the_token),
        TEST(unsigned_and_malformed_tokens_are_refused),
        TEST(a_token_over_its_size_is_not_looked_at),
        TEST(every_claim_that_must_be_there_is_asked_for),
        TEST(groups_are_kept_up_to_their_limit),
        TEST(more_tokens_than_are_remembered_are_all_taken),
        TEST(keys_may_be_replaced_while_tokens_are_checked),
        TEST(wrong_configurations_are_refused),
        TEST(an_issuer_without_keys_yet_has_all_its_tokens_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
