/*
 * Campaign: random damages of stored backups, each of which must be refused by a verification and
 * by a restore and change nothing; and clean runs, none of which may be refused. damages [--damages
 * N] [--clean N] [--seed S] Prints its seed, progress, each violation, and a last line with counts.
 * Exit code 1: a violation. Not counted as damage: the blobs `probe` and `manifest.copy`, which no
 * reader believes.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "damages.h"
#include "hal_sim/hal_sim.h"
#include "support/scratch.h"

#define PROGRESS   200
#define PRUNE_EACH 24 /* jobs' records are pruned one a start once they are old: keep them few */

static const char *const kinds[DAMAGES] = {
    [DAMAGE_FLIP] = "flip",
    [DAMAGE_OVERWRITE] = "overwrite",
    [DAMAGE_ZERO] = "zero",
    [DAMAGE_CUT] = "cut",
    [DAMAGE_APPEND] = "append",
    [DAMAGE_SHIFT] = "shift",
    [DAMAGE_DROP] = "drop",
    [DAMAGE_RENAME] = "rename",
    [DAMAGE_FOLDER] = "folder renamed",
    [DAMAGE_SWAP] = "swap blobs",
    [DAMAGE_COPY] = "copy blob",
    [DAMAGE_SWAP_RANGES] = "swap ranges",
    [DAMAGE_REPLAY] = "replay",
    [DAMAGE_REPLAY_RANGE] = "replay range",
    [DAMAGE_MIX] = "mix",
    [DAMAGE_ATTEMPT] = "older attempt",
};

/* --- chance: splitmix64 (Steele, Lea, Flood 2014), so that a seed repeats a run ------------- */

