#include "hal_linux/hal_linux.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static int64_t ms_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t unix_ms(struct hal_clock *c)
{
    (void)c;
    return ms_of(CLOCK_REALTIME);
}

static uint64_t monotonic_ms(struct hal_clock *c)
{
    (void)c;
    return (uint64_t)ms_of(CLOCK_BOOTTIME);
}

struct hal_clock *hal_linux_clock(void)
{
    static const struct hal_clock_ops ops = { .unix_ms = unix_ms, .monotonic_ms = monotonic_ms };
    static struct hal_clock clock = { .ops = &ops };
    return &clock;
}

static enum cf_rc fill(struct hal_entropy *r, void *dst, size_t len, struct cf_err *e)
{
    (void)r;
    uint8_t *p = dst;
    while (len) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return CF_FAIL_ERRNO(e, CF_E_IO, "getrandom");
        p += n;
        len -= (size_t)n;
    }
    return CF_OK;
}

struct hal_entropy *hal_linux_entropy(void)
{
    static const struct hal_entropy_ops ops = { .fill = fill };
    static struct hal_entropy entropy = { .ops = &ops };
    return &entropy;
}
