#include "support/test.h"

#include "session/uri_priv.h"

static void uris_that_name_a_token_pass(void **state)
{
    (void)state;
    static const char *const good[] = {
        "pkcs11:",
        "pkcs11:token=My%20token",
        "pkcs11:token=a;serial=0123;manufacturer=SoftHSM%20project;model=SoftHSM%20v2",
        "pkcs11:slot-id=3",
        "pkcs11:slot-description=left;token=a",
        "pkcs11:library-manufacturer=x;token=a",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct cf_err err = { 0 };
        EXPECT_OK(p11_uri_check(good[i], &err));
    }
}

static void others_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "pkcs11",
        "http:token=a",
        "pkcs11:token=%4",
        "pkcs11:token=a;token=b",
        "pkcs11:token=a;serial=1;token=a",
        "pkcs11:token=a;unheard-of=1",
        "pkcs11:token=a;x-own=1",
        "pkcs11:token=a;object=k",
        "pkcs11:token=a;id=%01",
        "pkcs11:token=a;type=private",
        "pkcs11:token=a?pin-value=1",
        "pkcs11:token=a?pin-source=file:/p",
        "pkcs11:token=a?module-path=/m.so",
        "pkcs11:token=a?module-name=m",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cf_err err = { 0 };
        print_message("  %s\n", bad[i]);
        EXPECT_RC(CF_E_INPUT, p11_uri_check(bad[i], &err));
        assert_null(strstr(err.text, "pin-value=1"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_that_name_a_token_pass),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
