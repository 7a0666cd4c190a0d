/* The signed receipt of a verified backup, into a file. */
#include "job.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

#define RECEIPT_MAX 65536

enum cf_rc job_write_receipt(struct cli_target *t, const char *job, const char *file,
                             struct cf_err *e)
{
    struct cli_answer r = { 0 };
    struct cf_buf bytes = { 0 };
    char path[96];
    snprintf(path, sizeof path, "/coffer/jobs/%.40s/receipt", job);
    enum cf_rc rc = cli_call(t, "GET", path, NULL, &r, e);
    if (rc == CF_OK)
        rc = json_get_base64(r.json, "receipt", RECEIPT_MAX, &bytes, e);
    if (rc == CF_OK)
        rc = cf_file_write(file, 0644, bytes.data, bytes.len, e);
    cf_buf_clear(&bytes);
    cli_answer_clear(&r);
    return rc;
}

/* The file's name, as it was given: there is nothing else to say. */
static enum cf_rc tell(const char *job, const char *file, struct cf_err *e)
{
    struct body b;
    struct json *v = NULL;
    body_begin(&b, e);
    json_put_text(&b.w, "jobId", job);
    json_put_text(&b.w, "file", file);
    enum cf_rc rc = body_end(&b);
    if (rc == CF_OK)
        rc = json_parse(b.text.data, b.text.len, NULL, &v, e);
    if (rc == CF_OK)
        cli_print_json(v);
    json_free(v);
    cf_buf_clear(&b.text);
    return rc;
}

int verb_job_receipt(const struct cli_args *a, struct cf_err *e)
{
    struct cli_target *t = NULL;
    const char *id = a->word.item[0];
    if (strlen(id) != 32 || strspn(id, "0123456789abcdef") != 32) {
        (void)CF_FAIL(e, CF_E_INPUT, "%s is no job: 32 digits, as start printed them", id);
        return EXIT_USAGE;
    }
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = job_write_receipt(t, id, a->text[OPT_RECEIPT], e);
    if (rc == CF_OK && a->text[OPT_JSON])
        rc = tell(id, a->text[OPT_RECEIPT], e);
    cli_target_close(t);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}
