/*
 * The host's random source, one of the two that are mixed into every data key.
 * Implementers: hal/linux (getrandom), hal/sim (a fixed or stuck stream).
 * Threads: any.
 */
#ifndef HAL_ENTROPY_H
#define HAL_ENTROPY_H

#include <stddef.h>

#include "base/err.h"

struct hal_entropy;

struct hal_entropy_ops {
    enum cf_rc (*fill)(struct hal_entropy *r, void *dst, size_t len, struct cf_err *e);
};

/* Implementers embed this as their first member. */
struct hal_entropy {
    const struct hal_entropy_ops *ops;
};

/* Fills all of `dst`, or fails (CF_E_IO) and leaves it undefined. */
CF_CHECK static inline enum cf_rc hal_entropy_fill(struct hal_entropy *r, void *dst, size_t len,
                                                   struct cf_err *e)
{
    return r->ops->fill(r, dst, len, e);
}

#endif
