/*
 * Time. Implementers: hal/linux (clock_gettime), hal/sim (set and stepped by a test).
 * Threads: any.
 */
#ifndef HAL_CLOCK_H
#define HAL_CLOCK_H

#include <stdint.h>

struct hal_clock;

struct hal_clock_ops {
    int64_t (*unix_ms)(struct hal_clock *c);
    uint64_t (*monotonic_ms)(struct hal_clock *c);
};

/* Implementers embed this as their first member. */
struct hal_clock {
    const struct hal_clock_ops *ops;
};

/* Milliseconds since 1970-01-01 UTC; may jump. For what is shown or compared with dates. */
static inline int64_t hal_clock_unix_ms(struct hal_clock *c)
{
    return c->ops->unix_ms(c);
}

/* Milliseconds that never run backwards; zero is arbitrary. For deadlines and rates. */
static inline uint64_t hal_clock_monotonic_ms(struct hal_clock *c)
{
    return c->ops->monotonic_ms(c);
}

#endif
