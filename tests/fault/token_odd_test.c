/* Modules that do things their own way: served where there is a way, else refused by name. */
#include <p11-kit/pkcs11.h>

#include "support/test.h"
#include "support/token_bench.h"
#include "support/token_keys.h"

#include <dlfcn.h>
#include <unistd.h>

#include "token_round.h"

static struct cf_err err;

static const struct hal_key_spec aes256 = { .type = HAL_OCT, .bits = 256 };

static enum cf_rc use(const struct test_key *k, const struct hal_op *op, struct hal_result *r)
{
    *r = (struct hal_result){ 0 };
    return hal_token_user_use(tok, &k->key, op, r, &err);
}

static void expect_rung(const char *name)
{
    struct hal_token_info i;
    EXPECT_OK(hal_token_info(tok, &i, &err));
    assert_string_equal(i.template_rung, name);
}

static void token_without_what_is_needed_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *hide;
        const char *name;
    } cases[] = {
        { "0x210a", "RFC 5649" },
        { "0x1041", "CKM_ECDSA" },
        { "0x251", "CKM_SHA256_HMAC" },
        { "0x1081", "CKM_AES_ECB" },
        { "0x1", "CKM_RSA_PKCS" },
        { "0x3", "RSA-OAEP with SHA-256" },
        { "0x0", "CKM_RSA_PKCS_KEY_PAIR_GEN" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char rule[64];
        snprintf(rule, sizeof rule, "C_GetMechanismInfo 1+ hide %s", cases[i].hide);
        test_token_rule(&bench, "hide", rule);
        EXPECT_RC(CF_E_LIMIT, open_token(&err));
        assert_non_null(strstr(err.text, cases[i].name));
    }
}

static void optional_mechanism_is_missed_when_asked_for(void **state)
{
    (void)state;
    struct test_key k;
    struct hal_result r;
    struct hal_op gcm = {
        .use = HAL_ENCRYPT, .mech = HAL_AES_GCM, .in = (const uint8_t *)"x", .in_len = 1
    };
    struct hal_op kw = {
        .use = HAL_WRAP, .mech = HAL_AES_KW, .in = (const uint8_t *)"0123456789abcdef", .in_len = 16
    };
    test_token_rule(&bench, "gcm", "C_GetMechanismInfo 1+ hide 0x1087");
    test_token_rule(&bench, "kw", "C_GetMechanismInfo 1+ hide 0x2109");
    EXPECT_OK(open_token(&err));
    test_domain(tok);
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    EXPECT_RC(CF_E_LIMIT, use(&k, &gcm, &r));
    assert_non_null(strstr(err.text, "CKM_AES_GCM"));
    EXPECT_RC(CF_E_LIMIT, use(&k, &kw, &r));
    test_key_clear(&k);
}

static void kwp_that_is_not_rfc_5649_is_refused(void **state)
{
    (void)state;
    /* A mechanism that is listed, answers, and gives another length. */
    test_token_rule(&bench, "wrap", "C_WrapKey 1+ rv 0x5");
    EXPECT_RC(CF_E_LIMIT, open_token(&err));
    assert_non_null(strstr(err.text, "RFC 5649"));
}

static void token_that_takes_no_known_keys_gets_them_by_rsa(void **state)
{
    (void)state;
    test_token_rule(&bench, "create", "C_CreateObject 1+ rv 0x1b");
    EXPECT_OK(open_token(&err));
    token_round();
}

static void token_that_wants_value_len_gets_it(void **state)
{
    (void)state;
    test_token_rule(&bench, "len", "C_UnwrapKey 1+ wantlen");
    EXPECT_OK(open_token(&err));
    token_round();
}

static void token_that_wants_value_len_and_takes_no_known_keys_is_served(void **state)
{
    (void)state;
    test_token_rule(&bench, "len", "C_UnwrapKey 1+ wantlen");
    test_token_rule(&bench, "create", "C_CreateObject 1+ rv 0x1b");
    EXPECT_OK(open_token(&err));
    token_round();
}

static void attributes_that_the_token_does_not_know_are_left_out(void **state)
{
    (void)state;
    test_token_rule(&bench, "create", "C_CreateObject 1+ refuse 0x171");
    test_token_rule(&bench, "make", "C_GenerateKey 1+ refuse 0x171");
    test_token_rule(&bench, "unwrap", "C_UnwrapKey 1+ refuse 0x171");
    EXPECT_OK(open_token(&err));
    expect_rung("plain");
    token_round();
}

