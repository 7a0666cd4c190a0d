/* May an attempt be repeated? Private to run. Threads: any. */
#ifndef RUN_PATIENCE_PRIV_H
#define RUN_PATIENCE_PRIV_H

#include "run/run.h"

struct job;

/* `reached`: an earlier life of this job had reached its far side. */
void patience_begin(struct job *j, bool reached);
void patience_heard(struct job *j); /* an operation succeeded */
/* After `tried` attempts at one thing: before the first success of the job their number decides,
 * behind it how long nothing at all has succeeded. False: `err` says so too. */
bool patience_left(struct job *j, unsigned tried, struct cf_err *err);
/* Kept between the tries at one call of the token; zeroes before the first. */
struct token_wait {
    unsigned most;  /* tries, where somebody waits; 0: what half a minute holds */
    unsigned tried; /* so far */
    uint64_t until_ms;
};
/* A worker that hung is replaced when its call's time is over: the second try meets the new one. */
#define TOKEN_TRIES_AT_START 2
/* After a call of the token: one that was taken out may be put back. True: a pause has passed, `*e`
 * is empty again, repeat the call. */
bool patience_token(struct job *j, struct token_wait *w, enum cf_rc *rc, struct cf_err *e);

/* Before a job that an earlier life began goes on: gives the clock two minutes to come up to it. */
void patience_clock(struct job *j);

#endif
