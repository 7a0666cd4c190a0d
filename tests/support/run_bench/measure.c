/*
 * Measures one backup and, unless told not to, one restore of random partition data against a blob
 * server: run_measure URI TOKEN MIB THREADS CONNECTIONS [backup]
 * Of keys: run_measure dir|URI TOKEN KEYS THREADS CONNECTIONS keys
 * STORAGE_CA in the environment names the server's certificate authority.
 */
#include "support/run_bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/privkey.h"

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long resident_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

/* Of each hundred extents of 2 MiB as many are erased as ERASED in the environment says. */
static bool is_erased(uint64_t mib)
{
    const char *percent = getenv("ERASED");
    return percent && mib / 2 * 37 % 100 < strtoull(percent, NULL, 10);
}

static void fill(const char *path, uint64_t mib)
{
    static uint8_t piece[1 << 20], erased[1 << 20];
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    (void)!getrandom(piece, 256, 0);
    for (size_t i = 256; i < sizeof piece; i++) /* incompressible enough: nothing compresses */
        piece[i] = (uint8_t)(piece[i - 256] * 5 + piece[i - 255] + 1);
    memset(erased, 0xff, sizeof erased);
    for (uint64_t i = 0; i < mib; i++) {
        memcpy(piece, &i, sizeof i);
        if (write(fd, is_erased(i) ? erased : piece, sizeof piece) != sizeof piece)
            abort();
    }
    close(fd);
}

static void report(const char *what, uint64_t mib, double wall, double cpu,
                   const struct jobs_record *r)
{
    printf("%-8s %-9s %6.3f s %7.2f GiB/s %6.2f cpu-s/GiB  peak %ld MiB  %s\n", what,
           jobs_state_name(r->state), wall, (double)mib / 1024 / wall, cpu / ((double)mib / 1024),
           resident_kib() / 1024, r->error);
    fflush(stdout);
}

static void line(const char *what, double wall, double cpu, const struct jobs_record *r)
{
    printf("%-10s %-9s %7.3f s %7.3f cpu-s  %llu bytes moved  peak %ld MiB  %s%s\n", what,
           jobs_state_name(r->state), wall, cpu, (unsigned long long)r->bytes,
           resident_kib() / 1024, r->error, r->details);
    fflush(stdout);
}

static int measure_keys(const struct run_bench_options *o, unsigned long keys)
{
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 256 };
    struct run_bench b;
    struct jobs_record r;
    struct cf_err err = { 0 };
    char name[32], folder[JOBS_FOLDER_SIZE];
    run_bench_open(&b, o);
    for (unsigned long i = 0; i < keys; i++) {
        snprintf(name, sizeof name, "key-%08lu", i * 7919 % keys);
        if (keystore_bench_make(&b.kb, name, &aes, NULL, &err) != CF_OK)
            abort();
    }
    printf("%lu keys made, peak %ld MiB\n", keys, resident_kib() / 1024);
    double wall = now_s(), cpu = cpu_s();
    run_bench_backup(&b, &r);
    line("backup", now_s() - wall, cpu_s() - cpu, &r);
    memcpy(folder, r.folder, sizeof folder);
    snprintf(name, sizeof name, "key-%08lu", keys / 2);
    if (keystore_delete(b.kb.ks, name, NULL, &err) != CF_OK ||
        keystore_purge(b.kb.ks, name, &err) != CF_OK)
        abort();
    wall = now_s(), cpu = cpu_s();
    run_bench_selective(&b, folder, name, &r);
    line("one key", now_s() - wall, cpu_s() - cpu, &r);
    wall = now_s(), cpu = cpu_s();
    run_bench_restore(&b, folder, &r);
    line("restore", now_s() - wall, cpu_s() - cpu, &r);
    run_bench_close(&b);
    return r.state == JOBS_SUCCEEDED ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    uint64_t mib = strtoull(argv[3], NULL, 10);
    struct run_bench_options o = { .partitions = 1,
                                   .bytes = mib << 20,
                                   .uri = argv[1],
                                   .token = argv[2],
                                   .own_clock = true,
                                   .run = { .threads = (unsigned)atol(argv[4]),
                                            .connections = (unsigned)atol(argv[5]) } };
    struct run_bench b;
    struct jobs_record r;
    char folder[JOBS_FOLDER_SIZE];
    cf_log_setup(CF_LOG_ERROR, STDERR_FILENO);
    if (!crypto_wipe_freed()) /* as cofferd does */
        return 2;
    if (strcmp(argv[1], "dir") == 0)
        o.uri = o.token = NULL;
    if (argc > 6 && strcmp(argv[6], "keys") == 0) {
        o.partitions = 0;
        return measure_keys(&o, mib);
    }
    run_bench_open(&b, &o);
    fill(run_bench_part(&b, 0), mib);
    printf("idle peak %ld MiB\n", resident_kib() / 1024);
    double wall = now_s(), cpu = cpu_s();
    run_bench_backup(&b, &r);
    report("backup", mib, now_s() - wall, cpu_s() - cpu, &r);
    memcpy(folder, r.folder, sizeof folder);
    for (int i = 0; argc < 7 && i < 3 && r.state == JOBS_SUCCEEDED; i++) {
        wall = now_s(); /* into fresh pages of memory, which is most of the cost, and then not */
        cpu = cpu_s();
        run_bench_restore(&b, folder, &r);
        report(i == 0 ? "restore" : "again", mib, now_s() - wall, cpu_s() - cpu, &r);
    }
    run_bench_close(&b);
    return r.state == JOBS_SUCCEEDED ? 0 : 1;
}
