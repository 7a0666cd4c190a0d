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
    if (rc == CF_OK && a->text[OPT_JSON])
        r.json ? cli_print_json(r.json) : (void)puts("{}"); /* a 204 */
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
    return n > 0 && (size_t)n < size
               ? CF_OK
               : CF_FAIL(e, CF_E_REMOTE, "the next page's address is too long");
}

/* A list on its way out: rows of a table, whose widths are known at the end, or one JSON document,
 * printed page by page since a list may be of any length. */
struct listing {
    simple_row *row; /* NULL: JSON */
    struct cf_buf table;
    size_t printed; /* items */
};

static enum cf_rc print_item(struct listing *l, const struct json *item, struct cf_err *e)
{
    struct cf_buf text = { 0 };
    struct json_wr w;
    json_wr_init(&w, &text, e);
    json_put_value(&w, NULL, item);
    enum cf_rc rc = json_wr_end(&w);
    if (rc == CF_OK)
        printf("%s%.*s", l->printed++ ? "," : "", (int)text.len, (const char *)text.data);
    cf_buf_clear(&text);
    return rc;
}

static enum cf_rc one_page(struct listing *l, const struct json *page, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (const struct json *i = json_first(json_member(page, "value")); rc == CF_OK && i;
         i = json_next(i))
        if (l->row)
            rc = l->row(i, &l->table, e);
        else
            rc = print_item(l, i, e);
    return rc;
}

int simple_list(const struct cli_args *a, const char *path, const char *head, simple_row *row,
                struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    struct listing l = { .row = a->text[OPT_JSON] ? NULL : row };
    char at[2048];
    snprintf(at, sizeof at, "%s", path);
    enum cf_rc rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cf_buf_put_text(&l.table, head, e);
    for (size_t page = 0; rc == CF_OK && at[0] && page < PAGES_MAX; page++) {
        cli_answer_clear(&r);
        rc = cli_call(t, "GET", at, NULL, &r, e);
        if (rc == CF_OK && page == 0 && !l.row)
            fputs("{\"value\":[", stdout); /* an appliance that refuses leaves no half document */
        if (rc == CF_OK)
            rc = one_page(&l, r.json, e);
        if (rc == CF_OK)
            rc = next_path(t, r.json, at, sizeof at, e);
    }
    if (rc == CF_OK && l.row)
        cli_print_table(&l.table);
    else if (rc == CF_OK)
        puts("]}");
    cf_buf_clear(&l.table);
    cli_answer_clear(&r);
    cli_target_close(t);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}
