#include "worker/serve_priv.h"

#include <string.h>

#include "base/secret.h"
#include "crypto/pkey.h"
#include "worker/user_priv.h"

/* The kind that the check value speaks of. */
enum p11_kind p11_natural_kind(const struct hal_key_spec *spec)
{
    if (spec->type == HAL_RSA)
        return P11_KIND_RSA;
    if (spec->type == HAL_EC)
        return P11_KIND_EC;
    bool aes = spec->bits == 128 || spec->bits == 192 || spec->bits == 256;
    return aes ? P11_KIND_AES : P11_KIND_HMAC;
}

static void user_shape(const struct p11_ctx *c, const struct hal_key_spec *spec, enum p11_kind kind,
                       struct p11_shape *s)
{
    bool by_encrypt =
        c->core->ways.user_kw == P11_KW_ENCRYPT || c->core->ways.user_kwp == P11_KW_ENCRYPT;
    *s = (struct p11_shape){
        .cls = CKO_SECRET_KEY, .type = CKK_AES, .sensitive = true, .value_len = spec->bits / 8
    };
    switch (kind) {
    case P11_KIND_RSA:
    case P11_KIND_EC:
        s->cls = CKO_PRIVATE_KEY;
        s->type = kind == P11_KIND_RSA ? CKK_RSA : CKK_EC;
        s->use = kind == P11_KIND_RSA ? P11_USE_SIGN | P11_USE_DECRYPT : P11_USE_SIGN;
        s->value_len = 0;
        break;
    case P11_KIND_AES:
        s->use = P11_USE_ENCRYPT | P11_USE_DECRYPT;
        break;
    case P11_KIND_AES_KW:
        s->use = P11_USE_WRAP | P11_USE_UNWRAP;
        if (by_encrypt)
            s->use |= P11_USE_ENCRYPT | P11_USE_DECRYPT;
        break;
    case P11_KIND_HMAC:
        s->type = CKK_GENERIC_SECRET;
        s->use = P11_USE_SIGN;
        break;
    }
}

/* What a token may be asked for at all; the rest is the token's to refuse. */
enum cf_rc p11_spec_check(const struct hal_key_spec *spec, struct cf_err *e)
{
    if (spec->type == HAL_RSA && (spec->bits < CRYPTO_RSA_BITS_MIN ||
                                  spec->bits > CRYPTO_RSA_BITS_MAX || spec->bits % 8 != 0))
        return CF_FAIL(e, CF_E_INPUT, "RSA keys of %u bits are not served", spec->bits);
    /* Tokens pad other lengths with zeros when they wrap them. */
    if (spec->type == HAL_OCT && (spec->bits < 128 || spec->bits > 512 || spec->bits % 64 != 0))
        return CF_FAIL(e, CF_E_INPUT, "symmetric keys of %u bits are not served", spec->bits);
    return CF_OK;
}

/* The bare public point, for the template rung that wants it. */
static enum cf_rc point_of(const struct crypto_bytes spki, uint8_t point[1 + 2 * CRYPTO_EC_MAX],
                           size_t *len, struct cf_err *e)
{
    struct crypto_pub pub;
    enum cf_rc rc = crypto_pub_from_spki(spki, &pub, e);
    if (rc != CF_OK)
        return rc;
    size_t w = crypto_curve_bytes(pub.curve);
    point[0] = 4;
    memcpy(point + 1, pub.x, w);
    memcpy(point + 1 + w, pub.y, w);
    *len = 1 + 2 * w;
    return CF_OK;
}

enum cf_rc p11_user_unwrap(struct p11_ctx *c, const struct p11_blob *b, enum p11_kind kind,
                           CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *out, struct cf_err *e)
{
    uint8_t point[1 + 2 * CRYPTO_EC_MAX];
    struct p11_shape s;
    enum cf_rc rc = CF_OK;
    user_shape(c, b->spec, kind, &s);
    if (kind == P11_KIND_EC) {
        rc = point_of(b->spki, point, &s.point.len, e);
        s.point.p = point;
    }
    if (rc != CF_OK)
        return rc;
    const struct p11_unwrapping u = {
        .session = session, .under = b->kek, .mech = c->core->ways.kwp, .blob = b->wrapped
    };
    if (session == c->core->anchor)
        pthread_mutex_lock(&c->core->anchor_lock);
    rc = p11_unwrap(c, &u, &s, out, e);
    if (session == c->core->anchor)
        pthread_mutex_unlock(&c->core->anchor_lock);
    char name[P11_SPEC_TEXT];
    return rc == CF_E_LIMIT
               ? cf_err_ctx(e, rc, "cannot open a key %s", p11_spec_name(b->spec, name))
               : rc;
}

static enum cf_rc mismatch(struct cf_err *e)
{
    return CF_FAIL(e, CF_E_CORRUPT, "the opened key is not the one that its blob names");
}

