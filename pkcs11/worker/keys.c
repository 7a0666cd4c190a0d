#include "worker/serve_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"

/* What each role's key is; nothing else may be done with it (design 3). */
static const struct role {
    const char *label;
    CK_OBJECT_CLASS cls;
    CK_KEY_TYPE type;
    unsigned use;
    struct hal_key_spec spec;
    CK_MECHANISM_TYPE allowed; /* 0: not narrowed */
} roles[] = {
    [HAL_ROLE_BK] = { "coffer-bk",
                      CKO_SECRET_KEY,
                      CKK_GENERIC_SECRET,
                      P11_USE_SIGN,
                      { .type = HAL_OCT, .bits = 256 },
                      CKM_SHA256_HMAC },
    [HAL_ROLE_KEK] = { "coffer-kek",
                       CKO_SECRET_KEY,
                       CKK_AES,
                       P11_USE_WRAP | P11_USE_UNWRAP,
                       { .type = HAL_OCT, .bits = 256 },
                       0 },
    [HAL_ROLE_MK] = { "coffer-mk",
                      CKO_SECRET_KEY,
                      CKK_GENERIC_SECRET,
                      P11_USE_SIGN | P11_USE_VERIFY,
                      { .type = HAL_OCT, .bits = 256 },
                      CKM_SHA256_HMAC },
    [HAL_ROLE_STORE] = { "coffer-store",
                         CKO_SECRET_KEY,
                         CKK_GENERIC_SECRET,
                         P11_USE_SIGN,
                         { .type = HAL_OCT, .bits = 256 },
                         CKM_SHA256_HMAC },
    [HAL_ROLE_IDENTITY] = { "coffer-identity",
                            CKO_PRIVATE_KEY,
                            CKK_EC,
                            P11_USE_SIGN,
                            { .type = HAL_EC, .curve = HAL_P256 },
                            0 },
    [HAL_ROLE_AUTHORITY] = { "coffer-authority",
                             CKO_PRIVATE_KEY,
                             CKK_RSA,
                             P11_USE_SIGN,
                             { .type = HAL_RSA, .bits = 2048 },
                             0 },
    [HAL_ROLE_EXCHANGE] = { "coffer-exchange",
                            CKO_PRIVATE_KEY,
                            CKK_RSA,
                            P11_USE_DECRYPT,
                            { .type = HAL_RSA, .bits = 3072 },
                            0 },
};

/* A role's shape with the strings that it points to. */
struct role_shape {
    struct p11_shape s;
    uint8_t id[P11_ID_SIZE];
    char label[64];
};

enum cf_rc p11_bad_request(struct cf_err *e)
{
    return CF_FAIL(e, CF_E_ARG, "bad token request");
}

/* First 16 bytes of SHA-256(le32 role | le32 generation | domain id). */
static enum cf_rc key_id(const struct hal_key_name *k, uint8_t id[P11_ID_SIZE], struct cf_err *e)
{
    uint8_t in[8 + HAL_DOMAIN_ID_SIZE];
    uint8_t digest[32];
    cf_le32(in, (uint32_t)k->role);
    cf_le32(in + 4, k->generation);
    memcpy(in + 8, k->domain_id, HAL_DOMAIN_ID_SIZE);
    enum cf_rc rc = crypto_digest(HAL_SHA256, in, sizeof in, digest, e);
    if (rc == CF_OK)
        memcpy(id, digest, P11_ID_SIZE);
    return rc;
}

/* `r` points into itself: never copy it. */
static enum cf_rc role_shape(struct p11_ctx *c, const struct hal_key_name *k, struct role_shape *r,
                             struct cf_err *e)
{
    const struct role *role = &roles[k->role];
    snprintf(r->label, sizeof r->label, "%s-g%u", role->label, k->generation);
    r->s = (struct p11_shape){ .cls = role->cls,
                               .type = role->type,
                               .use = role->use,
                               .token = true,
                               .sensitive = true,
                               .id = r->id,
                               .label = r->label,
                               .value_len = role->cls == CKO_SECRET_KEY ? HAL_SECRET_SIZE : 0 };
    if (role->allowed || k->role == HAL_ROLE_KEK) {
        r->s.allowed = role->allowed ? &role->allowed : &c->core->ways.kwp;
        r->s.allowed_len = 1;
    }
    return key_id(k, r->id, e);
}

static bool same_name(const struct hal_key_name *a, const struct hal_key_name *b)
{
    return a->role == b->role && a->generation == b->generation &&
           cf_equal(a->domain_id, b->domain_id, HAL_DOMAIN_ID_SIZE);
}

