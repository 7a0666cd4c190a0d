/* Paths below the root, one step at a time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "dir_priv.h"

#define STEP_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int step(int at, const char *name, bool create)
{
    int fd = openat(at, name, STEP_FLAGS);
    if (fd >= 0 || errno != ENOENT || !create)
        return fd;
    if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(at, name, STEP_FLAGS);
}

/* Walks `len` characters of path; returns a descriptor of its own in every case. */
static int walk(int base, const char *path, size_t len, bool create)
{
    int at = fcntl(base, F_DUPFD_CLOEXEC, 0);
    while (at >= 0 && len > 0) {
        char part[BLOB_SEGMENT_MAX + 1];
        const char *slash = memchr(path, '/', len);
        size_t n = slash == NULL ? len : (size_t)(slash - path);
        if (n > BLOB_SEGMENT_MAX) {
            close(at);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(part, path, n);
        part[n] = '\0';
        int next = step(at, part, create), saved = errno;
        close(at);
        errno = saved;
        at = next;
        path += n + (slash != NULL ? 1 : 0);
        len -= n + (slash != NULL ? 1 : 0);
    }
    return at;
}

int dir_open_parent(int base, const char *name, bool create, char leaf[BLOB_SEGMENT_MAX + 1])
{
    const char *slash = strrchr(name, '/');
    const char *last = slash == NULL ? name : slash + 1;
    size_t len = strlen(last);
    memcpy(leaf, last, len + 1); /* blob_check_name limits it */
    return walk(base, name, slash == NULL ? 0 : (size_t)(slash - name), create);
}

int dir_open_staging(int root, const char *name, bool create)
{
    int top = step(root, DIR_STAGING, create);
    if (top < 0)
        return -1;
    int fd = walk(top, name, strlen(name), create), saved = errno;
    close(top);
    errno = saved;
    return fd;
}

static void drop_files(int fd)
{
    DIR *d = fdopendir(fd); /* takes fd */
    if (d == NULL) {
        close(fd);
        return;
    }
    for (struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d))
        if (strncmp(entry->d_name, ".b-", 3) == 0 || strncmp(entry->d_name, ".t-", 3) == 0)
            unlinkat(dirfd(d), entry->d_name, 0);
    closedir(d);
}

void dir_drop_staging(int root, const char *name)
{
    int fd = dir_open_staging(root, name, false);
    if (fd >= 0)
        drop_files(fd);
}

int dir_rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
    if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* this file system knows no such rename: a second name refuses to replace too */
    if (linkat(from_dir, from, to_dir, to, 0) != 0)
        return -1;
    return unlinkat(from_dir, from, 0);
}

void dir_block_file(const uint8_t *id, char out[2 * BLOB_BLOCK_ID_LEN + 4])
{
    memcpy(out, ".b-", 3);
    cf_hex(id, BLOB_BLOCK_ID_LEN, out + 3);
}

struct meaning {
    int number;
    enum blob_why why;
    enum cf_rc rc;
    const char *text;
};

static const struct meaning *meaning_of(int number)
{
    static const struct meaning table[] = {
        { ENOENT, BLOB_ABSENT, CF_E_ABSENT, "no such blob" },
        { EEXIST, BLOB_EXISTS, CF_E_STATE, "a blob of that name exists" },
        { ENOSPC, BLOB_FULL, CF_E_LIMIT, "no space is left; free some, or take another medium" },
        { EDQUOT, BLOB_FULL, CF_E_LIMIT, "the quota is used up" },
        { EFBIG, BLOB_FULL, CF_E_LIMIT, "too large for this file system" },
        { EACCES, BLOB_PERMISSION, CF_E_DENIED, "the directory does not allow it" },
        { EPERM, BLOB_PERMISSION, CF_E_DENIED, "the directory does not allow it" },
        { EROFS, BLOB_PERMISSION, CF_E_DENIED, "the medium is read-only" },
        { ELOOP, BLOB_REFUSED, CF_E_DENIED, "a symbolic link is in the way" },
        { ENOTDIR, BLOB_REFUSED, CF_E_DENIED, "a file or a symbolic link is in the way" },
        { EISDIR, BLOB_REFUSED, CF_E_STATE, "a directory is in the way" },
        { EIO, BLOB_TRANSIENT, CF_E_IO, "the medium fails" },
    };
    static const struct meaning other = { 0, BLOB_REFUSED, CF_E_IO, "the file system refuses" };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].number == number)
            return &table[i];
    return &other;
}

bool dir_fail(struct dir_op *o, const char *doing)
{
    const struct meaning *m = meaning_of(errno);
    o->result.why = m->why;
    enum cf_rc rc =
        cf_err_set_errno(&o->result.err, m->rc, CF_HERE, "%s %.80s: %s", doing, o->name, m->text);
    if (m->why == BLOB_PERMISSION || m->why == BLOB_FULL)
        cf_err_code(&o->result.err, rc, "BadRequest");
    return false;
}

bool dir_refuse(struct dir_op *o, enum blob_why why, enum cf_rc rc, const char *text)
{
    o->result.why = why;
    rc = CF_FAIL(&o->result.err, rc, "%.80s: %s", o->name, text);
    return rc == CF_OK;
}
