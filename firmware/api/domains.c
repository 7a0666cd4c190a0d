#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/cert.h"
#include "handlers_priv.h"

#define OFFICERS_MIN 3
#define QUORUM_MIN   2
#define PENDING_PATH "/securitydomain/%s/pending"

static void officers_clear(struct api_officers *o)
{
    for (size_t i = 0; i < API_OFFICERS_MAX; i++)
        cf_buf_clear(&o->der[i]);
}

/* The JWK beside the certificate is only a second telling: it must say the same. */
static enum cf_rc compare_jwk(const struct json *jwk, const struct crypto_cert *c, struct cf_err *e)
{
    struct cf_buf v = { 0 };
    enum cf_rc rc = json_opt_base64(jwk, "n", CRYPTO_RSA_BITS_MAX / 8 + 1, &v, e);
    size_t skip = v.len && !v.data[0] ? 1 : 0;
    if (rc == CF_OK && v.len &&
        (v.len - skip != c->pub.n_len || !cf_equal(v.data + skip, c->pub.n, c->pub.n_len)))
        rc = API_BAD(e, "n of a wrapping key is not that of its certificate");
    cf_buf_clear(&v);
    if (rc == CF_OK)
        rc = json_opt_base64(jwk, "e", 8, &v, e);
    if (rc == CF_OK && v.len &&
        (v.len != c->pub.e_len || !cf_equal(v.data, c->pub.e, c->pub.e_len)))
        rc = API_BAD(e, "e of a wrapping key is not that of its certificate");
    cf_buf_clear(&v);
    if (rc == CF_OK)
        rc = json_opt_base64(jwk, "x5t#S256", 32, &v, e);
    if (rc == CF_OK && v.len && (v.len != 32 || !cf_equal(v.data, c->sha256, 32)))
        rc = API_BAD(e, "x5t#S256 of a wrapping key is not that of its certificate");
    cf_buf_clear(&v);
    return rc;
}

/* One entry of `certificates`: the JWK, or (version 7.2) the JWK inside "value". */
static enum cf_rc read_officer(const struct json *v, struct cf_buf *der, struct cf_err *e)
{
    const struct json *list = NULL;
    const struct json *inner = json_member(v, "value");
    const struct json *jwk = inner && json_type_of(inner) == JSON_OBJECT ? inner : v;
    struct crypto_cert cert;
    enum cf_rc rc = json_get_array(jwk, "x5c", &list, e);
    const char *text = rc == CF_OK && json_first(list) ? json_text(json_first(list)) : NULL;
    if (rc == CF_OK && !text)
        rc = API_BAD(e, "x5c of a wrapping key is empty");
    if (rc == CF_OK && strlen(text) > CRYPTO_CERT_MAX * 4 / 3 + 4)
        rc = API_BAD(e, "A wrapping certificate is over %d bytes", CRYPTO_CERT_MAX);
    if (rc == CF_OK)
        rc = cf_unbase64(text, strlen(text), der, e);
    if (rc == CF_OK)
        rc = crypto_cert_parse(crypto_bytes_of(der->data, der->len), &cert, e);
    if (rc == CF_OK && cert.pub.type != HAL_RSA)
        rc = API_BAD(e, "Only RSA >= 2048 is supported for wrapping keys");
    return rc == CF_OK ? compare_jwk(jwk, &cert, e) : rc;
}

static enum cf_rc check_officers(const struct api_officers *o, struct cf_err *e)
{
    for (size_t i = 0; i < o->count; i++)
        for (size_t k = i + 1; k < o->count; k++)
            if (o->der[i].len == o->der[k].len &&
                cf_equal(o->der[i].data, o->der[k].data, o->der[i].len))
                return API_BAD(e, "A wrapping certificate is given twice");
    if (o->required > o->count)
        return API_BAD(e, "The quorum of security domain (%u) is over the number of wrapping keys",
                       o->required);
    return CF_OK;
}

static enum cf_rc read_officers(const struct json *body, struct api_officers *o, struct cf_err *e)
{
    const struct json *list = NULL;
    int64_t required = QUORUM_MIN;
    struct json_range quorum = { QUORUM_MIN, API_OFFICERS_MAX };
    enum cf_rc rc = json_get_array(body, "certificates", &list, e);
    if (rc == CF_OK)
        rc = json_opt_int(body, "required", quorum, &required, e);
    if (rc == CF_OK && (json_count(list) < OFFICERS_MIN || json_count(list) > API_OFFICERS_MAX))
        rc = API_BAD(e, "The number of wrapping keys must be %d to %d", OFFICERS_MIN,
                     API_OFFICERS_MAX);
    o->required = (unsigned)required;
    for (const struct json *c = rc == CF_OK ? json_first(list) : NULL; rc == CF_OK && c;
         c = json_next(c))
        rc = read_officer(c, &o->der[o->count++], e);
    return rc == CF_OK ? check_officers(o, e) : rc;
}

