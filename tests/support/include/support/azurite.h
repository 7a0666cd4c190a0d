/*
 * Microsoft's blob emulator for a system test. The environment's AZURITE names its program
 * (azurite-blob of the npm package azurite).
 */
#ifndef SUPPORT_AZURITE_H
#define SUPPORT_AZURITE_H

#include <sys/types.h>

#define TEST_SKIPPED 77 /* exit code that ctest shows as skipped */

struct test_azurite {
    pid_t pid;
    char dir[64];
    char url[128]; /* of a container that exists */
};

/* 0; TEST_SKIPPED, with a word on stderr, where there is none; 1 when it does not start. */
int test_azurite_start(struct test_azurite *a);
void test_azurite_stop(struct test_azurite *a);

#endif
