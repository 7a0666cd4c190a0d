#include "run_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "crypto/crypto.h"

/* A record: le32 length of payload | type | payload | first 8 bytes of SHA-256(type | payload). */
enum { REC_BEGIN = 1, REC_ROW = 2, REC_MANIFEST = 4 };
#define CHECK_SIZE 8

struct journal {
    char path[PATH_MAX];
    int fd;
    pthread_mutex_t lock;
    struct cf_buf pending;
};

static enum cf_rc path_of(const char *dir, const char *name, char out[PATH_MAX], struct cf_err *e)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < PATH_MAX ? CF_OK : CF_FAIL(e, CF_E_ARG, "path too long");
}

static enum cf_rc put_record(struct cf_buf *out, uint8_t type, const void *payload, size_t len,
                             struct cf_err *e)
{
    uint8_t head[4], check[32];
    cf_le32(head, (uint32_t)len);
    enum cf_rc rc = cf_buf_put(out, head, sizeof head, e);
    size_t at = out->len;
    if (rc == CF_OK)
        rc = cf_buf_put(out, &type, 1, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, payload, len, e);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, out->data + at, len + 1, check, e);
    return rc == CF_OK ? cf_buf_put(out, check, CHECK_SIZE, e) : rc;
}

/* False at the end or at a torn record. */
static bool next_record(struct cf_rd *rd, uint8_t *type, struct cf_rd *payload)
{
    uint8_t want[32];
    uint32_t len = cf_rd_le32(rd);
    const uint8_t *body = cf_rd_bytes(rd, (size_t)len + 1);
    const uint8_t *check = cf_rd_bytes(rd, CHECK_SIZE);
    if (!check || crypto_digest(HAL_SHA256, body, (size_t)len + 1, want, NULL) != CF_OK ||
        !cf_equal(want, check, CHECK_SIZE))
        return false;
    *type = body[0];
    *payload = cf_rd_of(body + 1, len);
    return true;
}

/* --- what outlives a backup ----------------------------------------------------------------------
 */

static enum cf_rc write_checked(const char *dir, const char *name, const struct cf_buf *content,
                                struct cf_err *e)
{
    char path[PATH_MAX];
    enum cf_rc rc = path_of(dir, name, path, e);
    return rc == CF_OK ? cf_file_write(path, 0600, content->data, content->len, e) : rc;
}

static enum cf_rc read_checked(const char *dir, const char *name, struct cf_buf *file,
                               struct cf_rd *payload, struct cf_err *e)
{
    char path[PATH_MAX];
    uint8_t type;
    enum cf_rc rc = path_of(dir, name, path, e);
    if (rc == CF_OK)
        rc = cf_file_read(path, 4096, file, e);
    if (rc != CF_OK)
        return rc;
    struct cf_rd rd = cf_rd_of(file->data, file->len);
    return next_record(&rd, &type, payload) ? CF_OK
                                            : CF_FAIL(e, CF_E_CORRUPT, "%s is damaged", path);
}

static enum cf_rc read_last(const char *dir, struct journal_last *last, struct cf_err *e)
{
    struct cf_buf file = { 0 };
    struct cf_rd rd;
    enum cf_rc rc = read_checked(dir, "backup.last", &file, &rd, NULL);
    *last = (struct journal_last){ 0 };
    if (rc == CF_OK) {
        last->seq = cf_rd_le64(&rd);
        const uint8_t *mac = cf_rd_bytes(&rd, sizeof last->mac);
        if (mac)
            memcpy(last->mac, mac, sizeof last->mac);
        if (!cf_rd_done(&rd))
            rc = CF_FAIL(e, CF_E_CORRUPT, "backup.last is damaged");
    } else if (rc == CF_E_ABSENT) {
        rc = CF_OK;
    } else {
        (void)CF_FAIL(e, rc, "cannot read backup.last");
    }
    cf_buf_clear(&file);
    return rc;
}

