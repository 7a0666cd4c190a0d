/*
 * A job's rate limit: one queue for the bytes of all its connections (generic cell rate algorithm,
 * ITU-T I.371, annex A, with bytes for cells). Whoever moved bytes books the time they take at the
 * limit and waits until those before them have had theirs: the total holds whatever the number of
 * connections, and a connection with nothing to do leaves its share to the others. Private to run.
 */
#ifndef RUN_PACE_PRIV_H
#define RUN_PACE_PRIV_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct pace {
    uint64_t bytes_s; /* 0: no limit */
    atomic_uint_fast64_t due_us;
};

void pace_init(struct pace *p, uint64_t bytes_s);

/* Microseconds to wait from `now_us` (monotonic) before going on with these bytes. Any thread. */
uint64_t pace_book(struct pace *p, uint64_t now_us, uint64_t bytes);

#endif
