/* Rules of the shim: read from their directory at each call. See README.md. */
#ifndef SHIM_RULES_H
#define SHIM_RULES_H

#include <stdbool.h>

#define SHIM_ACTIONS 8

struct shim_action {
    char verb[16];
    char text[40];
    unsigned long value;
};

/* Counts and logs the call, and collects what is to be done; hangs and crashes at once.
 * Returns the number of actions. */
unsigned shim_rules(const char *function, unsigned count, struct shim_action out[SHIM_ACTIONS]);

#endif
