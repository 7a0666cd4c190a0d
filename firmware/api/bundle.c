#include "bundle_priv.h"

#include <string.h>

#include "crypto/pkey.h"

/* In the order that the real service answers with for RSA keys. */
static const struct {
    const char *name;
    unsigned op;
} ops[] = {
    { "wrapKey", KEYSTORE_WRAP },    { "decrypt", KEYSTORE_DECRYPT },
    { "encrypt", KEYSTORE_ENCRYPT }, { "unwrapKey", KEYSTORE_UNWRAP },
    { "sign", KEYSTORE_SIGN },       { "verify", KEYSTORE_VERIFY },
    { "import", KEYSTORE_IMPORT },   { "export", KEYSTORE_EXPORT },
};

static enum cf_rc read_ops(const struct json *v, struct api_attrs *out, struct cf_err *e)
{
    const struct json *list = NULL;
    enum cf_rc rc = json_opt_array(v, "key_ops", &list, e);
    if (rc != CF_OK || !list)
        return rc;
    for (const struct json *c = json_first(list); c; c = json_next(c)) {
        const char *name = json_text(c);
        size_t i = 0;
        while (i < sizeof ops / sizeof ops[0] && (!name || strcmp(ops[i].name, name) != 0))
            i++;
        if (i == sizeof ops / sizeof ops[0])
            return API_BAD(e, "key_ops has a value that is no key operation");
        out->a.ops |= ops[i].op;
    }
    if (out->a.ops) /* clients send an empty list for "the default" */
        out->a.given |= KEYSTORE_GIVEN_OPS;
    return CF_OK;
}

static enum cf_rc read_time(const struct json *v, const char *name, unsigned bit, uint64_t *to,
                            struct api_attrs *out, struct cf_err *e)
{
    int64_t t = -1;
    struct json_range range = { 0, (int64_t)1 << 40 };
    enum cf_rc rc = json_opt_int(v, name, range, &t, e);
    if (rc != CF_OK || t < 0)
        return rc;
    *to = (uint64_t)t;
    out->a.given |= bit;
    return CF_OK;
}

static enum cf_rc read_attributes(const struct json *body, struct api_attrs *out, struct cf_err *e)
{
    const struct json *v = NULL;
    enum cf_rc rc = json_opt_object(body, "attributes", &v, e);
    if (rc != CF_OK || !v)
        return rc;
    const struct json *m = json_member(v, "enabled");
    if (m && json_type_of(m) != JSON_NULL)
        out->a.given |= KEYSTORE_GIVEN_ENABLED;
    m = json_member(v, "exportable");
    if (m && json_type_of(m) != JSON_NULL)
        out->a.given |= KEYSTORE_GIVEN_EXPORTABLE;
    rc = json_opt_bool(v, "enabled", &out->a.enabled, e);
    if (rc == CF_OK)
        rc = json_opt_bool(v, "exportable", &out->a.exportable, e);
    if (rc == CF_OK)
        rc = read_time(v, "nbf", KEYSTORE_GIVEN_NBF, &out->a.nbf, out, e);
    if (rc == CF_OK)
        rc = read_time(v, "exp", KEYSTORE_GIVEN_EXP, &out->a.exp, out, e);
    return rc;
}

static enum cf_rc read_tags(const struct json *body, struct api_attrs *out, struct cf_err *e)
{
    const struct json *v = NULL;
    enum cf_rc rc = json_opt_object(body, "tags", &v, e);
    if (rc != CF_OK || !v)
        return rc;
    for (const struct json *c = json_first(v); rc == CF_OK && c; c = json_next(c)) {
        const char *value = json_text(c);
        if (!value)
            return API_BAD(e, "A tag's value must be a string");
        rc = keystore_tags_add(&out->tags, json_name(c), value, e);
    }
    out->a.tags = &out->tags;
    out->a.given |= KEYSTORE_GIVEN_TAGS;
    return rc;
}

