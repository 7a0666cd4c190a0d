/*
 * Starts and steers a coffer-blobserver from a cmocka test. Every call fails the test when it
 * cannot do its work. The server ends with the test program, also when that crashes.
 */
#ifndef SUPPORT_BLOBSERVER_H
#define SUPPORT_BLOBSERVER_H

#include <stdint.h>
#include <sys/types.h>

struct test_blobserver {
    pid_t pid;
    int lifeline; /* its standard input */
    unsigned port;
    char root[64]; /* http://127.0.0.1:PORT */
    char url[128]; /* ... /devstoreaccount1/coffer, a container that exists */
};

/* `args`: further options, ended by NULL; or NULL for none. With TLS options root and url say
 * https, and fault and stat do not work. */
void test_blobserver_start(struct test_blobserver *s, const char *const *args);
void test_blobserver_stop(struct test_blobserver *s);

/* Adds rules (tests/support/blobserver/README.md), or takes all away. */
void test_blobserver_fault(const struct test_blobserver *s, const char *rules);
void test_blobserver_no_faults(const struct test_blobserver *s);

/* One counter of /_stats, "PutBlock" or "bytes_in"; 0 when there is none of that name. */
uint64_t test_blobserver_stat(const struct test_blobserver *s, const char *name);
void test_blobserver_no_stats(const struct test_blobserver *s);

/* The emulator's well-known key of devstoreaccount1; no secret. */
#define TEST_ACCOUNT_KEY                                                                           \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

/* Writes a SAS of the container `coffer` with permissions `sp` that ends `minutes` from now, signed
 * with `key` (NULL: a made-up signature, for a server that does not check it). */
void test_blobserver_sas(const char *sp, const char *minutes, const char *key, char out[512]);
/* The same for the whole account. */
void test_blobserver_account_sas(const char *sp, const char *minutes, const char *key,
                                 char out[512]);

#endif
