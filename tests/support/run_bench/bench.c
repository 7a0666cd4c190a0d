#include "support/run_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal_linux/hal_linux.h"
#include "hal_sim/hal_sim.h"
#include "run/plan.h"
#include "support/fake_token.h"
#include "support/scratch.h"

static void must(enum cf_rc rc, const struct cf_err *e)
{
    if (rc == CF_OK)
        return;
    fprintf(stderr, "run bench: %s: %s (%s)\n", cf_rc_name(rc), e->text, e->where ? e->where : "?");
    abort();
}

/* --- partitions on pairs of files
 * ----------------------------------------------------------------- */

static enum cf_rc open_live(void *ctx, unsigned side, struct hal_partition **out, struct cf_err *e)
{
    (void)side;
    return hal_linux_partition_open(ctx, false, out, e);
}

static enum cf_rc open_other(void *ctx, unsigned side, struct hal_partition **out, struct cf_err *e)
{
    (void)side;
    return hal_linux_pair_open_twin(ctx, out, e);
}

static enum cf_rc settle(void *ctx, unsigned side, struct cf_err *e)
{
    return hal_linux_pair_settle(ctx, side, e);
}

static void make_partitions(struct run_bench *b)
{
    for (size_t i = 0; i < b->o.partitions; i++) {
        uint64_t bytes = b->o.sizes ? b->o.sizes[i] : b->o.bytes;
        if (b->o.names)
            snprintf(b->names[i], sizeof b->names[i], "%s", b->o.names[i]);
        else
            snprintf(b->names[i], sizeof b->names[i], "part%zu", i);
        snprintf(b->paths[i], sizeof b->paths[i], "%s/%s", b->dir, b->names[i]);
        b->parts[i] = (struct run_partition){ .name = b->names[i],
                                              .index = (unsigned)i,
                                              .open_live = open_live,
                                              .open_other = open_other,
                                              .settle = settle,
                                              .ctx = b->paths[i] };
        if (access(b->paths[i], F_OK) == 0)
            continue;
        FILE *f = fopen(b->paths[i], "w");
        if (!f || ftruncate(fileno(f), (off_t)bytes) != 0 || fclose(f) != 0)
            abort();
    }
}

/* --- the rest of the appliance
 * ---------------------------------------------------------------------- */

static void open_appliance(struct run_bench *b)
{
    static const uint8_t key[32] = { 9 };
    struct cf_err e = { 0 };
    struct cf_secret *secret = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/appliance.db", b->dir);
    must(cf_secret_copy(key, sizeof key, &secret, &e), &e);
    struct store_options so = { .path = path, .page_key = secret, .row_key = secret };
    enum cf_rc rc = store_open(&so, &b->appliance, &e);
    if (rc == CF_E_ABSENT) {
        e = (struct cf_err){ 0 };
        rc = store_create(&so, &b->appliance, &e);
    }
    must(rc, &e);
    cf_secret_free(secret);
}

static struct hal_clock *clock_of(struct run_bench *b)
{
    return b->o.own_clock ? hal_linux_clock() : b->kb.clock;
}

static void open_run(struct run_bench *b)
{
    struct cf_err e = { 0 };
    struct run_options o = b->o.run;
    must(access_open(b->kb.live, b->kb.clock, &b->access, &e), &e);
    must(jobs_open(b->appliance, clock_of(b), b->entropy, &b->jobs, &e), &e);
    o.dir = b->dir;
    o.hsm_name = o.hsm_name ? o.hsm_name : "bench";
    o.writer = "run bench";
    o.entropy = o.entropy ? o.entropy : b->entropy;
    o.clock = clock_of(b);
    o.domain.token = b->kb.token;
    memcpy(o.domain.domain_id, b->kb.options.domain_id, sizeof o.domain.domain_id);
    o.domain.generations = b->kb.options.generation;
    o.domain.count = b->kb.options.generations;
    o.live = b->kb.live;
    o.keystore = b->kb.ks;
    o.access = b->access;
    o.jobs = b->jobs;
    b->dir_root = b->dir;
    o.storage.dir_roots = &b->dir_root;
    o.storage.ndir_roots = 1;
    o.storage.allow_http = true;
    if (!o.storage.ca_file)
        o.storage.ca_file = getenv("STORAGE_CA");
    o.partitions = b->parts;
    o.partition_count = b->o.partitions;
    fake_token_fail(b->kb.token, CF_E_TOKEN, b->o.token_fails);
    must(run_open(&o, &b->run, &e), &e);
}

