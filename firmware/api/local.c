#include "handlers_priv.h"

/* Each route of the local socket hands its body to the app and its answer back. */
static enum cf_rc call(struct api *a, struct api_request *rq, api_local_fn *fn,
                       struct api_reply *rp, struct cf_err *e)
{
    struct json *body = NULL;
    enum cf_rc rc = CF_OK;
    if (!fn)
        return cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "This appliance lacks that command"),
                           "NotFound");
    if (rq->body.len)
        rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = fn(a->cfg.local->ctx, body, &rp->body, e);
    if (rc == CF_OK && !rp->body.len)
        rc = cf_buf_put_text(&rp->body, "{}", e);
    rp->no_store = true;
    json_free(body);
    return rc;
}

#define LOCAL(name)                                                                                \
    enum cf_rc api_local_##name(struct api *a, struct api_request *rq, struct api_reply *rp,       \
                                struct cf_err *e)                                                  \
    {                                                                                              \
        return call(a, rq, a->cfg.local->name, rp, e);                                             \
    }

LOCAL(status)
LOCAL(create)
LOCAL(update)
LOCAL(pin)
LOCAL(add_administrator)
LOCAL(recovery)
LOCAL(token)
LOCAL(client)
LOCAL(undo)
LOCAL(cancel)
LOCAL(audit)