static void usage_bits_that_the_token_does_not_know_are_left_out(void **state)
{
    (void)state;
    test_token_rule(&bench, "create", "C_CreateObject 1+ refuse 0x10c"); /* CKA_DERIVE */
    test_token_rule(&bench, "make", "C_GenerateKey 1+ refuse 0x10c");
    test_token_rule(&bench, "unwrap", "C_UnwrapKey 1+ refuse 0x10c");
    EXPECT_OK(open_token(&err));
    expect_rung("lean");
    token_round();
}

static void flags_that_the_token_forgets_are_set_afterwards(void **state)
{
    (void)state;
    test_token_rule(&bench, "strip", "C_UnwrapKey 1+ strip");
    test_token_rule(&bench, "unwrap", "C_UnwrapKey 1+ refuse 0x171");
    EXPECT_OK(open_token(&err));
    test_domain(tok);
    struct test_key k;
    struct hal_result r;
    struct hal_op gcm = {
        .use = HAL_ENCRYPT, .mech = HAL_AES_GCM, .in = (const uint8_t *)"x", .in_len = 1
    };
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    unsigned before = test_token_calls(&bench, "C_SetAttributeValue");
    EXPECT_OK(use(&k, &gcm, &r));
    assert_true(test_token_calls(&bench, "C_SetAttributeValue") > before);
    hal_result_clear(&r);
    test_key_clear(&k);
}

static void key_that_stays_readable_is_not_used(void **state)
{
    (void)state;
    struct test_key k;
    struct hal_result r;
    struct hal_op gcm = {
        .use = HAL_ENCRYPT, .mech = HAL_AES_GCM, .in = (const uint8_t *)"x", .in_len = 1
    };
    EXPECT_OK(open_token(&err));
    test_domain(tok);
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    test_token_rule(&bench, "strip", "C_UnwrapKey 1+ strip");
    test_token_rule(&bench, "set", "C_SetAttributeValue 1+ rv 0x10");
    EXPECT_RC(CF_E_LIMIT, use(&k, &gcm, &r));
    assert_non_null(strstr(err.text, "CKA_SENSITIVE"));
    EXPECT_RC(CF_E_LIMIT, hal_token_user_check(tok, &k.key, &err));
    test_token_no_rules(&bench);
    EXPECT_OK(use(&k, &gcm, &r));
    hal_result_clear(&r);
    test_key_clear(&k);
}

static enum cf_rc import_kek(void)
{
    struct hal_key_name kek = test_name(HAL_ROLE_KEK);
    struct cf_secret *s = NULL;
    EXPECT_OK(cf_secret_copy(test_kek, HAL_SECRET_SIZE, &s, &err));
    enum cf_rc rc = hal_token_key_import(tok, &kek, s, &err);
    cf_secret_free(s);
    return rc;
}

static void key_that_got_more_uses_than_asked_is_not_kept(void **state)
{
    (void)state;
    struct hal_key_name kek = test_name(HAL_ROLE_KEK);
    bool there = true;
    EXPECT_OK(open_token(&err));
    test_token_rule(&bench, "decrypt", "C_CreateObject 1+ loosen 0x105"); /* CKA_DECRYPT */
    memset(&err, 0, sizeof err);
    assert_int_equal(import_kek(), CF_E_LIMIT);
    EXPECT_OK(hal_token_key_present(tok, &kek, &there, &err));
    assert_false(there);
    test_token_rule(&bench, "decrypt", "C_CreateObject 1+ loosen 0x162"); /* CKA_EXTRACTABLE */
    memset(&err, 0, sizeof err);
    assert_int_equal(import_kek(), CF_E_LIMIT);
    test_token_no_rules(&bench);
    memset(&err, 0, sizeof err);
    assert_int_equal(import_kek(), CF_OK);
}

