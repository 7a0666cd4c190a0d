/* The engine on either provider of cryptography makes the same folder of the same state, entropy
 * and clock, and restores what it made. */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 4096

static void run_program(const char *name, char out[TEXT_MAX])
{
    char command[512];
    snprintf(command, sizeof command, "%s/%s", CF_TEST_PROGRAMS, name);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    size_t len = fread(out, 1, TEXT_MAX - 1, f);
    out[len] = '\0';
    assert_int_equal(pclose(f), 0); /* the restored state was the one backed up */
}

static void both_providers_make_the_same_folder_and_restore_it(void **state)
{
    (void)state;
    char first[TEXT_MAX], second[TEXT_MAX];
    run_program("run_folder", first);
    run_program("run_folder_mbedtls", second);
    assert_string_equal(first, second);
    static const char *const blobs[] = { "manifest ", "meta-", "s0.0 ", "s1.0 ", "s2.0 ", "s3.0 " };
    for (size_t i = 0; i < sizeof blobs / sizeof blobs[0]; i++)
        assert_non_null(strstr(first, blobs[i]));
}

static void another_run_of_one_provider_makes_it_again(void **state)
{
    (void)state;
    char first[TEXT_MAX], second[TEXT_MAX];
    run_program("run_folder", first);
    run_program("run_folder", second);
    assert_string_equal(first, second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_run_of_one_provider_makes_it_again),
        cmocka_unit_test(both_providers_make_the_same_folder_and_restore_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