static bool remembered(struct p11_core *core, const struct hal_key_name *k, struct p11_named *out)
{
    bool found = false;
    pthread_mutex_lock(&core->keys.lock);
    for (size_t i = 0; i < core->keys.len && !found; i++) {
        found = same_name(&core->keys.list[i].name, k);
        if (found)
            *out = core->keys.list[i];
    }
    pthread_mutex_unlock(&core->keys.lock);
    return found;
}

/* A full list forgets its first; it is only a shortcut. */
static void remember(struct p11_core *core, const struct p11_named *n)
{
    pthread_mutex_lock(&core->keys.lock);
    size_t at = core->keys.len < P11_KEYS_MAX ? core->keys.len++ : 0;
    core->keys.list[at] = *n;
    pthread_mutex_unlock(&core->keys.lock);
}

static void forget(struct p11_core *core, const struct hal_key_name *k)
{
    pthread_mutex_lock(&core->keys.lock);
    for (size_t i = core->keys.len; i > 0; i--)
        if (same_name(&core->keys.list[i - 1].name, k))
            core->keys.list[i - 1] = core->keys.list[--core->keys.len];
    pthread_mutex_unlock(&core->keys.lock);
}

/* Looks in the token. Halves that are not there are CK_INVALID_HANDLE. */
static enum cf_rc look(struct p11_ctx *c, const struct hal_key_name *k, struct p11_named *out,
                       struct cf_err *e)
{
    uint8_t id[P11_ID_SIZE];
    const struct role *role = &roles[k->role];
    *out = (struct p11_named){ .name = *k };
    enum cf_rc rc = key_id(k, id, e);
    if (rc == CF_OK)
        rc = p11_find(c, role->cls, id, &out->key, e);
    if (rc == CF_OK && role->cls == CKO_PRIVATE_KEY)
        rc = p11_find(c, CKO_PUBLIC_KEY, id, &out->pub, e);
    return rc;
}

/* What is found may have been put there by anybody: it is used only if it is as we make it. */
static enum cf_rc judge(struct p11_ctx *c, const struct p11_named *n, struct cf_err *e)
{
    struct role_shape r;
    const char *label = roles[n->name.role].label;
    bool pair = roles[n->name.role].cls == CKO_PRIVATE_KEY;
    bool fine = false;
    if (n->key == CK_INVALID_HANDLE && n->pub == CK_INVALID_HANDLE)
        return CF_FAIL(e, CF_E_ABSENT, "the token has no %s-g%u", label, n->name.generation);
    if (n->key == CK_INVALID_HANDLE || (pair && n->pub == CK_INVALID_HANDLE))
        return CF_FAIL(e, CF_E_STATE,
                       "the token has one half of %s-g%u; destroy it, then make it anew", label,
                       n->name.generation);
    enum cf_rc rc = role_shape(c, &n->name, &r, e);
    if (rc == CF_OK)
        rc = p11_judge(c, c->s, &r.s, n->key, &fine, e);
    if (rc == CF_OK && !fine)
        rc = CF_FAIL(e, CF_E_STATE,
                     "the token's %s-g%u may be read or used for more than it is for; it is not "
                     "used",
                     label, n->name.generation);
    return rc;
}

enum cf_rc p11_key_find(struct p11_ctx *c, const struct hal_key_name *k, struct p11_named *out,
                        struct cf_err *e)
{
    if (remembered(c->core, k, out))
        return CF_OK;
    enum cf_rc rc = look(c, k, out, e);
    if (rc == CF_OK)
        rc = judge(c, out, e);
    if (rc == CF_OK)
        remember(c->core, out);
    return rc;
}

/* SoftHSM writes token objects without any fsync; the kernel must. */
static void make_it_last(void)
{
    sync();
}

enum cf_rc p11_do_random(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    uint8_t room[HAL_RANDOM_MAX];
    uint32_t len = cf_rd_le32(&q->in);
    if (!cf_rd_done(&q->in) || len == 0 || len > sizeof room)
        return p11_bad_request(e);
    CK_RV rv = q->c->fn->C_GenerateRandom(q->c->s, room, len);
    if (rv != CKR_OK)
        return P11_FAIL(q->c, e, "C_GenerateRandom", rv);
    p11_put_bytes(w, room, len);
    cf_wipe(room, len);
    return CF_OK;
}

enum cf_rc p11_do_key_present(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_key_name k;
    struct p11_named n;
    struct cf_err why = { 0 };
    p11_get_name(&q->in, &k);
    if (!cf_rd_done(&q->in))
        return p11_bad_request(e);
    enum cf_rc rc = p11_key_find(q->c, &k, &n, &why);
    if (rc != CF_OK && rc != CF_E_ABSENT) {
        *e = why;
        return rc;
    }
    p11_put_u8(w, rc == CF_OK);
    return CF_OK;
}

