#include "worker/wire_priv.h"

#include <string.h>

#include "crypto/pkey.h"

const uint8_t *p11_get_bytes(struct cf_rd *r, size_t max, size_t *len)
{
    *len = cf_rd_le32(r);
    if (*len > max)
        r->bad = true;
    const uint8_t *p = cf_rd_bytes(r, *len);
    if (!p)
        *len = 0;
    return p;
}

void p11_get_text(struct cf_rd *r, char *out, size_t size)
{
    size_t len = 0;
    const uint8_t *p = p11_get_bytes(r, P11_BODY_MAX, &len);
    size_t n = len < size - 1 ? len : size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = p[i] >= 0x20 && p[i] < 0x7f ? (char)p[i] : '?';
    out[n] = 0;
}

static void get_fixed(struct cf_rd *r, uint8_t *out, size_t len)
{
    const uint8_t *p = cf_rd_bytes(r, len);
    if (p)
        memcpy(out, p, len);
}

static uint32_t get_range(uint32_t v, uint32_t low, uint32_t high, struct cf_rd *r)
{
    if (v >= low && v <= high)
        return v;
    r->bad = true;
    return low;
}

void p11_get_name(struct cf_rd *r, struct hal_key_name *k)
{
    k->role = (enum hal_role)get_range(cf_rd_le32(r), HAL_ROLE_BK, HAL_ROLE_EXCHANGE, r);
    k->generation = cf_rd_le32(r);
    get_fixed(r, k->domain_id, sizeof k->domain_id);
}

void p11_get_spec(struct cf_rd *r, struct hal_key_spec *s)
{
    s->type = (enum hal_key_type)get_range(cf_rd_le32(r), HAL_RSA, HAL_OCT, r);
    s->bits = cf_rd_le32(r);
    s->curve = (enum hal_curve)cf_rd_le32(r);
    if (s->type == HAL_EC ? crypto_curve_bytes(s->curve) == 0 : s->bits == 0 || s->bits > 8192)
        r->bad = true;
    s->rsa_exponent = cf_rd_le32(r);
}

void p11_get_op(struct cf_rd *r, struct hal_op *op)
{
    op->use = (enum hal_use)get_range(cf_rd_u8(r), HAL_SIGN, HAL_UNWRAP, r);
    op->mech = (enum hal_mech)get_range(cf_rd_u8(r), HAL_RSA_PKCS1_SIGN, HAL_HMAC, r);
    op->hash = (enum hal_hash)get_range(cf_rd_u8(r), HAL_NO_HASH, HAL_SHA512, r);
    op->in = p11_get_bytes(r, HAL_IN_MAX, &op->in_len);
    op->iv = p11_get_bytes(r, 64, &op->iv_len);
    op->aad = p11_get_bytes(r, HAL_IN_MAX, &op->aad_len);
    op->tag = p11_get_bytes(r, 64, &op->tag_len);
}

void p11_get_user_key(struct cf_rd *r, struct hal_user_key *k)
{
    p11_get_name(r, &k->kek);
    p11_get_name(r, &k->mac_key);
    p11_get_spec(r, &k->spec);
    k->wrapped = p11_get_bytes(r, HAL_WRAPPED_MAX, &k->wrapped_len);
    k->spki = p11_get_bytes(r, HAL_WRAPPED_MAX, &k->spki_len);
    k->material_len = cf_rd_le32(r);
    get_fixed(r, k->kcv, sizeof k->kcv);
    k->bound = p11_get_bytes(r, HAL_IN_MAX, &k->bound_len);
    get_fixed(r, k->bound_mac, sizeof k->bound_mac);
}

void p11_get_info(struct cf_rd *r, struct hal_token_info *i)
{
    p11_get_text(r, i->label, sizeof i->label);
    p11_get_text(r, i->manufacturer, sizeof i->manufacturer);
    p11_get_text(r, i->model, sizeof i->model);
    p11_get_text(r, i->serial, sizeof i->serial);
    p11_get_text(r, i->module, sizeof i->module);
    p11_get_text(r, i->kwp_mechanism, sizeof i->kwp_mechanism);
    p11_get_text(r, i->oaep256, sizeof i->oaep256);
    p11_get_text(r, i->template_rung, sizeof i->template_rung);
    i->sessions = cf_rd_le32(r);
    i->hmac_min_bytes = cf_rd_le32(r);
}

static enum cf_rc malformed(struct cf_err *e)
{
    return CF_FAIL(e, CF_E_TOKEN, "the token worker's answer is malformed");
}

enum cf_rc p11_get_result(struct cf_rd *r, struct hal_result *out, struct cf_err *e)
{
    size_t len = 0;
    const uint8_t *p = p11_get_bytes(r, P11_BODY_MAX, &len);
    size_t iv_len = 0;
    const uint8_t *iv = p11_get_bytes(r, sizeof out->iv, &iv_len);
    size_t tag_len = 0;
    const uint8_t *tag = p11_get_bytes(r, sizeof out->tag, &tag_len);
    if (!cf_rd_done(r))
        return malformed(e);
    enum cf_rc rc = cf_buf_put(&out->out, p, len, e);
    if (rc != CF_OK)
        return rc;
    memcpy(out->iv, iv, iv_len);
    out->iv_len = iv_len;
    memcpy(out->tag, tag, tag_len);
    out->tag_len = tag_len;
    return CF_OK;
}

enum cf_rc p11_get_wrapped(struct cf_rd *r, struct hal_wrapped *out, struct cf_err *e)
{
    size_t len = 0;
    const uint8_t *p = p11_get_bytes(r, HAL_WRAPPED_MAX, &len);
    size_t spki_len = 0;
    const uint8_t *spki = p11_get_bytes(r, HAL_WRAPPED_MAX, &spki_len);
    out->material_len = cf_rd_le32(r);
    get_fixed(r, out->kcv, sizeof out->kcv);
    if (!cf_rd_done(r))
        return malformed(e);
    enum cf_rc rc = cf_buf_put(&out->wrapped, p, len, e);
    return rc != CF_OK ? rc : cf_buf_put(&out->spki, spki, spki_len, e);
}

enum cf_rc p11_get_failure(struct cf_rd *r, enum cf_rc rc, struct cf_err *e)
{
    char text[sizeof e->text];
    uint8_t src = cf_rd_u8(r);
    uint64_t native = cf_rd_le64(r);
    p11_get_text(r, text, sizeof text);
    if (!cf_rd_done(r) || rc == CF_OK || rc > CF_E_CANCEL || src > CF_SRC_CURL)
        return malformed(e);
    return cf_err_set(e, rc, (enum cf_src)src, native, CF_HERE, "%s", text);
}
