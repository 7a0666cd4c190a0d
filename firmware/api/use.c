#include <string.h>

#include "alg_priv.h"
#include "handlers_priv.h"

#define RNG_MAX 128
#define CBC_IV  16

/* One key operation on its way: what the body brought, owned; cleared by use_clear. */
struct use {
    const struct api_alg *alg;
    struct cf_buf value, digest, iv, aad, tag;
    struct hal_op op;
    struct keystore_result result;
};

static void use_clear(struct use *u)
{
    cf_buf_clear(&u->value);
    cf_buf_clear(&u->digest);
    cf_buf_clear(&u->iv);
    cf_buf_clear(&u->aad);
    cf_buf_clear(&u->tag);
    keystore_result_clear(&u->result);
}

static enum cf_rc read_alg(const struct json *body, enum api_alg_use use, struct use *u,
                           struct cf_err *e)
{
    const char *name = NULL;
    enum cf_rc rc = json_get_text(body, "alg", &name, e);
    if (rc != CF_OK)
        return rc;
    u->alg = api_alg_find(name, use);
    if (!u->alg)
        return API_BAD(e, "The algorithm %.32s is not one of this operation", name);
    u->op.mech = u->alg->mech;
    u->op.hash = u->alg->hash;
    return CF_OK;
}

static enum cf_rc check_digest(const struct use *u, size_t len, struct cf_err *e)
{
    if (u->alg->digest_len && len != u->alg->digest_len)
        return API_BAD(e, "Invalid length of value: %zu bytes; %s signs a digest of %zu bytes", len,
                       u->alg->name, u->alg->digest_len);
    return CF_OK;
}

static enum cf_rc read_sign(const struct json *body, struct use *u, struct cf_err *e)
{
    enum cf_rc rc = read_alg(body, API_ALG_SIGN, u, e);
    if (rc == CF_OK)
        rc = json_get_base64(body, "value", HAL_IN_MAX, &u->value, e);
    u->op.use = HAL_SIGN;
    u->op.in = u->value.data;
    u->op.in_len = u->value.len;
    return rc == CF_OK ? check_digest(u, u->value.len, e) : rc;
}

/* Verify brings the signed digest as `digest` and the signature as `value`. */
static enum cf_rc read_verify(const struct json *body, struct use *u, struct cf_err *e)
{
    enum cf_rc rc = read_alg(body, API_ALG_SIGN, u, e);
    if (rc == CF_OK)
        rc = json_get_base64(body, "digest", HAL_IN_MAX, &u->digest, e);
    if (rc == CF_OK)
        rc = json_get_base64(body, "value", HAL_IN_MAX, &u->value, e);
    u->op.use = HAL_VERIFY;
    u->op.in = u->digest.data;
    u->op.in_len = u->digest.len;
    u->op.tag = u->value.data;
    u->op.tag_len = u->value.len;
    return rc == CF_OK ? check_digest(u, u->digest.len, e) : rc;
}

static bool opens(enum hal_use use)
{
    return use == HAL_DECRYPT || use == HAL_UNWRAP;
}

/* What must, may and must not come beside the value (API document 4.3). */
static enum cf_rc check_cipher(const struct use *u, enum hal_use use, struct cf_err *e)
{
    enum api_iv_rule rule = u->alg->iv;
    size_t want_iv = rule == API_IV_GIVEN ? CBC_IV : rule == API_IV_MADE && opens(use) ? 12 : 0;
    if (rule == API_IV_GIVEN && !opens(use) && !u->iv.len)
        want_iv = 0; /* see make_iv */
    size_t want_tag = rule == API_IV_MADE && opens(use) ? 16 : 0;
    if (rule == API_IV_MADE && !want_iv && u->iv.len)
        return API_BAD(e, "iv must not be given: the HSM makes it for %s", u->alg->name);
    if (want_iv && u->iv.len != want_iv)
        return API_BAD(e, "iv must have %zu bytes for %s", want_iv, u->alg->name);
    if (want_tag && u->tag.len != want_tag)
        return API_BAD(e, "tag must have %zu bytes for %s", want_tag, u->alg->name);
    if (u->alg->mech == HAL_AES_CBC && u->value.len % 16)
        return API_BAD(e, "value must be whole blocks of 16 bytes for %s", u->alg->name);
    return CF_OK;
}

static enum cf_rc read_cipher(const struct json *body, enum hal_use use, struct use *u,
                              struct cf_err *e)
{
    bool wraps = use == HAL_WRAP || use == HAL_UNWRAP;
    enum cf_rc rc = read_alg(body, wraps ? API_ALG_WRAP : API_ALG_ENCRYPT, u, e);
    if (rc == CF_OK)
        rc = json_get_base64(body, "value", HAL_IN_MAX, &u->value, e);
    if (rc == CF_OK)
        rc = json_opt_base64(body, "iv", 16, &u->iv, e);
    if (rc == CF_OK)
        rc = json_opt_base64(body, "aad", HAL_IN_MAX, &u->aad, e);
    if (rc == CF_OK)
        rc = json_opt_base64(body, "tag", 16, &u->tag, e);
    if (rc == CF_OK)
        rc = check_cipher(u, use, e);
    if (rc != CF_OK)
        return rc;
    u->op.use = use;
    u->op.in = u->value.data;
    u->op.in_len = u->value.len;
    if (u->alg->iv == API_IV_MADE) { /* CBC: aad may be there and is ignored */
        u->op.aad = u->aad.data;
        u->op.aad_len = u->aad.len;
        u->op.tag = u->tag.data;
        u->op.tag_len = u->tag.len;
    }
    u->op.iv = u->iv.data;
    u->op.iv_len = u->iv.len;
    return CF_OK;
}

