#include "plan_priv.h"
#include "run_priv.h"

#include <stdlib.h>
#include <string.h>

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

static enum cf_rc tell_items(const struct cf_buf *items, run_plan_fn *each, void *ctx,
                             struct cf_err *e)
{
    struct cf_rd r = cf_rd_of(items->data, items->len);
    char name[UINT8_MAX + 1], note[UINT8_MAX + 1];
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && r.left) {
        const uint8_t *head = cf_rd_bytes(&r, 2);
        take_text(&r, name);
        take_text(&r, note);
        const struct run_plan_item item = { .thing = (enum run_thing)head[0],
                                            .change = (enum run_change)head[1],
                                            .name = name,
                                            .note = note };
        rc = each(ctx, &item, e);
    }
    return rc;
}

void plan_keep(struct job *j, struct plan_report *p)
{
    struct run *r = j->r;
    pthread_mutex_lock(&r->lock);
    struct plan_report *before = r->planned;
    r->planned = p;
    pthread_mutex_unlock(&r->lock);
    plan_free(before);
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
    struct cf_buf items = { 0 };
    enum cf_rc rc = CF_OK;
    pthread_mutex_lock(&r->lock);
    if (!r->planned || strcmp(r->planned->plan.job, job_id) != 0)
        rc = cf_err_code(
            e, CF_FAIL(e, CF_E_ABSENT, "that job is not the last plan, or it has not succeeded"),
            "NotFound");
    if (rc == CF_OK) {
        *out = r->planned->plan;
        rc = cf_buf_put(&items, r->planned->items.data, r->planned->items.len, e);
    }
    pthread_mutex_unlock(&r->lock);
    if (rc == CF_OK && each)
        rc = tell_items(&items, each, ctx, e);
    cf_buf_clear(&items);
    return rc;
}
