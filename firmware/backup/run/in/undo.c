/* Back to what the last switch of stores left: the store before it and the other sides of the
 * partitions. An undo is a switch too, so it can be undone. */
#include "run_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* --- keeping, for restore and undo alike --- */

static enum cf_rc table_digest(const struct run *r, uint8_t out[32], struct cf_err *e)
{
    struct cf_buf names = { 0 };
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < r->o.partition_count; i++)
        rc = cf_buf_printf(&names, e, "%u %s\n", r->o.partitions[i].index, r->o.partitions[i].name);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, names.data, names.len, out, e);
    cf_buf_clear(&names);
    return rc;
}

static uint64_t partition_changes(const struct run_partition *p, unsigned side)
{
    struct hal_partition *part = NULL;
    uint64_t changes = KEPT_UNKNOWN;
    if (p->open_live(p->ctx, side, &part, NULL) == CF_OK &&
        hal_partition_changes(part, &changes, NULL) != CF_OK)
        changes = KEPT_UNKNOWN;
    hal_partition_close(part);
    return changes;
}

enum cf_rc undo_before_flip(struct job *j, const struct store_selector *sel, struct kept *next,
                            struct cf_err *e)
{
    struct run *r = j->r;
    struct kept now;
    bool holds = kept_read(r->o.dir, sel->flips, &now, NULL) == CF_OK;
    next->flips = sel->flips + 1;
    next->at_s = hal_clock_unix_ms(r->o.clock) / 1000;
    next->counter = KEPT_UNKNOWN;
    memcpy(next->side, sel->side, sizeof next->side);
    for (size_t i = 0; i < STORE_SIDES; i++)
        next->left[i] = next->changes[i] = KEPT_UNKNOWN;
    for (size_t i = 0; i < r->o.partition_count; i++) {
        const struct run_partition *p = &r->o.partitions[i];
        next->left[p->index] = partition_changes(p, sel->side[p->index]);
    }
    memcpy(next->job, j->record.id, sizeof next->job);
    enum cf_rc rc = table_digest(r, next->table, e);
    return rc == CF_OK ? kept_write(r->o.dir, holds ? &now : NULL, next, e) : rc;
}

uint64_t undo_store_counter(struct run *r)
{
    struct store_view *v = NULL;
    uint64_t counter = KEPT_UNKNOWN;
    if (store_live_read(r->o.live, &v, NULL) == CF_OK)
        counter = store_view_counter(v);
    store_view_end(v);
    return counter;
}

void undo_after_flip(struct job *j, struct kept *next)
{
    struct run *r = j->r;
    struct store_selector sel;
    struct cf_err err = { 0 };
    store_live_selector(r->o.live, &sel);
    next->counter = undo_store_counter(r);
    for (size_t i = 0; i < r->o.partition_count; i++) {
        const struct run_partition *p = &r->o.partitions[i];
        next->changes[p->index] = partition_changes(p, sel.side[p->index]);
    }
    if (kept_write(r->o.dir, NULL, next, &err) != CF_OK)
        cf_log(CF_LOG_WARN, "run", "counters-not-kept", "text=\"%s\"", err.text);
}

/* --- what an undo would do --- */

static enum cf_rc refuse(struct cf_err *e, const char *why)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_STATE, "%s", why), "Conflict");
}

static enum cf_rc find_kept(struct run *r, const struct store_selector *sel, struct kept *k,
                            struct cf_err *e)
{
    uint8_t table[32];
    struct cf_err err = { 0 };
    enum cf_rc rc = kept_read(r->o.dir, sel->flips, k, &err);
    if (sel->former == 0)
        return refuse(e, "There is nothing to undo: no restore has replaced this HSM's state");
    if (rc == CF_E_ABSENT)
        return refuse(e, "There is nothing to undo: what the last restore left is not kept any "
                         "more; a later restore has begun to overwrite it");
    if (rc != CF_OK)
        return refuse(e, "There is nothing to undo: the note of what the last restore left cannot "
                         "be read");
    rc = table_digest(r, table, e);
    if (rc == CF_OK && !cf_equal(table, k->table, sizeof table))
        rc = refuse(e, "The undo is not possible: the partitions of this appliance are others than "
                       "at the restore");
    return rc;
}

