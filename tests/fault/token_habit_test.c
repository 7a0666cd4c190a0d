/* Habits of modules that nobody measured here: served or refused in words, and never hung. */
#include "support/test.h"
#include "support/token_bench.h"
#include "support/token_keys.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "token_round.h"

static struct cf_err err;

static const struct hal_key_spec p521 = { .type = HAL_EC, .curve = HAL_P521 };
static const struct hal_key_spec p256 = { .type = HAL_EC, .curve = HAL_P256 };
static const struct hal_key_spec rsa2048 = { .type = HAL_RSA, .bits = 2048 };
static const struct hal_key_spec rsa4096 = { .type = HAL_RSA, .bits = 4096 };

static struct hal_token_info info(void)
{
    struct hal_token_info i;
    EXPECT_OK(hal_token_info(tok, &i, &err));
    return i;
}

static void rule(const char *text)
{
    test_token_rule(&bench, "habit", text);
}

static void expect_refusal(enum cf_rc rc, const char *word)
{
    EXPECT_RC(rc, open_token(&err));
    if (!strstr(err.text, word))
        print_message("  \"%s\" is not in: %s\n", word, err.text);
    assert_non_null(strstr(err.text, word));
}

static void rfc_5649_is_found_under_every_number_that_vendors_give_it(void **state)
{
    (void)state;
    static const char *const numbers[] = { "0x210b", "0x80000171", "0x8000216f" };
    for (size_t i = 0; i < 3; i++) {
        char text[64];
        snprintf(text, sizeof text, "* 1+ kwp %s", numbers[i]);
        rule(text);
        /* the module behind knows its own number only, so it cannot be told to allow no other */
        test_token_rule(&bench, "create", "C_CreateObject 1+ refuse 0x40000600");
        test_token_rule(&bench, "unwrap", "C_UnwrapKey 1+ refuse 0x40000600");
        EXPECT_OK(open_token(&err));
        assert_non_null(strstr(info().kwp_mechanism, numbers[i]));
        token_round();
        (void)done(NULL);
    }
}

static void function_list_is_judged_before_it_is_used(void **state)
{
    (void)state;
    rule("C_GetFunctionList 1+ null C_GetInfo");
    expect_refusal(CF_E_LIMIT, "C_GetInfo");
    rule("C_GetFunctionList 1+ null C_WrapKey");
    expect_refusal(CF_E_LIMIT, "C_WrapKey");
    rule("C_GetFunctionList 1+ version 0x114");
    expect_refusal(CF_E_LIMIT, "function list");
    rule("C_GetFunctionList 1+ version 0x214");
    EXPECT_OK(open_token(&err));
    (void)done(NULL);
    rule("C_GetFunctionList 1+ version 0x300");
    EXPECT_OK(open_token(&err));
}

static void all_that_is_missing_is_named_at_once(void **state)
{
    (void)state;
    rule("C_GetMechanismInfo 1+ hide 0x1041");
    test_token_rule(&bench, "aes", "C_GetMechanismInfo 1+ hide 0x1080");
    test_token_rule(&bench, "kwp", "C_GetMechanismInfo 1+ hide 0x210a");
    test_token_rule(&bench, "random", "C_GenerateRandom 1+ rv 0x121");
    expect_refusal(CF_E_LIMIT, "RFC 5649");
    assert_non_null(strstr(err.text, "CKM_ECDSA"));
    assert_non_null(strstr(err.text, "CKM_AES_KEY_GEN"));
    assert_non_null(strstr(err.text, "random number generator"));
}

static void module_that_is_started_or_logged_in_already_is_adopted(void **state)
{
    (void)state;
    rule("C_Initialize 1+ after 0x191");
    test_token_rule(&bench, "login", "C_Login 1+ after 0x100");
    EXPECT_OK(open_token(&err));
    token_round();
    (void)done(NULL);
}

