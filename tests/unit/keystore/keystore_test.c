/* Keys, versions, attributes, tags, soft delete: the rules of API document 4 as clients meet them.
 */
#include "support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "hal_sim/hal_sim.h"
#include "support/fake_token.h"
#include "support/keystore_bench.h"
#include "support/scratch.h"

#define DAY_MS (86400LL * 1000)

static const struct hal_key_spec p256 = { .type = HAL_EC, .curve = HAL_P256 };
static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 256 };

static int set_up(void **state)
{
    struct keystore_bench *b = calloc(1, sizeof *b);
    keystore_bench_open(b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    keystore_bench_close(*state);
    free(*state);
    return 0;
}

static void make(struct keystore_bench *b, const char *name, char id[KEYSTORE_ID_HEX + 1])
{
    struct cf_err err;
    struct keystore_bundle k = { 0 };
    EXPECT_OK(keystore_bench_make(b, name, &p256, &k, &err));
    if (id)
        memcpy(id, k.version.id, KEYSTORE_ID_HEX + 1);
    keystore_bundle_clear(&k);
}

/* The call fails with that class and names that code. */
#define EXPECT_CODE(want, name, call)                                                              \
    do {                                                                                           \
        EXPECT_RC(want, call);                                                                     \
        assert_non_null(err.code);                                                                 \
        assert_string_equal(err.code, name);                                                       \
    } while (0)

static void a_created_key_comes_back_as_it_was_made(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_bundle made = { 0 }, got = { 0 };
    EXPECT_OK(keystore_bench_make(b, "My-Key", &p256, &made, &err));
    assert_string_equal(made.key.name, "My-Key");
    assert_int_equal(made.version.created, KEYSTORE_BENCH_START_S);
    assert_int_equal(made.version.ops, KEYSTORE_SIGN | KEYSTORE_VERIFY);
    assert_true(made.version.enabled);
    assert_true(made.version.spki.len > 60);
    keystore_bench_reopen(b);
    EXPECT_OK(keystore_get(b->ks, "mY-kEY", NULL, &got, &err));
    assert_string_equal(got.key.name, "My-Key");
    assert_string_equal(got.version.id, made.version.id);
    assert_int_equal(got.version.spec.curve, HAL_P256);
    assert_int_equal(got.version.spki.len, made.version.spki.len);
    assert_memory_equal(got.version.spki.data, made.version.spki.data, got.version.spki.len);
    keystore_bundle_clear(&made);
    keystore_bundle_clear(&got);
}

static void each_type_has_its_default_operations(void **state)
{
    static const struct {
        struct hal_key_spec spec;
        unsigned ops;
    } cases[] = {
        { { .type = HAL_RSA, .bits = 2048 }, 0x3f },
        { { .type = HAL_EC, .curve = HAL_P521 }, KEYSTORE_SIGN | KEYSTORE_VERIFY },
        { { .type = HAL_EC, .curve = HAL_P256K }, KEYSTORE_SIGN | KEYSTORE_VERIFY },
        { { .type = HAL_OCT, .bits = 128 }, 0x33 },
    };
    struct keystore_bench *b = *state;
    struct cf_err err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct keystore_bundle k = { 0 };
        EXPECT_OK(keystore_bench_make(b, "k", &cases[i].spec, &k, &err));
        assert_int_equal(k.version.ops, cases[i].ops);
        assert_int_equal(k.version.spec.type, cases[i].spec.type);
        keystore_bundle_clear(&k);
    }
}

static void names_and_shapes_that_none_may_have_are_refused(void **state)
{
    static const struct hal_key_spec bad[] = {
        { 0 },
        { .type = HAL_RSA, .bits = 1024 },
        { .type = HAL_RSA, .bits = 2049 },
        { .type = HAL_RSA, .bits = 2048, .rsa_exponent = 4 },
        { .type = HAL_EC },
        { .type = HAL_EC, .curve = (enum hal_curve)5 },
        { .type = HAL_OCT, .bits = 512 },
    };
    struct keystore_bench *b = *state;
    struct cf_err err;
    char long_name[130];
    memset(long_name, 'a', 128);
    long_name[128] = 0;
    const char *const names[] = { "", "a_b", "a b", "k\xc3\xbc", long_name };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        EXPECT_CODE(CF_E_INPUT, "BadParameter",
                    keystore_bench_make(b, names[i], &p256, NULL, &err));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_bench_make(b, "k", &bad[i], NULL, &err));
    EXPECT_CODE(CF_E_ABSENT, "KeyNotFound", keystore_get(b->ks, "k", NULL, NULL, &err));
    long_name[127] = 0;
    EXPECT_OK(keystore_bench_make(b, long_name, &p256, NULL, &err));
}

