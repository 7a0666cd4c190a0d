/* Answers of others: tokens that PyJWT made (tests/vectors/tokens), rows that the independent
 * writer of the format pages made (tests/vectors/keyblob-v1/store-before.txt). */
#include "support/test.h"

#include <stdlib.h>

#include "access/bearer.h"
#include "access/policy.h"
#include "base/file.h"
#include "base/text.h"
#include "hal_sim/hal_sim.h"

#include "../../../firmware/access/access_priv.h"

#define NOW_S  INT64_C(1700000000)
#define TENANT "11111111-2222-3333-4444-555555555555"

static char *read_text(const char *path)
{
    struct cf_buf b = { 0 };
    const char *text = NULL;
    assert_int_equal(cf_file_read(path, 1 << 20, &b, NULL), CF_OK);
    assert_int_equal(cf_buf_text(&b, &text, NULL), CF_OK);
    char *copy = strdup(text);
    cf_buf_clear(&b);
    return copy;
}

static void tokens_of_another_implementation_are_judged_as_it_says(void **state)
{
    (void)state;
    static const char *const audiences[] = { "https://coffer.test:8443" };
    char *jwks = read_text(CF_VECTORS "/tokens/jwks.json");
    char *tokens = read_text(CF_VECTORS "/tokens/tokens.txt"), *save = NULL;
    struct hal_clock *clock = hal_sim_clock_new(NOW_S * 1000);
    struct access_issuer issuer = { .issuer = "https://sts.example/" TENANT "/",
                                    .tenant = TENANT,
                                    .audiences = audiences,
                                    .audience_count = 1,
                                    .jwks = jwks };
    struct access_bearer *b = NULL;
    struct cf_err err;
    unsigned n = 0;
    EXPECT_OK(access_bearer_new(clock, &issuer, 1, &b, &err));
    for (char *line = strtok_r(tokens, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save), n++) {
        struct access_principal p;
        char name[64], expect[16];
        int at = 0;
        assert_int_equal(sscanf(line, "%63s = %15s %n", name, expect, &at), 2);
        print_message("  %s\n", name);
        enum cf_rc want = strcmp(expect, "ok") == 0 ? CF_OK : CF_E_DENIED;
        EXPECT_RC(want, access_bearer_check(b, line + at, strlen(line + at), &p, &err));
        assert_int_equal(p.group_count, want == CF_OK ? 1 : 0);
    }
    assert_true(n > 20);
    access_bearer_free(b);
    hal_sim_clock_free(clock);
    free(jwks);
    free(tokens);
}

static void unhex(const char *hex, struct cf_buf *out)
{
    cf_buf_clear(out);
    assert_int_equal(cf_buf_resize(out, strlen(hex) / 2, NULL), CF_OK);
    assert_int_equal(cf_unhex(hex, out->data, out->len, NULL), CF_OK);
}

static void expect_same(const struct access_row *made, const struct cf_buf *key,
                        const struct cf_buf *value)
{
    assert_int_equal(made->key.len, key->len);
    assert_memory_equal(made->key.data, key->data, key->len);
    assert_int_equal(made->value.len, value->len);
    assert_memory_equal(made->value.data, value->data, value->len);
}

/* Reads the row and writes it again. */
static void again(unsigned long table, const struct cf_buf *key, const struct cf_buf *value)
{
    struct access_row made = { 0 };
    struct access_assignment s;
    struct access_definition d = { 0 };
    struct access_setting_row v;
    struct crypto_bytes k = access_bytes(key), x = access_bytes(value);
    struct cf_err err;
    if (table == STORE_ASSIGNMENT) {
        EXPECT_OK(access_row_to_assignment(k, x, &s, &err));
        EXPECT_OK(access_row_of_assignment(&s, &made, &err));
    } else if (table == STORE_ROLE) {
        EXPECT_OK(access_row_to_definition(k, x, &d, &err));
        EXPECT_OK(access_row_of_definition(&d, &made, &err));
    } else {
        EXPECT_OK(access_row_to_setting(k, x, &v, &err));
        EXPECT_OK(access_row_of_setting(&v, &made, &err));
    }
    expect_same(&made, key, value);
    access_definition_clear(&d);
    access_row_clear(&made);
}

static void rows_of_the_independent_writer_are_read_and_written_the_same(void **state)
{
    (void)state;
    char *text = read_text(CF_VECTORS "/keyblob-v1/store-before.txt"), *save = NULL;
    struct cf_buf key = { 0 }, value = { 0 };
    unsigned long table = 0;
    unsigned n = 0;
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        const char *eq = strstr(line, " = ");
        if (strncmp(line, "row.", 4) != 0 || eq == NULL)
            continue;
        const char *field = strchr(line + 4, '.');
        if (strncmp(field, ".table ", 7) == 0)
            table = strtoul(eq + 3, NULL, 10);
        else if (strncmp(field, ".key ", 5) == 0)
            unhex(eq + 3, &key);
        else if (strncmp(field, ".value ", 7) == 0 && table >= STORE_ASSIGNMENT) {
            unhex(eq + 3, &value);
            again(table, &key, &value);
            n++;
        }
    }
    assert_int_equal(n, 4);
    cf_buf_clear(&key);
    cf_buf_clear(&value);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_another_implementation_are_judged_as_it_says),
        cmocka_unit_test(rows_of_the_independent_writer_are_read_and_written_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
