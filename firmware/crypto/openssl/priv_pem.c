#include "crypto/priv_pem.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#define PEM_MAX   32768
#define BYTES_MAX ((size_t)8 * (CRYPTO_RSA_BITS_MAX / 8))

/* No prompt: an encrypted key is refused. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static enum cf_rc parse(struct crypto_bytes pem, EVP_PKEY **out, struct cf_err *e)
{
    *out = NULL;
    if (pem.len == 0 || pem.len > PEM_MAX)
        return CF_FAIL(e, CF_E_INPUT, "a PEM private key has 1 to %d bytes", PEM_MAX);
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    if (!bio)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    *out = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return *out ? CF_OK : CF_FAIL(e, CF_E_INPUT, "no unencrypted private key in PEM form is there");
}

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
    v->type = HAL_RSA;
    for (size_t i = 0; rc == CF_OK && i < sizeof parts / sizeof parts[0]; i++)
        rc = take(f, parts[i].name, 0, parts[i].out, e);
    return rc;
}

static enum cf_rc take_ec(struct filling *f, struct crypto_priv *v, struct cf_err *e)
{
    static const struct {
        const char *group;
        enum hal_curve curve;
    } groups[] = { { "prime256v1", HAL_P256 },
                   { "secp256k1", HAL_P256K },
                   { "secp384r1", HAL_P384 },
                   { "secp521r1", HAL_P521 } };
    char group[64] = "";
    v->type = HAL_EC;
    if (EVP_PKEY_get_group_name(f->key, group, sizeof group, NULL) == 1)
        for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
            if (strcmp(groups[i].group, group) == 0)
                v->curve = groups[i].curve;
    if (!v->curve)
        return CF_FAIL(e, CF_E_INPUT,
                       "EC keys of P-256, P-256K, P-384 and P-521 are served, not '%s'", group);
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
    *out = (struct crypto_priv_own){ 0 };
    enum cf_rc rc = parse(pem, &f.key, e);
    if (rc == CF_OK)
        rc = cf_secret_new(BYTES_MAX, &out->bytes, e);
    if (rc == CF_OK) {
        f.at = cf_secret_data(out->bytes);
        int type = EVP_PKEY_get_base_id(f.key);
        if (type == EVP_PKEY_RSA)
            rc = take_rsa(&f, &out->view, e);
        else if (type == EVP_PKEY_EC)
            rc = take_ec(&f, &out->view, e);
        else
            rc = CF_FAIL(e, CF_E_INPUT, "only RSA and EC keys can be imported");
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