static void a_second_creation_makes_a_version_that_is_current(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    char first[33], second[33];
    struct keystore_bundle k = { 0 };
    make(b, "Key", first);
    hal_sim_clock_step(b->clock, 5000);
    make(b, "KEY", second);
    EXPECT_OK(keystore_get(b->ks, "key", NULL, &k, &err));
    assert_string_equal(k.version.id, second);
    assert_string_equal(k.key.name, "Key");
    assert_int_equal(k.key.updated, KEYSTORE_BENCH_START_S + 5);
    keystore_bundle_clear(&k);
    EXPECT_OK(keystore_get(b->ks, "key", first, &k, &err));
    assert_int_equal(k.version.created, KEYSTORE_BENCH_START_S);
    keystore_bundle_clear(&k);
    EXPECT_CODE(CF_E_ABSENT, "KeyNotFound",
                keystore_get(b->ks, "key", "00000000000000000000000000000000", &k, &err));
    EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_get(b->ks, "key", "0", &k, &err));
}

static void the_hundred_and_first_version_is_refused(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    for (int i = 0; i < KEYSTORE_VERSIONS_MAX; i++)
        EXPECT_OK(keystore_bench_make(b, "k", &aes, NULL, &err));
    unsigned long calls = fake_token_calls(b->token);
    EXPECT_RC(CF_E_LIMIT, keystore_bench_make(b, "k", &aes, NULL, &err));
    assert_int_equal(fake_token_calls(b->token), calls); /* refused before the token works */
}

static void attributes_change_one_by_one_and_stay_otherwise(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_tags tags = { 0 };
    struct keystore_bundle k = { 0 };
    make(b, "k", NULL);
    EXPECT_OK(keystore_tags_add(&tags, "zeta", "1", &err));
    EXPECT_OK(keystore_tags_add(&tags, "alpha", "\xc3\xbc", &err));
    struct keystore_attrs a = { .given = KEYSTORE_GIVEN_TAGS | KEYSTORE_GIVEN_EXP,
                                .tags = &tags,
                                .exp = 1800000000 };
    EXPECT_OK(keystore_update(b->ks, "k", NULL, &a, NULL, &err));
    hal_sim_clock_step(b->clock, 9000);
    a = (struct keystore_attrs){ .given = KEYSTORE_GIVEN_ENABLED, .enabled = false };
    EXPECT_OK(keystore_update(b->ks, "K", NULL, &a, NULL, &err));
    EXPECT_OK(keystore_get(b->ks, "k", NULL, &k, &err));
    assert_false(k.version.enabled);
    assert_true(k.version.has_exp);
    assert_false(k.version.has_nbf);
    assert_int_equal(k.version.updated, KEYSTORE_BENCH_START_S + 9);
    assert_int_equal(k.version.tags.count, 2);
    assert_string_equal(k.version.tags.tag[0].name, "alpha");
    assert_string_equal(k.version.tags.tag[0].value, "\xc3\xbc");
    keystore_bundle_clear(&k);
    keystore_tags_clear(&tags);
}