static enum cf_rc make_key(struct p11_ctx *c, const struct hal_key_name *k, struct p11_named *n,
                           struct cf_err *e)
{
    struct role_shape r;
    CK_OBJECT_HANDLE pair[2] = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };
    enum cf_rc rc = role_shape(c, k, &r, e);
    if (rc == CF_OK && r.s.cls == CKO_SECRET_KEY)
        rc = p11_make_secret(c, &r.s, &pair[0], e);
    else if (rc == CF_OK)
        rc = p11_make_pair(c, &roles[k->role].spec, &r.s, pair, e);
    if (rc == CF_OK)
        rc = p11_read_back(c, c->s, &r.s, pair[0], e);
    if (rc != CF_OK) {
        p11_destroy(c, c->s, pair[1]);
        return rc;
    }
    make_it_last();
    *n = (struct p11_named){ .name = *k, .key = pair[0], .pub = pair[1] };
    return CF_OK;
}

enum cf_rc p11_do_key_make(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_key_name k;
    struct p11_named n;
    struct cf_err why = { 0 };
    (void)w;
    p11_get_name(&q->in, &k);
    if (!cf_rd_done(&q->in) || k.role < HAL_ROLE_STORE)
        return p11_bad_request(e);
    /* One maker at a time, and the look before it inside: NSS overwrites a key of the same id. */
    pthread_mutex_lock(&q->c->core->objects_lock);
    enum cf_rc rc = p11_key_find(q->c, &k, &n, &why);
    if (rc == CF_E_ABSENT) {
        rc = make_key(q->c, &k, &n, e);
        if (rc == CF_OK)
            remember(q->c->core, &n);
    } else if (rc != CF_OK) {
        *e = why;
    }
    pthread_mutex_unlock(&q->c->core->objects_lock);
    return rc;
}

enum cf_rc p11_do_key_public(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_key_name k;
    struct p11_named n;
    struct cf_buf spki = { 0 };
    p11_get_name(&q->in, &k);
    if (!cf_rd_done(&q->in) || roles[k.role].cls != CKO_PRIVATE_KEY)
        return p11_bad_request(e);
    enum cf_rc rc = p11_key_find(q->c, &k, &n, e);
    if (rc == CF_OK)
        rc = p11_spki_made(q->c, n.pub, &roles[k.role].spec, &spki, e);
    if (rc == CF_OK)
        p11_put_bytes(w, spki.data, spki.len);
    cf_buf_clear(&spki);
    return rc;
}

enum cf_rc p11_do_key_destroy(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_key_name k;
    struct p11_named n;
    (void)w;
    p11_get_name(&q->in, &k);
    if (!cf_rd_done(&q->in))
        return p11_bad_request(e);
    struct p11_ctx *c = q->c;
    pthread_mutex_lock(&c->core->objects_lock);
    forget(c->core, &k);
    enum cf_rc rc = look(c, &k, &n, e);
    CK_OBJECT_HANDLE halves[2] = { n.key, n.pub };
    for (int i = 0; i < 2 && rc == CF_OK; i++) {
        CK_RV rv = halves[i] ? c->fn->C_DestroyObject(c->s, halves[i]) : CKR_OK;
        if (rv != CKR_OK && rv != CKR_OBJECT_HANDLE_INVALID)
            rc = P11_FAIL(c, e, "C_DestroyObject", rv);
    }
    make_it_last();
    pthread_mutex_unlock(&c->core->objects_lock);
    return rc;
}

enum cf_rc p11_do_mac(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_key_name k;
    struct p11_named n;
    uint8_t mac[HAL_MAC_SIZE];
    size_t len = 0;
    p11_get_name(&q->in, &k);
    const uint8_t *msg = p11_get_bytes(&q->in, HAL_IN_MAX, &len);
    if (!cf_rd_done(&q->in) || roles[k.role].type != CKK_GENERIC_SECRET)
        return p11_bad_request(e);
    enum cf_rc rc = p11_key_find(q->c, &k, &n, e);
    if (rc == CF_OK)
        rc = p11_mac(q->c, n.key, crypto_bytes_of(msg, len), mac, e);
    if (rc == CF_OK)
        p11_put_bytes(w, mac, sizeof mac);
    cf_wipe(mac, sizeof mac);
    return rc;
}

enum cf_rc p11_do_key_use(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_key_name k;
    struct hal_op op;
    struct p11_named n;
    struct hal_result out = { 0 };
    enum p11_kind kind;
    p11_get_name(&q->in, &k);
    p11_get_op(&q->in, &op);
    if (!cf_rd_done(&q->in) || roles[k.role].cls != CKO_PRIVATE_KEY)
        return p11_bad_request(e);
    const struct hal_key_spec *spec = &roles[k.role].spec;
    enum cf_rc rc = p11_op_kind(spec, &op, &kind, e);
    if (rc == CF_OK)
        rc = p11_key_find(q->c, &k, &n, e);
    if (rc == CF_OK)
        rc = p11_op_run(q->c, n.key, spec, &op, &out, e);
    if (rc == CF_OK)
        p11_put_result(w, &out);
    hal_result_clear(&out);
    return rc;
}

