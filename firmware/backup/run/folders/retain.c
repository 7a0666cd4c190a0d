#include "run/retain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"

#define DAY_S   86400
#define SAID_AT 14 /* digits of a time in a folder's name */

enum cf_rc retain_check(const struct retain_policy *p, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    if (!p->last && !p->daily && !p->weekly && !p->monthly)
        rc = CF_FAIL(e, CF_E_INPUT,
                     "no rule keeps anything: give at least one of keep-last, keep-daily, "
                     "keep-weekly and keep-monthly");
    else if (p->last > RETAIN_MAX_COUNT || p->daily > RETAIN_MAX_COUNT ||
             p->weekly > RETAIN_MAX_COUNT || p->monthly > RETAIN_MAX_COUNT || p->min_age_s < 0)
        rc = CF_FAIL(e, CF_E_INPUT, "a number of the retention rules is out of range");
    else if (p->unfinished_age_s && p->unfinished_age_s < RETAIN_PENDING_S)
        rc = CF_FAIL(
            e, CF_E_INPUT,
            "unfinished folders are deleted from 8 days on: until then their backup may go on");
    return rc == CF_OK ? rc : cf_err_code(e, rc, "BadRequest");
}

static int newest_first(const void *va, const void *vb)
{
    const struct retain_folder *a = va, *b = vb;
    if (a->made_s != b->made_s)
        return a->made_s > b->made_s ? -1 : 1;
    return strcmp(b->name, a->name); /* of one second: the later name first */
}

/* Days of 1970 on, ISO weeks from Monday 1969-12-29 on, months of year 1900 on; all UTC. */
static int64_t day_of(int64_t s)
{
    return s / DAY_S;
}

static int64_t week_of(int64_t s)
{
    return (s / DAY_S + 3) / 7;
}

static int64_t month_of(int64_t s)
{
    time_t t = (time_t)s;
    struct tm tm;
    return gmtime_r(&t, &tm) ? (int64_t)tm.tm_year * 12 + tm.tm_mon : 0;
}

/* One rule on its way through the backups, newest first. */
struct rule {
    uint32_t left, bit;
    int64_t (*period_of)(int64_t s); /* NULL: each backup counts */
    int64_t period;                  /* of the last one kept */
};

static void apply(struct rule *r, struct retain_folder *f)
{
    int64_t period = r->period_of ? r->period_of(f->made_s) : 0;
    if (!r->left || (r->period_of && period == r->period))
        return;
    r->period = period;
    r->left--;
    f->why |= r->bit;
}

static void apply_rules(const struct retain_policy *p, struct retain_folder *folders, size_t count)
{
    struct rule rules[] = {
        { p->last, RETAIN_BY_LAST, NULL, INT64_MIN },
        { p->daily, RETAIN_BY_DAY, day_of, INT64_MIN },
        { p->weekly, RETAIN_BY_WEEK, week_of, INT64_MIN },
        { p->monthly, RETAIN_BY_MONTH, month_of, INT64_MIN },
    };
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; folders[i].kind == RETAIN_WHOLE && k < 4; k++)
            apply(&rules[k], &folders[i]);
}

/* The first of them is the newest. One dated in the future stays too, but takes no one's place. */
static void keep_newest(struct retain_folder *folders, size_t count, int64_t now_s, bool verified)
{
    for (size_t i = 0; i < count; i++) {
        struct retain_folder *f = &folders[i];
        if (f->kind != RETAIN_WHOLE || (verified && !f->verified) || f->made_s > now_s)
            continue;
        f->why |= verified ? RETAIN_IS_VERIFIED : RETAIN_IS_NEWEST;
        return;
    }
}