static void attributes_that_contradict_are_refused(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_policy policy = { .content_type = "application/json" };
    EXPECT_OK(cf_buf_put_text(&policy.data, "{}", &err));
    const struct keystore_attrs bad[] = {
        { .given = KEYSTORE_GIVEN_NBF | KEYSTORE_GIVEN_EXP, .nbf = 10, .exp = 10 },
        { .given = KEYSTORE_GIVEN_OPS, .ops = KEYSTORE_ENCRYPT },
        { .given = KEYSTORE_GIVEN_OPS, .ops = KEYSTORE_IMPORT },
        { .given = KEYSTORE_GIVEN_OPS, .ops = KEYSTORE_EXPORT },
        { .given = KEYSTORE_GIVEN_POLICY, .policy = &policy },
        { .given = KEYSTORE_GIVEN_EXPORTABLE, .exportable = true },
    };
    make(b, "k", NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct keystore_new n = { .spec = p256, .attrs = bad[i] };
        EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_create(b->ks, "n", &n, NULL, &err));
        EXPECT_CODE(CF_E_INPUT, "BadParameter",
                    keystore_update(b->ks, "k", NULL, &bad[i], NULL, &err));
    }
    struct hal_key_spec rsa = { .type = HAL_RSA, .bits = 2048 };
    struct keystore_new n = { .spec = rsa,
                              .attrs = { .given = KEYSTORE_GIVEN_OPS,
                                         .ops = KEYSTORE_IMPORT | KEYSTORE_SIGN } };
    EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_create(b->ks, "n", &n, NULL, &err));
    keystore_policy_clear(&policy);
}

static void an_exportable_key_keeps_its_policy_and_an_immutable_one_for_good(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_bundle k = { 0 };
    struct keystore_policy policy = { .content_type = "application/json", .immutable = true };
    EXPECT_OK(cf_buf_put_text(&policy.data, "{\"version\":\"1.0.0\"}", &err));
    struct keystore_new n = { .spec = p256,
                              .attrs = { .given = KEYSTORE_GIVEN_POLICY | KEYSTORE_GIVEN_EXPORTABLE,
                                         .policy = &policy,
                                         .exportable = true } };
    EXPECT_OK(keystore_create(b->ks, "k", &n, NULL, &err));
    struct keystore_attrs a = { .given = KEYSTORE_GIVEN_POLICY, .policy = &policy };
    EXPECT_OK(keystore_update(b->ks, "k", NULL, &a, NULL, &err)); /* the same again */
    EXPECT_OK(cf_buf_put_text(&policy.data, " ", &err));
    EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_update(b->ks, "k", NULL, &a, NULL, &err));
    a = (struct keystore_attrs){ .given = KEYSTORE_GIVEN_EXPORTABLE };
    EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_update(b->ks, "k", NULL, &a, NULL, &err));
    EXPECT_OK(keystore_get(b->ks, "k", NULL, &k, &err));
    assert_true(k.version.exportable);
    assert_true(k.version.policy.immutable);
    assert_int_equal(k.version.policy.data.len, 19);
    keystore_bundle_clear(&k);
    keystore_policy_clear(&policy);
}

static void tags_have_their_limits(void **state)
{
    (void)state;
    struct cf_err err;
    struct keystore_tags t = { 0 };
    char text[258], wide[2 * 257 + 1] = "";
    memset(text, 'x', 257);
    text[257] = 0;
    for (int i = 0; i < 257; i++)
        memcpy(wide + 2 * i, "\xc3\xbc", 3);
    EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_tags_add(&t, text, "v", &err));
    EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_tags_add(&t, "n", wide, &err));
    EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_tags_add(&t, "n", "a\nb", &err));
    text[256] = wide[512] = 0;
    EXPECT_OK(keystore_tags_add(&t, text, wide, &err));
    EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_tags_add(&t, text, "again", &err));
    for (int i = 1; i < KEYSTORE_TAGS_MAX; i++) {
        snprintf(text, sizeof text, "%d", i);
        EXPECT_OK(keystore_tags_add(&t, text, "", &err));
    }
    EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_tags_add(&t, "one more", "", &err));
    keystore_tags_clear(&t);
}

