#include "kept_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/secret.h"
#include "crypto/crypto.h"

static const char magic[] = "CFKEEP01";

#define HEAD_SIZE   9
#define RECORD_SIZE (8 + 8 + 8 + 1 + STORE_SIDES + 2 * 8 * STORE_SIDES + 32 + 33 + 513)
#define SUM_SIZE    32
#define RECORDS_MAX 2

_Static_assert(JOBS_ID_SIZE == 33 && JOBS_FOLDER_SIZE == 513, "sizes stand in files");

static enum cf_rc path_of(const char *dir, char out[PATH_MAX], struct cf_err *e)
{
    int n = snprintf(out, PATH_MAX, "%s/restore.kept", dir);
    return n > 0 && n < PATH_MAX ? CF_OK : CF_FAIL(e, CF_E_ARG, "path too long");
}

static void encode(const struct kept *k, uint8_t out[RECORD_SIZE])
{
    uint8_t *at = out;
    cf_le64(at, k->flips);
    cf_le64(at + 8, (uint64_t)k->at_s);
    cf_le64(at + 16, k->counter);
    at[24] = k->undo;
    at += 25;
    memcpy(at, k->side, STORE_SIDES);
    at += STORE_SIDES;
    for (size_t i = 0; i < STORE_SIDES; i++, at += 8)
        cf_le64(at, k->left[i]);
    for (size_t i = 0; i < STORE_SIDES; i++, at += 8)
        cf_le64(at, k->changes[i]);
    memcpy(at, k->table, sizeof k->table);
    at += sizeof k->table;
    memcpy(at, k->job, sizeof k->job);
    memcpy(at + sizeof k->job, k->folder, sizeof k->folder);
}

static enum cf_rc decode(struct cf_rd *r, struct kept *k, struct cf_err *e)
{
    k->flips = cf_rd_le64(r);
    k->at_s = (int64_t)cf_rd_le64(r);
    k->counter = cf_rd_le64(r);
    const uint8_t *undo = cf_rd_bytes(r, 1);
    const uint8_t *side = cf_rd_bytes(r, STORE_SIDES);
    for (size_t i = 0; i < STORE_SIDES; i++)
        k->left[i] = cf_rd_le64(r);
    for (size_t i = 0; i < STORE_SIDES; i++)
        k->changes[i] = cf_rd_le64(r);
    const uint8_t *table = cf_rd_bytes(r, sizeof k->table);
    const uint8_t *job = cf_rd_bytes(r, sizeof k->job);
    const uint8_t *folder = cf_rd_bytes(r, sizeof k->folder);
    if (!folder || *undo > 1 || job[sizeof k->job - 1] || folder[sizeof k->folder - 1])
        return CF_FAIL(e, CF_E_CORRUPT, "restore.kept is damaged");
    k->undo = *undo;
    memcpy(k->side, side, STORE_SIDES);
    memcpy(k->table, table, sizeof k->table);
    memcpy(k->job, job, sizeof k->job);
    memcpy(k->folder, folder, sizeof k->folder);
    for (size_t i = 0; i < STORE_SIDES; i++)
        if (k->side[i] > 1)
            return CF_FAIL(e, CF_E_CORRUPT, "restore.kept is damaged");
    return CF_OK;
}

static enum cf_rc check_sum(const struct cf_buf *file, size_t *count, struct cf_err *e)
{
    uint8_t sum[SUM_SIZE];
    *count = file->len > HEAD_SIZE ? file->data[HEAD_SIZE - 1] : 0;
    size_t body = HEAD_SIZE + *count * RECORD_SIZE;
    bool shaped = *count <= RECORDS_MAX && file->len == body + SUM_SIZE &&
                  cf_equal(file->data, magic, HEAD_SIZE - 1);
    enum cf_rc rc = shaped ? crypto_digest(HAL_SHA256, file->data, body, sum, e) : CF_E_CORRUPT;
    if (rc == CF_OK && !cf_equal(sum, file->data + body, SUM_SIZE))
        rc = CF_E_CORRUPT;
    return rc == CF_E_CORRUPT ? CF_FAIL(e, rc, "restore.kept is damaged") : rc;
}

enum cf_rc kept_read(const char *dir, uint64_t flips, struct kept *out, struct cf_err *e)
{
    char path[PATH_MAX];
    struct cf_buf file = { 0 };
    struct kept k = { 0 };
    size_t count = 0;
    bool found = false;
    enum cf_rc rc = path_of(dir, path, e);
    if (rc == CF_OK)
        rc = cf_file_read(path, HEAD_SIZE + RECORDS_MAX * RECORD_SIZE + SUM_SIZE, &file, e);
    if (rc == CF_E_LIMIT)
        rc = CF_E_CORRUPT;
    if (rc == CF_OK)
        rc = check_sum(&file, &count, e);
    for (size_t i = 0; rc == CF_OK && i < count && !found; i++) {
        struct cf_rd r = cf_rd_of(file.data + HEAD_SIZE + i * RECORD_SIZE, RECORD_SIZE);
        rc = decode(&r, &k, e);
        found = k.flips == flips;
    }
    cf_buf_clear(&file);
    if (rc != CF_OK)
        return rc;
    if (!found)
        return CF_FAIL(e, CF_E_ABSENT, "nothing is kept from before the last switch");
    *out = k;
    return CF_OK;
}

enum cf_rc kept_write(const char *dir, const struct kept *now, const struct kept *next,
                      struct cf_err *e)
{
    char path[PATH_MAX];
    uint8_t file[HEAD_SIZE + RECORDS_MAX * RECORD_SIZE + SUM_SIZE];
    size_t len = HEAD_SIZE;
    memcpy(file, magic, HEAD_SIZE - 1);
    file[HEAD_SIZE - 1] = now ? 2 : 1;
    if (now) {
        encode(now, file + len);
        len += RECORD_SIZE;
    }
    encode(next, file + len);
    len += RECORD_SIZE;
    enum cf_rc rc = path_of(dir, path, e);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, file, len, file + len, e);
    return rc == CF_OK ? cf_file_write(path, 0600, file, len + SUM_SIZE, e) : rc;
}

enum cf_rc kept_drop(const char *dir, struct cf_err *e)
{
    char path[PATH_MAX];
    enum cf_rc rc = path_of(dir, path, e);
    if (rc != CF_OK)
        return rc;
    if (unlink(path) != 0)
        return errno == ENOENT ? CF_OK : CF_FAIL_ERRNO(e, CF_E_IO, "cannot remove %s", path);
    return cf_file_sync_dir(path, e);
}
