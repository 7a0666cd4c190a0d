#include "support/test.h"

#include "jobs/timetable.h"

#define DAY  INT64_C(86400)
#define HOUR INT64_C(3600)
#define FRI  (INT64_C(20399) * DAY) /* 2025-11-07, a Friday, 00:00 UTC */

static struct jobs_timetable table_of(const char *text)
{
    struct jobs_timetable t = { 0 };
    struct cf_err err;
    EXPECT_OK(jobs_timetable_parse(text, &t, &err));
    return t;
}

static int64_t last(const char *text, int64_t now_s)
{
    struct jobs_timetable t = table_of(text);
    return jobs_timetable_last(&t, now_s);
}

static void each_form_names_its_moments(void **state)
{
    (void)state;
    assert_int_equal(last("daily 02:30", FRI + 12 * HOUR), FRI + 9000);
    assert_int_equal(last("daily 02:30", FRI + 9000), FRI + 9000);
    assert_int_equal(last("daily 02:30", FRI + 8999), FRI + 9000 - DAY);
    assert_int_equal(last("daily 00:00", FRI), FRI);
    assert_int_equal(last("daily 23:59", FRI), FRI - 60);
    assert_int_equal(last("weekly fri 01:00", FRI + HOUR), FRI + HOUR);
    assert_int_equal(last("weekly fri 01:00", FRI), FRI + HOUR - 7 * DAY);
    assert_int_equal(last("weekly mon 00:00", FRI), FRI - 4 * DAY);
    assert_int_equal(last("weekly sat 12:00", FRI), FRI - 6 * DAY + 12 * HOUR);
    assert_int_equal(last("every 6h", FRI + 17 * HOUR), FRI + 12 * HOUR);
    assert_int_equal(last("every 24h", FRI + 17 * HOUR), FRI);
    assert_int_equal(last("every 15m", FRI + 899), FRI);
    assert_int_equal(last("every 60m", FRI + HOUR + 5), FRI + HOUR);
}

static void never_is_never(void **state)
{
    (void)state;
    assert_int_equal(table_of("").period_s, 0);
}

static void times_before_1970_do_no_harm(void **state)
{
    (void)state;
    assert_int_equal(last("daily 00:00", -1), -DAY);
    assert_int_equal(last("every 6h", -6 * HOUR), -6 * HOUR);
}

static void anything_else_is_refused_in_words(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "daily",
        "daily 2:30",
        "daily 24:00",
        "daily 02:60",
        "daily 02:30 ",
        " daily 02:30",
        "Daily 02:30",
        "daily 0230",
        "daily 02:3x",
        "weekly 02:30",
        "weekly mon",
        "weekly mon02:30",
        "weekly day 02:30",
        "every",
        "every h",
        "every 5h",
        "every 0h",
        "every -1h",
        "every 48h",
        "every 4m",
        "every 7m",
        "every 6",
        "every 6 h",
        "every 6H",
        "every 99999999999h",
        "monthly 1 02:30",
        "02:30",
        "0 2 * * *",
        "every 1d",
        "weekly montue 02:30",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct jobs_timetable t = { .period_s = 7 };
        struct cf_err e = { 0 };
        print_message("  %s\n", bad[i]);
        assert_int_equal(jobs_timetable_parse(bad[i], &t, &e), CF_E_INPUT);
        assert_non_null(strstr(e.text, "daily HH:MM"));
        assert_int_equal(t.period_s, 7);
    }
}

static bool due(int64_t now_s, int64_t jitter_s, int64_t began_s)
{
    const struct jobs_timetable t = table_of("daily 02:30");
    int64_t needed = jobs_timetable_needed(&t, now_s, jitter_s);
    return !jobs_timetable_served(&t, now_s, needed, began_s);
}

static void each_moment_is_served_once(void **state)
{
    (void)state;
    int64_t at = FRI + 9000;
    assert_true(due(at, 0, 0)); /* never before */
    assert_true(due(at, 0, at - DAY));
    assert_false(due(at, 0, at));
    assert_false(due(at + DAY - 1, 0, at));
    assert_true(due(at + DAY, 0, at));
}

static void an_outage_of_many_periods_is_made_good_once(void **state)
{
    (void)state;
    int64_t back = FRI + 9 * HOUR;
    assert_true(due(back, 0, FRI - 40 * DAY));
    assert_false(due(back + 60, 0, back));
    assert_false(due(FRI + DAY, 0, back));
}

static void jitter_delays_the_newest_moment_and_no_other(void **state)
{
    (void)state;
    int64_t at = FRI + 9000;
    assert_false(due(at + 599, 600, at - DAY));
    assert_true(due(at + 600, 600, at - DAY));
    assert_true(due(at + 1, 600, at - 2 * DAY)); /* yesterday's is missing: at once */
}

static void a_clock_that_steps_does_nothing_twice_and_stops_nothing(void **state)
{
    (void)state;
    int64_t at = FRI + 9000;
    assert_false(due(at - 300, 0, at));       /* five minutes back, right after the start */
    assert_true(due(at, 0, at + 1000 * DAY)); /* dated by a clock that was years ahead */
    assert_true(due(at + 1000 * DAY, 0, at)); /* years ahead: once */
    assert_false(due(at + 1000 * DAY + 60, 0, at + 1000 * DAY));
    assert_true(due(at, 0, at - 1000 * DAY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_names_its_moments),
        cmocka_unit_test(never_is_never),
        cmocka_unit_test(times_before_1970_do_no_harm),
        cmocka_unit_test(each_moment_is_served_once),
        cmocka_unit_test(an_outage_of_many_periods_is_made_good_once),
        cmocka_unit_test(jitter_delays_the_newest_moment_and_no_other),
        cmocka_unit_test(a_clock_that_steps_does_nothing_twice_and_stops_nothing),
        cmocka_unit_test(anything_else_is_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
