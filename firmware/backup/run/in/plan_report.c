#include "plan_priv.h"
#include "run_priv.h"

#include <stdlib.h>
#include <string.h>

#include "cbor/cbor.h"
#include "jobs/receipts.h"

static enum cf_rc put_text(struct cf_buf *b, const char *text, struct cf_err *e)
{
    uint8_t len = (uint8_t)strnlen(text, UINT8_MAX);
    enum cf_rc rc = cf_buf_put(b, &len, 1, e);
    return rc == CF_OK ? cf_buf_put(b, text, len, e) : rc;
}

enum cf_rc plan_add(struct plan_report *p, const struct run_plan_item *item, struct cf_err *e)
{
    const uint8_t head[] = { (uint8_t)item->thing, (uint8_t)item->change };
    p->plan.count[item->thing][item->change]++;
    if (item->change == RUN_SAME)
        return CF_OK;
    p->plan.cut |= p->plan.items >= PLAN_ITEMS_MAX || p->items.len >= PLAN_BYTES_MAX;
    if (p->plan.cut)
        return CF_OK;
    p->plan.items++;
    enum cf_rc rc = cf_buf_put(&p->items, head, sizeof head, e);
    if (rc == CF_OK)
        rc = put_text(&p->items, item->name, e);
    return rc == CF_OK ? put_text(&p->items, item->note, e) : rc;
}

static void take_text(struct cf_rd *r, char out[UINT8_MAX + 1])
{
    const uint8_t *len = cf_rd_bytes(r, 1);
    const uint8_t *text = len ? cf_rd_bytes(r, *len) : NULL;
    out[0] = 0;
    if (!text)
        return;
    memcpy(out, text, *len);
    out[*len] = 0;
}

static enum cf_rc tell_items(struct cf_rd r, run_plan_fn *each, void *ctx, struct cf_err *e)
{
    char name[UINT8_MAX + 1], note[UINT8_MAX + 1];
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && r.left) {
        const uint8_t *head = cf_rd_bytes(&r, 2);
        take_text(&r, name);
        take_text(&r, note);
        if (!head || head[0] >= RUN_THINGS || head[1] >= RUN_CHANGES)
            return CF_FAIL(e, CF_E_CORRUPT, "the kept plan is damaged");
        const struct run_plan_item item = { .thing = (enum run_thing)head[0],
                                            .change = (enum run_change)head[1],
                                            .name = name,
                                            .note = note };
        rc = each(ctx, &item, e);
    }
    return rc;
}

/* --- kept with the job's record: [folder, key, moment, [counts], versions lost, back, items, cut,
 * MAC of the manifest, flips, store's counter, the items] */

enum cf_rc plan_keep(struct job *j, const struct plan_report *p, struct cf_err *e)
{
    const struct run_plan *plan = &p->plan;
    struct cf_buf report = { 0 };
    struct cbor_wr w;
    cbor_wr_init(&w, &report, e);
    cbor_wr_array(&w, 12);
    cbor_wr_text(&w, plan->folder);
    cbor_wr_text(&w, plan->key);
    cbor_wr_uint(&w, (uint64_t)plan->backup_s);
    cbor_wr_array(&w, (size_t)RUN_THINGS * RUN_CHANGES);
    for (size_t i = 0; i < (size_t)RUN_THINGS * RUN_CHANGES; i++)
        cbor_wr_uint(&w, plan->count[i / RUN_CHANGES][i % RUN_CHANGES]);
    cbor_wr_uint(&w, plan->versions_lost);
    cbor_wr_uint(&w, plan->versions_back);
    cbor_wr_uint(&w, plan->items);
    cbor_wr_bool(&w, plan->cut);
    cbor_wr_bytes(&w, plan->mac, sizeof plan->mac);
    cbor_wr_uint(&w, plan->flips);
    cbor_wr_uint(&w, plan->counter);
    cbor_wr_bytes(&w, p->items.data, p->items.len);
    enum cf_rc rc = cbor_wr_end(&w);
    if (rc == CF_OK)
        rc = jobs_report_keep(j->r->o.jobs, &j->record, &report, e);
    cf_buf_clear(&report);
    return cf_err_ctx(e, rc, "keeping the plan");
}