static enum cf_rc read_policy(const struct json *body, struct api_attrs *out, struct cf_err *e)
{
    const struct json *v = NULL;
    const char *type = "application/json; charset=utf-8";
    enum cf_rc rc = json_opt_object(body, "release_policy", &v, e);
    if (rc != CF_OK || !v)
        return rc;
    rc = json_opt_text(v, "contentType", &type, e);
    if (rc == CF_OK && (!*type || strlen(type) >= sizeof out->policy.content_type))
        return API_BAD(e, "release_policy.contentType must have 1 to 255 bytes");
    if (rc == CF_OK)
        rc = json_opt_bool(v, "immutable", &out->policy.immutable, e);
    if (rc == CF_OK)
        rc = json_get_base64(v, "data", KEYSTORE_POLICY_MAX, &out->policy.data, e);
    if (rc != CF_OK)
        return rc;
    memcpy(out->policy.content_type, type, strlen(type) + 1);
    out->a.policy = &out->policy;
    out->a.given |= KEYSTORE_GIVEN_POLICY;
    return CF_OK;
}

enum cf_rc api_attrs_read(const struct json *body, const struct json *ops_of, struct api_attrs *out,
                          struct cf_err *e)
{
    enum cf_rc rc = read_ops(ops_of, out, e);
    if (rc == CF_OK)
        rc = read_attributes(body, out, e);
    if (rc == CF_OK)
        rc = read_tags(body, out, e);
    if (rc == CF_OK)
        rc = read_policy(body, out, e);
    return rc;
}

void api_attrs_clear(struct api_attrs *a)
{
    keystore_tags_clear(&a->tags);
    keystore_policy_clear(&a->policy);
    *a = (struct api_attrs){ 0 };
}

enum cf_rc api_kty_read(const struct json *key, enum hal_key_type *out, struct cf_err *e)
{
    static const struct {
        const char *name;
        enum hal_key_type type;
    } types[] = { { "RSA", HAL_RSA },   { "RSA-HSM", HAL_RSA }, { "EC", HAL_EC },
                  { "EC-HSM", HAL_EC }, { "oct", HAL_OCT },     { "oct-HSM", HAL_OCT } };
    const char *kty = NULL;
    enum cf_rc rc = json_get_text(key, "kty", &kty, e);
    if (rc != CF_OK)
        return rc;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, kty) == 0) {
            *out = types[i].type;
            return CF_OK;
        }
    return API_BAD(e, "kty must be RSA-HSM, EC-HSM or oct-HSM");
}

/* API document 4.4: how a deleted key goes. */
static const char *recovery_level(const struct api_hsm_facts *f)
{
    if (f->retention_days == 90)
        return f->purge_protection ? "Recoverable" : "Recoverable+Purgeable";
    return f->purge_protection ? "CustomizedRecoverable" : "CustomizedRecoverable+Purgeable";
}

static void put_attributes(struct api *a, struct json_wr *w, const struct keystore_version *v)
{
    struct api_hsm_facts f = { 0 };
    a->cfg.services->facts(a->cfg.services->ctx, &f);
    json_put_object(w, "attributes");
    json_put_bool(w, "enabled", v->enabled);
    if (v->has_nbf)
        json_put_int(w, "nbf", (int64_t)v->nbf);
    if (v->has_exp)
        json_put_int(w, "exp", (int64_t)v->exp);
    json_put_int(w, "created", (int64_t)v->created);
    json_put_int(w, "updated", (int64_t)v->updated);
    json_put_text(w, "recoveryLevel", recovery_level(&f));
    json_put_int(w, "recoverableDays", f.retention_days);
    json_put_bool(w, "exportable", v->exportable);
    if (f.platform[0])
        json_put_text(w, "hsmPlatform", f.platform);
    json_close(w);
}

static void put_tags(struct json_wr *w, const struct keystore_tags *t)
{
    if (!t->count)
        return;
    json_put_object(w, "tags");
    for (size_t i = 0; i < t->count; i++)
        json_put_text(w, t->tag[i].name, t->tag[i].value);
    json_close(w);
}

