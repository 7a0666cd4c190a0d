#include <string.h>

#include "bundle_priv.h"
#include "crypto/pkey.h"
#include "handlers_priv.h"

/* Every call of the key store that answers with one bundle ends so. */
static enum cf_rc answer(struct api *a, const struct api_request *rq, struct keystore_bundle *b,
                         struct api_reply *rp, struct cf_err *e)
{
    enum cf_rc rc = api_reply_bundle(a, rq, b, rp, e);
    keystore_bundle_clear(b);
    return rc;
}

static enum cf_rc read_size(const struct json *body, struct hal_key_spec *s, struct cf_err *e)
{
    int64_t bits = s->type == HAL_RSA ? 2048 : 256;
    int64_t exponent = 65537;
    struct json_range any = { 0, 65536 };
    struct json_range odd = { 3, UINT32_MAX };
    enum cf_rc rc = json_opt_int(body, "key_size", any, &bits, e);
    if (rc == CF_OK && s->type == HAL_RSA)
        rc = json_opt_int(body, "public_exponent", odd, &exponent, e);
    if (rc != CF_OK)
        return rc;
    bool fine = s->type == HAL_RSA ? bits == 2048 || bits == 3072 || bits == 4096
                                   : bits == 128 || bits == 192 || bits == 256;
    if (!fine)
        return API_BAD(e, "key_size must be %s",
                       s->type == HAL_RSA ? "2048, 3072 or 4096" : "128, 192 or 256");
    if (exponent % 2 == 0)
        return API_BAD(e, "public_exponent must be odd");
    s->bits = (uint32_t)bits;
    s->rsa_exponent = s->type == HAL_RSA ? (uint32_t)exponent : 0;
    return CF_OK;
}

static enum cf_rc read_curve(const struct json *key, struct hal_key_spec *s, struct cf_err *e)
{
    const char *name = "P-256";
    enum cf_rc rc = json_opt_text(key, "crv", &name, e);
    if (rc == CF_OK && !crypto_curve_from_name(name, &s->curve))
        return API_BAD(e, "crv must be P-256, P-256K, P-384 or P-521");
    return rc;
}

static enum cf_rc read_spec(const struct json *body, struct hal_key_spec *s, struct cf_err *e)
{
    enum cf_rc rc = api_kty_read(body, &s->type, e);
    if (rc != CF_OK)
        return rc;
    return s->type == HAL_EC ? read_curve(body, s, e) : read_size(body, s, e);
}

/* API document 1.6: the service's own words. */
static enum cf_rc check_policy(const struct keystore_attrs *a, struct cf_err *e)
{
    if ((a->given & KEYSTORE_GIVEN_POLICY) && !a->exportable)
        return API_BAD(e, "Non-exportable keys must not have release policy");
    return CF_OK;
}

enum cf_rc api_post_key_create(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct json *body = NULL;
    struct api_attrs attrs = { 0 };
    struct keystore_new n = { 0 };
    struct keystore_bundle b = { 0 };
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = read_spec(body, &n.spec, e);
    if (rc == CF_OK)
        rc = api_attrs_read(body, body, &attrs, e);
    if (rc == CF_OK)
        rc = check_policy(&attrs.a, e);
    n.attrs = attrs.a;
    if (rc == CF_OK)
        rc = keystore_create(ks, rq->key, &n, &b, e);
    if (rc == CF_OK)
        rc = answer(a, rq, &b, rp, e);
    api_attrs_clear(&attrs);
    json_free(body);
    return rc;
}

enum cf_rc api_patch_key(struct api *a, struct api_request *rq, struct api_reply *rp,
                         struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct json *body = NULL;
    struct api_attrs attrs = { 0 };
    struct keystore_bundle b = { 0 };
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = api_attrs_read(body, body, &attrs, e);
    if (rc == CF_OK)
        rc = keystore_update(ks, rq->key, rq->version, &attrs.a, &b, e);
    if (rc == CF_OK)
        rc = answer(a, rq, &b, rp, e);
    api_attrs_clear(&attrs);
    json_free(body);
    return rc;
}

enum cf_rc api_get_key(struct api *a, struct api_request *rq, struct api_reply *rp,
                       struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct keystore_bundle b = { 0 };
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = keystore_get(ks, rq->key, rq->version, &b, e);
    return rc == CF_OK ? answer(a, rq, &b, rp, e) : rc;
}

enum cf_rc api_get_deleted_key(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct keystore_bundle b = { 0 };
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = keystore_get_deleted(ks, rq->key, &b, e);
    return rc == CF_OK ? answer(a, rq, &b, rp, e) : rc;
}

enum cf_rc api_delete_key(struct api *a, struct api_request *rq, struct api_reply *rp,
                          struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct keystore_bundle b = { 0 };
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = keystore_delete(ks, rq->key, &b, e);
    return rc == CF_OK ? answer(a, rq, &b, rp, e) : rc;
}

enum cf_rc api_post_key_recover(struct api *a, struct api_request *rq, struct api_reply *rp,
                                struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct keystore_bundle b = { 0 };
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = keystore_recover(ks, rq->key, &b, e);
    return rc == CF_OK ? answer(a, rq, &b, rp, e) : rc;
}

enum cf_rc api_delete_deleted_key(struct api *a, struct api_request *rq, struct api_reply *rp,
                                  struct cf_err *e)
{
    struct keystore *ks = NULL;
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = keystore_purge(ks, rq->key, e);
    if (rc == CF_OK)
        rc = access_refresh(a->cfg.access, e); /* the assignments at that key went with it */
    if (rc == CF_OK)
        rp->status = 204;
    return rc;
}

enum cf_rc api_post_key_backup(struct api *a, struct api_request *rq, struct api_reply *rp,
                               struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct cf_buf jwe = { 0 };
    struct json_wr w;
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = keystore_backup(ks, rq->key, &jwe, e);
    if (rc == CF_OK) {
        json_wr_init(&w, &rp->body, e);
        json_put_object(&w, NULL);
        json_put_base64url(&w, "value", jwe.data, jwe.len);
        json_close(&w);
        rc = json_wr_end(&w);
    }
    cf_buf_clear(&jwe);
    return rc;
}

enum cf_rc api_post_key_restore(struct api *a, struct api_request *rq, struct api_reply *rp,
                                struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct json *body = NULL;
    struct cf_buf jwe = { 0 };
    struct keystore_bundle b = { 0 };
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = json_get_base64(body, "value", API_BODY_MAX, &jwe, e);
    if (rc == CF_OK)
        rc = keystore_restore(ks, jwe.data, jwe.len, &b, e);
    if (rc == CF_OK)
        rc = answer(a, rq, &b, rp, e);
    cf_buf_clear(&jwe);
    json_free(body);
    return rc;
}

/* Only a confidential-computing attestation service could vouch for the target (2.1). */
enum cf_rc api_post_key_release(struct api *a, struct api_request *rq, struct api_reply *rp,
                                struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct keystore_bundle b = { 0 };
    (void)rp;
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = keystore_get(ks, rq->key, rq->version, &b, e);
    keystore_bundle_clear(&b);
    if (rc != CF_OK)
        return rc;
    return cf_err_code(
        e, CF_FAIL(e, CF_E_DENIED, "Target environment attestation statement cannot be verified."),
        "Forbidden");
}
