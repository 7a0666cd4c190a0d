/* The retention rules, and what they may never take. */
#include "support/test.h"

#include <stdlib.h>

#include "run/retain.h"

#define DAY  INT64_C(86400)
#define NOW  (INT64_C(20399) * DAY + 43200) /* Friday 2025-11-07, noon, UTC */
#define HOUR INT64_C(3600)

static struct retain_folder whole(int64_t made_s)
{
    struct retain_folder f = { .kind = RETAIN_WHOLE, .made_s = made_s };
    snprintf(f.name, sizeof f.name, "mhsm-a-%lld", (long long)made_s);
    return f;
}

static const struct retain_policy last_one = { .last = 1 };

/* One a day at noon, the newest now. */
static struct retain_folder *days(size_t n)
{
    struct retain_folder *f = calloc(n, sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        f[i] = whole(NOW - (int64_t)i * DAY);
    return f;
}

static size_t kept(const struct retain_folder *f, size_t n, uint32_t bit)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += bit ? (f[i].why & bit) != 0 : f[i].why != 0;
    return found;
}

/* --- the rules ----------------------------------------------------------------------------- */

static void each_rule_keeps_the_newest_of_its_periods(void **state)
{
    (void)state;
    const struct retain_policy p = { .last = 3, .daily = 7, .weekly = 4, .monthly = 6 };
    struct retain_folder *f = days(400);
    retain_plan(&p, NOW, f, 400);
    assert_int_equal(kept(f, 400, RETAIN_BY_LAST), 3);
    assert_int_equal(kept(f, 400, RETAIN_BY_DAY), 7);
    assert_int_equal(kept(f, 400, RETAIN_BY_WEEK), 4);
    assert_int_equal(kept(f, 400, RETAIN_BY_MONTH), 6);
    assert_true(f[0].why & RETAIN_BY_MONTH);
    assert_true(f[5].why & RETAIN_BY_WEEK);   /* Sunday, the end of the ISO week before */
    assert_true(f[12].why & RETAIN_BY_WEEK);  /* and the one before that */
    assert_true(f[7].why & RETAIN_BY_MONTH);  /* 31 October */
    assert_true(f[38].why & RETAIN_BY_MONTH); /* 30 September */
    assert_int_equal(f[8].why, 0);
    free(f);
}

static void a_day_with_many_backups_keeps_its_last_one(void **state)
{
    (void)state;
    const struct retain_policy p = { .daily = 2 };
    struct retain_folder f[6];
    for (int i = 0; i < 6; i++)
        f[i] = whole(NOW - DAY + i * 6 * HOUR); /* noon and 18:00, then four times today or later */
    retain_plan(&p, NOW + 3 * DAY, f, 6);
    assert_int_equal(kept(f, 6, RETAIN_BY_DAY), 2);
    assert_true(f[0].why & RETAIN_BY_DAY);
}

static void days_without_a_backup_do_not_count(void **state)
{
    (void)state;
    const struct retain_policy p = { .daily = 3 };
    struct retain_folder f[] = { whole(NOW), whole(NOW - 100 * DAY), whole(NOW - 300 * DAY),
                                 whole(NOW - 301 * DAY) };
    retain_plan(&p, NOW, f, 4);
    assert_int_equal(kept(f, 4, RETAIN_BY_DAY), 3);
    assert_int_equal(f[3].why, 0);
}

static void a_policy_that_keeps_nothing_is_refused(void **state)
{
    (void)state;
    static const struct retain_policy bad[] = {
        { .last = 0 },
        { .unfinished_age_s = 30 * DAY },
        { .last = RETAIN_MAX_COUNT + 1 },
        { .daily = 1, .min_age_s = -1 },
        { .daily = 1, .unfinished_age_s = DAY }, /* it may still go on */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cf_err e = { 0 };
        assert_int_equal(retain_check(&bad[i], &e), CF_E_INPUT);
        assert_string_equal(e.code, "BadRequest");
    }
    assert_int_equal(retain_check(&last_one, NULL), CF_OK);
}

/* --- what may never go --------------------------------------------------------------------- */

static void the_newest_backup_stays_whatever_the_rules_say(void **state)
{
    (void)state;
    const struct retain_policy none = {
        0
    }; /* retain_check refuses it; the plan must not trust that */
    struct retain_folder *f = days(10);
    retain_plan(&none, NOW, f, 10);
    assert_int_equal(f[0].why, RETAIN_IS_NEWEST);
    assert_int_equal(kept(f, 10, 0), 1);
    free(f);
}

static void the_newest_verified_backup_stays_whatever_its_age(void **state)
{
    (void)state;
    struct retain_folder *f = days(500);
    f[480].verified = f[490].verified = true;
    retain_plan(&last_one, NOW, f, 500);
    assert_int_equal(f[480].why, RETAIN_IS_VERIFIED);
    assert_int_equal(f[490].why, 0);
    assert_int_equal(kept(f, 500, 0), 2);
    free(f);
}

static void a_young_backup_stays(void **state)
{
    (void)state;
    const struct retain_policy p = { .last = 1, .min_age_s = 3 * DAY };
    struct retain_folder *f = days(10);
    retain_plan(&p, NOW, f, 10);
    assert_int_equal(f[2].why, RETAIN_IS_YOUNG);
    assert_int_equal(f[3].why, 0); /* exactly as old as asked */
    free(f);
}

static void a_backup_dated_in_the_future_stays_and_takes_no_place(void **state)
{
    (void)state;
    struct retain_folder f[] = { whole(NOW + 1000 * DAY), whole(NOW), whole(NOW - DAY) };
    retain_plan(&last_one, NOW, f, 3);
    assert_int_equal(f[0].why, RETAIN_IS_YOUNG);
    assert_int_equal(f[1].why, RETAIN_BY_LAST | RETAIN_IS_NEWEST);
    assert_int_equal(f[2].why, 0);
}