static void tokens_that_the_uri_does_not_tell_apart_are_refused(void **state)
{
    (void)state;
    rule("C_GetSlotList 1+ twice");
    expect_refusal(CF_E_INPUT, "2 tokens fit");
    assert_int_equal(test_token_calls(&bench, "C_Login"), 0);
}

static void token_that_is_not_there_is_told_with_those_that_are(void **state)
{
    (void)state;
    struct p11_config cfg = test_token_config(&bench);
    cfg.token_uri = "pkcs11:token=elsewhere";
    EXPECT_RC(CF_E_TOKEN, p11_token_open(&cfg, &tok, &err));
    assert_non_null(strstr(err.text, "'coffer-test'"));
    cfg.token_uri = "pkcs11:token=coffer-test;library-manufacturer=Somebody%20else";
    EXPECT_RC(CF_E_TOKEN, p11_token_open(&cfg, &tok, &err));
    assert_non_null(strstr(err.text, "another library"));
    cfg.token_uri = "pkcs11:token=coffer-test;library-manufacturer=SoftHSM";
    EXPECT_OK(p11_token_open(&cfg, &tok, &err));
}

static void module_that_ends_the_process_is_told_from_a_crash(void **state)
{
    (void)state;
    rule("C_Initialize 1+ exit 7");
    expect_refusal(CF_E_TOKEN, "status 7");
    rule("C_Initialize 1+ rv 0x5");
    expect_refusal(CF_E_TOKEN, "does not start");
    rule(NULL);
    EXPECT_OK(open_token(&err));
    rule("C_GenerateRandom 1+ exit 0 once");
    uint8_t byte;
    EXPECT_OK(hal_token_random(tok, &byte, 1, &err));
    assert_int_equal(info().worker_restarts, 1);
}

static void rude_module_harms_nobody(void **state)
{
    (void)state;
    rule("C_Initialize 1+ rude");
    EXPECT_OK(open_token(&err));
    token_round();
    int pid = info().worker_pid;
    (void)done(NULL);
    assert_int_equal(kill(pid, 0), -1);
}

/* Nobody lives in it; the dead may wait for whoever adopts them. */
static unsigned alive_in_group(int group)
{
    unsigned n = 0;
    char path[300];
    DIR *d = opendir("/proc");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char state = 'Z';
        int pgrp = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *f = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (f && fscanf(f, "%*d (%*[^)]) %c %*d %d", &state, &pgrp) == 2)
            n += pgrp == group && state != 'Z';
        if (f)
            fclose(f);
    }
    closedir(d);
    return n;
}

static void expect_none_of_group(int group)
{
    for (int i = 0; i < 400 && alive_in_group(group); i++)
        usleep(10000);
    assert_int_equal(alive_in_group(group), 0);
}

/* The copy keeps the socket open: the worker's end must be seen all the same. */
static void module_that_forks_neither_hides_the_end_nor_stays_behind(void **state)
{
    (void)state;
    uint8_t byte;
    rule("C_Initialize 1 fork");
    EXPECT_OK(open_token(&err));
    int pid = info().worker_pid;
    assert_int_equal(kill(pid, SIGKILL), 0);
    EXPECT_OK(hal_token_random(tok, &byte, 1, &err));
    assert_int_not_equal(info().worker_pid, pid);
    expect_none_of_group(pid);
    pid = info().worker_pid;
    (void)done(NULL);
    expect_none_of_group(pid);
    test_token_rule(&bench, "exit", "C_GetSlotList 1+ exit 7");
    rule("C_Initialize 1 fork");
    expect_refusal(CF_E_TOKEN, "status 7");
}

static void finalize_that_hangs_is_not_waited_for(void **state)
{
    (void)state;
    EXPECT_OK(open_token(&err));
    int pid = info().worker_pid;
    rule("C_Finalize 1+ hang");
    hal_token_close(tok);
    tok = NULL;
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    test_token_rule(&bench, "kwp", "C_GetMechanismInfo 1+ hide 0x210a");
    expect_refusal(CF_E_LIMIT, "RFC 5649");
}

