#include "import.h"

#include "crypto/priv_pem.h"

static void put(struct body *b, const char *name, struct crypto_bytes v)
{
    if (v.len)
        json_put_base64url(&b->w, name, v.p, v.len);
}

enum cf_rc import_put_jwk(struct body *b, const struct cf_buf *pem, const struct cli_list *ops,
                          struct cf_err *e)
{
    struct crypto_priv_own key = { 0 };
    enum cf_rc rc = crypto_priv_from_pem(crypto_bytes_of(pem->data, pem->len), &key, e);
    if (rc != CF_OK)
        return rc;
    const struct crypto_priv *v = &key.view;
    json_put_bool(&b->w, "Hsm", true);
    json_put_object(&b->w, "key");
    json_put_text(&b->w, "kty", v->type == HAL_RSA ? "RSA-HSM" : "EC-HSM");
    if (v->type == HAL_EC)
        json_put_text(&b->w, "crv", crypto_curve_name(v->curve));
    put(b, "n", v->n);
    put(b, "e", v->e);
    put(b, "d", v->d);
    put(b, "p", v->p);
    put(b, "q", v->q);
    put(b, "dp", v->dp);
    put(b, "dq", v->dq);
    put(b, "qi", v->qi);
    put(b, "x", v->x);
    put(b, "y", v->y);
    if (ops) {
        json_put_array(&b->w, "key_ops");
        for (size_t i = 0; i < ops->count; i++)
            json_put_text(&b->w, NULL, ops->item[i]);
        json_close(&b->w);
    }
    json_close(&b->w);
    crypto_priv_own_clear(&key);
    return CF_OK;
}
