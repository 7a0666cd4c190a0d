#include "support/run_bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access/policy.h"
#include "crypto/crypto.h"
#include "keystore/export.h"

static void must(enum cf_rc rc, const struct cf_err *e)
{
    if (rc == CF_OK)
        return;
    fprintf(stderr, "run bench: %s: %s\n", cf_rc_name(rc), e->text);
    abort();
}

/* A third erased, a third zero, a third counted bytes; the last chunk short of all one value. */
static void fill_partition(const char *path, uint64_t bytes, unsigned seed)
{
    uint8_t *all = malloc(bytes ? bytes : 1);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (!all || fd < 0)
        abort();
    for (uint64_t i = 0; i < bytes; i++) {
        uint64_t third = i * 3 / bytes;
        all[i] = third == 0 ? 0xff : third == 1 ? 0x00 : (uint8_t)((i * 2654435761u + seed) >> 13);
    }
    if (pwrite(fd, all, bytes, 0) != (ssize_t)bytes)
        abort();
    close(fd);
    free(all);
}

void run_bench_fill(struct run_bench *b)
{
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 256 };
    static const struct hal_key_spec p256 = { .type = HAL_EC, .curve = HAL_P256 };
    static const char *const names[] = { "alpha", "Bravo", "charlie-7", "delta", "zulu" };
    struct cf_err e = { 0 };
    for (size_t i = 0; i < 5; i++)
        must(keystore_bench_make(&b->kb, names[i], i % 2 ? &p256 : &aes, NULL, &e), &e);
    must(keystore_bench_make(&b->kb, "alpha", &aes, NULL, &e), &e); /* a second version */
    must(keystore_delete(b->kb.ks, "delta", NULL, &e), &e);
    must(access_grant(b->access, "6f6f6f6f-0000-0000-0000-000000000001", ACCESS_ADMINISTRATOR, &e),
         &e);
    for (size_t i = 0; i < b->o.partitions; i++)
        fill_partition(b->paths[i], b->o.bytes, (unsigned)i);
}

static void hash_keys(struct run_bench *b, struct crypto_hash *h)
{
    struct keystore_snapshot *s = NULL;
    struct access_export *x = NULL;
    struct cf_buf record = { 0 };
    struct cf_err e = { 0 };
    bool more = true, done = false;
    must(keystore_snapshot_open(b->kb.ks, &s, &e), &e);
    while (more) {
        must(keystore_snapshot_next(s, &record, &more, &e), &e);
        must(crypto_hash_update(h, record.data, record.len, &e), &e);
    }
    must(access_export_new(keystore_snapshot_view(s), &x, &e), &e);
    while (!done) {
        must(cf_buf_resize(&record, 0, &e), &e);
        must(access_export_next(x, &record, &done, &e), &e);
        must(crypto_hash_update(h, record.data, record.len, &e), &e);
    }
    access_export_free(x);
    keystore_snapshot_close(s);
    cf_buf_clear(&record);
}

static void hash_file(const char *path, struct crypto_hash *h)
{
    static uint8_t piece[1 << 16];
    struct cf_err e = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    if (fd < 0)
        abort();
    while ((n = read(fd, piece, sizeof piece)) > 0)
        must(crypto_hash_update(h, piece, (size_t)n, &e), &e);
    close(fd);
}

void run_bench_state(struct run_bench *b, uint8_t out[32])
{
    struct crypto_hash *h = NULL;
    struct cf_err e = { 0 };
    must(crypto_hash_new(HAL_SHA256, &h, &e), &e);
    hash_keys(b, h);
    for (size_t i = 0; i < b->o.partitions; i++)
        hash_file(b->paths[i], h);
    must(crypto_hash_final(h, out, &e), &e);
    crypto_hash_free(h);
}