static void a_deleted_key_keeps_its_name_until_purge(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_bundle k = { 0 };
    char first[33];
    make(b, "k", first);
    make(b, "k", NULL);
    EXPECT_OK(keystore_delete(b->ks, "K", &k, &err));
    assert_int_equal(k.key.deleted, KEYSTORE_BENCH_START_S);
    assert_int_equal(k.key.purge_at, KEYSTORE_BENCH_START_S + 7 * 86400);
    keystore_bundle_clear(&k);
    EXPECT_CODE(CF_E_ABSENT, "KeyNotFound", keystore_get(b->ks, "k", NULL, &k, &err));
    EXPECT_CODE(CF_E_ABSENT, "KeyNotFound", keystore_delete(b->ks, "k", NULL, &err));
    EXPECT_CODE(CF_E_STATE, "ObjectIsDeletedButRecoverable",
                keystore_bench_make(b, "k", &p256, NULL, &err));
    EXPECT_OK(keystore_get_deleted(b->ks, "k", &k, &err));
    keystore_bundle_clear(&k);
    EXPECT_OK(keystore_recover(b->ks, "k", &k, &err));
    assert_int_equal(k.key.deleted, 0);
    keystore_bundle_clear(&k);
    EXPECT_OK(keystore_get(b->ks, "k", first, &k, &err));
    keystore_bundle_clear(&k);
    EXPECT_CODE(CF_E_ABSENT, "KeyNotFound", keystore_recover(b->ks, "k", NULL, &err));
    EXPECT_CODE(CF_E_ABSENT, "KeyNotFound", keystore_purge(b->ks, "k", &err));
    EXPECT_OK(keystore_delete(b->ks, "k", NULL, &err));
    EXPECT_OK(keystore_purge(b->ks, "k", &err));
    EXPECT_CODE(CF_E_ABSENT, "KeyNotFound", keystore_get_deleted(b->ks, "k", &k, &err));
    make(b, "k", NULL);
    EXPECT_CODE(CF_E_ABSENT, "KeyNotFound", keystore_get(b->ks, "k", first, &k, &err));
}

static void put_assignment(struct keystore_bench *b, const char *key)
{
    struct store_txn *t = NULL;
    struct store_put p = { .key = { key, strlen(key) }, .value = { "v", 1 } };
    assert_int_equal(store_live_write(b->live, &t, NULL), CF_OK);
    assert_int_equal(store_put(t, STORE_ASSIGNMENT, &p, NULL), CF_OK);
    assert_int_equal(store_commit(t, NULL), CF_OK);
    store_end(t);
}

static void a_purge_drops_the_role_assignments_of_the_key_and_no_others(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct store_view *v = NULL;
    uint64_t n = 0;
    make(b, "k", NULL);
    put_assignment(b, "keys/k/00000000-0000-0000-0000-000000000001");
    put_assignment(b, "keys/k2/00000000-0000-0000-0000-000000000001");
    put_assignment(b, "00000000-0000-0000-0000-000000000001");
    EXPECT_OK(keystore_delete(b->ks, "k", NULL, &err));
    EXPECT_OK(keystore_purge(b->ks, "k", &err));
    EXPECT_OK(store_live_read(b->live, &v, &err));
    EXPECT_OK(store_count(v, STORE_ASSIGNMENT, &n, &err));
    assert_int_equal(n, 2);
    EXPECT_OK(store_count(v, STORE_VERSION, &n, &err));
    assert_int_equal(n, 0);
    store_view_end(v);
}

static void retention_ends_by_itself_purge_protection_or_not(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_counts n;
    size_t purged = 0;
    struct keystore_walk walk = { 0 };
    b->options.purge_protection = true;
    keystore_bench_reopen(b);
    make(b, "a", NULL);
    make(b, "b", NULL);
    make(b, "c", NULL);
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    EXPECT_OK(keystore_delete(b->ks, "a", NULL, &err));
    EXPECT_CODE(CF_E_DENIED, "Forbidden", keystore_purge(b->ks, "a", &err));
    hal_sim_clock_step(b->clock, DAY_MS);
    EXPECT_OK(keystore_delete(b->ks, "b", NULL, &err));
    hal_sim_clock_step(b->clock, 6 * DAY_MS - 1);
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    assert_int_equal(purged, 0);
    hal_sim_clock_step(b->clock, 1);
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    assert_int_equal(purged, 1);
    hal_sim_clock_step(b->clock, DAY_MS);
    EXPECT_OK(keystore_expire(b->ks, &walk, 0, &purged, &err));
    assert_int_equal(purged, 0);
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    assert_int_equal(purged, 1);
    EXPECT_OK(keystore_count(b->ks, &n, &err));
    assert_int_equal(n.keys, 1);
    assert_int_equal(n.deleted, 0);
    assert_int_equal(n.versions, 1);
}

/* A clock that jumps must not take keys for good: it waits until the jump was to be seen for a day.
 */
