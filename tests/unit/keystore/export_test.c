/* Records out of a snapshot and back in; one key as a blob; what is refused on the way. */
#include "support/test.h"

#include <stdlib.h>

#include "keystore/export.h"
#include "support/fake_token.h"
#include "support/keystore_bench.h"

static const struct hal_key_spec p256 = { .type = HAL_EC, .curve = HAL_P256 };
static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 128 };

struct fixture {
    struct keystore_bench b;
    struct cf_buf record[8];
    size_t count;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    keystore_bench_open(&f->b);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < 8; i++)
        cf_buf_clear(&f->record[i]);
    keystore_bench_close(&f->b);
    free(f);
    return 0;
}

static void make(struct fixture *f, const char *name, const struct hal_key_spec *spec)
{
    struct cf_err err;
    EXPECT_OK(keystore_bench_make(&f->b, name, spec, NULL, &err));
}

static void export_all(struct fixture *f, struct keystore_counts *counts)
{
    struct cf_err err;
    struct keystore_snapshot *s = NULL;
    bool more = true;
    EXPECT_OK(keystore_snapshot_open(f->b.ks, &s, &err));
    for (f->count = 0; f->count < 8; f->count++) {
        EXPECT_OK(keystore_snapshot_next(s, &f->record[f->count], &more, &err));
        if (!more)
            break;
    }
    keystore_snapshot_counts(s, counts);
    keystore_snapshot_close(s);
}

static struct keystore_record *parse(struct fixture *f, size_t i)
{
    struct cf_err err;
    struct keystore_record *r = NULL;
    EXPECT_OK(keystore_record_parse(f->b.ks, f->record[i].data, f->record[i].len, &r, &err));
    EXPECT_OK(keystore_record_verify(f->b.ks, r, &err));
    EXPECT_OK(keystore_record_check(f->b.ks, r, true, &err));
    return r;
}

static void a_snapshot_gives_every_key_once_in_order_and_the_same_again_after_restore(void **state)
{
    static const uint8_t sides[STORE_SIDES];
    struct fixture *f = *state;
    struct cf_err err;
    struct keystore_counts n;
    struct store_stage *st = NULL;
    struct store_txn *t = NULL;
    make(f, "Bravo", &p256);
    make(f, "a", &aes);
    make(f, "ab", &aes);
    make(f, "Bravo", &aes); /* versions of one key may be of two kinds */
    EXPECT_OK(keystore_delete(f->b.ks, "ab", NULL, &err));
    EXPECT_OK(keystore_rotation_set(f->b.ks, "a", "{}", &err));
    export_all(f, &n);
    assert_int_equal(f->count, 3);
    assert_int_equal(n.versions, 4);
    assert_int_equal(n.deleted, 1);

    static const char *const names[] = { "a", "ab", "bravo" };
    EXPECT_OK(store_live_stage(f->b.live, &st, &err));
    EXPECT_OK(store_write(store_stage_store(st), &t, &err));
    for (size_t i = 0; i < 3; i++) {
        struct keystore_record *r = parse(f, i);
        assert_string_equal(keystore_record_name(r), names[i]);
        EXPECT_OK(keystore_record_put(r, t, &err));
        EXPECT_RC(CF_E_STATE, keystore_record_put(r, t, &err));
        keystore_record_free(r);
    }
    EXPECT_OK(store_commit(t, &err));
    store_end(t);
    EXPECT_OK(store_live_switch(f->b.live, st, sides, &err));

    struct fixture again = { .b = f->b };
    export_all(&again, &n);
    assert_int_equal(again.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(again.record[i].len, f->record[i].len);
        assert_memory_equal(again.record[i].data, f->record[i].data, f->record[i].len);
        cf_buf_clear(&again.record[i]);
    }
    struct keystore_use u = { .name = "bravo" };
    struct hal_op op = {
        .use = HAL_ENCRYPT, .mech = HAL_AES_GCM, .in = (const uint8_t *)"x", .in_len = 1
    };
    struct keystore_result res = { 0 };
    EXPECT_OK(keystore_use(f->b.ks, &u, &op, &res, &err));
    keystore_result_clear(&res);
}

