/* Blocks and whole blobs: written beside, synced, then given their name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "dir_priv.h"

bool dir_write_all(struct dir_op *o, int fd, const void *data, size_t len)
{
    const uint8_t *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dir_fail(o, "writing");
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_pulled(struct dir_job *j, int fd)
{
    struct dir_op *o = j->o;
    for (uint64_t done = 0; done < o->op.body.len;) {
        uint64_t left = o->op.body.len - done;
        size_t cap = left < DIR_PIECE_BYTES ? (size_t)left : DIR_PIECE_BYTES, len = 0;
        enum cf_rc rc = o->op.body.pull(o->op.body.pull_ctx, j->piece, cap, &len, &o->result.err);
        if (rc == CF_OK && (len == 0 || len > cap))
            rc = CF_FAIL(&o->result.err, CF_E_ARG, "a pull gave %zu bytes of %zu", len, cap);
        if (rc != CF_OK) {
            o->result.why = BLOB_CALLER;
            return CF_FAIL(&o->result.err, rc, "%s", "the source failed") == CF_OK;
        }
        if (!dir_write_all(o, fd, j->piece, len))
            return false;
        done += len;
    }
    return true;
}

/* Writes the body into a new file of a name that nobody else takes, and syncs it. */
static bool write_temporary(struct dir_job *j, int dir, char name[20])
{
    uint8_t chance[8];
    if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance)
        return dir_fail(j->o, "writing");
    name[0] = '.';
    name[1] = 't';
    name[2] = '-';
    cf_hex(chance, sizeof chance, name + 3);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return dir_fail(j->o, "writing");
    bool ok = j->o->op.body.pull != NULL
                  ? write_pulled(j, fd)
                  : dir_write_all(j->o, fd, j->o->op.body.data, (size_t)j->o->op.body.len);
    if (ok && fdatasync(fd) != 0)
        ok = dir_fail(j->o, "writing");
    if (close(fd) != 0 && ok)
        ok = dir_fail(j->o, "writing");
    if (!ok)
        unlinkat(dir, name, 0);
    return ok;
}

bool dir_absent(struct dir_job *j)
{
    char leaf[BLOB_SEGMENT_MAX + 1];
    struct stat st;
    int parent = dir_open_parent(j->root, j->o->name, false, leaf);
    if (parent < 0)
        return errno == ENOENT ? true : dir_fail(j->o, "writing");
    bool there = fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0;
    close(parent);
    return there ? dir_refuse(j->o, BLOB_EXISTS, CF_E_STATE, "a blob of that name exists") : true;
}

/* Syncs the directories from the root to `name`, so that a name in the last one lasts. */
static bool sync_parents(struct dir_job *j)
{
    char leaf[BLOB_SEGMENT_MAX + 1], path[BLOB_NAME_MAX + 1];
    bool ok = fsync(j->root) == 0;
    const char *name = j->o->name;
    for (size_t i = 0; ok && name[i] != '\0'; i++) {
        if (name[i] != '/')
            continue;
        snprintf(path, sizeof path, "%.*s/x", (int)i, name);
        int fd = dir_open_parent(j->root, path, false, leaf);
        ok = fd >= 0 && fsync(fd) == 0;
        if (fd >= 0)
            close(fd);
    }
    return ok ? true : dir_fail(j->o, "syncing");
}

bool dir_publish(struct dir_job *j, int from_dir, const char *from)
{
    char leaf[BLOB_SEGMENT_MAX + 1];
    int parent = dir_open_parent(j->root, j->o->name, true, leaf);
    if (parent < 0)
        return dir_fail(j->o, "writing");
    bool ok = dir_rename_new(from_dir, from, parent, leaf) == 0;
    if (!ok)
        dir_fail(j->o, "writing");
    close(parent);
    return ok && sync_parents(j);
}

bool dir_put(struct dir_job *j)
{
    char temporary[20];
    if (!dir_absent(j))
        return false;
    int staging = dir_open_staging(j->root, j->o->name, true);
    if (staging < 0)
        return dir_fail(j->o, "writing");
    bool ok = write_temporary(j, staging, temporary);
    if (ok && !dir_publish(j, staging, temporary)) {
        unlinkat(staging, temporary, 0);
        ok = false;
    }
    close(staging);
    if (ok)
        dir_drop_staging(j->root, j->o->name); /* blocks that were never committed */
    return ok;
}

bool dir_put_block(struct dir_job *j)
{
    char temporary[20], file[2 * BLOB_BLOCK_ID_LEN + 4];
    int staging = dir_open_staging(j->root, j->o->name, true);
    if (staging < 0)
        return dir_fail(j->o, "writing a block of");
    dir_block_file(j->o->ids.data, file);
    bool ok = write_temporary(j, staging, temporary);
    /* the same id again replaces the block, as long as nothing is committed */
    if (ok && renameat(staging, temporary, staging, file) != 0) {
        ok = dir_fail(j->o, "writing a block of");
        unlinkat(staging, temporary, 0);
    }
    close(staging);
    return ok;
}
