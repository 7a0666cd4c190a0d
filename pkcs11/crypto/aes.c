#include "crypto/ops_priv.h"

#include <string.h>
#include <sys/random.h>

#include "base/secret.h"

#define GCM_IV       12
#define GCM_TAG      16
#define GCM_IV_BITS  96
#define GCM_TAG_BITS 128

/* CK_GCM_PARAMS before the 2.40 errata: no ulIvBits. */
struct gcm_old {
    CK_BYTE *iv;
    CK_ULONG iv_len;
    CK_BYTE *aad;
    CK_ULONG aad_len;
    CK_ULONG tag_bits;
};

struct gcm {
    CK_GCM_PARAMS v240;
    struct gcm_old old;
    CK_MECHANISM mech;
};

/* Points into `g` and `iv`. The IV is never NULL: two modules crash on that. */
static enum cf_rc gcm_mech(struct p11_ctx *c, struct gcm *g, uint8_t iv[GCM_IV],
                           const struct hal_op *op, struct cf_err *e)
{
    static const uint8_t nothing;
    CK_BYTE *aad = p11_mut(op->aad_len ? op->aad : &nothing);
    switch (c->core->ways.gcm) {
    case P11_GCM_V240:
        g->v240 = (CK_GCM_PARAMS){ .pIv = iv,
                                   .ulIvLen = GCM_IV,
                                   .ulIvBits = GCM_IV_BITS, /* NSS wants it right */
                                   .pAAD = aad,
                                   .ulAADLen = op->aad_len,
                                   .ulTagBits = GCM_TAG_BITS };
        g->mech = (CK_MECHANISM){ CKM_AES_GCM, &g->v240, sizeof g->v240 };
        return CF_OK;
    case P11_GCM_OLD:
        g->old = (struct gcm_old){
            .iv = iv, .iv_len = GCM_IV, .aad = aad, .aad_len = op->aad_len, .tag_bits = GCM_TAG_BITS
        };
        g->mech = (CK_MECHANISM){ CKM_AES_GCM, &g->old, sizeof g->old };
        return CF_OK;
    case P11_GCM_NONE:
        break;
    }
    return CF_FAIL(e, CF_E_LIMIT, "the token has no CKM_AES_GCM that passes its known answer");
}

/* Token and system randomness mixed: one measured token repeats its own after a fork. */
static enum cf_rc make_iv(struct p11_ctx *c, uint8_t iv[GCM_IV], struct cf_err *e)
{
    uint8_t own[GCM_IV];
    memset(iv, 0, GCM_IV);
    if (c->core->quirk->gcm_iv_written)
        return CF_OK;
    CK_RV rv = c->fn->C_GenerateRandom(c->s, iv, GCM_IV);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, "C_GenerateRandom", rv);
    if (getrandom(own, sizeof own, 0) != (ssize_t)sizeof own)
        return CF_FAIL_ERRNO(e, CF_E_IO, "no random bytes from the system");
    for (size_t i = 0; i < GCM_IV; i++)
        iv[i] ^= own[i];
    return CF_OK;
}

static enum cf_rc gcm_encrypt(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_op *op,
                              struct hal_result *out, struct cf_err *e)
{
    static const uint8_t nothing;
    struct gcm g;
    uint8_t iv[GCM_IV];
    enum cf_rc rc = make_iv(c, iv, e);
    if (rc == CF_OK)
        rc = gcm_mech(c, &g, iv, op, e);
    if (rc != CF_OK)
        return rc;
    struct p11_crypt x = { .encrypt = true,
                           .mech = &g.mech,
                           .key = h,
                           .in = crypto_bytes_of(op->in_len ? op->in : &nothing, op->in_len) };
    rc = p11_crypt(c, &x, &out->out, e);
    if (rc == CF_OK && out->out.len != op->in_len + GCM_TAG)
        rc = CF_FAIL(e, CF_E_TOKEN, "the token's GCM gives %zu bytes for %zu", out->out.len,
                     op->in_len);
    if (rc == CF_OK && cf_all_bytes(iv, sizeof iv, 0))
        rc = CF_FAIL(e, CF_E_TOKEN, "the token made no GCM IV");
    if (rc != CF_OK)
        return rc;
    memcpy(out->iv, iv, GCM_IV);
    out->iv_len = GCM_IV;
    memcpy(out->tag, out->out.data + op->in_len, GCM_TAG);
    out->tag_len = GCM_TAG;
    return cf_buf_resize(&out->out, op->in_len, e);
}

static enum cf_rc gcm_decrypt(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_op *op,
                              struct hal_result *out, struct cf_err *e)
{
    struct gcm g;
    uint8_t iv[GCM_IV];
    struct cf_buf in = { 0 };
    if (op->iv_len != GCM_IV || op->tag_len != GCM_TAG)
        return CF_FAIL(e, CF_E_INPUT, "GCM takes an iv of 12 bytes and a tag of 16");
    memcpy(iv, op->iv, GCM_IV);
    enum cf_rc rc = gcm_mech(c, &g, iv, op, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&in, op->in, op->in_len, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&in, op->tag, GCM_TAG, e);
    if (rc == CF_OK) {
        struct p11_crypt x = { .mech = &g.mech, .key = h, .in = crypto_bytes_of(in.data, in.len) };
        p11_blame(c, CF_E_AUTH, "the tag does not verify");
        rc = p11_crypt(c, &x, &out->out, e);
    }
    if (rc == CF_OK && out->out.len != op->in_len)
        rc = CF_FAIL(e, CF_E_TOKEN, "the token's GCM gives %zu bytes for %zu", out->out.len,
                     op->in_len);
    cf_buf_clear(&in);
    return rc;
}

static bool is_encrypt(const struct hal_op *op)
{
    return op->use == HAL_ENCRYPT || op->use == HAL_WRAP;
}

enum cf_rc p11_op_gcm(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_key_spec *spec,
                      const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    (void)spec;
    return is_encrypt(op) ? gcm_encrypt(c, h, op, out, e) : gcm_decrypt(c, h, op, out, e);
}

enum cf_rc p11_op_cbc(struct p11_ctx *c, CK_OBJECT_HANDLE h, const struct hal_key_spec *spec,
                      const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    (void)spec;
    bool pad = op->mech == HAL_AES_CBC_PAD;
    bool whole = op->in_len % 16 == 0 && op->in_len > 0;
    static const uint8_t nothing;
    if (op->iv_len != CRYPTO_IV_SIZE)
        return CF_FAIL(e, CF_E_INPUT, "CBC takes an iv of 16 bytes");
    if (!whole && !(pad && is_encrypt(op)))
        return CF_FAIL(e, CF_E_INPUT, "%zu bytes are no whole number of blocks", op->in_len);
    CK_MECHANISM m = { pad ? CKM_AES_CBC_PAD : CKM_AES_CBC, p11_mut(op->iv), CRYPTO_IV_SIZE };
    struct p11_crypt x = { .encrypt = is_encrypt(op),
                           .mech = &m,
                           .key = h,
                           .in = crypto_bytes_of(op->in_len ? op->in : &nothing, op->in_len) };
    p11_blame(c, CF_E_INPUT, "the data does not fit this algorithm");
    return p11_crypt(c, &x, &out->out, e);
}
