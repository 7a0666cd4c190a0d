/*
 * PATH.slot holds "SLOT INODE\n": which slot PATH is, and PATH's inode when that was written. Names
 * are traded with one renameat2(RENAME_EXCHANGE); a power cut between the trade and the note shows
 * as the noted inode lying under PATH.next, so the note is then known to be one trade behind.
 */
#include "hal_linux/hal_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

struct note {
    unsigned slot;
    uint64_t inode;
};

struct pair_paths {
    char next[PATH_MAX];
    char note[PATH_MAX];
};

static enum cf_rc paths_of(const char *path, struct pair_paths *p, struct cf_err *e)
{
    int a = snprintf(p->next, sizeof p->next, "%s.next", path);
    int b = snprintf(p->note, sizeof p->note, "%s.slot", path);
    if (a < 0 || b < 0 || (size_t)a >= sizeof p->next || (size_t)b >= sizeof p->note)
        return CF_FAIL(e, CF_E_INPUT, "path of the partition is too long");
    return CF_OK;
}

static enum cf_rc inode_of(const char *path, uint64_t *out, struct cf_err *e)
{
    struct stat st;
    *out = 0;
    if (stat(path, &st) == 0)
        *out = (uint64_t)st.st_ino;
    else if (errno != ENOENT)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot stat %s", path);
    return CF_OK;
}

static enum cf_rc note_read(const char *file, struct note *n, struct cf_err *e)
{
    struct cf_buf text = { 0 };
    const char *s = NULL;
    *n = (struct note){ 0 };
    enum cf_rc rc = cf_file_read(file, 64, &text, NULL);
    if (rc == CF_E_ABSENT)
        return CF_OK; /* never traded: PATH is slot 0 */
    if (rc != CF_OK)
        return CF_FAIL(e, rc, "cannot read %s", file);
    rc = cf_buf_text(&text, &s, e);
    if (rc == CF_OK) {
        char *nl = strchr((char *)text.data, '\n');
        if (nl)
            *nl = 0;
        bool shaped = (s[0] == '0' || s[0] == '1') && s[1] == ' ';
        n->slot = s[0] == '1';
        rc = shaped ? cf_parse_u64(s + 2, UINT64_MAX, &n->inode, e)
                    : CF_FAIL(e, CF_E_CORRUPT, "%s does not read as a slot note", file);
    }
    cf_buf_clear(&text);
    return rc;
}

static enum cf_rc note_write(const char *file, unsigned slot, const char *path, struct cf_err *e)
{
    char text[64];
    uint64_t inode = 0;
    enum cf_rc rc = inode_of(path, &inode, e);
    if (rc != CF_OK)
        return rc;
    int n = snprintf(text, sizeof text, "%u %llu\n", slot, (unsigned long long)inode);
    return cf_file_write(file, 0600, text, (size_t)n, e);
}

enum cf_rc hal_linux_pair_open_twin(const char *path, struct hal_partition **out, struct cf_err *e)
{
    struct pair_paths p;
    struct stat st;
    *out = NULL;
    enum cf_rc rc = paths_of(path, &p, e);
    if (rc != CF_OK)
        return rc;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return CF_FAIL(e, CF_E_ABSENT, "%s is not there, so its twin has no size", path);
    int fd = open(p.next, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return CF_FAIL_ERRNO(e, CF_E_IO, "cannot create the twin %s", p.next);
    struct stat twin; /* a twin of the right size keeps its time: nobody has written to it */
    if ((fstat(fd, &twin) != 0 || twin.st_size != st.st_size) && ftruncate(fd, st.st_size) != 0)
        rc = CF_FAIL_ERRNO(e, CF_E_IO, "cannot size the twin %s", p.next);
    close(fd);
    if (rc == CF_OK) /* a trade that is on the medium must find it there */
        rc = cf_file_sync_dir(p.next, e);
    return rc == CF_OK ? hal_linux_partition_open(p.next, true, out, e) : rc;
}

enum cf_rc hal_linux_pair_settle(const char *path, unsigned live_slot, struct cf_err *e)
{
    struct pair_paths p;
    struct note n;
    uint64_t inode = 0, next_inode = 0;
    enum cf_rc rc = paths_of(path, &p, e);
    if (rc == CF_OK)
        rc = note_read(p.note, &n, e);
    if (rc == CF_OK)
        rc = inode_of(p.next, &next_inode, e);
    if (rc == CF_OK)
        rc = inode_of(path, &inode, e);
    if (rc != CF_OK)
        return rc;
    bool traded_since = n.inode != 0 && n.inode == next_inode;
    unsigned slot = traded_since ? !n.slot : n.slot;
    if (slot != live_slot) {
        if (n.inode !=
            inode) /* no note yet, or the file was replaced since: the cut would not show */
            rc = note_write(p.note, slot, path, e);
        if (rc != CF_OK)
            return rc;
        if (renameat2(AT_FDCWD, p.next, AT_FDCWD, path, RENAME_EXCHANGE) != 0)
            return CF_FAIL_ERRNO(e, CF_E_IO, "cannot trade %s and its twin", path);
        rc = cf_file_sync_dir(path, e);
    } else if (n.inode != 0 && n.inode == inode) {
        return CF_OK; /* else a copy of the files: the next trade must find the right note */
    }
    return rc == CF_OK ? note_write(p.note, live_slot, path, e) : rc;
}
