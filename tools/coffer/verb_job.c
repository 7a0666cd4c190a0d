/* backup and restore: start a job, follow it, say how it ended. */
#include "body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"

#define POLL_FIRST_MS   50
#define POLL_MAX_MS     1000
#define POLL_FAILED_MAX 60 /* polls in a row without an answer: the appliance is gone */

/* The container's URI from either way of naming it. */
static enum cf_rc storage_uri(const struct cli_args *a, char *out, size_t size, struct cf_err *e)
{
    const char *uri = a->text[OPT_STORAGE_URI];
    const char *account = a->text[OPT_STORAGE_ACCOUNT];
    const char *container = a->text[OPT_BLOB_CONTAINER];
    if (uri ? account || container : !account || !container)
        return CF_FAIL(e, CF_E_INPUT,
                       "name the container: --storage-resource-uri, or "
                       "--storage-account-name and --blob-container-name");
    int n = uri ? snprintf(out, size, "%s", uri)
                : snprintf(out, size, "https://%s.blob.core.windows.net/%s", account, container);
    return n > 0 && (size_t)n < size ? CF_OK
                                     : CF_FAIL(e, CF_E_INPUT, "the container's URI is too long");
}

static enum cf_rc put_sas(const struct cli_args *a, struct body *b, struct cf_err *e)
{
    const char *sas = a->text[OPT_SAS];
    struct cf_buf file = { 0 };
    const char *text = sas;
    enum cf_rc rc = CF_OK;
    if (a->text[OPT_MANAGED_IDENTITY]) {
        bool yes = false;
        rc = body_read_bool("--use-managed-identity", a->text[OPT_MANAGED_IDENTITY], &yes, e);
        json_put_bool(&b->w, "useManagedIdentity", yes);
        if (rc != CF_OK || !sas)
            return rc;
    }
    if (!sas)
        return CF_OK;
    if (sas[0] == '@') {
        rc = cf_file_read(sas + 1, 8192, &file, e);
        while (rc == CF_OK && file.len &&
               (file.data[file.len - 1] == '\n' || file.data[file.len - 1] == '\r'))
            rc = cf_buf_resize(&file, file.len - 1, e);
        if (rc == CF_OK)
            rc = cf_buf_text(&file, &text, e);
    }
    if (rc == CF_OK)
        json_put_text(&b->w, "token", text);
    cf_buf_clear(&file);
    return rc;
}

/* `backup start` prints container and folder as one: taken here as well, for the container named
 * beside it. */
static const char *folder_of(const char *given, const char *uri)
{
    size_t len = strlen(uri);
    while (len && uri[len - 1] == '/')
        len--;
    return strncmp(given, uri, len) == 0 && given[len] == '/' ? given + len + 1 : given;
}

/* The body of start: a SAS parameter alone, or inside the parameters of a restore. */
static enum cf_rc start_body(const struct cli_args *a, const char *folder_member, struct body *b,
                             struct cf_err *e)
{
    char uri[1024];
    enum cf_rc rc = storage_uri(a, uri, sizeof uri, e);
    body_begin(b, e);
    if (rc != CF_OK)
        return rc;
    if (folder_member)
        json_put_object(&b->w, "sasTokenParameters");
    json_put_text(&b->w, "storageResourceUri", uri);
    rc = put_sas(a, b, e);
    if (folder_member) {
        json_close(&b->w);
        json_put_text(&b->w, folder_member, folder_of(a->text[OPT_BACKUP_FOLDER], uri));
    }
    return rc == CF_OK ? body_end(b) : rc;
}

static int64_t number_of(const struct json *v, const char *name)
{
    int64_t n = 0;
    return json_int(json_member(v, name), &n) ? n : 0;
}

static const char *text_of(const struct json *v, const char *name)
{
    const char *s = json_text(json_member(v, name));
    return s ? s : "";
}

static bool running(const struct json *status)
{
    return strcmp(text_of(status, "status"), "InProgress") == 0;
}

