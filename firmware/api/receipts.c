/* What the identity key signs for others to keep: receipts of verified backups, and which backup is
 * the newest of them; the audit log's head. */
#include "handlers_priv.h"

#include "base/text.h"
#include "jobs/receipts.h"

enum cf_rc api_get_receipt(struct api *a, struct api_request *rq, struct api_reply *rp,
                           struct cf_err *e)
{
    struct cf_buf bytes = { 0 };
    struct json_wr w;
    enum cf_rc rc = jobs_receipt_get(a->cfg.jobs, rq->arg, &bytes, e);
    if (rc == CF_OK) {
        json_wr_init(&w, &rp->body, e);
        json_put_object(&w, NULL);
        json_put_text(&w, "jobId", rq->arg);
        json_put_base64url(&w, "receipt", bytes.data, bytes.len);
        json_close(&w);
        rc = json_wr_end(&w);
    }
    cf_buf_clear(&bytes);
    return rc;
}

enum cf_rc api_get_audit_head(struct api *a, struct api_request *rq, struct api_reply *rp,
                              struct cf_err *e)
{
    struct cf_buf bytes = { 0 };
    struct json_wr w;
    (void)rq;
    enum cf_rc rc = a->cfg.services->audit_head(a->cfg.services->ctx, &bytes, e);
    if (rc == CF_OK) {
        json_wr_init(&w, &rp->body, e);
        json_put_object(&w, NULL);
        json_put_base64url(&w, "head", bytes.data, bytes.len);
        json_close(&w);
        rc = json_wr_end(&w);
    }
    cf_buf_clear(&bytes);
    return rc;
}

static void put_verified(struct json_wr *w, const char *name, const struct jobs_verified *v)
{
    char mac[CF_HEX_SIZE(sizeof v->mac)];
    cf_hex(v->mac, sizeof v->mac, mac);
    json_put_object(w, name);
    json_put_text(w, "jobId", v->job);
    json_put_text(w, "storageResourceUri", v->uri);
    json_put_text(w, "folder", v->folder);
    json_put_int(w, "verifiedTime", v->at_s);
    json_put_bool(w, "whole", v->whole);
    json_put_int(w, "createdTime", (int64_t)v->created_s);
    json_put_int(w, "seq", (int64_t)v->seq);
    json_put_text(w, "manifestMac", mac);
    json_close(w);
}

struct cover_out {
    struct json_wr *w;
    bool begun;
};

static enum cf_rc put_line(void *ctx, const struct jobs_cover *c, struct cf_err *e)
{
    static const char *const names[] = { "", "inside", "outside", "missing" };
    struct cover_out *o = ctx;
    (void)e;
    if (!o->begun)
        json_put_array(o->w, "coverage");
    o->begun = true;
    json_put_object(o->w, NULL);
    json_put_text(o->w, "what", c->what);
    json_put_text(o->w, "state", names[c->state & 3]);
    json_put_text(o->w, "why", c->why[0] ? c->why : NULL);
    json_close(o->w);
    return CF_OK;
}

void api_put_cover(struct api *a, struct json_wr *w, const char *job)
{
    struct cover_out o = { .w = w };
    enum cf_rc rc = jobs_cover_each(a->cfg.jobs, job, put_line, &o, w->e);
    if (o.begun)
        json_close(w);
    if (rc != CF_OK && w->rc == CF_OK)
        w->rc = rc;
}

/* For monitoring: null while no backup was verified whole. */
enum cf_rc api_get_verified(struct api *a, struct api_request *rq, struct api_reply *rp,
                            struct cf_err *e)
{
    struct jobs_verified v;
    struct json_wr w;
    struct cf_err why = { 0 };
    (void)rq;
    enum cf_rc rc = jobs_newest_verified(a->cfg.jobs, NULL, &v, &why);
    if (rc != CF_OK && rc != CF_E_ABSENT) {
        *e = why;
        return rc;
    }
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    if (rc == CF_OK)
        put_verified(&w, "newest", &v);
    else
        json_put_null(&w, "newest");
    json_close(&w);
    return json_wr_end(&w);
}