void run_bench_open(struct run_bench *b, const struct run_bench_options *o)
{
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    struct cf_err e = { 0 };
    char path[128];
    *b = (struct run_bench){ .o = *o, .dir_is_ours = !o->dir };
    snprintf(b->dir, sizeof b->dir, "%s", o->dir ? o->dir : "/dev/shm/coffer-run-XXXXXX");
    if (!o->dir && !mkdtemp(b->dir))
        abort();
    snprintf(path, sizeof path, "%s/blobs", b->dir);
    (void)!mkdir(path, 0700);
    snprintf(b->uri, sizeof b->uri, "dir:%s", path);
    snprintf(path, sizeof path, "%.40s/keys", b->dir);
    (void)!mkdir(path, 0700);
    make_partitions(b);
    keystore_bench_open_at(&b->kb, path);
    hal_sim_clock_jump(b->kb.clock, o->ahead_ms);
    must(hal_token_key_make(b->kb.token, &identity, &e), &e);
    b->entropy = hal_sim_entropy_new((uint64_t)getpid(), 0);
    open_appliance(b);
    open_run(b);
}

static void close_run(struct run_bench *b)
{
    run_close(b->run);
    jobs_close(b->jobs);
    access_close(b->access);
}

void run_bench_restart(struct run_bench *b)
{
    close_run(b);
    store_close(b->appliance);
    keystore_bench_reopen(&b->kb);
    open_appliance(b);
    open_run(b);
}

void run_bench_close(struct run_bench *b)
{
    close_run(b);
    store_close(b->appliance);
    keystore_bench_close(&b->kb);
    hal_sim_entropy_free(b->entropy);
    if (b->dir_is_ours)
        scratch_remove(b->dir);
}

/* --- jobs
 * -------------------------------------------------------------------------------------------- */

struct run_request run_bench_request(struct run_bench *b, const char *folder, const char *key)
{
    return (
        struct run_request){ .who = "6f6f6f6f-0000-0000-0000-000000000001",
                             .place = { .uri = b->o.uri ? b->o.uri : b->uri, .token = b->o.token },
                             .folder = folder,
                             .key = key };
}

typedef enum cf_rc start_fn(struct run *r, const struct run_request *q, struct jobs_record *out,
                            struct cf_err *e);

static void do_job(struct run_bench *b, start_fn *start, const char *folder, const char *key,
                   struct jobs_record *out)
{
    struct run_request q = run_bench_request(b, folder, key);
    struct cf_err e = { 0 };
    must(start(b->run, &q, out, &e), &e);
    run_wait(b->run);
    must(jobs_get(b->jobs, out->id, out, &e), &e);
}

void run_bench_backup(struct run_bench *b, struct jobs_record *out)
{
    do_job(b, run_backup_start, NULL, NULL, out);
}

void run_bench_restore(struct run_bench *b, const char *folder, struct jobs_record *out)
{
    do_job(b, run_restore_start, folder, NULL, out);
}

void run_bench_selective(struct run_bench *b, const char *folder, const char *key,
                         struct jobs_record *out)
{
    do_job(b, run_selective_start, folder, key, out);
}

void run_bench_verify(struct run_bench *b, const char *folder, struct jobs_record *out)
{
    do_job(b, run_verify_start, folder, NULL, out);
}

void run_bench_undo(struct run_bench *b, struct jobs_record *out)
{
    do_job(b, run_undo_start, NULL, NULL, out);
}

void run_bench_plan(struct run_bench *b, const char *folder, const char *key,
                    struct jobs_record *out)
{
    do_job(b, run_plan_start, folder, key, out);
}

const char *run_bench_part(struct run_bench *b, size_t i)
{
    return b->paths[i];
}

const char *run_bench_blob(struct run_bench *b, const char *folder, const char *name)
{
    static char paths[4][1024];
    static unsigned next;
    char *out = paths[next++ % 4];
    snprintf(out, sizeof paths[0], "%s/blobs/%s/%s", b->dir, folder, name);
    return out;
}
