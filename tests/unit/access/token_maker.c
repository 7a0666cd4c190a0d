#include "token_maker.h"

#include "base/text.h"
#include "crypto/pkey.h"
#include "jose/jose.h"
#include "support/fake_token.h"

static const struct hal_key_name authority = { .role = HAL_ROLE_AUTHORITY };

static void pub_of(struct maker *m, int ec, struct crypto_pub *out)
{
    struct cf_buf spki = { 0 };
    uint8_t point[CRYPTO_P256_POINT_SIZE];
    if (ec) {
        assert_int_equal(crypto_p256_point(m->p256, point, NULL), CF_OK);
        assert_int_equal(crypto_p256_spki(point, &spki, NULL), CF_OK);
    } else {
        assert_int_equal(hal_token_key_public(m->token, &authority, &spki, NULL), CF_OK);
    }
    assert_int_equal(crypto_pub_from_spki(crypto_bytes_of(spki.data, spki.len), out, NULL), CF_OK);
    cf_buf_clear(&spki);
}

static void kid_of(struct maker *m, int ec, char out[64])
{
    struct crypto_pub pub;
    uint8_t print[32];
    pub_of(m, ec, &pub);
    assert_int_equal(jose_jwk_thumbprint(&pub, print, NULL), CF_OK);
    cf_base64url(print, sizeof print, out);
}

void maker_begin(struct maker *m, unsigned seed)
{
    memset(m, 0, sizeof *m);
    m->token = fake_token_new();
    assert_int_equal(hal_token_key_make(m->token, &authority, NULL), CF_OK);
    memset(m->p256, (int)(seed + 1), sizeof m->p256);
    kid_of(m, 0, m->rsa_kid);
    kid_of(m, 1, m->p256_kid);
}

void maker_end(struct maker *m)
{
    hal_token_close(m->token);
}

static void put_jwk(struct maker *m, int ec, struct json_wr *w)
{
    struct crypto_pub pub;
    pub_of(m, ec, &pub);
    json_put_object(w, NULL);
    json_put_text(w, "kty", ec ? "EC" : "RSA");
    json_put_text(w, "kid", ec ? m->p256_kid : m->rsa_kid);
    jose_jwk_put(w, &pub);
    json_close(w);
}

static const char *text_of(struct cf_buf *b)
{
    const char *text = NULL;
    assert_int_equal(cf_buf_text(b, &text, NULL), CF_OK);
    return text;
}

const char *maker_jwk(struct maker *m, int ec, struct cf_buf *out)
{
    struct json_wr w;
    cf_buf_clear(out);
    json_wr_init(&w, out, NULL);
    put_jwk(m, ec, &w);
    assert_int_equal(json_wr_end(&w), CF_OK);
    return text_of(out);
}

const char *maker_jwks(struct maker *m, struct cf_buf *out)
{
    struct json_wr w;
    cf_buf_clear(out);
    json_wr_init(&w, out, NULL);
    json_put_object(&w, NULL);
    json_put_array(&w, "keys");
    put_jwk(m, 0, &w);
    put_jwk(m, 1, &w);
    json_close(&w);
    json_close(&w);
    assert_int_equal(json_wr_end(&w), CF_OK);
    return text_of(out);
}

static enum cf_rc sign_rsa(void *ctx, const uint8_t digest[32], struct cf_buf *sig,
                           struct cf_err *e)
{
    struct maker *m = ctx;
    struct hal_op op = {
        .use = HAL_SIGN, .mech = HAL_RSA_PKCS1_SIGN, .hash = HAL_SHA256, .in = digest, .in_len = 32
    };
    struct hal_result r = { .iv_len = 0 };
    enum cf_rc rc = hal_token_key_use(m->token, &authority, &op, &r, e);
    if (rc == CF_OK)
        rc = cf_buf_put(sig, r.out.data, r.out.len, e);
    hal_result_clear(&r);
    return rc;
}

static enum cf_rc sign_p256(void *ctx, const uint8_t digest[32], struct cf_buf *sig,
                            struct cf_err *e)
{
    struct maker *m = ctx;
    uint8_t rs[CRYPTO_P256_SIG_SIZE];
    enum cf_rc rc = crypto_p256_sign(m->p256, digest, rs, e);
    return rc == CF_OK ? cf_buf_put(sig, rs, sizeof rs, e) : rc;
}

const char *maker_sign(struct maker *m, int ec, const char *kid, const char *claims,
                       struct cf_buf *out)
{
    struct jose_signer s = { .alg = ec ? CRYPTO_ES256 : CRYPTO_RS256,
                             .kid = kid != NULL ? kid
                                    : ec        ? m->p256_kid
                                                : m->rsa_kid,
                             .typ = "JWT",
                             .sign = ec ? sign_p256 : sign_rsa,
                             .ctx = m };
    cf_buf_clear(out);
    assert_int_equal(jose_jws_make(&s, crypto_bytes_of(claims, strlen(claims)), out, NULL), CF_OK);
    return text_of(out);
}

static void put_part(struct cf_buf *out, const char *text)
{
    char b64[CF_BASE64_SIZE(4096)];
    assert_true(strlen(text) <= 4096);
    cf_base64url(text, strlen(text), b64);
    assert_int_equal(cf_buf_put_text(out, b64, NULL), CF_OK);
}

const char *maker_raw(const char *header, const char *payload, const char *signature,
                      struct cf_buf *out)
{
    cf_buf_clear(out);
    put_part(out, header);
    assert_int_equal(cf_buf_put_text(out, ".", NULL), CF_OK);
    put_part(out, payload);
    assert_int_equal(cf_buf_put_text(out, ".", NULL), CF_OK);
    put_part(out, signature);
    return text_of(out);
}
