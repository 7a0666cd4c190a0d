#include "crypto/ops_priv.h"

#include "base/secret.h"

#define USE(u) (1u << (u))

/* The one table of what can be asked for. */
static const struct op_row {
    enum hal_mech mech;
    enum hal_key_type type;
    unsigned uses;
    enum p11_kind kind;
    p11_op_fn *run;
} rows[] = {
    { HAL_RSA_PKCS1_SIGN, HAL_RSA, USE(HAL_SIGN), P11_KIND_RSA, p11_op_rsa_sign },
    { HAL_RSA_PSS, HAL_RSA, USE(HAL_SIGN), P11_KIND_RSA, p11_op_rsa_sign },
    { HAL_RSA_RAW_PKCS1, HAL_RSA, USE(HAL_SIGN), P11_KIND_RSA, p11_op_rsa_sign },
    { HAL_ECDSA, HAL_EC, USE(HAL_SIGN), P11_KIND_EC, p11_op_ecdsa },
    { HAL_RSA_OAEP, HAL_RSA, USE(HAL_DECRYPT) | USE(HAL_UNWRAP), P11_KIND_RSA, p11_op_rsa_decrypt },
    { HAL_RSA_PKCS1, HAL_RSA, USE(HAL_DECRYPT) | USE(HAL_UNWRAP), P11_KIND_RSA,
      p11_op_rsa_decrypt },
    { HAL_AES_KW, HAL_OCT, USE(HAL_WRAP) | USE(HAL_UNWRAP), P11_KIND_AES_KW, p11_op_keywrap },
    { HAL_AES_KWP, HAL_OCT, USE(HAL_WRAP) | USE(HAL_UNWRAP), P11_KIND_AES_KW, p11_op_keywrap },
    { HAL_AES_GCM, HAL_OCT, USE(HAL_ENCRYPT) | USE(HAL_DECRYPT) | USE(HAL_WRAP) | USE(HAL_UNWRAP),
      P11_KIND_AES, p11_op_gcm },
    { HAL_AES_CBC, HAL_OCT, USE(HAL_ENCRYPT) | USE(HAL_DECRYPT) | USE(HAL_WRAP) | USE(HAL_UNWRAP),
      P11_KIND_AES, p11_op_cbc },
    { HAL_AES_CBC_PAD, HAL_OCT,
      USE(HAL_ENCRYPT) | USE(HAL_DECRYPT) | USE(HAL_WRAP) | USE(HAL_UNWRAP), P11_KIND_AES,
      p11_op_cbc },
    { HAL_HMAC, HAL_OCT, USE(HAL_SIGN) | USE(HAL_VERIFY), P11_KIND_HMAC, p11_op_hmac },
};

static const struct op_row *row_of(const struct hal_key_spec *spec, const struct hal_op *op)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].mech == op->mech && rows[i].type == spec->type && (rows[i].uses & USE(op->use)))
            return &rows[i];
    return NULL;
}

enum cf_rc p11_op_kind(const struct hal_key_spec *spec, const struct hal_op *op, enum p11_kind *out,
                       struct cf_err *e)
{
    const struct op_row *r = row_of(spec, op);
    if (!r)
        return CF_FAIL(e, CF_E_INPUT, "this algorithm is not for this key");
    bool aes = spec->bits == 128 || spec->bits == 192 || spec->bits == 256;
    if ((r->kind == P11_KIND_AES || r->kind == P11_KIND_AES_KW) && !aes)
        return CF_FAIL(e, CF_E_INPUT, "a key of %u bits is no AES key", spec->bits);
    *out = r->kind;
    return CF_OK;
}

enum cf_rc p11_op_run(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_key_spec *spec,
                      const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    const struct op_row *r = row_of(spec, op);
    if (!r)
        return CF_FAIL(e, CF_E_INPUT, "this algorithm is not for this key");
    CK_ULONG max = c->core->quirk->max_data;
    if (max && r->kind != P11_KIND_HMAC && op->in_len > max)
        return CF_FAIL(e, CF_E_LIMIT, "this token takes %lu bytes in one operation", max);
    return r->run(c, h, spec, op, out, e);
}

static const uint8_t info_sha1[] = { 0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                                     0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14 };
static const uint8_t info_sha256[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                       0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
static const uint8_t info_sha384[] = { 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                       0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30 };
static const uint8_t info_sha512[] = { 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                       0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40 };

static const struct p11_hash hashes[] = {
    [HAL_NO_HASH] = { 0, 0, 0, { NULL, 0 } },
    [HAL_SHA1] = { CKM_SHA_1, CKG_MGF1_SHA1, CKM_SHA_1_HMAC, { info_sha1, sizeof info_sha1 } },
    [HAL_SHA256] = { CKM_SHA256,
                     CKG_MGF1_SHA256,
                     CKM_SHA256_HMAC,
                     { info_sha256, sizeof info_sha256 } },
    [HAL_SHA384] = { CKM_SHA384,
                     CKG_MGF1_SHA384,
                     CKM_SHA384_HMAC,
                     { info_sha384, sizeof info_sha384 } },
    [HAL_SHA512] = { CKM_SHA512,
                     CKG_MGF1_SHA512,
                     CKM_SHA512_HMAC,
                     { info_sha512, sizeof info_sha512 } },
};

const struct p11_hash *p11_hash_of(enum hal_hash h)
{
    return (size_t)h < sizeof hashes / sizeof hashes[0] ? &hashes[h] : &hashes[HAL_NO_HASH];
}

enum cf_rc p11_data_fail(struct p11_ctx *c, struct cf_err *e, const char *where, const char *call,
                         CK_RV rv)
{
    const struct p11_rv *r = p11_rv_find(rv);
    if (r->rc != CF_E_INPUT || c->blame != CF_E_AUTH)
        return p11_ctx_fail(c, e, where, call, rv);
    (void)p11_ctx_fail(c, NULL, where, call, rv);
    return cf_err_set(e, CF_E_AUTH, CF_SRC_CKR, rv, where, "%s", c->blame_text);
}

enum cf_rc p11_crypt(struct p11_ctx *c, const struct p11_crypt *x, struct cf_buf *out,
                     struct cf_err *e)
{
    size_t at = out->len;
    CK_ULONG len = x->in.len + 64;
    CK_BYTE *in = p11_mut(x->in.p);
    CK_RV rv = x->encrypt ? c->fn->C_EncryptInit(c->s, x->mech, x->key)
                          : c->fn->C_DecryptInit(c->s, x->mech, x->key);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, x->encrypt ? "C_EncryptInit" : "C_DecryptInit", rv);
    enum cf_rc rc = cf_buf_resize(out, at + len, e);
    if (rc != CF_OK) {
        c->worst = P11_REQUEST; /* the session has an operation under way */
        return rc;
    }
    rv = x->encrypt ? c->fn->C_Encrypt(c->s, in, x->in.len, out->data + at, &len)
                    : c->fn->C_Decrypt(c->s, in, x->in.len, out->data + at, &len);
    if (rv == CKR_OK && len > x->in.len + 64)
        rc = CF_FAIL(e, CF_E_TOKEN, "the token claims %lu bytes of output", len);
    else if (rv != CKR_OK)
        rc = P11_DATA_FAIL(c, e, x->encrypt ? "C_Encrypt" : "C_Decrypt", rv);
    enum cf_rc cut = cf_buf_resize(out, rc == CF_OK ? at + len : at, e);
    return rc != CF_OK ? rc : cut;
}
