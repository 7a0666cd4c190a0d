#include "jobs/timetable.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define MINUTE 60
#define HOUR   3600
#define DAY    INT64_C(86400)
#define WEEK   (7 * DAY)
#define LEAST  5 /* minutes between two: a backup takes a while */

static enum cf_rc not_one(const char *text, struct cf_err *e)
{
    return CF_FAIL(e, CF_E_INPUT,
                   "'%.40s' is no schedule: 'daily HH:MM', 'weekly DAY HH:MM' (mon to sun), "
                   "'every Nh' (N divides 24) or 'every Nm' (N divides 60, %d at least), in UTC",
                   text, LEAST);
}

static bool number(const char *text, size_t len, uint64_t max, int64_t *out)
{
    char digits[4] = "";
    uint64_t n = 0;
    if (len == 0 || len >= sizeof digits)
        return false;
    memcpy(digits, text, len);
    bool good = cf_parse_u64(digits, max, &n, NULL) == CF_OK;
    *out = (int64_t)n;
    return good;
}

static bool clock_time(const char *text, int64_t *seconds)
{
    int64_t hours = 0, minutes = 0;
    if (strlen(text) != 5 || text[2] != ':' || !number(text, 2, 23, &hours) ||
        !number(text + 3, 2, 59, &minutes))
        return false;
    *seconds = hours * HOUR + minutes * MINUTE;
    return true;
}

/* 1970-01-01 was a Thursday. */
static bool weekday(const char *text, int64_t *days)
{
    static const char names[7][4] = { "thu", "fri", "sat", "sun", "mon", "tue", "wed" };
    for (int i = 0; i < 7; i++)
        if (strncmp(text, names[i], 3) == 0 && text[3] == ' ') {
            *days = i;
            return true;
        }
    return false;
}

static bool every(const char *text, struct jobs_timetable *out)
{
    int64_t n = 0;
    size_t len = strlen(text);
    char unit = len ? text[len - 1] : ' ';
    if ((unit != 'h' && unit != 'm') || !number(text, len - 1, 60, &n) || n == 0)
        return false;
    if (unit == 'h' ? 24 % n != 0 : 60 % n != 0 || n < LEAST)
        return false;
    *out = (struct jobs_timetable){ .period_s = n * (unit == 'h' ? HOUR : MINUTE) };
    return true;
}

enum cf_rc jobs_timetable_parse(const char *text, struct jobs_timetable *out, struct cf_err *e)
{
    struct jobs_timetable t = { 0 };
    int64_t days = 0;
    bool good = !*text;
    if (strncmp(text, "daily ", 6) == 0) {
        t.period_s = DAY;
        good = clock_time(text + 6, &t.offset_s);
    } else if (strncmp(text, "weekly ", 7) == 0) {
        t.period_s = WEEK;
        good = weekday(text + 7, &days) && clock_time(text + 11, &t.offset_s);
        t.offset_s += days * DAY;
    } else if (strncmp(text, "every ", 6) == 0) {
        good = every(text + 6, &t);
    }
    if (!good)
        return not_one(text, e);
    *out = t;
    return CF_OK;
}

int64_t jobs_timetable_last(const struct jobs_timetable *t, int64_t now_s)
{
    int64_t since = (now_s - t->offset_s) % t->period_s;
    return now_s - (since < 0 ? since + t->period_s : since);
}

int64_t jobs_timetable_needed(const struct jobs_timetable *t, int64_t now_s, int64_t jitter_s)
{
    int64_t last = jobs_timetable_last(t, now_s);
    return now_s - last >= jitter_s ? last : last - t->period_s;
}

bool jobs_timetable_served(const struct jobs_timetable *t, int64_t now_s, int64_t needed_s,
                           int64_t began_s)
{
    return began_s >= needed_s && began_s <= now_s + t->period_s;
}
