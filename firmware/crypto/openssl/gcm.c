#include <stdlib.h>
#include <string.h>

#include "ossl_priv.h"

struct crypto_gcm {
    EVP_CIPHER_CTX *ctx; /* keyed once; a message sets only the nonce */
    bool keyed;
};

enum cf_rc crypto_gcm_new(struct crypto_gcm **out, struct cf_err *e)
{
    *out = NULL;
    struct crypto_gcm *g = calloc(1, sizeof *g);
    if (!g)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a cipher");
    g->ctx = EVP_CIPHER_CTX_new();
    if (!g->ctx || EVP_EncryptInit_ex(g->ctx, EVP_aes_256_gcm(), NULL, NULL, NULL) != 1) {
        crypto_gcm_free(g);
        return OSSL_FAIL(e, CF_E_LIMIT, "AES-256-GCM");
    }
    *out = g;
    return CF_OK;
}

void crypto_gcm_free(struct crypto_gcm *g)
{
    if (!g)
        return;
    EVP_CIPHER_CTX_free(g->ctx); /* wipes the key schedule */
    free(g);
}

enum cf_rc crypto_gcm_set_key(struct crypto_gcm *g, const uint8_t key[CRYPTO_KEY_SIZE],
                              struct cf_err *e)
{
    g->keyed = EVP_EncryptInit_ex(g->ctx, NULL, NULL, key, NULL) == 1;
    return g->keyed ? CF_OK : OSSL_FAIL(e, CF_E_LIMIT, "AES-256-GCM key");
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

/* Nonce, associated data, then the bytes, in the direction given. */
static bool run(struct crypto_gcm *g, const struct crypto_gcm_op *op, int encrypt)
{
    int n = 0;
    if (EVP_CipherInit_ex(g->ctx, NULL, NULL, NULL, op->nonce, encrypt) != 1)
        return false;
    if (op->aad.len && EVP_CipherUpdate(g->ctx, NULL, &n, op->aad.p, (int)op->aad.len) != 1)
        return false;
    return op->len == 0 || EVP_CipherUpdate(g->ctx, op->out, &n, op->in, (int)op->len) == 1;
}

enum cf_rc crypto_gcm_seal(struct crypto_gcm *g, const struct crypto_gcm_op *op,
                           uint8_t tag[CRYPTO_TAG_SIZE], struct cf_err *e)
{
    enum cf_rc rc = ready(g, op, e);
    if (rc != CF_OK)
        return rc;
    uint8_t rest[16];
    int n = 0;
    if (!run(g, op, 1) || EVP_CipherFinal_ex(g->ctx, rest, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(g->ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_SIZE, tag) != 1) {
        if (op->len)
            cf_wipe(op->out, op->len);
        return OSSL_FAIL(e, CF_E_LIMIT, "AES-256-GCM seal");
    }
    return CF_OK;
}

enum cf_rc crypto_gcm_open(struct crypto_gcm *g, const struct crypto_gcm_op *op,
                           const uint8_t tag[CRYPTO_TAG_SIZE], struct cf_err *e)
{
    enum cf_rc rc = ready(g, op, e);
    if (rc != CF_OK)
        return rc;
    uint8_t want[CRYPTO_TAG_SIZE], rest[16];
    memcpy(want, tag, sizeof want);
    int n = 0;
    if (!run(g, op, 0) ||
        EVP_CIPHER_CTX_ctrl(g->ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG_SIZE, want) != 1)
        rc = OSSL_FAIL(e, CF_E_LIMIT, "AES-256-GCM open");
    else if (EVP_CipherFinal_ex(g->ctx, rest, &n) != 1)
        rc = CF_FAIL(e, CF_E_AUTH, "the tag does not verify");
    if (rc != CF_OK && op->len)
        cf_wipe(op->out, op->len);
    return rc;
}
