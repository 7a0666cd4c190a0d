/* The PIN is never risked: one try, then an operator. */
#include "support/test.h"
#include "support/token_bench.h"

#include <unistd.h>

static struct test_token bench;
static struct cf_err err;

static enum cf_rc open_with(const char *pin, bool confirmed)
{
    struct p11_config cfg = test_token_config(&bench);
    struct cf_secret *s = NULL;
    struct hal_token *t = NULL;
    if (pin)
        assert_int_equal(cf_secret_copy(pin, strlen(pin), &s, NULL), CF_OK);
    cfg.pin = s;
    cfg.pin_confirmed = confirmed;
    cfg.deadline_ms = 2000;
    memset(&err, 0, sizeof err);
    enum cf_rc rc = p11_token_open(&cfg, &t, &err);
    hal_token_close(t);
    cf_secret_free(s);
    return rc;
}

static unsigned logins(void)
{
    return test_token_calls(&bench, "C_Login");
}

static int fresh(void **state)
{
    (void)state;
    test_token_no_rules(&bench);
    (void)unlink(bench.counter);
    return 0;
}

static void wrong_pin_is_sent_exactly_once_ever(void **state)
{
    (void)state;
    assert_int_equal(open_with("0000", false), CF_E_DENIED);
    assert_int_equal(err.src, CF_SRC_CKR);
    assert_int_equal(logins(), 1);
    assert_int_equal(open_with("0000", false), CF_E_DENIED);
    assert_int_equal(open_with(TEST_PIN, false),
                     CF_E_DENIED); /* it cannot know that this is right */
    assert_non_null(strstr(err.text, "refused this PIN before"));
    assert_int_equal(logins(), 1);
}

static void operator_gives_a_new_pin_and_the_counter_starts_anew(void **state)
{
    (void)state;
    assert_int_equal(open_with("0000", false), CF_E_DENIED);
    assert_int_equal(open_with("1111", true), CF_E_DENIED);
    assert_int_equal(logins(), 2);
    assert_int_equal(open_with(TEST_PIN, true), CF_OK);
    assert_int_equal(open_with(TEST_PIN, false), CF_OK);
    assert_int_equal(logins(), 4);
}

static void last_try_and_locked_pin_are_not_tried(void **state)
{
    (void)state;
    test_token_rule(&bench, "flags", "C_GetTokenInfo 1+ flags 0x20000");
    assert_int_equal(open_with(TEST_PIN, false), CF_E_DENIED);
    assert_non_null(strstr(err.text, "one PIN try is left"));
    test_token_rule(&bench, "flags", "C_GetTokenInfo 1+ flags 0x40000");
    assert_int_equal(open_with(TEST_PIN, true), CF_E_DENIED);
    assert_non_null(strstr(err.text, "locked"));
    assert_int_equal(logins(), 0);
    test_token_no_rules(&bench);
    assert_int_equal(open_with(TEST_PIN, false), CF_OK); /* nothing was counted */
}

static void empty_pin_is_never_sent(void **state)
{
    (void)state;
    assert_int_equal(open_with(NULL, false), CF_E_DENIED);
    assert_int_equal(logins(), 0);
}

static void logins_that_nobody_lived_to_tell_are_counted(void **state)
{
    (void)state;
    test_token_rule(&bench, "hang", "C_Login 1 hang");
    assert_int_equal(open_with(TEST_PIN, false), CF_E_TOKEN);
    test_token_rule(&bench, "hang", "C_Login 1 crash");
    assert_int_equal(open_with(TEST_PIN, false), CF_E_TOKEN);
    assert_non_null(strstr(err.text, "signal 11"));
    assert_int_equal(logins(), 2);
    test_token_rule(&bench, "hang", NULL);
    assert_int_equal(open_with(TEST_PIN, false), CF_E_DENIED);
    assert_int_equal(logins(), 2);
    assert_int_equal(open_with(TEST_PIN, true), CF_OK);
    assert_int_equal(open_with(TEST_PIN, false), CF_OK);
}

static void pin_changed_behind_a_running_daemon_is_sent_once(void **state)
{
    (void)state;
    struct p11_config cfg = test_token_config(&bench);
    struct hal_token *t = NULL;
    struct hal_token_info info;
    uint8_t byte;
    EXPECT_OK(p11_token_open(&cfg, &t, &err));
    EXPECT_OK(hal_token_info(t, &info, &err));
    assert_int_equal(logins(), 1);
    test_token_rule(&bench, "pin", "C_Login 1+ rv 0xa0");
    test_token_rule(&bench, "lost", "C_GenerateRandom 1+ rv 0x101 once");
    EXPECT_RC(CF_E_DENIED, hal_token_random(t, &byte, 1, &err));
    EXPECT_RC(CF_E_DENIED, hal_token_random(t, &byte, 1, &err));
    assert_int_equal(logins(), 2);
    hal_token_close(t);
}

static void damaged_counter_refuses(void **state)
{
    (void)state;
    FILE *f = fopen(bench.counter, "w");
    assert_non_null(f);
    fputs("coffer-pin-counter 1 refused zero\n", f);
    fclose(f);
    assert_int_equal(open_with(TEST_PIN, false), CF_E_CORRUPT);
    assert_int_equal(logins(), 0);
}

int main(int argc, char **argv)
{
    test_token_begin(&bench, argc, argv);
    test_token_use_shim(&bench);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(wrong_pin_is_sent_exactly_once_ever, fresh),
        cmocka_unit_test_setup(operator_gives_a_new_pin_and_the_counter_starts_anew, fresh),
        cmocka_unit_test_setup(last_try_and_locked_pin_are_not_tried, fresh),
        cmocka_unit_test_setup(empty_pin_is_never_sent, fresh),
        cmocka_unit_test_setup(logins_that_nobody_lived_to_tell_are_counted, fresh),
        cmocka_unit_test_setup(pin_changed_behind_a_running_daemon_is_sent_once, fresh),
        cmocka_unit_test_setup(damaged_counter_refuses, fresh),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_token_end(&bench);
    return failed;
}
