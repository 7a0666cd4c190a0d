#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "crypto/privkey.h"
#include "ossl_priv.h"

#define PEM_MAX 65536

struct crypto_privkey {
    struct crypto_pkey key;
};

/* Gives the password, and never asks on a terminal. */
static int password_of(char *buf, int size, int writing, void *arg)
{
    const char *const *password = arg;
    (void)writing;
    size_t len = *password ? strlen(*password) : 0;
    if (!*password || len > (size_t)size)
        return -1;
    memcpy(buf, *password, len);
    return (int)len;
}

enum cf_rc ossl_pkey_of_pem(struct crypto_bytes pem, const char *password, EVP_PKEY **out,
                            struct cf_err *e)
{
    *out = NULL;
    if (pem.len == 0 || pem.len > PEM_MAX)
        return CF_FAIL(e, CF_E_INPUT, "a PEM private key has 1 to %d bytes", PEM_MAX);
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    if (!bio)
        return OSSL_FAIL(e, CF_E_LIMIT, "no memory for a key");
    *out = PEM_read_bio_PrivateKey(bio, NULL, password_of, &password);
    BIO_free(bio);
    return *out ? CF_OK
                : OSSL_FAIL(e, CF_E_INPUT,
                            password ? "no private key in PEM, or a wrong password"
                                     : "no unencrypted private key in PEM");
}

enum cf_rc crypto_privkey_from_pem(struct crypto_bytes pem, const char *password,
                                   struct crypto_privkey **out, struct cf_err *e)
{
    *out = NULL;
    struct crypto_privkey *k = calloc(1, sizeof *k);
    if (!k)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a key");
    EVP_PKEY *pkey = NULL;
    enum cf_rc rc = ossl_pkey_of_pem(pem, password, &pkey, e);
    if (rc == CF_OK)
        rc = ossl_pkey_kind(pkey, &k->key, e);
    k->key.pkey = pkey;
    if (rc == CF_OK)
        *out = k;
    else
        crypto_privkey_free(k);
    return rc;
}

void crypto_privkey_free(struct crypto_privkey *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key.pkey);
    free(k);
}

enum cf_rc crypto_privkey_spki(const struct crypto_privkey *k, struct cf_buf *spki,
                               struct cf_err *e)
{
    return ossl_spki_of_pkey(k->key.pkey, spki, e);
}

static bool set_padding(EVP_PKEY_CTX *ctx, enum hal_mech padding, enum hal_hash h)
{
    if (padding == HAL_RSA_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, ossl_md(h)) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, ossl_md(h)) == 1;
}

enum cf_rc crypto_privkey_decrypt(const struct crypto_privkey *k, enum hal_mech padding,
                                  enum hal_hash h, struct crypto_bytes in, struct cf_buf *out,
                                  struct cf_err *e)
{
    size_t old = out->len, len = CRYPTO_RSA_BITS_MAX / 8;
    if (k->key.type != HAL_RSA || (padding != HAL_RSA_PKCS1 && padding != HAL_RSA_OAEP) ||
        (padding == HAL_RSA_OAEP && !ossl_md(h)))
        return CF_FAIL(e, CF_E_ARG, "no such decryption");
    enum cf_rc rc = cf_buf_resize(out, old + len, e);
    if (rc != CF_OK)
        return rc;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->key.pkey, NULL);
    if (!ctx || EVP_PKEY_decrypt_init(ctx) != 1 || !set_padding(ctx, padding, h))
        rc = OSSL_FAIL(e, CF_E_LIMIT, "RSA decryption");
    else if (EVP_PKEY_decrypt(ctx, out->data + old, &len, in.p, in.len) != 1)
        rc = OSSL_FAIL(e, CF_E_AUTH, "decryption failed");
    enum cf_rc cut = cf_buf_resize(out, rc == CF_OK ? old + len : old, e);
    EVP_PKEY_CTX_free(ctx);
    return rc != CF_OK ? rc : cut;
}

static bool set_signature(EVP_PKEY_CTX *ctx, enum crypto_sig alg)
{
    if (EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) != 1)
        return false;
    if (alg == CRYPTO_ES256)
        return true;
    int pad = alg == CRYPTO_PS256 ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, pad) == 1 &&
           (alg != CRYPTO_PS256 ||
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

enum cf_rc crypto_privkey_sign(const struct crypto_privkey *k, enum crypto_sig alg,
                               const uint8_t digest[32], struct cf_buf *sig, struct cf_err *e)
{
    uint8_t made[CRYPTO_RSA_BITS_MAX / 8], raw[CRYPTO_P256_SIG_SIZE];
    size_t len = sizeof made;
    bool ec = alg == CRYPTO_ES256;
    if ((alg != CRYPTO_RS256 && alg != CRYPTO_PS256 && !ec) ||
        ec != (k->key.type == HAL_EC && k->key.curve == HAL_P256))
        return CF_FAIL(e, CF_E_ARG, "the algorithm does not fit the key");
    enum cf_rc rc = CF_OK;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->key.pkey, NULL);
    if (!ctx || EVP_PKEY_sign_init(ctx) != 1 || !set_signature(ctx, alg) ||
        EVP_PKEY_sign(ctx, made, &len, digest, 32) != 1)
        rc = OSSL_FAIL(e, CF_E_LIMIT, "signature");
    if (rc == CF_OK && ec)
        rc = ossl_sig_to_raw(made, len, raw, sizeof raw / 2, e);
    if (rc == CF_OK)
        rc = ec ? cf_buf_put(sig, raw, sizeof raw, e) : cf_buf_put(sig, made, len, e);
    EVP_PKEY_CTX_free(ctx);
    return rc;
}
