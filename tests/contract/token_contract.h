/* The suites of tests/contract/token_contract_test.c, a file a subject. One token serves all. */
#ifndef TESTS_TOKEN_CONTRACT_H
#define TESTS_TOKEN_CONTRACT_H

#include "support/test.h"
#include "support/token_bench.h"
#include "support/token_keys.h"

extern struct hal_token *tok;
extern struct cf_err err;

extern const struct hal_key_spec rsa2048, p256, aes256;

struct crypto_bytes bytes(const struct cf_buf *b);
enum cf_rc use(const struct test_key *k, const struct hal_op *op, struct hal_result *r);
/* A token may lack a curve or a mechanism; then it says so, and nothing else is asked of it. */
bool lacking(enum cf_rc rc);
void expect_ec_signature(const struct test_key *k, enum hal_curve curve);
/* Encrypts four bytes with AES-GCM. */
const struct hal_op *gcm_op(void);

int open_token(void **state);
int close_token(void **state);

/* Each runs its tests and gives the number that failed. */
int token_contract_user(void);
int token_contract_data(void);

#endif
