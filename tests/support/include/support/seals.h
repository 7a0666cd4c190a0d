/*
 * Every (key, nonce) that sealed anything, in this process and in those it forks, killed ones
 * included. Only a debug build calls the recorder (CF_DEBUG_RECORDERS); in others nothing is noted.
 */
#ifndef SUPPORT_SEALS_H
#define SUPPORT_SEALS_H

#include <stddef.h>

#include "flow/flow.h"

struct seals {
    int fd; /* a file without a name: what a process noted outlives it */
    struct flow_recorder recorder;
};

/* Aborts on failure. `s` stays where it is while its recorder is in use. */
void seals_open(struct seals *s);
void seals_close(struct seals *s);

size_t seals_count(const struct seals *s);
/* Prints how many there are; fails the test where one stands twice. */
void seals_expect_no_pair_twice(const struct seals *s);

#endif
