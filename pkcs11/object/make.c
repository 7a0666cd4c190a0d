#include "object/object_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/pkey.h"

const char *p11_spec_name(const struct hal_key_spec *spec, char room[P11_SPEC_TEXT])
{
    if (spec->type == HAL_EC)
        snprintf(room, P11_SPEC_TEXT, "%s", crypto_curve_name(spec->curve));
    else
        snprintf(room, P11_SPEC_TEXT, "%s-%u", spec->type == HAL_RSA ? "RSA" : "oct", spec->bits);
    return room;
}

struct pair_try {
    struct p11_ctx *c;
    CK_MECHANISM mech;
    struct p11_tmpl *pub;
    CK_OBJECT_HANDLE *out;
};

static CK_RV try_pair(void *arg, struct p11_tmpl *t)
{
    struct pair_try *p = arg;
    return p->c->fn->C_GenerateKeyPair(p->c->s, &p->mech, p->pub->a, p->pub->n, t->a, t->n,
                                       &p->out[1], &p->out[0]);
}

static void put_public(struct p11_tmpl *t, const struct p11_shape *s)
{
    p11_tmpl_bool(t, CKA_TOKEN, s->token);
    p11_tmpl_bool(t, CKA_PRIVATE, false);
    if (s->type == CKK_RSA)
        p11_tmpl_bool(t, CKA_ENCRYPT, s->use & P11_USE_DECRYPT);
    p11_tmpl_bool(t, CKA_VERIFY, s->use & P11_USE_SIGN);
    if (s->id)
        p11_tmpl_bytes(t, CKA_ID, s->id, P11_ID_SIZE);
    if (s->label)
        p11_tmpl_bytes(t, CKA_LABEL, s->label, strlen(s->label));
}

enum cf_rc p11_make_pair(struct p11_ctx *c, const struct hal_key_spec *spec,
                         const struct p11_shape *s, CK_OBJECT_HANDLE out[2], struct cf_err *e)
{
    struct p11_tmpl pub = { .n = 0 };
    struct pair_try p = { .c = c, .pub = &pub, .out = out };
    uint8_t exponent[4];
    put_public(&pub, s);
    if (spec->type == HAL_RSA) {
        p.mech.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
        cf_be32(exponent, spec->rsa_exponent ? spec->rsa_exponent : P11_RSA_EXPONENT);
        size_t skip = 0;
        while (skip < 3 && exponent[skip] == 0)
            skip++;
        p11_tmpl_num(&pub, CKA_MODULUS_BITS, spec->bits);
        p11_tmpl_bytes(&pub, CKA_PUBLIC_EXPONENT, exponent + skip, sizeof exponent - skip);
    } else {
        struct crypto_bytes oid = p11_ec_params(spec->curve);
        p.mech.mechanism = CKM_EC_KEY_PAIR_GEN;
        p11_tmpl_bytes(&pub, CKA_EC_PARAMS, oid.p, oid.len);
    }
    CK_RV rv = p11_ladder(c->core, s, try_pair, &p);
    if (spec->type == HAL_EC && (rv == CKR_DOMAIN_PARAMS_INVALID || rv == CKR_CURVE_NOT_SUPPORTED))
        return CF_FAIL(e, CF_E_LIMIT, "the token lacks the curve %s",
                       crypto_curve_name(spec->curve));
    char name[P11_SPEC_TEXT];
    if (rv == CKR_OK)
        return CF_OK;
    return cf_err_ctx(e, P11_FAIL(c, e, "C_GenerateKeyPair", rv), "cannot make a key %s",
                      p11_spec_name(spec, name));
}

struct secret_try {
    struct p11_ctx *c;
    const struct p11_shape *s;
    struct crypto_bytes value; /* create */
    CK_OBJECT_HANDLE h;
};

static bool has_value_len(const struct p11_tmpl *t)
{
    for (CK_ULONG i = 0; i < t->n; i++)
        if (t->a[i].type == CKA_VALUE_LEN)
            return true;
    return false;
}

static CK_RV try_secret(void *arg, struct p11_tmpl *t)
{
    struct secret_try *g = arg;
    CK_MECHANISM m = { .mechanism =
                           g->s->type == CKK_AES ? CKM_AES_KEY_GEN : CKM_GENERIC_SECRET_KEY_GEN };
    if (!has_value_len(t))
        p11_tmpl_num(t, CKA_VALUE_LEN, g->s->value_len);
    return g->c->fn->C_GenerateKey(g->c->s, &m, t->a, t->n, &g->h);
}

enum cf_rc p11_make_secret(struct p11_ctx *c, const struct p11_shape *s, CK_OBJECT_HANDLE *out,
                           struct cf_err *e)
{
    struct secret_try g = { .c = c, .s = s, .h = CK_INVALID_HANDLE };
    CK_RV rv = p11_ladder(c->core, s, try_secret, &g);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, "C_GenerateKey", rv);
    *out = g.h;
    return CF_OK;
}

static CK_RV try_create(void *arg, struct p11_tmpl *t)
{
    struct secret_try *g = arg;
    p11_tmpl_bytes(t, CKA_VALUE, g->value.p, g->value.len);
    return g->c->fn->C_CreateObject(g->c->s, t->a, t->n, &g->h);
}

CK_RV p11_create(struct p11_ctx *c, const struct p11_shape *s, struct crypto_bytes value,
                 CK_OBJECT_HANDLE *out)
{
    struct secret_try g = { .c = c, .s = s, .value = value, .h = CK_INVALID_HANDLE };
    CK_RV rv = p11_ladder(c->core, s, try_create, &g);
    if (rv == CKR_OK)
        *out = g.h;
    return rv;
}