/* 15 tags, each name and value of `chars` characters, and a release policy as long as there is. */
static enum cf_rc make_large(struct fixture *f, const char *name, const char *character)
{
    struct keystore_tags tags = { 0 };
    struct keystore_policy policy = { .content_type = "application/json" };
    struct cf_err err = { 0 };
    char text[2][1100] = { "", "" };
    for (size_t i = 0; i < 250; i++)
        for (size_t k = 0; k < 2; k++)
            strcat(text[k], character);
    size_t end = strlen(text[0]);
    for (size_t i = 0; i < KEYSTORE_TAGS_MAX; i++) {
        snprintf(text[0] + end, 8, "%zu", 10 + i);
        EXPECT_OK(keystore_tags_add(&tags, text[0], text[1], &err));
    }
    EXPECT_OK(cf_buf_resize(&policy.data, KEYSTORE_POLICY_MAX, &err));
    struct keystore_new n = { .spec = aes,
                              .attrs = { .given = KEYSTORE_GIVEN_TAGS | KEYSTORE_GIVEN_POLICY |
                                                  KEYSTORE_GIVEN_EXPORTABLE,
                                         .exportable = true,
                                         .tags = &tags,
                                         .policy = &policy } };
    enum cf_rc rc = keystore_create(f->b.ks, name, &n, NULL, &err);
    keystore_tags_clear(&tags);
    keystore_policy_clear(&policy);
    return rc;
}

static void no_version_is_so_large_that_a_backup_could_not_carry_its_key(void **state)
{
    struct fixture *f = *state;
    struct keystore_counts c;
    assert_int_equal(make_large(f, "wide", "\xf0\x9f\x94\x91"), CF_E_INPUT);
    for (size_t i = 0; i < KEYSTORE_VERSIONS_MAX; i++)
        assert_int_equal(make_large(f, "full", "\xc3\xa9"), CF_OK);
    export_all(f, &c);
    assert_int_equal(c.versions, KEYSTORE_VERSIONS_MAX);
    assert_true(f->record[0].len > 3 << 20);
    keystore_record_free(parse(f, 0));
}

static void a_snapshot_does_not_move(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct keystore_snapshot *s = NULL;
    struct cf_buf record = { 0 };
    bool more = true;
    make(f, "a", &aes);
    EXPECT_OK(keystore_snapshot_open(f->b.ks, &s, &err));
    make(f, "b", &aes);
    make(f, "a", &aes);
    EXPECT_OK(keystore_snapshot_next(s, &record, &more, &err));
    assert_true(more);
    EXPECT_OK(keystore_snapshot_next(s, &record, &more, &err));
    assert_false(more);
    keystore_snapshot_close(s);
    cf_buf_clear(&record);
}

