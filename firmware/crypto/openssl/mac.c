#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/hmac.h>

#include "ossl_priv.h"

struct crypto_mac {
    EVP_MAC_CTX *ctx;
};

enum cf_rc crypto_hmac(enum hal_hash h, struct crypto_bytes key, struct crypto_bytes msg,
                       uint8_t *out, struct cf_err *e)
{
    const EVP_MD *md = ossl_md(h);
    if (!md || key.len > CF_BUF_MAX)
        return CF_FAIL(e, CF_E_ARG, "no such HMAC");
    if (!HMAC(md, key.len ? key.p : "", (int)key.len, msg.len ? msg.p : (const void *)"", msg.len,
              out, NULL))
        return OSSL_FAIL(e, CF_E_LIMIT, "HMAC");
    return CF_OK;
}

static EVP_MAC_CTX *new_hmac(void)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac); /* the context holds it */
    return ctx;
}

enum cf_rc crypto_mac_new(enum hal_hash h, struct crypto_bytes key, struct crypto_mac **out,
                          struct cf_err *e)
{
    *out = NULL;
    const EVP_MD *md = ossl_md(h);
    if (!md)
        return CF_FAIL(e, CF_E_ARG, "no such HMAC");
    char name[16] = "";
    snprintf(name, sizeof name, "%s", EVP_MD_get0_name(md));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    struct crypto_mac *c = calloc(1, sizeof *c);
    if (!c)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a MAC");
    c->ctx = new_hmac();
    if (!c->ctx || EVP_MAC_init(c->ctx, key.len ? key.p : (const void *)"", key.len, params) != 1) {
        crypto_mac_free(c);
        return OSSL_FAIL(e, CF_E_LIMIT, "HMAC");
    }
    *out = c;
    return CF_OK;
}

enum cf_rc crypto_mac_update(struct crypto_mac *c, const void *in, size_t len, struct cf_err *e)
{
    if (len && EVP_MAC_update(c->ctx, in, len) != 1)
        return OSSL_FAIL(e, CF_E_LIMIT, "HMAC");
    return CF_OK;
}

enum cf_rc crypto_mac_final(struct crypto_mac *c, uint8_t *out, struct cf_err *e)
{
    size_t len = 0;
    if (EVP_MAC_final(c->ctx, out, &len, CRYPTO_DIGEST_MAX) != 1 ||
        EVP_MAC_init(c->ctx, NULL, 0, NULL) != 1)
        return OSSL_FAIL(e, CF_E_LIMIT, "HMAC");
    return CF_OK;
}

void crypto_mac_free(struct crypto_mac *c)
{
    if (!c)
        return;
    EVP_MAC_CTX_free(c->ctx);
    free(c);
}
