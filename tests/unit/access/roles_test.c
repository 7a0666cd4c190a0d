/* The built-in roles against the documentation's matrix (API document 3.2, 3.3), and scopes. */
#include "support/test.h"

#include <stdbool.h>

#include "access/roles.h"

#define PREFIX "Microsoft.KeyVault/managedHsm/"

/* Columns as in 3.3: Adm Off User Pol Enc Bak Aud Rel Res; then rulings (1) to (3) of that section
 * and what 3.2 adds to the table. */
static const struct row {
    const char *action;
    const char *allowed;
} matrix[] = {
    { "securitydomain/download/action", "X        " },
    { "securitydomain/download/read", "X        " },
    { "securitydomain/upload/action", "X        " },
    { "securitydomain/upload/read", "X        " },
    { "securitydomain/transferkey/read", "X        " },
    { "keys/read/action", "  X X X  " },
    { "keys/write/action", "  X      " },
    { "keys/rotate/action", "  X      " },
    { "keys/create", "  X      " },
    { "keys/delete", "  X      " },
    { "keys/deletedKeys/read/action", " X    X  " },
    { "keys/deletedKeys/recover/action", " X       " },
    { "keys/deletedKeys/delete", " X       " },
    { "keys/backup/action", "  X  X   " },
    { "keys/restore/action", "  X     X" },
    { "keys/release/action", "  X    X " },
    { "keys/import/action", "  X      " },
    { "keys/export/action", " X       " },
    { "keys/encrypt/action", "  X      " },
    { "keys/decrypt/action", "  X      " },
    { "keys/sign/action", "  X      " },
    { "keys/verify/action", "  X      " },
    { "keys/derive/action", "  X      " },
    { "keys/wrap/action", "  X X    " },
    { "keys/unwrap/action", "  X X    " },
    { "rng/action", "  X      " },
    { "roleAssignments/read/action", "XXXX  X  " },
    { "roleAssignments/write/action", "XX X     " },
    { "roleAssignments/delete/action", "XX X     " },
    { "roleDefinitions/read/action", "XXXX  X  " },
    { "roleDefinitions/write/action", "XX X     " },
    { "roleDefinitions/delete/action", "XX X     " },
    { "backup/start/action", "X    X   " },
    { "backup/status/action", "X    X   " },
    { "restore/start/action", "X       X" },
    { "restore/status/action", "X       X" },
    { "settings/read/action", "X        " },
    { "settings/write/action", "X        " },
};
#define ROWS (sizeof matrix / sizeof matrix[0])

static const enum access_builtin columns[] = {
    ACCESS_ADMINISTRATOR,        ACCESS_CRYPTO_OFFICER,          ACCESS_CRYPTO_USER,
    ACCESS_POLICY_ADMINISTRATOR, ACCESS_SERVICE_ENCRYPTION_USER, ACCESS_BACKUP,
    ACCESS_CRYPTO_AUDITOR,       ACCESS_SERVICE_RELEASE_USER,    ACCESS_RESTORE,
};

static void every_cell_of_the_matrix_is_as_documented(void **state)
{
    (void)state;
    assert_int_equal(ROWS, ACCESS_ACTIONS);
    for (size_t i = 0; i < ROWS; i++) {
        char name[128];
        enum access_action a = ACCESS_ACTIONS;
        snprintf(name, sizeof name, PREFIX "%s", matrix[i].action);
        assert_int_equal(access_action_parse(name, &a, NULL), CF_OK);
        assert_string_equal(access_action_name(a), name);
        for (size_t c = 0; c < ACCESS_BUILTINS; c++) {
            bool has = (access_builtin(columns[c])->actions >> a & 1) != 0;
            if (has != (matrix[i].allowed[c] == 'X'))
                fail_msg("%s for %s", matrix[i].action, access_builtin(columns[c])->name);
        }
    }
}

static unsigned count(uint64_t bits)
{
    unsigned n = 0;
    for (; bits != 0; bits &= bits - 1)
        n++;
    return n;
}