static void every_flipped_bit_of_a_record_is_refused(void **state)
{
    struct fixture *f = *state;
    struct keystore_counts n;
    make(f, "a", &aes);
    export_all(f, &n);
    struct cf_buf *b = &f->record[0];
    size_t attributes = 0;
    for (size_t bit = 0; bit < 8 * b->len; bit++) {
        struct keystore_record *r = NULL;
        b->data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        enum cf_rc rc = keystore_record_parse(f->b.ks, b->data, b->len, &r, NULL);
        if (rc == CF_OK)
            rc = keystore_record_verify(f->b.ks, r, NULL);
        /* Dates, operations and "enabled" are guarded by the backup's seal, not by the blob. */
        if (rc == CF_OK)
            attributes++;
        keystore_record_free(r);
        b->data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    assert_in_range(attributes, 1, 8 * (3 * 4 + 4)); /* three dates, ops, a spelling, a switch */
    for (size_t len = 0; len < b->len; len++) {
        struct keystore_record *r = NULL;
        assert_int_not_equal(keystore_record_parse(f->b.ks, b->data, len, &r, NULL), CF_OK);
    }
}

static void what_was_not_verified_is_put_nowhere(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct keystore_counts n;
    struct keystore_record *r = NULL;
    enum keystore_restored how;
    make(f, "a", &aes);
    export_all(f, &n);
    EXPECT_OK(keystore_record_parse(f->b.ks, f->record[0].data, f->record[0].len, &r, &err));
    EXPECT_RC(CF_E_ARG, keystore_record_restore(f->b.ks, r, &how, &err));
    keystore_record_free(r);
}

static void selective_restore_touches_one_key_and_no_live_one(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct keystore_counts n;
    struct keystore_bundle k = { 0 };
    enum keystore_restored how;
    make(f, "a", &aes);
    make(f, "a", &p256);
    make(f, "b", &aes);
    export_all(f, &n);
    struct keystore_record *r = parse(f, 0);
    make(f, "a", &aes);
    EXPECT_OK(keystore_record_restore(f->b.ks, r, &how, &err));
    assert_int_equal(how, KEYSTORE_NOT_OVERWRITTEN);
    EXPECT_OK(keystore_count(f->b.ks, &n, &err));
    assert_int_equal(n.versions, 4);
    EXPECT_OK(keystore_delete(f->b.ks, "a", NULL, &err));
    EXPECT_RC(CF_E_STATE, keystore_record_restore(f->b.ks, r, &how, &err));
    assert_string_equal(err.code, "Conflict");
    EXPECT_OK(keystore_purge(f->b.ks, "a", &err));
    EXPECT_OK(keystore_record_restore(f->b.ks, r, &how, &err));
    assert_int_equal(how, KEYSTORE_RESTORED);
    EXPECT_OK(keystore_get(f->b.ks, "a", NULL, &k, &err));
    assert_int_equal(k.version.spec.type, HAL_EC);
    keystore_bundle_clear(&k);
    keystore_record_free(r);
    keystore_bench_reopen(&f->b);
}

static void a_record_of_another_domain_or_generation_is_named(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct keystore_counts n;
    struct keystore_record *r = NULL;
    make(f, "a", &aes);
    export_all(f, &n);
    struct keystore_options o = f->b.options;
    struct keystore *other = NULL;
    o.domain_id[3] ^= 1;
    EXPECT_OK(keystore_open(&o, &other, &err));
    EXPECT_RC(CF_E_DENIED,
              keystore_record_parse(other, f->record[0].data, f->record[0].len, &r, &err));
    keystore_close(other);
    o = f->b.options;
    o.generation[0] = 2;
    EXPECT_OK(keystore_open(&o, &other, &err));
    EXPECT_RC(CF_E_DENIED,
              keystore_record_parse(other, f->record[0].data, f->record[0].len, &r, &err));
    keystore_close(other);
}

static void one_key_travels_as_a_blob_and_comes_back_whole(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct cf_buf jwe = { 0 }, again = { 0 };
    struct keystore_bundle k = { 0 };
    make(f, "Traveller", &aes);
    make(f, "traveller", &p256);
    EXPECT_OK(keystore_backup(f->b.ks, "traveller", &jwe, &err));
    EXPECT_OK(keystore_backup(f->b.ks, "traveller", &again, &err));
    assert_true(jwe.len == again.len && memcmp(jwe.data, again.data, jwe.len) != 0);
    EXPECT_RC(CF_E_STATE, keystore_restore(f->b.ks, jwe.data, jwe.len, &k, &err));
    assert_string_equal(err.code, "Conflict");
    EXPECT_OK(keystore_delete(f->b.ks, "traveller", NULL, &err));
    EXPECT_RC(CF_E_STATE, keystore_restore(f->b.ks, jwe.data, jwe.len, &k, &err));
    EXPECT_OK(keystore_purge(f->b.ks, "traveller", &err));
    EXPECT_OK(keystore_restore(f->b.ks, jwe.data, jwe.len, &k, &err));
    assert_string_equal(k.key.name, "Traveller");
    assert_int_equal(k.version.spec.type, HAL_EC);
    keystore_bundle_clear(&k);
    EXPECT_OK(keystore_delete(f->b.ks, "traveller", NULL, &err));
    EXPECT_OK(keystore_purge(f->b.ks, "traveller", &err));
    for (size_t i = 0; i < jwe.len; i++) {
        uint8_t was = jwe.data[i];
        jwe.data[i] = was == 'A' ? 'B' : 'A';
        enum cf_rc rc = keystore_restore(f->b.ks, jwe.data, jwe.len, NULL, NULL);
        assert_true(rc == CF_E_INPUT || rc == CF_E_DENIED);
        jwe.data[i] = was;
    }
    EXPECT_RC(CF_E_INPUT, keystore_restore(f->b.ks, jwe.data, jwe.len - 1, NULL, &err));
    EXPECT_RC(CF_E_INPUT, keystore_restore(f->b.ks, "", 0, NULL, &err));
    cf_buf_clear(&jwe);
    cf_buf_clear(&again);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_snapshot_gives_every_key_once_in_order_and_the_same_again_after_restore),
        CASE(a_snapshot_does_not_move),
        CASE(no_version_is_so_large_that_a_backup_could_not_carry_its_key),
        CASE(every_flipped_bit_of_a_record_is_refused),
        CASE(what_was_not_verified_is_put_nowhere),
        CASE(selective_restore_touches_one_key_and_no_live_one),
        CASE(a_record_of_another_domain_or_generation_is_named),
        CASE(one_key_travels_as_a_blob_and_comes_back_whole),
    };
    return cmocka_run_group_tests_name("keystore_export", tests, NULL, NULL);
}
