/* A blob goes: its name first, made to last, then what is remembered of its blocks, then
 * directories that have become empty. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dir_priv.h"

/* From the one that held the blob upwards; the first that is not empty ends it. */
static void drop_empty_parents(int base, const char *name)
{
    char path[BLOB_NAME_MAX + 1], leaf[BLOB_SEGMENT_MAX + 1];
    snprintf(path, sizeof path, "%s", name);
    for (char *slash = strrchr(path, '/'); slash != NULL; slash = strrchr(path, '/')) {
        *slash = '\0';
        int parent = dir_open_parent(base, path, false, leaf);
        bool gone = parent >= 0 && unlinkat(parent, leaf, AT_REMOVEDIR) == 0;
        if (parent >= 0)
            close(parent);
        if (!gone)
            return;
    }
}

static void forget_blocks(int root, const char *name)
{
    char inside[BLOB_NAME_MAX + 3];
    dir_drop_staging(root, name);
    int staging = dir_open_staging(root, name, false);
    if (staging < 0)
        return;
    (void)unlinkat(staging, DIR_COMMITTED_FILE, 0);
    close(staging);
    int top = openat(root, DIR_STAGING, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0)
        return;
    snprintf(inside, sizeof inside, "%s/x", name);
    drop_empty_parents(top, inside);
    close(top);
}

/* Without a name there may still be blocks that were never committed: they go too. */
bool dir_erase(struct dir_job *j)
{
    char leaf[BLOB_SEGMENT_MAX + 1];
    struct stat st;
    const char *name = j->o->name;
    int parent = dir_open_parent(j->root, name, false, leaf);
    bool ok = parent >= 0 && fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (ok && !S_ISREG(st.st_mode)) {
        close(parent);
        return dir_refuse(j->o, BLOB_REFUSED, CF_E_DENIED, "this is no blob");
    }
    ok = ok && unlinkat(parent, leaf, 0) == 0 && fsync(parent) == 0;
    if (!ok)
        dir_fail(j->o, "deleting");
    if (parent >= 0)
        close(parent);
    if (ok || j->o->result.why == BLOB_ABSENT) {
        forget_blocks(j->root, name);
        drop_empty_parents(j->root, name);
    }
    return ok;
}
