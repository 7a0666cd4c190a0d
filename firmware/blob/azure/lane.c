/* One lane to the service: operations become HTTP requests on a net lane. */
#include <stdlib.h>
#include <string.h>

#include "azure_priv.h"

static void on_done(void *ctx, struct net_result *r);

static void take_off(struct azure_op *o)
{
    if (o->next != NULL)
        o->next->prev = o->prev;
    if (o->prev != NULL)
        o->prev->next = o->next;
    else
        o->lane->open = o->next;
}

static void give_back(struct azure_op *o)
{
    struct azure_lane *lane = o->lane;
    cf_buf_clear(&o->url);
    cf_buf_clear(&o->body);
    blob_azure_list_clear(&o->list);
    *o = (struct azure_op){ .lane = lane, .next = lane->spare };
    lane->spare = o;
}

/* True when another page was asked for. */
static bool next_page(struct azure_op *o)
{
    enum cf_rc rc = blob_azure_xml_end(o->list.xml, &o->result.err);
    if (rc == CF_OK && o->list.marker[0] == '\0')
        return false;
    if (rc == CF_OK && strcmp(o->list.marker, o->last_marker) == 0)
        rc = CF_FAIL(&o->result.err, CF_E_REMOTE, "listing: the same page twice");
    if (rc == CF_OK) {
        memcpy(o->last_marker, o->list.marker, sizeof o->last_marker);
        rc = blob_azure_submit(o, on_done, &o->result.err);
    }
    if (rc != CF_OK)
        o->result.why = o->own_why != BLOB_OK ? o->own_why : BLOB_REFUSED;
    return rc == CF_OK;
}

static void tell(struct azure_op *o)
{
    struct blob_result result = o->result;
    struct blob_end end = o->op.end;
    take_off(o);
    give_back(o);
    end.done(end.ctx, &result);
}

static void on_done(void *ctx, struct net_result *r)
{
    struct azure_op *o = ctx;
    o->transfer = NULL;
    blob_azure_conclude(o, r);
    if (o->result.why != BLOB_OK || !azure_is_list(o->op.verb) || !next_page(o))
        tell(o);
}

static void copy_op(struct azure_op *o, const struct blob_op *op)
{
    o->op = *op;
    memcpy(o->name, op->name, strlen(op->name) + 1);
    o->op.name = o->name;
    if (op->etag != NULL) {
        memcpy(o->etag, op->etag, strlen(op->etag) + 1);
        o->op.etag = o->etag;
    }
    o->list.store = azure_store_of(o);
    o->list.each_block = op->each_block;
    o->list.each_name = op->each_name;
    o->list.ctx = op->ctx;
}

static enum cf_rc start(struct blob_lane *base, const struct blob_op *op, struct cf_err *e)
{
    struct azure_lane *lane = (struct azure_lane *)(void *)base;
    struct azure_op *o = lane->spare;
    if (o != NULL)
        lane->spare = o->next;
    else if ((o = calloc(1, sizeof *o)) == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a blob operation");
    o->lane = lane;
    o->next = o->prev = NULL;
    copy_op(o, op);
    enum cf_rc rc = op->verb == BLOB_DO_COMMIT ? blob_azure_commit_body(o, e) : CF_OK;
    if (rc == CF_OK)
        rc = blob_azure_submit(o, on_done, &o->result.err);
    o->op.ids = NULL; /* the caller's, read by now */
    if (rc != CF_OK && o->own_why == BLOB_OK) {
        if (e != NULL && e->rc == CF_OK)
            *e = o->result.err;
        give_back(o);
        return rc;
    }
    if (rc != CF_OK) { /* no token: an outcome like any other, told by the next run */
        o->result.why = o->own_why;
        o->stillborn = true;
        lane->nstillborn++;
    }
    o->next = lane->open;
    if (lane->open != NULL)
        lane->open->prev = o;
    lane->open = o;
    return CF_OK;
}

/* True when one was found: the list may be another one now. */
static bool tell_one_stillborn(struct azure_lane *lane)
{
    for (struct azure_op *o = lane->open; o != NULL; o = o->next) {
        if (o->stillborn) {
            lane->nstillborn--;
            tell(o);
            return true;
        }
    }
    return false;
}

static enum cf_rc run(struct blob_lane *base, int timeout_ms, unsigned *open, struct cf_err *e)
{
    struct azure_lane *lane = (struct azure_lane *)(void *)base;
    unsigned told = lane->nstillborn; /* those that their ends may add wait for the next run */
    for (unsigned i = 0; i < told; i++)
        (void)tell_one_stillborn(lane);
    enum cf_rc rc = net_lane_run(lane->net, told > 0 ? 0 : timeout_ms, open, e);
    *open += lane->nstillborn;
    return rc;
}

static void wake(struct blob_lane *base)
{
    net_lane_wake(((struct azure_lane *)(void *)base)->net);
}

static void cancel(struct blob_lane *base)
{
    struct azure_lane *lane = (struct azure_lane *)(void *)base;
    for (struct azure_op *o = lane->open; o != NULL; o = o->next)
        if (!o->stillborn)
            net_cancel(o->transfer);
}

static void lane_free(struct blob_lane *base)
{
    struct azure_lane *lane = (struct azure_lane *)(void *)base;
    net_lane_free(lane->net); /* first: it refers to the operations */
    while (lane->open != NULL) {
        struct azure_op *o = lane->open;
        take_off(o);
        give_back(o);
    }
    while (lane->spare != NULL) {
        struct azure_op *o = lane->spare;
        lane->spare = o->next;
        free(o);
    }
    free(lane);
}

enum cf_rc blob_azure_lane_new(struct blob_store *base, struct blob_lane **out, struct cf_err *e)
{
    static const struct blob_lane_ops ops = { start, run, wake, cancel, lane_free };
    struct azure_store *s = (struct azure_store *)(void *)base;
    struct azure_lane *lane = calloc(1, sizeof *lane);
    *out = NULL;
    if (lane == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a lane");
    struct net_options o = { .ca_file = s->ca_file,
                             .proxy = s->proxy,
                             .connections = s->connections,
                             .connect_timeout_ms = s->connect_timeout_ms,
                             .stall_timeout_ms = s->stall_timeout_ms };
    enum cf_rc rc = net_lane_new(&o, &lane->net, e);
    if (rc != CF_OK) {
        free(lane);
        return rc;
    }
    lane->base.ops = &ops;
    lane->base.store = base;
    *out = &lane->base;
    return CF_OK;
}