/* The public half verifies what the private one signs. */
static enum cf_rc check_by_signature(struct p11_ctx *c, CK_OBJECT_HANDLE h,
                                     const struct hal_key_spec *spec, struct crypto_bytes spki,
                                     struct cf_err *e)
{
    static const uint8_t digest[CRYPTO_DIGEST_MAX] = "coffer.v1: does the public half fit?";
    static const enum crypto_sig algs[] = { [HAL_P256] = CRYPTO_ES256,
                                            [HAL_P256K] = CRYPTO_ES256K,
                                            [HAL_P384] = CRYPTO_ES384,
                                            [HAL_P521] = CRYPTO_ES512 };
    bool rsa = spec->type == HAL_RSA;
    enum crypto_sig alg = rsa ? CRYPTO_RS256 : algs[spec->curve];
    struct hal_op op = { .use = HAL_SIGN,
                         .mech = rsa ? HAL_RSA_PKCS1_SIGN : HAL_ECDSA,
                         .hash = crypto_sig_hash(alg),
                         .in = digest,
                         .in_len = crypto_digest_size(crypto_sig_hash(alg)) };
    struct hal_result r = { 0 };
    enum cf_rc rc = p11_op_run(c, h, spec, &op, &r, e);
    if (rc == CF_OK && crypto_verify(alg, spki, crypto_bytes_of(op.in, op.in_len),
                                     crypto_bytes_of(r.out.data, r.out.len), NULL) != CF_OK)
        rc = mismatch(e);
    hal_result_clear(&r);
    return rc;
}

/* Modulus and exponent are the cheap proof for RSA where the token tells them. */
static enum cf_rc check_public(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct p11_blob *b,
                               bool thorough, struct cf_err *e)
{
    struct cf_buf spki = { 0 };
    enum cf_rc rc = CF_E_ABSENT;
    if (b->spec->type == HAL_RSA && !thorough)
        rc = p11_spki(c, h, b->spec, &spki, NULL);
    if (rc != CF_OK)
        rc = check_by_signature(c, h, b->spec, b->spki, e);
    else if (spki.len != b->spki.len || !cf_equal(spki.data, b->spki.p, spki.len))
        rc = mismatch(e);
    cf_buf_clear(&spki);
    return rc;
}

enum cf_rc p11_user_prove(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct p11_blob *b,
                          bool thorough, struct cf_err *e)
{
    uint8_t kcv[HAL_KCV_SIZE];
    enum p11_kind kind = p11_natural_kind(b->spec);
    if (kind == P11_KIND_RSA || kind == P11_KIND_EC)
        return check_public(c, h, b, thorough, e);
    enum cf_rc rc = p11_kcv(c, h, kind, kcv, e);
    if (rc == CF_OK && !cf_equal(kcv, b->kcv, sizeof kcv))
        rc = mismatch(e);
    return rc;
}

/* --- making and bringing in --------------------------------------------------------------------
 */

static enum cf_rc find_kek(struct p11_ctx *c, const struct hal_key_name *k, CK_OBJECT_HANDLE *kek,
                           struct cf_err *e)
{
    struct p11_named n;
    if (k->role != HAL_ROLE_KEK)
        return p11_bad_request(e);
    enum cf_rc rc = p11_key_find(c, k, &n, e);
    if (rc == CF_OK)
        *kek = n.key;
    return rc;
}

/* A blob is given out only after it was opened again and found to hold this key. */
static enum cf_rc wrap_and_prove(struct p11_ctx *c, CK_OBJECT_HANDLE kek, CK_OBJECT_HANDLE key,
                                 const struct hal_key_spec *spec, struct hal_wrapped *out,
                                 struct cf_err *e)
{
    CK_OBJECT_HANDLE again = CK_INVALID_HANDLE;
    enum p11_kind kind = p11_natural_kind(spec);
    enum cf_rc rc = p11_wrap(c, kek, key, &out->wrapped, e);
    if (rc != CF_OK)
        return rc;
    /* PKCS#8 delimits itself, so the padded length serves for pairs; secrets must be exact. */
    out->material_len = (uint32_t)out->wrapped.len - 8;
    if (spec->type == HAL_OCT && out->material_len != spec->bits / 8)
        return CF_FAIL(e, CF_E_TOKEN, "the token wraps %u bytes for a key of %u bits",
                       out->material_len, spec->bits);
    struct p11_blob b = { .spec = spec,
                          .kek = kek,
                          .wrapped = crypto_bytes_of(out->wrapped.data, out->wrapped.len),
                          .spki = crypto_bytes_of(out->spki.data, out->spki.len),
                          .kcv = out->kcv };
    if (spec->type == HAL_OCT)
        rc = p11_kcv(c, key, kind, out->kcv, e);
    if (rc == CF_OK)
        rc = p11_user_unwrap(c, &b, kind, c->s, &again, e);
    if (rc == CF_OK)
        rc = p11_user_prove(c, again, &b, true, e);
    p11_destroy(c, c->s, again);
    return rc;
}

