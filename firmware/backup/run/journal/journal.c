#include "run_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "crypto/crypto.h"

/* A record: le32 length of payload | type | payload | check. In a journal the check is the first 16
 * bytes of HMAC-SHA256(key, check before | type | payload), where before the first one the file's
 * name stands, padded with zeroes; in a small file, the first 8 of SHA-256(type | payload). */
#define SUM_SIZE   8
#define RECORD_MAX ((uint32_t)64 << 20)
#define SYNC_MS    1000
#define SYNC_ROWS  32

struct journal {
    char path[PATH_MAX];
    int fd;
    const struct cf_secret *key;
    enum cf_rc (*before)(void *ctx, struct cf_err *e);
    void *ctx;
    pthread_t thread;
    bool started;
    pthread_mutex_t order; /* one at a time takes rows to the medium; outside of `lock` */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    /* under the lock */
    uint8_t last[JOURNAL_CHECK]; /* check of the record before */
    struct cf_buf pending;       /* rows that are not in the file yet */
    unsigned unsynced;
    bool stop;
    struct cf_err err; /* of the thread */
};

static enum cf_rc path_of(const char *dir, const char *name, char out[PATH_MAX], struct cf_err *e)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < PATH_MAX ? CF_OK : CF_FAIL(e, CF_E_ARG, "path too long");
}

enum cf_rc journal_key_make(struct hal_token *token, struct cf_secret **out, struct cf_err *e)
{
    const struct hal_key_name root = { .role = HAL_ROLE_STORE };
    uint8_t key[CRYPTO_KEY_SIZE];
    struct cf_buf msg = { 0 };
    enum cf_rc rc = hal_token_key_make(token, &root, e);
    if (rc == CF_OK)
        rc = crypto_kdf_message("coffer.v1.journal", NULL, 0, &msg, e);
    if (rc == CF_OK)
        rc = hal_token_mac(token, &root, msg.data, msg.len, key, e);
    if (rc == CF_OK)
        rc = cf_secret_copy(key, sizeof key, out, e);
    cf_wipe(key, sizeof key);
    cf_buf_clear(&msg);
    return rc;
}

static void first_check(const char *name, uint8_t out[JOURNAL_CHECK])
{
    memset(out, 0, JOURNAL_CHECK);
    memcpy(out, name, strnlen(name, JOURNAL_CHECK));
}

static size_t check_size(const struct cf_secret *key)
{
    return key ? JOURNAL_CHECK : SUM_SIZE;
}

