#include "crypto/priv_pem.h"

#include <openssl/core_names.h>

#include "ossl_priv.h"

#define BYTES_MAX ((size_t)8 * (CRYPTO_RSA_BITS_MAX / 8))

struct filling {
    EVP_PKEY *key;
    uint8_t *at;
    size_t left;
};

/* One number, `width` bytes wide or (0) as short as it is. */
static enum cf_rc take(struct filling *f, const char *name, size_t width, struct crypto_bytes *out,
                       struct cf_err *e)
{
    BIGNUM *n = NULL;
    if (EVP_PKEY_get_bn_param(f->key, name, &n) != 1)
        return CF_FAIL(e, CF_E_INPUT, "the private key lacks its part '%s'", name);
    size_t len = width ? width : (size_t)BN_num_bytes(n);
    enum cf_rc rc = CF_OK;
    if (len > f->left || BN_bn2binpad(n, f->at, (int)len) < 0)
        rc = CF_FAIL(e, CF_E_INPUT, "the private key is larger than those we serve");
    BN_clear_free(n);
    if (rc == CF_OK) {
        *out = crypto_bytes_of(f->at, len);
        f->at += len;
        f->left -= len;
    }
    return rc;
}

static enum cf_rc take_rsa(struct filling *f, struct crypto_priv *v, struct cf_err *e)
{
    const struct {
        const char *name;
        struct crypto_bytes *out;
    } parts[] = {
        { OSSL_PKEY_PARAM_RSA_N, &v->n },          { OSSL_PKEY_PARAM_RSA_E, &v->e },
        { OSSL_PKEY_PARAM_RSA_D, &v->d },          { OSSL_PKEY_PARAM_RSA_FACTOR1, &v->p },
        { OSSL_PKEY_PARAM_RSA_FACTOR2, &v->q },    { OSSL_PKEY_PARAM_RSA_EXPONENT1, &v->dp },
        { OSSL_PKEY_PARAM_RSA_EXPONENT2, &v->dq }, { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &v->qi },
    };
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < sizeof parts / sizeof parts[0]; i++)
        rc = take(f, parts[i].name, 0, parts[i].out, e);
    return rc;
}

static enum cf_rc take_ec(struct filling *f, struct crypto_priv *v, struct cf_err *e)
{
    size_t width = crypto_curve_bytes(v->curve);
    enum cf_rc rc = take(f, OSSL_PKEY_PARAM_PRIV_KEY, width, &v->d, e);
    if (rc == CF_OK)
        rc = take(f, OSSL_PKEY_PARAM_EC_PUB_X, width, &v->x, e);
    return rc == CF_OK ? take(f, OSSL_PKEY_PARAM_EC_PUB_Y, width, &v->y, e) : rc;
}

enum cf_rc crypto_priv_from_pem(struct crypto_bytes pem, struct crypto_priv_own *out,
                                struct cf_err *e)
{
    struct filling f = { .left = BYTES_MAX };
    struct crypto_pkey kind = { 0 };
    *out = (struct crypto_priv_own){ 0 };
    enum cf_rc rc = ossl_pkey_of_pem(pem, NULL, &f.key, e);
    if (rc == CF_OK)
        rc = ossl_pkey_kind(f.key, &kind, e);
    if (rc == CF_OK)
        rc = cf_secret_new(BYTES_MAX, &out->bytes, e);
    if (rc == CF_OK) {
        f.at = cf_secret_data(out->bytes);
        out->view.type = kind.type;
        out->view.curve = kind.curve;
        rc = kind.type == HAL_RSA ? take_rsa(&f, &out->view, e) : take_ec(&f, &out->view, e);
    }
    EVP_PKEY_free(f.key);
    if (rc != CF_OK)
        crypto_priv_own_clear(out);
    return rc;
}

void crypto_priv_own_clear(struct crypto_priv_own *p)
{
    cf_secret_free(p->bytes);
    *p = (struct crypto_priv_own){ 0 };
}
