/* backup list: what lies in a container, whole or not, of whom, how old, verified when. */
#include "job.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_S  INT64_C(86400)
#define HOUR_S INT64_C(3600)

static const char *state_words(const char *state)
{
    static const struct {
        const char *name, *words;
    } words[] = { { "otherDomain", "other domain" },
                  { "needsGeneration", "needs generation" },
                  { "newerFormat", "newer format" } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].name, state) == 0)
            return words[i].words;
    return state;
}

/* "3 d", "5 h", "12 min"; "-" when the time is not known. */
static void age_of(int64_t at_s, int64_t now_s, char out[32])
{
    int64_t age = now_s > at_s ? now_s - at_s : 0;
    if (at_s == 0)
        snprintf(out, 32, "-");
    else if (age >= 2 * DAY_S)
        snprintf(out, 32, "%lld d", (long long)(age / DAY_S));
    else if (age >= 2 * HOUR_S)
        snprintf(out, 32, "%lld h", (long long)(age / HOUR_S));
    else
        snprintf(out, 32, "%lld min", (long long)(age / 60));
}

static enum cf_rc put_row(const struct json *b, int64_t now_s, struct cf_buf *table,
                          struct cf_err *e)
{
    char made[32], age[32], verified[64], state[64], seq[24] = "-";
    bool whole = false, complete = true;
    int64_t at = job_number(b, "verifiedTime");
    job_date(job_number(b, "time"), made);
    age_of(job_number(b, "time"), now_s, age);
    job_date(at, verified);
    (void)!json_bool(json_member(b, "complete"), &complete);
    if (at && complete && json_bool(json_member(b, "verifiedWhole"), &whole) && !whole)
        snprintf(verified + strlen(verified), 16, " (sample)");
    bool incomplete = strcmp(job_text(b, "state"), "whole") == 0 && !complete;
    snprintf(state, sizeof state, "%s",
             incomplete ? "incomplete" : state_words(job_text(b, "state")));
    if (strcmp(job_text(b, "state"), "needsGeneration") == 0)
        snprintf(state, sizeof state, "needs generation %lld",
                 (long long)job_number(b, "generation"));
    if (job_number(b, "seq"))
        snprintf(seq, sizeof seq, "%lld", (long long)job_number(b, "seq"));
    return cf_buf_printf(table, e, "%s\t%s\t%s\t%s\t%lld\t%s\t%s\t%s\n", job_text(b, "folder"),
                         state, made, age, (long long)job_number(b, "bytes"),
                         *job_text(b, "hsm") ? job_text(b, "hsm") : "-", seq, verified);
}

static int show(const struct cli_args *a, const struct json *answer, struct cf_err *e)
{
    struct cf_buf table = { 0 };
    bool more = false;
    int64_t now_s = (int64_t)time(NULL);
    const struct json *list = json_member(answer, "value");
    if (a->text[OPT_JSON]) {
        cli_print_json(answer);
        return EXIT_DONE;
    }
    enum cf_rc rc =
        cf_buf_put_text(&table, "FOLDER\tSTATE\tMADE\tAGE\tBYTES\tHSM\tSEQ\tVERIFIED\n", e);
    const char *last = "";
    for (const struct json *b = json_first(list); rc == CF_OK && b; b = json_next(b)) {
        rc = put_row(b, now_s, &table, e);
        last = job_text(b, "folder");
    }
    if (rc == CF_OK)
        cli_print_table(&table);
    if (rc == CF_OK && json_bool(json_member(answer, "more"), &more) && more)
        fprintf(stderr, "%zu of %lld folders; the next ones: --after %s\n", json_count(list),
                (long long)job_number(answer, "folders"), last);
    cf_buf_clear(&table);
    return rc == CF_OK ? EXIT_DONE : EXIT_FAILED;
}

int verb_backup_list(const struct cli_args *a, struct cf_err *e)
{
    struct cli_target *t = NULL;
    struct cli_answer r = { 0 };
    struct body b = { 0 };
    enum cf_rc rc = job_order_begin(a, NULL, &b, e);
    if (rc == CF_OK && a->text[OPT_LIMIT])
        rc = body_put_number(&b, "limit", "--limit", a->text[OPT_LIMIT], e);
    if (rc == CF_OK && a->text[OPT_AFTER])
        json_put_text(&b.w, "after", a->text[OPT_AFTER]);
    if (rc == CF_OK)
        rc = body_end(&b);
    if (rc == CF_OK)
        rc = cli_target_open(a, &t, e);
    if (rc == CF_OK)
        rc = cli_call(t, "POST", "/coffer/backups", &b.text, &r, e);
    int code = rc == CF_OK ? show(a, r.json, e) : cli_exit_of(e);
    cf_buf_clear(&b.text);
    cli_answer_clear(&r);
    cli_target_close(t);
    return code;
}
