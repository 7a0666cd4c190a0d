#include "fake_priv.h"

#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

#define KC "coffer.v1.kc"

static enum cf_rc wrap_under(struct hal_token *t, const struct hal_key_name *kek,
                             const uint8_t *material, size_t len, struct hal_wrapped *out,
                             struct cf_err *e)
{
    uint8_t key[HAL_SECRET_SIZE];
    struct fake_wrap w = { .key = key, .key_len = sizeof key, .pad = true };
    enum cf_rc rc = fake_secret(t, kek, key, e);
    out->material_len = (uint32_t)len;
    return rc == CF_OK ? fake_wrap(&w, material, len, &out->wrapped, e) : rc;
}

/* firmware/keystore/FORMAT.md 3.1, KCV. */
static void kcv_of(const uint8_t *key, size_t len, uint8_t out[HAL_KCV_SIZE])
{
    uint8_t block[16] = KC, full[64];
    if (len == 16 || len == 24 || len == 32) {
        const EVP_CIPHER *ecb[3] = { EVP_aes_128_ecb(), EVP_aes_192_ecb(), EVP_aes_256_ecb() };
        EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
        int n;
        EVP_EncryptInit_ex(c, ecb[len / 8 - 2], NULL, key, NULL);
        EVP_EncryptUpdate(c, full, &n, block, sizeof block);
        EVP_CIPHER_CTX_free(c);
    } else {
        fake_hmac(key, len, HAL_SHA256, KC, strlen(KC), full);
    }
    memcpy(out, full, HAL_KCV_SIZE);
}

static enum cf_rc keep_pkey(struct hal_token *t, const struct hal_key_name *kek, EVP_PKEY *key,
                            struct hal_wrapped *out, struct cf_err *e)
{
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
    unsigned char *der = NULL;
    int len = p8 ? i2d_PKCS8_PRIV_KEY_INFO(p8, &der) : 0;
    enum cf_rc rc = len > 0 ? CF_OK : CF_FAIL(e, CF_E_TOKEN, "no PKCS#8");
    if (rc == CF_OK)
        rc = wrap_under(t, kek, der, (size_t)len, out, e);
    if (rc == CF_OK)
        rc = fake_spki(key, &out->spki, e);
    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    PKCS8_PRIV_KEY_INFO_free(p8);
    return rc;
}

static enum cf_rc keep_secret(struct hal_token *t, const struct hal_key_name *kek,
                              const uint8_t *key, size_t len, struct hal_wrapped *out,
                              struct cf_err *e)
{
    kcv_of(key, len, out->kcv);
    return wrap_under(t, kek, key, len, out, e);
}

enum cf_rc fake_user_make(struct hal_token *t, const struct hal_key_name *kek,
                          const struct hal_key_spec *spec, struct hal_wrapped *out,
                          struct cf_err *e)
{
    enum cf_rc rc = fake_enter(t, e);
    if (rc != CF_OK)
        return rc;
    if (spec->type == HAL_OCT) {
        uint8_t key[64];
        RAND_bytes(key, sizeof key);
        return keep_secret(t, kek, key, spec->bits / 8, out, e);
    }
    EVP_PKEY *key = fake_generate(spec);
    rc = key ? keep_pkey(t, kek, key, out, e) : CF_FAIL(e, CF_E_INPUT, "cannot make such a key");
    EVP_PKEY_free(key);
    return rc;
}

static EVP_PKEY *pkey_of(const uint8_t *der, size_t len)
{
    const unsigned char *p = der;
    PKCS8_PRIV_KEY_INFO *p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
    EVP_PKEY *key = p8 ? EVP_PKCS82PKEY(p8) : NULL;
    PKCS8_PRIV_KEY_INFO_free(p8);
    return key;
}

enum cf_rc fake_user_import(struct hal_token *t, const struct hal_key_name *kek,
                            const struct hal_key_spec *spec, const struct cf_secret *material,
                            struct hal_wrapped *out, struct cf_err *e)
{
    enum cf_rc rc = fake_enter(t, e);
    const uint8_t *p = cf_secret_view(material);
    size_t len = cf_secret_len(material);
    if (rc != CF_OK)
        return rc;
    if (spec->type == HAL_OCT)
        return len * 8 == spec->bits ? keep_secret(t, kek, p, len, out, e)
                                     : CF_FAIL(e, CF_E_INPUT, "length and spec differ");
    EVP_PKEY *key = pkey_of(p, len);
    rc = key ? keep_pkey(t, kek, key, out, e) : CF_FAIL(e, CF_E_INPUT, "no PKCS#8 key");
    EVP_PKEY_free(key);
    return rc;
}

