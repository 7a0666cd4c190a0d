/* backup start, backup verify, restore start: the job is started and followed. */
#include "job.h"

#include <stdio.h>

struct job_start {
    const char *method, *path, *folder_member, *what;
};

static int start_job(const struct cli_args *a, const struct job_start *s, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    struct body b = { 0 };
    int code = EXIT_FAILED;
    char path[96];
    enum cf_rc rc = job_order_body(a, s->folder_member, &b, e);
    if (rc == CF_OK)
        rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cli_call(t, s->method, s->path, &b.text, &r, e);
    if (rc != CF_OK) {
        code = cli_exit_of(e);
        goto out;
    }
    snprintf(path, sizeof path, "/%s/%.40s/pending", s->what, job_text(r.json, "jobId"));
    if (a->text[OPT_NO_WAIT]) {
        if (a->text[OPT_JSON])
            cli_print_json(r.json);
        else
            printf("%s\n", job_text(r.json, "jobId"));
        code = EXIT_DONE;
        goto out;
    }
    rc = job_follow(t, a, path, &r, e);
    code = rc == CF_OK ? job_conclude(a, r.json, e) : cli_exit_of(e);
    if (code == EXIT_DONE && a->text[OPT_RECEIPT] &&
        job_write_receipt(t, job_text(r.json, "jobId"), a->text[OPT_RECEIPT], e) != CF_OK) {
        (void)cf_err_ctx(e, e->rc, "the receipt (coffer job receipt %s asks again)",
                         job_text(r.json, "jobId"));
        code = cli_exit_of(e);
    }
out:
    cf_buf_clear(&b.text);
    cli_answer_clear(&r);
    cli_target_close(t);
    return code;
}

int verb_backup_start(const struct cli_args *a, struct cf_err *e)
{
    const struct job_start s = { "POST", "/backup", NULL, "backup" };
    return start_job(a, &s, e);
}

int verb_restore_start(const struct cli_args *a, struct cf_err *e)
{
    char path[192];
    const char *key = a->text[OPT_KEY_NAME];
    if (a->text[OPT_PLAN])
        return job_plan(a, e);
    if (!key) {
        const struct job_start full = { "PUT", "/restore", "folderToRestore", "restore" };
        return start_job(a, &full, e);
    }
    if (body_check_name(key, e) != CF_OK)
        return EXIT_USAGE;
    snprintf(path, sizeof path, "/keys/%s/restore", key);
    const struct job_start one = { "PUT", path, "folder", "restore" };
    return start_job(a, &one, e);
}

int verb_backup_verify(const struct cli_args *a, struct cf_err *e)
{
    const struct job_start s = { "POST", "/coffer/verify", "folderToRestore", "restore" };
    if (a->text[OPT_RECEIPT] && a->text[OPT_NO_WAIT]) {
        (void)CF_FAIL(
            e, CF_E_INPUT,
            "--receipt needs the job's end: leave out --no-wait, or run job receipt then");
        return EXIT_USAGE;
    }
    return start_job(a, &s, e);
}
