/* A job's status: read, waited for, told. */
#include "job.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_FIRST_MS   50
#define POLL_MAX_MS     1000
#define POLL_FAILED_MAX 60 /* polls in a row without an answer: the appliance is gone */

int64_t job_number(const struct json *v, const char *name)
{
    int64_t n = 0;
    return json_int(json_member(v, name), &n) ? n : 0;
}

const char *job_text(const struct json *v, const char *name)
{
    const char *s = json_text(json_member(v, name));
    return s ? s : "";
}

bool job_running(const struct json *status)
{
    return strcmp(job_text(status, "status"), "InProgress") == 0;
}

static void show_warning(const struct json *status)
{
    const char *warning = job_text(json_member(status, "coffer"), "warning");
    if (*warning)
        fprintf(stderr, "warning: %s\n", warning);
}

/* "Number of successful key versions restored: 0, Number of key versions could not overwrite: 2" */
static bool nothing_overwritten(const struct json *status)
{
    const char *details = job_text(status, "statusDetails");
    const char *kept = strstr(details, "could not overwrite: ");
    return kept && strcmp(kept + strlen("could not overwrite: "), "0") != 0;
}

/* The status object of the REST interface, with folder, bytes and elapsed_ms beside its members. */
static enum cf_rc print_status(const struct json *status, struct cf_err *e)
{
    const struct json *more = json_member(status, "coffer");
    struct body b;
    struct json *whole = NULL;
    body_begin(&b, e);
    for (const struct json *m = json_first(status); m; m = json_next(m))
        json_put_value(&b.w, json_name(m), m);
    json_put_text(&b.w, "folder", *job_text(more, "folder") ? job_text(more, "folder") : NULL);
    json_put_int(&b.w, "bytes", job_number(more, "bytes"));
    json_put_int(&b.w, "elapsed_ms", job_number(more, "elapsedMs"));
    enum cf_rc rc = body_end(&b);
    if (rc == CF_OK)
        rc = json_parse(b.text.data, b.text.len, NULL, &whole, e);
    if (rc == CF_OK)
        cli_print_json(whole);
    json_free(whole);
    cf_buf_clear(&b.text);
    return rc;
}

/* Prints how a finished job ended; the exit code says it too. */
int job_conclude(const struct cli_args *a, const struct json *status, struct cf_err *e)
{
    const struct json *error = json_member(status, "error");
    const char *state = job_text(status, "status");
    if (a->text[OPT_JSON] && print_status(status, e) != CF_OK)
        return EXIT_FAILED;
    show_warning(status);
    if (strcmp(state, "Succeeded") != 0) {
        const char *code = job_text(error, "code"); /* a canceled job has no error */
        if (!a->text[OPT_JSON])
            (void)CF_FAIL(e, CF_E_REMOTE, "job %s %s: %s%s%s%s", job_text(status, "jobId"), state,
                          *code ? "(" : "", code, *code ? ") " : "",
                          job_text(*code ? error : status, *code ? "message" : "statusDetails"));
        return EXIT_JOB_FAILED;
    }
    if (!a->text[OPT_JSON]) {
        const char *folder = job_text(status, "azureStorageBlobContainerUri");
        if (*folder)
            printf("%s\n", folder);
        if (*job_text(status, "statusDetails"))
            printf("%s\n", job_text(status, "statusDetails"));
        else if (!*folder)
            printf("%s succeeded: %s\n", job_text(json_member(status, "coffer"), "kind"),
                   job_text(json_member(status, "coffer"), "folder"));
    }
    if (!nothing_overwritten(status))
        return EXIT_DONE;
    fprintf(
        stderr,
        "a live key of that name was left as it is; delete and purge it first to bring back the backup's\n");
    return EXIT_PARTIAL;
}

/* --- waiting --- */

/* The keyboard's interrupt is taken between polls only: one that comes while a poll hangs ends the
 * program as usual. True: it came. */
static bool rest(unsigned wait_ms)
{
    struct timespec t = { .tv_sec = wait_ms / 1000, .tv_nsec = (long)(wait_ms % 1000) * 1000000 };
    sigset_t interrupt, before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &before);
    bool came = sigtimedwait(&interrupt, NULL, &t) == SIGINT;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return came;
}

static enum cf_rc left_alone(const struct json *status, struct cf_err *e)
{
    return CF_FAIL(e, CF_E_CANCEL,
                   "interrupted; the job goes on. \"coffer job wait %s\" follows it, \"coffer job "
                   "cancel %s\" ends it",
                   job_text(status, "jobId"), job_text(status, "jobId"));
}

static void show(struct cli_progress *p, const struct json *status)
{
    const struct json *more = json_member(status, "coffer");
    p->what = job_text(more, "kind");
    cli_progress_show(p, (uint64_t)job_number(more, "doneBytes"),
                      (uint64_t)job_number(more, "totalBytes"), job_text(status, "statusDetails"));
}

/* A poll that finds no answer is tried again for a while. */
static enum cf_rc poll_to_end(struct cli_target *t, const char *path, struct cli_progress *p,
                              struct cli_answer *r, struct cf_err *e)
{
    unsigned wait_ms = POLL_FIRST_MS, failed = 0;
    for (;;) {
        struct cf_err err = { 0 };
        cli_answer_clear(r);
        enum cf_rc rc = cli_call(t, "GET", path, NULL, r, &err);
        if (rc == CF_OK && !job_running(r->json))
            return CF_OK;
        failed = rc == CF_OK ? 0 : failed + 1;
        if (failed > POLL_FAILED_MAX || (rc != CF_OK && rc != CF_E_IO)) {
            *e = err;
            return rc;
        }
        if (rc == CF_OK)
            show(p, r->json);
        if (rest(wait_ms))
            return left_alone(r->json, e);
        wait_ms = wait_ms * 2 < POLL_MAX_MS ? wait_ms * 2 : POLL_MAX_MS;
    }
}

enum cf_rc job_follow(struct cli_target *t, const struct cli_args *a, const char *path,
                      struct cli_answer *r, struct cf_err *e)
{
    struct cli_progress p;
    cli_progress_start(&p, "job", a->text[OPT_JSON] != NULL);
    enum cf_rc rc = poll_to_end(t, path, &p, r, e);
    cli_progress_end(&p);
    return rc;
}

int job_follow_failed(struct cf_err *e)
{
    return e->rc == CF_E_CANCEL ? EXIT_INTERRUPTED : cli_exit_of(e);
}
