/* The built-in authority: who gets a token, what it says, and that the bearer check takes it. */
#include "token_maker.h"

#include <stdbool.h>

#include "access/authority.h"
#include "access/bearer.h"
#include "crypto/cert.h"
#include "hal_sim/hal_sim.h"
#include "json/json.h"
#include "store/store.h"
#include "support/fake_token.h"
#include "support/scratch.h"

#define NOW_S    INT64_C(1700000000)
#define BASE     "https://hsm1.coffer.test:8443"
#define TENANT   "11111111-2222-3333-4444-555555555555"
#define RESOURCE "https://coffer.test:8443"
#define TYPE     "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

struct fixture {
    char dir[64];
    struct cf_secret *key;
    struct store_options options;
    struct store *store;
    struct hal_clock *clock;
    struct hal_entropy *entropy;
    struct hal_token *token;
    struct maker maker; /* a client's own keys, for assertions */
    struct access_authority *a;
    struct access_bearer *b;
    struct access_client client;
    char secret[65];
};

static void open_authority(struct fixture *f)
{
    static const char *const audiences[] = { RESOURCE "/", "https://managedhsm.azure.net" };
    struct access_authority_config cfg = { .store = f->store,
                                           .token = f->token,
                                           .clock = f->clock,
                                           .entropy = f->entropy,
                                           .base_url = BASE,
                                           .tenant = TENANT,
                                           .audiences = audiences,
                                           .audience_count = 2 };
    struct cf_err err;
    EXPECT_OK(access_authority_open(&cfg, &f->a, &err));
    struct access_issuer issuer = { .issuer = access_authority_issuer(f->a),
                                    .tenant = TENANT,
                                    .audiences = audiences,
                                    .audience_count = 2,
                                    .jwks = access_authority_jwks(f->a) };
    EXPECT_OK(access_bearer_new(f->clock, &issuer, 1, &f->b, &err));
}

static void make_client(struct fixture *f, const char *name)
{
    struct cf_secret *s = NULL;
    struct cf_err err;
    EXPECT_OK(access_client_make(f->a, name, &f->client, &s, &err));
    assert_int_equal(cf_secret_len(s), 64);
    memcpy(f->secret, cf_secret_view(s), 64);
    f->secret[64] = '\0';
    cf_secret_free(s);
}

static int set_up(void **state)
{
    static struct fixture f;
    static const uint8_t key[32] = { 3 };
    memset(&f, 0, sizeof f);
    scratch_make(f.dir);
    assert_int_equal(cf_secret_copy(key, sizeof key, &f.key, NULL), CF_OK);
    f.options = (struct store_options){ .path = scratch_path(f.dir, "appliance.db"),
                                        .page_key = f.key,
                                        .row_key = f.key };
    assert_int_equal(store_create(&f.options, &f.store, NULL), CF_OK);
    f.clock = hal_sim_clock_new(NOW_S * 1000);
    f.entropy = hal_sim_entropy_new(11, 0);
    f.token = fake_token_new();
    maker_begin(&f.maker, 3);
    open_authority(&f);
    make_client(&f, "admin");
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    access_bearer_free(f->b);
    access_authority_close(f->a);
    maker_end(&f->maker);
    hal_token_close(f->token);
    store_close(f->store);
    cf_secret_free(f->key);
    hal_sim_clock_free(f->clock);
    hal_sim_entropy_free(f->entropy);
    scratch_remove(f->dir);
    return 0;
}

static struct access_grant_request request(struct fixture *f)
{
    return (struct access_grant_request){ .grant_type = "client_credentials",
                                          .client_id = f->client.client_id,
                                          .client_secret = f->secret,
                                          .scope = RESOURCE "/.default" };
}

static void expect_principal(struct fixture *f, const struct cf_buf *token, const char *oid)
{
    struct access_principal p;
    struct cf_err err;
    EXPECT_OK(access_bearer_check(f->b, (const char *)token->data, token->len, &p, &err));
    assert_string_equal(p.oid, oid);
    assert_string_equal(p.tenant, TENANT);
}