static void protect(const struct retain_policy *p, int64_t now_s, struct retain_folder *f)
{
    if (f->busy)
        f->why |= RETAIN_IS_BUSY;
    if (f->kind == RETAIN_FOREIGN || f->kind == RETAIN_UNKNOWN)
        f->why |= RETAIN_NOT_OURS;
    if (f->kind == RETAIN_DAMAGED || f->kind == RETAIN_UNREADABLE || f->kind == RETAIN_INCOMPLETE)
        f->why |= RETAIN_NOT_WHOLE;
    if (f->kind == RETAIN_UNFINISHED &&
        (!p->unfinished_age_s || f->made_s > now_s - p->unfinished_age_s))
        f->why |= RETAIN_NOT_WHOLE;
    if (f->kind == RETAIN_WHOLE && (f->made_s > now_s || f->made_s > now_s - p->min_age_s))
        f->why |= RETAIN_IS_YOUNG;
}

void retain_plan(const struct retain_policy *p, int64_t now_s, struct retain_folder *folders,
                 size_t count)
{
    size_t future = 0;
    if (count > 1)
        qsort(folders, count, sizeof *folders, newest_first);
    for (size_t i = 0; i < count; i++) {
        folders[i].why = 0;
        protect(p, now_s, &folders[i]);
    }
    while (future < count && folders[future].made_s > now_s)
        future++;
    apply_rules(p, folders + future, count - future);
    keep_newest(folders, count, now_s, false);
    keep_newest(folders, count, now_s, true);
}

void retain_reason(const struct retain_folder *f, char out[RETAIN_REASON_MAX])
{
    static const struct {
        uint32_t bit;
        const char *text;
    } words[] = {
        { RETAIN_BY_LAST, "keep-last" },
        { RETAIN_BY_DAY, "keep-daily" },
        { RETAIN_BY_WEEK, "keep-weekly" },
        { RETAIN_BY_MONTH, "keep-monthly" },
        { RETAIN_IS_NEWEST, "newest backup" },
        { RETAIN_IS_VERIFIED, "newest verified backup" },
        { RETAIN_IS_YOUNG, "younger than the minimum age" },
        { RETAIN_IS_BUSY, "a job works on it" },
        { RETAIN_HAS_CHANGED, "changed while the pruning ran" },
    };
    static const char *const kinds[] = {
        [RETAIN_WHOLE] = "no rule keeps it",
        [RETAIN_UNFINISHED] = "unfinished, without a manifest",
        [RETAIN_HALF_GONE] = "rest of an earlier pruning",
        [RETAIN_DAMAGED] = "does not verify or is not whole: never deleted",
        [RETAIN_FOREIGN] = "of another HSM, appliance or domain: never deleted",
        [RETAIN_UNKNOWN] = "not a backup's name: never deleted",
        [RETAIN_UNREADABLE] = "cannot be read, archived perhaps: not deleted",
        [RETAIN_INCOMPLETE] = "incomplete: never counted, never deleted",
    };
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (f->why & words[i].bit)
            at += (size_t)snprintf(out + at, RETAIN_REASON_MAX - at, "%s%s", at ? ", " : "",
                                   words[i].text);
    if (f->kind != RETAIN_WHOLE || !at)
        snprintf(out + at, RETAIN_REASON_MAX - at, "%s%s", at ? ", " : "", kinds[f->kind]);
}

static int number(const char *at, int digits)
{
    int n = 0;
    for (int i = 0; i < digits; i++)
        n = n * 10 + (at[i] - '0');
    return n;
}

bool retain_folder_time(const char *hsm, const char *name, int64_t *made_s)
{
    size_t len = strlen(hsm);
    if (strncmp(name, "mhsm-", 5) != 0 || strncmp(name + 5, hsm, len) != 0 || name[5 + len] != '-')
        return false;
    const char *at = name + 5 + len + 1;
    size_t digits = strspn(at, "0123456789");
    if (at[digits] || (digits != SAID_AT && digits != SAID_AT + 2))
        return false;
    struct tm tm = { .tm_year = number(at, 4) - 1900,
                     .tm_mon = number(at + 4, 2) - 1,
                     .tm_mday = number(at + 6, 2),
                     .tm_hour = number(at + 8, 2),
                     .tm_min = number(at + 10, 2),
                     .tm_sec = number(at + 12, 2) };
    struct tm same = tm;
    *made_s = (int64_t)timegm(&same);
    return same.tm_mon == tm.tm_mon && same.tm_mday == tm.tm_mday && same.tm_hour == tm.tm_hour;
}