static void a_clock_that_jumps_purges_nothing_for_a_day(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_walk walk = { 0 };
    size_t purged = 0;
    make(b, "a", NULL);
    EXPECT_OK(keystore_delete(b->ks, "a", NULL, &err));
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    hal_sim_clock_step(b->clock, 2 * DAY_MS); /* proven by now */
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    hal_sim_clock_jump(b->clock, 400 * DAY_MS);
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    assert_int_equal(purged, 0);
    hal_sim_clock_step(b->clock, DAY_MS - 1);
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    assert_int_equal(purged, 0);
    hal_sim_clock_jump(b->clock, -400 * DAY_MS); /* somebody has seen it */
    for (int i = 0; i < 4; i++) {
        EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
        assert_int_equal(purged, 0);
        hal_sim_clock_step(b->clock, DAY_MS);
    }
    hal_sim_clock_jump(b->clock, 400 * DAY_MS); /* nobody has */
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    hal_sim_clock_step(b->clock, DAY_MS);
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    assert_int_equal(purged, 1);
}

/* What is due comes in portions: a call looks at a few keys, however many there are. */
static void expiry_goes_on_where_it_stopped(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_walk walk = { 0 };
    size_t purged = 0;
    static const char *const names[] = { "a", "b", "c", "d", "e" };
    b->options.looks = 2;
    keystore_bench_reopen(b);
    for (size_t i = 0; i < 5; i++)
        make(b, names[i], NULL);
    EXPECT_OK(keystore_delete(b->ks, "b", NULL, &err));
    EXPECT_OK(keystore_delete(b->ks, "e", NULL, &err));
    EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
    hal_sim_clock_step(b->clock, 8 * DAY_MS);
    static const struct {
        size_t purged;
        const char *after;
    } calls[] = { { 1, "b" }, { 0, "d" }, { 1, "" }, { 0, "c" }, { 0, "" }, { 0, "c" } };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        EXPECT_OK(keystore_expire(b->ks, &walk, 10, &purged, &err));
        print_message("  call %zu: %zu purged, stands at \"%s\"\n", i, purged, walk.after);
        assert_int_equal(purged, calls[i].purged);
        assert_string_equal(walk.after, calls[i].after);
    }
}

/* Names of a whole list, page by page. */
static void list_all(struct keystore_bench *b, enum keystore_which which, size_t limit, char *out)
{
    struct cf_err err;
    char after[KEYSTORE_NAME_MAX + 1] = "";
    out[0] = 0;
    for (bool more = true; more;) {
        struct keystore_page p = { 0 };
        EXPECT_OK(keystore_list(b->ks, which, after[0] ? after : NULL, limit, &p, &err));
        assert_true(p.count <= limit);
        for (size_t i = 0; i < p.count; i++) {
            strcat(out, p.item[i].key.name);
            strcat(out, ",");
        }
        more = p.more;
        assert_true(!more || strcmp(after, p.last) != 0);
        snprintf(after, sizeof after, "%s", p.last);
        keystore_page_clear(&p);
    }
}

static void lists_come_in_pages_without_memory(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_page p = { 0 };
    char got[200];
    static const char *const names[] = { "delta", "Alpha", "charlie", "bravo", "echo", "a" };
    list_all(b, KEYSTORE_LIVE, 3, got);
    assert_string_equal(got, "");
    for (size_t i = 0; i < 6; i++)
        make(b, names[i], NULL);
    EXPECT_OK(keystore_delete(b->ks, "charlie", NULL, &err));
    EXPECT_OK(keystore_delete(b->ks, "alpha", NULL, &err));
    for (size_t limit = 1; limit < 6; limit++) {
        list_all(b, KEYSTORE_LIVE, limit, got);
        assert_string_equal(got, "a,bravo,delta,echo,");
        list_all(b, KEYSTORE_DELETED, limit, got);
        assert_string_equal(got, "Alpha,charlie,");
    }
    EXPECT_CODE(CF_E_INPUT, "BadParameter", keystore_list(b->ks, KEYSTORE_LIVE, NULL, 0, &p, &err));
    EXPECT_CODE(CF_E_INPUT, "BadParameter",
                keystore_list(b->ks, KEYSTORE_LIVE, NULL, 26, &p, &err));
}

/* A page's time must not grow with the keys that it passes over: the one deleted key behind many
 * live ones, or the other way round. */