enum cf_rc journal_committed(const char *dir, const struct journal_last *last, struct cf_err *e)
{
    uint8_t payload[8 + MANIFEST_MAC_SIZE];
    struct cf_buf file = { 0 };
    cf_le64(payload, last->seq);
    memcpy(payload + 8, last->mac, sizeof last->mac);
    enum cf_rc rc = put_record(&file, REC_BEGIN, payload, sizeof payload, e);
    if (rc == CF_OK)
        rc = write_checked(dir, "backup.last", &file, e);
    cf_buf_clear(&file);
    return rc;
}

/* The manifest of an interrupted backup may be out there: its number is used. It surely is where
 * its MAC was remembered: then the job `done` had reached its end. */
static void count_interrupted(const struct cf_buf *file, struct journal_last *last,
                              char done[JOBS_ID_SIZE])
{
    struct cf_rd rd = cf_rd_of(file->data, file->len), payload;
    char id[JOBS_ID_SIZE] = "";
    uint8_t type;
    while (next_record(&rd, &type, &payload)) {
        const void *begun = type == REC_BEGIN ? cf_rd_bytes(&payload, JOBS_ID_SIZE) : NULL;
        if (begun)
            snprintf(id, sizeof id, "%.*s", JOBS_ID_SIZE - 1, (const char *)begun);
        if (type != REC_MANIFEST)
            continue;
        uint64_t seq = cf_rd_le64(&payload);
        const uint8_t *mac = cf_rd_bytes(&payload, sizeof last->mac);
        if (mac && seq == last->seq && cf_equal(mac, last->mac, sizeof last->mac))
            memcpy(done, id, sizeof id);
        if (seq > last->seq)
            last->seq = seq;
    }
}

enum cf_rc journal_recover(const char *dir, struct journal_last *last, char done[JOBS_ID_SIZE],
                           struct cf_err *e)
{
    char path[PATH_MAX];
    struct cf_buf file = { 0 };
    enum cf_rc rc = read_last(dir, last, e);
    uint64_t seq = last->seq;
    done[0] = 0;
    if (rc == CF_OK)
        rc = path_of(dir, "backup.journal", path, e);
    if (rc != CF_OK)
        return rc;
    rc = cf_file_read(path, CF_BUF_MAX, &file, NULL);
    if (rc == CF_E_ABSENT)
        return CF_OK;
    if (rc != CF_OK)
        return CF_FAIL(e, rc, "cannot read the journal of the last backup");
    count_interrupted(&file, last, done);
    if (last->seq != seq)
        rc = journal_committed(dir, last, e);
    cf_buf_clear(&file);
    if (rc == CF_OK && unlink(path) != 0)
        rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot remove %s", path);
    return rc == CF_OK ? cf_file_sync_dir(path, e) : rc;
}

/* --- of one backup
 * --------------------------------------------------------------------------------- */

