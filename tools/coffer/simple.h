/* The shape most verbs have: one request, and its answer printed one way or the other. */
#ifndef COFFER_SIMPLE_H
#define COFFER_SIMPLE_H

#include "body.h"

typedef enum cf_rc simple_print(const struct json *answer, struct cf_err *e);

/* Sends `method path` with `body` (NULL: none; cleared in any case). --json prints the whole
 * answer, else `print` does (NULL: nothing is printed). Gives the exit code. */
int simple_call(const struct cli_args *a, const char *method, const char *path, struct body *body,
                simple_print *print, struct cf_err *e);

/* A list over all its pages: `row` appends a line to `table`, whose head is `head`. */
typedef enum cf_rc simple_row(const struct json *item, struct cf_buf *table, struct cf_err *e);
int simple_list(const struct cli_args *a, const char *path, const char *head, simple_row *row,
                struct cf_err *e);

/* The text of a member, or "". */
const char *simple_text(const struct json *v, const char *name);

#endif
