/* Start, note, finish: each one transaction. */
#include "jobs_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* --- start ----------------------------------------------------------------------------------- */

static enum cf_rc another_runs(struct jobs *j, struct cf_err *e)
{
    struct jobs_record r;
    struct store_view *v = NULL;

    enum cf_rc rc = store_read(j->store, &v, e);
    if (rc == CF_OK)
        rc = jobs_row_get(v, j->locked.running, &r, e);
    store_view_end(v);
    if (rc != CF_OK)
        return rc;
    rc = r.kind == JOBS_RESTORE ? CF_FAIL(e, CF_E_STATE,
                                          "User triggered Restore operation is in progress. "
                                          "Retry after the restore operation")
                                : CF_FAIL(e, CF_E_STATE, "Another %s operation is in progress",
                                          jobs_kind_name(r.kind));
    return cf_err_code(e, rc, "Conflict");
}

/* Error texts quote what others sent: a row takes UTF-8 only. */
static void set_text(char *to, size_t size, const char *text)
{
    if (text != NULL)
        cf_utf8_clean(text, to, size);
}

static enum cf_rc new_record(struct jobs *j, const struct jobs_record *in, struct jobs_record *r,
                             struct cf_err *e)
{
    uint8_t id[16];

    enum cf_rc rc = hal_entropy_fill(j->entropy, id, sizeof id, e);
    if (rc != CF_OK)
        return rc;
    *r = (struct jobs_record){ .kind = in->kind };
    cf_hex(id, sizeof id, r->id);
    set_text(r->who, sizeof r->who, in->who);
    set_text(r->uri, sizeof r->uri, in->uri);
    set_text(r->folder, sizeof r->folder, in->folder);
    set_text(r->key, sizeof r->key, in->key);
    set_text(r->details, sizeof r->details, in->details);
    r->state = JOBS_IN_PROGRESS;
    r->start_s = jobs_now_s(j);
    r->start_ms = hal_clock_unix_ms(j->clock);
    if (r->start_ms <= 0)
        r->start_ms = 1; /* a clock that was never set */
    if (r->start_ms <= j->locked.last_start_ms &&
        r->start_ms / 1000 == j->locked.last_start_ms / 1000)
        r->start_ms = j->locked.last_start_ms + 1;
    return CF_OK;
}

static enum cf_rc start_locked(struct jobs *j, const struct jobs_record *in,
                               struct jobs_record *out, struct cf_err *e)
{
    struct jobs_record r;
    struct store_txn *t = NULL;

    if (j->locked.running[0] != '\0')
        return another_runs(j, e);
    enum cf_rc rc = new_record(j, in, &r, e);
    if (rc == CF_OK)
        rc = store_write(j->store, &t, e);
    if (rc == CF_OK)
        rc = jobs_prune(j, t, e);
    if (rc == CF_OK)
        rc = jobs_row_put(t, &r, e);
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    if (rc != CF_OK)
        return rc;
    memcpy(j->locked.running, r.id, sizeof r.id);
    j->locked.last_start_ms = r.start_ms;
    atomic_store(&j->cancel, false);
    j->past_cancel = false;
    jobs_reset_progress(j);
    *out = r;
    return CF_OK;
}

enum cf_rc jobs_start(struct jobs *j, const struct jobs_record *in, struct jobs_record *out,
                      struct cf_err *e)
{
    if (in->kind < JOBS_BACKUP || in->kind > JOBS_KIND_MAX)
        return CF_FAIL(e, CF_E_ARG, "no such kind of job");
    if (strchr(in->uri, '?') != NULL)
        return CF_FAIL(e, CF_E_ARG, "a job's URI must not carry a query: it may be a secret");
    pthread_mutex_lock(&j->lock);
    enum cf_rc rc = start_locked(j, in, out, e);
    pthread_mutex_unlock(&j->lock);
    return rc;
}

/* --- note and finish ------------------------------------------------------------------------- */

enum cf_rc jobs_note(struct jobs *j, const char *id, const char *folder, const char *details,
                     struct cf_err *e)
{
    struct jobs_record r;
    struct store_txn *t = NULL;

    pthread_mutex_lock(&j->lock);
    enum cf_rc rc = store_write(j->store, &t, e);
    if (rc == CF_OK)
        rc = jobs_row_get(store_txn_view(t), id, &r, e);
    if (rc == CF_OK && r.state != JOBS_IN_PROGRESS)
        rc = CF_FAIL(e, CF_E_STATE, "the job has ended already as %s", jobs_state_name(r.state));
    if (rc == CF_OK) {
        set_text(r.folder, sizeof r.folder, folder);
        set_text(r.details, sizeof r.details, details);
        rc = jobs_row_put(t, &r, e);
    }
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    pthread_mutex_unlock(&j->lock);
    return rc;
}

