/*
 * What tests of jobs on a run_bench expect and do again and again. A failed expectation fails the
 * test and prints what the job said.
 */
#ifndef SUPPORT_RUN_EXPECT_H
#define SUPPORT_RUN_EXPECT_H

#include "support/run_bench.h"

/* Two partitions of a few chunks, small blocks of records, two threads. */
extern const struct run_bench_options run_bench_small;
/* One of two chunks, one thread, one attempt. */
extern const struct run_bench_options run_bench_tiny;

/* cmocka's fixtures: *state is a run_bench, small and filled .. */
int run_bench_set_up(void **state);
/* .. or any heap structure that begins with one. */
int run_bench_tear_down(void **state);

void expect_state(const struct jobs_record *r, enum jobs_state want);
void expect_done(const struct jobs_record *r); /* succeeded */
/* Failed with this code; `words` stand in the text. */
void expect_failure(const struct jobs_record *r, const char *code, const char *words);
/* The bench is in the state that run_bench_state told. */
void expect_same(struct run_bench *b, const uint8_t state[32]);

/* Overwrites the live file of partition `i`, the bench open or not. */
void run_bench_write(const struct run_bench *b, size_t i, const char *text, long at);
/* Turns `bits` of one byte of a blob over. */
void run_bench_flip(struct run_bench *b, const char *folder, const char *name, long at,
                    uint8_t bits);

#endif
