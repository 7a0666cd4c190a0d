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

/* What a token may be asked to make or take in; what lies in a blob may have other lengths
 * (keystore/FORMAT.md 3.1). */
static enum cf_rc check_spec(const struct hal_key_spec *spec, struct cf_err *e)
{
    bool good =
        spec->type == HAL_EC ||
        (spec->type == HAL_RSA && spec->bits >= 2048 && spec->bits <= 16384 &&
         spec->bits % 8 == 0) ||
        (spec->type == HAL_OCT && spec->bits >= 128 && spec->bits <= 512 && spec->bits % 64 == 0);
    return good ? CF_OK : CF_FAIL(e, CF_E_INPUT, "keys of %u bits are not served", spec->bits);
}

enum cf_rc fake_user_make(struct hal_token *t, const struct hal_key_name *kek,
                          const struct hal_key_spec *spec, struct hal_wrapped *out,
                          struct cf_err *e)
{
    enum cf_rc rc = fake_enter(t, e);
    if (rc == CF_OK)
        rc = check_spec(spec, e);
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

static bool is_as_said(EVP_PKEY *key, const struct hal_key_spec *spec)
{
    static const char *const curve[] = { "", "prime256v1", "secp384r1", "secp521r1", "secp256k1" };
    char name[32] = "";
    size_t len;
    if (spec->type == HAL_RSA)
        return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) == (int)spec->bits;
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, name, sizeof name, &len) == 1 &&
           strcmp(name, curve[spec->curve]) == 0;
}

enum cf_rc fake_user_import(struct hal_token *t, const struct hal_key_name *kek,
                            const struct hal_key_spec *spec, const struct cf_secret *material,
                            struct hal_wrapped *out, struct cf_err *e)
{
    enum cf_rc rc = fake_enter(t, e);
    const uint8_t *p = cf_secret_view(material);
    size_t len = cf_secret_len(material);
    if (rc == CF_OK)
        rc = check_spec(spec, e);
    if (rc != CF_OK)
        return rc;
    if (spec->type == HAL_OCT)
        return len * 8 == spec->bits ? keep_secret(t, kek, p, len, out, e)
                                     : CF_FAIL(e, CF_E_INPUT, "length and spec differ");
    EVP_PKEY *key = pkey_of(p, len);
    rc = key && is_as_said(key, spec)
             ? keep_pkey(t, kek, key, out, e)
             : CF_FAIL(e, CF_E_INPUT, "the material is no key of the kind it is said to be");
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

static enum cf_rc verify_mac(struct hal_token *t, const struct hal_user_key *key, struct cf_err *e)
{
    uint8_t mk[HAL_SECRET_SIZE], mac[64];
    if (!memmem(key->bound, key->bound_len, key->wrapped, key->wrapped_len) ||
        (key->spki_len && !memmem(key->bound, key->bound_len, key->spki, key->spki_len)))
        return CF_FAIL(e, CF_E_ARG, "the blob is not part of the message under its MAC");
    enum cf_rc rc = fake_secret(t, &key->mac_key, mk, e);
    if (rc == CF_OK)
        rc = fake_hmac(mk, sizeof mk, HAL_SHA256, key->bound, key->bound_len, mac);
    if (rc == CF_OK && !cf_equal(mac, key->bound_mac, HAL_MAC_SIZE))
        rc = CF_FAIL(e, CF_E_AUTH, "the blob's MAC does not verify");
    return rc;
}

static enum cf_rc unwrap(struct hal_token *t, const struct hal_user_key *key, struct cf_buf *out,
                         struct cf_err *e)
{
    struct cf_err why = { 0 };
    enum cf_rc rc = fake_token_unwrap(t, &key->kek, key->wrapped, key->wrapped_len, out, &why);
    size_t m = key->material_len;
    if (rc == CF_E_ABSENT)
        return CF_FAIL(e, rc, "%s", why.text);
    /* SoftHSM pads with zeros to a multiple of 8 before it wraps (keystore/FORMAT.md 3.1). The MAC
     * was good, so what does not fit here is corrupt. */
    if (rc != CF_OK || out->len < m || out->len > (m + 7) / 8 * 8 ||
        !cf_all_bytes(out->data + m, out->len - m, 0) ||
        (key->spec.type == HAL_OCT && m != key->spec.bits / 8))
        return CF_FAIL(e, CF_E_CORRUPT, "the blob holds no such key though its MAC is good");
    return cf_buf_resize(out, m, e);
}

/* Check value or public half as the blob says; the pair of `pkey`, which the caller frees. */
static bool proven(const struct hal_user_key *key, const struct cf_buf *m, EVP_PKEY **pkey)
{
    struct cf_buf spki = { 0 };
    uint8_t kcv[HAL_KCV_SIZE];
    *pkey = NULL;
    if (key->spec.type == HAL_OCT) {
        kcv_of(m->data, m->len, kcv);
        return cf_equal(kcv, key->kcv, sizeof kcv);
    }
    *pkey = pkey_of(m->data, m->len);
    bool good = *pkey && is_as_said(*pkey, &key->spec) && fake_spki(*pkey, &spki, NULL) == CF_OK &&
                spki.len == key->spki_len && memcmp(spki.data, key->spki, spki.len) == 0;
    cf_buf_clear(&spki);
    return good;
}

/* What every use begins with. `m` has a secret key, `pkey` a pair; the caller frees both. */
static enum cf_rc open_key(struct hal_token *t, const struct hal_user_key *key, struct cf_buf *m,
                           EVP_PKEY **pkey, struct cf_err *e)
{
    *pkey = NULL;
    enum cf_rc rc = verify_mac(t, key, e);
    if (rc == CF_OK)
        rc = unwrap(t, key, m, e);
    if (rc == CF_OK && !proven(key, m, pkey))
        rc = CF_FAIL(e, CF_E_CORRUPT, "the key is not the one its blob says");
    return rc;
}

static bool fits(const struct hal_user_key *key, const struct hal_op *op)
{
    bool pair = op->mech <= HAL_RSA_PKCS1;
    return pair == (key->spec.type != HAL_OCT) && (!pair || op->use != HAL_VERIFY);
}

enum cf_rc fake_user_use(struct hal_token *t, const struct hal_user_key *key,
                         const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    struct cf_buf m = { 0 };
    EVP_PKEY *pkey = NULL;
    enum cf_rc rc = fake_enter(t, e);
    if (rc == CF_OK && !fits(key, op))
        rc = CF_FAIL(e, CF_E_INPUT, "this algorithm is not for this key");
    if (rc == CF_OK)
        rc = open_key(t, key, &m, &pkey, e);
    if (rc == CF_OK)
        rc = pkey ? fake_pkey_op(pkey, op, out, e) : fake_secret_op(m.data, m.len, op, out, e);
    EVP_PKEY_free(pkey);
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
    struct cf_buf m = { 0 };
    EVP_PKEY *pkey = NULL;
    enum cf_rc rc = fake_enter(t, e);
    if (rc == CF_OK)
        rc = open_key(t, key, &m, &pkey, e);
    if (rc == CF_OK && pkey && !halves_agree(pkey))
        rc = CF_FAIL(e, CF_E_CORRUPT, "the key is not the one its blob says");
    EVP_PKEY_free(pkey);
    cf_buf_clear(&m);
    return rc;
}
