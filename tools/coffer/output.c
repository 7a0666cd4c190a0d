#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COLUMNS_MAX   8
#define BAR_WIDTH     30
#define LINE_EVERY_MS 10000
#define DRAW_EVERY_MS 200

static void print_text(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            putchar('\\');
        if ((unsigned char)*s < 0x20)
            printf("\\u%04x", (unsigned)*s);
        else
            putchar(*s);
    }
    putchar('"');
}

static void indent(int depth)
{
    printf("\n%*s", 2 * depth, "");
}

static void print_value(const struct json *v, int depth);

static void print_members(const struct json *v, int depth, bool named)
{
    bool first = true;
    for (const struct json *c = json_first(v); c; c = json_next(c)) {
        printf("%s", first ? "" : ",");
        indent(depth + 1);
        first = false;
        if (named) {
            print_text(json_name(c));
            printf(": ");
        }
        print_value(c, depth + 1);
    }
    if (!first)
        indent(depth);
}

static void print_value(const struct json *v, int depth)
{
    bool b = false;
    int64_t n = 0;
    switch (json_type_of(v)) {
    case JSON_NULL:
        printf("null");
        break;
    case JSON_BOOL:
        printf("%s", json_bool(v, &b) && b ? "true" : "false");
        break;
    case JSON_NUMBER:
        if (json_int(v, &n))
            printf("%lld", (long long)n);
        else
            printf("null");
        break;
    case JSON_TEXT:
        print_text(json_text(v));
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        putchar(json_type_of(v) == JSON_ARRAY ? '[' : '{');
        print_members(v, depth, json_type_of(v) == JSON_OBJECT);
        putchar(json_type_of(v) == JSON_ARRAY ? ']' : '}');
        break;
    }
}

void cli_print_json(const struct json *v)
{
    print_value(v, 0);
    putchar('\n');
}

static void measure(const struct cf_buf *text, size_t widths[COLUMNS_MAX])
{
    size_t column = 0, width = 0;
    for (size_t i = 0; i < text->len; i++) {
        char c = (char)text->data[i];
        if (c != '\t' && c != '\n') {
            width++;
            continue;
        }
        if (column < COLUMNS_MAX && width > widths[column])
            widths[column] = width;
        column = c == '\n' ? 0 : column + 1;
        width = 0;
    }
}

void cli_print_table(const struct cf_buf *text)
{
    size_t widths[COLUMNS_MAX] = { 0 };
    size_t column = 0, width = 0;
    measure(text, widths);
    for (size_t i = 0; i < text->len; i++) {
        char c = (char)text->data[i];
        if (c == '\t') {
            size_t pad =
                column < COLUMNS_MAX && widths[column] > width ? widths[column] - width : 0;
            printf("%*s  ", (int)pad, "");
            column++;
            width = 0;
        } else {
            putchar(c);
            width = c == '\n' ? 0 : width + 1;
            column = c == '\n' ? 0 : column;
        }
    }
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void cli_progress_start(struct cli_progress *p, const char *what, bool quiet)
{
    *p = (struct cli_progress){ .quiet = quiet, .terminal = isatty(STDERR_FILENO) };
    snprintf(p->what, sizeof p->what, "%s", what);
    p->shown_ms = now_ms();
}

static void draw_bar(const struct cli_progress *p, uint64_t done, uint64_t total, const char *text)
{
    char bar[BAR_WIDTH + 1];
    double part = done < total ? (double)done / (double)total : 1;
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = (double)i < part * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = 0;
    if (total)
        fprintf(stderr, "\r%s [%s] %3.0f %%  %s\033[K", p->what, bar, 100 * part, text);
    else
        fprintf(stderr, "\r%s  %s\033[K", p->what, text);
}

void cli_progress_show(struct cli_progress *p, uint64_t done, uint64_t total, const char *text)
{
    uint64_t now = now_ms();
    uint64_t every = p->terminal ? DRAW_EVERY_MS : LINE_EVERY_MS;
    if (p->quiet || !*text || now - p->shown_ms < every)
        return;
    p->shown_ms = now;
    if (p->terminal)
        draw_bar(p, done, total, text);
    else
        fprintf(stderr, "%s: %s\n", p->what, text);
    p->drawn = p->terminal;
}

void cli_progress_end(struct cli_progress *p)
{
    if (p->drawn)
        fprintf(stderr, "\r\033[K");
}