static enum cf_rc make_user(struct p11_ctx *c, CK_OBJECT_HANDLE kek,
                            const struct hal_key_spec *spec, struct hal_wrapped *out,
                            struct cf_err *e)
{
    CK_OBJECT_HANDLE pair[2] = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };
    struct p11_shape s;
    enum cf_rc rc;
    user_shape(c, spec, p11_natural_kind(spec), &s);
    s.extractable = true;
    if (spec->type == HAL_OCT) {
        rc = p11_make_secret(c, &s, &pair[0], e);
    } else {
        rc = p11_make_pair(c, spec, &s, pair, e);
        if (rc == CF_OK)
            rc = p11_spki_made(c, pair[1], spec, &out->spki, e);
    }
    if (rc == CF_OK)
        rc = wrap_and_prove(c, kek, pair[0], spec, out, e);
    p11_destroy(c, c->s, pair[0]);
    p11_destroy(c, c->s, pair[1]);
    return rc;
}

enum cf_rc p11_do_user_make(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_key_name k;
    struct hal_key_spec spec;
    struct hal_wrapped out = { 0 };
    CK_OBJECT_HANDLE kek = CK_INVALID_HANDLE;
    p11_get_name(&q->in, &k);
    p11_get_spec(&q->in, &spec);
    if (!cf_rd_done(&q->in))
        return p11_bad_request(e);
    enum cf_rc rc = p11_spec_check(&spec, e);
    if (rc == CF_OK)
        rc = find_kek(q->c, &k, &kek, e);
    if (rc == CF_OK)
        rc = make_user(q->c, kek, &spec, &out, e);
    if (rc == CF_OK)
        p11_put_wrapped(w, &out);
    hal_wrapped_clear(&out);
    return rc;
}

/* The material is what the spec says it is; gives the public half. */
static enum cf_rc judge_material(const struct hal_key_spec *spec, struct crypto_bytes material,
                                 struct cf_buf *spki, struct cf_err *e)
{
    struct hal_key_spec is;
    if (spec->type == HAL_OCT)
        return material.len == spec->bits / 8 ? CF_OK
                                              : CF_FAIL(e, CF_E_INPUT,
                                                        "%zu bytes for a key of %u "
                                                        "bits",
                                                        material.len, spec->bits);
    enum cf_rc rc = crypto_pkcs8_public(material, &is, spki, e);
    bool same = rc == CF_OK && is.type == spec->type &&
                (is.type == HAL_RSA ? is.bits == spec->bits : is.curve == spec->curve);
    if (rc == CF_OK && !same)
        rc = CF_FAIL(e, CF_E_INPUT, "the private key is of another kind than it is said to be");
    return rc;
}

static enum cf_rc import_user(struct p11_ctx *c, CK_OBJECT_HANDLE kek,
                              const struct hal_key_spec *spec, struct crypto_bytes material,
                              struct hal_wrapped *out, struct cf_err *e)
{
    uint8_t point[1 + 2 * CRYPTO_EC_MAX];
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    struct p11_shape s;
    enum cf_rc rc = judge_material(spec, material, &out->spki, e);
    if (rc != CF_OK)
        return rc;
    user_shape(c, spec, p11_natural_kind(spec), &s);
    s.extractable = true;
    if (spec->type == HAL_EC) {
        rc = point_of(crypto_bytes_of(out->spki.data, out->spki.len), point, &s.point.len, e);
        s.point.p = point;
    }
    if (rc == CF_OK) {
        char name[P11_SPEC_TEXT];
        rc = p11_bring(c, &s, material, &key, e);
        if (rc == CF_E_LIMIT)
            rc = cf_err_ctx(e, rc, "cannot bring in a key %s", p11_spec_name(spec, name));
    }
    if (rc == CF_OK)
        rc = wrap_and_prove(c, kek, key, spec, out, e);
    p11_destroy(c, c->s, key);
    return rc;
}

enum cf_rc p11_do_user_import(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_key_name k;
    struct hal_key_spec spec;
    struct hal_wrapped out = { 0 };
    CK_OBJECT_HANDLE kek = CK_INVALID_HANDLE;
    p11_get_name(&q->in, &k);
    p11_get_spec(&q->in, &spec);
    if (!cf_rd_done(&q->in) || !q->secret.len)
        return p11_bad_request(e);
    enum cf_rc rc = p11_spec_check(&spec, e);
    if (rc == CF_OK)
        rc = find_kek(q->c, &k, &kek, e);
    p11_blame(q->c, CF_E_INPUT, "the token does not take this key");
    if (rc == CF_OK)
        rc = import_user(q->c, kek, &spec, q->secret, &out, e);
    if (rc == CF_OK)
        p11_put_wrapped(w, &out);
    hal_wrapped_clear(&out);
    return rc;
}
