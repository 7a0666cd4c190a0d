/*
 * A whole appliance below the REST interface, for tests of backup and restore: key store, jobs,
 * access, raw partitions on files with twins, a directory as storage. Everything lies under one
 * directory in memory. Aborts where setting up fails.
 */
#ifndef SUPPORT_RUN_BENCH_H
#define SUPPORT_RUN_BENCH_H

#include "run/run.h"
#include "support/keystore_bench.h"

#define RUN_BENCH_PARTITIONS 4

struct run_bench_options {
    const char *dir;   /* an existing bench goes on there; NULL: a fresh one, removed at close */
    size_t partitions; /* raw ones */
    uint64_t bytes;    /* of each */
    const char *const *names; /* NULL: part0, part1, .. */
    const uint64_t *sizes;    /* NULL: all `bytes` */
    const char *uri;          /* storage; NULL: directory "blobs" of the bench */
    const char *token;
    bool own_clock;         /* the real clock instead of one that stands */
    int64_t ahead_ms;       /* the clock that stands does so that much later */
    unsigned token_fails;   /* so many calls of the token, from the moment that the run opens */
    struct run_options run; /* what is set here is kept: threads, attempts, chunk_log2, .. */
};

struct run_bench {
    char dir[64];
    bool dir_is_ours;
    struct run_bench_options o;
    struct keystore_bench kb;
    struct store *appliance;
    struct hal_entropy *entropy;
    struct jobs *jobs;
    struct access *access;
    struct run *run;
    struct run_partition parts[RUN_BENCH_PARTITIONS];
    char paths[RUN_BENCH_PARTITIONS][128];
    char names[RUN_BENCH_PARTITIONS][8];
    char uri[160];
    const char *dir_root;
};

void run_bench_open(struct run_bench *b, const struct run_bench_options *o);
/* Closes and opens all but token and clock, as after a restart. */
void run_bench_restart(struct run_bench *b);
void run_bench_close(struct run_bench *b);

/* Starts a job and waits for its end; the record as it stands then. Aborts when it does not start.
 */
void run_bench_backup(struct run_bench *b, struct jobs_record *out);
void run_bench_restore(struct run_bench *b, const char *folder, struct jobs_record *out);
void run_bench_selective(struct run_bench *b, const char *folder, const char *key,
                         struct jobs_record *out);
void run_bench_verify(struct run_bench *b, const char *folder, struct jobs_record *out);
void run_bench_undo(struct run_bench *b, struct jobs_record *out);
void run_bench_plan(struct run_bench *b, const char *folder, const char *key,
                    struct jobs_record *out);
/* The request all of them send. */
struct run_request run_bench_request(struct run_bench *b, const char *folder, const char *key);

/* Keys of several kinds, versions, tags and a deleted one; a role assignment; patterned partitions.
 */
void run_bench_fill(struct run_bench *b);
/* A digest over all keys (as records), policy and partitions: equal means the same state. */
void run_bench_state(struct run_bench *b, uint8_t out[32]);

/* The live file of partition `i`. */
const char *run_bench_part(struct run_bench *b, size_t i);
/* "DIR/blobs/FOLDER/NAME"; a buffer that the next call but three overwrites. */
const char *run_bench_blob(struct run_bench *b, const char *folder, const char *name);

#endif
