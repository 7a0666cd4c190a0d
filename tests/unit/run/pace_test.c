/* The rate limit: what a clock of the test says about bytes over time, for one and for many. */
#include "support/test.h"

#include "pace_priv.h"

#define MIB   (UINT64_C(1) << 20)
#define PIECE (UINT64_C(260) * 1024)

static void without_a_limit_nobody_waits(void **state)
{
    struct pace p;
    (void)state;
    pace_init(&p, 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pace_book(&p, 5, 100 * MIB), 0);
}

/* `movers` take pieces in turn, each as soon as it may; the bytes that went in `seconds`. */
static uint64_t moved(uint64_t rate, unsigned movers, unsigned seconds)
{
    struct pace p;
    uint64_t free_at[64] = { 0 }, bytes = 0, end = UINT64_C(1000000) * seconds;
    pace_init(&p, rate);
    for (;;) {
        unsigned first = 0;
        for (unsigned i = 1; i < movers; i++)
            if (free_at[i] < free_at[first])
                first = i;
        if (free_at[first] >= end)
            return bytes;
        free_at[first] += pace_book(&p, free_at[first], PIECE);
        if (free_at[first] < end)
            bytes += PIECE;
    }
}

static void the_total_holds_whatever_the_number_of_connections(void **state)
{
    static const uint64_t rates[] = { 65536, MIB, 37 * MIB, 1024 * MIB };
    (void)state;
    for (size_t r = 0; r < 4; r++) {
        for (unsigned movers = 1; movers <= 64; movers *= 4) {
            uint64_t want = 60 * rates[r], got = moved(rates[r], movers, 60);
            assert_true(got <= want + rates[r] / 4 + 2 * PIECE);
            assert_true(got + 2 * PIECE >= want - want / 100);
        }
    }
}

static void a_pause_gives_no_right_to_a_burst(void **state)
{
    struct pace p;
    (void)state;
    pace_init(&p, MIB);
    assert_int_equal(pace_book(&p, 0, MIB), 0);
    assert_int_equal(pace_book(&p, 1000000, MIB), 0);         /* its second has passed */
    assert_int_equal(pace_book(&p, 100000000, MIB), 0);       /* much later */
    assert_in_range(pace_book(&p, 100000000, 1), 1, 1000000); /* and no more than before */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_nobody_waits),
        cmocka_unit_test(the_total_holds_whatever_the_number_of_connections),
        cmocka_unit_test(a_pause_gives_no_right_to_a_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
