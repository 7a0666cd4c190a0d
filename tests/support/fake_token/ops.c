#include "fake_priv.h"

#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define REFUSED(e) CF_FAIL((e), CF_E_INPUT, "the token refuses the operation")
/* One text, whatever is wrong inside: it must not tell an attacker more. */
#define DOES_NOT_DECRYPT(e)                                                                        \
    CF_FAIL((e), CF_E_INPUT, "the ciphertext does not decrypt under this key")

const EVP_MD *fake_md(enum hal_hash h)
{
    switch (h) {
    case HAL_SHA1:
        return EVP_sha1();
    case HAL_SHA256:
        return EVP_sha256();
    case HAL_SHA384:
        return EVP_sha384();
    case HAL_SHA512:
        return EVP_sha512();
    default:
        return NULL;
    }
}

enum cf_rc fake_spki(EVP_PKEY *key, struct cf_buf *out, struct cf_err *e)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    enum cf_rc rc = len > 0 ? cf_buf_put(out, der, (size_t)len, e) : REFUSED(e);
    OPENSSL_free(der);
    return rc;
}

EVP_PKEY *fake_generate(const struct hal_key_spec *spec)
{
    static const char *const curve[] = { "", "P-256", "P-384", "P-521", "secp256k1" };
    if (spec->type == HAL_EC)
        return EVP_EC_gen(curve[spec->curve]);
    EVP_PKEY *key = NULL;
    BIGNUM *e = BN_new();
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
    if (c && e && BN_set_word(e, spec->rsa_exponent ? spec->rsa_exponent : RSA_F4) &&
        EVP_PKEY_keygen_init(c) > 0 && EVP_PKEY_CTX_set_rsa_keygen_bits(c, (int)spec->bits) > 0 &&
        EVP_PKEY_CTX_set1_rsa_keygen_pubexp(c, e) > 0)
        (void)(EVP_PKEY_keygen(c, &key) > 0); /* else NULL */
    EVP_PKEY_CTX_free(c);
    BN_free(e);
    return key;
}

enum cf_rc fake_hmac(const uint8_t *key, size_t key_len, enum hal_hash h, const void *msg,
                     size_t len, uint8_t out[64])
{
    return HMAC(fake_md(h), key, (int)key_len, msg, len, out, NULL) ? CF_OK : CF_E_TOKEN;
}

/* DER of the signature in out -> r | s, each as wide as the order. */
static enum cf_rc raw_ecdsa(EVP_PKEY *key, struct cf_buf *out, struct cf_err *e)
{
    const unsigned char *p = out->data;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)out->len);
    int width = (EVP_PKEY_get_bits(key) + 7) / 8;
    enum cf_rc rc = sig ? cf_buf_resize(out, 2 * (size_t)width, e) : REFUSED(e);
    if (rc == CF_OK) {
        BN_bn2binpad(ECDSA_SIG_get0_r(sig), out->data, width);
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), out->data + width, width);
    }
    ECDSA_SIG_free(sig);
    return rc;
}

static bool set_padding(EVP_PKEY_CTX *c, const struct hal_op *op)
{
    switch (op->mech) {
    case HAL_ECDSA:
        return true;
    case HAL_RSA_PKCS1_SIGN:
        return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0 &&
               EVP_PKEY_CTX_set_signature_md(c, fake_md(op->hash)) > 0;
    case HAL_RSA_RAW_PKCS1:
    case HAL_RSA_PKCS1:
        return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0;
    case HAL_RSA_PSS:
        return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) > 0 &&
               EVP_PKEY_CTX_set_signature_md(c, fake_md(op->hash)) > 0 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) > 0;
    case HAL_RSA_OAEP:
        return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) > 0 &&
               EVP_PKEY_CTX_set_rsa_oaep_md(c, fake_md(op->hash)) > 0 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(c, fake_md(op->hash)) > 0;
    default:
        return false;
    }
}