static enum cf_rc apply_end(struct jobs *j, struct jobs_record *r, const struct jobs_end *end,
                            struct cf_err *e)
{
    enum cf_rc rc = jobs_next_state(r->state, end->event, &r->state, e);
    if (rc != CF_OK)
        return rc;
    r->end_s = jobs_now_s(j);
    if (r->end_s <= 0)
        r->end_s = 1; /* a clock that was never set: clients wait for an end that is not 0 */
    set_text(r->details, sizeof r->details, end->details);
    set_text(r->error_code, sizeof r->error_code, end->error_code);
    set_text(r->error, sizeof r->error, end->error);
    set_text(r->warning, sizeof r->warning, end->warning);
    r->bytes = end->bytes;
    r->elapsed_ms = end->elapsed_ms;
    return CF_OK;
}

static bool is_complete(const struct jobs_end *end)
{
    for (size_t i = 0; i < end->cover_count; i++)
        if (end->cover[i].state == JOBS_COVER_MISSING)
            return false;
    return true;
}

static void count_backup(struct jobs_facts *f, const struct jobs_record *r,
                         const struct jobs_end *end)
{
    if (r->kind != JOBS_BACKUP || r->state != JOBS_SUCCEEDED || !is_complete(end))
        return;
    if (f->backups.count == 0 || r->end_s < f->backups.first_s)
        f->backups.first_s = r->end_s;
    f->backups.last_s = r->end_s;
    f->backups.count++;
}

enum cf_rc jobs_finish(struct jobs *j, const char *id, const struct jobs_end *end, struct cf_err *e)
{
    struct jobs_record r = { .kind = JOBS_BACKUP };
    struct store_txn *t = NULL;

    pthread_mutex_lock(&j->lock);
    struct jobs_facts facts = j->locked.facts;
    enum cf_rc rc = store_write(j->store, &t, e);
    if (rc == CF_OK)
        rc = jobs_row_get(store_txn_view(t), id, &r, e);
    if (rc == CF_OK)
        rc = apply_end(j, &r, end, e);
    if (rc == CF_OK)
        rc = jobs_row_put(t, &r, e);
    if (rc == CF_OK && end->receipt != NULL && r.state == JOBS_SUCCEEDED)
        rc = jobs_receipt_put(t, &r, end->receipt, e);
    if (rc == CF_OK && r.state == JOBS_SUCCEEDED)
        rc = jobs_cover_put(t, r.id, end, e);
    if (rc == CF_OK) {
        count_backup(&facts, &r, end);
        rc = jobs_facts_put(t, &facts, e);
    }
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    if (rc == CF_OK) {
        j->locked.facts = facts;
        j->locked.running[0] = j->locked.waiting[0] = '\0';
        j->locked.past.kept++;
        cf_log(CF_LOG_INFO, "jobs", "ended", "job=%s kind=\"%s\" state=%s", r.id,
               jobs_kind_name(r.kind), jobs_state_name(r.state));
    }
    pthread_mutex_unlock(&j->lock);
    return rc;
}

enum cf_rc jobs_interrupt(struct jobs *j, const struct jobs_record *r, const char *why,
                          struct cf_err *e)
{
    char text[JOBS_TEXT_SIZE];
    struct jobs_end end = { .event = JOBS_EV_INTERRUPTED,
                            .error_code = JOBS_INTERRUPTED,
                            .error = text };

    if (jobs_cancel_asked(j)) {
        end = (struct jobs_end){ .event = JOBS_EV_CANCEL,
                                 .details = JOBS_WAS_CANCELED,
                                 .error_code = "Canceled",
                                 .error = JOBS_WAS_CANCELED,
                                 .warning = why };
        return jobs_finish(j, r->id, &end, e);
    }
    snprintf(text, sizeof text, "The appliance stopped during the %s. Start it again.%s%s",
             jobs_kind_name(r->kind), why != NULL ? " It could not go on: " : "",
             why != NULL ? why : "");
    return jobs_finish(j, r->id, &end, e);
}

enum cf_rc jobs_set_restore_mode(struct jobs *j, bool on, struct cf_err *e)
{
    struct store_txn *t = NULL;

    pthread_mutex_lock(&j->lock);
    struct jobs_facts facts = j->locked.facts;
    facts.restore_mode = on;
    enum cf_rc rc = store_write(j->store, &t, e);
    if (rc == CF_OK)
        rc = jobs_facts_put(t, &facts, e);
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    if (rc == CF_OK) {
        j->locked.facts = facts;
        atomic_store(&j->restore_mode, on);
    }
    pthread_mutex_unlock(&j->lock);
    return rc;
}
