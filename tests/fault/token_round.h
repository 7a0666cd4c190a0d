/* What the suites of the token's faults share. */
#ifndef FAULT_TOKEN_ROUND_H
#define FAULT_TOKEN_ROUND_H

#include "support/token_bench.h"

/* The round that every token must manage: domain keys, make, import, sign, MAC, encrypt. */
void token_round(struct hal_token *tok);

/* The end of a test: no rules, no keys of its own, the token closed. NULL is a no-op. */
void token_round_end(struct test_token *bench, struct hal_token *tok);

#endif