static void slow_login_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    struct p11_config cfg = test_token_config(&bench);
    rule("C_Login 1+ sleep 700");
    EXPECT_OK(open_token(&err));
    (void)done(NULL);
    rule("C_Login 1+ hang");
    cfg.deadline_ms = 400;
    EXPECT_RC(CF_E_TOKEN, p11_token_open(&cfg, &tok, &err));
    assert_non_null(strstr(err.text, "longer than allowed"));
    rule(NULL);
    EXPECT_OK(open_token(&err));
}

static void time_that_a_call_had_is_told_when_it_is_over(void **state)
{
    (void)state;
    struct p11_config cfg = test_token_config(&bench);
    struct test_key k;
    uint8_t byte;
    EXPECT_OK(open_token(&err));
    test_domain(tok); /* whatever time it takes */
    hal_token_close(tok);
    cfg.deadline_ms = 600;
    EXPECT_OK(p11_token_open(&cfg, &tok, &err));
    rule("C_GenerateRandom 1+ hang once");
    EXPECT_RC(CF_E_TOKEN, hal_token_random(tok, &byte, 1, &err));
    assert_non_null(strstr(err.text, " 600 ms"));
    rule("C_GenerateKeyPair 1+ hang once");
    EXPECT_RC(CF_E_TOKEN, test_key_make(tok, &p256, &k, &err));
    assert_non_null(strstr(err.text, " 2400 ms")); /* making a key may take longer */
}

static void bare_points_and_untold_exponents_are_understood(void **state)
{
    (void)state;
    struct test_key k;
    struct hal_key_name a = test_name(HAL_ROLE_AUTHORITY);
    struct cf_buf spki = { 0 }, again = { 0 };
    EXPECT_OK(open_token(&err));
    EXPECT_OK(hal_token_key_make(tok, &a, &err));
    EXPECT_OK(hal_token_key_public(tok, &a, &spki, &err));
    rule("C_GetAttributeValue 1+ unknown 0x122");
    test_token_rule(&bench, "point", "C_GetAttributeValue 1+ rawpoint");
    EXPECT_OK(hal_token_key_public(tok, &a, &again, &err));
    assert_int_equal(again.len, spki.len);
    assert_memory_equal(again.data, spki.data, spki.len);
    token_round();
    EXPECT_OK(test_key_make(tok, &rsa2048, &k, &err));
    EXPECT_OK(hal_token_user_check(tok, &k.key, &err));
    test_key_clear(&k);
    EXPECT_OK(test_key_make(tok, &p521, &k, &err));
    EXPECT_OK(hal_token_user_check(tok, &k.key, &err));
    test_key_clear(&k);
    cf_buf_clear(&spki);
    cf_buf_clear(&again);
}

/* A domain key comes in, and is found weaker than asked for. */
static void expect_no_import(const char *lie)
{
    struct hal_key_name kek = test_name(HAL_ROLE_KEK);
    struct cf_secret *value = NULL;
    bool there = true;
    EXPECT_OK(open_token(&err));
    EXPECT_OK(cf_secret_copy(test_kek, sizeof test_kek, &value, &err));
    rule(lie);
    EXPECT_RC(CF_E_LIMIT, hal_token_key_import(tok, &kek, value, &err));
    rule(NULL);
    EXPECT_OK(hal_token_key_present(tok, &kek, &there, &err));
    assert_false(there);
    cf_secret_free(value);
    (void)done(NULL);
}

static void weak_domain_key_is_destroyed_and_the_import_fails(void **state)
{
    (void)state;
    expect_no_import("C_GetAttributeValue 1+ true 0x162");
    expect_no_import("C_GetAttributeValue 1+ unknown 0x162");
    expect_no_import("C_GetAttributeValue 1+ unknown 0x103");
    expect_no_import("C_GetAttributeValue 1+ true 0x105");
    expect_no_import("C_GetAttributeValue 1+ true 0x104");
}

