#include <string.h>

#include "jose_priv.h"

#define ENC     "A256CBC-HS512"
#define RSA_KID "not used" /* what the client's own writer puts there */

enum { HEAD, KEY, IV, TEXT, TAG };

/* Minified, members in this order: the bytes are part of the format (API document 6.4). */
static enum cf_rc put_head(const char *alg, const char *kid, struct cf_buf *out, struct cf_err *e)
{
    struct cf_buf text = { 0 };
    struct json_wr w;
    json_wr_init(&w, &text, e);
    json_put_object(&w, NULL);
    json_put_text(&w, "alg", alg);
    json_put_text(&w, "enc", ENC);
    json_put_text(&w, "kid", kid);
    json_close(&w);
    enum cf_rc rc = json_wr_end(&w);
    if (rc == CF_OK)
        rc = jose_encode(crypto_bytes_of(text.data, text.len), out, e);
    cf_buf_clear(&text);
    return rc;
}

static enum cf_rc put_part(struct crypto_bytes in, struct cf_buf *out, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_put(out, ".", 1, e);
    return rc == CF_OK ? jose_encode(in, out, e) : rc;
}

/* `work` holds the header; puts the four other parts behind it. */
static enum cf_rc seal(const struct crypto_cbchs *how, struct crypto_bytes key,
                       struct crypto_bytes plain, struct cf_buf *work, struct cf_err *e)
{
    struct crypto_cbchs c = *how;
    struct cf_buf text = { 0 };
    uint8_t tag[CRYPTO_CBCHS_TAG_SIZE];
    c.aad = crypto_bytes_of(work->data, work->len);
    enum cf_rc rc = crypto_cbchs_seal(&c, plain, &text, tag, e);
    if (rc == CF_OK)
        rc = put_part(key, work, e);
    if (rc == CF_OK)
        rc = put_part(crypto_bytes_of(c.iv, CRYPTO_IV_SIZE), work, e);
    if (rc == CF_OK)
        rc = put_part(crypto_bytes_of(text.data, text.len), work, e);
    if (rc == CF_OK)
        rc = put_part(crypto_bytes_of(tag, sizeof tag), work, e);
    cf_buf_clear(&text);
    return rc;
}

enum cf_rc jose_jwe_seal_dir(const struct jose_dir *d, struct crypto_bytes plain,
                             const uint8_t iv[CRYPTO_IV_SIZE], struct cf_buf *out, struct cf_err *e)
{
    struct crypto_cbchs c = { .key = d->cek, .iv = iv };
    struct cf_buf work = { 0 };
    enum cf_rc rc = put_head("dir", d->kid, &work, e);
    if (rc == CF_OK)
        rc = seal(&c, crypto_bytes_of("", 0), plain, &work, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, work.data, work.len, e);
    cf_buf_clear(&work);
    return rc;
}

enum cf_rc jose_jwe_seal_rsa(const struct crypto_pkey *key, enum hal_hash h,
                             const uint8_t random[JOSE_RSA_RANDOM_SIZE], struct crypto_bytes plain,
                             struct cf_buf *out, struct cf_err *e)
{
    struct crypto_cbchs c = { .key = random, .iv = random + CRYPTO_CBCHS_KEY_SIZE };
    struct cf_buf work = { 0 }, wrapped = { 0 };
    if (h != HAL_SHA1 && h != HAL_SHA256)
        return CF_FAIL(e, CF_E_ARG, "no such padding");
    enum cf_rc rc = put_head(h == HAL_SHA256 ? "RSA-OAEP-256" : "RSA-OAEP", RSA_KID, &work, e);
    if (rc == CF_OK)
        rc = crypto_pkey_encrypt(key, HAL_RSA_OAEP, h,
                                 crypto_bytes_of(random, CRYPTO_CBCHS_KEY_SIZE), &wrapped, e);
    if (rc == CF_OK)
        rc = seal(&c, crypto_bytes_of(wrapped.data, wrapped.len), plain, &work, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, work.data, work.len, e);
    cf_buf_clear(&wrapped);
    cf_buf_clear(&work);
    return rc;
}

/* A JWE taken apart; the texts are borrowed, `bytes` owned. */
struct jwe {
    struct jose_part part[JOSE_PARTS_MAX];
    struct cf_buf bytes[JOSE_PARTS_MAX]; /* [HEAD] stays empty: its text is what counts */
    char alg[16];
    char kid[JOSE_ID_MAX + 1];
};

static void jwe_clear(struct jwe *j)
{
    for (size_t i = 0; i < JOSE_PARTS_MAX; i++)
        cf_buf_clear(&j->bytes[i]);
}

