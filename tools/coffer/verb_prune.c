/* backup prune: the rules out, the plan back. */
#include "job.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "simple.h"

static enum cf_rc put_rule(const struct cli_args *a, struct body *b, enum cli_option option,
                           const char *member, struct cf_err *e)
{
    char flag[32];
    if (!a->text[option])
        return CF_OK;
    snprintf(flag, sizeof flag, "--keep-%s", member);
    return body_put_number(b, member, flag, a->text[option], e);
}

static enum cf_rc put_age(const struct cli_args *a, struct body *b, enum cli_option option,
                          const char *member, struct cf_err *e)
{
    uint64_t s = 0;
    if (!a->text[option])
        return CF_OK;
    enum cf_rc rc = body_read_age(option == OPT_MIN_AGE ? "--min-age" : "--unfinished-older-than",
                                  a->text[option], &s, e);
    json_put_int(&b->w, member, (int64_t)s);
    return rc;
}

static enum cf_rc put_policy(const struct cli_args *a, struct body *b, struct cf_err *e)
{
    if (!a->text[OPT_KEEP_LAST] && !a->text[OPT_KEEP_DAILY] && !a->text[OPT_KEEP_WEEKLY] &&
        !a->text[OPT_KEEP_MONTHLY])
        return CF_FAIL(e, CF_E_INPUT,
                       "say what stays: at least one of --keep-last, --keep-daily, --keep-weekly "
                       "and --keep-monthly");
    json_put_object(&b->w, "keep");
    enum cf_rc rc = put_rule(a, b, OPT_KEEP_LAST, "last", e);
    if (rc == CF_OK)
        rc = put_rule(a, b, OPT_KEEP_DAILY, "daily", e);
    if (rc == CF_OK)
        rc = put_rule(a, b, OPT_KEEP_WEEKLY, "weekly", e);
    if (rc == CF_OK)
        rc = put_rule(a, b, OPT_KEEP_MONTHLY, "monthly", e);
    if (rc == CF_OK)
        rc = put_age(a, b, OPT_MIN_AGE, "minAgeSeconds", e);
    if (rc == CF_OK)
        rc = put_age(a, b, OPT_UNFINISHED, "unfinishedAgeSeconds", e);
    json_close(&b->w);
    if (a->text[OPT_DRY_RUN])
        json_put_bool(&b->w, "dryRun", true);
    return rc;
}

static enum cf_rc put_line(const struct json *item, struct cf_buf *table, struct cf_err *e)
{
    int64_t made = 0, bytes = 0;
    char when[24] = "-";
    struct tm tm;
    (void)json_int(json_member(item, "time"), &made);
    (void)json_int(json_member(item, "bytes"), &bytes);
    time_t t = (time_t)made;
    if (made > 0 && gmtime_r(&t, &tm))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
    return cf_buf_printf(table, e, "%s\t%s\t%lld\t%s\t%s\n", simple_text(item, "folder"), when,
                         (long long)bytes, simple_text(item, "action"),
                         simple_text(item, "reason"));
}

static int show_plan(const struct cli_args *a, struct cli_target *t, const char *job,
                     struct cf_err *e)
{
    char path[80];
    struct cli_answer r = { 0 };
    struct cf_buf table = { 0 };
    snprintf(path, sizeof path, "/coffer/prune/%.40s", job);
    enum cf_rc rc = cli_call(t, "GET", path, NULL, &r, e);
    if (rc == CF_OK && a->text[OPT_JSON])
        cli_print_json(r.json);
    else if (rc == CF_OK)
        rc = cf_buf_put_text(&table, "FOLDER\tMADE (UTC)\tBYTES\tACTION\tREASON\n", e);
    for (const struct json *i = json_first(json_member(r.json, "value"));
         table.len && rc == CF_OK && i; i = json_next(i))
        rc = put_line(i, &table, e);
    if (rc == CF_OK && table.len)
        cli_print_table(&table);
    cf_buf_clear(&table);
    cli_answer_clear(&r);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}

/* With --json the plan stands in place of the job's status. */
static int conclude(const struct cli_args *a, struct cli_target *t, const struct json *status,
                    struct cf_err *e)
{
    char job[48];
    bool good = strcmp(job_text(status, "status"), "Succeeded") == 0;
    snprintf(job, sizeof job, "%.40s", job_text(status, "jobId"));
    int code = good && a->text[OPT_JSON] ? EXIT_DONE : job_conclude(a, status, e);
    return good && code == EXIT_DONE ? show_plan(a, t, job, e) : code;
}

static enum cf_rc order(const struct cli_args *a, struct body *b, struct cf_err *e)
{
    enum cf_rc rc = job_order_begin(a, NULL, b, e);
    if (rc == CF_OK)
        rc = put_policy(a, b, e);
    return rc == CF_OK ? body_end(b) : rc;
}

int verb_backup_prune(const struct cli_args *a, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    struct body b = { 0 };
    char path[96];
    int code = EXIT_DONE;
    enum cf_rc rc = order(a, &b, e);
    if (rc == CF_OK)
        rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cli_call(t, "POST", "/coffer/prune", &b.text, &r, e);
    if (rc != CF_OK) {
        code = cli_exit_of(e);
    } else if (a->text[OPT_NO_WAIT] && a->text[OPT_JSON]) {
        cli_print_json(r.json);
    } else if (a->text[OPT_NO_WAIT]) {
        printf("%s\n", job_text(r.json, "jobId"));
    } else {
        snprintf(path, sizeof path, "/backup/%.40s/pending", job_text(r.json, "jobId"));
        rc = job_follow(t, a, path, &r, e);
        code = rc == CF_OK ? conclude(a, t, r.json, e) : cli_exit_of(e);
    }
    cf_buf_clear(&b.text);
    cli_answer_clear(&r);
    cli_target_close(t);
    return code;
}
