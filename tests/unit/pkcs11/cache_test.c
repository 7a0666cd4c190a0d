#include "support/test.h"

#include "worker/cache_priv.h"

static const uint8_t *key_of(unsigned n)
{
    static uint8_t key[P11_CACHE_KEY];
    memset(key, 0, sizeof key);
    key[0] = (uint8_t)(n % 3); /* buckets collide */
    key[8] = (uint8_t)n;
    key[9] = (uint8_t)(n >> 8);
    return key;
}

/* Puts and lets go; the object to destroy. */
static CK_OBJECT_HANDLE put(struct p11_cache *c, unsigned n)
{
    struct p11_held held;
    CK_OBJECT_HANDLE gone = p11_cache_put(c, key_of(n), n, &held);
    assert_int_equal(held.h, n);
    p11_cache_give(c, &held);
    return gone;
}

static bool take(struct p11_cache *c, unsigned n)
{
    struct p11_held held;
    if (!p11_cache_take(c, key_of(n), &held))
        return false;
    assert_int_equal(held.h, n);
    p11_cache_give(c, &held);
    return true;
}

static void what_was_put_is_found(void **state)
{
    (void)state;
    struct p11_cache *c = NULL;
    assert_int_equal(p11_cache_new(100, &c, NULL), CF_OK);
    assert_false(take(c, 1));
    for (unsigned n = 1; n <= 100; n++)
        assert_int_equal(put(c, n), CK_INVALID_HANDLE);
    for (unsigned n = 1; n <= 100; n++)
        assert_true(take(c, n));
    p11_cache_free(c);
}

static void least_recently_used_goes_first(void **state)
{
    (void)state;
    struct p11_cache *c = NULL;
    assert_int_equal(p11_cache_new(3, &c, NULL), CF_OK);
    for (unsigned n = 1; n <= 3; n++)
        (void)put(c, n);
    assert_true(take(c, 1));
    assert_int_equal(put(c, 4), 2);
    assert_int_equal(put(c, 5), 3);
    assert_int_equal(put(c, 6), 1);
    assert_false(take(c, 1));
    assert_true(take(c, 4) && take(c, 5) && take(c, 6));
    p11_cache_free(c);
}

static void held_entry_is_not_evicted(void **state)
{
    (void)state;
    struct p11_cache *c = NULL;
    struct p11_held one, two, three;
    assert_int_equal(p11_cache_new(2, &c, NULL), CF_OK);
    assert_int_equal(p11_cache_put(c, key_of(1), 1, &one), CK_INVALID_HANDLE);
    (void)put(c, 2);
    assert_int_equal(put(c, 3), 2);
    assert_true(p11_cache_take(c, key_of(3), &two));
    /* Both places are held: the fourth key lives outside. */
    assert_int_equal(p11_cache_put(c, key_of(4), 4, &three), CK_INVALID_HANDLE);
    assert_int_equal(three.slot, -1);
    p11_cache_give(c, &three);
    p11_cache_give(c, &one);
    assert_int_equal(put(c, 5), 1);
    p11_cache_give(c, &two);
    p11_cache_free(c);
}

static void slower_of_two_openers_gives_its_object_up(void **state)
{
    (void)state;
    struct p11_cache *c = NULL;
    struct p11_held held;
    assert_int_equal(p11_cache_new(2, &c, NULL), CF_OK);
    (void)put(c, 1);
    assert_int_equal(p11_cache_put(c, key_of(1), 99, &held), 99);
    assert_int_equal(held.h, 1);
    p11_cache_give(c, &held);
    p11_cache_free(c);
}

static void many_rounds_keep_order_and_chains_whole(void **state)
{
    (void)state;
    struct p11_cache *c = NULL;
    assert_int_equal(p11_cache_new(16, &c, NULL), CF_OK);
    for (unsigned i = 1; i < 20000; i++) {
        unsigned n = 1 + i * 7919 % 61;
        if (!take(c, n))
            (void)put(c, n);
        assert_true(take(c, n));
    }
    p11_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(least_recently_used_goes_first),
        cmocka_unit_test(held_entry_is_not_evicted),
        cmocka_unit_test(slower_of_two_openers_gives_its_object_up),
        cmocka_unit_test(many_rounds_keep_order_and_chains_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
