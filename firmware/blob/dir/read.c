/* HEAD, GET, and the blocks of a blob. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "dir_priv.h"

/* A version is named by file, size and time of its last change. */
static void etag_of(const struct stat *st, char out[BLOB_ETAG_MAX + 1])
{
    snprintf(out, BLOB_ETAG_MAX + 1, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%lx\"",
             (uint64_t)st->st_ino, (uint64_t)st->st_size, (uint64_t)st->st_mtim.tv_sec,
             st->st_mtim.tv_nsec);
}

static int open_blob(struct dir_job *j, const char *doing, struct stat *st)
{
    char leaf[BLOB_SEGMENT_MAX + 1];
    int parent = dir_open_parent(j->root, j->o->name, false, leaf);
    int fd = parent < 0 ? -1 : openat(parent, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int saved = errno;
    if (parent >= 0)
        close(parent);
    errno = saved;
    if (fd < 0 || fstat(fd, st) != 0) {
        dir_fail(j->o, doing);
    } else if (S_ISREG(st->st_mode)) {
        j->o->result.size = (uint64_t)st->st_size;
        etag_of(st, j->o->result.etag);
        return fd;
    } else if (S_ISDIR(st->st_mode)) {
        dir_refuse(j->o, BLOB_ABSENT, CF_E_ABSENT, "a directory, not a blob");
    } else {
        dir_refuse(j->o, BLOB_REFUSED, CF_E_DENIED, "neither file nor directory");
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

bool dir_head(struct dir_job *j)
{
    struct stat st;
    int fd = open_blob(j, "looking at", &st);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static bool push_range(struct dir_job *j, int fd, uint64_t first, uint64_t count)
{
    struct dir_op *o = j->o;
    while (count > 0) {
        size_t cap = count < DIR_PIECE_BYTES ? (size_t)count : DIR_PIECE_BYTES;
        ssize_t n = pread(fd, j->piece, cap, (off_t)first);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dir_fail(o, "reading");
        if (n == 0)
            return dir_refuse(o, BLOB_CHANGED, CF_E_STATE, "the file became shorter");
        enum cf_rc rc = o->op.push(o->op.ctx, j->piece, (size_t)n, &o->result.err);
        if (rc != CF_OK) {
            o->result.why = BLOB_CALLER;
            return CF_FAIL(&o->result.err, rc, "%s", "the taker failed") == CF_OK;
        }
        first += (uint64_t)n;
        count -= (uint64_t)n;
    }
    return true;
}

bool dir_get(struct dir_job *j)
{
    struct dir_op *o = j->o;
    struct stat st;
    int fd = open_blob(j, "reading", &st);
    if (fd < 0)
        return false;
    uint64_t size = o->result.size, first = o->op.first;
    uint64_t count = o->op.count != 0 ? o->op.count : first < size ? size - first : 0;
    bool ok;
    if (o->op.etag != NULL && strcmp(o->op.etag, o->result.etag) != 0)
        ok = dir_refuse(o, BLOB_CHANGED, CF_E_STATE, "not the version that was asked for");
    else if (first > size || count > size - first || (first == size && first != 0))
        ok = dir_refuse(o, BLOB_RANGE, CF_E_REMOTE, "the range lies outside the blob");
    else
        ok = push_range(j, fd, first, count);
    close(fd);
    return ok;
}

static bool tell(struct dir_job *j, bool committed, const uint8_t *id, uint64_t size)
{
    struct blob_block_id b;
    memcpy(b.bytes, id, sizeof b.bytes);
    enum cf_rc rc = j->o->op.each_block(j->o->op.ctx, committed, &b, size, &j->o->result.err);
    if (rc == CF_OK)
        return true;
    j->o->result.why = BLOB_CALLER;
    return CF_FAIL(&j->o->result.err, rc, "%s", "the taker failed") == CF_OK;
}

static bool tell_committed(struct dir_job *j, int staging)
{
    uint8_t entry[DIR_COMMITTED_ENTRY];
    bool ok = true;
    int fd = openat(staging, DIR_COMMITTED_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return true; /* written by one put */
    while (ok && read(fd, entry, sizeof entry) == (ssize_t)sizeof entry) {
        struct cf_rd rd = cf_rd_of(entry, sizeof entry);
        uint64_t size = cf_rd_le64(&rd);
        ok = tell(j, true, entry + 8, size);
    }
    close(fd);
    return ok;
}

static bool tell_staged(struct dir_job *j, int staging)
{
    bool ok = true;
    int again = openat(staging, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    if (d == NULL) {
        if (again >= 0)
            close(again);
        return dir_fail(j->o, "listing blocks of");
    }
    for (struct dirent *entry = readdir(d); ok && entry != NULL; entry = readdir(d)) {
        uint8_t id[BLOB_BLOCK_ID_LEN];
        struct stat st;
        if (strncmp(entry->d_name, ".b-", 3) == 0 &&
            cf_unhex(entry->d_name + 3, id, sizeof id, NULL) == CF_OK &&
            fstatat(staging, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            ok = tell(j, false, id, (uint64_t)st.st_size);
    }
    closedir(d);
    return ok;
}

bool dir_list_blocks(struct dir_job *j)
{
    struct stat st;
    int blob = open_blob(j, "listing blocks of", &st);
    int staging = dir_open_staging(j->root, j->o->name, false);
    bool ok = blob >= 0;
    if (blob < 0 && j->o->result.why == BLOB_ABSENT && staging >= 0) {
        j->o->result = (struct blob_result){ .why = BLOB_OK };
        ok = true;
    }
    if (ok && staging >= 0 && blob >= 0)
        ok = tell_committed(j, staging);
    if (ok && staging >= 0)
        ok = tell_staged(j, staging);
    if (blob >= 0)
        close(blob);
    if (staging >= 0)
        close(staging);
    return ok;
}
