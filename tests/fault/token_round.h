/* The round that every token must manage: domain keys, make, import, sign, MAC, encrypt. */
#ifndef FAULT_TOKEN_ROUND_H
#define FAULT_TOKEN_ROUND_H

#include "hal/token.h"

void token_round(struct hal_token *tok);

#endif
