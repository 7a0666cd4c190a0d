/*
 * A PKCS#11 token for tests: a fresh SoftHSMv2 token in a directory of its own, or one given on the
 * command line. Test programs start themselves as the token worker, so their main() begins with
 * test_token_begin. Calls abort the program when they cannot do their work.
 */
#ifndef SUPPORT_TOKEN_BENCH_H
#define SUPPORT_TOKEN_BENCH_H

#include "p11/p11.h"

#define TEST_SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"
#define TEST_PIN     "1234"

struct test_token {
    char dir[64]; /* scratch: token store, PIN counter, fault rules */
    char module[512];
    char uri[512];
    char counter[128];
    struct cf_secret *pin;
};

/* Becomes the worker if asked to (does not return then). Else reads --nss, or
 * --module PATH --token-uri URI --pin-file FILE; without them makes a SoftHSMv2 token. */
void test_token_begin(struct test_token *t, int argc, char **argv);
/* One more token. NSS: exits with 77 ("skipped") where softokn is not installed. */
void test_token_softhsm(struct test_token *t);
void test_token_nss(struct test_token *t);
void test_token_end(struct test_token *t);

/* Configuration for the token as it is; fields may be changed before p11_token_open. */
struct p11_config test_token_config(const struct test_token *t);

/* A module in front of SoftHSMv2 that fails as its rules say: tests/support/shim_module/README.md.
 * To be called before the token is opened. */
void test_token_use_shim(struct test_token *t);
/* Writes rule `name`, e.g. "C_Sign 2 rv 0x30 once". NULL text takes it away. */
void test_token_rule(const struct test_token *t, const char *name, const char *text);
/* Takes all rules away and forgets the calls counted so far. */
void test_token_no_rules(const struct test_token *t);
/* How often the shim was asked for that call, over all workers. */
unsigned test_token_calls(const struct test_token *t, const char *function);

#endif
