#include "support/scratch.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define FILE_MAX ((size_t)64 << 20)

static void must(bool ok)
{
    if (!ok)
        abort();
}

const char *scratch_path(const char *dir, const char *name)
{
    static _Thread_local char ring[4][PATH_MAX];
    static _Thread_local unsigned next;
    char *p = ring[next++ % 4];
    must(snprintf(p, PATH_MAX, "%s/%s", dir, name) < PATH_MAX);
    return p;
}

void scratch_make(char out[64])
{
    must(snprintf(out, 64, "/tmp/coffer-test-XXXXXX") < 64);
    must(mkdtemp(out));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    (void)remove(path);
    return 0;
}

void scratch_remove(const char *dir)
{
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

bool scratch_lacks(const char *dir, const void *bytes, size_t len)
{
    bool lacks = true;
    DIR *d = opendir(dir);
    must(d);
    for (struct dirent *f = readdir(d); f; f = readdir(d)) {
        struct cf_buf b = { 0 };
        if (f->d_type == DT_REG &&
            cf_file_read(scratch_path(dir, f->d_name), FILE_MAX, &b, NULL) == CF_OK && b.len &&
            memmem(b.data, b.len, bytes, len))
            lacks = false;
        cf_buf_clear(&b);
    }
    closedir(d);
    return lacks;
}

void scratch_copy(const char *from, const char *to)
{
    struct cf_buf b = { 0 };
    must(cf_file_read(from, FILE_MAX, &b, NULL) == CF_OK);
    must(cf_file_write(to, 0600, b.data, b.len, NULL) == CF_OK);
    cf_buf_clear(&b);
}
