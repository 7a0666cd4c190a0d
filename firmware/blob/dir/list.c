/* Names in byte order. The part of the tree that can hold the prefix is gathered, then sorted:
 * "a-b" comes before "a/b", so a walk in directory order would not do. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dir_priv.h"

#define NAMES_MAX 4000000u
#define DEPTH_MAX 64

struct entry {
    char *name;
    uint64_t size;
};

struct gathering {
    struct dir_job *j;
    struct entry *entries;
    size_t count, cap;
};

static bool add(struct gathering *g, const char *name, uint64_t size)
{
    if (g->count == g->cap) {
        size_t cap = g->cap == 0 ? 256 : 2 * g->cap;
        struct entry *grown = cap > NAMES_MAX ? NULL : reallocarray(g->entries, cap, sizeof *grown);
        if (grown == NULL)
            return dir_refuse(g->j->o, BLOB_FULL, CF_E_LIMIT, "too many names to list");
        g->entries = grown;
        g->cap = cap;
    }
    struct entry *next = &g->entries[g->count];
    *next = (struct entry){ strdup(name), size };
    if (next->name == NULL)
        return dir_refuse(g->j->o, BLOB_FULL, CF_E_LIMIT, "too many names to list");
    g->count++;
    return true;
}

/* Could names that begin with `path` begin with the prefix, or the other way round? */
static bool related(const struct gathering *g, const char *path, size_t len)
{
    const char *prefix = g->j->o->name;
    size_t plen = strlen(prefix);
    return strncmp(path, prefix, len < plen ? len : plen) == 0;
}

static bool gather(struct gathering *g, int dir, char *path, size_t len, unsigned depth);

static bool take_entry(struct gathering *g, int dir, char *path, size_t len, unsigned depth)
{
    struct stat st;
    const char *prefix = g->j->o->name;
    size_t plen = strlen(prefix), full = strlen(path);
    if (!related(g, path, full) || fstatat(dir, path + len, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return true;
    if (S_ISREG(st.st_mode))
        return full < plen || add(g, path, (uint64_t)st.st_size);
    if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX || full + 1 > BLOB_NAME_MAX)
        return true;
    char *leaf_end = path + full;
    int fd = openat(dir, path + len, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return true; /* gone meanwhile, or not ours to read */
    memcpy(leaf_end, "/", 2);
    if (g->j->o->op.grouped && full >= plen) {
        close(fd);
        return add(g, path, 0);
    }
    return gather(g, fd, path, full + 1, depth + 1);
}

/* Length of the one name here that the prefix leads through; 0: it leaves a choice. */
static size_t only_name(const struct gathering *g, size_t len)
{
    const char *rest = g->j->o->name + len;
    const char *slash = strchr(rest, '/');
    size_t n = slash && rest[0] != '.' ? (size_t)(slash - rest) : 0;
    return len + n <= BLOB_NAME_MAX ? n : 0;
}

/* Takes `dir`. */
static bool gather(struct gathering *g, int dir, char *path, size_t len, unsigned depth)
{
    bool ok = true;
    size_t only = len < strlen(g->j->o->name) ? only_name(g, len) : 0;
    if (only > 0) { /* of ten thousand backups, one */
        memcpy(path + len, g->j->o->name + len, only);
        path[len + only] = '\0';
        ok = take_entry(g, dir, path, len, depth);
        close(dir);
        return ok;
    }
    DIR *d = fdopendir(dir);
    if (d == NULL) {
        close(dir);
        return dir_fail(g->j->o, "listing");
    }
    for (struct dirent *e = readdir(d); ok && e != NULL; e = readdir(d)) {
        size_t n = strlen(e->d_name);
        if (e->d_name[0] == '.' || len + n > BLOB_NAME_MAX)
            continue;
        memcpy(path + len, e->d_name, n + 1);
        ok = take_entry(g, dirfd(d), path, len, depth);
    }
    closedir(d);
    return ok;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static bool tell(struct gathering *g)
{
    struct dir_op *o = g->j->o;
    for (size_t i = 0; i < g->count; i++) {
        enum cf_rc rc =
            o->op.each_name(o->op.ctx, g->entries[i].name, g->entries[i].size, &o->result.err);
        if (rc != CF_OK) {
            o->result.why = BLOB_CALLER;
            return CF_FAIL(&o->result.err, rc, "%s", "the taker failed") == CF_OK;
        }
    }
    return true;
}

bool dir_list(struct dir_job *j)
{
    struct gathering g = { .j = j };
    char path[BLOB_NAME_MAX + 2] = "";
    int top = openat(j->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = top >= 0 ? gather(&g, top, path, 0, 0) : dir_fail(j->o, "listing");
    if (ok && g.count > 1)
        qsort(g.entries, g.count, sizeof g.entries[0], by_name);
    if (ok)
        ok = tell(&g);
    for (size_t i = 0; i < g.count; i++)
        free(g.entries[i].name);
    free(g.entries);
    return ok;
}
