#include "crypto/ops_priv.h"

#include "base/secret.h"

/* AES key wrap of the caller's bytes by a user key. The bytes are the caller's to see; the user
 * key stays what it is. Where the token wraps only objects, the bytes become a readable session
 * object for a moment. */

#define DOES_NOT_VERIFY "the wrapped bytes do not verify under this key"
#define DATA_MAX        (P11_ATTR_ROOM - 16)

static const struct p11_shape data_shape = {
    .cls = CKO_SECRET_KEY,
    .type = CKK_GENERIC_SECRET,
    .sensitive = false,
    .extractable = true,
};

static CK_MECHANISM_TYPE mech_of(struct p11_ctx *c, const struct hal_op *op)
{
    return op->mech == HAL_AES_KW ? CKM_AES_KEY_WRAP : c->core->ways.kwp;
}

static enum cf_rc wrap_object(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_op *op,
                              struct cf_buf *out, struct cf_err *e)
{
    CK_MECHANISM m = { .mechanism = mech_of(c, op) };
    uint8_t room[P11_ATTR_ROOM];
    CK_ULONG len = sizeof room;
    CK_OBJECT_HANDLE data = CK_INVALID_HANDLE;
    struct p11_shape s = data_shape;
    s.value_len = op->in_len;
    CK_RV rv = p11_create(c, &s, crypto_bytes_of(op->in, op->in_len), &data);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, "C_CreateObject", rv);
    rv = c->fn->C_WrapKey(c->s, &m, h, data, room, &len);
    p11_destroy(c, c->s, data);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, "C_WrapKey", rv);
    if (len > sizeof room)
        return CF_FAIL(e, CF_E_TOKEN, "the token gives %lu wrapped bytes", len);
    return cf_buf_put(out, room, len, e);
}

static enum cf_rc unwrap_object(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_op *op,
                                struct cf_buf *out, struct cf_err *e)
{
    CK_OBJECT_HANDLE data = CK_INVALID_HANDLE;
    struct p11_shape s = data_shape;
    struct p11_unwrapping u = { .session = c->s,
                                .under = h,
                                .mech = mech_of(c, op),
                                .blob = crypto_bytes_of(op->in, op->in_len) };
    s.value_len = op->in_len - 8;
    struct cf_err why = { 0 };
    enum cf_rc rc = p11_unwrap(c, &u, &s, &data, &why);
    if (rc == CF_OK)
        rc = p11_attr(c, data, CKA_VALUE, out, &why);
    p11_destroy(c, c->s, data);
    if (rc == CF_E_INPUT)
        return CF_FAIL(e, CF_E_AUTH, DOES_NOT_VERIFY);
    if (rc != CF_OK && e)
        *e = why;
    return rc;
}

static enum cf_rc check(struct p11_ctx *c, const struct hal_op *op, enum p11_kw_way way,
                        struct cf_err *e)
{
    bool wrap = op->use == HAL_WRAP;
    bool kw = op->mech == HAL_AES_KW;
    size_t least = wrap ? (kw ? 16 : 1) : (kw ? 24 : 16);
    if (way == P11_KW_NONE)
        return CF_FAIL(e, CF_E_LIMIT, "the token cannot do AES key wrap on data");
    if (op->in_len > DATA_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "key wrap takes at most %d bytes", DATA_MAX);
    if (op->in_len < least || ((kw || !wrap) && op->in_len % 8 != 0))
        return CF_FAIL(e, CF_E_INPUT, "key wrap does not take %zu bytes", op->in_len);
    if (wrap && op->in_len % 8 != 0 && way == P11_KW_WRAP && !c->core->ways.kwp_pads_exactly)
        return CF_FAIL(e, CF_E_LIMIT, "this token wraps multiples of 8 bytes only");
    return CF_OK;
}

enum cf_rc p11_op_keywrap(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_key_spec *spec,
                          const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    (void)spec;
    bool wrap = op->use == HAL_WRAP;
    enum p11_kw_way way = op->mech == HAL_AES_KW ? c->core->ways.user_kw : c->core->ways.user_kwp;
    enum cf_rc rc = check(c, op, way, e);
    if (rc != CF_OK)
        return rc;
    if (wrap)
        p11_blame(c, CF_E_INPUT, "the token does not wrap this data");
    else
        p11_blame(c, CF_E_AUTH, DOES_NOT_VERIFY);
    if (way == P11_KW_WRAP)
        return wrap ? wrap_object(c, h, op, &out->out, e) : unwrap_object(c, h, op, &out->out, e);
    CK_MECHANISM m = { .mechanism = mech_of(c, op) };
    struct p11_crypt x = {
        .encrypt = wrap, .mech = &m, .key = h, .in = crypto_bytes_of(op->in, op->in_len)
    };
    return p11_crypt(c, &x, &out->out, e);
}
