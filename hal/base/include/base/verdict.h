/*
 * A verdict that opens something (a tag is valid, a quorum is reached, a token grants a route):
 * two far-apart constants, so that no single stuck bit or skipped store turns "no" into "yes".
 * Zero is neither, so a forgotten verdict refuses. Ask with cf_granted, which looks twice.
 */
#ifndef BASE_VERDICT_H
#define BASE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct cf_verdict {
    volatile uint32_t value;
    volatile uint32_t mirror; /* complement of value */
};

#define CF_VERDICT_YES 0x3ac5965aU
#define CF_VERDICT_NO  0xc53a69a5U

static inline struct cf_verdict cf_verdict_of(bool yes)
{
    uint32_t v = yes ? CF_VERDICT_YES : CF_VERDICT_NO;
    return (struct cf_verdict){ .value = v, .mirror = ~v };
}

static inline bool cf_granted(const struct cf_verdict *v)
{
    if (v->value != CF_VERDICT_YES)
        return false;
    return v->mirror == (uint32_t)~CF_VERDICT_YES && v->value == CF_VERDICT_YES;
}

#endif
