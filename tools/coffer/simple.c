#include "simple.h"

#include <stdio.h>
#include <string.h>

#define PAGES_MAX 1000000 /* a list that never ends is cut */

const char *simple_text(const struct json *v, const char *name)
{
    const char *s = json_text(json_member(v, name));
    return s ? s : "";
}

int simple_call(const struct cli_args *a, const char *method, const char *path, struct body *body,
                simple_print *print, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cli_call(t, method, path, body ? &body->text : NULL, &r, e);
    if (rc == CF_OK && r.json && a->text[OPT_JSON])
        cli_print_json(r.json);
    else if (rc == CF_OK && r.json && print)
        rc = print(r.json, e);
    if (body)
        cf_buf_clear(&body->text);
    cli_answer_clear(&r);
    cli_target_close(t);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}

/* Path and query of a nextLink of this very appliance. */
static enum cf_rc next_path(const struct cli_target *t, const struct json *page, char *out,
                            size_t size, struct cf_err *e)
{
    const char *link = simple_text(page, "nextLink");
    const char *url = cli_target_url(t);
    out[0] = 0;
    if (!*link)
        return CF_OK;
    if (strncmp(link, url, strlen(url)) != 0 || link[strlen(url)] != '/')
        return CF_FAIL(e, CF_E_REMOTE, "the next page lies on another host");
    int n = snprintf(out, size, "%s", link + strlen(url));
    return n > 0 && (size_t)n < size ? CF_OK : CF_FAIL(e, CF_E_REMOTE, "the next page's address is too long");
}

static enum cf_rc one_page(const struct cli_args *a, const struct json *page, simple_row *row,
                           struct cf_buf *table, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    if (a->text[OPT_JSON]) {
        cli_print_json(page);
        return CF_OK;
    }
    const struct json *items = json_member(page, "value");
    for (const struct json *i = json_first(items); rc == CF_OK && i; i = json_next(i))
        rc = row(i, table, e);
    return rc;
}

int simple_list(const struct cli_args *a, const char *path, const char *head, simple_row *row,
                struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    struct cf_buf table = { 0 };
    char at[2048];
    snprintf(at, sizeof at, "%s", path);
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cf_buf_put_text(&table, head, e);
    for (size_t page = 0; rc == CF_OK && at[0] && page < PAGES_MAX; page++) {
        cli_answer_clear(&r);
        rc = cli_call(t, "GET", at, NULL, &r, e);
        if (rc == CF_OK)
            rc = one_page(a, r.json, row, &table, e);
        if (rc == CF_OK)
            rc = next_path(t, r.json, at, sizeof at, e);
    }
    if (rc == CF_OK && !a->text[OPT_JSON])
        cli_print_table(&table);
    cf_buf_clear(&table);
    cli_answer_clear(&r);
    cli_target_close(t);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}