/* A digest of the hash, or as wide as the curve's order allows; a ciphertext as wide as the key. */
static bool length_fits(EVP_PKEY *key, const struct hal_op *op)
{
    size_t width = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
    if (op->use != HAL_SIGN)
        return op->in_len == width;
    if (op->mech == HAL_ECDSA)
        return op->in_len == (width < 64 ? width : 64);
    if (op->mech == HAL_RSA_RAW_PKCS1)
        return op->in_len + 11 <= width;
    return fake_md(op->hash) && op->in_len == (size_t)EVP_MD_get_size(fake_md(op->hash));
}

enum cf_rc fake_pkey_op(EVP_PKEY *key, const struct hal_op *op, struct hal_result *out,
                        struct cf_err *e)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    bool sign = op->use == HAL_SIGN;
    bool fits = EVP_PKEY_is_a(key, "RSA") == (op->mech != HAL_ECDSA) && length_fits(key, op);
    int (*run)(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t) =
        sign ? EVP_PKEY_sign : EVP_PKEY_decrypt;
    size_t len = (size_t)EVP_PKEY_get_size(key);
    bool ready = c && fits && (sign ? EVP_PKEY_sign_init(c) : EVP_PKEY_decrypt_init(c)) > 0 &&
                 set_padding(c, op);
    enum cf_rc rc = ready ? cf_buf_resize(&out->out, len, e) : REFUSED(e);
    if (rc == CF_OK && run(c, out->out.data, &len, op->in, op->in_len) <= 0)
        rc = sign ? REFUSED(e) : DOES_NOT_DECRYPT(e);
    if (rc == CF_OK)
        rc = cf_buf_resize(&out->out, len, e);
    if (rc == CF_OK && op->mech == HAL_ECDSA)
        rc = raw_ecdsa(key, &out->out, e);
    if (rc != CF_OK)
        cf_buf_clear(&out->out);
    EVP_PKEY_CTX_free(c);
    return rc;
}

/* --- secret keys -------------------------------------------------------------------------------
 */

enum cf_rc fake_wrap(const struct fake_wrap *w, const uint8_t *in, size_t len, struct cf_buf *out,
                     struct cf_err *e)
{
    const EVP_CIPHER *cipher[2][3] = {
        { EVP_aes_128_wrap(), EVP_aes_192_wrap(), EVP_aes_256_wrap() },
        { EVP_aes_128_wrap_pad(), EVP_aes_192_wrap_pad(), EVP_aes_256_wrap_pad() },
    };
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    size_t at = out->len;
    int n = 0;
    enum cf_rc rc = cf_buf_resize(out, at + len + 24, e);
    if (rc != CF_OK || w->key_len < 16 || w->key_len > 32) {
        EVP_CIPHER_CTX_free(c);
        return rc == CF_OK ? REFUSED(e) : rc;
    }
    EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex(c, cipher[w->pad][w->key_len / 8 - 2], NULL, w->key, NULL, !w->unwrap) !=
            1 ||
        EVP_CipherUpdate(c, out->data + at, &n, in, (int)len) != 1)
        rc = w->unwrap ? CF_FAIL(e, CF_E_AUTH, "unwrapping failed") : REFUSED(e);
    EVP_CIPHER_CTX_free(c);
    enum cf_rc cut = cf_buf_resize(out, at + (rc == CF_OK ? (size_t)n : 0), e);
    return rc == CF_OK ? cut : rc;
}

static enum cf_rc cipher_run(EVP_CIPHER_CTX *c, const struct hal_op *op, struct cf_buf *out,
                             struct cf_err *e)
{
    int n = 0, last = 0;
    enum cf_rc rc = cf_buf_resize(out, op->in_len + 32, e);
    if (rc != CF_OK)
        return rc;
    if (op->aad_len && op->mech == HAL_AES_GCM &&
        EVP_CipherUpdate(c, NULL, &n, op->aad, (int)op->aad_len) != 1)
        return REFUSED(e);
    if (EVP_CipherUpdate(c, out->data, &n, op->in, (int)op->in_len) != 1 ||
        EVP_CipherFinal_ex(c, out->data + n, &last) != 1)
        return CF_FAIL(e, op->mech == HAL_AES_GCM ? CF_E_AUTH : CF_E_INPUT, "does not decrypt");
    return cf_buf_resize(out, (size_t)(n + last), e);
}

