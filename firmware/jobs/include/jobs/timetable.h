/*
 * When something is to be done again and again: a small grammar, all of it UTC.
 *   daily HH:MM         weekly DAY HH:MM (mon tue wed thu fri sat sun)
 *   every Nh            N divides 24: from midnight on      every Nm   N divides 60, 5 at least
 * Each is a moment and a period, so there is no daylight saving time and no missing or doubled
 * hour. Threads: pure functions over the caller's memory.
 */
#ifndef JOBS_TIMETABLE_H
#define JOBS_TIMETABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Moments offset_s + k * period_s of Unix time. */
struct jobs_timetable {
    int64_t period_s; /* 0: never */
    int64_t offset_s; /* 0 .. period_s - 1 */
};

/* "" is never. CF_E_INPUT: the text tells the grammar. */
CF_CHECK enum cf_rc jobs_timetable_parse(const char *text, struct jobs_timetable *out,
                                         struct cf_err *e);

/* The newest moment that is not after `now_s`; the next one is a period later. Not for never. */
int64_t jobs_timetable_last(const struct jobs_timetable *t, int64_t now_s);

/* The moment for which it should have been done by now. The newest one counts only from `jitter_s`
 * after it on, so that appliances of one timetable do not all come at once; after an outage it is
 * the newest alone, however many were missed. */
int64_t jobs_timetable_needed(const struct jobs_timetable *t, int64_t now_s, int64_t jitter_s);

/* Does something that began at `began_s` serve for `needed_s`? What lies further ahead than a
 * period was dated by a clock that was wrong, and serves for nothing. */
bool jobs_timetable_served(const struct jobs_timetable *t, int64_t now_s, int64_t needed_s,
                           int64_t began_s);

#endif
