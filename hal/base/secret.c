#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECRET_MAX ((size_t)1 << 20)

struct cf_secret {
    uint8_t *data; /* ends at the guard page behind it */
    size_t len;
    uint8_t *map;
    size_t map_len;
};

static size_t page_size(void)
{
    long n = sysconf(_SC_PAGESIZE);
    return n > 0 ? (size_t)n : 4096;
}

static enum cf_rc map_locked(struct cf_secret *s, struct cf_err *e)
{
    size_t page = page_size();
    size_t body = (s->len + page - 1) / page * page;
    s->map_len = body + 2 * page;
    void *m = mmap(NULL, s->map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED)
        return CF_FAIL_ERRNO(e, CF_E_LIMIT, "no address space for a secret");
    s->map = m;
    uint8_t *first = s->map + page;
    if (mprotect(first, body, PROT_READ | PROT_WRITE) != 0)
        return CF_FAIL_ERRNO(e, CF_E_LIMIT, "no memory for a secret");
    if (mlock(first, body) != 0)
        return CF_FAIL_ERRNO(e, CF_E_LIMIT,
                             "cannot lock memory for a secret; raise RLIMIT_MEMLOCK (ulimit -l)");
    /* Kernels without these flags still have the lock; the dump is off for the whole process. */
    (void)madvise(first, body, MADV_DONTDUMP);
    (void)madvise(first, body, MADV_WIPEONFORK);
    s->data = first + body - s->len;
    return CF_OK;
}

enum cf_rc cf_secret_new(size_t len, struct cf_secret **out, struct cf_err *e)
{
    *out = NULL;
    if (len == 0 || len > SECRET_MAX)
        return CF_FAIL(e, CF_E_ARG, "secret of %zu bytes", len);
    struct cf_secret *s = calloc(1, sizeof *s);
    if (!s)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a secret");
    s->len = len;
    enum cf_rc rc = map_locked(s, e);
    if (rc != CF_OK) {
        s->data = NULL;
        cf_secret_free(s);
        return rc;
    }
    *out = s;
    return CF_OK;
}

enum cf_rc cf_secret_copy(const void *src, size_t len, struct cf_secret **out, struct cf_err *e)
{
    enum cf_rc rc = cf_secret_new(len, out, e);
    if (rc == CF_OK)
        memcpy((*out)->data, src, len);
    return rc;
}

void cf_secret_free(struct cf_secret *s)
{
    if (!s)
        return;
    if (s->data)
        cf_wipe(s->data, s->len);
    if (s->map)
        munmap(s->map, s->map_len);
    free(s);
}

uint8_t *cf_secret_data(struct cf_secret *s)
{
    return s->data;
}

const uint8_t *cf_secret_view(const struct cf_secret *s)
{
    return s->data;
}

size_t cf_secret_len(const struct cf_secret *s)
{
    return s ? s->len : 0;
}

void cf_wipe(void *p, size_t len)
{
    if (p && len)
        explicit_bzero(p, len);
}

bool cf_equal(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint8_t diff = 0;
    for (size_t i = 0; i < len; i++)
        diff |= (uint8_t)(x[i] ^ y[i]);
    return diff == 0;
}

void cf_secret_harden_process(void)
{
    struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