static void roles_have_the_ids_and_sizes_of_the_service(void **state)
{
    (void)state;
    static const struct {
        enum access_builtin role;
        const char *id, *name;
        unsigned actions;
    } roles[] = {
        { ACCESS_ADMINISTRATOR, "a290e904-7015-4bba-90c8-60543313cdb4", "Managed HSM Administrator",
          17 },
        { ACCESS_CRYPTO_OFFICER, "515eb02d-2335-4d2d-92f2-b1cbdf9c3778",
          "Managed HSM Crypto Officer", 10 },
        { ACCESS_CRYPTO_USER, "21dbd100-6940-42c2-9190-5d6cb909625b", "Managed HSM Crypto User",
          19 },
        { ACCESS_POLICY_ADMINISTRATOR, "4bd23610-cdcf-4971-bdee-bdc562cc28e4",
          "Managed HSM Policy Administrator", 6 },
        { ACCESS_CRYPTO_AUDITOR, "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3",
          "Managed HSM Crypto Auditor", 4 },
        { ACCESS_SERVICE_ENCRYPTION_USER, "33413926-3206-4cdd-b39a-83574fe37a17",
          "Managed HSM Crypto Service Encryption User", 3 },
        { ACCESS_SERVICE_RELEASE_USER, "21dbd100-6940-42c2-9190-5d6cb909625c",
          "Managed HSM Crypto Service Release User", 1 },
        { ACCESS_BACKUP, "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8", "Managed HSM Backup", 3 },
        { ACCESS_RESTORE, "6efe6056-5259-49d2-8b3d-d3d73544b20b", "Managed HSM Restore", 3 },
    };
    for (size_t i = 0; i < ACCESS_BUILTINS; i++) {
        const struct access_builtin_role *r = access_builtin(roles[i].role);
        assert_string_equal(r->id, roles[i].id);
        assert_string_equal(r->name, roles[i].name);
        assert_int_equal(count(r->actions), roles[i].actions);
        assert_ptr_equal(access_builtin_find(roles[i].id), r);
    }
    assert_null(access_builtin_find("00000000-0000-0000-0000-000000000000"));
}

static void actions_are_found_in_any_case_and_others_are_refused(void **state)
{
    (void)state;
    struct cf_err err;
    enum access_action a;
    EXPECT_OK(access_action_parse("microsoft.keyvault/MANAGEDHSM/Keys/Create", &a, &err));
    assert_int_equal(a, ACCESS_KEYS_CREATE);
    static const char *const bad[] = {
        "", "*", PREFIX "*", PREFIX "keys/*", PREFIX "keys/create/action", "keys/create"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT_RC(CF_E_INPUT, access_action_parse(bad[i], &a, &err));
        assert_string_equal(err.code, "BadParameter");
    }
}

static void scopes_take_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } good[] = {
        { "", "/" },
        { "/", "/" },
        { "///", "/" },
        { "keys", "/keys" },
        { "/keys/", "/keys" },
        { "//keys", "/keys" },
        { "keys/K1", "/keys/k1" },
        { "//keys//A-b-9//", "/keys/a-b-9" },
        { "/keys/keys", "/keys/keys" },
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct access_scope s;
        struct cf_err err;
        EXPECT_OK(access_scope_parse(good[i].in, &s, &err));
        assert_string_equal(s.text, good[i].out);
    }
    static const char *const bad[] = { "/key",           "/keys/a/b", "/keys/a_b", "/keys/a%20",
                                       "/keys/\xc3\xa9", "/secrets",  "/keys/a b", "k" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct access_scope s;
        struct cf_err err;
        EXPECT_RC(CF_E_INPUT, access_scope_parse(bad[i], &s, &err));
        assert_string_equal(err.code, "BadParameter");
    }
}

static void a_key_name_may_have_127_characters(void **state)
{
    (void)state;
    struct access_scope s;
    struct cf_err err;
    char name[130];
    memset(name, 'A', sizeof name);
    name[127] = '\0';
    EXPECT_OK(access_scope_key(name, &s, &err));
    assert_int_equal(strlen(s.text), 6 + 127);
    name[127] = 'A';
    name[128] = '\0';
    EXPECT_RC(CF_E_INPUT, access_scope_key(name, &s, &err));
    EXPECT_RC(CF_E_INPUT, access_scope_key("", &s, &err));
}

static void actions_are_judged_where_they_take_effect(void **state)
{
    (void)state;
    struct access_scope key, at;
    struct cf_err err;
    EXPECT_OK(access_scope_key("k", &key, &err));
    at = access_scope_judged(ACCESS_KEYS_SIGN, &key);
    assert_string_equal(at.text, "/keys/k");
    at = access_scope_judged(ACCESS_KEYS_CREATE, &key);
    assert_string_equal(at.text, "/keys");
    at = access_scope_judged(ACCESS_KEYS_IMPORT, &key);
    assert_string_equal(at.text, "/keys");
    at = access_scope_judged(ACCESS_BACKUP_START, &key);
    assert_string_equal(at.text, "/");
    at = access_scope_judged(ACCESS_RNG, &key);
    assert_string_equal(at.text, "/");
    at = access_scope_judged(ACCESS_ASSIGNMENTS_WRITE, &key);
    assert_string_equal(at.text, "/keys/k");
    at = access_scope_judged(ACCESS_DEFINITIONS_WRITE, &key);
    assert_string_equal(at.text, "/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_of_the_matrix_is_as_documented),
        cmocka_unit_test(roles_have_the_ids_and_sizes_of_the_service),
        cmocka_unit_test(actions_are_found_in_any_case_and_others_are_refused),
        cmocka_unit_test(scopes_take_one_form),
        cmocka_unit_test(a_key_name_may_have_127_characters),
        cmocka_unit_test(actions_are_judged_where_they_take_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
