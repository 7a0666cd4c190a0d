#include "ossl_priv.h"

#define WRAP_MAX ((size_t)1 << 16)

static const EVP_CIPHER *wrap_of(enum crypto_wrap how, size_t kek_len)
{
    switch (kek_len) {
    case 16:
        return how == CRYPTO_KW ? EVP_aes_128_wrap() : EVP_aes_128_wrap_pad();
    case 24:
        return how == CRYPTO_KW ? EVP_aes_192_wrap() : EVP_aes_192_wrap_pad();
    case 32:
        return how == CRYPTO_KW ? EVP_aes_256_wrap() : EVP_aes_256_wrap_pad();
    default:
        return NULL;
    }
}

static enum cf_rc start(enum crypto_wrap how, struct crypto_bytes kek, int wrap,
                        EVP_CIPHER_CTX **ctx, struct cf_err *e)
{
    const EVP_CIPHER *cipher = wrap_of(how, kek.len);
    if (!cipher)
        return CF_FAIL(e, CF_E_ARG, "key-encryption key of %zu bytes", kek.len);
    *ctx = EVP_CIPHER_CTX_new();
    if (!*ctx)
        return OSSL_FAIL(e, CF_E_LIMIT, "AES key wrap");
    EVP_CIPHER_CTX_set_flags(*ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex(*ctx, cipher, NULL, kek.p, NULL, wrap) != 1)
        return OSSL_FAIL(e, CF_E_LIMIT, "AES key wrap");
    return CF_OK;
}

enum cf_rc crypto_wrap(enum crypto_wrap how, struct crypto_bytes kek, struct crypto_bytes in,
                       struct cf_buf *out, struct cf_err *e)
{
    EVP_CIPHER_CTX *ctx = NULL;
    size_t old = out->len;
    int n = 0;
    if (in.len == 0 || in.len > WRAP_MAX || (how == CRYPTO_KW && (in.len < 16 || in.len % 8)))
        return CF_FAIL(e, CF_E_ARG, "%zu bytes cannot be wrapped", in.len);
    enum cf_rc rc = start(how, kek, 1, &ctx, e);
    if (rc == CF_OK)
        rc = cf_buf_resize(out, old + in.len + 16, e);
    if (rc == CF_OK && EVP_CipherUpdate(ctx, out->data + old, &n, in.p, (int)in.len) != 1) {
        n = 0;
        rc = OSSL_FAIL(e, CF_E_LIMIT, "AES key wrap");
    }
    if (out->len > old && cf_buf_resize(out, old + (size_t)n, e) != CF_OK)
        rc = CF_E_LIMIT;
    EVP_CIPHER_CTX_free(ctx);
    return rc;
}

enum cf_rc crypto_unwrap(enum crypto_wrap how, struct crypto_bytes kek, struct crypto_bytes in,
                         struct cf_secret **out, struct cf_err *e)
{
    EVP_CIPHER_CTX *ctx = NULL;
    struct cf_secret *work = NULL;
    int n = 0;
    *out = NULL;
    if (in.len < (how == CRYPTO_KW ? 24u : 16u) || in.len > WRAP_MAX || in.len % 8)
        return CF_FAIL(e, CF_E_AUTH, "%zu bytes are no wrapped key", in.len);
    enum cf_rc rc = start(how, kek, 0, &ctx, e);
    if (rc == CF_OK)
        rc = cf_secret_new(in.len + 16, &work, e);
    if (rc == CF_OK &&
        (EVP_CipherUpdate(ctx, cf_secret_data(work), &n, in.p, (int)in.len) != 1 || n <= 0))
        rc = OSSL_FAIL(e, CF_E_AUTH, "the wrapped key does not verify");
    if (rc == CF_OK)
        rc = cf_secret_copy(cf_secret_view(work), (size_t)n, out, e);
    cf_secret_free(work);
    EVP_CIPHER_CTX_free(ctx);
    return rc;
}
