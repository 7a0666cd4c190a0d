/* Blocks become a blob. The first block's file grows by the others, each of which goes once it is
 * in, so a blob needs room for itself and one block. A cut in between loses blocks that were not
 * committed, which a writer must expect anyway; the blob itself appears whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dir_priv.h"

static bool sizes_of(struct dir_job *j, int staging, struct cf_buf *entries)
{
    const struct dir_op *o = j->o;
    char file[2 * BLOB_BLOCK_ID_LEN + 4];
    for (size_t at = 0; at < o->ids.len; at += BLOB_BLOCK_ID_LEN) {
        struct stat st;
        uint8_t size[8];
        dir_block_file(o->ids.data + at, file);
        if (fstatat(staging, file, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            return dir_refuse(j->o, BLOB_BLOCK_LOST, CF_E_STATE,
                              "a block of the list is not there any more");
        cf_le64(size, (uint64_t)st.st_size);
        if (cf_buf_put(entries, size, sizeof size, &j->o->result.err) != CF_OK ||
            cf_buf_put(entries, o->ids.data + at, BLOB_BLOCK_ID_LEN, &j->o->result.err) != CF_OK) {
            j->o->result.why = BLOB_FULL;
            return false;
        }
    }
    return true;
}

/* Bytes by read and write, where the file system cannot copy by itself. */
static bool copy_plain(struct dir_job *j, int from, int to)
{
    for (;;) {
        ssize_t n = read(from, j->piece, DIR_PIECE_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dir_fail(j->o, "committing");
        if (n == 0)
            return true;
        if (!dir_write_all(j->o, to, j->piece, (size_t)n))
            return false;
    }
}

static bool append(struct dir_job *j, int from, int to)
{
    const size_t at_once = 64u << 20;
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, at_once, 0);
        if (n == 0)
            return true;
        if (n < 0 && errno != EINTR) {
            bool full = errno == ENOSPC || errno == EDQUOT || errno == EIO;
            return full ? dir_fail(j->o, "committing") : copy_plain(j, from, to);
        }
    }
}

static bool append_blocks(struct dir_job *j, int staging, int to)
{
    const struct dir_op *o = j->o;
    bool ok = lseek(to, 0, SEEK_END) >= 0;
    for (size_t at = BLOB_BLOCK_ID_LEN; ok && at < o->ids.len; at += BLOB_BLOCK_ID_LEN) {
        char file[2 * BLOB_BLOCK_ID_LEN + 4];
        dir_block_file(o->ids.data + at, file);
        int from = openat(staging, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (from < 0)
            return dir_refuse(j->o, BLOB_BLOCK_LOST, CF_E_STATE, "a block is listed twice");
        ok = append(j, from, to);
        close(from);
        if (ok)
            unlinkat(staging, file, 0);
    }
    return ok;
}

static bool write_entries(struct dir_job *j, int staging, const struct cf_buf *entries)
{
    int fd = openat(staging, DIR_COMMITTED_FILE,
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return dir_fail(j->o, "committing");
    bool ok = dir_write_all(j->o, fd, entries->data, entries->len);
    if (ok && fdatasync(fd) != 0)
        ok = dir_fail(j->o, "committing");
    close(fd);
    return ok;
}

static bool assemble(struct dir_job *j, int staging)
{
    char first[2 * BLOB_BLOCK_ID_LEN + 4];
    struct cf_buf entries = { 0 };
    int to = -1;
    dir_block_file(j->o->ids.data, first);
    bool ok = sizes_of(j, staging, &entries) && write_entries(j, staging, &entries);
    if (ok) {
        to = openat(staging, first, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
        ok = to >= 0 ? append_blocks(j, staging, to) : dir_fail(j->o, "committing");
    }
    if (ok && fsync(to) != 0)
        ok = dir_fail(j->o, "committing");
    if (to >= 0)
        close(to);
    if (!ok && to >= 0)
        unlinkat(staging, first, 0); /* it is no block any more */
    cf_buf_clear(&entries);
    return ok && dir_publish(j, staging, first);
}

bool dir_commit(struct dir_job *j)
{
    if (!dir_absent(j))
        return false;
    int staging = dir_open_staging(j->root, j->o->name, false);
    if (staging < 0)
        return dir_refuse(j->o, BLOB_BLOCK_LOST, CF_E_STATE, "no block is there");
    bool ok = assemble(j, staging);
    close(staging);
    if (ok)
        dir_drop_staging(j->root, j->o->name);
    return ok;
}