/* Somebody with the PIN puts a key under our id: right value, but readable. */
static void plant(enum hal_role role, const uint8_t *value, CK_BBOOL sensitive)
{
    struct hal_key_name k = test_name(role);
    uint8_t in[24], id[32];
    CK_FUNCTION_LIST *f = NULL;
    CK_C_GetFunctionList get = NULL;
    CK_SLOT_ID slots[8];
    CK_ULONG n = 8;
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE h;
    CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    uint8_t copy[HAL_SECRET_SIZE], pin[] = TEST_PIN;
    memcpy(copy, value, sizeof copy);
    cf_le32(in, (uint32_t)role);
    cf_le32(in + 4, k.generation);
    memcpy(in + 8, k.domain_id, sizeof k.domain_id);
    EXPECT_OK(crypto_digest(HAL_SHA256, in, sizeof in, id, &err));
    CK_ATTRIBUTE t[] = { { CKA_CLASS, &cls, sizeof cls },
                         { CKA_KEY_TYPE, &type, sizeof type },
                         { CKA_TOKEN, &yes, 1 },
                         { CKA_PRIVATE, &yes, 1 },
                         { CKA_SENSITIVE, &sensitive, 1 },
                         { CKA_EXTRACTABLE, &no, 1 },
                         { CKA_SIGN, &yes, 1 },
                         { CKA_ENCRYPT, &no, 1 },
                         { CKA_DECRYPT, &no, 1 },
                         { CKA_WRAP, &no, 1 },
                         { CKA_UNWRAP, &no, 1 },
                         { CKA_ID, id, 16 },
                         { CKA_VALUE, copy, sizeof copy } };
    void *dl = dlopen(TEST_SOFTHSM, RTLD_NOW);
    void *sym = dl ? dlsym(dl, "C_GetFunctionList") : NULL;
    memcpy(&get, &sym, sizeof get);
    assert_non_null(get);
    assert_int_equal(get(&f), CKR_OK);
    assert_int_equal(f->C_Initialize(NULL), CKR_OK);
    assert_int_equal(f->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
    assert_int_equal(
        f->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s), CKR_OK);
    assert_int_equal(f->C_Login(s, CKU_USER, pin, 4), CKR_OK);
    assert_int_equal(f->C_CreateObject(s, t, sizeof t / sizeof t[0], &h), CKR_OK);
    assert_int_equal(f->C_Finalize(NULL), CKR_OK);
}

static void planted_key_is_used_only_if_it_is_as_we_make_it(void **state)
{
    (void)state;
    struct hal_key_name mk = test_name(HAL_ROLE_MK);
    struct cf_secret *s = NULL;
    uint8_t mac[HAL_MAC_SIZE];
    EXPECT_OK(cf_secret_copy(test_mk, HAL_SECRET_SIZE, &s, &err));
    plant(HAL_ROLE_MK, test_mk, CK_FALSE);
    EXPECT_OK(open_token(&err));
    EXPECT_RC(CF_E_STATE, hal_token_mac(tok, &mk, "m", 1, mac, &err));
    EXPECT_RC(CF_E_STATE, hal_token_key_import(tok, &mk, s, &err));
    EXPECT_OK(hal_token_key_destroy(tok, &mk, &err));
    hal_token_close(tok);
    plant(HAL_ROLE_MK, test_mk, CK_TRUE);
    EXPECT_OK(open_token(&err));
    EXPECT_OK(hal_token_mac(tok, &mk, "m", 1, mac, &err));
    EXPECT_OK(hal_token_key_import(tok, &mk, s, &err));
    cf_secret_free(s);
}

static void two_sessions_are_enough_and_one_is_not(void **state)
{
    (void)state;
    struct hal_token_info i;
    struct test_key k;
    struct hal_result r;
    uint8_t zeros[16] = { 0 };
    struct hal_op bad = { .use = HAL_DECRYPT,
                          .mech = HAL_AES_GCM,
                          .in = zeros,
                          .in_len = 16,
                          .iv = zeros,
                          .iv_len = 12,
                          .tag = zeros,
                          .tag_len = 16 };
    test_token_rule(&bench, "max", "C_GetTokenInfo 1+ maxsessions 2");
    test_token_rule(&bench, "open", "C_OpenSession 1+ maxsessions 2");
    EXPECT_OK(open_token(&err));
    EXPECT_OK(hal_token_info(tok, &i, &err));
    assert_int_equal(i.sessions, 1);
    token_round();
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    for (int n = 0; n < 5; n++)
        EXPECT_RC(CF_E_AUTH, use(&k, &bad, &r)); /* each costs its session */
    test_key_clear(&k);
    (void)done(NULL);

    test_token_rule(&bench, "open", "C_OpenSession 1+ maxsessions 1");
    EXPECT_RC(CF_E_LIMIT, open_token(&err));
    assert_non_null(strstr(err.text, "two are needed"));
}

