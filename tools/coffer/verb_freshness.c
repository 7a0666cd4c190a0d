/* backup freshness: how old the newest backups are, and whether that is too old. For cron and
 * monitors: the exit code says it. */
#include "job.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct limit {
    enum cli_option option;
    const char *flag, *member, *what;
    uint64_t seconds; /* 0: none given */
};

static enum cf_rc read_limits(const struct cli_args *a, struct limit *l, size_t count,
                              struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < count; i++) {
        const char *text = a->text[l[i].option];
        if (!text)
            continue;
        rc = body_read_age(l[i].flag, text, &l[i].seconds, e);
        if (rc == CF_OK && l[i].seconds == 0)
            rc = CF_FAIL(e, CF_E_INPUT, "%s 0: a longer time is wanted", l[i].flag);
    }
    return rc;
}

static void print_age(const char *what, const struct json *answer, const char *member)
{
    int64_t s = 0;
    if (!json_int(json_member(answer, member), &s))
        printf("%s: none\n", what);
    else
        printf("%s: %lldd %02lld:%02lld:%02lld old\n", what, (long long)(s / 86400),
               (long long)(s / 3600 % 24), (long long)(s / 60 % 60), (long long)(s % 60));
}

static void print_schedule(const struct json *s)
{
    char when[32] = "-";
    struct tm tm;
    time_t next = (time_t)job_number(s, "next");
    if (!s || json_type_of(s) == JSON_NULL) {
        printf("schedule: none\n");
        return;
    }
    if (next > 0 && gmtime_r(&next, &tm))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    printf("schedule: %s UTC, next %s\n", job_text(s, "rule"), when);
    if (job_number(s, "failuresInARow"))
        printf("schedule: %lld attempts failed in a row\n",
               (long long)job_number(s, "failuresInARow"));
    if (*job_text(s, "problem"))
        printf("schedule: %s\n", job_text(s, "problem"));
}

static bool is_stale(const struct json *answer, const struct limit *l)
{
    int64_t age = 0;
    if (!l->seconds)
        return false;
    bool stale = !json_int(json_member(answer, l->member), &age) || (uint64_t)age > l->seconds;
    if (stale)
        fprintf(stderr, "STALE: the newest %s is older than %llu seconds, or there is none\n",
                l->what, (unsigned long long)l->seconds);
    return stale;
}

static enum cf_rc ask(const struct cli_args *a, struct cli_answer *r, struct cf_err *e)
{
    struct cli_target *t = NULL;
    if (a->text[OPT_SOCKET])
        return cli_local_call(a->text[OPT_SOCKET], "GET", "/local/freshness", NULL, r, e);
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cli_call(t, "GET", "/coffer/freshness", NULL, r, e);
    cli_target_close(t);
    return rc;
}

int verb_backup_freshness(const struct cli_args *a, struct cf_err *e)
{
    struct limit limits[] = {
        { OPT_MAX_AGE, "--max-age", "backupAgeSeconds", "backup", 0 },
        { OPT_MAX_VERIFIED_AGE, "--max-verified-age", "verifiedBackupAgeSeconds", "verified backup",
          0 },
    };
    struct cli_answer r = { 0 };
    bool stale = false;
    if (read_limits(a, limits, 2, e) != CF_OK)
        return EXIT_USAGE;
    enum cf_rc rc = ask(a, &r, e);
    if (rc == CF_OK && a->text[OPT_JSON]) {
        cli_print_json(r.json);
    } else if (rc == CF_OK) {
        print_age("newest backup", r.json, "backupAgeSeconds");
        print_age("newest verified backup", r.json, "verifiedBackupAgeSeconds");
        print_schedule(json_member(r.json, "schedule"));
    }
    for (size_t i = 0; rc == CF_OK && i < 2; i++)
        stale |= is_stale(r.json, &limits[i]);
    cli_answer_clear(&r);
    if (rc != CF_OK)
        return cli_exit_of(e);
    return stale ? EXIT_STALE : EXIT_DONE;
}
