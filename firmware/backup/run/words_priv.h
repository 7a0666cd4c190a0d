/* What a client may learn of a job's end. Private to run. Threads: any. */
#ifndef RUN_WORDS_PRIV_H
#define RUN_WORDS_PRIV_H

#include "run/run.h"

struct job;

/* The error as the status shows it: code and text. What must not be told after the domain check is
 * one sentence; the true text goes to the audit log. */
void words_for(const struct job *j, const struct cf_err *err, char code[JOBS_CODE_SIZE],
               char text[JOBS_TEXT_SIZE]);

/* Remark of a backup that was canceled too late to know. */
#define RUN_MAY_BE_WHOLE "the manifest was on its way: the folder may hold a whole backup"

#endif
