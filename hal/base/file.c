#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

static enum cf_rc read_all(int fd, const char *path, size_t max, struct cf_buf *out,
                           struct cf_err *e)
{
    uint8_t piece[16384];
    size_t total = 0;
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot read %s", path);
        if (n <= 0)
            break;
        total += (size_t)n;
        if (total > max)
            rc = CF_FAIL(e, CF_E_LIMIT, "%s is longer than %zu bytes", path, max);
        else
            rc = cf_buf_put(out, piece, (size_t)n, e);
    }
    cf_wipe(piece, sizeof piece);
    return rc;
}

enum cf_rc cf_file_read(const char *path, size_t max, struct cf_buf *out, struct cf_err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return CF_FAIL_ERRNO(e, errno == ENOENT ? CF_E_ABSENT : CF_E_IO, "cannot open %s", path);
    enum cf_rc rc = read_all(fd, path, max, out, e);
    close(fd);
    return rc;
}

static enum cf_rc write_all(int fd, const char *path, const uint8_t *p, size_t len,
                            struct cf_err *e)
{
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return CF_FAIL_ERRNO(e, CF_E_IO, "cannot write %s", path);
        p += n;
        len -= (size_t)n;
    }
    if (fsync(fd) != 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot sync %s", path);
    return CF_OK;
}

enum cf_rc cf_file_sync_dir(const char *path, struct cf_err *e)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof dir)
        return CF_FAIL(e, CF_E_ARG, "path too long");
    memcpy(dir, path, len);
    dir[len] = 0;
    int fd = open(slash ? (len ? dir : "/") : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot open the directory of %s", path);
    enum cf_rc rc = fsync(fd) == 0 ? CF_OK : CF_FAIL_ERRNO(e, CF_E_IO, "cannot sync %s", path);
    close(fd);
    return rc;
}

enum cf_rc cf_file_write(const char *path, unsigned mode, const void *data, size_t len,
                         struct cf_err *e)
{
    char tmp[PATH_MAX];
    int n = snprintf(tmp, sizeof tmp, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof tmp)
        return CF_FAIL(e, CF_E_ARG, "path too long");
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot create a file beside %s", path);
    enum cf_rc rc = fchmod(fd, mode) == 0 ? CF_OK : CF_FAIL_ERRNO(e, CF_E_IO, "chmod %s", tmp);
    if (rc == CF_OK)
        rc = write_all(fd, path, data, len, e);
    close(fd);
    if (rc == CF_OK && rename(tmp, path) != 0)
        rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot rename onto %s", path);
    if (rc != CF_OK) {
        unlink(tmp);
        return rc;
    }
    return cf_file_sync_dir(path, e);
}