/* `body` is type and payload; `check` holds the one before it, and then its own. */
static enum cf_rc next_check(const struct cf_secret *key, const uint8_t *body, size_t len,
                             uint8_t check[JOURNAL_CHECK], struct cf_err *e)
{
    uint8_t out[32];
    struct crypto_mac *mac = NULL;
    if (!key) {
        enum cf_rc rc = crypto_digest(HAL_SHA256, body, len, out, e);
        memcpy(check, out, SUM_SIZE);
        return rc;
    }
    enum cf_rc rc = crypto_mac_new(
        HAL_SHA256, crypto_bytes_of(cf_secret_view(key), cf_secret_len(key)), &mac, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(mac, check, JOURNAL_CHECK, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(mac, body, len, e);
    if (rc == CF_OK)
        rc = crypto_mac_final(mac, out, e);
    if (rc == CF_OK)
        memcpy(check, out, JOURNAL_CHECK);
    crypto_mac_free(mac);
    return rc;
}

/* Only a whole record is appended, and moves the chain on. */
static enum cf_rc frame(const struct cf_secret *key, uint8_t last[JOURNAL_CHECK],
                        struct cf_buf *out, const struct journal_record *r, struct cf_err *e)
{
    uint8_t head[4], check[JOURNAL_CHECK];
    size_t before = out->len;
    memcpy(check, last, sizeof check);
    cf_le32(head, (uint32_t)r->len);
    enum cf_rc rc = r->len <= RECORD_MAX ? cf_buf_put(out, head, sizeof head, e)
                                         : CF_FAIL(e, CF_E_LIMIT, "a journal's record is too long");
    size_t at = out->len;
    if (rc == CF_OK)
        rc = cf_buf_put(out, &r->type, 1, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, r->payload, r->len, e);
    if (rc == CF_OK)
        rc = next_check(key, out->data + at, r->len + 1, check, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, check, check_size(key), e);
    if (rc == CF_OK)
        memcpy(last, check, sizeof check);
    else
        out->len = before;
    return rc;
}

enum cf_rc journal_frame(struct cf_buf *out, const struct journal_record *r, struct cf_err *e)
{
    uint8_t none[JOURNAL_CHECK] = { 0 };
    return frame(NULL, none, out, r, e);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static bool get(FILE *f, void *dst, size_t len)
{
    return fread(dst, 1, len, f) == len;
}

/* False at the end, or at a record that is torn or not of this appliance. */
static bool next(FILE *f, const struct cf_secret *key, struct cf_buf *body, struct journal_mark *m,
                 struct journal_record *r)
{
    uint8_t head[4], check[JOURNAL_CHECK], want[JOURNAL_CHECK];
    size_t size = check_size(key);
    memcpy(want, m->check, sizeof want);
    if (!get(f, head, sizeof head))
        return false;
    struct cf_rd rd = cf_rd_of(head, sizeof head);
    uint32_t len = cf_rd_le32(&rd);
    if (len > RECORD_MAX || cf_buf_resize(body, (size_t)len + 1, NULL) != CF_OK ||
        !get(f, body->data, (size_t)len + 1) || !get(f, check, size) ||
        next_check(key, body->data, (size_t)len + 1, want, NULL) != CF_OK ||
        !cf_equal(want, check, size))
        return false;
    m->at += 4 + 1 + (uint64_t)len + size;
    memcpy(m->check, want, sizeof want);
    *r = (struct journal_record){ .type = body->data[0], .payload = body->data + 1, .len = len };
    return true;
}

enum cf_rc journal_read(const struct journal_file *f, journal_each_fn *each, void *ctx,
                        struct journal_mark *kept, struct cf_err *e)
{
    char path[PATH_MAX];
    struct cf_buf body = { 0 };
    struct journal_record r;
    kept->at = 0;
    first_check(f->name, kept->check);
    enum cf_rc rc = path_of(f->dir, f->name, path, e);
    if (rc != CF_OK)
        return rc;
    FILE *in = fopen(path, "re");
    if (!in && errno == ENOENT)
        return CF_FAIL(e, CF_E_ABSENT, "no %s", f->name);
    if (!in)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot read %s", path);
    while (rc == CF_OK && next(in, f->key, &body, kept, &r))
        rc = each(ctx, &r, e);
    fclose(in);
    cf_buf_clear(&body);
    return rc;
}

/* --- writing -------------------------------------------------------------------------------------
 */

static enum cf_rc write_all(struct journal *j, const struct cf_buf *b, struct cf_err *e)
{
    size_t done = 0;
    while (done < b->len) {
        ssize_t n = write(j->fd, b->data + done, b->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return CF_FAIL_ERRNO(e, CF_E_IO, "cannot write %s", j->path);
        done += (size_t)n;
    }
    return CF_OK;
}

static enum cf_rc settle(struct journal *j, const struct cf_buf *rows, struct cf_err *e)
{
    enum cf_rc rc = j->before && rows->len ? j->before(j->ctx, e) : CF_OK;
    if (rc == CF_OK)
        rc = write_all(j, rows, e);
    if (rc == CF_OK && fdatasync(j->fd) != 0)
        rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot sync %s", j->path);
    return rc;
}

/* Rows so far to the medium. Other rows may come meanwhile. A failure stays: what is on the medium
 * is not known any more. */
static enum cf_rc sync_rows(struct journal *j, struct cf_err *e)
{
    struct cf_err err = { 0 };
    pthread_mutex_lock(&j->order);
    pthread_mutex_lock(&j->lock);
    struct cf_buf rows = j->pending;
    bool idle = j->unsynced == 0;
    enum cf_rc rc = j->err.rc;
    j->pending = (struct cf_buf){ 0 };
    j->unsynced = 0;
    pthread_mutex_unlock(&j->lock);
    if (rc == CF_OK && !idle)
        rc = settle(j, &rows, &err);
    pthread_mutex_lock(&j->lock);
    if (rc != CF_OK && j->err.rc == CF_OK)
        j->err = err;
    if (rc != CF_OK && e && e->rc == CF_OK)
        *e = j->err;
    pthread_mutex_unlock(&j->lock);
    pthread_mutex_unlock(&j->order);
    cf_buf_clear(&rows);
    return rc;
}

static void wait_a_while(struct journal *j)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until); /* a clock that is set back must not hold rows up */
    until.tv_sec += SYNC_MS / 1000;
    while (!j->stop && j->unsynced < SYNC_ROWS)
        if (pthread_cond_timedwait(&j->cond, &j->lock, &until) != 0)
            break;
}

static void *journal_main(void *arg)
{
    struct journal *j = arg;
    run_step_back();
    pthread_mutex_lock(&j->lock);
    while (!j->stop) {
        wait_a_while(j);
        if (j->stop || j->unsynced == 0 || j->err.rc != CF_OK)
            continue;
        pthread_mutex_unlock(&j->lock);
        (void)!sync_rows(j, NULL); /* the next row tells */
        pthread_mutex_lock(&j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

static enum cf_rc open_file(struct journal *j, const struct journal_file *f, int flags,
                            struct cf_err *e)
{
    enum cf_rc rc = path_of(f->dir, f->name, j->path, e);
    if (rc != CF_OK)
        return rc;
    j->fd = open(j->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0600);
    if (j->fd < 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot make %s", j->path);
    return cf_file_sync_dir(j->path, e);
}

static enum cf_rc open_journal(const struct journal_file *f, const struct journal_mark *kept,
                               struct journal **out, struct cf_err *e)
{
    pthread_condattr_t steady;
    struct journal *j = f->key ? calloc(1, sizeof *j) : NULL;
    if (!j)
        return f->key ? CF_FAIL(e, CF_E_LIMIT, "no memory")
                      : CF_FAIL(e, CF_E_ARG, "a journal without a key");
    pthread_mutex_init(&j->order, NULL);
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&j->cond, &steady);
    pthread_condattr_destroy(&steady);
    j->fd = -1;
    j->key = f->key;
    first_check(f->name, j->last);
    if (kept)
        memcpy(j->last, kept->check, sizeof j->last);
    j->before = f->before;
    j->ctx = f->ctx;
    enum cf_rc rc = open_file(j, f, kept ? 0 : O_TRUNC, e);
    if (rc == CF_OK && kept && ftruncate(j->fd, (off_t)kept->at) != 0) /* what is torn */
        rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot cut %s", j->path);
    if (rc == CF_OK) {
        j->started = pthread_create(&j->thread, NULL, journal_main, j) == 0;
        rc = j->started ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "cannot start the journal's thread");
    }
    if (rc != CF_OK) {
        journal_close(j);
        return rc;
    }
    *out = j;
    return CF_OK;
}

enum cf_rc journal_create(const struct journal_file *f, struct journal **out, struct cf_err *e)
{
    return open_journal(f, NULL, out, e);
}

enum cf_rc journal_go_on(const struct journal_file *f, const struct journal_mark *kept,
                         struct journal **out, struct cf_err *e)
{
    return open_journal(f, kept, out, e);
}

enum cf_rc journal_row(struct journal *j, const struct journal_record *r, struct cf_err *e)
{
    struct cf_buf record = { 0 };
    pthread_mutex_lock(&j->lock);
    enum cf_rc rc = j->err.rc;
    if (rc != CF_OK && e && e->rc == CF_OK)
        *e = j->err;
    if (rc == CF_OK)
        rc = frame(j->key, j->last, j->before ? &j->pending : &record, r, e);
    if (rc == CF_OK)
        rc = write_all(j, &record, e); /* a process that dies leaves it to the system */
    if (rc == CF_OK && ++j->unsynced >= SYNC_ROWS)
        pthread_cond_signal(&j->cond);
    pthread_mutex_unlock(&j->lock);
    cf_buf_clear(&record);
    return rc;
}

enum cf_rc journal_flush(struct journal *j, struct cf_err *e)
{
    return sync_rows(j, e);
}

enum cf_rc journal_put(struct journal *j, const struct journal_record *r, struct cf_err *e)
{
    enum cf_rc rc = journal_row(j, r, e);
    return rc == CF_OK ? journal_flush(j, e) : rc;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->cond);
    pthread_mutex_unlock(&j->lock);
    if (j->started)
        pthread_join(j->thread, NULL);
    if (j->fd >= 0)
        close(j->fd);
    cf_buf_clear(&j->pending);
    pthread_cond_destroy(&j->cond);
    pthread_mutex_destroy(&j->lock);
    pthread_mutex_destroy(&j->order);
    free(j);
}

void journal_remove(const char *dir, const char *name)
{
    char path[PATH_MAX];
    if (path_of(dir, name, path, NULL) == CF_OK)
        unlink(path);
}

bool journal_there(const char *dir, const char *name)
{
    char path[PATH_MAX];
    return path_of(dir, name, path, NULL) == CF_OK && access(path, F_OK) == 0;
}
