#include "run_priv.h"

#include <stdlib.h>
#include <string.h>

#include "manifest/audit_head.h"

/* The names of the partitions follow the selector, also after a crash right behind a flip. */
enum cf_rc run_settle(struct run *r, struct cf_err *e)
{
    struct store_selector sel;
    store_live_selector(r->o.live, &sel);
    for (size_t i = 0; i < r->o.partition_count; i++) {
        const struct run_partition *p = &r->o.partitions[i];
        enum cf_rc rc = p->settle ? p->settle(p->ctx, sel.side[p->index], e) : CF_OK;
        if (rc != CF_OK)
            return cf_err_ctx(e, rc, "partition %s", p->name);
    }
    return CF_OK;
}

static enum cf_rc check_partitions(const struct run_options *o, struct cf_err *e)
{
    if (o->partition_count > FLOW_STREAMS_MAX - 2)
        return CF_FAIL(e, CF_E_ARG, "too many partitions");
    for (size_t i = 0; i < o->partition_count; i++)
        if (o->partitions[i].index >= STORE_SIDES)
            return CF_FAIL(e, CF_E_ARG, "partition %s is out of the selector's range",
                           o->partitions[i].name);
    return CF_OK;
}

struct journal_file run_journal(const struct run *r, const char *name)
{
    return (struct journal_file){ .dir = r->o.dir, .name = name, .key = r->journal_key };
}

/* A worker of the token that hung is replaced when its time is over: the second try meets the new
 * one. */
static enum cf_rc make_journal_key(struct run *r, struct cf_err *e)
{
    struct cf_err err = { 0 };
    enum cf_rc rc = journal_key_make(r->o.domain.token, &r->journal_key, &err);
    if (rc == CF_E_TOKEN)
        rc = journal_key_make(r->o.domain.token, &r->journal_key, e);
    else if (rc != CF_OK && e)
        *e = err;
    return cf_err_ctx(e, rc, "the key of the journals");
}

enum cf_rc run_open(const struct run_options *o, struct run **out, struct cf_err *e)
{
    enum cf_rc rc = check_partitions(o, e);
    if (rc != CF_OK)
        return rc;
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    r->o = *o;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->idle, NULL);
    atomic_init(&r->closing, false);
    rc = run_settle(r, e);
    if (rc == CF_OK)
        rc = make_journal_key(r, e);
    if (rc == CF_OK)
        rc = run_take_up(r, e);
    if (rc != CF_OK) {
        run_close(r);
        return cf_err_ctx(e, rc, "opening the backup engine");
    }
    *out = r;
    return CF_OK;
}

enum cf_rc run_audit_head(struct run *r, struct cf_buf *out, struct cf_err *e)
{
    if (!r->o.audit)
        return cf_err_code(e, CF_FAIL(e, CF_E_STATE, "this appliance keeps no audit log"),
                           "Conflict");
    struct audit_head head = audit_head(r->o.audit);
    struct manifest_audit_head h = { .sequence = head.sequence,
                                     .made_s = (uint64_t)(hal_clock_unix_ms(r->o.clock) / 1000),
                                     .since_s = r->o.member_since_s,
                                     .hsm = r->o.hsm_name };
    memcpy(h.hash, head.hash, sizeof h.hash);
    memcpy(h.appliance, r->o.appliance_id, sizeof h.appliance);
    return manifest_audit_head_build(&r->o.domain, &h, out, e);
}

void run_wait(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    while (r->busy)
        pthread_cond_wait(&r->idle, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

void run_close(struct run *r)
{
    if (!r)
        return;
    atomic_store(&r->closing, true);
    run_wait(r);
    if (r->joinable)
        pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->idle);
    pthread_mutex_destroy(&r->lock);
    cf_secret_free(r->journal_key);
    free(r);
}
