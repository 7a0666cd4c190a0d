#include "worker/wire_priv.h"

#include <string.h>

void p11_header_put(const struct p11_header *h, uint8_t out[P11_HEADER_SIZE])
{
    cf_le32(out, h->body_len);
    cf_le32(out + 4, h->secret_len);
    cf_le16(out + 8, h->msg);
    cf_le16(out + 10, h->flags);
    cf_le32(out + 12, 0);
    cf_le64(out + 16, h->id);
}

enum cf_rc p11_header_get(const uint8_t in[P11_HEADER_SIZE], struct p11_header *h, struct cf_err *e)
{
    struct cf_rd r = cf_rd_of(in, P11_HEADER_SIZE);
    h->body_len = cf_rd_le32(&r);
    h->secret_len = cf_rd_le32(&r);
    h->msg = cf_rd_le16(&r);
    h->flags = cf_rd_le16(&r);
    uint32_t zero = cf_rd_le32(&r);
    h->id = cf_rd_le64(&r);
    bool fits =
        h->body_len <= P11_BODY_MAX &&
        (h->secret_len == 0 || (h->secret_len <= P11_FRONT_SIZE &&
                                P11_HEADER_SIZE + h->body_len + h->secret_len <= P11_FRONT_SIZE));
    if (!fits || h->msg == 0 || h->msg >= P11_MSG_END || h->flags > P11_FLAG_RESTART || zero != 0)
        return CF_FAIL(e, CF_E_CORRUPT, "a message between client and token worker is malformed");
    return CF_OK;
}

static void put(struct p11_wr *w, const void *p, size_t len)
{
    if (w->rc == CF_OK)
        w->rc = cf_buf_put(w->b, p, len, w->e);
}

void p11_put_u8(struct p11_wr *w, uint8_t v)
{
    put(w, &v, 1);
}

void p11_put_u32(struct p11_wr *w, uint32_t v)
{
    uint8_t b[4];
    cf_le32(b, v);
    put(w, b, sizeof b);
}

void p11_put_u64(struct p11_wr *w, uint64_t v)
{
    uint8_t b[8];
    cf_le64(b, v);
    put(w, b, sizeof b);
}

void p11_put_bytes(struct p11_wr *w, const void *p, size_t len)
{
    if (len > P11_BODY_MAX) {
        if (w->rc == CF_OK)
            w->rc = CF_FAIL(w->e, CF_E_LIMIT, "%zu bytes are too many for one token call", len);
        return;
    }
    p11_put_u32(w, (uint32_t)len);
    put(w, p, len);
}

void p11_put_text(struct p11_wr *w, const char *text)
{
    p11_put_bytes(w, text, strlen(text));
}

void p11_put_name(struct p11_wr *w, const struct hal_key_name *k)
{
    p11_put_u32(w, (uint32_t)k->role);
    p11_put_u32(w, k->generation);
    put(w, k->domain_id, sizeof k->domain_id);
}

void p11_put_spec(struct p11_wr *w, const struct hal_key_spec *s)
{
    p11_put_u32(w, (uint32_t)s->type);
    p11_put_u32(w, s->bits);
    p11_put_u32(w, (uint32_t)s->curve);
    p11_put_u32(w, s->rsa_exponent);
}

void p11_put_op(struct p11_wr *w, const struct hal_op *op)
{
    p11_put_u8(w, (uint8_t)op->use);
    p11_put_u8(w, (uint8_t)op->mech);
    p11_put_u8(w, (uint8_t)op->hash);
    p11_put_bytes(w, op->in, op->in_len);
    p11_put_bytes(w, op->iv, op->iv_len);
    p11_put_bytes(w, op->aad, op->aad_len);
    p11_put_bytes(w, op->tag, op->tag_len);
}

void p11_put_user_key(struct p11_wr *w, const struct hal_user_key *k)
{
    p11_put_name(w, &k->kek);
    p11_put_name(w, &k->mac_key);
    p11_put_spec(w, &k->spec);
    p11_put_bytes(w, k->wrapped, k->wrapped_len);
    p11_put_bytes(w, k->spki, k->spki_len);
    p11_put_u32(w, k->material_len);
    put(w, k->kcv, sizeof k->kcv);
    p11_put_bytes(w, k->bound, k->bound_len);
    put(w, k->bound_mac, sizeof k->bound_mac);
}

void p11_put_result(struct p11_wr *w, const struct hal_result *r)
{
    p11_put_bytes(w, r->out.data, r->out.len);
    p11_put_bytes(w, r->iv, r->iv_len);
    p11_put_bytes(w, r->tag, r->tag_len);
}

void p11_put_wrapped(struct p11_wr *w, const struct hal_wrapped *x)
{
    p11_put_bytes(w, x->wrapped.data, x->wrapped.len);
    p11_put_bytes(w, x->spki.data, x->spki.len);
    p11_put_u32(w, x->material_len);
    put(w, x->kcv, sizeof x->kcv);
}

void p11_put_info(struct p11_wr *w, const struct hal_token_info *i)
{
    p11_put_text(w, i->label);
    p11_put_text(w, i->manufacturer);
    p11_put_text(w, i->model);
    p11_put_text(w, i->serial);
    p11_put_text(w, i->module);
    p11_put_text(w, i->kwp_mechanism);
    p11_put_text(w, i->oaep256);
    p11_put_text(w, i->template_rung);
    p11_put_u32(w, i->sessions);
    p11_put_u32(w, i->hmac_min_bytes);
}

void p11_put_failure(struct p11_wr *w, enum cf_rc rc, const struct cf_err *why)
{
    p11_put_u8(w, (uint8_t)rc);
    p11_put_u8(w, (uint8_t)why->src);
    p11_put_u64(w, why->native);
    p11_put_text(w, why->text);
}