static void a_client_with_its_secret_gets_a_token_that_is_taken(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_grant_answer out = { .expires_in_s = 0 };
    struct access_grant_request in = request(f);
    EXPECT_OK(access_authority_grant(f->a, &in, &out, &err));
    assert_int_equal(out.expires_in_s, ACCESS_LIFETIME_S);
    assert_string_equal(out.client, "admin");
    assert_string_equal(out.oid, f->client.oid);
    assert_string_equal(out.audience, RESOURCE);
    expect_principal(f, &out.token, f->client.oid);
    cf_buf_clear(&out.token);
}

static void a_resource_may_be_asked_for_in_its_spellings(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    static const struct {
        const char *scope, *resource;
        bool good;
    } cases[] = {
        { RESOURCE "/.default", NULL, true },
        { RESOURCE "//.default", NULL, true },
        { RESOURCE, NULL, true },
        { NULL, RESOURCE, true },
        { NULL, RESOURCE "/", true },
        { "https://managedhsm.azure.net/.default", NULL, true },
        { "https://vault.azure.net/.default", NULL, false },
        { RESOURCE "/.default openid", NULL, false },
        { "/.default", NULL, false },
        { "", NULL, false },
        { NULL, "https://vault.azure.net", false },
        { RESOURCE "///.default", NULL, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct access_grant_answer out = { .expires_in_s = 0 };
        struct access_grant_request in = request(f);
        in.scope = cases[i].scope;
        in.resource = cases[i].resource;
        enum cf_rc want = cases[i].good ? CF_OK : CF_E_INPUT;
        EXPECT_RC(want, access_authority_grant(f->a, &in, &out, &err));
        if (!cases[i].good)
            assert_string_equal(err.code, "invalid_scope");
        cf_buf_clear(&out.token);
    }
}

static void expect_no_grant(struct fixture *f, const struct access_grant_request *in, enum cf_rc rc,
                            const char *code)
{
    struct access_grant_answer out = { .expires_in_s = 0 };
    struct cf_err err;
    EXPECT_RC(rc, access_authority_grant(f->a, in, &out, &err));
    assert_string_equal(err.code, code);
    assert_int_equal(out.token.len, 0);
}

static void wrong_requests_get_no_token(void **state)
{
    struct fixture *f = *state;
    struct access_grant_request in = request(f);
    in.grant_type = NULL;
    expect_no_grant(f, &in, CF_E_INPUT, "invalid_request");
    in.grant_type = "password";
    expect_no_grant(f, &in, CF_E_INPUT, "unsupported_grant_type");
    in = request(f);
    in.scope = NULL;
    expect_no_grant(f, &in, CF_E_INPUT, "invalid_request");
    in = request(f);
    in.client_id = NULL;
    expect_no_grant(f, &in, CF_E_INPUT, "invalid_request");
    in = request(f);
    in.client_secret = NULL;
    expect_no_grant(f, &in, CF_E_INPUT, "invalid_request");
    in = request(f);
    in.client_assertion = "a.b.c"; /* both */
    expect_no_grant(f, &in, CF_E_INPUT, "invalid_request");
    in.client_secret = NULL; /* its type is missing */
    expect_no_grant(f, &in, CF_E_INPUT, "invalid_request");
}

static void an_unknown_client_and_a_wrong_secret_read_the_same(void **state)
{
    struct fixture *f = *state;
    struct access_grant_answer out = { .expires_in_s = 0 };
    struct cf_err err, first;
    struct access_grant_request in = request(f);
    f->secret[0] = f->secret[0] == '0' ? '1' : '0';
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
    EXPECT_RC(CF_E_DENIED, access_authority_grant(f->a, &in, &out, &err));
    first = err;
    in.client_id = "00000000-0000-4000-8000-000000000000";
    EXPECT_RC(CF_E_DENIED, access_authority_grant(f->a, &in, &out, &err));
    assert_string_equal(err.text, first.text);
    in.client_id = "nonsense";
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
    in = request(f);
    in.client_secret = "";
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
    char longer[300];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    in.client_secret = longer;
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
}

static void a_new_secret_ends_the_old_one_and_keeps_the_ids(void **state)
{
    struct fixture *f = *state;
    struct access_client before = f->client;
    char old[65];
    memcpy(old, f->secret, sizeof old);
    make_client(f, "admin");
    assert_string_equal(f->client.oid, before.oid);
    assert_string_equal(f->client.client_id, before.client_id);
    assert_string_not_equal(f->secret, old);
    struct access_grant_request in = request(f);
    in.client_secret = old;
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
    /* What is stored is no secret. */
    assert_true(scratch_lacks(f->dir, f->secret, 64));
}

static void principals_and_key_last_over_a_restart(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_grant_answer out = { .expires_in_s = 0 };
    struct access_grant_request in = request(f);
    access_bearer_free(f->b);
    access_authority_close(f->a);
    store_close(f->store);
    f->options.path = scratch_path(f->dir, "appliance.db");
    EXPECT_OK(store_open(&f->options, &f->store, &err));
    open_authority(f);
    EXPECT_OK(access_authority_grant(f->a, &in, &out, &err));
    expect_principal(f, &out.token, f->client.oid);
    cf_buf_clear(&out.token);
}

static void ids_follow_from_the_name_alone(void **state)
{
    (void)state;
    char client[ACCESS_GUID_SIZE], oid[ACCESS_GUID_SIZE], other[ACCESS_GUID_SIZE];
    /* sha256("coffer.v1.client:admin") and sha256("coffer.v1.object:admin"), marked as version 8.
     */
    access_client_ids("admin", client, oid);
    assert_string_equal(client, "cd4322c4-eb55-8cf0-be95-c52cd090504f");
    assert_string_equal(oid, "6d22c55f-6ffe-899d-9e99-6ee1682d3521");
    access_client_ids("auditor", client, other);
    assert_string_not_equal(oid, other);
    static const char *const bad[] = { "", "a b", "a/b", "\xc3\xa9" };
    for (size_t i = 0; i < 4; i++) {
        access_client_ids(bad[i], client, other);
        assert_string_equal(client, "");
        assert_string_equal(other, "");
    }
}

static enum cf_rc count_client(void *ctx, const struct access_client *c, struct cf_err *e)
{
    (void)c;
    (void)e;
    ++*(unsigned *)ctx;
    return CF_OK;
}

static void a_deleted_principal_gets_no_more_tokens(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_grant_request in = request(f);
    unsigned n = 0;
    EXPECT_OK(access_clients(f->a, count_client, &n, &err));
    assert_int_equal(n, 1);
    EXPECT_OK(access_client_delete(f->a, "admin", &err));
    EXPECT_RC(CF_E_ABSENT, access_client_delete(f->a, "admin", &err));
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
    struct access_grant_answer out = { .expires_in_s = 0 };
    EXPECT_RC(CF_E_ABSENT, access_authority_issue(f->a, "admin", NULL, 60, &out, &err));
    EXPECT_RC(CF_E_ABSENT, access_client_key(f->a, "admin", NULL, &err));
}

static void groups_of_a_principal_stand_in_its_tokens(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p;
    struct access_grant_answer out = { .expires_in_s = 0 };
    static const char *const groups[] = { "CCCCCCCC-0000-4000-8000-000000000003" };
    static const char *const bad[] = { "staff" };
    EXPECT_OK(access_client_groups(f->a, "admin", groups, 1, &err));
    EXPECT_RC(CF_E_INPUT, access_client_groups(f->a, "admin", bad, 1, &err));
    EXPECT_OK(access_authority_issue(f->a, "admin", NULL, 60, &out, &err));
    EXPECT_OK(access_bearer_check(f->b, (const char *)out.token.data, out.token.len, &p, &err));
    assert_int_equal(p.group_count, 1);
    assert_int_equal(p.groups[0][15], 3);
    cf_buf_clear(&out.token);
}

static void the_owner_may_ask_for_any_audience_and_time(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p;
    static const struct {
        const char *audience;
        int64_t lifetime_s;
        enum cf_rc check;
    } cases[] = {
        { NULL, 60, CF_OK },         { RESOURCE, ACCESS_LIFETIME_MAX_S, CF_OK },
        { NULL, -299, CF_OK }, /* within the tolerance */
        { NULL, -300, CF_E_DENIED }, { "https://vault.azure.net", 60, CF_E_DENIED },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct access_grant_answer out = { .expires_in_s = 0 };
        EXPECT_OK(access_authority_issue(f->a, "admin", cases[i].audience, cases[i].lifetime_s,
                                         &out, &err));
        EXPECT_RC(cases[i].check,
                  access_bearer_check(f->b, (const char *)out.token.data, out.token.len, &p, &err));
        cf_buf_clear(&out.token);
    }
    struct access_grant_answer out = { .expires_in_s = 0 };
    EXPECT_RC(CF_E_INPUT, access_authority_issue(f->a, "admin", NULL, 0, &out, &err));
    EXPECT_RC(CF_E_INPUT,
              access_authority_issue(f->a, "admin", NULL, ACCESS_LIFETIME_MAX_S + 1, &out, &err));
}

/* --- assertions ------------------------------------------------------------------------------ */

static const char *assertion(struct fixture *f, int ec, const char *aud, int64_t exp_s,
                             struct cf_buf *out)
{
    char claims[1024];
    snprintf(claims, sizeof claims,
             "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"%s\",\"exp\":%lld,\"jti\":\"1\"}",
             f->client.client_id, f->client.client_id, aud, (long long)exp_s);
    return maker_sign(&f->maker, ec, NULL, claims, out);
}

#define ENDPOINT BASE "/" TENANT "/oauth2/v2.0/token"

static void a_registered_key_answers_for_its_client(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct cf_buf jwk = { 0 }, token = { 0 };
    for (int ec = 0; ec < 2; ec++) {
        EXPECT_OK(access_client_key(f->a, "admin", maker_jwk(&f->maker, ec, &jwk), &err));
        for (int named = 0; named < 2; named++) {
            struct access_grant_answer out = { .expires_in_s = 0 };
            struct access_grant_request in = { .grant_type = "client_credentials",
                                               .client_id = named ? f->client.client_id : NULL,
                                               .client_assertion_type = TYPE,
                                               .client_assertion =
                                                   assertion(f, ec, ENDPOINT, NOW_S + 600, &token),
                                               .scope = RESOURCE "/.default" };
            EXPECT_OK(access_authority_grant(f->a, &in, &out, &err));
            expect_principal(f, &out.token, f->client.oid);
            cf_buf_clear(&out.token);
        }
    }
    cf_buf_clear(&jwk);
    cf_buf_clear(&token);
}

static void a_certificate_may_be_registered_for_its_key(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct crypto_cert_pair pair = { .key_pem = { 0 } };
    const struct crypto_cert_order order = {
        .kind = CRYPTO_CERT_CA, .common_name = "client", .now = NOW_S, .days = 1
    };
    const char *pem = NULL;
    EXPECT_OK(crypto_cert_make(&order, NULL, &pair, &err));
    EXPECT_OK(cf_buf_text(&pair.cert_pem, &pem, &err));
    EXPECT_OK(access_client_key(f->a, "admin", pem, &err));
    crypto_cert_pair_clear(&pair);
}

static void wrong_assertions_get_no_token(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct cf_buf jwk = { 0 }, token = { 0 };
    struct access_grant_request in = { .grant_type = "client_credentials",
                                       .client_id = f->client.client_id,
                                       .client_assertion_type = TYPE,
                                       .scope = RESOURCE "/.default" };
    in.client_assertion = assertion(f, 0, ENDPOINT, NOW_S + 600, &token);
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client"); /* no key is registered */
    EXPECT_OK(access_client_key(f->a, "admin", maker_jwk(&f->maker, 1, &jwk), &err));
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client"); /* another key */
    EXPECT_OK(access_client_key(f->a, "admin", maker_jwk(&f->maker, 0, &jwk), &err));
    in.client_assertion = assertion(f, 0, "https://login.example/token", NOW_S + 600, &token);
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
    in.client_assertion = assertion(f, 0, ENDPOINT, NOW_S - 300, &token);
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
    in.client_assertion = assertion(f, 0, ENDPOINT, NOW_S + 3901, &token);
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
    in.client_assertion = maker_sign(
        &f->maker, 0, NULL,
        "{\"iss\":\"x\",\"sub\":\"x\",\"aud\":\"" ENDPOINT "\",\"exp\":1700000600}", &token);
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client"); /* of somebody else */
    in.client_assertion = "not.a.token";
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
    /* A token that the authority itself gave is no assertion. */
    struct access_grant_answer out = { .expires_in_s = 0 };
    EXPECT_OK(access_authority_issue(f->a, "admin", ENDPOINT, 600, &out, &err));
    assert_int_equal(cf_buf_put(&out.token, "", 1, NULL), CF_OK);
    in.client_assertion = (const char *)out.token.data;
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client");
    cf_buf_clear(&out.token);
    EXPECT_OK(access_client_key(f->a, "admin", NULL, &err));
    in.client_assertion = assertion(f, 0, ENDPOINT, NOW_S + 600, &token);
    expect_no_grant(f, &in, CF_E_DENIED, "invalid_client"); /* removed */
    EXPECT_RC(CF_E_INPUT, access_client_key(f->a, "admin", "{\"kty\":\"oct\",\"k\":\"AA\"}", &err));
    EXPECT_RC(CF_E_INPUT, access_client_key(f->a, "admin", "-----BEGIN CERTIFICATE-----", &err));
    cf_buf_clear(&jwk);
    cf_buf_clear(&token);
}

/* --- what is published ----------------------------------------------------------------------- */

static void discovery_names_every_endpoint_under_each_path(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    static const struct {
        const char *path, *issuer, *token, *keys;
    } cases[] = {
        { TENANT "/v2.0", BASE "/" TENANT "/v2.0", BASE "/" TENANT "/oauth2/v2.0/token",
          BASE "/" TENANT "/discovery/v2.0/keys" },
        { TENANT, BASE "/" TENANT "/", BASE "/" TENANT "/oauth2/token",
          BASE "/" TENANT "/discovery/keys" },
        { "adfs", BASE "/adfs", BASE "/adfs/oauth2/token", BASE "/adfs/discovery/keys" },
    };
    for (size_t i = 0; i < 3; i++) {
        struct cf_buf doc = { 0 };
        struct json *root = NULL;
        const char *text = NULL;
        EXPECT_OK(access_authority_discovery(f->a, cases[i].path, &doc, &err));
        EXPECT_OK(json_parse(doc.data, doc.len, NULL, &root, &err));
        EXPECT_OK(json_get_text(root, "issuer", &text, &err));
        assert_string_equal(text, cases[i].issuer);
        EXPECT_OK(json_get_text(root, "token_endpoint", &text, &err));
        assert_string_equal(text, cases[i].token);
        EXPECT_OK(json_get_text(root, "jwks_uri", &text, &err));
        assert_string_equal(text, cases[i].keys);
        EXPECT_OK(json_get_text(root, "authorization_endpoint", &text, &err));
        json_free(root);
        cf_buf_clear(&doc);
    }
    static const char *const bad[] = { "", "common", TENANT "/", TENANT "x", "ADFS/", "adfs/v2.0" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cf_buf doc = { 0 };
        EXPECT_RC(CF_E_ABSENT, access_authority_discovery(f->a, bad[i], &doc, &err));
    }
    assert_string_equal(access_authority_issuer(f->a), BASE "/" TENANT "/v2.0");
    assert_non_null(strstr(access_authority_jwks(f->a), "\"alg\":\"RS256\""));
    assert_null(strstr(access_authority_jwks(f->a), "\"d\""));
}

static void a_token_that_fails_gives_no_half_answer(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_grant_answer out = { .expires_in_s = 0 };
    struct access_grant_request in = request(f);
    fake_token_fail(f->token, CF_E_TOKEN, 1);
    EXPECT_RC(CF_E_TOKEN, access_authority_grant(f->a, &in, &out, &err));
    assert_int_equal(out.token.len, 0);
    EXPECT_OK(access_authority_grant(f->a, &in, &out, &err));
    cf_buf_clear(&out.token);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_with_its_secret_gets_a_token_that_is_taken),
        TEST(a_resource_may_be_asked_for_in_its_spellings),
        TEST(wrong_requests_get_no_token),
        TEST(an_unknown_client_and_a_wrong_secret_read_the_same),
        TEST(a_new_secret_ends_the_old_one_and_keeps_the_ids),
        TEST(principals_and_key_last_over_a_restart),
        TEST(ids_follow_from_the_name_alone),
        TEST(a_deleted_principal_gets_no_more_tokens),
        TEST(groups_of_a_principal_stand_in_its_tokens),
        TEST(the_owner_may_ask_for_any_audience_and_time),
        TEST(a_registered_key_answers_for_its_client),
        TEST(a_certificate_may_be_registered_for_its_key),
        TEST(wrong_assertions_get_no_token),
        TEST(discovery_names_every_endpoint_under_each_path),
        TEST(a_token_that_fails_gives_no_half_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
