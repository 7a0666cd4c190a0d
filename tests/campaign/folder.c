#include "damages.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "hal_linux/hal_linux.h"

#define BLOB_BYTES_MAX ((size_t)16 << 20)

void folder_clear(struct folder *f)
{
    for (size_t i = 0; i < f->count; i++)
        cf_buf_clear(&f->blob[i].data);
    *f = (struct folder){ .count = 0 };
}

static struct cf_buf *add(struct folder *f, const char *name)
{
    if (f->count == BLOBS_MAX || strlen(name) >= sizeof f->blob[0].name)
        abort();
    struct blob *b = &f->blob[f->count++];
    memcpy(b->name, name, strlen(name) + 1);
    return &b->data;
}

void folder_copy(struct folder *to, const struct folder *from)
{
    struct cf_err e = { 0 };
    *to = (struct folder){ .count = 0 };
    memcpy(to->name, from->name, sizeof to->name);
    for (size_t i = 0; i < from->count; i++)
        must(cf_buf_put(add(to, from->blob[i].name), from->blob[i].data.data,
                        from->blob[i].data.len, &e),
             &e);
}

static bool is_read(const char *name)
{
    return strcmp(name, "probe") != 0 && strcmp(name, "manifest.copy") != 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct blob *)a)->name, ((const struct blob *)b)->name);
}

void folder_load(struct folder *f, const char *dir, const char *name)
{
    struct cf_err e = { 0 };
    char path[2048];
    DIR *d = opendir(dir);
    if (!d)
        abort();
    *f = (struct folder){ .count = 0 };
    snprintf(f->name, sizeof f->name, "%s", name);
    for (struct dirent *one = readdir(d); one; one = readdir(d)) {
        if (one->d_name[0] == '.' || !is_read(one->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, one->d_name);
        must(cf_file_read(path, BLOB_BYTES_MAX, add(f, one->d_name), &e), &e);
    }
    closedir(d);
    qsort(f->blob, f->count, sizeof f->blob[0], by_name); /* so that a seed repeats a run */
}

static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
}

void folder_store(const struct folder *f, const char *dir)
{
    char path[2048];
    for (size_t i = 0; i < f->count; i++) {
        const struct cf_buf *b = &f->blob[i].data;
        snprintf(path, sizeof path, "%s/%s", dir, f->blob[i].name);
        make_parents(path);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, b->data, b->len) != (ssize_t)b->len)
            abort();
        close(fd);
    }
}

struct fetching {
    struct folder *f;
    char names[BLOBS_MAX][BLOB_NAME_MAX + 1];
    size_t count;
};

static enum cf_rc take_name(void *ctx, const char *name, uint64_t size, struct cf_err *e)
{
    struct fetching *x = ctx;
    (void)size;
    (void)e;
    const char *short_name = name + strlen(x->f->name) + 1;
    if (is_read(short_name) && x->count < BLOBS_MAX)
        snprintf(x->names[x->count++], sizeof x->names[0], "%s", name);
    return CF_OK;
}

static void fetch(struct blob_lane *lane, struct folder *f)
{
    struct fetching *x = calloc(1, sizeof *x);
    struct blob_wait wait = { 0 };
    struct cf_err e = { 0 };
    char prefix[JOBS_FOLDER_SIZE + 1];
    if (!x)
        abort();
    x->f = f;
    snprintf(prefix, sizeof prefix, "%s/", f->name);
    const struct blob_listing what = { .prefix = prefix };
    must(blob_list(lane, &what, take_name, x, blob_wait_end(&wait), &e), &e);
    must(blob_wait(lane, &wait, &e), &e);
    for (size_t i = 0; i < x->count; i++)
        must(blob_read(lane, x->names[i], BLOB_BYTES_MAX, add(f, x->names[i] + strlen(prefix)),
                       NULL, &e),
             &e);
    free(x);
}

void folder_make_whole(struct world *w, const struct test_blobserver *s, struct folder *f)
{
    struct run_request q = run_bench_request(&w->b, NULL, NULL);
    const struct blob_options o = { .allow_http = true };
    struct jobs_record r;
    struct blob_store *store = NULL;
    struct blob_lane *lane = NULL;
    struct cf_err e = { 0 };
    char sas[512];
    test_blobserver_sas("rcwl", "60", NULL, sas);
    q.place = (struct blob_place){ .uri = s->url, .token = sas };
    must(run_backup_start(w->b.run, &q, &r, &e), &e);
    run_wait(w->b.run);
    must(jobs_get(w->b.jobs, r.id, &r, &e), &e);
    if (r.state != JOBS_SUCCEEDED) {
        fprintf(stderr, "damages: %s\n", r.error);
        abort();
    }
    *f = (struct folder){ .count = 0 };
    memcpy(f->name, r.folder, sizeof f->name);
    must(blob_store_open(&q.place, BLOB_TO_READ, &o, hal_linux_clock(), &store, &e), &e);
    must(blob_lane_new(store, &lane, &e), &e);
    fetch(lane, f);
    blob_lane_free(lane);
    blob_store_free(store);
}

bool folder_same(const struct folder *a, const struct folder *b)
{
    bool same = strcmp(a->name, b->name) == 0 && a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        bool found = false;
        for (size_t k = 0; k < b->count; k++)
            found |= strcmp(a->blob[i].name, b->blob[k].name) == 0 &&
                     a->blob[i].data.len == b->blob[k].data.len &&
                     memcmp(a->blob[i].data.data, b->blob[k].data.data, a->blob[i].data.len) == 0;
        same = found;
    }
    return same;
}