uint64_t chance(struct world *w)
{
    uint64_t z = (w->seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t below(struct world *w, size_t n)
{
    return (size_t)(chance(w) % n);
}

void must(enum cf_rc rc, const struct cf_err *e)
{
    if (rc == CF_OK)
        return;
    fprintf(stderr, "damages: %s: %s (%s)\n", cf_rc_name(rc), e->text, e->where ? e->where : "?");
    abort();
}

/* --- the appliance --------------------------------------------------------------------------- */

static const struct run_bench_options small = {
    .partitions = 2,
    .bytes = 60000,
    .run = { .chunk_log2 = 12, .record_block = 4096, .attempts = 2, .threads = 1, .connections = 2 }
};

static void age_records(struct world *w)
{
    if (++w->jobs % PRUNE_EACH == 0)
        hal_sim_clock_step(w->b.kb.clock, (JOBS_KEEP_S + 1) * INT64_C(1000));
}

static void change_partition(struct world *w, size_t i)
{
    uint8_t bytes[700];
    for (size_t k = 0; k < sizeof bytes; k++)
        bytes[k] = (uint8_t)chance(w);
    int fd = open(run_bench_part(&w->b, i), O_WRONLY | O_CLOEXEC);
    off_t at = (off_t)below(w, (size_t)small.bytes - sizeof bytes);
    if (fd < 0 || pwrite(fd, bytes, sizeof bytes, at) != (ssize_t)sizeof bytes)
        abort();
    close(fd);
}

/* A key more, at times one less, other bytes in the partitions. */
static void change_state(struct world *w)
{
    static const struct hal_key_spec specs[] = { { .type = HAL_OCT, .bits = 256 },
                                                 { .type = HAL_EC, .curve = HAL_P256 } };
    char name[32];
    struct cf_err e = { 0 };
    snprintf(name, sizeof name, "key-%u", ++w->keys_made);
    must(keystore_bench_make(&w->b.kb, name, &specs[below(w, 2)], NULL, &e), &e);
    if (w->keys_made > 12) {
        snprintf(name, sizeof name, "key-%u", w->keys_made - 12);
        if (keystore_delete(w->b.kb.ks, name, NULL, &e) == CF_OK && below(w, 2))
            must(keystore_purge(w->b.kb.ks, name, &e), &e);
        e = (struct cf_err){ 0 };
    }
    change_partition(w, 0);
    change_partition(w, 1);
}

static bool verifies(struct world *w, const char *folder)
{
    struct jobs_record r;
    run_bench_verify(&w->b, folder, &r);
    age_records(w);
    snprintf(w->said, sizeof w->said, "%s", r.error);
    return r.state == JOBS_SUCCEEDED;
}

static bool restores(struct world *w, const char *folder)
{
    struct jobs_record r;
    run_bench_restore(&w->b, folder, &r);
    age_records(w);
    snprintf(w->said, sizeof w->said, "%s", r.error);
    return r.state == JOBS_SUCCEEDED;
}

static void violation(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void violation(struct world *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("VIOLATION: ");
    vprintf(fmt, ap);
    printf("\n");
    fflush(stdout);
    va_end(ap);
    w->violations++;
}

/* --- the pool of whole backups --------------------------------------------------------------- */

/* Each of another state; the last ones with a blob a block, as where block lists are forbidden. */
static void make_pool(struct world *w)
{
    struct test_blobserver server;
    for (size_t i = 0; i < POOL; i++) {
        struct jobs_record r;
        change_state(w);
        hal_sim_clock_step(w->b.kb.clock, 90000);
        if (i < POOL_LISTS) {
            run_bench_backup(&w->b, &r);
            folder_load(&w->pool[i], run_bench_blob(&w->b, r.folder, ""), r.folder);
        } else {
            test_blobserver_start(&server, NULL);
            test_blobserver_fault(&server, "op=PutBlockList from=1 action=status:403 "
                                           "code=AuthorizationPermissionMismatch\n");
            folder_make_whole(w, &server, &w->pool[i]);
            test_blobserver_stop(&server);
        }
    }
    scratch_shell("rm -rf '%s/blobs'/*", w->b.dir);
    change_state(w);
    run_bench_state(&w->b, w->state);
}

/* --- one damage ------------------------------------------------------------------------------ */

static void put_folder(struct world *w, const struct folder *f)
{
    scratch_shell("rm -rf '%s/blobs'/*", w->b.dir);
    folder_store(f, run_bench_blob(&w->b, f->name, ""));
}

static void expect_untouched(struct world *w, const char *after)
{
    uint8_t now[32];
    run_bench_state(&w->b, now);
    if (!cf_equal(now, w->state, sizeof now)) {
        violation(w, "%s changed the state", after);
        memcpy(w->state, now, sizeof now);
    }
}

static void one_damage(struct world *w)
{
    struct folder f = { 0 };
    enum damage kind;
    size_t i;
    char what[256];
    do { /* what changes nothing that is read is no damage */
        folder_clear(&f);
        i = below(w, POOL);
        kind = (enum damage)below(w, DAMAGES);
        folder_copy(&f, &w->pool[i]);
        snprintf(what, sizeof what, "%s", kinds[kind]);
    } while (!damage_do(w, &f, i, kind, what, sizeof what) || folder_same(&f, &w->pool[i]));
    put_folder(w, &f);
    w->done[kind]++;
    if (verifies(w, f.name))
        violation(w, "backup %zu, %s: verified", i, what);
    else
        w->by_verify++;
    if (restores(w, f.name))
        violation(w, "backup %zu, %s: restored", i, what);
    else
        w->by_restore++;
    expect_untouched(w, what);
    folder_clear(&f);
}

static void one_clean(struct world *w)
{
    struct jobs_record r;
    uint8_t then[32], now[32];
    scratch_shell("rm -rf '%s/blobs'/*", w->b.dir);
    change_state(w);
    run_bench_state(&w->b, then);
    hal_sim_clock_step(w->b.kb.clock, 2000);
    run_bench_backup(&w->b, &r);
    age_records(w);
    if (r.state != JOBS_SUCCEEDED) {
        violation(w, "a clean backup failed: %s", r.error);
        return;
    }
    change_state(w);
    if (!verifies(w, r.folder))
        violation(w, "a clean backup does not verify: %s", w->said);
    else if (!restores(w, r.folder))
        violation(w, "a clean backup does not restore: %s", w->said);
    else
        w->clean++;
    run_bench_state(&w->b, now);
    if (!cf_equal(now, then, sizeof now))
        violation(w, "a clean restore brought another state");
}

/* --- the whole of it ------------------------------------------------------------------------- */

static uint64_t number(const char *text)
{
    char *end = NULL;
    uint64_t n = strtoull(text, &end, 10);
    if (!*text || *end) {
        fprintf(stderr, "damages: %s is no number\n", text);
        exit(2);
    }
    return n;
}

static void read_options(int argc, char **argv, uint64_t *damages, uint64_t *clean, uint64_t *seed)
{
    for (int i = 1; i < argc; i += 2) {
        uint64_t *to = strcmp(argv[i], "--damages") == 0 ? damages
                       : strcmp(argv[i], "--clean") == 0 ? clean
                       : strcmp(argv[i], "--seed") == 0  ? seed
                                                         : NULL;
        if (!to || i + 1 == argc) {
            fprintf(stderr, "usage: damages [--damages N] [--clean N] [--seed S]\n");
            exit(2);
        }
        *to = number(argv[i + 1]);
    }
}

static void print_kinds(const struct world *w)
{
    for (int k = 0; k < DAMAGES; k++)
        printf("  %-16s %" PRIu64 "\n", kinds[k], w->done[k]);
}

int main(int argc, char **argv)
{
    uint64_t damages = 2000, clean = 200,
             seed = (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        return 2;
    read_options(argc, argv, &damages, &clean, &seed);
    printf("damages: seed %" PRIu64 ", %" PRIu64 " damages, %" PRIu64 " clean runs\n", seed,
           damages, clean);
    fflush(stdout);
    cf_log_setup(CF_LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    w->seed = seed;
    run_bench_open(&w->b, &small);
    run_bench_fill(&w->b);
    make_pool(w);
    for (uint64_t n = 1; n <= damages; n++) {
        one_damage(w);
        if (n % PROGRESS == 0) {
            printf("damages: %" PRIu64 " done, %" PRIu64 " found by verify, %" PRIu64
                   " by restore\n",
                   n, w->by_verify, w->by_restore);
            fflush(stdout);
        }
    }
    for (size_t i = 0; damages && i < POOL; i++) { /* as they were, they verify */
        put_folder(w, &w->pool[i]);
        if (!verifies(w, w->pool[i].name))
            violation(w, "backup %zu of the pool does not verify undamaged: %s", i, w->said);
    }
    for (uint64_t n = 1; n <= clean; n++)
        one_clean(w);
    print_kinds(w);
    printf("damages: %" PRIu64 " damages, %" PRIu64 " found by verify, %" PRIu64
           " by restore; %" PRIu64 " clean runs, %" PRIu64
           " false alarms; %u violations, seed %" PRIu64 "\n",
           damages, w->by_verify, w->by_restore, clean, clean - w->clean, w->violations, seed);
    unsigned violations = w->violations;
    for (size_t i = 0; i < POOL; i++)
        folder_clear(&w->pool[i]);
    run_bench_close(&w->b);
    free(w);
    return violations ? 1 : 0;
}
