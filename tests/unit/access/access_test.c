/* Assignments, definitions, settings, and the decision taken from them. */
#include "fixture.h"

#include <pthread.h>
#include <stdlib.h>

#include "support/scratch.h"

static const char *role_id(enum access_builtin r)
{
    return access_builtin(r)->id;
}

/* --- the decision ---------------------------------------------------------------------------- */

static void every_role_grants_at_each_scope_what_its_table_says(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    static const char *const scopes[] = { "/", "/keys", "/keys/k1" };
    static const char *const asked[] = { "/", "/keys", "/keys/k1", "/keys/k2" };
    char name[ACCESS_GUID_SIZE], oid[ACCESS_GUID_SIZE];
    unsigned n = 0;

    for (int r = 0; r < ACCESS_BUILTINS; r++) {
        for (size_t at = 0; at < 3; at++, n++) {
            snprintf(name, sizeof name, "eeeeeeee-0000-4000-8000-%012x", n);
            snprintf(oid, sizeof oid, "99999999-0000-4000-8000-%012x", n);
            EXPECT_OK(
                fixture_assign(f, name, scopes[at], role_id((enum access_builtin)r), oid, &err));
            struct access_scope made = fixture_scope(scopes[at]);
            for (int a = 0; a < ACCESS_ACTIONS; a++) {
                for (size_t s = 0; s < 4; s++) {
                    struct access_scope want = fixture_scope(asked[s]);
                    struct access_scope judged = access_scope_judged((enum access_action)a, &want);
                    bool has = (access_builtin((enum access_builtin)r)->actions >> a & 1) != 0;
                    assert_int_equal(fixture_may(f, oid, (enum access_action)a, asked[s]),
                                     has && access_scope_covers(&made, &judged));
                }
            }
        }
    }
}

static void nobody_without_a_verified_token_is_granted_anything(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_scope all = access_scope_all();
    struct access_principal p = { .oid = ALICE };
    EXPECT_OK(access_grant(f->a, ALICE, ACCESS_ADMINISTRATOR, &err));
    assert_true(fixture_may(f, ALICE, ACCESS_BACKUP_START, "/"));
    struct cf_verdict v = access_decide(f->a, &p, ACCESS_BACKUP_START, &all);
    assert_false(cf_granted(&v));
    assert_false(fixture_may(f, BOB, ACCESS_BACKUP_START, "/"));
    assert_false(fixture_may(f, "", ACCESS_BACKUP_START, "/"));
    assert_false(fixture_may(f, ALICE, ACCESS_ACTIONS, "/"));
}