/* --- import ------------------------------------------------------------------------------------
 */

/* The key in the token gives the MAC that the value gives here. */
static enum cf_rc same_mac(struct p11_ctx *c, CK_OBJECT_HANDLE h, struct crypto_bytes value,
                           bool *same, struct cf_err *e)
{
    static const char text[] = "coffer.v1.same-key";
    uint8_t theirs[HAL_MAC_SIZE];
    uint8_t ours[HAL_MAC_SIZE];
    struct crypto_bytes msg = crypto_bytes_of(text, sizeof text);
    enum cf_rc rc = p11_mac(c, h, msg, theirs, e);
    if (rc == CF_OK)
        rc = crypto_hmac(HAL_SHA256, value, msg, ours, e);
    *same = rc == CF_OK && cf_equal(theirs, ours, sizeof ours);
    return rc;
}

/* The KEK wraps a known key as the value does here. */
static enum cf_rc same_wrap(struct p11_ctx *c, CK_OBJECT_HANDLE h, struct crypto_bytes value,
                            bool *same, struct cf_err *e)
{
    static const uint8_t known[HAL_SECRET_SIZE] = "coffer.v1.same-key: known value";
    const struct p11_shape s = { .cls = CKO_SECRET_KEY,
                                 .type = CKK_AES,
                                 .use = P11_USE_ENCRYPT,
                                 .sensitive = true,
                                 .extractable = true,
                                 .value_len = sizeof known };
    struct crypto_bytes k = crypto_bytes_of(known, sizeof known);
    struct cf_buf theirs = { 0 };
    struct cf_buf ours = { 0 };
    CK_OBJECT_HANDLE data = CK_INVALID_HANDLE;
    enum cf_rc rc = p11_bring(c, &s, k, &data, e);
    if (rc == CF_OK)
        rc = p11_wrap(c, h, data, &theirs, e);
    if (rc == CF_OK)
        rc = crypto_wrap(CRYPTO_KWP, value, k, &ours, e);
    *same = rc == CF_OK && theirs.len == ours.len && cf_equal(theirs.data, ours.data, ours.len);
    p11_destroy(c, c->s, data);
    cf_buf_clear(&theirs);
    cf_buf_clear(&ours);
    return rc;
}

static enum cf_rc prove_same(struct p11_ctx *c, const struct p11_named *n,
                             struct crypto_bytes value, struct cf_err *e)
{
    bool same = false;
    enum cf_rc rc = n->name.role == HAL_ROLE_KEK ? same_wrap(c, n->key, value, &same, e)
                                                 : same_mac(c, n->key, value, &same, e);
    if (rc == CF_OK && !same)
        rc = CF_FAIL(e, CF_E_STATE, "the token's %s-g%u is another key than the one brought",
                     roles[n->name.role].label, n->name.generation);
    return rc;
}

static enum cf_rc import_new(struct p11_ctx *c, const struct hal_key_name *k,
                             struct crypto_bytes value, struct p11_named *n, struct cf_err *e)
{
    struct role_shape r;
    *n = (struct p11_named){ .name = *k };
    enum cf_rc rc = role_shape(c, k, &r, e);
    if (rc == CF_OK)
        rc = p11_bring(c, &r.s, value, &n->key, e);
    if (rc != CF_OK)
        return rc;
    rc = prove_same(c, n, value, e);
    if (rc != CF_OK)
        p11_destroy(c, c->s, n->key);
    make_it_last();
    return rc;
}

enum cf_rc p11_do_key_import(struct p11_request *q, struct p11_wr *w, struct cf_err *e)
{
    struct hal_key_name k;
    struct p11_named n;
    struct cf_err why = { 0 };
    (void)w;
    p11_get_name(&q->in, &k);
    if (!cf_rd_done(&q->in) || k.role > HAL_ROLE_MK || q->secret.len != HAL_SECRET_SIZE)
        return p11_bad_request(e);
    pthread_mutex_lock(&q->c->core->objects_lock);
    enum cf_rc rc = p11_key_find(q->c, &k, &n, &why);
    if (rc == CF_OK) {
        rc = prove_same(q->c, &n, q->secret, e);
    } else if (rc == CF_E_ABSENT) {
        rc = import_new(q->c, &k, q->secret, &n, e);
        if (rc == CF_OK)
            remember(q->c->core, &n);
    } else {
        *e = why;
    }
    pthread_mutex_unlock(&q->c->core->objects_lock);
    return rc;
}
