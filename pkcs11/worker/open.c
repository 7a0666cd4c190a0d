#include <string.h>

#include "base/secret.h"
#include "worker/user_priv.h"

#define BAD_BLOB "the token does not take the wrapped key though its MAC is good"

/* What the cache knows an opened key by: everything that decides what it is, and its MAC. */
static enum cf_rc cache_key(const struct hal_user_key *k, enum p11_kind kind,
                            uint8_t out[P11_CACHE_KEY], struct cf_err *e)
{
    struct cf_buf head = { 0 };
    struct crypto_hash *h = NULL;
    struct p11_wr w = { .b = &head, .e = e };
    p11_put_u8(&w, (uint8_t)kind);
    p11_put_name(&w, &k->kek);
    p11_put_name(&w, &k->mac_key);
    p11_put_spec(&w, &k->spec);
    p11_put_u32(&w, k->material_len);
    p11_put_bytes(&w, k->kcv, sizeof k->kcv);
    p11_put_bytes(&w, k->bound_mac, sizeof k->bound_mac);
    enum cf_rc rc = w.rc;
    if (rc == CF_OK)
        rc = crypto_hash_new(HAL_SHA256, &h, e);
    if (rc == CF_OK)
        rc = crypto_hash_update(h, head.data, head.len, e);
    if (rc == CF_OK)
        rc = crypto_hash_update(h, k->bound, k->bound_len, e);
    if (rc == CF_OK)
        rc = crypto_hash_final(h, out, e);
    crypto_hash_free(h);
    cf_buf_clear(&head);
    return rc;
}

/* Is the blob, and the public half, inside what the MAC covers? A caller that passes one blob and
 * the MAC of another must not get far. */
static bool is_bound(const struct hal_user_key *k)
{
    return memmem(k->bound, k->bound_len, k->wrapped, k->wrapped_len) &&
           (!k->spki_len || memmem(k->bound, k->bound_len, k->spki, k->spki_len));
}

static enum cf_rc verify_mac(struct p11_ctx *c, const struct hal_user_key *k, struct cf_err *e)
{
    struct p11_named mk;
    uint8_t mac[HAL_MAC_SIZE];
    if (!is_bound(k))
        return CF_FAIL(e, CF_E_ARG, "the blob is not part of the message under its MAC");
    enum cf_rc rc = p11_key_find(c, &k->mac_key, &mk, e);
    if (rc == CF_OK)
        rc = p11_mac(c, mk.key, crypto_bytes_of(k->bound, k->bound_len), mac, e);
    if (rc == CF_OK && !cf_equal(mac, k->bound_mac, sizeof mac))
        rc = CF_FAIL(e, CF_E_AUTH, "the key blob's MAC does not verify");
    return rc;
}

static enum cf_rc blob_of(struct p11_ctx *c, const struct hal_user_key *k, struct p11_blob *b,
                          struct cf_err *e)
{
    struct p11_named kek;
    enum cf_rc rc = p11_key_find(c, &k->kek, &kek, e);
    if (rc != CF_OK)
        return rc;
    *b = (struct p11_blob){ .spec = &k->spec,
                            .kek = kek.key,
                            .wrapped = crypto_bytes_of(k->wrapped, k->wrapped_len),
                            .spki = crypto_bytes_of(k->spki, k->spki_len),
                            .kcv = k->kcv };
    if (k->spec.type == HAL_OCT && k->material_len != k->spec.bits / 8)
        return CF_FAIL(e, CF_E_CORRUPT, "the blob holds %u bytes for a key of %u bits",
                       k->material_len, k->spec.bits);
    return CF_OK;
}

/* The MAC was good, so a token that does not like the blob has met a corrupt one. */
static enum cf_rc unwrap(struct p11_ctx *c, const struct p11_blob *b, enum p11_kind kind,
                         CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *out, struct cf_err *e)
{
    struct cf_err why = { 0 };
    enum cf_rc rc = p11_user_unwrap(c, b, kind, session, out, &why);
    if (rc == CF_E_INPUT)
        rc = why.rc = CF_E_CORRUPT;
    if (rc != CF_OK)
        *e = why;
    else
        p11_blame(c, CF_E_TOKEN, "");
    return rc;
}

