#include "hal_linux/hal_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_UNIT 4096u
#define FILL_PIECE ((size_t)256 << 10)

struct file_partition {
    struct hal_partition base;
    int fd;
    bool device;
};

static struct file_partition *of(struct hal_partition *p)
{
    return (struct file_partition *)p;
}

/* A hole reads as zeros without being read: reading it would fill the page cache with them. False
 * where the file system does not tell. (The file's position, which this moves, serves nobody.) */
static bool in_hole(const struct file_partition *f, uint64_t off, size_t len)
{
    struct stat st;
    if (f->device || len < WRITE_UNIT)
        return false;
    off_t data = lseek(f->fd, (off_t)off, SEEK_DATA);
    if (data >= 0)
        return (uint64_t)data >= off + len;
    /* no data from here to the end, wherever that is by now */
    return errno == ENXIO && fstat(f->fd, &st) == 0 && (uint64_t)st.st_size >= off + len;
}

static enum cf_rc file_read(struct hal_partition *p, uint64_t off, void *dst, size_t len,
                            struct cf_err *e)
{
    uint8_t *at = dst;
    if (in_hole(of(p), off, len)) {
        memset(dst, 0, len);
        return CF_OK;
    }
    while (len) {
        ssize_t n = pread(of(p)->fd, at, len, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return CF_FAIL_ERRNO(e, CF_E_IO, "partition read at %llu", (unsigned long long)off);
        if (n == 0)
            return CF_FAIL(e, CF_E_IO, "the partition's file became shorter while in use");
        at += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return CF_OK;
}

static enum cf_rc file_write(struct hal_partition *p, uint64_t off, const void *src, size_t len,
                             struct cf_err *e)
{
    const uint8_t *at = src;
    while (len) {
        ssize_t n = pwrite(of(p)->fd, at, len, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return CF_FAIL_ERRNO(e, CF_E_IO, "partition write at %llu", (unsigned long long)off);
        at += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return CF_OK;
}

static enum cf_rc file_fill(struct hal_partition *p, uint64_t off, uint64_t len, uint8_t value,
                            struct cf_err *e)
{
    /* A hole reads as zeros and costs nothing, where the file system has holes. */
    if (value == 0 && !of(p)->device &&
        fallocate(of(p)->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len) ==
            0)
        return CF_OK;
    uint8_t *piece = malloc(FILL_PIECE);
    if (!piece)
        return CF_FAIL(e, CF_E_LIMIT, "no memory to fill a partition");
    memset(piece, value, FILL_PIECE);
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && len) {
        size_t n = len < FILL_PIECE ? (size_t)len : FILL_PIECE;
        rc = file_write(p, off, piece, n, e);
        off += n;
        len -= n;
    }
    free(piece);
    return rc;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    return h * 0xff51afd7ed558ccdu;
}

static enum cf_rc file_changes(struct hal_partition *p, uint64_t *out, struct cf_err *e)
{
    struct stat st;
    if (fstat(of(p)->fd, &st) != 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "partition stat");
    uint64_t h = mix(1, (uint64_t)st.st_ino);
    h = mix(h, (uint64_t)st.st_size);
    h = mix(h, (uint64_t)st.st_mtim.tv_sec);
    *out = mix(h, (uint64_t)st.st_mtim.tv_nsec);
    return CF_OK;
}

static enum cf_rc file_sync(struct hal_partition *p, struct cf_err *e)
{
    return fsync(of(p)->fd) == 0 ? CF_OK : CF_FAIL_ERRNO(e, CF_E_IO, "partition sync");
}

static void file_close(struct hal_partition *p)
{
    close(of(p)->fd);
    free(p);
}

static const struct hal_partition_ops file_ops = {
    .read = file_read,
    .write = file_write,
    .fill = file_fill,
    .changes = file_changes,
    .sync = file_sync,
    .close = file_close,
};

static enum cf_rc find_size(struct file_partition *f, struct cf_err *e)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "partition stat");
    f->device = S_ISBLK(st.st_mode);
    if (!f->device && !S_ISREG(st.st_mode))
        return CF_FAIL(e, CF_E_INPUT, "a partition must be a file or a block device");
    f->base.size = (uint64_t)st.st_size;
    if (f->device && ioctl(f->fd, BLKGETSIZE64, &f->base.size) != 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "size of the block device");
    return CF_OK;
}

enum cf_rc hal_linux_partition_open(const char *path, bool writable, struct hal_partition **out,
                                    struct cf_err *e)
{
    *out = NULL;
    struct file_partition *f = calloc(1, sizeof *f);
    if (!f)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a partition");
    f->base.ops = &file_ops;
    f->base.write_unit = WRITE_UNIT;
    f->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY);
    if (f->fd < 0) {
        enum cf_rc rc = CF_FAIL_ERRNO(e, errno == ENOENT ? CF_E_ABSENT : CF_E_IO,
                                      "cannot open the partition %s", path);
        free(f);
        return rc;
    }
    enum cf_rc rc = find_size(f, e);
    if (rc == CF_OK && writable && flock(f->fd, LOCK_EX | LOCK_NB) != 0)
        rc = CF_FAIL_ERRNO(e, CF_E_STATE, "the partition %s has a writer already", path);
    if (rc != CF_OK) {
        file_close(&f->base);
        return rc;
    }
    *out = &f->base;
    return CF_OK;
}
