/* What is known of jobs: status, list, cancel. */
#include "job.h"
#include "simple.h"

#include <stdio.h>
#include <string.h>

/* The newest job of `what` among all the appliance knows. Lists say less of a job than its own
 * status does. */
static enum cf_rc find_newest(struct cli_target *t, const char *what, char id[40], struct cf_err *e)
{
    struct cli_answer r = { 0 };
    enum cf_rc rc = cli_call(t, "GET", "/coffer/jobs", NULL, &r, e);
    const struct json *j = rc == CF_OK ? json_first(json_member(r.json, "value")) : NULL;
    while (j && !strstr(job_text(json_member(j, "coffer"), "kind"), what))
        j = json_next(j);
    if (j)
        snprintf(id, 40, "%s", job_text(j, "jobId"));
    else if (rc == CF_OK)
        rc = CF_FAIL(e, CF_E_ABSENT, "no %s was ever started here", what);
    cli_answer_clear(&r);
    return rc;
}

static int show_status(const struct cli_args *a, const struct json *job, struct cf_err *e)
{
    bool running = job_running(job);
    if (a->text[OPT_JSON] && running)
        cli_print_json(job);
    if (!a->text[OPT_JSON])
        printf("%s %s %s %s\n", job_text(job, "jobId"), job_text(job, "status"),
               job_text(json_member(job, "coffer"), "kind"),
               running ? job_text(job, "statusDetails") : "");
    return running ? EXIT_DONE : job_conclude(a, job, e);
}

static int job_status(const struct cli_args *a, const char *what, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    char path[128], last[40];
    const char *id = a->text[OPT_JOB];
    if (id && body_check_name(id, NULL) != CF_OK) {
        (void)CF_FAIL(e, CF_E_INPUT, "--job-id is what start printed: 32 digits");
        return EXIT_USAGE;
    }
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK && !id)
        rc = find_newest(t, what, last, e);
    if (rc == CF_OK) {
        snprintf(path, sizeof path, "/%s/%.40s/pending", what, id ? id : last);
        rc = cli_call(t, "GET", path, NULL, &r, e);
    }
    int code = rc == CF_OK ? show_status(a, r.json, e) : cli_exit_of(e);
    cli_answer_clear(&r);
    cli_target_close(t);
    return code;
}

int verb_backup_status(const struct cli_args *a, struct cf_err *e)
{
    return job_status(a, "backup", e);
}

int verb_restore_status(const struct cli_args *a, struct cf_err *e)
{
    return job_status(a, "restore", e);
}

static enum cf_rc job_rows(const struct json *list, struct cf_buf *table, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_put_text(table, "KIND\tSTATE\tSTARTED\tJOB\tFOLDER OR REASON\n", e);
    for (const struct json *j = json_first(list); rc == CF_OK && j; j = json_next(j)) {
        const struct json *more = json_member(j, "coffer");
        const char *folder = job_text(more, "folder");
        const char *reason = job_text(json_member(j, "error"), "message");
        char started[32];
        job_date(job_number(j, "startTime"), started);
        rc = cf_buf_printf(table, e, "%s\t%s\t%s\t%s\t%s\n", job_text(more, "kind"),
                           job_text(j, "status"), started, job_text(j, "jobId"),
                           *reason ? reason : folder);
    }
    return rc;
}

int verb_job_list(const struct cli_args *a, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    struct cf_buf table = { 0 };
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cli_call(t, "GET", "/coffer/jobs", NULL, &r, e);
    if (rc == CF_OK && a->text[OPT_JSON])
        cli_print_json(r.json);
    else if (rc == CF_OK)
        rc = job_rows(json_member(r.json, "value"), &table, e);
    if (rc == CF_OK)
        cli_print_table(&table);
    cf_buf_clear(&table);
    cli_answer_clear(&r);
    cli_target_close(t);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}

/* --- by its id, whatever it does --- */

/* "/coffer/jobs/ID" and `tail`. */
static enum cf_rc job_path(const struct cli_args *a, const char *tail, char out[80],
                           struct cf_err *e)
{
    const char *id = a->word.item[0];
    if (strlen(id) != 32 || strspn(id, "0123456789abcdef") != 32)
        return CF_FAIL(e, CF_E_INPUT, "%s is no job: 32 digits, as start printed them", id);
    snprintf(out, 80, "/coffer/jobs/%s%s", id, tail);
    return CF_OK;
}

int verb_job_cancel(const struct cli_args *a, struct cf_err *e)
{
    char path[80];
    if (job_path(a, "/cancel", path, e) != CF_OK)
        return cli_exit_of(e);
    return simple_call(a, "POST", path, NULL, NULL, e);
}

typedef enum cf_rc ask_fn(struct cli_target *t, const struct cli_args *a, const char *path,
                          struct cli_answer *r, struct cf_err *e);
typedef int tell_fn(const struct cli_args *a, const struct json *status, struct cf_err *e);

static int job_by_id(const struct cli_args *a, ask_fn *ask, tell_fn *tell, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    char path[80];
    enum cf_rc rc = job_path(a, "", path, e);
    if (rc == CF_OK)
        rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = ask(t, a, path, &r, e);
    int code = rc == CF_OK ? tell(a, r.json, e) : cli_exit_of(e);
    cli_answer_clear(&r);
    cli_target_close(t);
    return code;
}

static enum cf_rc ask_once(struct cli_target *t, const struct cli_args *a, const char *path,
                           struct cli_answer *r, struct cf_err *e)
{
    (void)a;
    return cli_call(t, "GET", path, NULL, r, e);
}

int verb_job_status(const struct cli_args *a, struct cf_err *e)
{
    return job_by_id(a, ask_once, show_status, e);
}

int verb_job_wait(const struct cli_args *a, struct cf_err *e)
{
    return job_by_id(a, job_follow, job_conclude, e);
}
