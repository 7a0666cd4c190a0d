#include "net_priv.h"

struct waiting {
    struct net_result *out;
    bool over;
};

static void on_done(void *ctx, struct net_result *r)
{
    struct waiting *w = ctx;
    *w->out = *r;
    *r = (struct net_result){ 0 }; /* the body moved */
    w->over = true;
}

enum cf_rc net_fetch(struct net_lane *lane, const struct net_request *req, struct net_result *r,
                     struct cf_err *e)
{
    struct waiting w = { .out = r };
    struct net_request own = *req;
    struct net_transfer *t = NULL;
    own.done = on_done;
    own.done_ctx = &w;
    *r = (struct net_result){ 0 };
    enum cf_rc rc = net_start(lane, &own, &t, e);
    while (rc == CF_OK && !w.over) {
        unsigned open;
        rc = net_lane_run(lane, 1000, &open, e);
    }
    if (rc != CF_OK) {
        if (t != NULL && !w.over)
            net_abandon(t);
        return rc;
    }
    if (r->rc != CF_OK && e != NULL && e->rc == CF_OK)
        *e = r->err;
    return r->rc;
}
