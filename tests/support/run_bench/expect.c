#include "support/run_expect.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/test.h"

const struct run_bench_options run_bench_small = { .partitions = 2,
                                                   .bytes = 50000,
                                                   .run = { .chunk_log2 = 12,
                                                            .record_block = 16384,
                                                            .attempts = 3,
                                                            .threads = 2,
                                                            .connections = 4 } };

const struct run_bench_options run_bench_tiny = {
    .partitions = 1,
    .bytes = 5000,
    .run = { .chunk_log2 = 12, .record_block = 8192, .attempts = 1, .threads = 1, .connections = 1 }
};

int run_bench_set_up(void **state)
{
    struct run_bench *b = calloc(1, sizeof *b);
    run_bench_open(b, &run_bench_small);
    run_bench_fill(b);
    *state = b;
    return 0;
}

int run_bench_tear_down(void **state)
{
    run_bench_close(*state);
    free(*state);
    return 0;
}

void expect_state(const struct jobs_record *r, enum jobs_state want)
{
    if (r->state != want)
        print_message("  %s: %s: %s (%s)\n", jobs_kind_name(r->kind), jobs_state_name(r->state),
                      r->error, r->error_code);
    assert_int_equal(r->state, want);
}

void expect_done(const struct jobs_record *r)
{
    expect_state(r, JOBS_SUCCEEDED);
}

void expect_failure(const struct jobs_record *r, const char *code, const char *words)
{
    expect_state(r, JOBS_FAILED);
    if (strcmp(r->error_code, code) != 0 || !strstr(r->error, words))
        print_message("  got %s: %s\n", r->error_code, r->error);
    assert_string_equal(r->error_code, code);
    assert_non_null(strstr(r->error, words));
}

void expect_same(struct run_bench *b, const uint8_t state[32])
{
    uint8_t now[32];
    run_bench_state(b, now);
    assert_memory_equal(now, state, 32);
}

void run_bench_write(const struct run_bench *b, size_t i, const char *text, long at)
{
    int fd = open(b->paths[i], O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
    close(fd);
}

void run_bench_flip(struct run_bench *b, const char *folder, const char *name, long at,
                    uint8_t bits)
{
    uint8_t c;
    int fd = open(run_bench_blob(b, folder, name), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= bits;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}
