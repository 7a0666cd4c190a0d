/* A token that passes calls on, and breaks at the n-th one. */
#ifndef UNIT_DOMAIN_TRAP_TOKEN_H
#define UNIT_DOMAIN_TRAP_TOKEN_H

#include "hal/token.h"

struct trap_token {
    struct hal_token base; /* first member: cast back by the calls */
    struct hal_token *inner;
    unsigned calls;
    unsigned break_at; /* this call and all behind it fail; 0: never */
};

/* `inner` is borrowed. */
void trap_token_init(struct trap_token *t, struct hal_token *inner);

#endif