static void a_key_can_not_be_created_by_who_holds_only_its_name(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    EXPECT_OK(fixture_assign(f, NAME1, "/keys/k1", role_id(ACCESS_CRYPTO_USER), ALICE, &err));
    assert_true(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k1"));
    assert_true(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/K1"));
    assert_false(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k11"));
    assert_false(fixture_may(f, ALICE, ACCESS_KEYS_CREATE, "/keys/k1"));
    assert_false(fixture_may(f, ALICE, ACCESS_KEYS_READ, "/keys")); /* listing */
    assert_false(fixture_may(f, ALICE, ACCESS_RNG, "/"));
    EXPECT_OK(fixture_assign(f, NAME2, "/keys", role_id(ACCESS_CRYPTO_USER), ALICE, &err));
    assert_true(fixture_may(f, ALICE, ACCESS_KEYS_CREATE, "/keys/k1"));
    assert_true(fixture_may(f, ALICE, ACCESS_KEYS_READ, "/keys"));
    assert_false(fixture_may(f, ALICE, ACCESS_RNG, "/")); /* needs "/" */
}

static void groups_of_the_token_count(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p = fixture_principal(BOB);
    struct access_scope keys = access_scope_keys();
    EXPECT_OK(fixture_assign(f, NAME1, "/keys", role_id(ACCESS_CRYPTO_USER), GROUP, &err));
    struct cf_verdict v = access_decide(f->a, &p, ACCESS_KEYS_READ, &keys);
    assert_false(cf_granted(&v));
    static const uint8_t other[16] = { 1 };
    static const uint8_t group[16] = { 0xcc, 0xcc, 0xcc, 0xcc, 0, 0, 0x40, 0,
                                       0x80, 0,    0,    0,    0, 0, 0,    3 };
    p.group_count = 2;
    memcpy(p.groups[0], other, 16);
    memcpy(p.groups[1], group, 16);
    v = access_decide(f->a, &p, ACCESS_KEYS_READ, &keys);
    assert_true(cf_granted(&v));
    v = access_decide(f->a, &p, ACCESS_BACKUP_START, &keys);
    assert_false(cf_granted(&v));
}

static void a_denial_says_what_and_where(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_principal p = fixture_principal(BOB);
    struct access_scope key = fixture_scope("/keys/k1"), all = access_scope_all();
    EXPECT_RC(CF_E_DENIED, access_require(f->a, &p, ACCESS_KEYS_CREATE, &key, &err));
    assert_string_equal(err.code, "AccessDenied");
    assert_string_equal(err.text, "Not authorized to access Microsoft.KeyVault/managedHsm/"
                                  "keys/create on /keys");
    EXPECT_RC(CF_E_DENIED, access_require(f->a, &p, ACCESS_DOMAIN_DOWNLOAD, &all, &err));
    assert_string_equal(err.text, "Not authorized to perform Security Domain backup.");
}

/* --- definitions ----------------------------------------------------------------------------- */

#define ACTION(tail) "Microsoft.KeyVault/managedHsm/" tail

/* A role with one permission: `allow`, less `except`. */
static enum cf_rc put_role(struct fixture *f, const char *id, const char *allow, const char *except,
                           struct cf_err *e)
{
    struct access_definition d = { 0 }, out = { 0 };
    struct access_permission *p = NULL;
    char name[] = "My role";
    d.role_name = strdup(name);
    assert_int_equal(access_permission_add(&d, &p, NULL), CF_OK);
    if (allow != NULL)
        assert_int_equal(access_texts_add(&p->data_actions, allow, NULL), CF_OK);
    if (except != NULL)
        assert_int_equal(access_texts_add(&p->not_data_actions, except, NULL), CF_OK);
    enum cf_rc rc = access_definition_put(f->a, id, &d, &out, e);
    access_definition_clear(&d);
    access_definition_clear(&out);
    return rc;
}

static void a_custom_role_grants_what_it_lists_less_what_it_subtracts(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    EXPECT_OK(put_role(f, ROLE, ACTION("KEYS/read/ACTION"), NULL, &err));
    EXPECT_OK(fixture_assign(f, NAME1, "/", ROLE, ALICE, &err));
    assert_true(fixture_may(f, ALICE, ACCESS_KEYS_READ, "/keys/k"));
    assert_false(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k"));
    EXPECT_OK(put_role(f, ROLE, ACTION("keys/read/action"), ACTION("keys/read/action"), &err));
    assert_false(fixture_may(f, ALICE, ACCESS_KEYS_READ, "/keys/k"));
    /* It subtracts within its own role only: it is no deny. */
    EXPECT_OK(fixture_assign(f, NAME2, "/", role_id(ACCESS_CRYPTO_AUDITOR), ALICE, &err));
    assert_true(fixture_may(f, ALICE, ACCESS_KEYS_READ, "/keys/k"));
}

static void a_custom_role_is_stored_in_the_tables_spelling(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_definition d = { 0 };
    EXPECT_OK(put_role(f, "DDDDDDDD-0000-4000-8000-000000000004", ACTION("KEYS/read/ACTION"), NULL,
                       &err));
    hal_sim_clock_step(f->clock, 9000);
    EXPECT_OK(put_role(f, ROLE, ACTION("keys/Sign/action"), NULL, &err));
    fixture_restart(f);
    EXPECT_OK(access_definition_get(f->a, ROLE, &d, &err));
    assert_string_equal(d.id, ROLE);
    assert_false(d.builtin);
    assert_string_equal(d.role_name, "My role");
    assert_string_equal(d.description, "");
    assert_int_equal(d.assignable_scopes.count, 1);
    assert_string_equal(d.assignable_scopes.item[0], "/");
    assert_int_equal(d.permission_count, 1);
    assert_string_equal(d.permissions[0].data_actions.item[0], ACTION("keys/sign/action"));
    assert_int_equal(d.created_s, START_S);
    assert_int_equal(d.updated_s, START_S + 9);
    access_definition_clear(&d);
}

static void a_deleted_roles_assignments_stay_without_effect(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_definition d = { 0 };
    struct access_assignment s;
    struct access_scope all = access_scope_all();
    EXPECT_OK(put_role(f, ROLE, ACTION("keys/read/action"), NULL, &err));
    EXPECT_OK(fixture_assign(f, NAME1, "/", ROLE, ALICE, &err));
    EXPECT_OK(access_definition_delete(f->a, ROLE, &d, &err));
    assert_string_equal(d.role_name, "My role");
    access_definition_clear(&d);
    assert_false(fixture_may(f, ALICE, ACCESS_KEYS_READ, "/keys"));
    EXPECT_OK(access_assignment_get(f->a, &all, NAME1, &s, &err));
    EXPECT_RC(CF_E_ABSENT, access_definition_get(f->a, ROLE, &d, &err));
    assert_string_equal(err.code, "RoleDefinitionNotFound");
    assert_string_equal(err.text, "Requested role definition not found");
    EXPECT_RC(CF_E_ABSENT, access_definition_delete(f->a, ROLE, &d, &err));
}

static void wrong_definitions_are_refused(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_definition d = { 0 }, out = { 0 };
    EXPECT_RC(CF_E_INPUT, put_role(f, "no-guid", NULL, NULL, &err));
    assert_string_equal(err.code, "BadParameter");
    assert_string_equal(err.text, "Role definition name must be a GUID");
    EXPECT_RC(CF_E_INPUT, put_role(f, "A290E904-7015-4bba-90c8-60543313cdb4", NULL, NULL, &err));
    assert_string_equal(err.text, "Cannot re-use the name/GUID matching that of a built-in role. "
                                  "Please use a unique role ID.");
    EXPECT_RC(CF_E_INPUT, access_definition_delete(f->a, role_id(ACCESS_BACKUP), &out, &err));
    assert_string_equal(err.code, "BadParameter");
    EXPECT_RC(CF_E_INPUT, put_role(f, ROLE, ACTION("keys/fly/action"), NULL, &err));
    assert_string_equal(err.code, "BadParameter");
    EXPECT_RC(CF_E_INPUT, put_role(f, ROLE, NULL, ACTION("*"), &err));

    assert_int_equal(access_texts_add(&d.assignable_scopes, "/keys", NULL), CF_OK);
    EXPECT_RC(CF_E_INPUT, access_definition_put(f->a, ROLE, &d, &out, &err));
    access_definition_clear(&d);
    d.role_name = strdup("two\nlines");
    EXPECT_RC(CF_E_INPUT, access_definition_put(f->a, ROLE, &d, &out, &err));
    access_definition_clear(&d);
    EXPECT_OK(access_definition_put(f->a, ROLE, &d, &out, &err)); /* all members missing */
    assert_int_equal(out.permission_count, 0);
    access_definition_clear(&out);
}

static enum cf_rc count_definition(void *ctx, const struct access_definition *d, struct cf_err *e)
{
    unsigned *n = ctx;
    (void)e;
    assert_int_equal(d->builtin, *n < ACCESS_BUILTINS);
    ++*n;
    return CF_OK;
}

static void built_in_roles_are_listed_before_the_others(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    unsigned n = 0;
    EXPECT_OK(put_role(f, ROLE, NULL, NULL, &err));
    EXPECT_OK(access_definitions(f->a, count_definition, &n, &err));
    assert_int_equal(n, ACCESS_BUILTINS + 1);
    struct access_definition d = { 0 };
    EXPECT_OK(access_definition_get(f->a, role_id(ACCESS_ADMINISTRATOR), &d, &err));
    assert_true(d.builtin);
    assert_int_equal(d.permissions[0].data_actions.count, 17);
    access_definition_clear(&d);
}

/* --- assignments ----------------------------------------------------------------------------- */

static void an_assignment_is_refused_twice_and_lasts(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_assignment s;
    struct access_scope key = fixture_scope("/keys/k1"), keys = access_scope_keys();
    const char *user = role_id(ACCESS_CRYPTO_USER);
    EXPECT_OK(fixture_assign(f, NAME1, "/keys/k1", user, ALICE, &err));
    EXPECT_RC(CF_E_STATE, fixture_assign(f, NAME1, "/keys/k1", user, BOB, &err));
    assert_string_equal(err.code, "RoleAssignmentExists");
    EXPECT_RC(CF_E_STATE, fixture_assign(f, NAME2, "/keys/k1", user, ALICE, &err));
    assert_string_equal(err.code, "RoleAssignmentExists");
    EXPECT_OK(fixture_assign(f, NAME1, "/keys", user, ALICE, &err)); /* another scope */
    EXPECT_OK(fixture_assign(f, NAME2, "/", user, ALICE, &err));
    EXPECT_RC(CF_E_STATE, fixture_assign(f, NAME3, "/", user, ALICE, &err));
    fixture_restart(f);
    EXPECT_OK(access_assignment_get(f->a, &key, NAME1, &s, &err));
    assert_string_equal(s.scope.text, "/keys/k1");
    assert_string_equal(s.principal, ALICE);
    assert_string_equal(s.role, user);
    assert_int_equal(s.created_s, START_S);
    EXPECT_RC(CF_E_ABSENT, access_assignment_get(f->a, &keys, NAME2, &s, &err));
    assert_string_equal(err.code, "RoleAssignmentNotFound");
    assert_string_equal(err.text, "Requested role assignment not found");
}

static void an_assignments_role_may_be_spelt_in_three_ways(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    char role[ACCESS_GUID_SIZE];
    (void)f;
    static const char *const good[] = {
        "21DBD100-6940-42c2-9190-5d6cb909625b",
        ACCESS_ROLE_PREFIX "21dbd100-6940-42c2-9190-5d6cb909625b",
        ("/microsoft.keyvault/providers/Microsoft.Authorization/roleDefinitions/"
         "21dbd100-6940-42c2-9190-5d6cb909625b"),
    };
    for (size_t i = 0; i < 3; i++) {
        EXPECT_OK(access_role_parse(good[i], role, &err));
        assert_string_equal(role, "21dbd100-6940-42c2-9190-5d6cb909625b");
    }
    static const char *const bad[] = { "", "/", ACCESS_ROLE_PREFIX, ACCESS_ROLE_PREFIX "x",
                                       "//" ACCESS_ROLE_PREFIX
                                       "21dbd100-6940-42c2-9190-5d6cb909625b" };
    for (size_t i = 0; i < 5; i++) {
        EXPECT_RC(CF_E_INPUT, access_role_parse(bad[i], role, &err));
        assert_string_equal(err.code, "BadParameter");
    }
}

static void wrong_assignments_are_refused(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    const char *user = role_id(ACCESS_CRYPTO_USER);
    EXPECT_RC(CF_E_INPUT, fixture_assign(f, "x", "/", user, ALICE, &err));
    assert_string_equal(err.code, "BadParameter");
    EXPECT_RC(CF_E_INPUT, fixture_assign(f, NAME1, "/", user, "alice@example.org", &err));
    assert_string_equal(err.code, "BadParameter");
    EXPECT_RC(CF_E_INPUT, fixture_assign(f, NAME1, "/", "x", ALICE, &err));
    EXPECT_RC(CF_E_ABSENT, fixture_assign(f, NAME1, "/", ROLE, ALICE, &err));
    assert_string_equal(err.code, "RoleDefinitionNotFound");
}

struct listed {
    unsigned count;
    char names[200];
};

static enum cf_rc list_name(void *ctx, const struct access_assignment *s, struct cf_err *e)
{
    struct listed *l = ctx;
    size_t len = strlen(l->names);
    (void)e;
    snprintf(l->names + len, sizeof l->names - len, "%.2s ", s->name + 34);
    l->count++;
    return CF_OK;
}

static void expect_list(struct fixture *f, const char *scope, const char *filter, const char *want)
{
    struct access_scope s = fixture_scope(scope);
    struct access_filter by;
    struct listed l = { 0 };
    struct cf_err err;
    EXPECT_OK(access_filter_parse(filter, &by, &err));
    EXPECT_OK(access_assignments(f->a, &s, &by, list_name, &l, &err));
    assert_string_equal(l.names, want);
}

static void lists_show_what_their_scope_and_filter_ask_for(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    const char *user = role_id(ACCESS_CRYPTO_USER);
    EXPECT_OK(fixture_assign(f, NAME1, "/", user, ALICE, &err));
    EXPECT_OK(fixture_assign(f, NAME2, "/keys", user, BOB, &err));
    EXPECT_OK(fixture_assign(f, NAME3, "/keys/k1", user, ALICE, &err));
    expect_list(f, "/", NULL, "11 12 ");
    expect_list(f, "/keys", "", "11 12 ");
    expect_list(f, "/keys/k1", NULL, "13 ");
    expect_list(f, "/keys/k2", NULL, "");
    expect_list(f, "/keys/k1", "atScope()", "11 12 13 ");
    expect_list(f, "/", "atScope()", "11 ");
    expect_list(f, "/", "principalId eq " ALICE, "11 13 ");
    expect_list(f, "/keys/k2", "principalId eq '" ALICE "'", "11 ");
    expect_list(f, "/keys/k2", "principalId eq {" BOB "}", "12 ");

    struct access_filter by;
    EXPECT_RC(CF_E_INPUT, access_filter_parse("name eq 'x'", &by, &err));
    EXPECT_RC(CF_E_INPUT, access_filter_parse("principalId eq me", &by, &err));
}

static void a_deleted_assignment_grants_nothing_more(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_assignment s;
    struct access_scope keys = access_scope_keys();
    EXPECT_OK(fixture_assign(f, NAME1, "/keys", role_id(ACCESS_CRYPTO_USER), ALICE, &err));
    assert_true(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k"));
    EXPECT_OK(access_assignment_delete(f->a, &keys, NAME1, &s, &err));
    assert_string_equal(s.principal, ALICE);
    assert_false(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k"));
    EXPECT_RC(CF_E_ABSENT, access_assignment_delete(f->a, &keys, NAME1, &s, &err));
    assert_string_equal(err.code, "RoleAssignmentNotFound");
}

/* --- the last administrator ------------------------------------------------------------------ */

static enum cf_rc find_name(void *ctx, const struct access_assignment *s, struct cf_err *e)
{
    (void)e;
    memcpy(ctx, s->name, sizeof s->name);
    return CF_OK;
}

static void the_last_who_can_write_assignments_at_all_stays(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_assignment s;
    struct access_scope all = access_scope_all();
    char name[ACCESS_GUID_SIZE];
    EXPECT_OK(access_grant(f->a, ALICE, ACCESS_ADMINISTRATOR, &err));
    EXPECT_OK(access_grant(f->a, ALICE, ACCESS_ADMINISTRATOR, &err)); /* has it: fine */
    EXPECT_OK(access_assignments(f->a, &all, NULL, find_name, name, &err));
    /* Someone who can write at /keys only does not count. */
    EXPECT_OK(fixture_assign(f, NAME1, "/keys", role_id(ACCESS_POLICY_ADMINISTRATOR), BOB, &err));
    EXPECT_RC(CF_E_STATE, access_assignment_delete(f->a, &all, name, &s, &err));
    assert_string_equal(err.code, "Conflict");
    assert_true(fixture_may(f, ALICE, ACCESS_ASSIGNMENTS_WRITE, "/"));
    EXPECT_OK(access_grant(f->a, BOB, ACCESS_CRYPTO_OFFICER, &err));
    EXPECT_OK(access_assignment_delete(f->a, &all, name, &s, &err));
    assert_false(fixture_may(f, ALICE, ACCESS_ASSIGNMENTS_WRITE, "/"));
}

static void a_role_that_makes_the_last_administrator_stays_so(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_definition d = { 0 };
    EXPECT_OK(put_role(f, ROLE, ACTION("roleAssignments/write/action"), NULL, &err));
    EXPECT_OK(fixture_assign(f, NAME1, "/", ROLE, ALICE, &err));
    EXPECT_RC(CF_E_STATE, put_role(f, ROLE, ACTION("keys/read/action"), NULL, &err));
    assert_string_equal(err.code, "Conflict");
    EXPECT_RC(CF_E_STATE, access_definition_delete(f->a, ROLE, &d, &err));
    assert_null(d.role_name);
    assert_true(fixture_may(f, ALICE, ACCESS_ASSIGNMENTS_WRITE, "/"));
    fixture_restart(f);
    assert_true(fixture_may(f, ALICE, ACCESS_ASSIGNMENTS_WRITE, "/"));
}

/* --- threads --------------------------------------------------------------------------------- */

#define ASKERS 3
#define ROUNDS 40

static void *ask_on(void *arg)
{
    struct fixture *f = arg;
    for (int i = 0; i < 20000; i++) {
        assert_true(fixture_may(f, BOB, ACCESS_KEYS_SIGN, "/keys/k1"));
        assert_false(fixture_may(f, BOB, ACCESS_KEYS_SIGN, "/keys/k2"));
        fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k2"); /* comes and goes */
    }
    return NULL;
}

static void what_does_not_change_is_granted_throughout_changes(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_assignment s;
    struct access_scope keys = access_scope_keys();
    const char *user = role_id(ACCESS_CRYPTO_USER);
    pthread_t t[ASKERS];
    EXPECT_OK(fixture_assign(f, NAME1, "/keys/k1", user, BOB, &err));
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, ask_on, f), 0);
    for (int i = 0; i < ROUNDS; i++) {
        EXPECT_OK(fixture_assign(f, NAME2, "/keys", user, ALICE, &err));
        assert_true(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k2"));
        EXPECT_OK(access_assignment_delete(f->a, &keys, NAME2, &s, &err));
        assert_false(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k2"));
    }
    for (int i = 0; i < ASKERS; i++)
        pthread_join(t[i], NULL);
}

/* --- purge and settings ---------------------------------------------------------------------- */

static void assignments_that_went_with_a_purged_key_end_with_the_refresh(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct store_txn *t = NULL;
    const char *user = role_id(ACCESS_CRYPTO_USER);
    EXPECT_OK(fixture_assign(f, NAME1, "/keys/k1", user, ALICE, &err));
    EXPECT_OK(fixture_assign(f, NAME2, "/keys/k11", user, ALICE, &err));
    EXPECT_OK(fixture_assign(f, NAME3, "/keys", user, BOB, &err));
    EXPECT_OK(store_live_write(f->live, &t, &err));
    EXPECT_OK(store_del_prefix(t, STORE_ASSIGNMENT, crypto_bytes_of("keys/k1/", 8), &err));
    EXPECT_OK(store_commit(t, &err));
    store_end(t);
    EXPECT_OK(access_refresh(f->a, &err));
    assert_false(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k1"));
    assert_true(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k11"));
    assert_true(fixture_may(f, BOB, ACCESS_KEYS_SIGN, "/keys/k1"));
}

static enum cf_rc keep_setting(void *ctx, const struct access_setting *s, struct cf_err *e)
{
    (void)e;
    *(struct access_setting *)ctx = *s;
    return CF_OK;
}

static void the_one_setting_is_false_until_set(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct access_setting s;
    EXPECT_OK(access_settings(f->a, keep_setting, &s, &err));
    assert_string_equal(s.name, "AllowKeyManagementOperationsThroughARM");
    assert_false(s.value);
    EXPECT_OK(access_setting_put(f->a, "allowkeymanagementoperationsthrougharm", "True", &s, &err));
    assert_true(s.value);
    fixture_restart(f);
    EXPECT_OK(access_setting_get(f->a, "AllowKeyManagementOperationsThroughARM", &s, &err));
    assert_true(s.value);
    assert_int_equal(s.updated_s, START_S);
    EXPECT_RC(CF_E_ABSENT, access_setting_get(f->a, "Other", &s, &err));
    assert_string_equal(err.code, "NotFound");
    EXPECT_RC(CF_E_ABSENT, access_setting_put(f->a, "Other", "true", &s, &err));
    EXPECT_RC(CF_E_INPUT,
              access_setting_put(f->a, "AllowKeyManagementOperationsThroughARM", "1", &s, &err));
    assert_string_equal(err.code, "BadParameter");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_role_grants_at_each_scope_what_its_table_says),
        TEST(nobody_without_a_verified_token_is_granted_anything),
        TEST(a_key_can_not_be_created_by_who_holds_only_its_name),
        TEST(groups_of_the_token_count),
        TEST(a_denial_says_what_and_where),
        TEST(a_custom_role_grants_what_it_lists_less_what_it_subtracts),
        TEST(a_custom_role_is_stored_in_the_tables_spelling),
        TEST(a_deleted_roles_assignments_stay_without_effect),
        TEST(wrong_definitions_are_refused),
        TEST(built_in_roles_are_listed_before_the_others),
        TEST(an_assignment_is_refused_twice_and_lasts),
        TEST(an_assignments_role_may_be_spelt_in_three_ways),
        TEST(wrong_assignments_are_refused),
        TEST(lists_show_what_their_scope_and_filter_ask_for),
        TEST(a_deleted_assignment_grants_nothing_more),
        TEST(the_last_who_can_write_assignments_at_all_stays),
        TEST(a_role_that_makes_the_last_administrator_stays_so),
        TEST(what_does_not_change_is_granted_throughout_changes),
        TEST(assignments_that_went_with_a_purged_key_end_with_the_refresh),
        TEST(the_one_setting_is_false_until_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