static void destroy_in_anchor(struct p11_ctx *c, CK_OBJECT_HANDLE h)
{
    pthread_mutex_lock(&c->core->anchor_lock);
    p11_destroy(c, c->core->anchor, h);
    pthread_mutex_unlock(&c->core->anchor_lock);
}

/* An object of `kind` in the anchor session, proven to be the key. */
static enum cf_rc open_proven(struct p11_ctx *c, const struct p11_blob *b, enum p11_kind kind,
                              CK_OBJECT_HANDLE *out, struct cf_err *e)
{
    CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
    enum p11_kind natural = p11_natural_kind(b->spec);
    p11_blame(c, CF_E_CORRUPT, BAD_BLOB);
    if (kind != natural) {
        /* Only the natural kind can show the check value: open it so first, for a moment. */
        enum cf_rc rc = unwrap(c, b, natural, c->s, &h, e);
        if (rc == CF_OK)
            rc = p11_user_prove(c, h, b, false, e);
        p11_destroy(c, c->s, h);
        return rc != CF_OK ? rc : unwrap(c, b, kind, c->core->anchor, out, e);
    }
    enum cf_rc rc = unwrap(c, b, kind, c->core->anchor, &h, e);
    if (rc == CF_OK)
        rc = p11_user_prove(c, h, b, false, e);
    if (rc == CF_OK)
        *out = h;
    else
        destroy_in_anchor(c, h);
    return rc;
}

static enum cf_rc hold(struct p11_ctx *c, const struct hal_user_key *k, enum p11_kind kind,
                       struct p11_held *out, struct cf_err *e)
{
    uint8_t key[P11_CACHE_KEY];
    struct p11_blob b;
    CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
    enum cf_rc rc = cache_key(k, kind, key, e);
    if (rc != CF_OK)
        return rc;
    if (p11_cache_take(c->core->cache, key, out))
        return CF_OK;
    rc = verify_mac(c, k, e);
    if (rc == CF_OK)
        rc = p11_spec_check(&k->spec, e);
    if (rc == CF_OK)
        rc = blob_of(c, k, &b, e);
    if (rc == CF_OK)
        rc = open_proven(c, &b, kind, &h, e);
    if (rc == CF_OK)
        destroy_in_anchor(c, p11_cache_put(c->core->cache, key, h, out));
    return rc;
}

static void give(struct p11_ctx *c, const struct p11_held *held)
{
    if (held->slot < 0)
        destroy_in_anchor(c, held->h);
    p11_cache_give(c->core->cache, held);
}

enum cf_rc p11_do_user_use(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_user_key k;
    struct hal_op op;
    struct hal_result out = { 0 };
    struct p11_held held;
    enum p11_kind kind;
    p11_get_user_key(&q->in, &k);
    p11_get_op(&q->in, &op);
    if (!cf_rd_done(&q->in) || k.kek.role != HAL_ROLE_KEK || k.mac_key.role != HAL_ROLE_MK)
        return p11_bad_request(e);
    enum cf_rc rc = p11_op_kind(&k.spec, &op, &kind, e);
    if (rc == CF_OK)
        rc = hold(q->c, &k, kind, &held, e);
    if (rc != CF_OK)
        return rc;
    rc = p11_op_run(q->c, held.h, &k.spec, &op, &out, e);
    give(q->c, &held);
    if (rc == CF_OK)
        p11_put_result(w, &out);
    hal_result_clear(&out);
    return rc;
}

enum cf_rc p11_do_user_check(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_user_key k;
    struct p11_blob b;
    CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
    (void)w;
    p11_get_user_key(&q->in, &k);
    if (!cf_rd_done(&q->in) || k.kek.role != HAL_ROLE_KEK || k.mac_key.role != HAL_ROLE_MK)
        return p11_bad_request(e);
    struct p11_ctx *c = q->c;
    enum cf_rc rc = verify_mac(c, &k, e);
    if (rc == CF_OK)
        rc = p11_spec_check(&k.spec, e);
    if (rc == CF_OK)
        rc = blob_of(c, &k, &b, e);
    p11_blame(c, CF_E_CORRUPT, BAD_BLOB);
    if (rc == CF_OK)
        rc = unwrap(c, &b, p11_natural_kind(&k.spec), c->s, &h, e);
    if (rc == CF_OK)
        rc = p11_user_prove(c, h, &b, false, e);
    p11_destroy(c, c->s, h);
    return rc;
}