/* `*items` borrows from the report. */
static enum cf_rc decode(const struct cf_buf *report, struct run_plan *out, struct cf_rd *items,
                         struct cf_err *e)
{
    struct cbor_rd r;
    size_t len = 0;
    cbor_rd_init(&r, report->data, report->len, e);
    if (cbor_rd_array(&r, 12) != 12)
        cbor_rd_refuse(&r, "a plan has twelve members");
    cbor_rd_string(&r, out->folder, sizeof out->folder);
    cbor_rd_string(&r, out->key, sizeof out->key);
    out->backup_s = (int64_t)cbor_rd_uint(&r, INT64_MAX);
    if (cbor_rd_array(&r, (size_t)RUN_THINGS * RUN_CHANGES) != (size_t)RUN_THINGS * RUN_CHANGES)
        cbor_rd_refuse(&r, "a plan has other counts");
    for (size_t i = 0; i < (size_t)RUN_THINGS * RUN_CHANGES; i++)
        out->count[i / RUN_CHANGES][i % RUN_CHANGES] = cbor_rd_uint(&r, UINT64_MAX);
    out->versions_lost = cbor_rd_uint(&r, UINT64_MAX);
    out->versions_back = cbor_rd_uint(&r, UINT64_MAX);
    out->items = cbor_rd_uint(&r, PLAN_ITEMS_MAX);
    out->cut = cbor_rd_bool(&r);
    cbor_rd_fixed(&r, out->mac, sizeof out->mac);
    out->flips = cbor_rd_uint(&r, UINT64_MAX);
    out->counter = cbor_rd_uint(&r, UINT64_MAX);
    const uint8_t *bytes = cbor_rd_bytes(&r, JOBS_REPORT_MAX, &len);
    *items = cf_rd_of(bytes, len);
    return cbor_rd_end(&r);
}

enum cf_rc plan_holds(struct job *j, const struct manifest *m, struct cf_err *e)
{
    struct run_plan p;
    struct store_selector sel;
    struct cf_err err = { 0 };
    const char *why = NULL;
    if (!j->choices.plan[0])
        return CF_OK;
    enum cf_rc rc = run_plan_report(j->r, j->choices.plan, &p, NULL, NULL, &err);
    store_live_selector(j->r->o.live, &sel);
    if (rc == CF_E_ABSENT)
        why = "that plan is not kept any more: only the last one is";
    else if (rc != CF_OK)
        return cf_err_set(e, rc, err.src, err.native, err.where, "%s", err.text);
    else if (!cf_equal(p.mac, m->mac, sizeof p.mac))
        why = "the backup in the folder is not the one that was planned";
    else if (strcmp(p.key, j->key) != 0)
        why = "the plan is of another restore";
    else if (!j->key[0] && (p.flips != sel.flips || p.counter != undo_store_counter(j->r)))
        why = "the key store has changed since the plan";
    return why ? cf_err_code(e, CF_FAIL(e, CF_E_STATE, "%s; plan again", why), "Conflict") : CF_OK;
}

void plan_free(struct plan_report *p)
{
    if (!p)
        return;
    cf_buf_clear(&p->items);
    free(p);
}

enum cf_rc run_plan_report(struct run *r, const char *job_id, struct run_plan *out,
                           run_plan_fn *each, void *ctx, struct cf_err *e)
{
    struct cf_buf report = { 0 };
    struct jobs_record rec = { .id = "" };
    struct cf_rd items;
    *out = (struct run_plan){ 0 };
    enum cf_rc rc = jobs_report_get(r->o.jobs, job_id, &rec, &report, e);
    if (rc == CF_OK && (rec.kind != JOBS_PLAN || rec.state != JOBS_SUCCEEDED))
        rc = cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "that job is no plan, or has not succeeded"),
                         "NotFound");
    if (rc == CF_OK)
        rc = decode(&report, out, &items, e);
    memcpy(out->job, rec.id, sizeof out->job);
    if (rc == CF_OK && each)
        rc = tell_items(items, each, ctx, e);
    cf_buf_clear(&report);
    return rc;
}