static enum cf_rc aes_op(const uint8_t *key, size_t key_len, const struct hal_op *op,
                         struct hal_result *out, struct cf_err *e)
{
    const EVP_CIPHER *gcm[3] = { EVP_aes_128_gcm(), EVP_aes_192_gcm(), EVP_aes_256_gcm() };
    const EVP_CIPHER *cbc[3] = { EVP_aes_128_cbc(), EVP_aes_192_cbc(), EVP_aes_256_cbc() };
    bool seal = op->use == HAL_ENCRYPT || op->use == HAL_WRAP, is_gcm = op->mech == HAL_AES_GCM;
    const uint8_t *iv = op->iv;
    uint8_t tag[16];
    if (key_len % 8 || key_len < 16 || key_len > 32 || (!is_gcm && op->iv_len != 16))
        return REFUSED(e);
    if (is_gcm && seal) {
        RAND_bytes(out->iv, 12);
        out->iv_len = 12;
        iv = out->iv;
    } else if (is_gcm && (op->iv_len != 12 || op->tag_len != 16)) {
        return REFUSED(e);
    }
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    EVP_CipherInit_ex(c, (is_gcm ? gcm : cbc)[key_len / 8 - 2], NULL, key, iv, seal);
    EVP_CIPHER_CTX_set_padding(c, op->mech == HAL_AES_CBC_PAD);
    if (is_gcm && !seal) {
        memcpy(tag, op->tag, sizeof tag);
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16, tag);
    }
    enum cf_rc rc = cipher_run(c, op, &out->out, e);
    if (rc == CF_OK && is_gcm && seal) {
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out->tag);
        out->tag_len = 16;
    }
    if (rc != CF_OK)
        cf_buf_clear(&out->out);
    EVP_CIPHER_CTX_free(c);
    return rc;
}

static enum cf_rc key_wrap(const uint8_t *key, size_t key_len, const struct hal_op *op,
                           struct hal_result *out, struct cf_err *e)
{
    struct fake_wrap wrap = { .key = key,
                              .key_len = key_len,
                              .pad = op->mech == HAL_AES_KWP,
                              .unwrap = op->use == HAL_UNWRAP };
    size_t least = wrap.unwrap ? (wrap.pad ? 16 : 24) : (wrap.pad ? 1 : 16);
    if (op->in_len < least || ((wrap.unwrap || !wrap.pad) && op->in_len % 8 != 0))
        return REFUSED(e);
    enum cf_rc rc = fake_wrap(&wrap, op->in, op->in_len, &out->out, e);
    if (rc != CF_OK)
        cf_buf_clear(&out->out);
    return rc;
}

enum cf_rc fake_secret_op(const uint8_t *key, size_t key_len, const struct hal_op *op,
                          struct hal_result *out, struct cf_err *e)
{
    uint8_t mac[64];
    switch (op->mech) {
    case HAL_AES_GCM:
    case HAL_AES_CBC:
    case HAL_AES_CBC_PAD:
        return aes_op(key, key_len, op, out, e);
    case HAL_AES_KW:
    case HAL_AES_KWP:
        return key_wrap(key, key_len, op, out, e);
    case HAL_HMAC:
        if (!fake_md(op->hash))
            return REFUSED(e);
        fake_hmac(key, key_len, op->hash, op->in, op->in_len, mac);
        size_t len = (size_t)EVP_MD_get_size(fake_md(op->hash));
        if (op->use == HAL_VERIFY)
            return op->tag_len == len && cf_equal(mac, op->tag, len)
                       ? CF_OK
                       : CF_FAIL(e, CF_E_AUTH, "the MAC differs");
        return cf_buf_put(&out->out, mac, len, e);
    default:
        return REFUSED(e);
    }
}