static void weak_key_that_stands_under_our_id_is_not_used(void **state)
{
    (void)state;
    struct hal_key_name kek = test_name(HAL_ROLE_KEK);
    struct cf_secret *value = NULL;
    struct test_key k;
    bool there = false;
    EXPECT_OK(cf_secret_copy(test_kek, sizeof test_kek, &value, &err));
    EXPECT_OK(open_token(&err));
    test_domain(tok);
    hal_token_close(tok);
    EXPECT_OK(open_token(&err));
    rule("C_GetAttributeValue 1+ true 0x162");
    EXPECT_RC(CF_E_STATE, hal_token_key_import(tok, &kek, value, &err));
    assert_non_null(strstr(err.text, "coffer-kek"));
    EXPECT_RC(CF_E_STATE, test_key_make(tok, &p256, &k, &err));
    rule(NULL);
    EXPECT_OK(hal_token_key_present(tok, &kek, &there, &err));
    assert_true(there); /* it is not ours to destroy */
    cf_secret_free(value);
}

/* Where only the uses that are on may be named, the others are what the token likes. */
static void kek_does_not_decrypt_on_the_leanest_template(void **state)
{
    (void)state;
    test_token_rule(&bench, "create", "C_CreateObject 1+ refuse 0x10c"); /* CKA_DERIVE */
    test_token_rule(&bench, "make", "C_GenerateKey 1+ refuse 0x10c");
    test_token_rule(&bench, "unwrap", "C_UnwrapKey 1+ refuse 0x10c");
    EXPECT_OK(open_token(&err));
    assert_string_equal(info().template_rung, "lean");
    token_round();
    test_token_no_rules(&bench);
    struct hal_key_name kek = test_name(HAL_ROLE_KEK);
    bool there = false;
    hal_token_close(tok);
    EXPECT_OK(open_token(&err)); /* and the next worker, that looks at it anew, takes it */
    EXPECT_OK(hal_token_key_present(tok, &kek, &there, &err));
    assert_true(there);
}

static void kinds_that_the_token_does_not_make_are_named(void **state)
{
    (void)state;
    static const char *const answers[] = { "0x62", "0x13", "0xd1", "0x140", "0x130" };
    struct test_key k;
    struct cf_buf der = { 0 };
    EXPECT_OK(open_token(&err));
    test_domain(tok);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "C_GenerateKeyPair 1+ rv %s", answers[i]);
        rule(text);
        EXPECT_RC(CF_E_LIMIT, test_key_make(tok, &rsa4096, &k, &err));
        assert_non_null(strstr(err.text, "RSA-4096"));
        EXPECT_RC(CF_E_LIMIT, test_key_make(tok, &p521, &k, &err));
        assert_non_null(strstr(err.text, "P-521"));
    }
    rule("C_UnwrapKey 1+ rv 0x130");
    test_pkcs8(&p521, &der);
    EXPECT_RC(CF_E_LIMIT,
              test_key_import(tok, &p521, crypto_bytes_of(der.data, der.len), &k, &err));
    assert_non_null(strstr(err.text, "P-521"));
    cf_buf_clear(&der);
}

static void token_that_is_lost_again_and_again_is_not_opened_as_often_as_asked(void **state)
{
    (void)state;
    struct test_key k;
    uint8_t digest[32] = { 7 };
    struct hal_op op = { .use = HAL_SIGN, .mech = HAL_ECDSA, .in = digest, .in_len = 32 };
    EXPECT_OK(open_token(&err));
    test_domain(tok);
    EXPECT_OK(test_key_make(tok, &p256, &k, &err));
    test_token_no_rules(&bench);
    test_token_rule(&bench, "lost", "C_SignInit 20+ rv 0xb3");
    test_token_rule(&bench, "mac", "C_WrapKey 20+ rv 0xb3");
    rule("C_FindObjectsInit 1+ rv 0xb3");
    unsigned failed = 0;
    for (int i = 0; i < 40; i++) {
        struct hal_result r = { 0 };
        failed += hal_token_user_use(tok, &k.key, &op, &r, &err) != CF_OK;
        hal_result_clear(&r);
    }
    assert_true(failed > 20);
    assert_true(test_token_calls(&bench, "C_Login") < 16);
    test_token_no_rules(&bench);
    enum cf_rc rc = CF_E_TOKEN;
    for (int i = 0; i < 400 && rc != CF_OK; i++) {
        struct hal_result r = { 0 };
        rc = hal_token_user_use(tok, &k.key, &op, &r, NULL);
        hal_result_clear(&r);
        if (rc != CF_OK)
            usleep(50000);
    }
    assert_int_equal(rc, CF_OK);
    test_key_clear(&k);
}