/* The parts of a cipher that the other side needs; those that it gave come back too. */
static void put_parts(struct json_wr *w, const struct use *u)
{
    const struct hal_result *r = &u->result.r;
    if (u->alg->iv == API_IV_NONE)
        return;
    if (r->iv_len)
        json_put_base64url(w, "iv", r->iv, r->iv_len);
    else if (u->iv.len)
        json_put_base64url(w, "iv", u->iv.data, u->iv.len);
    if (r->tag_len)
        json_put_base64url(w, "tag", r->tag, r->tag_len);
    if (u->op.aad_len)
        json_put_base64url(w, "aad", u->aad.data, u->aad.len);
}

static enum cf_rc put_result(const struct api_request *rq, const struct use *u,
                             struct api_reply *rp, struct cf_err *e)
{
    struct json_wr w;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    if (u->op.use == HAL_VERIFY) {
        json_put_bool(&w, "value", cf_granted(&u->result.valid));
    } else {
        api_put_url(&w, rq, "kid", "/keys/%s/%s", u->result.name, u->result.version);
        json_put_text(&w, "alg", u->alg->name);
        json_put_base64url(&w, "value", u->result.r.out.data, u->result.r.out.len);
        put_parts(&w, u);
    }
    json_close(&w);
    return json_wr_end(&w);
}

/* One JavaScript client means to make a CBC iv for who gives none, and forgets it: made here. */
static enum cf_rc make_iv(struct api *a, enum hal_use use, struct use *u, struct cf_err *e)
{
    if (u->alg->iv != API_IV_GIVEN || opens(use) || u->iv.len)
        return CF_OK;
    enum cf_rc rc = cf_buf_resize(&u->iv, CBC_IV, e);
    if (rc == CF_OK)
        rc = hal_token_random(a->cfg.token, u->iv.data, u->iv.len, e);
    u->op.iv = u->iv.data;
    u->op.iv_len = u->iv.len;
    return rc;
}

static enum cf_rc read_use(const struct json *body, enum hal_use use, struct use *u,
                           struct cf_err *e)
{
    if (use == HAL_SIGN)
        return read_sign(body, u, e);
    if (use == HAL_VERIFY)
        return read_verify(body, u, e);
    return read_cipher(body, use, u, e);
}

static enum cf_rc run(struct api *a, struct api_request *rq, enum hal_use use, struct api_reply *rp,
                      struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct json *body = NULL;
    struct use u = { 0 };
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = read_use(body, use, &u, e);
    if (rc == CF_OK)
        rc = make_iv(a, use, &u, e);
    if (rc == CF_OK) {
        const struct keystore_use with = { .name = rq->key,
                                           .version = rq->version,
                                           .wants = u.alg->wants };
        rc = keystore_use(ks, &with, &u.op, &u.result, e);
    }
    if (rc == CF_OK)
        rc = put_result(rq, &u, rp, e);
    use_clear(&u);
    json_free(body);
    return rc;
}

enum cf_rc api_post_sign(struct api *a, struct api_request *rq, struct api_reply *rp,
                         struct cf_err *e)
{
    return run(a, rq, HAL_SIGN, rp, e);
}

enum cf_rc api_post_verify(struct api *a, struct api_request *rq, struct api_reply *rp,
                           struct cf_err *e)
{
    return run(a, rq, HAL_VERIFY, rp, e);
}

enum cf_rc api_post_encrypt(struct api *a, struct api_request *rq, struct api_reply *rp,
                            struct cf_err *e)
{
    return run(a, rq, HAL_ENCRYPT, rp, e);
}

enum cf_rc api_post_decrypt(struct api *a, struct api_request *rq, struct api_reply *rp,
                            struct cf_err *e)
{
    return run(a, rq, HAL_DECRYPT, rp, e);
}

enum cf_rc api_post_wrapkey(struct api *a, struct api_request *rq, struct api_reply *rp,
                            struct cf_err *e)
{
    return run(a, rq, HAL_WRAP, rp, e);
}

enum cf_rc api_post_unwrapkey(struct api *a, struct api_request *rq, struct api_reply *rp,
                              struct cf_err *e)
{
    return run(a, rq, HAL_UNWRAP, rp, e);
}

enum cf_rc api_post_rng(struct api *a, struct api_request *rq, struct api_reply *rp,
                        struct cf_err *e)
{
    uint8_t bytes[RNG_MAX];
    struct json *body = NULL;
    struct json_wr w;
    int64_t count = 0;
    struct json_range range = { 1, RNG_MAX };
    enum cf_rc rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = json_get_int(body, "count", range, &count, e);
    if (rc == CF_OK)
        rc = hal_token_random(a->cfg.token, bytes, (size_t)count, e);
    if (rc == CF_OK) {
        json_wr_init(&w, &rp->body, e);
        json_put_object(&w, NULL);
        json_put_base64url(&w, "value", bytes, (size_t)count);
        json_close(&w);
        rc = json_wr_end(&w);
    }
    cf_wipe(bytes, sizeof bytes);
    json_free(body);
    return rc;
}
