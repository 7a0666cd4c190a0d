#include <string.h>

#include "api/rotation.h"
#include "bundle_priv.h"
#include "handlers_priv.h"

static int64_t now_s(struct api *a)
{
    return hal_clock_unix_ms(a->cfg.clock) / 1000;
}

static enum cf_rc load(struct keystore *ks, const char *key, struct api_rotation *out,
                       struct cf_err *e)
{
    struct cf_buf json = { 0 };
    enum cf_rc rc = keystore_rotation_get(ks, key, &json, e);
    if (rc == CF_OK)
        rc = api_rotation_load(json.data, json.len, out, e);
    cf_buf_clear(&json);
    return rc;
}

/* The policy with its id in front; a key without one answers a blank policy. */
static enum cf_rc answer(const struct api_request *rq, const char *name,
                         const struct api_rotation *p, struct api_reply *rp, struct cf_err *e)
{
    struct cf_buf text = { 0 };
    struct json *root = NULL;
    struct json_wr w;
    enum cf_rc rc = api_rotation_store(p, &text, e);
    if (rc == CF_OK)
        rc = json_parse(text.data, text.len, NULL, &root, e);
    if (rc == CF_OK) {
        json_wr_init(&w, &rp->body, e);
        json_put_object(&w, NULL);
        api_put_url(&w, rq, "id", "/keys/%s/rotationpolicy", name);
        for (const struct json *m = json_first(root); m; m = json_next(m))
            json_put_value(&w, json_name(m), m);
        json_close(&w);
        rc = json_wr_end(&w);
    }
    json_free(root);
    cf_buf_clear(&text);
    return rc;
}

enum cf_rc api_get_rotation(struct api *a, struct api_request *rq, struct api_reply *rp,
                            struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct api_rotation p;
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = load(ks, rq->key, &p, e);
    return rc == CF_OK ? answer(rq, rq->key, &p, rp, e) : rc;
}

/* Keeps the date of the policy's beginning; a blank one removes it. */
static enum cf_rc replace(struct api *a, struct keystore *ks, const char *key,
                          struct api_rotation *p, struct cf_err *e)
{
    struct api_rotation old;
    struct cf_buf text = { 0 };
    const char *json = "";
    enum cf_rc rc = load(ks, key, &old, e);
    if (rc == CF_OK && !api_rotation_blank(p)) {
        p->updated_s = now_s(a);
        p->created_s = old.created_s ? old.created_s : p->updated_s;
        rc = api_rotation_store(p, &text, e);
        if (rc == CF_OK)
            rc = cf_buf_text(&text, &json, e);
    } else if (rc == CF_OK) {
        *p = (struct api_rotation){ .when = API_ROTATE_NEVER };
    }
    if (rc == CF_OK)
        rc = keystore_rotation_set(ks, key, json, e);
    cf_buf_clear(&text);
    return rc;
}

enum cf_rc api_put_rotation(struct api *a, struct api_request *rq, struct api_reply *rp,
                            struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct json *body = NULL;
    struct api_rotation p;
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = api_rotation_read(body, &p, e);
    if (rc == CF_OK)
        rc = replace(a, ks, rq->key, &p, e);
    if (rc == CF_OK)
        rc = answer(rq, rq->key, &p, rp, e);
    json_free(body);
    return rc;
}

enum cf_rc api_post_key_rotate(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct keystore_bundle b = { 0 };
    struct api_rotation p;
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = load(ks, rq->key, &p, e);
    if (rc == CF_OK)
        rc = keystore_rotate(ks, rq->key, api_rotation_expiry(&p, now_s(a)), &b, e);
    if (rc == CF_OK)
        rc = api_reply_bundle(a, rq, &b, rp, e);
    keystore_bundle_clear(&b);
    return rc;
}