static void a_page_looks_at_few_keys_and_may_be_empty(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_page p = { 0 };
    char got[200];
    static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g" };
    b->options.looks = 3;
    keystore_bench_reopen(b);
    for (size_t i = 0; i < 7; i++)
        make(b, names[i], NULL);
    EXPECT_OK(keystore_delete(b->ks, "g", NULL, &err));
    EXPECT_OK(keystore_list(b->ks, KEYSTORE_DELETED, NULL, 25, &p, &err));
    assert_int_equal(p.count, 0);
    assert_true(p.more);
    assert_string_equal(p.last, "c");
    keystore_page_clear(&p);
    list_all(b, KEYSTORE_DELETED, 25, got);
    assert_string_equal(got, "g,");
    list_all(b, KEYSTORE_LIVE, 25, got);
    assert_string_equal(got, "a,b,c,d,e,f,");
}

static void only_live_keys_with_a_policy_are_rotating(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    char got[200];
    make(b, "a", NULL);
    make(b, "b", NULL);
    make(b, "c", NULL);
    EXPECT_OK(keystore_rotation_set(b->ks, "b", "{}", &err));
    EXPECT_OK(keystore_rotation_set(b->ks, "c", "{}", &err));
    EXPECT_OK(keystore_delete(b->ks, "c", NULL, &err));
    list_all(b, KEYSTORE_ROTATING, 25, got);
    assert_string_equal(got, "b,");
}

static void versions_are_listed_in_order_of_creation(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    char id[5][33];
    struct keystore_page p = { 0 };
    for (size_t i = 0; i < 5; i++)
        make(b, "k", id[i]);
    make(b, "k2", NULL);
    struct keystore_versions_from from = { .name = "K" };
    EXPECT_OK(keystore_list_versions(b->ks, &from, 3, &p, &err));
    assert_int_equal(p.count, 3);
    assert_true(p.more);
    assert_string_equal(p.item[0].version.id, id[0]);
    from.after = id[2];
    keystore_page_clear(&p);
    EXPECT_OK(keystore_list_versions(b->ks, &from, 3, &p, &err));
    assert_int_equal(p.count, 2);
    assert_false(p.more);
    assert_string_equal(p.item[1].version.id, id[4]);
    keystore_page_clear(&p);
    from = (struct keystore_versions_from){ .name = "none" };
    EXPECT_OK(keystore_list_versions(b->ks, &from, 3, &p, &err));
    assert_int_equal(p.count, 0);
    keystore_page_clear(&p);
}

static void rotation_copies_what_the_current_version_is(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct cf_buf json = { 0 };
    struct keystore_bundle k = { 0 };
    char first[33];
    struct keystore_new n = { .spec = { .type = HAL_OCT, .bits = 192 },
                              .attrs = { .given = KEYSTORE_GIVEN_OPS, .ops = KEYSTORE_WRAP } };
    EXPECT_OK(keystore_create(b->ks, "k", &n, &k, &err));
    memcpy(first, k.version.id, sizeof first);
    keystore_bundle_clear(&k);
    EXPECT_RC(CF_E_STATE, keystore_rotate(b->ks, "k", 0, &k, &err));
    EXPECT_OK(keystore_rotation_set(b->ks, "k", "{\"lifetimeActions\":[]}", &err));
    EXPECT_OK(keystore_rotation_get(b->ks, "K", &json, &err));
    assert_int_equal(json.len, 22);
    EXPECT_OK(keystore_rotate(b->ks, "k", 1900000000, &k, &err));
    assert_string_not_equal(k.version.id, first);
    assert_int_equal(k.version.ops, KEYSTORE_WRAP);
    assert_int_equal(k.version.spec.bits, 192);
    assert_int_equal(k.version.exp, 1900000000);
    keystore_bundle_clear(&k);
    EXPECT_OK(keystore_rotation_set(b->ks, "k", "", &err));
    EXPECT_RC(CF_E_STATE, keystore_rotate(b->ks, "k", 0, &k, &err));
    cf_buf_clear(&json);
}

static void a_token_that_fails_leaves_no_trace(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_counts n;
    fake_token_fail(b->token, CF_E_TOKEN, 1);
    EXPECT_RC(CF_E_TOKEN, keystore_bench_make(b, "k", &p256, NULL, &err));
    EXPECT_OK(keystore_count(b->ks, &n, &err));
    assert_int_equal(n.keys, 0);
    EXPECT_OK(keystore_bench_make(b, "k", &p256, NULL, &err));
}

