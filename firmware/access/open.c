#include "access_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

int64_t access_now_s(struct access *a)
{
    return hal_clock_unix_ms(a->clock) / 1000;
}

static void serve(struct access *a, struct access_index *fresh)
{
    pthread_rwlock_wrlock(&a->lock);
    struct access_index *old = a->locked.index;
    a->locked.index = fresh;
    pthread_rwlock_unlock(&a->lock);
    atomic_store(&a->stale, false);
    access_index_free(old);
}

static enum cf_rc refresh_locked(struct access *a, struct cf_err *e)
{
    struct store_view *view = NULL;
    struct access_index *fresh = NULL;

    enum cf_rc rc = store_live_read(a->live, &view, e);
    if (rc != CF_OK)
        goto out;
    rc = access_index_build(view, &fresh, e);
out:
    store_view_end(view);
    if (rc == CF_OK)
        serve(a, fresh);
    else
        atomic_store(&a->stale, true);
    return rc;
}

enum cf_rc access_refresh(struct access *a, struct cf_err *e)
{
    pthread_mutex_lock(&a->change);
    enum cf_rc rc = refresh_locked(a, e);
    pthread_mutex_unlock(&a->change);
    return rc;
}

enum cf_rc access_open(struct store_live *live, struct hal_clock *clock, struct access **out,
                       struct cf_err *e)
{
    struct access *a = calloc(1, sizeof *a);

    if (a == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the access index");
    a->live = live;
    a->clock = clock;
    atomic_init(&a->stale, true);
    pthread_mutex_init(&a->change, NULL);
    pthread_rwlock_init(&a->lock, NULL);

    enum cf_rc rc = access_refresh(a, e);
    if (rc != CF_OK) {
        access_close(a);
        return cf_err_ctx(e, rc, "reading roles");
    }
    *out = a;
    return CF_OK;
}

void access_close(struct access *a)
{
    if (a == NULL)
        return;
    access_index_free(a->locked.index);
    pthread_rwlock_destroy(&a->lock);
    pthread_mutex_destroy(&a->change);
    free(a);
}

/* --- a change ------------------------------------------------------------------------------- */

enum cf_rc access_change_begin(struct access *a, struct access_change *c, struct cf_err *e)
{
    *c = (struct access_change){ 0 };
    pthread_mutex_lock(&a->change);
    enum cf_rc rc = CF_OK;
    if (atomic_load(&a->stale))
        rc = refresh_locked(a, e);
    if (rc == CF_OK) {
        c->writers = access_index_writers(a->locked.index);
        c->assignments = access_index_assignments(a->locked.index);
        rc = store_live_write(a->live, &c->txn, e);
    }
    return rc;
}

static enum cf_rc check_writer_left(const struct access_change *c, const struct access_index *next,
                                    struct cf_err *e)
{
    if (!c->may_lose_writer || c->writers == 0 || access_index_writers(next) > 0)
        return CF_OK;
    return cf_err_code(e,
                       CF_FAIL(e, CF_E_STATE,
                               "This would leave nobody who can write role assignments at /. "
                               "Assign such a role to someone else first."),
                       "Conflict");
}

enum cf_rc access_change_end(struct access *a, struct access_change *c, enum cf_rc rc,
                             struct cf_err *e)
{
    struct access_index *next = NULL;

    if (rc != CF_OK)
        goto out;
    rc = access_index_build(store_txn_view(c->txn), &next, e);
    if (rc != CF_OK)
        goto out;
    rc = check_writer_left(c, next, e);
    if (rc != CF_OK)
        goto out;
    rc = store_commit(c->txn, e);
    if (rc != CF_OK) {
        /* It may have been committed all the same (the anchor did not step): look again. */
        store_end(c->txn);
        c->txn = NULL;
        if (refresh_locked(a, NULL) != CF_OK)
            cf_log(CF_LOG_ERROR, "access", "index_lost", "effect=nothing_granted");
        goto out;
    }
    serve(a, next);
    next = NULL;

out:
    access_index_free(next);
    store_end(c->txn);
    c->txn = NULL;
    pthread_mutex_unlock(&a->change);
    return rc;
}

enum cf_rc access_row_put(struct store_txn *t, enum store_table tbl, const struct access_row *r,
                          struct cf_err *e)
{
    struct store_put put = { .key = access_bytes(&r->key), .value = access_bytes(&r->value) };
    return store_put(t, tbl, &put, e);
}

/* --- the decision --------------------------------------------------------------------------- */

struct cf_verdict access_decide(struct access *a, const struct access_principal *who,
                                enum access_action action, const struct access_scope *scope)
{
    struct cf_verdict no = cf_verdict_of(false);

    if (!cf_granted(&who->verified) || (unsigned)action >= ACCESS_ACTIONS)
        return no;
    if (atomic_load(&a->stale) && access_refresh(a, NULL) != CF_OK)
        return no;

    struct access_scope judged = access_scope_judged(action, scope);
    pthread_rwlock_rdlock(&a->lock);
    struct cf_verdict v = cf_verdict_of(access_index_allows(a->locked.index, who, action, &judged));
    pthread_rwlock_unlock(&a->lock);
    return v;
}

enum cf_rc access_require(struct access *a, const struct access_principal *who,
                          enum access_action action, const struct access_scope *scope,
                          struct cf_err *e)
{
    struct cf_verdict v = access_decide(a, who, action, scope);

    if (cf_granted(&v))
        return CF_OK;
    struct access_scope judged = access_scope_judged(action, scope);
    enum cf_rc rc =
        action == ACCESS_DOMAIN_DOWNLOAD
            ? CF_FAIL(e, CF_E_DENIED, "Not authorized to perform Security Domain backup.")
            : CF_FAIL(e, CF_E_DENIED, "Not authorized to access %s on %s",
                      access_action_name(action), judged.text);
    return cf_err_code(e, rc, "AccessDenied");
}
