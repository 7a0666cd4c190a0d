#include "support/test.h"

#include "module/module_priv.h"

static void classes_are_those_of_the_tokens_document(void **state)
{
    (void)state;
    static const CK_RV lost[] = { CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED,
                                  CKR_USER_NOT_LOGGED_IN,     CKR_OBJECT_HANDLE_INVALID,
                                  CKR_KEY_HANDLE_INVALID,     CKR_DEVICE_REMOVED,
                                  CKR_TOKEN_NOT_PRESENT,      CKR_CRYPTOKI_NOT_INITIALIZED };
    static const CK_RV device[] = { CKR_DEVICE_ERROR, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED,
                                    CKR_HOST_MEMORY, CKR_DEVICE_MEMORY };
    static const CK_RV request[] = { CKR_DATA_LEN_RANGE, CKR_MECHANISM_INVALID, CKR_KEY_SIZE_RANGE,
                                     CKR_PIN_INCORRECT };
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++)
        assert_int_equal(p11_rv_find(lost[i])->cls, P11_LOST);
    for (size_t i = 0; i < sizeof device / sizeof device[0]; i++)
        assert_int_equal(p11_rv_find(device[i])->cls, P11_DEVICE);
    for (size_t i = 0; i < sizeof request / sizeof request[0]; i++)
        assert_int_equal(p11_rv_find(request[i])->cls, P11_REQUEST);
    assert_int_equal(p11_rv_find(CKR_OK)->cls, P11_FINE);
}

static void unknown_values_are_judged_by_a_liveness_test(void **state)
{
    (void)state;
    assert_int_equal(p11_rv_find(0x80000123UL)->cls, P11_DEVICE);
    assert_int_equal(p11_rv_find(0xfffeUL)->cls, P11_DEVICE);
}

static void every_value_is_in_the_table_once(void **state)
{
    (void)state;
    /* A second row of the same value would never be found. */
    assert_string_equal(p11_rv_find(0xf0)->name, "CKR_UNWRAPPING_KEY_HANDLE_INVALID");
    assert_string_equal(p11_rv_find(0xa0)->name, "CKR_PIN_INCORRECT");
    for (CK_RV rv = 1; rv < 0x300; rv++) {
        const struct p11_rv *r = p11_rv_find(rv);
        if (r->cls != P11_DEVICE || r->rv == rv)
            assert_int_equal(r->rv, rv);
    }
}

static void failure_tells_call_name_number_and_class(void **state)
{
    (void)state;
    struct cf_err err = { 0 };
    assert_int_equal(P11_RV_FAIL(&err, "C_Login", CKR_PIN_INCORRECT), CF_E_DENIED);
    assert_int_equal(err.src, CF_SRC_CKR);
    assert_int_equal(err.native, CKR_PIN_INCORRECT);
    assert_string_equal(err.text, "C_Login: CKR_PIN_INCORRECT (0xa0)");
}

static void quirks_go_by_the_start_of_the_makers_name(void **state)
{
    (void)state;
    CK_TOKEN_INFO info = { .flags = 0 };
    memset(info.manufacturerID, ' ', sizeof info.manufacturerID);
    assert_false(p11_quirk_find(&info)->gcm_iv_written);
    memcpy(info.manufacturerID, "Cavium, Inc", 11);
    assert_true(p11_quirk_find(&info)->gcm_iv_written);
    assert_int_equal(p11_quirk_find(&info)->max_data, 16384);
    memcpy(info.manufacturerID, "SoftHSM project", 15);
    assert_false(p11_quirk_find(&info)->gcm_iv_written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_those_of_the_tokens_document),
        cmocka_unit_test(unknown_values_are_judged_by_a_liveness_test),
        cmocka_unit_test(every_value_is_in_the_table_once),
        cmocka_unit_test(failure_tells_call_name_number_and_class),
        cmocka_unit_test(quirks_go_by_the_start_of_the_makers_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
