#include "object/object_priv.h"

#include "base/secret.h"

struct unwrap_try {
    struct p11_ctx *c;
    const struct p11_unwrapping *u;
    CK_OBJECT_HANDLE h;
};

static CK_RV try_unwrap(void *arg, struct p11_tmpl *t)
{
    struct unwrap_try *w = arg;
    CK_MECHANISM m = { .mechanism = w->u->mech };
    return w->c->fn->C_UnwrapKey(w->u->session, &m, w->u->under, p11_mut(w->u->blob.p),
                                 w->u->blob.len, t->a, t->n, &w->h);
}

enum cf_rc p11_unwrap(struct p11_ctx *c, const struct p11_unwrapping *u, const struct p11_shape *s,
                      CK_OBJECT_HANDLE *out, struct cf_err *e)
{
    struct unwrap_try w = { .c = c, .u = u, .h = CK_INVALID_HANDLE };
    CK_RV rv = p11_ladder(c->core, s, try_unwrap, &w);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, "C_UnwrapKey", rv);
    enum cf_rc rc = p11_read_back(c, u->session, s, w.h, e);
    if (rc == CF_OK)
        *out = w.h;
    return rc;
}

enum cf_rc p11_wrap(struct p11_ctx *c, CK_OBJECT_HANDLE under, CK_OBJECT_HANDLE key,
                    struct cf_buf *out, struct cf_err *e)
{
    uint8_t room[HAL_WRAPPED_MAX]; /* size queries lie (NSS), so none is made */
    CK_ULONG len = sizeof room;
    CK_MECHANISM m = { .mechanism = c->core->ways.kwp };
    CK_RV rv = c->fn->C_WrapKey(c->s, &m, under, key, room, &len);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, "C_WrapKey", rv);
    if (len < 16 || len > sizeof room || len % 8 != 0)
        return CF_FAIL(e, CF_E_TOKEN, "the token gives a wrapped key of %lu bytes", len);
    return cf_buf_put(out, room, len, e);
}