static enum cf_rc read_head(struct jwe *j, struct cf_err *e)
{
    struct json *head = NULL;
    const char *alg = NULL, *enc = NULL, *kid = "";
    enum cf_rc rc = jose_header(&j->part[HEAD], &head, e);
    if (rc == CF_OK)
        rc = json_get_text(head, "alg", &alg, e);
    if (rc == CF_OK)
        rc = json_get_text(head, "enc", &enc, e);
    if (rc == CF_OK)
        rc = json_opt_text(head, "kid", &kid, e);
    if (rc == CF_OK &&
        (strcmp(enc, ENC) != 0 || strlen(alg) >= sizeof j->alg || strlen(kid) >= sizeof j->kid))
        rc = CF_FAIL(e, CF_E_INPUT, "JWE with an algorithm that is not served");
    if (rc == CF_OK) {
        memcpy(j->alg, alg, strlen(alg) + 1);
        memcpy(j->kid, kid, strlen(kid) + 1);
    }
    json_free(head);
    return rc;
}

static enum cf_rc jwe_read(const char *text, size_t len, struct jwe *j, struct cf_err *e)
{
    memset(j, 0, sizeof *j);
    if (len > JOSE_JWE_MAX)
        return CF_FAIL(e, CF_E_INPUT, "JWE of %zu bytes", len);
    enum cf_rc rc = jose_split(text, len, JOSE_PARTS_MAX, j->part, e);
    if (rc == CF_OK)
        rc = read_head(j, e);
    for (size_t i = KEY; i <= TAG && rc == CF_OK; i++)
        rc = jose_decode(&j->part[i], &j->bytes[i], e);
    if (rc == CF_OK && (j->bytes[IV].len != CRYPTO_IV_SIZE ||
                        j->bytes[TAG].len != CRYPTO_CBCHS_TAG_SIZE || j->bytes[TEXT].len == 0))
        rc = CF_FAIL(e, CF_E_INPUT, "JWE with a part of a wrong length");
    return rc;
}

static enum cf_rc open_with(const struct jwe *j, const uint8_t *cek, struct cf_secret **plain,
                            struct cf_err *e)
{
    struct crypto_cbchs c = { .key = cek,
                              .iv = j->bytes[IV].data,
                              .aad = { j->part[HEAD].text, j->part[HEAD].len } };
    struct cf_buf out = { 0 };
    enum cf_rc rc = crypto_cbchs_open(&c, crypto_bytes_of(j->bytes[TEXT].data, j->bytes[TEXT].len),
                                      j->bytes[TAG].data, &out, e);
    if (rc == CF_OK && out.len == 0)
        rc = CF_FAIL(e, CF_E_INPUT, "JWE without content");
    if (rc == CF_OK)
        rc = cf_secret_copy(out.data, out.len, plain, e);
    cf_buf_clear(&out);
    return rc;
}

enum cf_rc jose_jwe_open_dir(const struct jose_dir *d, const char *text, size_t len,
                             struct cf_secret **plain, struct cf_err *e)
{
    struct jwe j;
    *plain = NULL;
    enum cf_rc rc = jwe_read(text, len, &j, e);
    if (rc == CF_OK && (strcmp(j.alg, "dir") != 0 || j.part[KEY].len))
        rc = CF_FAIL(e, CF_E_INPUT, "not a directly encrypted JWE");
    if (rc == CF_OK && strcmp(j.kid, d->kid) != 0)
        rc = CF_FAIL(e, CF_E_AUTH, "JWE of another item");
    if (rc == CF_OK)
        rc = open_with(&j, d->cek, plain, e);
    jwe_clear(&j);
    return rc;
}

/* Wrong padding, wrong length and wrong tag must look alike. */
static bool behind_the_key(enum cf_rc rc)
{
    return rc == CF_E_AUTH || rc == CF_E_INPUT || rc == CF_E_CORRUPT || rc == CF_E_ARG;
}

enum cf_rc jose_jwe_open_rsa(const char *text, size_t len, jose_decrypt_fn *decrypt, void *ctx,
                             struct cf_secret **plain, struct cf_err *e)
{
    struct jwe j;
    struct cf_buf cek = { 0 };
    struct cf_err inner = { 0 };
    *plain = NULL;
    enum cf_rc rc = jwe_read(text, len, &j, e);
    bool oaep256 = rc == CF_OK && strcmp(j.alg, "RSA-OAEP-256") == 0;
    if (rc == CF_OK && ((!oaep256 && strcmp(j.alg, "RSA-OAEP") != 0) || !j.bytes[KEY].len))
        rc = CF_FAIL(e, CF_E_INPUT, "not a JWE to an RSA key");
    if (rc == CF_OK) {
        rc = decrypt(ctx, HAL_RSA_OAEP, oaep256 ? HAL_SHA256 : HAL_SHA1,
                     crypto_bytes_of(j.bytes[KEY].data, j.bytes[KEY].len), &cek, &inner);
        if (rc == CF_OK && cek.len != CRYPTO_CBCHS_KEY_SIZE)
            rc = CF_E_AUTH;
        if (rc == CF_OK)
            rc = open_with(&j, cek.data, plain, &inner);
        if (behind_the_key(rc))
            rc = CF_FAIL(e, CF_E_AUTH, "the JWE does not open with this key");
        else if (rc != CF_OK)
            rc = cf_err_set(e, rc, inner.src, inner.native, inner.where, "%s", inner.text);
    }
    cf_buf_clear(&cek);
    jwe_clear(&j);
    return rc;
}
