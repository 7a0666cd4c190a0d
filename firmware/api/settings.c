#include "access/settings.h"
#include "handlers_priv.h"

static void put_setting(struct json_wr *w, const struct access_setting *s)
{
    json_put_object(w, NULL);
    json_put_text(w, "name", s->name);
    json_put_text(w, "value", s->value ? "true" : "false"); /* always text (2.6) */
    json_put_text(w, "type", "boolean");
    json_close(w);
}

static enum cf_rc each(void *ctx, const struct access_setting *s, struct cf_err *e)
{
    (void)e;
    put_setting(ctx, s);
    return CF_OK;
}

enum cf_rc api_get_settings(struct api *a, struct api_request *rq, struct api_reply *rp,
                            struct cf_err *e)
{
    struct json_wr w;
    (void)rq;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_array(&w, "settings");
    enum cf_rc rc = access_settings(a->cfg.access, each, &w, e);
    json_close(&w);
    json_close(&w);
    enum cf_rc end = json_wr_end(&w);
    return rc != CF_OK ? rc : end;
}

static enum cf_rc answer(const struct access_setting *s, struct api_reply *rp, struct cf_err *e)
{
    struct json_wr w;
    json_wr_init(&w, &rp->body, e);
    put_setting(&w, s);
    return json_wr_end(&w);
}

enum cf_rc api_get_setting(struct api *a, struct api_request *rq, struct api_reply *rp,
                           struct cf_err *e)
{
    struct access_setting s;
    enum cf_rc rc = access_setting_get(a->cfg.access, rq->arg, &s, e);
    return rc == CF_OK ? answer(&s, rp, e) : rc;
}

enum cf_rc api_patch_setting(struct api *a, struct api_request *rq, struct api_reply *rp,
                             struct cf_err *e)
{
    struct json *body = NULL;
    const char *value = NULL;
    struct access_setting s;
    enum cf_rc rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = json_get_text(body, "value", &value, e);
    if (rc == CF_OK)
        rc = access_setting_put(a->cfg.access, rq->arg, value, &s, e);
    if (rc == CF_OK)
        rc = answer(&s, rp, e);
    json_free(body);
    return rc;
}
