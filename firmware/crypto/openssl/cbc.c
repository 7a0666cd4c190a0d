#include "ossl_priv.h"

#define CBC_MAX ((size_t)16 << 20)

static const EVP_CIPHER *cbc_of(size_t key_len)
{
    switch (key_len) {
    case 16:
        return EVP_aes_128_cbc();
    case 24:
        return EVP_aes_192_cbc();
    case 32:
        return EVP_aes_256_cbc();
    default:
        return NULL;
    }
}

static bool run(EVP_CIPHER_CTX *ctx, struct crypto_bytes in, uint8_t *dst, size_t *len)
{
    int n = 0, tail = 0;
    if (in.len && EVP_CipherUpdate(ctx, dst, &n, in.p, (int)in.len) != 1)
        return false;
    bool ok = EVP_CipherFinal_ex(ctx, dst + n, &tail) == 1;
    *len = (size_t)n + (size_t)(ok ? tail : 0);
    return ok;
}

/* Appends the outcome; on failure `out` is as it was. */
static enum cf_rc cbc(EVP_CIPHER_CTX *ctx, struct crypto_bytes in, struct cf_buf *out,
                      struct cf_err *e)
{
    size_t old = out->len, made = 0;
    enum cf_rc rc = cf_buf_resize(out, old + in.len + CRYPTO_IV_SIZE, e);
    if (rc != CF_OK)
        return rc;
    if (!run(ctx, in, out->data + old, &made)) {
        made = 0;
        rc = OSSL_FAIL(e, CF_E_AUTH, "AES-CBC");
    }
    enum cf_rc cut = cf_buf_resize(out, old + made, e); /* wipes what is cut off */
    return rc != CF_OK ? rc : cut;
}

static enum cf_rc start(struct crypto_bytes key, const uint8_t *iv, int encrypt,
                        EVP_CIPHER_CTX **ctx, struct cf_err *e)
{
    const EVP_CIPHER *cipher = cbc_of(key.len);
    if (!cipher)
        return CF_FAIL(e, CF_E_ARG, "AES key of %zu bytes", key.len);
    *ctx = EVP_CIPHER_CTX_new();
    if (!*ctx || EVP_CipherInit_ex(*ctx, cipher, NULL, key.p, iv, encrypt) != 1)
        return OSSL_FAIL(e, CF_E_LIMIT, "AES-CBC");
    return CF_OK;
}

enum cf_rc crypto_cbc_encrypt(struct crypto_bytes key, const uint8_t iv[CRYPTO_IV_SIZE],
                              struct crypto_bytes in, struct cf_buf *out, struct cf_err *e)
{
    EVP_CIPHER_CTX *ctx = NULL;
    if (in.len > CBC_MAX)
        return CF_FAIL(e, CF_E_ARG, "too long for one message");
    enum cf_rc rc = start(key, iv, 1, &ctx, e);
    if (rc == CF_OK)
        rc = cbc(ctx, in, out, e);
    EVP_CIPHER_CTX_free(ctx);
    return rc;
}

enum cf_rc crypto_cbc_decrypt(struct crypto_bytes key, const uint8_t iv[CRYPTO_IV_SIZE],
                              struct crypto_bytes in, struct cf_buf *out, struct cf_err *e)
{
    EVP_CIPHER_CTX *ctx = NULL;
    if (in.len > CBC_MAX)
        return CF_FAIL(e, CF_E_ARG, "too long for one message");
    if (in.len == 0 || in.len % CRYPTO_IV_SIZE)
        return CF_FAIL(e, CF_E_AUTH, "not whole blocks");
    enum cf_rc rc = start(key, iv, 0, &ctx, e);
    if (rc == CF_OK)
        rc = cbc(ctx, in, out, e);
    EVP_CIPHER_CTX_free(ctx);
    return rc;
}