static enum cf_rc write_all(struct journal *j, struct cf_err *e)
{
    size_t done = 0;
    while (done < j->pending.len) {
        ssize_t n = write(j->fd, j->pending.data + done, j->pending.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return CF_FAIL_ERRNO(e, CF_E_IO, "cannot write the backup's journal");
        done += (size_t)n;
    }
    if (fdatasync(j->fd) != 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot sync the backup's journal");
    return cf_buf_resize(&j->pending, 0, e);
}

enum cf_rc journal_begin(const char *dir, const char *job_id, const struct manifest_envelope *env,
                         struct journal **out, struct cf_err *e)
{
    uint8_t payload[JOBS_ID_SIZE + MANIFEST_ENVELOPE_SIZE] = { 0 };
    struct journal *j = calloc(1, sizeof *j);
    if (!j)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    pthread_mutex_init(&j->lock, NULL);
    j->fd = -1;
    enum cf_rc rc = path_of(dir, "backup.journal", j->path, e);
    if (rc == CF_OK) {
        j->fd = open(j->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
        if (j->fd < 0)
            rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot make %s", j->path);
    }
    snprintf((char *)payload, JOBS_ID_SIZE, "%s", job_id);
    memcpy(payload + JOBS_ID_SIZE, env->bytes, sizeof env->bytes);
    if (rc == CF_OK)
        rc = put_record(&j->pending, REC_BEGIN, payload, sizeof payload, e);
    if (rc == CF_OK)
        rc = write_all(j, e);
    if (rc == CF_OK)
        rc = cf_file_sync_dir(j->path, e);
    if (rc != CF_OK) {
        journal_close(j);
        return rc;
    }
    *out = j;
    return CF_OK;
}

enum cf_rc journal_row(struct journal *j, uint32_t stream, uint64_t block,
                       const uint8_t row[FLOW_ROW_SIZE], struct cf_err *e)
{
    uint8_t payload[12 + FLOW_ROW_SIZE];
    cf_le32(payload, stream);
    cf_le64(payload + 4, block);
    memcpy(payload + 12, row, FLOW_ROW_SIZE);
    pthread_mutex_lock(&j->lock);
    enum cf_rc rc = put_record(&j->pending, REC_ROW, payload, sizeof payload, e);
    pthread_mutex_unlock(&j->lock);
    return rc;
}

enum cf_rc journal_flush(struct journal *j, struct cf_err *e)
{
    pthread_mutex_lock(&j->lock);
    enum cf_rc rc = j->pending.len ? write_all(j, e) : CF_OK;
    pthread_mutex_unlock(&j->lock);
    return rc;
}

enum cf_rc journal_manifest(struct journal *j, const struct journal_last *it,
                            const struct cf_buf *bytes, struct cf_err *e)
{
    struct cf_buf payload = { 0 };
    uint8_t number[8];
    cf_le64(number, it->seq);
    enum cf_rc rc = cf_buf_put(&payload, number, sizeof number, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&payload, it->mac, sizeof it->mac, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&payload, bytes->data, bytes->len, e);
    pthread_mutex_lock(&j->lock);
    if (rc == CF_OK)
        rc = put_record(&j->pending, REC_MANIFEST, payload.data, payload.len, e);
    if (rc == CF_OK)
        rc = write_all(j, e);
    pthread_mutex_unlock(&j->lock);
    cf_buf_clear(&payload);
    return rc;
}

void journal_end(const char *dir)
{
    char path[PATH_MAX];
    if (path_of(dir, "backup.journal", path, NULL) == CF_OK)
        unlink(path);
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    cf_buf_clear(&j->pending);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

/* --- a restore's flip
 * ------------------------------------------------------------------------------ */

enum cf_rc journal_flip_write(const char *dir, const struct journal_flip *f, struct cf_err *e)
{
    uint8_t payload[JOBS_ID_SIZE + 8];
    struct cf_buf file = { 0 };
    memcpy(payload, f->job_id, JOBS_ID_SIZE);
    cf_le64(payload + JOBS_ID_SIZE, f->flips);
    enum cf_rc rc = put_record(&file, REC_BEGIN, payload, sizeof payload, e);
    if (rc == CF_OK)
        rc = write_checked(dir, "restore.flip", &file, e);
    cf_buf_clear(&file);
    return rc;
}

enum cf_rc journal_flip_read(const char *dir, struct journal_flip *f, struct cf_err *e)
{
    struct cf_buf file = { 0 };
    struct cf_rd rd;
    enum cf_rc rc = read_checked(dir, "restore.flip", &file, &rd, e);
    if (rc == CF_OK) {
        const uint8_t *id = cf_rd_bytes(&rd, JOBS_ID_SIZE);
        f->flips = cf_rd_le64(&rd);
        if (!cf_rd_done(&rd) || !id || id[JOBS_ID_SIZE - 1] != 0)
            rc = CF_FAIL(e, CF_E_CORRUPT, "restore.flip is damaged");
        else
            memcpy(f->job_id, id, JOBS_ID_SIZE);
    }
    cf_buf_clear(&file);
    return rc;
}

void journal_flip_end(const char *dir)
{
    char path[PATH_MAX];
    if (path_of(dir, "restore.flip", path, NULL) == CF_OK)
        unlink(path);
}