/* The document is whole in this first answer: clients keep it and only wait for the end (6.3). */
enum cf_rc api_post_domain_download(struct api *a, struct api_request *rq, struct api_reply *rp,
                                    struct cf_err *e)
{
    struct json *body = NULL;
    struct api_officers officers = { 0 };
    struct cf_buf document = { 0 };
    struct json_wr w;
    enum cf_rc rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = read_officers(body, &officers, e);
    if (rc == CF_OK)
        rc = a->cfg.services->domain_download(a->cfg.services->ctx, &officers, &document, e);
    if (rc == CF_OK) {
        json_wr_init(&w, &rp->body, e);
        json_put_object(&w, NULL);
        json_put_text_n(&w, "value", document.data, document.len);
        json_close(&w);
        rc = json_wr_end(&w);
        snprintf(rp->async_path, sizeof rp->async_path, PENDING_PATH, "download");
        rp->retry_after = true;
        rp->status = 202;
    }
    cf_buf_clear(&document);
    officers_clear(&officers);
    json_free(body);
    return rc;
}

/* transfer_key is JSON inside a JSON string: what az and the SDKs parse (6.6). */
enum cf_rc api_get_domain_upload(struct api *a, struct api_request *rq, struct api_reply *rp,
                                 struct cf_err *e)
{
    struct cf_buf jwk = { 0 };
    struct json_wr w;
    (void)rq;
    enum cf_rc rc = a->cfg.services->domain_transfer_key(a->cfg.services->ctx, &jwk, e);
    if (rc == CF_OK) {
        json_wr_init(&w, &rp->body, e);
        json_put_object(&w, NULL);
        json_put_text(&w, "key_format", "jwk");
        json_put_text_n(&w, "transfer_key", jwk.data, jwk.len);
        json_close(&w);
        rc = json_wr_end(&w);
    }
    cf_buf_clear(&jwk);
    return rc;
}

static enum cf_rc put_pending(struct api *a, struct api_reply *rp, struct cf_err *e)
{
    static const char *const names[] = { [API_DOMAIN_SUCCESS] = "Success",
                                         [API_DOMAIN_IN_PROGRESS] = "InProgress",
                                         [API_DOMAIN_FAILED] = "Failed" };
    struct api_domain_status s = { 0 };
    struct json_wr w;
    a->cfg.services->domain_status(a->cfg.services->ctx, &s);
    rp->retry_after = s.state == API_DOMAIN_IN_PROGRESS;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    json_put_text(&w, "status", names[s.state]);
    json_put_text(&w, "status_details", s.details);
    json_close(&w);
    return json_wr_end(&w);
}

/* JSON text, or base64url of it (6.7). */
static enum cf_rc read_blob(const struct json *body, struct cf_buf *blob, struct cf_err *e)
{
    const char *value = NULL;
    enum cf_rc rc = json_get_text(body, "value", &value, e);
    if (rc != CF_OK)
        return rc;
    if (value[strspn(value, " \t\r\n")] == '{')
        return cf_buf_put_text(blob, value, e);
    if (cf_unbase64(value, strlen(value), blob, NULL) != CF_OK || !blob->len)
        return API_BAD(e, "value must be the text of a restore blob");
    return CF_OK;
}

enum cf_rc api_post_domain_upload(struct api *a, struct api_request *rq, struct api_reply *rp,
                                  struct cf_err *e)
{
    struct json *body = NULL;
    struct cf_buf blob = { 0 };
    enum cf_rc rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = read_blob(body, &blob, e);
    if (rc == CF_OK)
        rc = a->cfg.services->domain_upload(a->cfg.services->ctx, (const char *)blob.data, blob.len,
                                            e);
    if (rc == CF_E_AUTH || rc == CF_E_CORRUPT) /* the caller's blob, not our store */
        (void)cf_err_code(e, rc, "BadParameter");
    if (rc == CF_OK)
        rc = put_pending(a, rp, e);
    if (rc == CF_OK) {
        snprintf(rp->async_path, sizeof rp->async_path, PENDING_PATH, "upload");
        rp->retry_after = true;
        rp->status = 202;
    }
    cf_buf_clear(&blob);
    json_free(body);
    return rc;
}

enum cf_rc api_get_domain_pending(struct api *a, struct api_request *rq, struct api_reply *rp,
                                  struct cf_err *e)
{
    (void)rq;
    return put_pending(a, rp, e);
}
