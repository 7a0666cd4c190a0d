/* Sessions, tokens and workers get lost; calls survive it or say so, and the next ones work. */
#include "support/test.h"
#include "support/token_bench.h"
#include "support/token_keys.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static struct test_token bench;
static struct hal_token *tok;
static struct cf_err err;
static struct test_key ec, aes;

static const struct hal_key_spec p256 = { .type = HAL_EC, .curve = HAL_P256 };
static const struct hal_key_spec aes256 = { .type = HAL_OCT, .bits = 256 };

static enum cf_rc sign(void)
{
    uint8_t digest[32] = { 7 };
    struct hal_result r = { 0 };
    struct hal_op op = { .use = HAL_SIGN, .mech = HAL_ECDSA, .in = digest, .in_len = 32 };
    enum cf_rc rc = hal_token_user_use(tok, &ec.key, &op, &r, &err);
    if (rc == CF_OK)
        rc = crypto_verify(CRYPTO_ES256, crypto_bytes_of(ec.w.spki.data, ec.w.spki.len),
                           crypto_bytes_of(digest, 32), crypto_bytes_of(r.out.data, r.out.len),
                           &err);
    hal_result_clear(&r);
    return rc;
}

static struct hal_token_info info(void)
{
    struct hal_token_info i;
    EXPECT_OK(hal_token_info(tok, &i, &err));
    return i;
}

static int open_token(void **state)
{
    (void)state;
    struct p11_config cfg = test_token_config(&bench);
    cfg.deadline_ms = 3000;
    test_token_no_rules(&bench);
    EXPECT_OK(p11_token_open(&cfg, &tok, &err));
    test_domain(tok);
    EXPECT_OK(test_key_make(tok, &p256, &ec, &err));
    EXPECT_OK(test_key_make(tok, &aes256, &aes, &err));
    EXPECT_OK(sign());
    return 0;
}

static int close_token(void **state)
{
    (void)state;
    test_token_no_rules(&bench);
    hal_token_close(tok);
    tok = NULL;
    test_key_clear(&ec);
    test_key_clear(&aes);
    return 0;
}

static void each_kind_of_loss_is_repaired_and_the_call_repeated(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "C_Sign 1+ rv 0xb3 once",      /* SESSION_HANDLE_INVALID */
        "C_Sign 1+ rv 0xb0 once",      /* SESSION_CLOSED */
        "C_SignInit 1+ rv 0x101 once", /* USER_NOT_LOGGED_IN */
        "C_SignInit 1+ rv 0x60 once",  /* KEY_HANDLE_INVALID */
        "C_Sign 1+ rv 0x32 once",      /* DEVICE_REMOVED */
        "C_Sign 1+ rv 0xe0 once",      /* TOKEN_NOT_PRESENT */
        "C_SignInit 1+ rv 0x190 once", /* CRYPTOKI_NOT_INITIALIZED */
        "C_SignInit 1+ rv 0x90 once",  /* OPERATION_ACTIVE */
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        uint32_t before = info().worker_restarts;
        test_token_rule(&bench, "loss", rules[i]);
        EXPECT_OK(sign());
        assert_int_equal(info().worker_restarts, before + 1);
    }
}

static void loss_that_lasts_fails_the_call_and_heals_later(void **state)
{
    (void)state;
    test_token_rule(&bench, "gone", "* 1+ rv 0xe0");
    for (int i = 0; i < 3; i++)
        EXPECT_RC(CF_E_TOKEN, sign());
    test_token_no_rules(&bench);
    enum cf_rc rc = CF_E_TOKEN;
    for (int i = 0; i < 200 && rc != CF_OK; i++) {
        memset(&err, 0, sizeof err);
        rc = sign();
        if (rc != CF_OK)
            usleep(50000);
    }
    assert_int_equal(rc, CF_OK);
}

static void hung_call_costs_its_worker_and_no_more(void **state)
{
    (void)state;
    int pid = info().worker_pid;
    test_token_rule(&bench, "hang", "C_Sign 1+ hang once");
    EXPECT_RC(CF_E_TOKEN, sign());
    assert_non_null(strstr(err.text, "did not answer"));
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH); /* killed and reaped */
    EXPECT_OK(sign());
    assert_int_not_equal(info().worker_pid, pid);
}

static void crash_is_survived_by_the_call_itself(void **state)
{
    (void)state;
    test_token_rule(&bench, "crash", "C_Sign 1+ crash once");
    EXPECT_OK(sign());
    assert_int_equal(info().worker_restarts, 1);
}

static void call_that_always_crashes_fails_and_others_work(void **state)
{
    (void)state;
    uint8_t byte;
    test_token_rule(&bench, "crash", "C_Sign 1+ crash");
    EXPECT_RC(CF_E_TOKEN, sign());
    assert_non_null(strstr(err.text, "signal 11"));
    test_token_rule(&bench, "crash", NULL);
    EXPECT_OK(hal_token_random(tok, &byte, 1, &err));
    EXPECT_OK(sign());
}

