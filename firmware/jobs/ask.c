/* What may be asked: records, progress, restore mode, the rule about an earlier backup. */
#include "jobs_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void tell_waiting(struct jobs *j, struct jobs_record *r)
{
    if (r->state != JOBS_IN_PROGRESS)
        return;
    pthread_mutex_lock(&j->lock);
    if (j->locked.waiting[0] != '\0' && strcmp(j->locked.running, r->id) == 0)
        memcpy(r->details, j->locked.waiting, sizeof r->details);
    pthread_mutex_unlock(&j->lock);
}

enum cf_rc jobs_get(struct jobs *j, const char *id, struct jobs_record *out, struct cf_err *e)
{
    struct store_view *v = NULL;

    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc == CF_OK)
        rc = jobs_row_get(v, id, out, e);
    store_view_end(v);
    if (rc == CF_OK)
        tell_waiting(j, out);
    return rc;
}

enum cf_rc jobs_running(struct jobs *j, struct jobs_record *out, struct cf_err *e)
{
    char id[JOBS_ID_SIZE];

    pthread_mutex_lock(&j->lock);
    memcpy(id, j->locked.running, sizeof id);
    pthread_mutex_unlock(&j->lock);
    return id[0] != '\0' ? jobs_get(j, id, out, e) : CF_FAIL(e, CF_E_ABSENT, "no job runs");
}

/* --- lists: ids are random, so order is made here -------------------------------------------- */

/* What order needs of a record; the records themselves are read one at a time. */
struct brief {
    char id[JOBS_ID_SIZE];
    enum jobs_kind kind;
    int64_t start_s, start_ms, end_s;
};

struct gathered {
    struct brief *item;
    size_t count, cap;
};

static enum cf_rc gather(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    struct gathered *g = ctx;

    if (g->count == g->cap) {
        size_t cap = g->cap == 0 ? 16 : 2 * g->cap;
        struct brief *item = reallocarray(g->item, cap, sizeof *item);
        if (item == NULL)
            return CF_FAIL(e, CF_E_LIMIT, "no memory for %zu jobs", cap);
        g->item = item;
        g->cap = cap;
    }
    struct brief *n = &g->item[g->count++];
    *n = (struct brief){
        .kind = r->kind, .start_s = r->start_s, .start_ms = r->start_ms, .end_s = r->end_s
    };
    memcpy(n->id, r->id, sizeof n->id);
    return CF_OK;
}

static int newest_first(const void *va, const void *vb)
{
    const struct brief *a = va, *b = vb;

    if (a->start_s != b->start_s)
        return a->start_s > b->start_s ? -1 : 1;
    if (a->start_ms != b->start_ms)
        return a->start_ms > b->start_ms ? -1 : 1;
    if ((a->end_s == 0) != (b->end_s == 0))
        return a->end_s == 0 ? -1 : 1;
    if (a->end_s != b->end_s)
        return a->end_s > b->end_s ? -1 : 1;
    return strcmp(a->id, b->id);
}

typedef enum cf_rc each_job(void *ctx, const struct jobs_record *r, struct cf_err *e);

/* Those of `kind` (0: all), newest first, at most `max`. */
static enum cf_rc give(struct jobs *j, enum jobs_kind kind, size_t max, each_job *each, void *ctx,
                       struct cf_err *e)
{
    struct gathered g = { 0 };
    struct store_view *v = NULL;
    struct jobs_record r;

    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc == CF_OK)
        rc = jobs_row_each(v, gather, &g, e);
    if (rc == CF_OK && g.count > 1)
        qsort(g.item, g.count, sizeof *g.item, newest_first);
    for (size_t i = 0; rc == CF_OK && i < g.count && max > 0; i++) {
        if (kind != 0 && g.item[i].kind != kind)
            continue;
        rc = jobs_row_get(v, g.item[i].id, &r, e);
        if (rc == CF_OK) {
            tell_waiting(j, &r);
            rc = each(ctx, &r, e);
        }
        max--;
    }
    store_view_end(v);
    free(g.item);
    return rc;
}

enum cf_rc jobs_list(struct jobs *j,
                     enum cf_rc (*each)(void *ctx, const struct jobs_record *r, struct cf_err *e),
                     void *ctx, struct cf_err *e)
{
    return give(j, (enum jobs_kind)0, SIZE_MAX, each, ctx, e);
}

static enum cf_rc keep(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    struct jobs_record *out = ctx;

    (void)e;
    *out = *r;
    return CF_OK;
}

enum cf_rc jobs_last(struct jobs *j, enum jobs_kind kind, struct jobs_record *out, struct cf_err *e)
{
    struct jobs_record newest = { .id = "" };

    enum cf_rc rc = give(j, kind, 1, keep, &newest, e);
    if (rc == CF_OK && newest.id[0] == '\0')
        rc = cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "there was no %s yet", jobs_kind_name(kind)),
                         "NotFound");
    if (rc == CF_OK)
        *out = newest;
    return rc;
}

/* --- restore mode and the earlier backup ----------------------------------------------------- */

bool jobs_restore_mode(struct jobs *j)
{
    return atomic_load(&j->restore_mode);
}

struct jobs_backups jobs_backups(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    struct jobs_backups b = j->locked.facts.backups;
    pthread_mutex_unlock(&j->lock);
    return b;
}

static void utc(int64_t s, char out[32])
{
    time_t t = (time_t)s;
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out[0] = '\0';
}

enum cf_rc jobs_restore_allowed(struct jobs *j, int64_t min_age_s, struct cf_err *e)
{
    struct jobs_backups b = jobs_backups(j);
    char when[32];

    if (min_age_s <= 0)
        return CF_OK;
    if (b.count == 0)
        return cf_err_code(e,
                           CF_FAIL(e, CF_E_STATE,
                                   "A full restore needs a full backup of this HSM that ended at "
                                   "least %lld minutes before. There is none yet: make one first.",
                                   (long long)((min_age_s + 59) / 60)),
                           "Conflict");
    /* The oldest one decides: once it is old enough, some backup is. */
    if (b.first_s <= jobs_now_s(j) - min_age_s)
        return CF_OK;
    utc(b.first_s + min_age_s, when);
    return cf_err_code(e,
                       CF_FAIL(e, CF_E_STATE,
                               "A full restore needs a full backup of this HSM that ended at least "
                               "%lld minutes before. It will be allowed from %s.",
                               (long long)((min_age_s + 59) / 60), when),
                       "Conflict");
}