static void session_limit_that_was_not_announced_is_met(void **state)
{
    (void)state;
    struct hal_token_info i;
    test_token_rule(&bench, "open", "C_OpenSession 1+ maxsessions 4");
    EXPECT_OK(open_token(&err));
    EXPECT_OK(hal_token_info(tok, &i, &err));
    assert_int_equal(i.sessions, 3);
    token_round();
}

static void token_that_makes_the_gcm_iv_itself_is_served(void **state)
{
    (void)state;
    struct test_key k;
    struct hal_result r;
    static uint8_t big[20000];
    struct hal_op gcm = { .use = HAL_ENCRYPT, .mech = HAL_AES_GCM, .in = big, .in_len = 100 };
    test_token_rule(&bench, "name", "C_GetTokenInfo 1+ manufacturer Cavium");
    test_token_rule(&bench, "iv", "C_EncryptInit 1+ writeiv");
    EXPECT_OK(open_token(&err));
    token_round();
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    EXPECT_OK(use(&k, &gcm, &r));
    assert_false(cf_all_bytes(r.iv, 12, 0));
    hal_result_clear(&r);
    gcm.in_len = sizeof big;
    EXPECT_RC(CF_E_LIMIT, use(&k, &gcm, &r));
    test_token_rule(&bench, "iv", NULL); /* and if it made none, nothing is given out */
    gcm.in_len = 100;
    EXPECT_RC(CF_E_TOKEN, use(&k, &gcm, &r));
    test_key_clear(&k);
}

static void bad_uris_and_absent_tokens_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        enum cf_rc rc;
    } cases[] = {
        { "pkcs11:token=no-such-token", CF_E_TOKEN },
        { "pkcs11:token=coffer-test;token=coffer-test", CF_E_INPUT },
        { "pkcs11:token=coffer-test?pin-value=1234", CF_E_INPUT },
        { "pkcs11:token=coffer-test?pin-source=file:/x", CF_E_INPUT },
        { "pkcs11:token=coffer-test;object=key", CF_E_INPUT },
        { "pkcs11:token=coffer-test;colour=red", CF_E_INPUT },
        { "pkcs11:token=coffer-test?module-path=/x", CF_E_INPUT },
        { "pkcs11:token=%zz", CF_E_INPUT },
        { "http://token", CF_E_INPUT },
        { "", CF_E_INPUT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct p11_config cfg = test_token_config(&bench);
        cfg.token_uri = cases[i].uri;
        print_message("  %s\n", cases[i].uri);
        EXPECT_RC(cases[i].rc, p11_token_open(&cfg, &tok, &err));
        assert_null(tok);
    }
    struct p11_config cfg = test_token_config(&bench);
    cfg.module = "/nonexistent/module.so";
    EXPECT_RC(CF_E_TOKEN, p11_token_open(&cfg, &tok, &err));
    cfg.module = "module.so";
    EXPECT_RC(CF_E_INPUT, p11_token_open(&cfg, &tok, &err));
}

int main(int argc, char **argv)
{
    test_token_begin(&bench, argc, argv);
    test_token_use_shim(&bench);
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(token_without_what_is_needed_is_refused_by_name),
        TEST(optional_mechanism_is_missed_when_asked_for),
        TEST(kwp_that_is_not_rfc_5649_is_refused),
        TEST(token_that_takes_no_known_keys_gets_them_by_rsa),
        TEST(token_that_wants_value_len_gets_it),
        TEST(token_that_wants_value_len_and_takes_no_known_keys_is_served),
        TEST(attributes_that_the_token_does_not_know_are_left_out),
        TEST(usage_bits_that_the_token_does_not_know_are_left_out),
        TEST(flags_that_the_token_forgets_are_set_afterwards),
        TEST(key_that_stays_readable_is_not_used),
        TEST(key_that_got_more_uses_than_asked_is_not_kept),
        TEST(planted_key_is_used_only_if_it_is_as_we_make_it),
        TEST(two_sessions_are_enough_and_one_is_not),
        TEST(session_limit_that_was_not_announced_is_met),
        TEST(token_that_makes_the_gcm_iv_itself_is_served),
        TEST(bad_uris_and_absent_tokens_are_told_apart),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_token_end(&bench);
    return failed;
}
