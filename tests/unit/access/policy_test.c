/* The policy stream: out of one store, into another, and every malformed record refused. */
#include "fixture.h"

#include "cbor/cbor.h"

#define RECORDS_MAX 16

struct records {
    struct cf_buf item[RECORDS_MAX];
    size_t count;
    uint64_t assignments;
};

static void records_clear(struct records *r)
{
    for (size_t i = 0; i < r->count; i++)
        cf_buf_clear(&r->item[i]);
}

static void export_all(struct store_live *live, struct records *out)
{
    struct store_view *v = NULL;
    struct access_export *x = NULL;
    struct cf_err err;
    bool done = false;
    memset(out, 0, sizeof *out);
    EXPECT_OK(store_live_read(live, &v, &err));
    EXPECT_OK(access_export_new(v, &x, &err));
    for (;;) {
        EXPECT_OK(access_export_next(x, &out->item[out->count], &done, &err));
        if (done)
            break;
        out->count++;
        assert_true(out->count < RECORDS_MAX);
    }
    out->assignments = access_export_assignments(x);
    access_export_free(x);
    store_view_end(v);
}

static void fill(struct fixture *f)
{
    struct access_definition d = { 0 }, out = { 0 };
    struct access_permission *p = NULL;
    struct access_setting s;
    struct cf_err err;
    const char *user = access_builtin(ACCESS_CRYPTO_USER)->id;
    d.role_name = strdup("Signer");
    EXPECT_OK(access_permission_add(&d, &p, &err));
    EXPECT_OK(
        access_texts_add(&p->data_actions, "Microsoft.KeyVault/managedHsm/keys/sign/action", &err));
    EXPECT_OK(access_definition_put(f->a, ROLE, &d, &out, &err));
    access_definition_clear(&d);
    access_definition_clear(&out);
    EXPECT_OK(fixture_assign(f, NAME2, "/keys/k1", ROLE, ALICE, &err));
    EXPECT_OK(fixture_assign(f, NAME1, "/keys", user, BOB, &err));
    EXPECT_OK(access_grant(f->a, ALICE, ACCESS_ADMINISTRATOR, &err));
    EXPECT_OK(access_setting_put(f->a, "AllowKeyManagementOperationsThroughARM", "true", &s, &err));
}

static void records_come_in_order_and_make_the_same_store(void **state)
{
    struct fixture *f = *state;
    struct records out, again;
    struct store_stage *stage = NULL;
    struct store_txn *t = NULL;
    struct cf_err err;
    char key[ACCESS_RECORD_KEY_SIZE], last[ACCESS_RECORD_KEY_SIZE] = "";
    uint8_t side[STORE_SIDES] = { 0 };
    fill(f);
    export_all(f->live, &out);
    assert_int_equal(out.count, 5);
    assert_int_equal(out.assignments, 3);

    EXPECT_OK(store_live_stage(f->live, &stage, &err));
    EXPECT_OK(store_write(store_stage_store(stage), &t, &err));
    for (size_t i = 0; i < out.count; i++) {
        EXPECT_OK(access_policy_check(out.item[i].data, out.item[i].len, key, &err));
        assert_true(strcmp(last, key) < 0);
        memcpy(last, key, sizeof last);
        EXPECT_OK(access_policy_put(t, out.item[i].data, out.item[i].len, &err));
    }
    EXPECT_OK(store_commit(t, &err));
    store_end(t);
    assert_string_equal(last, "setting/allowkeymanagementoperationsthrougharm");
    EXPECT_OK(store_live_switch(f->live, stage, side, &err));
    EXPECT_OK(access_refresh(f->a, &err));

    export_all(f->live, &again);
    assert_int_equal(again.count, out.count);
    for (size_t i = 0; i < out.count; i++) {
        assert_int_equal(again.item[i].len, out.item[i].len);
        assert_memory_equal(again.item[i].data, out.item[i].data, out.item[i].len);
    }
    assert_true(fixture_may(f, ALICE, ACCESS_KEYS_SIGN, "/keys/k1"));
    assert_true(fixture_may(f, ALICE, ACCESS_BACKUP_START, "/"));
    assert_true(fixture_may(f, BOB, ACCESS_KEYS_CREATE, "/keys/x"));
    records_clear(&out);
    records_clear(&again);
}

static void a_switch_to_a_store_without_roles_takes_them_away(void **state)
{
    struct fixture *f = *state;
    struct store_stage *stage = NULL;
    struct cf_err err;
    uint8_t side[STORE_SIDES] = { 0 };
    fill(f);
    EXPECT_OK(store_live_stage(f->live, &stage, &err));
    EXPECT_OK(store_live_switch(f->live, stage, side, &err));
    EXPECT_OK(access_refresh(f->a, &err));
    assert_false(fixture_may(f, ALICE, ACCESS_BACKUP_START, "/"));
    EXPECT_OK(access_grant(f->a, ALICE, ACCESS_ADMINISTRATOR, &err)); /* the owner's way back in */
    assert_true(fixture_may(f, ALICE, ACCESS_BACKUP_START, "/"));
}

