/* A job's journals, whatever records they hold, under the right key; and files that are none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "run_priv.h"

static char dir[] = "/dev/shm/coffer-fuzz-XXXXXX";
static struct cf_secret *key;

static void leave(void)
{
    static const char *const names[] = { JOURNAL_OUT, JOURNAL_IN, "backup.last", "restore.flip" };
    char path[64];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
    cf_secret_free(key);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const uint8_t bytes[32] = { 3 };
    (void)argc;
    (void)argv;
    if (!mkdtemp(dir) || cf_secret_copy(bytes, sizeof bytes, &key, NULL) != CF_OK)
        abort();
    atexit(leave);
    return 0;
}

/* Type, length and payload of one record behind the other. */
static void write_records(const struct journal_file *f, const uint8_t *data, size_t size)
{
    struct journal *j = NULL;
    if (journal_create(f, &j, NULL) != CF_OK)
        abort();
    while (size >= 3) {
        size_t len = (size_t)data[1] | (size_t)data[2] << 8;
        struct journal_record r = { .type = data[0],
                                    .payload = data + 3,
                                    .len = len < size - 3 ? len : size - 3 };
        if (journal_row(j, &r, NULL) != CF_OK)
            break;
        data += 3 + r.len;
        size -= 3 + r.len;
    }
    journal_close(j);
}

static void taken(void *ctx, uint32_t stream, uint64_t block, uint64_t sum)
{
    (void)ctx, (void)stream, (void)block, (void)sum;
}

static void read_out(const struct journal_file *f)
{
    struct journal_past p = { .lives = 0 };
    if (journal_past_read(f, &p, NULL) == CF_OK && p.stream_count > 0 && !p.streams)
        abort();
    journal_past_clear(&p);
}

static void read_in(const struct journal_file *f)
{
    struct journal_aim aim = { .job_id = "00112233445566778899aabbccddeeff", .flips = 1 };
    struct journal_mark kept;
    (void)!journal_in_read(f, &aim, taken, &kept, NULL);
}

static void read_small(const char *name, const uint8_t *data, size_t size)
{
    char path[64];
    struct journal_last last;
    struct journal_flip flip;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (cf_file_write(path, 0600, data, size, NULL) != CF_OK)
        return;
    (void)!journal_last_read(dir, &last, NULL);
    if (journal_flip_read(dir, &flip, NULL) == CF_OK &&
        memchr(flip.job_id, 0, sizeof flip.job_id) == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_file f = { .dir = dir, .name = JOURNAL_OUT, .key = key };
    if (size == 0)
        return 0;
    switch (data[0] % 4) {
    case 0:
        write_records(&f, data + 1, size - 1);
        read_out(&f);
        break;
    case 1:
        f.name = JOURNAL_IN;
        write_records(&f, data + 1, size - 1);
        read_in(&f);
        break;
    case 2:
        read_small("backup.last", data + 1, size - 1);
        break;
    default:
        read_small("restore.flip", data + 1, size - 1);
        break;
    }
    return 0;
}