static void killed_worker_is_replaced_at_the_next_call(void **state)
{
    (void)state;
    int pid = info().worker_pid;
    assert_int_equal(kill(pid, SIGKILL), 0);
    EXPECT_OK(sign());
    assert_int_not_equal(info().worker_pid, pid);
}

static void device_error_of_a_live_token_is_the_requests_fault(void **state)
{
    (void)state;
    static const uint8_t iv[12], tag[16];
    struct hal_result r = { 0 };
    struct hal_op op = { .use = HAL_DECRYPT,
                         .mech = HAL_AES_GCM,
                         .in = tag,
                         .in_len = 16,
                         .iv = iv,
                         .iv_len = 12,
                         .tag = tag,
                         .tag_len = 16 };
    test_token_rule(&bench, "device", "C_Decrypt 1+ rv 0x30 once");
    EXPECT_RC(CF_E_AUTH, hal_token_user_use(tok, &aes.key, &op, &r, &err));
    assert_int_equal(err.native, 0x30);
    test_token_rule(&bench, "device", "C_Sign 1+ rv 0x5 once");
    EXPECT_RC(CF_E_TOKEN, sign()); /* nothing of the caller's can be wrong with a digest */
    assert_int_equal(info().worker_restarts, 0);
    EXPECT_OK(sign());
}

static void device_error_of_a_dead_token_starts_over(void **state)
{
    (void)state;
    static const char *const proofs[] = { "C_GenerateRandom 1+ rv 0x30 once",
                                          "C_GetTokenInfo 1+ rv 0x5 once",
                                          "C_UnwrapKey 1+ rv 0x30 once" };
    for (size_t i = 0; i < 3; i++) {
        test_token_rule(&bench, "device", "C_Sign 1+ rv 0x30 once");
        test_token_rule(&bench, "dead", proofs[i]);
        EXPECT_OK(sign());
        assert_int_equal(info().worker_restarts, i + 1);
    }
}

static void key_destroyed_by_another_process_is_absent(void **state)
{
    (void)state;
    struct hal_key_name k = test_name(HAL_ROLE_STORE);
    struct p11_config cfg = test_token_config(&bench);
    struct hal_token *other = NULL;
    uint8_t mac[HAL_MAC_SIZE];
    char counter[160];
    snprintf(counter, sizeof counter, "%s-other", bench.counter);
    cfg.pin_counter = counter;
    EXPECT_OK(hal_token_key_make(tok, &k, &err));
    EXPECT_OK(hal_token_mac(tok, &k, "m", 1, mac, &err));
    EXPECT_OK(p11_token_open(&cfg, &other, &err));
    EXPECT_OK(hal_token_key_destroy(other, &k, &err));
    EXPECT_RC(CF_E_ABSENT, hal_token_mac(tok, &k, "m", 1, mac, &err));
    EXPECT_OK(hal_token_key_make(tok, &k, &err));
    EXPECT_OK(hal_token_mac(other, &k, "m", 1, mac, &err));
    hal_token_close(other);
}

#define THREADS 8

static void *sign_many(void *arg)
{
    uintptr_t failures = 0;
    (void)arg;
    for (int i = 0; i < 60; i++) {
        uint8_t digest[32] = { (uint8_t)i };
        struct hal_result r = { 0 };
        struct hal_op op = { .use = HAL_SIGN, .mech = HAL_ECDSA, .in = digest, .in_len = 32 };
        failures += hal_token_user_use(tok, &ec.key, &op, &r, NULL) != CF_OK;
        hal_result_clear(&r);
    }
    return (void *)failures; /* NOLINT */
}

static void many_threads_survive_one_crash(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    test_token_rule(&bench, "crash", "C_Sign 50+ crash once");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_many, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failures = NULL;
        pthread_join(threads[i], &failures);
        assert_null(failures);
    }
    assert_int_equal(info().worker_restarts, 1);
}

static void many_threads_survive_lost_sessions(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    test_token_rule(&bench, "lost", "C_Sign 30+ rv 0xb3 once");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_many, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failures = NULL;
        pthread_join(threads[i], &failures);
        assert_null(failures);
    }
    assert_int_equal(info().worker_restarts, 1);
}

int main(int argc, char **argv)
{
    test_token_begin(&bench, argc, argv);
    test_token_use_shim(&bench);
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_token, close_token)
    const struct CMUnitTest tests[] = {
        TEST(each_kind_of_loss_is_repaired_and_the_call_repeated),
        TEST(loss_that_lasts_fails_the_call_and_heals_later),
        TEST(hung_call_costs_its_worker_and_no_more),
        TEST(crash_is_survived_by_the_call_itself),
        TEST(call_that_always_crashes_fails_and_others_work),
        TEST(killed_worker_is_replaced_at_the_next_call),
        TEST(device_error_of_a_live_token_is_the_requests_fault),
        TEST(device_error_of_a_dead_token_starts_over),
        TEST(key_destroyed_by_another_process_is_absent),
        TEST(many_threads_survive_one_crash),
        TEST(many_threads_survive_lost_sessions),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_token_end(&bench);
    return failed;
}
