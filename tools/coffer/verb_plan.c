/* restore start --plan: what would change, counted and named. */
#include "job.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NAMES_MAX 50 /* people read no more; --json has them all */

static enum cf_rc put_counts(const struct json *plan, struct cf_buf *table, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_put_text(table, "KIND\tADDED\tREPLACED\tREMOVED\tTHE SAME\n", e);
    for (const struct json *c = json_first(json_member(plan, "counts")); rc == CF_OK && c;
         c = json_next(c))
        rc = cf_buf_printf(table, e, "%s\t%lld\t%lld\t%lld\t%lld\n", job_text(c, "kind"),
                           (long long)job_number(c, "added"), (long long)job_number(c, "replaced"),
                           (long long)job_number(c, "removed"), (long long)job_number(c, "same"));
    return rc;
}

static enum cf_rc put_names(const struct json *items, struct cf_buf *table, struct cf_err *e)
{
    size_t n = 0;
    enum cf_rc rc =
        json_first(items) ? cf_buf_put_text(table, "CHANGE\tKIND\tNAME\tREMARK\n", e) : CF_OK;
    for (const struct json *i = json_first(items); rc == CF_OK && i && n < NAMES_MAX;
         i = json_next(i), n++)
        rc = cf_buf_printf(table, e, "%s\t%s\t%s\t%s\n", job_text(i, "change"), job_text(i, "kind"),
                           job_text(i, "name"), job_text(i, "note"));
    return rc;
}

static void print_tables(const struct json *plan, const struct cf_buf *counts,
                         const struct cf_buf *names)
{
    const struct json *items = json_member(plan, "items");
    time_t at = (time_t)job_number(plan, "backupTime");
    char when[32] = "";
    struct tm tm;
    bool cut = false;
    (void)json_bool(json_member(plan, "truncated"), &cut);
    if (gmtime_r(&at, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    printf("A restore of %s would bring back the state of %s:\n\n", job_text(plan, "folder"), when);
    cli_print_table(counts);
    printf("\n%lld key versions would be lost.\n", (long long)job_number(plan, "versionsLost"));
    if (names->len)
        printf("\n");
    cli_print_table(names);
    if (json_count(items) > NAMES_MAX || cut)
        printf("\n--json names %zu%s.\n", json_count(items), cut ? ", and there are more" : "");
}

static enum cf_rc print_plan(const struct json *plan, struct cf_err *e)
{
    struct cf_buf counts = { 0 }, names = { 0 };
    enum cf_rc rc = put_counts(plan, &counts, e);
    if (rc == CF_OK)
        rc = put_names(json_member(plan, "items"), &names, e);
    if (rc == CF_OK)
        print_tables(plan, &counts, &names);
    cf_buf_clear(&counts);
    cf_buf_clear(&names);
    return rc;
}

/* The job's own words say what would become of one key. */
static int tell(const struct cli_args *a, struct cli_target *t, const struct json *status,
                struct cf_err *e)
{
    struct cli_answer r = { 0 };
    char path[96];
    snprintf(path, sizeof path, "/coffer/restore/plan/%.40s", job_text(status, "jobId"));
    enum cf_rc rc = cli_call(t, "GET", path, NULL, &r, e);
    const char *warning = job_text(json_member(status, "coffer"), "warning");
    if (rc == CF_OK && a->text[OPT_JSON])
        cli_print_json(r.json);
    else if (rc == CF_OK && a->text[OPT_KEY_NAME])
        printf("%s\n", job_text(status, "statusDetails"));
    else if (rc == CF_OK)
        rc = print_plan(r.json, e);
    if (rc == CF_OK && *warning)
        fprintf(stderr, "warning: %s\n", warning);
    cli_answer_clear(&r);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}

static int follow_and_tell(const struct cli_args *a, struct cli_target *t, struct cli_answer *r,
                           struct cf_err *e)
{
    char poll[96];
    snprintf(poll, sizeof poll, "/restore/%.40s/pending", job_text(r->json, "jobId"));
    if (job_follow(t, a, poll, r, e) != CF_OK)
        return cli_exit_of(e);
    if (strcmp(job_text(r->json, "status"), "Succeeded") != 0)
        return job_conclude(a, r->json, e);
    return tell(a, t, r->json, e);
}

int job_plan(const struct cli_args *a, struct cf_err *e)
{
    const char *key = a->text[OPT_KEY_NAME];
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    struct body b = { 0 };
    char path[192] = "/coffer/restore/plan";
    if (key && body_check_name(key, e) != CF_OK)
        return EXIT_USAGE;
    if (key)
        snprintf(path, sizeof path, "/coffer/restore/plan/keys/%s", key);
    enum cf_rc rc = job_order_body(a, "folderToRestore", &b, e);
    if (rc == CF_OK)
        rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cli_call(t, "POST", path, &b.text, &r, e);
    int code = rc == CF_OK ? follow_and_tell(a, t, &r, e) : cli_exit_of(e);
    cf_buf_clear(&b.text);
    cli_answer_clear(&r);
    cli_target_close(t);
    return code;
}
