#include "support/token_keys.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t test_bk[HAL_SECRET_SIZE] = "test: domain wrapping key BK...";
const uint8_t test_kek[HAL_SECRET_SIZE] = "test: key-store key KEK........";
const uint8_t test_mk[HAL_SECRET_SIZE] = "test: MAC key MK...............";

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "token keys: %s\n", what);
    abort();
}

struct hal_key_name test_name(enum hal_role role)
{
    struct hal_key_name k = { .role = role };
    if (role <= HAL_ROLE_MK) {
        k.generation = 1;
        memset(k.domain_id, 0xd0, sizeof k.domain_id);
    }
    return k;
}

void test_domain(struct hal_token *t)
{
    static const struct {
        enum hal_role role;
        const uint8_t *value;
    } all[] = { { HAL_ROLE_BK, test_bk }, { HAL_ROLE_KEK, test_kek }, { HAL_ROLE_MK, test_mk } };
    for (size_t i = 0; i < 3; i++) {
        struct cf_secret *s = NULL;
        struct cf_err err = { 0 };
        struct hal_key_name k = test_name(all[i].role);
        must(cf_secret_copy(all[i].value, HAL_SECRET_SIZE, &s, &err) == CF_OK, err.text);
        must(hal_token_key_import(t, &k, s, &err) == CF_OK, err.text);
        cf_secret_free(s);
    }
}

enum cf_rc test_key_bind(struct hal_token *t, const struct hal_key_spec *spec, struct test_key *k,
                         struct cf_err *e)
{
    static const char label[] = "coffer.v1.keyblob";
    struct hal_key_name mk = test_name(HAL_ROLE_MK);
    uint8_t head[16];
    cf_le32(head, (uint32_t)spec->type);
    cf_le32(head + 4, spec->bits);
    cf_le32(head + 8, (uint32_t)spec->curve);
    cf_le32(head + 12, k->w.material_len);
    cf_buf_clear(&k->bound);
    enum cf_rc rc = cf_buf_put(&k->bound, label, sizeof label, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&k->bound, head, sizeof head, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&k->bound, k->w.spki.data, k->w.spki.len, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&k->bound, k->w.wrapped.data, k->w.wrapped.len, e);
    if (rc != CF_OK)
        return rc;
    k->key = (struct hal_user_key){ .kek = test_name(HAL_ROLE_KEK),
                                    .mac_key = mk,
                                    .spec = *spec,
                                    .wrapped = k->w.wrapped.data,
                                    .wrapped_len = k->w.wrapped.len,
                                    .spki = k->w.spki.data,
                                    .spki_len = k->w.spki.len,
                                    .material_len = k->w.material_len,
                                    .bound = k->bound.data,
                                    .bound_len = k->bound.len };
    memcpy(k->key.kcv, k->w.kcv, HAL_KCV_SIZE);
    return hal_token_mac(t, &mk, k->bound.data, k->bound.len, k->key.bound_mac, e);
}

enum cf_rc test_key_make(struct hal_token *t, const struct hal_key_spec *spec, struct test_key *k,
                         struct cf_err *e)
{
    struct hal_key_name kek = test_name(HAL_ROLE_KEK);
    *k = (struct test_key){ 0 };
    enum cf_rc rc = hal_token_user_make(t, &kek, spec, &k->w, e);
    return rc != CF_OK ? rc : test_key_bind(t, spec, k, e);
}

enum cf_rc test_key_import(struct hal_token *t, const struct hal_key_spec *spec,
                           struct crypto_bytes material, struct test_key *k, struct cf_err *e)
{
    struct hal_key_name kek = test_name(HAL_ROLE_KEK);
    struct cf_secret *s = NULL;
    *k = (struct test_key){ 0 };
    enum cf_rc rc = cf_secret_copy(material.p, material.len, &s, e);
    if (rc == CF_OK)
        rc = hal_token_user_import(t, &kek, spec, s, &k->w, e);
    cf_secret_free(s);
    return rc != CF_OK ? rc : test_key_bind(t, spec, k, e);
}

void test_key_clear(struct test_key *k)
{
    hal_wrapped_clear(&k->w);
    cf_buf_clear(&k->bound);
    *k = (struct test_key){ 0 };
}