/* The side that would become live is as the switch left it. Opening may have made it anew. */
static enum cf_rc check_other(const struct run_partition *p, unsigned side, uint64_t left,
                              struct cf_err *e)
{
    struct hal_partition *other = NULL;
    uint64_t now = KEPT_UNKNOWN;
    enum cf_rc rc = p->open_other(p->ctx, side, &other, e);
    if (rc == CF_OK)
        rc = hal_partition_changes(other, &now, e);
    if (rc == CF_OK && (now != left || left == KEPT_UNKNOWN))
        rc = CF_FAIL(e, CF_E_STATE, "its other side is not as the restore left it");
    hal_partition_close(other);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "partition %s", p->name);
}

enum cf_rc run_undo_look(struct run *r, struct run_undo *out, struct cf_err *e)
{
    struct store_selector sel;
    struct kept k;
    *out = (struct run_undo){ 0 };
    store_live_selector(r->o.live, &sel);
    enum cf_rc rc = find_kept(r, &sel, &k, e);
    if (rc != CF_OK)
        return rc;
    out->redo = k.undo;
    out->switched_s = k.at_s;
    memcpy(out->job, k.job, sizeof out->job);
    memcpy(out->folder, k.folder, sizeof out->folder);
    uint64_t counter = undo_store_counter(r);
    out->counted = counter != KEPT_UNKNOWN && k.counter != KEPT_UNKNOWN && counter >= k.counter;
    out->changes = out->counted ? counter - k.counter : 0;
    for (size_t i = 0; i < r->o.partition_count; i++) {
        const struct run_partition *p = &r->o.partitions[i];
        if (k.side[p->index] == sel.side[p->index])
            continue;
        out->partitions++;
        uint64_t now = partition_changes(p, sel.side[p->index]);
        out->written += now == KEPT_UNKNOWN || now != k.changes[p->index];
    }
    return CF_OK;
}

/* --- the job --- */

static void say_what_was_done(struct job *j, const struct run_undo *u)
{
    char since[128] = "whatever was changed since then is set aside: another undo brings it back";
    unsigned long long changes = u->changes;
    if (u->counted && changes + u->written == 0)
        snprintf(since, sizeof since, "nothing was changed since then");
    else if (u->counted)
        snprintf(
            since, sizeof since,
            "%llu change%s and %zu written partition%s are set aside: another undo brings them "
            "back",
            changes, changes == 1 ? "" : "s", u->written, u->written == 1 ? "" : "s");
    snprintf(j->details, sizeof j->details, "Back to the state before the %s of %s; %s",
             u->redo ? "undo of the restore" : "restore", u->folder, since);
}

static enum cf_rc flip_back(struct job *j, const struct store_selector *sel, const struct kept *k,
                            struct cf_err *e)
{
    struct run *r = j->r;
    struct kept next = { .undo = !k->undo };
    struct journal_flip f = { .flips = sel->flips + 1 };
    memcpy(next.folder, k->folder, sizeof next.folder);
    memcpy(f.job_id, j->record.id, sizeof f.job_id);
    enum cf_rc rc = job_past_cancel(j, e);
    if (rc == CF_OK)
        rc = journal_flip_write(r->o.dir, &f, e);
    if (rc == CF_OK)
        rc = undo_before_flip(j, sel, &next, e);
    if (rc == CF_OK)
        rc = store_live_undo(r->o.live, k->side, e);
    if (rc != CF_OK)
        return rc;
    return run_switched(j, &next, e);
}

enum cf_rc undo_main(struct job *j, struct cf_err *e)
{
    struct run *r = j->r;
    struct store_selector sel;
    struct run_undo u;
    struct kept k;
    job_phase(j, "switching");
    enum cf_rc rc = run_undo_look(r, &u, e);
    store_live_selector(r->o.live, &sel);
    if (rc == CF_OK)
        rc = find_kept(r, &sel, &k, e);
    for (size_t i = 0; rc == CF_OK && i < r->o.partition_count; i++) {
        const struct run_partition *p = &r->o.partitions[i];
        if (k.side[p->index] != sel.side[p->index])
            rc = check_other(p, sel.side[p->index], k.left[p->index], e);
    }
    if (rc == CF_OK)
        rc = flip_back(j, &sel, &k, e);
    if (rc == CF_OK)
        say_what_was_done(j, &u);
    return rc;
}
