/* Old records go. Who starts a job must not wait for ten thousand rows to be read, so one look at
 * all of them serves the next JOBS_PAST prunings. */
#include "jobs_priv.h"

#include <string.h>

/* Keeps the oldest ones, in order. */
static enum cf_rc find_past(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    struct jobs_past *p = ctx;

    (void)e;
    if (r->state == JOBS_IN_PROGRESS)
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
    struct jobs_verified spared;

    /* The newest verified backup's record outlives its time. */
    enum cf_rc rc = jobs_receipt_newest(store_txn_view(t), NULL, &spared, e);
    if (rc != CF_OK || strcmp(id, spared.job) == 0)
        return rc;
    rc = store_del_prefix(t, STORE_RECEIPT, key, e);
    if (rc == CF_OK)
        rc = store_del_prefix(t, STORE_COVER, key, e);
    return rc == CF_OK ? store_del(t, STORE_JOB, key, e) : rc;
}

enum cf_rc jobs_prune(struct jobs *j, struct store_txn *t, struct cf_err *e)
{
    struct jobs_past *p = &j->locked.past;
    enum cf_rc rc = CF_OK;

    if (p->next == p->count) {
        *p = (struct jobs_past){ 0 };
        rc = jobs_row_each(store_txn_view(t), find_past, p, e);
    }
    if (rc != CF_OK || p->next == p->count)
        return rc;
    if (p->oldest[p->next].end_s >= jobs_now_s(j) - JOBS_KEEP_S && p->kept < JOBS_KEEP_MAX)
        return CF_OK;
    p->kept--; /* if the transaction fails, the next look finds it again */
    return remove_record(t, p->oldest[p->next++].id, e);
}
