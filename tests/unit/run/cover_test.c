/* A backup that leaves out what was marked, where a complete one was asked for. */
#include "run_priv.h"
#include "support/test.h"

static void what_is_missing_fails_a_backup_that_must_be_complete(void **state)
{
    struct job j = { .choices = { .require_complete = true } };
    struct manifest m = { 0 };
    struct manifest_cover inside = { .what = "keys", .state = MANIFEST_INSIDE };
    struct manifest_cover outside = { .what = "TLS key", .state = MANIFEST_OUTSIDE };
    struct manifest_cover missing = { .what = "partition data", .state = MANIFEST_MISSING };
    struct cf_err err;
    (void)state;
    EXPECT_OK(manifest_cover_add(&m, &inside, &err));
    EXPECT_OK(manifest_cover_add(&m, &outside, &err));
    EXPECT_OK(backup_complete(&j, &m, &err));
    EXPECT_OK(manifest_cover_add(&m, &missing, &err));
    EXPECT_RC(CF_E_STATE, backup_complete(&j, &m, &err));
    assert_string_equal(err.code, "Conflict");
    assert_non_null(strstr(err.text, "partition data"));
    j.choices.require_complete = false;
    EXPECT_OK(backup_complete(&j, &m, &err));
    manifest_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_fails_a_backup_that_must_be_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
