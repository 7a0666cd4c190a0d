/* What the suites of the token's habits and oddities share: a token for each test. */
#ifndef FAULT_TOKEN_ROUND_H
#define FAULT_TOKEN_ROUND_H

#include "support/token_bench.h"

extern struct test_token bench;
extern struct hal_token *tok; /* NULL: not open */

/* cmocka's fixtures: no rules before; behind it none either, no keys, and the token closed. */
int fresh(void **state);
int done(void **state);

enum cf_rc open_token(struct cf_err *e);

/* The round that every token must manage: domain keys, make, import, sign, MAC, encrypt. */
void token_round(void);

#endif
