/*
 * Names and addresses of a scenario's own: it moves into a network of its own, where loopback is
 * all there is and the test answers for every name, or does not.
 */
#ifndef FAULT_SCENARIO_NAMES_H
#define FAULT_SCENARIO_NAMES_H

#include <stdbool.h>

/* What any name stands for; NULL: nothing of that kind. */
struct names {
    const char *a[2], *aaaa;
};

/* Moves this process; it must have one thread. False: that is not allowed here. */
bool names_enter(void);

/* True where loopback has ::1. */
bool names_ipv6(void);

/* Begins to answer, in a thread that lives as long as the process. `n` is borrowed. */
void names_serve(const struct names *n, bool silent);

/* From now on questions stay unanswered, or not. */
void names_silent(bool silent);

/* Questions that stayed unanswered since the last of these calls. */
unsigned names_unanswered(void);

#endif
