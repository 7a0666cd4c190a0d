/* Old records go. Who starts a job must not wait for ten thousand rows to be read, so one look at
 * all of them serves the next JOBS_PAST prunings. */
#include "jobs_priv.h"

#include <stdlib.h>
#include <string.h>

/* --- the newest verified backup of each place outlives its time --------------------------------
 */

struct spared {
    struct jobs_verified *of; /* one a place */
    size_t count;
};

static enum cf_rc spare(void *ctx, const struct jobs_verified *v, struct cf_err *e)
{
    struct spared *s = ctx;
    size_t i = 0;

    while (i < s->count && strcmp(s->of[i].uri, v->uri) != 0)
        i++;
    if (!v->whole || (i < s->count && !jobs_verified_newer(v, &s->of[i])))
        return CF_OK;
    if (i == s->count) {
        struct jobs_verified *more = reallocarray(s->of, s->count + 1, sizeof *more);
        if (more == NULL)
            return CF_FAIL(e, CF_E_LIMIT, "no memory");
        s->of = more;
        s->count++;
    }
    s->of[i] = *v;
    return CF_OK;
}

/* --- the oldest records ------------------------------------------------------------------------
 */

struct look {
    struct jobs_past *past;
    struct spared spared;
};

/* Keeps the oldest ones, in order. */
static enum cf_rc find_past(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    struct look *l = ctx;
    struct jobs_past *p = l->past;

    (void)e;
    if (r->state == JOBS_IN_PROGRESS)
        return CF_OK;
    for (size_t i = 0; i < l->spared.count; i++)
        if (strcmp(r->id, l->spared.of[i].job) == 0)
            return CF_OK;
    p->kept++;
    size_t at = p->count;
    while (at > 0 && p->oldest[at - 1].end_s > r->end_s)
        at--;
    if (at == JOBS_PAST)
        return CF_OK;
    if (p->count < JOBS_PAST)
        p->count++;
    memmove(&p->oldest[at + 1], &p->oldest[at], (p->count - 1 - at) * sizeof p->oldest[0]);
    memcpy(p->oldest[at].id, r->id, sizeof r->id);
    p->oldest[at].end_s = r->end_s;
    return CF_OK;
}

static enum cf_rc remove_record(struct store_txn *t, const char *id, struct cf_err *e)
{
    struct crypto_bytes key = crypto_bytes_of(id, strlen(id));

    enum cf_rc rc = store_del_prefix(t, STORE_RECEIPT, key, e);
    if (rc == CF_OK)
        rc = store_del_prefix(t, STORE_COVER, key, e);
    return rc == CF_OK ? store_del(t, STORE_JOB, key, e) : rc;
}

static enum cf_rc look_again(struct store_view *v, struct jobs_past *p, struct cf_err *e)
{
    struct look l = { .past = p };

    *p = (struct jobs_past){ 0 };
    enum cf_rc rc = jobs_receipt_each(v, spare, &l.spared, e);
    if (rc == CF_OK)
        rc = jobs_row_each(v, find_past, &l, e);
    free(l.spared.of);
    return rc;
}

enum cf_rc jobs_prune(struct jobs *j, struct store_txn *t, struct cf_err *e)
{
    struct jobs_past *p = &j->locked.past;
    enum cf_rc rc = CF_OK;

    if (p->next == p->count)
        rc = look_again(store_txn_view(t), p, e);
    if (rc != CF_OK || p->next == p->count)
        return rc;
    if (p->oldest[p->next].end_s >= jobs_now_s(j) - JOBS_KEEP_S && p->kept < JOBS_KEEP_MAX)
        return CF_OK;
    p->kept--; /* if the transaction fails, the next look finds it again */
    return remove_record(t, p->oldest[p->next++].id, e);
}
