/* Small files that are written whole: what outlives a backup, and a restore's flip. */
#include "run_priv.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

#define REC_ONE   1
#define LAST_FILE "backup.last"
#define FLIP_FILE "restore.flip"

static enum cf_rc write_one(const char *dir, const char *name, const struct journal_record *r,
                            struct cf_err *e)
{
    char path[PATH_MAX];
    struct cf_buf file = { 0 };
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    enum cf_rc rc =
        n > 0 && n < PATH_MAX ? journal_frame(&file, r, e) : CF_FAIL(e, CF_E_ARG, "path too long");
    if (rc == CF_OK)
        rc = cf_file_write(path, 0600, file.data, file.len, e);
    cf_buf_clear(&file);
    return rc;
}

struct one {
    uint8_t *to;
    size_t len;
    unsigned seen;
};

static enum cf_rc take_one(void *ctx, const struct journal_record *r, struct cf_err *e)
{
    struct one *o = ctx;
    (void)e;
    if (r->type == REC_ONE && r->len == o->len && o->seen++ == 0)
        memcpy(o->to, r->payload, o->len);
    return CF_OK;
}

static enum cf_rc read_one(const char *dir, const char *name, struct one *o, struct cf_err *e)
{
    const struct journal_file f = { .dir = dir, .name = name };
    struct journal_mark kept;
    enum cf_rc rc = journal_read(&f, take_one, o, &kept, e);
    if (rc == CF_OK && o->seen != 1)
        rc = CF_FAIL(e, CF_E_CORRUPT, "%s is damaged", name);
    return rc;
}

enum cf_rc journal_last_read(const char *dir, struct journal_last *last, struct cf_err *e)
{
    uint8_t payload[8 + MANIFEST_MAC_SIZE] = { 0 };
    struct one o = { .to = payload, .len = sizeof payload };
    struct cf_err err = { 0 };
    *last = (struct journal_last){ 0 };
    enum cf_rc rc = read_one(dir, LAST_FILE, &o, &err);
    if (rc == CF_E_ABSENT)
        return CF_OK;
    if (rc != CF_OK) {
        if (e && e->rc == CF_OK)
            *e = err;
        return rc;
    }
    struct cf_rd rd = cf_rd_of(payload, sizeof payload);
    last->seq = cf_rd_le64(&rd);
    memcpy(last->mac, payload + 8, sizeof last->mac);
    return CF_OK;
}

enum cf_rc journal_last_write(const char *dir, const struct journal_last *last, struct cf_err *e)
{
    uint8_t payload[8 + MANIFEST_MAC_SIZE];
    cf_le64(payload, last->seq);
    memcpy(payload + 8, last->mac, sizeof last->mac);
    return write_one(dir, LAST_FILE, &(struct journal_record){ REC_ONE, payload, sizeof payload },
                     e);
}

enum cf_rc journal_flip_write(const char *dir, const struct journal_flip *f, struct cf_err *e)
{
    uint8_t payload[JOBS_ID_SIZE + 8];
    memcpy(payload, f->job_id, JOBS_ID_SIZE);
    cf_le64(payload + JOBS_ID_SIZE, f->flips);
    return write_one(dir, FLIP_FILE, &(struct journal_record){ REC_ONE, payload, sizeof payload },
                     e);
}

enum cf_rc journal_flip_read(const char *dir, struct journal_flip *f, struct cf_err *e)
{
    uint8_t payload[JOBS_ID_SIZE + 8] = { 0 };
    struct one o = { .to = payload, .len = sizeof payload };
    enum cf_rc rc = read_one(dir, FLIP_FILE, &o, e);
    if (rc == CF_OK && payload[JOBS_ID_SIZE - 1] != 0)
        rc = CF_FAIL(e, CF_E_CORRUPT, FLIP_FILE " is damaged");
    if (rc != CF_OK)
        return rc;
    struct cf_rd rd = cf_rd_of(payload + JOBS_ID_SIZE, 8);
    memcpy(f->job_id, payload, JOBS_ID_SIZE);
    f->flips = cf_rd_le64(&rd);
    return CF_OK;
}

void journal_flip_end(const char *dir)
{
    journal_remove(dir, FLIP_FILE);
}
