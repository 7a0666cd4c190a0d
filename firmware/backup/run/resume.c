/* What an earlier life of the appliance left running is taken up: under its id, in its folder. */
#include "run_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* Nothing of this belongs to anyone once no job runs. */
static enum cf_rc clear_away(struct run *r, struct cf_err *e)
{
    request_wipe(r);
    journal_remove(r->o.dir, JOURNAL_OUT);
    journal_remove(r->o.dir, JOURNAL_IN);
    journal_flip_end(r->o.dir);
    return jobs_restore_mode(r->o.jobs) ? jobs_set_restore_mode(r->o.jobs, false, e) : CF_OK;
}

static enum cf_rc end_done(struct run *r, const struct jobs_record *rec, struct cf_err *e)
{
    struct jobs_end end = { .event = JOBS_EV_DONE };
    return jobs_finish(r->o.jobs, rec->id, &end, e);
}

/* The manifest of the backup that is found running. */
struct found {
    bool ready; /* it may be out there */
    bool done;  /* it surely is */
};

/* A manifest that an interrupted backup had ready may be out there: its number is used. It surely
 * is where its MAC was remembered: then that job had reached its end. */
static enum cf_rc count_manifest(struct run *r, const struct jobs_record *rec, struct found *f,
                                 struct cf_err *e)
{
    struct journal_past past;
    struct cf_err err = { 0 };
    const struct journal_file out = run_journal(r, JOURNAL_OUT);
    enum cf_rc rc = journal_past_read(&out, &past, &err);
    if (rc == CF_E_ABSENT || rc == CF_E_CORRUPT)
        return CF_OK;
    if (rc != CF_OK) {
        if (e && e->rc == CF_OK)
            *e = err;
        return rc;
    }
    f->ready = past.manifest.len && strcmp(past.job_id, rec->id) == 0;
    f->done = f->ready && past.it.seq == r->last.seq &&
              cf_equal(past.it.mac, r->last.mac, sizeof past.it.mac);
    if (past.manifest.len && past.it.seq > r->last.seq) {
        r->last.seq = past.it.seq;
        rc = journal_last_write(r->o.dir, &r->last, e);
    }
    journal_past_clear(&past);
    return rc;
}

/* A restore, or an undo, that was cut behind its flip is whole. */
static bool flipped(struct run *r, const struct jobs_record *rec)
{
    struct journal_flip flip = { 0 };
    struct store_selector sel;
    store_live_selector(r->o.live, &sel);
    return journal_flip_read(r->o.dir, &flip, NULL) == CF_OK && strcmp(flip.job_id, rec->id) == 0 &&
           sel.flips >= flip.flips;
}

static enum cf_rc end_canceled(struct run *r, const struct jobs_record *rec, const struct found *f,
                               struct cf_err *e)
{
    cf_log(CF_LOG_INFO, "run", "job-was-canceled", "job=%s", rec->id);
    enum cf_rc rc = jobs_interrupt(r->o.jobs, rec, f->ready ? RUN_MAY_BE_WHOLE : NULL, e);
    return rc == CF_OK ? clear_away(r, e) : rc;
}

/* The token's worker may be as young as this life. */
static enum cf_rc load_request(struct run *r, const struct jobs_record *rec,
                               struct request_kept *kept, struct cf_err *e)
{
    struct job waits = { .r = r };
    struct token_wait wait = { .most = TOKEN_TRIES_AT_START };
    enum cf_rc rc = CF_OK;
    do
        rc = request_load(r, rec->id, kept, e);
    while (patience_token(&waits, &wait, &rc, e));
    return rc;
}

static enum cf_rc go_on(struct run *r, const struct jobs_record *rec, struct cf_err *e)
{
    struct request_kept kept = { 0 };
    struct job *j = NULL;
    struct cf_err err = { 0 };
    enum cf_rc rc = job_goes_on(rec->kind) ? load_request(r, rec, &kept, &err) : CF_E_ABSENT;
    if (rc == CF_OK)
        rc = job_new(r, rec->kind, &kept.q, rec->start_s, &j, &err);
    request_clear(&kept);
    if (rc == CF_OK) {
        cf_log(CF_LOG_INFO, "run", "job-goes-on", "job=%s kind=\"%s\"", rec->id,
               jobs_kind_name(rec->kind));
        return job_take_up(j, rec, e);
    }
    cf_log(CF_LOG_WARN, "run", "job-stays", "job=%s rc=%s", rec->id, cf_rc_name(rc));
    rc = jobs_interrupt(r->o.jobs, rec, rc == CF_E_ABSENT ? NULL : err.text, e);
    return rc == CF_OK ? clear_away(r, e) : rc;
}

enum cf_rc run_take_up(struct run *r, struct cf_err *e)
{
    struct jobs_record rec = { .id = "" };
    struct found f = { 0 };
    enum cf_rc running = jobs_running(r->o.jobs, &rec, NULL);
    enum cf_rc rc = journal_last_read(r->o.dir, &r->last, e);
    if (rc == CF_OK)
        rc = count_manifest(r, &rec, &f, e);
    if (rc == CF_OK && running == CF_OK &&
        ((rec.kind == JOBS_BACKUP && f.done) || flipped(r, &rec))) {
        rc = end_done(r, &rec, e);
        running = CF_E_ABSENT;
    }
    if (rc != CF_OK)
        return rc;
    if (running != CF_OK)
        return clear_away(r, e);
    return jobs_cancel_asked(r->o.jobs) ? end_canceled(r, &rec, &f, e) : go_on(r, &rec, e);
}
