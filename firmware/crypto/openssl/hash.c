#include <stdlib.h>

#include "ossl_priv.h"

struct crypto_hash {
    EVP_MD_CTX *ctx;
};

enum cf_rc crypto_digest(enum hal_hash h, const void *in, size_t len, uint8_t *out,
                         struct cf_err *e)
{
    const EVP_MD *md = ossl_md(h);
    if (!md)
        return CF_FAIL(e, CF_E_ARG, "no such digest");
    if (EVP_Digest(len ? in : "", len, out, NULL, md, NULL) != 1)
        return OSSL_FAIL(e, CF_E_LIMIT, "digest");
    return CF_OK;
}

enum cf_rc crypto_hash_new(enum hal_hash h, struct crypto_hash **out, struct cf_err *e)
{
    *out = NULL;
    const EVP_MD *md = ossl_md(h);
    if (!md)
        return CF_FAIL(e, CF_E_ARG, "no such digest");
    struct crypto_hash *c = calloc(1, sizeof *c);
    if (!c)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a digest");
    c->ctx = EVP_MD_CTX_new();
    if (!c->ctx || EVP_DigestInit_ex(c->ctx, md, NULL) != 1) {
        crypto_hash_free(c);
        return OSSL_FAIL(e, CF_E_LIMIT, "digest");
    }
    *out = c;
    return CF_OK;
}

enum cf_rc crypto_hash_update(struct crypto_hash *c, const void *in, size_t len, struct cf_err *e)
{
    if (len && EVP_DigestUpdate(c->ctx, in, len) != 1)
        return OSSL_FAIL(e, CF_E_LIMIT, "digest");
    return CF_OK;
}

enum cf_rc crypto_hash_final(struct crypto_hash *c, uint8_t *out, struct cf_err *e)
{
    if (EVP_DigestFinal_ex(c->ctx, out, NULL) != 1 || EVP_DigestInit_ex(c->ctx, NULL, NULL) != 1)
        return OSSL_FAIL(e, CF_E_LIMIT, "digest");
    return CF_OK;
}

void crypto_hash_free(struct crypto_hash *c)
{
    if (!c)
        return;
    EVP_MD_CTX_free(c->ctx);
    free(c);
}
