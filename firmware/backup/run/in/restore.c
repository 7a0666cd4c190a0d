#include "plan_priv.h"
#include "run_priv.h"
#include "taken_priv.h"

#include <stdio.h>
#include <string.h>

/* What cannot be taken in whole is refused before anything is read of it. */
static enum cf_rc check_fits(const struct backup_in *b, struct cf_err *e)
{
    const struct run *r = b->j->r;
    if (b->m.left_out_count && !b->j->choices.allow_incomplete)
        return CF_FAIL(e, CF_E_STATE,
                       "the backup is incomplete: %s is not in it; take another one, or ask for "
                       "what is there (--allow-incomplete)",
                       b->m.left_out[0]);
    for (size_t i = 2; i < b->m.stream_count; i++) {
        bool here = false;
        for (size_t k = 0; k < r->o.partition_count; k++)
            here |= strcmp(r->o.partitions[k].name, b->m.streams[i].name) == 0;
        if (!here)
            return CF_FAIL(e, CF_E_STATE,
                           "the backup holds partition %s, which this appliance does not have",
                           b->m.streams[i].name);
    }
    return CF_OK;
}

/* A partition that the backup does not know keeps its content beside the restored keys. */
static void note_missing(struct job *j, const struct manifest *m)
{
    const struct run *r = j->r;
    for (size_t i = 0; i < r->o.partition_count; i++) {
        char text[128];
        bool there = false;
        for (size_t k = 2; k < m->stream_count; k++)
            there |= strcmp(r->o.partitions[i].name, m->streams[k].name) == 0;
        snprintf(text, sizeof text, "partition %s is not in the backup and stays as it is",
                 r->o.partitions[i].name);
        if (!there)
            job_warn(j, text);
    }
}

void backup_in_note_age(struct job *j, const struct manifest *m)
{
    char text[160];
    bool ours = cf_equal(m->appliance, j->r->o.appliance_id, sizeof m->appliance);
    if (ours && m->seq < j->r->last.seq)
        snprintf(text, sizeof text, "this is backup %llu of this appliance; the newest is %llu",
                 (unsigned long long)m->seq, (unsigned long long)j->r->last.seq);
    else
        return;
    job_warn(j, text);
}

static enum cf_rc open_and_judge(struct job *j, struct backup_in *b, struct cf_err *e)
{
    enum cf_rc rc = backup_in_open(j, b, e);
    if (rc == CF_OK)
        rc = check_fits(b, e);
    if (rc == CF_OK) {
        backup_in_note_age(j, &b->m);
        note_missing(j, &b->m);
    }
    return rc;
}

enum cf_rc run_switched(struct job *j, struct kept *next, struct cf_err *e)
{
    struct run *r = j->r;
    enum cf_rc rc = run_settle(r, e);
    if (rc == CF_OK && r->o.access)
        rc = access_refresh(r->o.access, e);
    if (rc != CF_OK)
        return cf_err_ctx(e, rc, "the %s has taken effect; restart the appliance to complete it",
                          jobs_kind_name(j->kind));
    undo_after_flip(j, next);
    return CF_OK;
}

/* The one commit point is inside store_live_switch: before it nothing has changed. */
static enum cf_rc flip(struct job *j, struct store_stage *stage, const struct store_selector *sel,
                       const uint8_t side[STORE_SIDES], struct cf_err *e)
{
    struct run *r = j->r;
    struct kept next = { .undo = false };
    struct journal_flip f = { .flips = sel->flips + 1 };
    memcpy(f.job_id, j->record.id, sizeof f.job_id);
    snprintf(next.folder, sizeof next.folder, "%s", j->record.folder);
    enum cf_rc rc = job_past_cancel(j, e);
    if (rc == CF_OK)
        rc = journal_flip_write(r->o.dir, &f, e);
    if (rc == CF_OK)
        rc = undo_before_flip(j, sel, &next, e);
    if (rc != CF_OK) {
        store_stage_drop(stage);
        return rc;
    }
    rc = store_live_switch(r->o.live, stage, side, e);
    return rc == CF_OK ? run_switched(j, &next, e) : rc;
}

enum cf_rc restore_main(struct job *j, struct cf_err *e)
{
    struct backup_in b = { 0 };
    struct store_stage *stage = NULL;
    struct store_selector sel;
    uint8_t side[STORE_SIDES];
    store_live_selector(j->r->o.live, &sel);
    memcpy(side, sel.side, sizeof side);
    job_phase(j, "preparing");
    enum cf_rc rc = open_and_judge(j, &b, e);
    if (rc == CF_OK)
        rc = plan_holds(j, &b.m, e);
    if (rc == CF_OK)
        rc = taken_begin(&b, e);
    if (rc == CF_OK)
        rc = backup_in_meta(&b, e);
    if (rc == CF_OK)
        rc = store_live_stage(j->r->o.live, &stage, e);
    job_phase(j, "keys");
    if (rc == CF_OK)
        rc = restore_records(&b, stage, e);
    job_phase(j, "partitions");
    if (rc == CF_OK)
        rc = restore_partitions(&b, &sel, side, e);
    job_phase(j, "switching");
    if (rc == CF_OK)
        rc = flip(j, stage, &sel, side, e);
    else
        store_stage_drop(stage);
    backup_in_clear(&b);
    return rc;
}

enum cf_rc backup_in_walk(struct backup_in *b, struct cf_err *e)
{
    enum cf_rc rc = backup_in_meta(b, e);
    if (rc == CF_OK && b->proof)
        rc = proof_begin(b, b->proof, e);
    job_phase(b->j, "keys");
    if (rc == CF_OK)
        rc = restore_records(b, NULL, e);
    job_phase(b->j, "partitions");
    return rc == CF_OK ? restore_partitions(b, NULL, NULL, e) : rc;
}

enum cf_rc prerestore_main(struct job *j, struct cf_err *e)
{
    struct backup_in b = { 0 };
    if (!j->store || !j->folder[0])
        return CF_OK;
    enum cf_rc rc = open_and_judge(j, &b, e);
    if (rc == CF_OK)
        rc = backup_in_walk(&b, e);
    backup_in_clear(&b);
    return rc;
}