void test_pkcs8(const struct hal_key_spec *spec, struct cf_buf *der)
{
    static const char *const groups[] = {
        [HAL_P256] = "P-256", [HAL_P256K] = "secp256k1", [HAL_P384] = "P-384", [HAL_P521] = "P-521"
    };
    EVP_PKEY *k = spec->type == HAL_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)spec->bits)
                                        : EVP_PKEY_Q_keygen(NULL, NULL, "EC", groups[spec->curve]);
    must(k, "no key");
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(k);
    unsigned char *out = NULL;
    int len = i2d_PKCS8_PRIV_KEY_INFO(p8, &out);
    must(len > 0 && cf_buf_put(der, out, (size_t)len, NULL) == CF_OK, "no PKCS#8");
    OPENSSL_free(out);
    PKCS8_PRIV_KEY_INFO_free(p8);
    EVP_PKEY_free(k);
}

static const EVP_CIPHER *aes(size_t key_len, const char *mode)
{
    char name[32];
    snprintf(name, sizeof name, "AES-%zu-%s", 8 * key_len, mode);
    const EVP_CIPHER *c = EVP_get_cipherbyname(name);
    must(c, name);
    return c;
}

void test_aes_block(struct crypto_bytes key, const uint8_t in[16], uint8_t out[16])
{
    int n = 0;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    must(EVP_EncryptInit_ex(c, aes(key.len, "ECB"), NULL, key.p, NULL) == 1 &&
             EVP_EncryptUpdate(c, out, &n, in, 16) == 1 && n == 16,
         "no ECB");
    EVP_CIPHER_CTX_free(c);
}

void test_aes_cbc(struct crypto_bytes key, const uint8_t iv[16], struct crypto_bytes in,
                  uint8_t *out)
{
    int n = 0;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    must(EVP_EncryptInit_ex(c, aes(key.len, "CBC"), NULL, key.p, iv) == 1 &&
             EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
             EVP_EncryptUpdate(c, out, &n, in.p, (int)in.len) == 1 && n == (int)in.len,
         "no CBC");
    EVP_CIPHER_CTX_free(c);
}

bool test_gcm_open(struct crypto_bytes key, const struct hal_result *r, struct crypto_bytes aad,
                   uint8_t *out)
{
    int n = 0;
    uint8_t tag[16];
    memcpy(tag, r->tag, sizeof tag);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = EVP_DecryptInit_ex(c, aes(key.len, "GCM"), NULL, key.p, r->iv) == 1 &&
              (!aad.len || EVP_DecryptUpdate(c, NULL, &n, aad.p, (int)aad.len) == 1) &&
              EVP_DecryptUpdate(c, out, &n, r->out.data, (int)r->out.len) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1 &&
              EVP_DecryptFinal_ex(c, out + n, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

/* MGF1 (RFC 8017 B.2.1) of `from` over `to`. */
static void mask(enum hal_hash h, struct crypto_bytes from, uint8_t *to, size_t to_len)
{
    size_t hl = crypto_digest_size(h);
    uint8_t in[300], block[64];
    memcpy(in, from.p, from.len);
    for (size_t at = 0; at < to_len; at += hl) {
        cf_be32(in + from.len, (uint32_t)(at / hl));
        must(crypto_digest(h, in, from.len + 4, block, NULL) == CF_OK, "no digest");
        for (size_t i = 0; i < hl && at + i < to_len; i++)
            to[at + i] ^= block[i];
    }
}

void test_oaep_mask(enum hal_hash h, uint8_t first, const uint8_t *db, uint8_t em[256])
{
    size_t hl = crypto_digest_size(h);
    em[0] = first;
    memset(em + 1, 0x37, hl);
    memcpy(em + 1 + hl, db, 255 - hl);
    mask(h, crypto_bytes_of(em + 1, hl), em + 1 + hl, 255 - hl);
    mask(h, crypto_bytes_of(em + 1 + hl, 255 - hl), em + 1, hl);
}

void test_rsa_raw(struct crypto_bytes spki, const uint8_t em[256], uint8_t out[256])
{
    const unsigned char *p = spki.p;
    size_t len = 256;
    EVP_PKEY *k = d2i_PUBKEY(NULL, &p, (long)spki.len);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k, NULL);
    must(c && EVP_PKEY_encrypt_init(c) == 1 &&
             EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING) == 1 &&
             EVP_PKEY_encrypt(c, out, &len, em, 256) == 1 && len == 256,
         "no raw RSA");
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(k);
}
