/* Long-running operations: the body that starts one, its status, waiting for its end. */
#ifndef COFFER_JOB_H
#define COFFER_JOB_H

#include "body.h"

/* --- order.c --- */

/* The body of a start: the storage alone, or, with `folder_member`, beside the folder to read. The
 * caller clears b->text. */
CF_CHECK enum cf_rc job_order_body(const struct cli_args *a, const char *folder_member,
                                   struct body *b, struct cf_err *e);

/* The same, still open: for members of a verb's own, before body_end. */
CF_CHECK enum cf_rc job_order_begin(const struct cli_args *a, const char *folder_member,
                                    struct body *b, struct cf_err *e);

/* --- receipt.c --- */

/* CF_E_ABSENT: the job left none. */
CF_CHECK enum cf_rc job_write_receipt(struct cli_target *t, const char *job, const char *file,
                                      struct cf_err *e);

/* --- follow.c --- */

/* Members of a status; 0 and "" where there is none. */
int64_t job_number(const struct json *v, const char *name);
const char *job_text(const struct json *v, const char *name);
bool job_running(const struct json *status);

/* "2026-11-22T03:46:30Z" of Unix seconds; "-" of 0. */
void job_date(int64_t at_s, char out[32]);

/* Waits until the job at `path` ("/backup/ID/pending") has ended. `r`: the answer that started it,
 * or empty where the job is the verb's operand; then its last status, which the caller clears. An
 * interrupt at the keyboard tells how to come back and ends the program (EXIT_INTERRUPTED). */
CF_CHECK enum cf_rc job_follow(struct cli_target *t, const struct cli_args *a, const char *path,
                               struct cli_answer *r, struct cf_err *e);

/* Prints how a finished job ended; the exit code says it too. */
int job_conclude(const struct cli_args *a, const struct json *status, struct cf_err *e);

/* --- verb_plan.c --- */

/* restore start --plan. */
int job_plan(const struct cli_args *a, struct cf_err *e);

#endif
