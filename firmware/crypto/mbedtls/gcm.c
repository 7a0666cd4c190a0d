/* The second provider: plain C, some twenty times slower; a check on the first, and for images
 * that cannot carry OpenSSL. */
#include <stdlib.h>

#include <mbedtls/gcm.h>

#include "crypto/crypto.h"

struct crypto_gcm {
    mbedtls_gcm_context ctx;
    bool keyed;
};

enum cf_rc crypto_gcm_new(struct crypto_gcm **out, struct cf_err *e)
{
    struct crypto_gcm *g = calloc(1, sizeof *g);
    *out = g;
    if (!g)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a cipher");
    mbedtls_gcm_init(&g->ctx);
    return CF_OK;
}

void crypto_gcm_free(struct crypto_gcm *g)
{
    if (!g)
        return;
    mbedtls_gcm_free(&g->ctx); /* wipes the key schedule */
    free(g);
}

enum cf_rc crypto_gcm_set_key(struct crypto_gcm *g, const uint8_t key[CRYPTO_KEY_SIZE],
                              struct cf_err *e)
{
    mbedtls_gcm_free(&g->ctx);
    mbedtls_gcm_init(&g->ctx);
    g->keyed = mbedtls_gcm_setkey(&g->ctx, MBEDTLS_CIPHER_ID_AES, key, 8 * CRYPTO_KEY_SIZE) == 0;
    return g->keyed ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "AES-256-GCM key");
}

static enum cf_rc ready(const struct crypto_gcm *g, const struct crypto_gcm_op *op,
                        struct cf_err *e)
{
    if (!g->keyed)
        return CF_FAIL(e, CF_E_STATE, "cipher without a key");
    if (!op->nonce || op->len > CRYPTO_GCM_LEN_MAX || op->aad.len > CRYPTO_GCM_LEN_MAX ||
        (op->len && (!op->in || !op->out)))
        return CF_FAIL(e, CF_E_ARG, "bad cipher call");
    return CF_OK;
}

enum cf_rc crypto_gcm_seal(struct crypto_gcm *g, const struct crypto_gcm_op *op,
                           uint8_t tag[CRYPTO_TAG_SIZE], struct cf_err *e)
{
    enum cf_rc rc = ready(g, op, e);
    if (rc != CF_OK)
        return rc;
    if (mbedtls_gcm_crypt_and_tag(&g->ctx, MBEDTLS_GCM_ENCRYPT, op->len, op->nonce,
                                  CRYPTO_NONCE_SIZE, op->aad.p, op->aad.len, op->in, op->out,
                                  CRYPTO_TAG_SIZE, tag) == 0)
        return CF_OK;
    if (op->len)
        cf_wipe(op->out, op->len);
    return CF_FAIL(e, CF_E_LIMIT, "AES-256-GCM seal");
}

enum cf_rc crypto_gcm_open(struct crypto_gcm *g, const struct crypto_gcm_op *op,
                           const uint8_t tag[CRYPTO_TAG_SIZE], struct cf_err *e)
{
    enum cf_rc rc = ready(g, op, e);
    if (rc != CF_OK)
        return rc;
    int made = mbedtls_gcm_auth_decrypt(&g->ctx, op->len, op->nonce, CRYPTO_NONCE_SIZE, op->aad.p,
                                        op->aad.len, tag, CRYPTO_TAG_SIZE, op->in, op->out);
    if (made == 0)
        return CF_OK;
    if (op->len)
        cf_wipe(op->out, op->len);
    return made == MBEDTLS_ERR_GCM_AUTH_FAILED ? CF_FAIL(e, CF_E_AUTH, "the tag does not verify")
                                               : CF_FAIL(e, CF_E_LIMIT, "AES-256-GCM open");
}
