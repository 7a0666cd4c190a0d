/* A job's status: read, waited for, told. */
#include "job.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

void job_date(int64_t at_s, char out[32])
{
    struct tm tm;
    time_t at = (time_t)at_s;
    if (at_s == 0 || !gmtime_r(&at, &tm) || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(out, 32, "-");
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

/* A backup that something marked is missing from. */
static bool incomplete(const struct json *status)
{
    const struct json *more = json_member(status, "coffer");
    const struct json *lines = json_member(more, "coverage");
    bool backup = strcmp(job_text(more, "kind"), "backup") == 0;
    for (const struct json *l = json_first(lines); backup && l; l = json_next(l))
        if (strcmp(job_text(l, "state"), "missing") == 0)
            return true;
    return false;
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
            fprintf(stderr, "coffer %s: job %s %s: %s%s%s%s\n", a->verb->words,
                    job_text(status, "jobId"), state, *code ? "(" : "", code, *code ? ") " : "",
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
    if (incomplete(status))
        return EXIT_PARTIAL;
    if (!nothing_overwritten(status))
        return EXIT_DONE;
    fprintf(
        stderr,
        "a live key of that name was left as it is; delete and purge it first to bring back the backup's\n");
    return EXIT_PARTIAL;
}

/* --- waiting --- */

/* What the keyboard's interrupt prints. It may come at any moment, while a poll hangs too, so the
 * words stand ready and the handler writes them: the one thing that must be global here. */
static struct {
    char text[2048];
    size_t len;
    int fd;
} farewell;

static void on_interrupt(int signal)
{
    (void)signal;
    (void)!write(farewell.fd, farewell.text, farewell.len);
    _exit(EXIT_INTERRUPTED);
}

/* " --dir /tmp/hsm": the flags by which another command finds the same appliance as the same
 * principal. */
static void put_where(const struct cli_args *a, char *out, size_t size)
{
    static const enum cli_option where[] = { OPT_DIR, OPT_AS,     OPT_HSM_NAME,
                                             OPT_ID,  OPT_CACERT, OPT_TOKEN_FILE };
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++)
        if (a->text[where[i]] && len < size)
            len += (size_t)snprintf(out + len, size - len, " --%s %s", cli_option_name(where[i]),
                                    a->text[where[i]]);
}

/* From here on an interrupt leaves the job alone and tells how to come back to it. */
static void arm_interrupt(const struct cli_args *a, const char *job, const struct cli_progress *p)
{
    char where[768];
    bool in_json = a->text[OPT_JSON] != NULL;
    struct sigaction act = { .sa_handler = on_interrupt };
    put_where(a, where, sizeof where);
    int n = in_json
                ? snprintf(farewell.text, sizeof farewell.text,
                           "{\"error\":{\"code\":\"interrupted\",\"message\":\"the job goes on: "
                           "coffer job wait %s\"},\"jobId\":\"%s\"}\n",
                           job, job)
                : snprintf(farewell.text, sizeof farewell.text,
                           "%scoffer %s: interrupted; the job goes on.\n  coffer job wait %s%s\n"
                           "follows it,\n  coffer job cancel %s%s\nends it.\n",
                           p->terminal ? "\r\033[K" : "", a->verb->words, job, where, job, where);
    farewell.len = n > 0 && (size_t)n < sizeof farewell.text ? (size_t)n : 0;
    farewell.fd = in_json ? STDOUT_FILENO : STDERR_FILENO;
    sigemptyset(&act.sa_mask);
    (void)sigaction(SIGINT, &act, NULL);
}

static void disarm_interrupt(void)
{
    (void)signal(SIGINT, SIG_DFL);
}

static void rest(unsigned wait_ms)
{
    struct timespec t = { .tv_sec = wait_ms / 1000, .tv_nsec = (long)(wait_ms % 1000) * 1000000 };
    (void)nanosleep(&t, NULL);
}

static void show(struct cli_progress *p, const struct json *status)
{
    const struct json *more = json_member(status, "coffer");
    snprintf(p->what, sizeof p->what, "%s", job_text(more, "kind"));
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
        else
            cli_progress_show(p, 0, 0, "no answer from the appliance; asking again");
        rest(wait_ms);
        wait_ms = wait_ms * 2 < POLL_MAX_MS ? wait_ms * 2 : POLL_MAX_MS;
    }
}

enum cf_rc job_follow(struct cli_target *t, const struct cli_args *a, const char *path,
                      struct cli_answer *r, struct cf_err *e)
{
    struct cli_progress p;
    const char *job = r->json ? job_text(r->json, "jobId") : a->word.item[0];
    cli_progress_start(&p, "job", a->text[OPT_JSON] != NULL);
    arm_interrupt(a, job, &p);
    enum cf_rc rc = poll_to_end(t, path, &p, r, e);
    disarm_interrupt();
    cli_progress_end(&p);
    return rc;
}
