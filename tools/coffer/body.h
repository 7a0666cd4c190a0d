/* Request bodies: a JSON writer on a buffer of its own. */
#ifndef COFFER_BODY_H
#define COFFER_BODY_H

#include "cli.h"

struct body {
    struct cf_buf text;
    struct json_wr w;
};

/* Begins an object; put members into `w`; body_end closes it. The caller clears `text`. */
void body_begin(struct body *b, struct cf_err *e);
CF_CHECK enum cf_rc body_end(struct body *b);

/* --- pieces that several verbs share --- */

/* Names go into paths as they are, so they must be [0-9A-Za-z-], 1..127. CF_E_INPUT else. */
CF_CHECK enum cf_rc body_check_name(const char *name, struct cf_err *e);
/* "true" or "false"; `flag` is named where it is neither. */
CF_CHECK enum cf_rc body_read_bool(const char *flag, const char *text, bool *out, struct cf_err *e);
/* "90m", "26h", "30d", or bare seconds, at most a hundred years. */
CF_CHECK enum cf_rc body_read_age(const char *flag, const char *text, uint64_t *seconds,
                                  struct cf_err *e);
/* Puts the number that `flag` was given as `text`. */
CF_CHECK enum cf_rc body_put_number(struct body *b, const char *member, const char *flag,
                                    const char *text, struct cf_err *e);
/* NAME=VALUE items as an object. */
CF_CHECK enum cf_rc body_put_tags(struct body *b, const struct cli_list *tags, struct cf_err *e);

#endif
