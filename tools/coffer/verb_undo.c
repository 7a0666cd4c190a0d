/* restore undo: back to the state before the last restore. */
#include "job.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void print_plan(FILE *to, const struct json *u)
{
    bool redo = false;
    int64_t changes = 0, written = job_number(u, "partitionsWritten");
    time_t at = (time_t)job_number(u, "time");
    char when[32] = "";
    struct tm tm;
    (void)json_bool(json_member(u, "redo"), &redo);
    if (gmtime_r(&at, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    fprintf(to, "An undo goes back to the state before the %s of %s at %s,\n",
            redo ? "undo of the restore" : "restore", job_text(u, "folder"), when);
    if (json_int(json_member(u, "changesSince"), &changes))
        fprintf(to, "and sets aside %lld changes and %lld written partitions of %lld.\n",
                (long long)changes, (long long)written, (long long)job_number(u, "partitions"));
    else
        fprintf(to, "and sets aside whatever was changed since.\n");
}

static int do_undo(const struct cli_args *a, struct cli_target *t, struct cf_err *e)
{
    struct cli_answer r = { 0 };
    char path[96];
    int code = EXIT_FAILED;
    enum cf_rc rc = cli_call(t, "POST", "/coffer/restore/undo", NULL, &r, e);
    if (rc != CF_OK) {
        code = cli_exit_of(e);
    } else if (a->text[OPT_NO_WAIT]) {
        if (a->text[OPT_JSON])
            cli_print_json(r.json);
        else
            printf("%s\n", job_text(r.json, "jobId"));
        code = EXIT_DONE;
    } else {
        snprintf(path, sizeof path, "/restore/%.40s/pending", job_text(r.json, "jobId"));
        rc = job_follow(t, a, path, &r, e);
        code = rc == CF_OK ? job_conclude(a, r.json, e) : cli_exit_of(e);
    }
    cli_answer_clear(&r);
    return code;
}

int verb_restore_undo(const struct cli_args *a, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    int code = EXIT_DONE;
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cli_call(t, "GET", "/coffer/restore/undo", NULL, &r, e);
    if (rc != CF_OK)
        code = cli_exit_of(e);
    else if (!a->text[OPT_PLAN])
        code = do_undo(a, t, e);
    else if (a->text[OPT_JSON])
        cli_print_json(r.json);
    else
        print_plan(stdout, r.json);
    cli_answer_clear(&r);
    cli_target_close(t);
    return code;
}
