/* A batch is made by threads, which mostly wait for the token, while the one before is written. */
#include "seed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH   2000
#define THREADS 8

struct batch {
    struct seed *s;
    struct keystore_record *record; /* of BATCH */
    uint64_t first;
    size_t count;
    atomic_size_t next;
    pthread_t thread[THREADS];
    unsigned threads;
    struct cf_err err[THREADS]; /* of each thread */
    atomic_uint started;
};

static void *make_some(void *arg)
{
    struct batch *b = arg;
    struct cf_err *e = &b->err[atomic_fetch_add(&b->started, 1)];
    size_t i;
    while (e->rc == CF_OK && (i = atomic_fetch_add(&b->next, 1)) < b->count)
        (void)!seed_make_key(b->s, b->first + i, &b->record[i], e);
    return NULL;
}

static enum cf_rc batch_begin(struct batch *b, uint64_t first, uint64_t left, struct cf_err *e)
{
    b->first = first;
    b->count = left < BATCH ? (size_t)left : BATCH;
    atomic_store(&b->next, 0);
    atomic_store(&b->started, 0);
    b->threads = 0;
    while (b->threads < THREADS && pthread_create(&b->thread[b->threads], NULL, make_some, b) == 0)
        b->threads++;
    return b->threads ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no thread");
}

static enum cf_rc batch_join(struct batch *b, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (unsigned i = 0; i < b->threads; i++)
        pthread_join(b->thread[i], NULL);
    for (unsigned i = 0; rc == CF_OK && i < b->threads; i++)
        if (b->err[i].rc != CF_OK)
            rc = CF_FAIL(e, b->err[i].rc, "%s", b->err[i].text);
    b->threads = 0;
    return rc;
}

static void batch_clear(struct batch *b)
{
    for (size_t i = 0; b->record && i < BATCH; i++)
        record_reset(&b->record[i]);
}

static enum cf_rc batch_put(struct batch *b, struct cf_err *e)
{
    struct store_txn *t = NULL;
    enum cf_rc rc = store_live_write(b->s->a.live, &t, e);
    for (size_t i = 0; rc == CF_OK && i < b->count; i++)
        rc = keystore_record_put(&b->record[i], t, e);
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    batch_clear(b);
    return rc;
}

/* Names ascend, so the first key of the store behind the name before ours must lie behind our last
 * one. */
static enum cf_rc names_are_free(struct seed *s, struct cf_err *e)
{
    struct store_view *v = NULL;
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    char before[KEYSTORE_NAME_MAX + 1] = "key-", last[KEYSTORE_NAME_MAX + 1];
    bool more = false;
    if (s->o.first)
        seed_name(s->o.first - 1, before);
    seed_name(s->o.first + s->o.keys - 1, last);
    struct store_range r = { .after = crypto_bytes_of(before, strlen(before)) };
    enum cf_rc rc = store_live_read(s->a.live, &v, e);
    if (rc == CF_OK)
        rc = store_scan(v, STORE_KEY, &r, &c, e);
    if (rc == CF_OK)
        rc = store_next(c, &row, &more, e);
    if (rc == CF_OK && more && row.key.len == strlen(last) &&
        memcmp(row.key.data, last, row.key.len) <= 0)
        rc = CF_FAIL(e, CF_E_STATE, "%.*s is there already; see --first", (int)row.key.len,
                     (const char *)row.key.data);
    store_row_clear(&row);
    store_cursor_end(c);
    store_view_end(v);
    return rc;
}

static enum cf_rc fill(struct seed *s, struct batch b[2], struct cf_err *e)
{
    uint64_t begun = 0, done = 0;
    enum cf_rc rc = CF_OK;
    for (unsigned turn = 0; rc == CF_OK && done < s->o.keys; turn++) {
        struct batch *making = &b[turn % 2], *made = &b[(turn + 1) % 2];
        making->count = 0;
        if (begun < s->o.keys)
            rc = batch_begin(making, s->o.first + begun, s->o.keys - begun, e);
        begun += making->count;
        if (rc == CF_OK && made->count)
            rc = batch_put(made, e);
        done += made->count;
        enum cf_rc joined = batch_join(making, rc == CF_OK ? e : NULL);
        rc = rc == CF_OK ? joined : rc;
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%llu of %llu", (unsigned long long)done,
                    (unsigned long long)s->o.keys);
    }
    return rc;
}

enum cf_rc seed_fill(struct seed *s, struct cf_err *e)
{
    struct batch *b = calloc(2, sizeof *b);
    enum cf_rc rc = b ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (unsigned i = 0; rc == CF_OK && i < 2; i++) {
        b[i].s = s;
        b[i].record = calloc(BATCH, sizeof *b[i].record);
        if (!b[i].record)
            rc = CF_FAIL(e, CF_E_LIMIT, "no memory");
    }
    if (rc == CF_OK)
        rc = names_are_free(s, e);
    if (rc == CF_OK)
        rc = fill(s, b, e);
    for (unsigned i = 0; b && i < 2; i++) {
        batch_clear(&b[i]);
        for (size_t n = 0; b[i].record && n < BATCH; n++)
            free(b[i].record[n].version);
        free(b[i].record);
    }
    free(b);
    return rc;
}