static void show_warning(const struct json *status)
{
    const char *warning = text_of(json_member(status, "coffer"), "warning");
    if (*warning)
        fprintf(stderr, "warning: %s\n", warning);
}

/* "Number of successful key versions restored: 0, Number of key versions could not overwrite: 2" */
static bool nothing_overwritten(const struct json *status)
{
    const char *details = text_of(status, "statusDetails");
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
    json_put_text(&b.w, "folder", *text_of(more, "folder") ? text_of(more, "folder") : NULL);
    json_put_int(&b.w, "bytes", number_of(more, "bytes"));
    json_put_int(&b.w, "elapsed_ms", number_of(more, "elapsedMs"));
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
static int conclude(const struct cli_args *a, const struct json *status, struct cf_err *e)
{
    const struct json *error = json_member(status, "error");
    const char *state = text_of(status, "status");
    if (a->text[OPT_JSON] && print_status(status, e) != CF_OK)
        return EXIT_FAILED;
    show_warning(status);
    if (strcmp(state, "Succeeded") != 0) {
        const char *code = text_of(error, "code"); /* a canceled job has no error */
        if (!a->text[OPT_JSON])
            (void)CF_FAIL(e, CF_E_REMOTE, "job %s %s: %s%s%s%s", text_of(status, "jobId"), state,
                          *code ? "(" : "", code, *code ? ") " : "",
                          text_of(*code ? error : status, *code ? "message" : "statusDetails"));
        return EXIT_JOB_FAILED;
    }
    if (!a->text[OPT_JSON]) {
        const char *folder = text_of(status, "azureStorageBlobContainerUri");
        if (*folder)
            printf("%s\n", folder);
        if (*text_of(status, "statusDetails"))
            printf("%s\n", text_of(status, "statusDetails"));
    }
    if (!nothing_overwritten(status))
        return EXIT_DONE;
    fprintf(
        stderr,
        "a live key of that name was left as it is; delete and purge it first to bring back the backup's\n");
    return EXIT_PARTIAL;
}

struct following {
    struct cli_target *t;
    const struct cli_args *a;
    const char *path;
    struct cli_progress progress;
};

/* Polls until the job has ended; a poll that finds no answer is tried again for a while. */
static enum cf_rc follow(struct following *f, struct cli_answer *r, struct cf_err *e)
{
    unsigned wait_ms = POLL_FIRST_MS, failed = 0;
    for (;;) {
        struct cf_err err = { 0 };
        cli_answer_clear(r);
        enum cf_rc rc = cli_call(f->t, "GET", f->path, NULL, r, &err);
        if (rc == CF_OK && !running(r->json))
            return CF_OK;
        failed = rc == CF_OK ? 0 : failed + 1;
        if (failed > POLL_FAILED_MAX || (rc != CF_OK && rc != CF_E_IO)) {
            *e = err;
            return rc;
        }
        const struct json *more = json_member(r->json, "coffer");
        cli_progress_show(&f->progress, (uint64_t)number_of(more, "doneBytes"),
                          (uint64_t)number_of(more, "totalBytes"));
        usleep(wait_ms * 1000);
        wait_ms = wait_ms * 2 < POLL_MAX_MS ? wait_ms * 2 : POLL_MAX_MS;
    }
}

struct job_start {
    const char *method, *path, *folder_member, *what;
    const char *shown; /* beside the progress */
};

static int start_job(const struct cli_args *a, const struct job_start *s, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    struct body b = { 0 };
    int code = EXIT_FAILED;
    char path[96];
    enum cf_rc rc = start_body(a, s->folder_member, &b, e);
    if (rc == CF_OK)
        rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cli_call(t, s->method, s->path, &b.text, &r, e);
    if (rc != CF_OK) {
        code = cli_exit_of(e);
        goto out;
    }
    snprintf(path, sizeof path, "/%s/%.40s/pending", s->what, text_of(r.json, "jobId"));
    if (a->text[OPT_NO_WAIT]) {
        if (a->text[OPT_JSON])
            cli_print_json(r.json);
        else
            printf("%s\n", text_of(r.json, "jobId"));
        code = EXIT_DONE;
        goto out;
    }
    struct following f = { .t = t, .a = a, .path = path };
    cli_progress_start(&f.progress, s->shown, a->text[OPT_JSON] != NULL);
    rc = follow(&f, &r, e);
    cli_progress_end(&f.progress);
    code = rc == CF_OK ? conclude(a, r.json, e) : cli_exit_of(e);
out:
    cf_buf_clear(&b.text);
    cli_answer_clear(&r);
    cli_target_close(t);
    return code;
}

int verb_backup_start(const struct cli_args *a, struct cf_err *e)
{
    const struct job_start s = { "POST", "/backup", NULL, "backup", "backup" };
    return start_job(a, &s, e);
}

int verb_restore_start(const struct cli_args *a, struct cf_err *e)
{
    char path[192];
    const char *key = a->text[OPT_KEY_NAME];
    if (!key) {
        const struct job_start full = { "PUT", "/restore", "folderToRestore", "restore",
                                        "restore" };
        return start_job(a, &full, e);
    }
    if (body_check_name(key, e) != CF_OK)
        return EXIT_USAGE;
    snprintf(path, sizeof path, "/keys/%s/restore", key);
    const struct job_start one = { "PUT", path, "folder", "restore", "restore" };
    return start_job(a, &one, e);
}

int verb_backup_verify(const struct cli_args *a, struct cf_err *e)
{
    const struct job_start s = { "POST", "/coffer/verify", "folderToRestore", "restore", "verify" };
    return start_job(a, &s, e);
}

/* The newest job of `what` among all the appliance knows. */
static const struct json *newest(const struct json *list, const char *what)
{
    const struct json *j = json_first(list);
    while (j && !strstr(text_of(json_member(j, "coffer"), "kind"), what))
        j = json_next(j);
    return j;
}

static int show_status(const struct cli_args *a, const struct json *job, struct cf_err *e)
{
    const struct json *more = json_member(job, "coffer");
    if (!running(job))
        return conclude(a, job, e);
    if (a->text[OPT_JSON])
        cli_print_json(job);
    else
        printf("%s InProgress %lld of %lld bytes\n", text_of(job, "jobId"),
               (long long)number_of(more, "doneBytes"), (long long)number_of(more, "totalBytes"));
    return EXIT_DONE;
}

static int job_status(const struct cli_args *a, const char *what, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    char path[128] = "/coffer/jobs";
    const struct json *job = NULL;
    const char *id = a->text[OPT_JOB];
    if (id && body_check_name(id, NULL) != CF_OK) {
        (void)CF_FAIL(e, CF_E_INPUT, "--job-id is what start printed: 32 digits");
        return EXIT_USAGE;
    }
    if (id)
        snprintf(path, sizeof path, "/%s/%.40s/pending", what, id);
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cli_call(t, "GET", path, NULL, &r, e);
    if (rc == CF_OK)
        job = id ? r.json : newest(json_member(r.json, "value"), what);
    if (rc == CF_OK && !job)
        rc = CF_FAIL(e, CF_E_ABSENT, "no %s was ever started here", what);
    int code = rc == CF_OK ? show_status(a, job, e) : cli_exit_of(e);
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
        const char *folder = text_of(more, "folder");
        const char *reason = text_of(json_member(j, "error"), "message");
        rc = cf_buf_printf(table, e, "%s\t%s\t%lld\t%s\t%s\n", text_of(more, "kind"),
                           text_of(j, "status"), (long long)number_of(j, "startTime"),
                           text_of(j, "jobId"), *reason ? reason : folder);
    }
    return rc;
}

int verb_backup_list(const struct cli_args *a, struct cf_err *e)
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
