#include "live_priv.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"

/* --- files
 * ----------------------------------------------------------------------------------------- */

/* Path of keys-<n>.db; the caller frees. NULL without memory. */
/* Path of keys-<n>.db; the caller frees. NULL without memory. */
static char *path_of(const struct store_live *l, uint64_t number)
{
    char *path = NULL;
    return asprintf(&path, "%s/keys-%" PRIu64 ".db", l->dir, number) < 0 ? NULL : path;
}

void live_remove(const struct store_live *l, uint64_t number)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/keys-%" PRIu64 ".db%s", l->dir, number, ends[i]) < 0)
            continue;
        if (unlink(path) != 0 && errno != ENOENT)
            cf_log(CF_LOG_WARN, "store", "stale-file-stays", "errno=%d", errno);
        free(path);
    }
}

/* The number in "keys-<number>.db" and what SQLite lays beside it; 0, which no file has, in other
 * names. */
static uint64_t number_in(const char *name)
{
    char *end = NULL;
    if (strncmp(name, "keys-", 5) != 0 || !isdigit((unsigned char)name[5]))
        return 0;
    errno = 0;
    uint64_t n = strtoull(name + 5, &end, 10);
    return errno == 0 && strncmp(end, ".db", 3) == 0 ? n : 0;
}

/* Removes what neither the live nor the former store is. */
static void sweep(const struct store_live *l)
{
    DIR *d = opendir(l->dir);
    if (!d)
        return;
    for (const struct dirent *f = readdir(d); f; f = readdir(d)) {
        uint64_t n = number_in(f->d_name);
        if (n && n != l->locked.sel.number && n != l->locked.sel.former)
            live_remove(l, n);
        if (strncmp(f->d_name, "selector.", 9) == 0) /* written, not renamed */
            unlinkat(dirfd(d), f->d_name, 0);
    }
    closedir(d);
}

static enum cf_rc open_with(const struct store_live *l, const struct live_file *f, const char *path,
                            const struct store_keys *keys, struct store **out, struct cf_err *e)
{
    struct store_options o = { .path = path,
                               .page_key = keys->page,
                               .row_key = keys->row,
                               .anchor = l->anchor,
                               .readers = l->readers,
                               .log_max = l->log_max,
                               .last = STORE_SETTING };
    if (f->fresh)
        return store_create(&o, out, e);
    return f->anchored ? store_open(&o, out, e) : store_open_former(&o, out, e);
}

enum cf_rc live_open_file(struct store_live *l, const struct live_file *f, struct store **out,
                          struct cf_err *e)
{
    char *path = path_of(l, f->number);
    struct cf_err first = { 0 };
    enum cf_rc rc = path ? CF_E_AUTH : CF_FAIL(e, CF_E_LIMIT, "no memory for a path");
    /* A store of the generation before is met while a rekey has not flipped. */
    for (unsigned attempt = 0; path && rc == CF_E_AUTH; attempt++) {
        struct store_keys keys = { 0 };
        struct cf_err now = { 0 };
        rc = l->derive(l->derive_arg, f->epoch, attempt, &keys, &now);
        bool none_left = rc == CF_E_ABSENT && attempt;
        if (rc == CF_OK)
            rc = open_with(l, f, path, &keys, out, &now);
        cf_secret_free(keys.page);
        cf_secret_free(keys.row);
        if (rc != CF_OK && first.rc == CF_OK)
            first = now;
        if (none_left) {
            rc = first.rc;
            break;
        }
    }
    if (rc != CF_OK && first.rc != CF_OK) {
        rc = cf_err_set(e, first.rc, first.src, first.native, first.where, "%s", first.text);
    }
    free(path);
    return rc;
}

/* --- life
 * ------------------------------------------------------------------------------------------ */

static void live_free(struct store_live *l)
{
    if (!l)
        return;
    store_close(l->locked.store);
    pthread_cond_destroy(&l->drained);
    pthread_mutex_destroy(&l->lock);
    free(l->dir);
    free(l);
}

static enum cf_rc live_new(const struct store_live_options *o, struct store_live **out,
                           struct cf_err *e)
{
    if (!o->dir || !o->derive)
        return CF_FAIL(e, CF_E_ARG, "live store options incomplete");
    struct store_live *l = calloc(1, sizeof *l);
    if (!l)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the live store");
    l->derive = o->derive;
    l->derive_arg = o->derive_arg;
    l->anchor = o->anchor;
    l->readers = o->readers;
    l->log_max = o->log_max;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->drained, NULL);
    l->dir = strdup(o->dir);
    if (!l->dir) {
        live_free(l);
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a path");
    }
    *out = l;
    return CF_OK;
}

static enum cf_rc new_epoch(uint8_t out[STORE_EPOCH_SIZE], struct cf_err *e)
{
    if (getrandom(out, STORE_EPOCH_SIZE, 0) != STORE_EPOCH_SIZE)
        return CF_FAIL_ERRNO(e, CF_E_IO, "no random bytes");
    return CF_OK;
}