static void no_name_tag_or_material_is_readable_in_the_files(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_tags tags = { 0 };
    struct cf_secret *material = NULL;
    uint8_t key[32];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(3 * i + 1);
    EXPECT_OK(keystore_tags_add(&tags, "telling-tag", "telling-value", &err));
    struct keystore_new n = { .spec = aes,
                              .attrs = { .given = KEYSTORE_GIVEN_TAGS, .tags = &tags } };
    EXPECT_OK(cf_secret_copy(key, sizeof key, &material, &err));
    EXPECT_OK(keystore_import(b->ks, "a-telling-name", &n, material, NULL, &err));
    for (int pass = 0; pass < 2; pass++) {
        assert_true(scratch_lacks(b->dir, "telling", 7));
        assert_true(scratch_lacks(b->dir, key, 8));
        assert_true(scratch_lacks(b->dir, "CFRK", 4));
        keystore_bench_reopen(b);
    }
    keystore_tags_clear(&tags);
    cf_secret_free(material);
}

struct maker {
    struct keystore_bench *b;
    unsigned id;
    bool failed;
};

static void *make_some(void *arg)
{
    struct maker *m = arg;
    for (int i = 0; i < 10; i++) {
        struct keystore_bundle k = { 0 };
        char own[20];
        snprintf(own, sizeof own, "own-%u", m->id);
        if (keystore_bench_make(m->b, "shared", &aes, NULL, NULL) != CF_OK ||
            keystore_bench_make(m->b, own, &aes, &k, NULL) != CF_OK)
            m->failed = true;
        keystore_bundle_clear(&k);
        if (keystore_get(m->b->ks, "shared", NULL, &k, NULL) != CF_OK)
            m->failed = true;
        keystore_bundle_clear(&k);
    }
    return NULL;
}

static void many_threads_make_versions_of_one_key(void **state)
{
    struct keystore_bench *b = *state;
    struct cf_err err;
    struct keystore_counts n;
    struct maker m[6];
    pthread_t thread[6];
    for (unsigned i = 0; i < 6; i++) {
        m[i] = (struct maker){ .b = b, .id = i };
        pthread_create(&thread[i], NULL, make_some, &m[i]);
    }
    for (unsigned i = 0; i < 6; i++) {
        pthread_join(thread[i], NULL);
        assert_false(m[i].failed);
    }
    EXPECT_OK(keystore_count(b->ks, &n, &err));
    assert_int_equal(n.keys, 7);
    assert_int_equal(n.versions, 120);
    keystore_bench_reopen(b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_created_key_comes_back_as_it_was_made),
        CASE(each_type_has_its_default_operations),
        CASE(names_and_shapes_that_none_may_have_are_refused),
        CASE(a_second_creation_makes_a_version_that_is_current),
        CASE(the_hundred_and_first_version_is_refused),
        CASE(attributes_change_one_by_one_and_stay_otherwise),
        CASE(attributes_that_contradict_are_refused),
        CASE(an_exportable_key_keeps_its_policy_and_an_immutable_one_for_good),
        CASE(tags_have_their_limits),
        CASE(a_deleted_key_keeps_its_name_until_purge),
        CASE(a_purge_drops_the_role_assignments_of_the_key_and_no_others),
        CASE(retention_ends_by_itself_purge_protection_or_not),
        CASE(a_clock_that_jumps_purges_nothing_for_a_day),
        CASE(expiry_goes_on_where_it_stopped),
        CASE(lists_come_in_pages_without_memory),
        CASE(a_page_looks_at_few_keys_and_may_be_empty),
        CASE(only_live_keys_with_a_policy_are_rotating),
        CASE(versions_are_listed_in_order_of_creation),
        CASE(rotation_copies_what_the_current_version_is),
        CASE(a_token_that_fails_leaves_no_trace),
        CASE(no_name_tag_or_material_is_readable_in_the_files),
        CASE(many_threads_make_versions_of_one_key),
    };
    return cmocka_run_group_tests_name("keystore", tests, NULL, NULL);
}
