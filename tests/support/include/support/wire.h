/*
 * A server on loopback that answers every request with the bytes it was given, whatever they are;
 * for answers that no server should give. It ends with the process.
 * Threads: one test at a time.
 */
#ifndef SUPPORT_WIRE_H
#define SUPPORT_WIRE_H

#include <stdbool.h>
#include <stddef.h>

struct test_wire_answer {
    const char *text;  /* sent once */
    const char *again; /* then this, about `times` times, or until the client hangs up */
    unsigned long times;
    bool keep;  /* the connection takes further requests */
    bool early; /* without having read the request's body */
};

/* Its port. Aborts where it cannot listen. */
unsigned test_wire_start(void);

/* Of all requests from now on; borrowed. */
void test_wire_answer(const struct test_wire_answer *a);

/* Requests that were answered so far. */
unsigned test_wire_requests(void);

/* Bytes that were sent for the last one. */
unsigned long long test_wire_sent(void);

#endif
