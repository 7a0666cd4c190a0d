/* Whether the running job is to stop. Kept, so that a power cut before it takes effect does not
 * turn a canceled job into one that goes on. */
#include "jobs_priv.h"

#include <string.h>

#include "cbor/cbor.h"

/* One row of STORE_STATE: the id of the last job that was asked to stop. Ids are never used again,
 * so nobody has to take it out. */
#define CANCEL_KEY "canceled"

static enum cf_rc keep(struct jobs *j, const char *id, struct cf_err *e)
{
    struct cf_buf value = { 0 };
    struct store_txn *t = NULL;
    struct cbor_wr w;

    cbor_wr_init(&w, &value, e);
    cbor_wr_text(&w, id);
    enum cf_rc rc = cbor_wr_end(&w);
    struct store_put put = { .key = crypto_bytes_of(CANCEL_KEY, strlen(CANCEL_KEY)),
                             .value = crypto_bytes_of(value.data, value.len) };
    if (rc == CF_OK)
        rc = store_write(j->store, &t, e);
    if (rc == CF_OK)
        rc = store_put(t, STORE_STATE, &put, e);
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    cf_buf_clear(&value);
    return rc;
}

enum cf_rc jobs_cancel_kept(struct jobs *j, char id[JOBS_ID_SIZE], struct cf_err *e)
{
    struct store_view *v = NULL;
    struct store_row row = { 0 };
    struct cf_err why = { 0 };
    struct cbor_rd r;

    id[0] = '\0';
    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc != CF_OK)
        return rc;
    rc = store_get(v, STORE_STATE, crypto_bytes_of(CANCEL_KEY, strlen(CANCEL_KEY)), &row, &why);
    if (rc == CF_OK) {
        cbor_rd_init(&r, row.value.data, row.value.len, e);
        cbor_rd_string(&r, id, JOBS_ID_SIZE);
        rc = cbor_rd_end(&r);
    } else if (rc == CF_E_ABSENT) {
        rc = CF_OK;
    } else if (e != NULL) {
        *e = why;
    }
    store_row_clear(&row);
    store_view_end(v);
    return rc;
}

static enum cf_rc too_late(struct cf_err *e, const char *why)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_STATE, "%s", why), "Conflict");
}

enum cf_rc jobs_cancel(struct jobs *j, const char *id, struct cf_err *e)
{
    struct jobs_record r;

    enum cf_rc rc = jobs_get(j, id, &r, e);
    if (rc != CF_OK)
        return rc;
    pthread_mutex_lock(&j->lock);
    if (strcmp(j->locked.running, id) != 0) {
        rc = too_late(e, "The job has ended already");
    } else if (j->past_cancel) {
        rc = too_late(e, "It is too late to cancel: the job is taking effect");
    } else {
        atomic_store(&j->cancel, true); /* a full medium must not keep a job from being stopped */
        rc = keep(j, id, e);
        if (rc != CF_OK)
            rc = cf_err_ctx(e, rc, "the job stops now, unless the power is cut before");
    }
    pthread_mutex_unlock(&j->lock);
    return rc;
}

bool jobs_cancel_asked(struct jobs *j)
{
    return atomic_load_explicit(&j->cancel, memory_order_relaxed);
}

enum cf_rc jobs_past_cancel(struct jobs *j, struct cf_err *e)
{
    pthread_mutex_lock(&j->lock);
    bool asked = atomic_load(&j->cancel);
    if (!asked)
        j->past_cancel = true;
    pthread_mutex_unlock(&j->lock);
    return asked ? CF_FAIL(e, CF_E_CANCEL, "canceled") : CF_OK;
}
