/*
 * One backup with nothing left to chance, then its restore: prints length and digest of each blob.
 * The same source is linked with either provider of cryptography; what they print must be equal.
 * Of the manifest the length alone: it is signed over inode numbers and times of the partitions.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_set_rand_method */
#include <dirent.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/crypto.h"
#include "hal_sim/hal_sim.h"
#include "support/run_bench.h"

#define SEED           7
#define PARTITIONS     2
#define PARTITION_SIZE ((uint64_t)9 << 20) /* a whole block and a short one */

/* The fake token draws its keys from OpenSSL. */
static int counted_bytes(unsigned char *out, int len)
{
    static atomic_uint_fast64_t count;
    for (int i = 0; i < len; i++)
        out[i] = (unsigned char)((atomic_fetch_add(&count, 1) * 0x9e3779b97f4a7c15u) >> 56);
    return 1;
}

static int always_ready(void)
{
    return 1;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "engine folder: %s: %s\n", what, why);
    exit(1);
}

static void print_blob(struct run_bench *b, const char *folder, const char *name)
{
    static uint8_t bytes[32 << 20];
    uint8_t digest[32];
    FILE *f = fopen(run_bench_blob(b, folder, name), "rb");
    size_t len = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (!f || len == sizeof bytes || crypto_digest(HAL_SHA256, bytes, len, digest, NULL) != CF_OK)
        die(name, "cannot be read");
    fclose(f);
    printf("%s %zu ", name, len);
    for (size_t i = 0; strncmp(name, "manifest", 8) != 0 && i < sizeof digest; i++)
        printf("%02x", digest[i]);
    printf("\n");
}

static void print_folder(struct run_bench *b, const char *folder)
{
    struct dirent **names = NULL;
    int count = scandir(run_bench_blob(b, folder, ""), &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.')
            print_blob(b, folder, names[i]->d_name);
        free(names[i]);
    }
    free(names);
}

int main(void)
{
    static const RAND_METHOD counted = { .bytes = counted_bytes,
                                         .pseudorand = counted_bytes,
                                         .status = always_ready };
    struct hal_entropy *entropy = hal_sim_entropy_new(SEED, 0);
    struct run_bench_options o = { .partitions = PARTITIONS,
                                   .bytes = PARTITION_SIZE,
                                   .run = { .entropy = entropy, .threads = 1, .connections = 1 } };
    struct run_bench b;
    struct jobs_record r;
    char folder[JOBS_FOLDER_SIZE];
    uint8_t before[32], after[32];
    cf_log_setup(CF_LOG_ERROR, STDERR_FILENO);
    if (RAND_set_rand_method(&counted) != 1)
        die("OpenSSL", "takes no other source of random bytes");
    run_bench_open(&b, &o);
    run_bench_fill(&b);
    run_bench_state(&b, before);
    run_bench_backup(&b, &r);
    if (r.state != JOBS_SUCCEEDED)
        die("backup", r.error);
    memcpy(folder, r.folder, sizeof folder);
    print_folder(&b, folder);
    run_bench_restore(&b, folder, &r);
    if (r.state != JOBS_SUCCEEDED)
        die("restore", r.error);
    run_bench_state(&b, after);
    run_bench_close(&b);
    hal_sim_entropy_free(entropy);
    return memcmp(before, after, sizeof before) == 0 ? 0 : 1;
}