#define CROWD 64

static struct test_key crowd_keys[4];

static void *sign_in_turn(void *arg)
{
    uintptr_t failures = 0;
    const size_t first = *(const size_t *)arg;
    for (size_t i = 0; i < 12; i++) {
        const uint8_t digest[32] = { (uint8_t)i };
        const struct hal_op op = { .use = HAL_SIGN, .mech = HAL_ECDSA, .in = digest, .in_len = 32 };
        struct hal_result r = { 0 };
        failures +=
            hal_token_user_use(tok, &crowd_keys[(first + i) % 4].key, &op, &r, NULL) != CF_OK;
        hal_result_clear(&r);
    }
    return (void *)failures; /* NOLINT */
}

/* Four keys through two places, so that most uses are unwrappings and count. */
static void no_request_of_a_crowd_fails_when_workers_are_replaced(void **state)
{
    (void)state;
    pthread_t threads[CROWD];
    size_t first[CROWD];
    struct p11_config cfg = test_token_config(&bench);
    cfg.cached_keys = 2;
    cfg.recycle_after = 100;
    EXPECT_OK(p11_token_open(&cfg, &tok, &err));
    test_domain(tok);
    for (size_t i = 0; i < 4; i++)
        EXPECT_OK(test_key_make(tok, &p256, &crowd_keys[i], &err));
    for (size_t i = 0; i < CROWD; i++) {
        first[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, sign_in_turn, &first[i]), 0);
    }
    for (size_t i = 0; i < CROWD; i++) {
        void *failures = NULL;
        pthread_join(threads[i], &failures);
        assert_null(failures);
    }
    assert_true(info().worker_restarts >= 2);
    assert_int_equal(info().sessions, 8);
    for (size_t i = 0; i < 4; i++)
        test_key_clear(&crowd_keys[i]);
}

int main(int argc, char **argv)
{
    test_token_begin(&bench, argc, argv);
    test_token_use_shim(&bench);
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(rfc_5649_is_found_under_every_number_that_vendors_give_it),
        TEST(function_list_is_judged_before_it_is_used),
        TEST(all_that_is_missing_is_named_at_once),
        TEST(module_that_is_started_or_logged_in_already_is_adopted),
        TEST(tokens_that_the_uri_does_not_tell_apart_are_refused),
        TEST(token_that_is_not_there_is_told_with_those_that_are),
        TEST(module_that_ends_the_process_is_told_from_a_crash),
        TEST(rude_module_harms_nobody),
        TEST(module_that_forks_neither_hides_the_end_nor_stays_behind),
        TEST(finalize_that_hangs_is_not_waited_for),
        TEST(slow_login_is_waited_for_until_the_deadline),
        TEST(time_that_a_call_had_is_told_when_it_is_over),
        TEST(bare_points_and_untold_exponents_are_understood),
        TEST(weak_domain_key_is_destroyed_and_the_import_fails),
        TEST(weak_key_that_stands_under_our_id_is_not_used),
        TEST(kek_does_not_decrypt_on_the_leanest_template),
        TEST(kinds_that_the_token_does_not_make_are_named),
        TEST(token_that_is_lost_again_and_again_is_not_opened_as_often_as_asked),
        TEST(no_request_of_a_crowd_fails_when_workers_are_replaced),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_token_end(&bench);
    return failed;
}
