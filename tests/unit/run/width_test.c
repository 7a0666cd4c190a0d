/* How many blocks a transfer thread has under way: firmware/backup/run/engine_priv.h. */
#include "support/test.h"

#include "engine_priv.h"

#define LOOK 5000000u

static void a_far_storage_gets_all_connections_from_the_start(void **state)
{
    (void)state;
    struct width w;
    width_begin(&w, 8, 30);
    assert_int_equal(w.now, 8);
    width_end(&w);
}

static void a_thread_begins_with_one_block(void **state)
{
    (void)state;
    struct width w;
    width_begin(&w, 8, 1);
    assert_int_equal(w.now, 1);
    assert_int_equal(w.most, 8);
    assert_true(width_may_grow(&w));
    width_end(&w);
}

static void a_waiting_thread_soon_uses_all_its_connections_and_no_more(void **state)
{
    (void)state;
    struct width w = { .now = 1, .most = 6, .fd = -1 };
    static const unsigned want[] = { 2, 4, 6, 6 };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        w.now = width_next(&w, LOOK, LOOK / 20);
        assert_int_equal(w.now, want[i]);
    }
    assert_false(width_may_grow(&w));
}

static void a_working_thread_comes_back_to_one(void **state)
{
    (void)state;
    struct width w = { .now = 3, .most = 8, .fd = -1 };
    static const unsigned want[] = { 2, 1, 1 };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        w.now = width_next(&w, LOOK, LOOK);
        assert_int_equal(w.now, want[i]);
    }
}

static void between_the_two_it_stays(void **state)
{
    (void)state;
    struct width w = { .now = 3, .most = 8, .fd = -1 };
    assert_int_equal(width_next(&w, LOOK, LOOK / 2), 3);
    assert_int_equal(width_next(&w, LOOK, LOOK - LOOK / 8), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_begins_with_one_block),
        cmocka_unit_test(a_far_storage_gets_all_connections_from_the_start),
        cmocka_unit_test(a_waiting_thread_soon_uses_all_its_connections_and_no_more),
        cmocka_unit_test(a_working_thread_comes_back_to_one),
        cmocka_unit_test(between_the_two_it_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