enum cf_rc fake_token_unwrap(struct hal_token *t, const struct hal_key_name *kek,
                             const uint8_t *wrapped, size_t len, struct cf_buf *out,
                             struct cf_err *e)
{
    uint8_t key[HAL_SECRET_SIZE];
    struct fake_wrap w = { .key = key, .key_len = sizeof key, .pad = true, .unwrap = true };
    enum cf_rc rc = fake_secret(t, kek, key, e);
    return rc == CF_OK ? fake_wrap(&w, wrapped, len, out, e) : rc;
}

/* MAC, unwrap, length: what every use begins with. */
static enum cf_rc open_key(struct hal_token *t, const struct hal_user_key *key, struct cf_buf *out,
                           struct cf_err *e)
{
    uint8_t mk[HAL_SECRET_SIZE], mac[64];
    enum cf_rc rc = fake_secret(t, &key->mac_key, mk, e);
    if (rc == CF_OK)
        rc = fake_hmac(mk, sizeof mk, HAL_SHA256, key->bound, key->bound_len, mac);
    if (rc == CF_OK && !cf_equal(mac, key->bound_mac, HAL_MAC_SIZE))
        rc = CF_FAIL(e, CF_E_AUTH, "the blob's MAC does not verify");
    if (rc == CF_OK)
        rc = fake_token_unwrap(t, &key->kek, key->wrapped, key->wrapped_len, out, e);
    /* SoftHSM pads with zeros to a multiple of 8 before it wraps (keystore/FORMAT.md 3.1) */
    size_t m = key->material_len;
    if (rc == CF_OK && (out->len < m || out->len > (m + 7) / 8 * 8 ||
                        !cf_all_bytes(out->data + m, out->len - m, 0)))
        rc = CF_FAIL(e, CF_E_AUTH, "the material has another length");
    if (rc == CF_OK)
        rc = cf_buf_resize(out, m, e);
    return rc;
}

enum cf_rc fake_user_use(struct hal_token *t, const struct hal_user_key *key,
                         const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    struct cf_buf m = { 0 };
    enum cf_rc rc = fake_enter(t, e);
    if (rc == CF_OK)
        rc = open_key(t, key, &m, e);
    if (rc == CF_OK && key->spec.type == HAL_OCT) {
        rc = fake_secret_op(m.data, m.len, op, out, e);
    } else if (rc == CF_OK) {
        EVP_PKEY *pkey = pkey_of(m.data, m.len);
        rc = pkey ? fake_pkey_op(pkey, op, out, e) : CF_FAIL(e, CF_E_AUTH, "no PKCS#8 inside");
        EVP_PKEY_free(pkey);
    }
    cf_buf_clear(&m);
    return rc;
}

/* A PKCS#8 may bring a public half along: the private one decides. */
static bool halves_agree(EVP_PKEY *key)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    bool agree = c && EVP_PKEY_pairwise_check(c) == 1;
    EVP_PKEY_CTX_free(c);
    return agree;
}

enum cf_rc fake_user_check(struct hal_token *t, const struct hal_user_key *key, struct cf_err *e)
{
    struct cf_buf m = { 0 }, spki = { 0 };
    uint8_t kcv[HAL_KCV_SIZE];
    bool good = false;
    enum cf_rc rc = fake_enter(t, e);
    if (rc == CF_OK)
        rc = open_key(t, key, &m, e);
    if (rc == CF_OK && key->spec.type == HAL_OCT) {
        kcv_of(m.data, m.len, kcv);
        good = cf_equal(kcv, key->kcv, sizeof kcv);
    } else if (rc == CF_OK) {
        EVP_PKEY *pkey = pkey_of(m.data, m.len);
        good = pkey && halves_agree(pkey) && fake_spki(pkey, &spki, e) == CF_OK &&
               spki.len == key->spki_len && memcmp(spki.data, key->spki, spki.len) == 0;
        EVP_PKEY_free(pkey);
    }
    if (rc == CF_OK && !good)
        rc = CF_FAIL(e, CF_E_AUTH, "the key is not the one its blob says");
    cf_buf_clear(&m);
    cf_buf_clear(&spki);
    return rc;
}