/* Each byte of each record changed in each bit: refused, or another well-formed record. */
static void no_changed_record_is_taken_for_what_it_was(void **state)
{
    struct fixture *f = *state;
    struct records out;
    char key[ACCESS_RECORD_KEY_SIZE], was[ACCESS_RECORD_KEY_SIZE];
    struct cf_err err;
    fill(f);
    export_all(f->live, &out);
    for (size_t i = 0; i < out.count; i++) {
        struct cf_buf *r = &out.item[i];
        EXPECT_OK(access_policy_check(r->data, r->len, was, &err));
        for (size_t bit = 0; bit < 8 * r->len; bit++) {
            r->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            enum cf_rc rc = access_policy_check(r->data, r->len, key, NULL);
            assert_true(rc == CF_OK || rc == CF_E_CORRUPT);
            r->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t len = 0; len < r->len; len++)
            assert_int_equal(access_policy_check(r->data, len, key, NULL), CF_E_CORRUPT);
    }
    records_clear(&out);
}

/* --- records made by hand -------------------------------------------------------------------- */

struct made {
    const char *key;
    const char *name, *scope, *role, *principal;
    uint64_t created;
};

static void put_guid(struct cbor_wr *w, const char *hex)
{
    uint8_t b[16];
    for (int i = 0; i < 16; i++)
        b[i] = (uint8_t)(hex[i % 2] - 'a' + 0xa0); /* any sixteen bytes of one kind */
    cbor_wr_bytes(w, b, sizeof b);
}

static enum cf_rc check_made(const struct made *m)
{
    struct cf_buf b = { 0 };
    struct cbor_wr w;
    char key[ACCESS_RECORD_KEY_SIZE];
    cbor_wr_init(&w, &b, NULL);
    cbor_wr_map(&w, 2);
    cbor_wr_key(&w, 1);
    cbor_wr_text(&w, m->key);
    cbor_wr_key(&w, 2);
    cbor_wr_map(&w, 5);
    cbor_wr_key(&w, 1);
    put_guid(&w, m->name);
    cbor_wr_key(&w, 2);
    cbor_wr_text(&w, m->scope);
    cbor_wr_key(&w, 3);
    put_guid(&w, m->role);
    cbor_wr_key(&w, 4);
    cbor_wr_text(&w, m->principal);
    cbor_wr_key(&w, 5);
    cbor_wr_uint(&w, m->created);
    assert_int_equal(cbor_wr_end(&w), CF_OK);
    enum cf_rc rc = access_policy_check(b.data, b.len, key, NULL);
    cf_buf_clear(&b);
    return rc;
}

#define GUID_AA "a0a0a0a0-a0a0-a0a0-a0a0-a0a0a0a0a0a0"

static void a_record_whose_parts_disagree_is_refused(void **state)
{
    (void)state;
    static const struct made good[] = {
        { "assignment/" GUID_AA, "aa", "/", "bb", "anyone", 1 },
        { "assignment/keys/" GUID_AA, "aa", "/keys", "bb", "x", 0 },
        { "assignment/keys/k-1/" GUID_AA, "aa", "/keys/k-1", "bb", "x", 253402300799 },
    };
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(check_made(&good[i]), CF_OK);
    static const struct made bad[] = {
        { "assignment/" GUID_AA, "bb", "/", "bb", "x", 1 },           /* another name */
        { "assignment/" GUID_AA, "aa", "/keys", "bb", "x", 1 },       /* another scope */
        { "assignment/keys/" GUID_AA, "aa", "/keys/", "bb", "x", 1 }, /* not its one form */
        { "assignment/keys/K1/" GUID_AA, "aa", "/keys/K1", "bb", "x", 1 },
        { "assignment//" GUID_AA, "aa", "//", "bb", "x", 1 },
        { "assignment/" GUID_AA, "aa", "/", "bb", "", 1 },             /* nobody */
        { "assignment/" GUID_AA, "aa", "/", "bb", "a\x01", 1 },        /* control character */
        { "assignment/" GUID_AA, "aa", "/", "bb", "x", 253402300800 }, /* beyond year 9999 */
        { "role/" GUID_AA, "aa", "/", "bb", "x", 1 },                  /* another table */
        { "secret/" GUID_AA, "aa", "/", "bb", "x", 1 },                /* no table */
        { "assignment/", "aa", "/", "bb", "x", 1 },
        { GUID_AA, "aa", "/", "bb", "x", 1 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (check_made(&bad[i]) != CF_E_CORRUPT)
            fail_msg("record %zu was taken", i);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_in_order_and_make_the_same_store),
        TEST(a_switch_to_a_store_without_roles_takes_them_away),
        TEST(no_changed_record_is_taken_for_what_it_was),
        TEST(a_record_whose_parts_disagree_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