enum cf_rc store_live_create(const struct store_live_options *o, struct store_live **out,
                             struct cf_err *e)
{
    struct store_live *l = NULL;
    struct cf_err none = { 0 };
    enum cf_rc rc = live_new(o, &l, e);
    if (rc != CF_OK)
        return rc;
    struct store_selector *sel = &l->locked.sel;
    rc = selector_read(l->dir, sel, &none);
    if (rc != CF_E_ABSENT) {
        live_free(l);
        return CF_FAIL(e, CF_E_STATE, "%s has a selector already", o->dir);
    }
    *sel = (struct store_selector){ .number = 1 };
    struct live_file f = { .number = 1, .epoch = sel->epoch, .fresh = true };
    live_remove(l, 1); /* of an attempt that was cut before its selector */
    rc = new_epoch(sel->epoch, e);
    if (rc == CF_OK)
        rc = live_open_file(l, &f, &l->locked.store, e);
    if (rc == CF_OK)
        rc = selector_write(l->dir, sel, e);
    if (rc == CF_OK)
        *out = l;
    else
        live_free(l);
    return rc;
}

enum cf_rc store_live_open(const struct store_live_options *o, struct store_live **out,
                           struct cf_err *e)
{
    struct store_live *l = NULL;
    enum cf_rc rc = live_new(o, &l, e);
    if (rc != CF_OK)
        return rc;
    struct store_selector *sel = &l->locked.sel;
    rc = selector_read(l->dir, sel, e);
    struct live_file f = { .number = sel->number, .epoch = sel->epoch, .anchored = true };
    if (rc == CF_OK)
        rc = live_open_file(l, &f, &l->locked.store, e);
    if (rc == CF_E_ABSENT && sel->number)
        rc = CF_E_CORRUPT; /* the file a selector names is missing: not the same as no store yet */
    if (rc == CF_OK) {
        sweep(l);
        *out = l;
    } else {
        live_free(l);
    }
    return rc;
}

void store_live_close(struct store_live *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    while (l->locked.users || l->locked.switching)
        pthread_cond_wait(&l->drained, &l->lock);
    pthread_mutex_unlock(&l->lock);
    live_free(l);
}

/* --- use
 * ------------------------------------------------------------------------------------------- */

static enum cf_rc held(struct cf_err *e)
{
    return cf_err_code(e,
                       CF_FAIL(e, CF_E_STATE,
                               "User triggered Restore operation is in progress. Retry after the "
                               "restore operation"),
                       "Conflict");
}

static enum cf_rc enter(struct store_live *l, bool writer, struct store **out, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    pthread_mutex_lock(&l->lock);
    while (l->locked.switching)
        pthread_cond_wait(&l->drained, &l->lock);
    if (!l->locked.store) {
        rc = CF_FAIL(e, CF_E_IO, "the key store is down since its medium failed in a switch");
    } else if (writer && l->locked.held) {
        rc = held(e);
    } else {
        *out = l->locked.store;
        l->locked.users++;
        l->locked.writers += writer;
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

static void leave(struct store_live *l, bool writer)
{
    pthread_mutex_lock(&l->lock);
    l->locked.users--;
    l->locked.writers -= writer;
    pthread_cond_broadcast(&l->drained);
    pthread_mutex_unlock(&l->lock);
}

static void reader_leaves(void *arg)
{
    leave(arg, false);
}

static void writer_leaves(void *arg)
{
    leave(arg, true);
}

void store_live_hold(struct store_live *l, bool on)
{
    pthread_mutex_lock(&l->lock);
    l->locked.held = on;
    while (on && l->locked.writers)
        pthread_cond_wait(&l->drained, &l->lock);
    pthread_mutex_unlock(&l->lock);
}

enum cf_rc store_live_read(struct store_live *l, struct store_view **out, struct cf_err *e)
{
    struct store *s = NULL;
    enum cf_rc rc = enter(l, false, &s, e);
    if (rc != CF_OK)
        return rc;
    rc = store_read(s, out, e);
    if (rc == CF_OK)
        store_view_on_end(*out, (struct hold){ .ended = reader_leaves, .arg = l });
    else
        leave(l, false);
    return rc;
}

enum cf_rc store_live_write(struct store_live *l, struct store_txn **out, struct cf_err *e)
{
    struct store *s = NULL;
    enum cf_rc rc = enter(l, true, &s, e);
    if (rc != CF_OK)
        return rc;
    rc = store_write(s, out, e);
    if (rc == CF_OK)
        store_txn_on_end(*out, (struct hold){ .ended = writer_leaves, .arg = l });
    else
        leave(l, true);
    return rc;
}

void store_live_selector(struct store_live *l, struct store_selector *out)
{
    pthread_mutex_lock(&l->lock);
    *out = l->locked.sel;
    pthread_mutex_unlock(&l->lock);
}