static enum cf_rc put_public(struct json_wr *w, const struct keystore_version *v, struct cf_err *e)
{
    static const char *const kty[] = {
        [HAL_RSA] = "RSA-HSM", [HAL_EC] = "EC-HSM", [HAL_OCT] = "oct-HSM"
    };
    struct crypto_pub pub;
    json_put_text(w, "kty", kty[v->spec.type]);
    if (v->spec.type == HAL_OCT)
        return CF_OK;
    enum cf_rc rc = keystore_public(v, &pub, e);
    if (rc != CF_OK)
        return rc;
    if (pub.type == HAL_RSA) {
        json_put_base64url(w, "n", pub.n, pub.n_len);
        json_put_base64url(w, "e", pub.e, pub.e_len);
        return CF_OK;
    }
    size_t width = crypto_curve_bytes(pub.curve);
    json_put_text(w, "crv", crypto_curve_name(pub.curve));
    json_put_base64url(w, "x", pub.x, width);
    json_put_base64url(w, "y", pub.y, width);
    return CF_OK;
}

static void put_ops(struct json_wr *w, const struct keystore_version *v)
{
    const size_t n = sizeof ops / sizeof ops[0];
    json_put_array(w, "key_ops");
    for (size_t i = 0; i < n; i++) {
        size_t at =
            v->spec.type == HAL_EC ? n - 1 - i : i; /* the service has "verify" first there */
        if (v->ops & ops[at].op)
            json_put_text(w, NULL, ops[at].name);
    }
    json_close(w);
}

static enum cf_rc put_key(const struct api_request *rq, struct json_wr *w,
                          const struct keystore_bundle *b, struct cf_err *e)
{
    json_put_object(w, "key");
    api_put_url(w, rq, "kid", "/keys/%s/%s", b->key.name, b->version.id);
    put_ops(w, &b->version);
    enum cf_rc rc = put_public(w, &b->version, e);
    json_close(w);
    return rc;
}

static void put_deleted(const struct api_request *rq, struct json_wr *w,
                        const struct keystore_key *k)
{
    if (!k->deleted)
        return;
    api_put_url(w, rq, "recoveryId", "/deletedkeys/%s", k->name);
    json_put_int(w, "deletedDate", (int64_t)k->deleted);
    json_put_int(w, "scheduledPurgeDate", (int64_t)k->purge_at);
}

static void put_policy(struct json_wr *w, const struct keystore_policy *p)
{
    if (!p->content_type[0])
        return;
    json_put_object(w, "release_policy");
    json_put_text(w, "contentType", p->content_type);
    json_put_base64url(w, "data", p->data.data, p->data.len);
    json_put_bool(w, "immutable", p->immutable);
    json_close(w);
}

enum cf_rc api_reply_bundle(struct api *a, const struct api_request *rq,
                            const struct keystore_bundle *b, struct api_reply *rp, struct cf_err *e)
{
    struct json_wr w;
    json_wr_init(&w, &rp->body, e);
    json_put_object(&w, NULL);
    enum cf_rc rc = put_key(rq, &w, b, e);
    put_attributes(a, &w, &b->version);
    put_tags(&w, &b->version.tags);
    put_policy(&w, &b->version.policy);
    put_deleted(rq, &w, &b->key);
    json_close(&w);
    enum cf_rc end = json_wr_end(&w);
    return rc != CF_OK ? rc : end;
}

void api_put_item(struct api *a, const struct api_request *rq, struct json_wr *w,
                  const struct keystore_bundle *b, bool versioned)
{
    json_put_object(w, NULL);
    if (versioned)
        api_put_url(w, rq, "kid", "/keys/%s/%s", b->key.name, b->version.id);
    else
        api_put_url(w, rq, "kid", "/keys/%s", b->key.name);
    put_attributes(a, w, &b->version);
    put_tags(w, &b->version.tags);
    put_deleted(rq, w, &b->key);
    json_close(w);
}
