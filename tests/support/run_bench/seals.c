#include "support/seals.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/test.h"

/* A divisor of the page size: a kill cuts a write between pages only, so it tears none of these. */
struct pair {
    uint8_t key[32], nonce[12], zero[20];
};

_Static_assert(sizeof(struct pair) == 64, "no padding");

static void record(void *ctx, const uint8_t key[32], const uint8_t nonce[12])
{
    const struct seals *s = ctx;
    struct pair p = { 0 };
    memcpy(p.key, key, sizeof p.key);
    memcpy(p.nonce, nonce, sizeof p.nonce);
    if (write(s->fd, &p, sizeof p) != sizeof p)
        abort();
}

void seals_open(struct seals *s)
{
    char path[] = "/dev/shm/coffer-seals-XXXXXX";
    *s = (struct seals){ .fd = mkostemp(path, O_APPEND | O_CLOEXEC),
                         .recorder = { .record = record, .ctx = s } };
    if (s->fd < 0 || unlink(path) != 0)
        abort();
}

void seals_close(struct seals *s)
{
    close(s->fd);
}

size_t seals_count(const struct seals *s)
{
    struct stat st;
    assert_int_equal(fstat(s->fd, &st), 0);
    return (size_t)st.st_size / sizeof(struct pair);
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct pair));
}

void seals_expect_no_pair_twice(const struct seals *s)
{
    size_t n = seals_count(s);
    struct pair *pairs = calloc(n + 1, sizeof *pairs);
    assert_int_equal(pread(s->fd, pairs, n * sizeof *pairs, 0), (ssize_t)(n * sizeof *pairs));
    qsort(pairs, n, sizeof *pairs, by_bytes);
    for (size_t i = 1; i < n; i++)
        assert_memory_not_equal(&pairs[i], &pairs[i - 1], sizeof *pairs);
    print_message("  %zu pairs\n", n);
    free(pairs);
}