static void a_clock_far_ahead_deletes_nothing_more(void **state)
{
    (void)state;
    const struct retain_policy p = { .daily = 7, .monthly = 2 };
    struct retain_folder *now = days(40), *ahead = days(40);
    retain_plan(&p, NOW, now, 40);
    retain_plan(&p, NOW + 36500 * DAY, ahead, 40);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(now[i].why == 0, ahead[i].why == 0);
    free(now);
    free(ahead);
}

static void what_is_not_surely_ours_and_whole_stays_and_takes_no_place(void **state)
{
    (void)state;
    static const enum retain_kind kinds[] = { RETAIN_DAMAGED, RETAIN_FOREIGN, RETAIN_UNKNOWN,
                                              RETAIN_UNFINISHED, RETAIN_UNREADABLE };
    struct retain_folder f[6];
    for (int i = 0; i < 5; i++) {
        f[i] = whole(NOW - i * HOUR);
        f[i].kind = kinds[i];
    }
    f[5] = whole(NOW - 100 * DAY);
    retain_plan(&last_one, NOW, f, 6);
    assert_int_equal(kept(f, 6, 0), 6);
    assert_int_equal(kept(f, 6, RETAIN_BY_LAST), 1);
    assert_int_equal(f[5].why, RETAIN_BY_LAST | RETAIN_IS_NEWEST);
}

static void an_unfinished_folder_goes_only_when_asked_and_old(void **state)
{
    (void)state;
    struct retain_policy p = { .last = 1, .unfinished_age_s = 10 * DAY };
    struct retain_folder f[3] = { whole(NOW - 11 * DAY), whole(NOW - 9 * DAY),
                                  whole(NOW - 12 * DAY) };
    for (int i = 0; i < 3; i++)
        f[i].kind = RETAIN_UNFINISHED;
    f[2].busy = true;
    retain_plan(&p, NOW, f, 3);
    assert_int_equal(f[0].why, RETAIN_NOT_WHOLE); /* 9 days */
    assert_int_equal(f[1].why, 0);
    assert_int_equal(f[2].why, RETAIN_IS_BUSY);
    p.unfinished_age_s = 0;
    retain_plan(&p, NOW, f, 3);
    assert_int_equal(kept(f, 3, 0), 3);
}

static void a_busy_backup_stays_and_the_rest_of_a_pruning_goes(void **state)
{
    (void)state;
    struct retain_folder f[] = { whole(NOW), whole(NOW - 5 * DAY), whole(NOW - 6 * DAY) };
    f[1].busy = true;
    f[2].kind = RETAIN_HALF_GONE;
    retain_plan(&last_one, NOW, f, 3);
    assert_int_equal(f[1].why, RETAIN_IS_BUSY);
    assert_int_equal(f[2].why, 0);
}

/* --- names and words ----------------------------------------------------------------------- */

static void only_names_that_backups_of_this_hsm_have_are_ours(void **state)
{
    (void)state;
    static const char *const strange[] = {
        "mhsm-a-b-20251107120000", "mhsm-a-2025110712000",
        "mhsm-a-202511071200000",  "mhsm-a-20251307120000",
        "mhsm-a-20250230120000",   "mhsm-a-20251107120000x",
        "mhsm-b-20251107120000",   "mhsm-a20251107120000",
        "xhsm-a-20251107120000",   "mhsm-a-",
        "mhsm-a-20251107120000-1", "mhsm-a-20251107250000",
        "MHSM-a-20251107120000",   "",
    };
    int64_t at = 0;
    assert_true(retain_folder_time("a", "mhsm-a-20251107120000", &at));
    assert_int_equal(at, NOW);
    assert_true(retain_folder_time("a", "mhsm-a-2025110712000042", &at));
    assert_true(retain_folder_time("a-b", "mhsm-a-b-20251107120000", &at));
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++)
        assert_false(retain_folder_time("a", strange[i], &at));
}

static void every_folder_is_told_why(void **state)
{
    (void)state;
    char text[RETAIN_REASON_MAX];
    for (int kind = RETAIN_WHOLE; kind <= RETAIN_UNREADABLE; kind++)
        for (uint32_t why = 0; why < 0x800; why++) {
            struct retain_folder f = { .kind = (enum retain_kind)kind, .why = why };
            retain_reason(&f, text);
            assert_true(text[0] != '\0' || why & (RETAIN_NOT_OURS | RETAIN_NOT_WHOLE));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_keeps_the_newest_of_its_periods),
        cmocka_unit_test(a_day_with_many_backups_keeps_its_last_one),
        cmocka_unit_test(days_without_a_backup_do_not_count),
        cmocka_unit_test(a_policy_that_keeps_nothing_is_refused),
        cmocka_unit_test(the_newest_backup_stays_whatever_the_rules_say),
        cmocka_unit_test(the_newest_verified_backup_stays_whatever_its_age),
        cmocka_unit_test(a_young_backup_stays),
        cmocka_unit_test(a_backup_dated_in_the_future_stays_and_takes_no_place),
        cmocka_unit_test(a_clock_far_ahead_deletes_nothing_more),
        cmocka_unit_test(what_is_not_surely_ours_and_whole_stays_and_takes_no_place),
        cmocka_unit_test(an_unfinished_folder_goes_only_when_asked_and_old),
        cmocka_unit_test(a_busy_backup_stays_and_the_rest_of_a_pruning_goes),
        cmocka_unit_test(only_names_that_backups_of_this_hsm_have_are_ours),
        cmocka_unit_test(every_folder_is_told_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
