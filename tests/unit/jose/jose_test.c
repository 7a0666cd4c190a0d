/* JWS and JWK. Vectors: RFC 7515 A.2 and A.3, RFC 7638 3.1. */
#include "support/test.h"

#include "base/text.h"
#include "crypto/cert.h"
#include "crypto/privkey.h"
#include "jose/jose.h"

#define PAYLOAD                                                                                    \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290"         \
    "Ijp0cnVlfQ"
#define ES256_KEY                                                                                  \
    "{\"kty\":\"EC\",\"crv\":\"P-256\","                                                           \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                                       \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define ES256_TOKEN                                                                                \
    "eyJhbGciOiJFUzI1NiJ9." PAYLOAD                                                                \
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQ"                        \
    "xfKTUJqPP3-Kg6NU1Q"
#define RS256_KEY                                                                                  \
    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcy"              \
    "QoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1"              \
    "W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"              \
    "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"              \
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}"
#define RS256_TOKEN                                                                                \
    "eyJhbGciOiJSUzI1NiJ9." PAYLOAD                                                                \
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_"              \
    "lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75"              \
    "vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWE"             \
    "sqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVm"              \
    "tVrBp0igcN_IoypGlUPQGe77Rw"

static struct crypto_pub pub_of(const char *text)
{
    struct cf_err err;
    struct json *j = NULL;
    struct crypto_pub pub;
    EXPECT_OK(json_parse(text, strlen(text), NULL, &j, &err));
    EXPECT_OK(jose_jwk_public(j, &pub, &err));
    json_free(j);
    return pub;
}

static struct crypto_pkey *key_of(const char *text)
{
    struct cf_err err;
    struct crypto_pub pub = pub_of(text);
    struct cf_buf spki = { 0 };
    struct crypto_pkey *k = NULL;
    EXPECT_OK(crypto_pub_to_spki(&pub, &spki, &err));
    EXPECT_OK(crypto_pkey_new(crypto_bytes_of(spki.data, spki.len), &k, &err));
    cf_buf_clear(&spki);
    return k;
}

static enum cf_rc open_token(const char *token, const struct crypto_pkey *k, struct cf_buf *out,
                             struct cf_err *e)
{
    return jose_jws_open(token, strlen(token), k, out, e);
}

static void tokens_of_rfc_7515_verify(void **state)
{
    (void)state;
    static const char *const list[][2] = { { ES256_TOKEN, ES256_KEY }, { RS256_TOKEN, RS256_KEY } };
    for (size_t i = 0; i < 2; i++) {
        struct cf_err err;
        struct cf_buf out = { 0 };
        char iss[JOSE_ID_MAX + 1];
        struct crypto_pkey *k = key_of(list[i][1]);
        EXPECT_OK(open_token(list[i][0], k, &out, &err));
        assert_int_equal(out.len, 70);
        assert_memory_equal(out.data, "{\"iss\":\"joe\"", 12);
        EXPECT_OK(jose_jws_issuer(list[i][0], strlen(list[i][0]), iss, &err));
        assert_string_equal(iss, "joe");
        cf_buf_clear(&out);
        crypto_pkey_free(k);
    }
}

static void every_changed_character_of_a_token_is_refused(void **state)
{
    (void)state;
    char token[] = ES256_TOKEN;
    struct crypto_pkey *k = key_of(ES256_KEY);
    for (size_t i = 0; i < strlen(token); i++) {
        struct cf_buf out = { 0 };
        char old = token[i];
        if (old == '.')
            continue;
        token[i] = old == 'A' ? 'B' : 'A';
        enum cf_rc rc = open_token(token, k, &out, NULL);
        assert_true(rc == CF_E_AUTH || rc == CF_E_INPUT);
        assert_int_equal(out.len, 0);
        token[i] = old;
    }
    crypto_pkey_free(k);
}

static void malformed_and_unserved_tokens_are_refused(void **state)
{
    (void)state;
    struct cf_err err;
    struct cf_buf out = { 0 };
    struct crypto_pkey *ec = key_of(ES256_KEY), *rsa = key_of(RS256_KEY);
    static const struct {
        const char *head; /* JSON, encoded here */
        enum cf_rc rc;
    } heads[] = {
        { "{\"alg\":\"none\"}", CF_E_INPUT },
        { "{\"alg\":\"None\"}", CF_E_INPUT },
        { "{\"alg\":\"HS256\"}", CF_E_INPUT },
        { "{\"alg\":\"RS256\"}", CF_E_INPUT }, /* the key is EC */
        { "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", CF_E_INPUT },
        { "{\"alg\":\"ES256\",\"zip\":\"DEF\"}", CF_E_INPUT },
        { "{\"alg\":\"ES256\",\"alg\":\"ES256\"}", CF_E_INPUT },
        { "{\"alg\":7}", CF_E_INPUT },
        { "{}", CF_E_INPUT },
        { "[]", CF_E_INPUT },
        { "\"ES256\"", CF_E_INPUT },
        { "{\"alg\":\"ES256\",\"kid\":5}", CF_E_INPUT },
        { "{\"alg\":\"ES256\" }", CF_E_AUTH }, /* well formed, not what was signed */
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        char head[200], token[600];
        print_message("  %s\n", heads[i].head);
        cf_base64url(heads[i].head, strlen(heads[i].head), head);
        snprintf(token, sizeof token, "%s%s", head, strchr(ES256_TOKEN, '.'));
        EXPECT_RC(heads[i].rc, open_token(token, ec, &out, &err));
    }
    static const char *const shapes[] = {
        "",
        ".",
        "..",
        "...",
        "a.b",
        "eyJhbGciOiJFUzI1NiJ9." PAYLOAD ".",
        "eyJhbGciOiJFUzI1NiJ9." PAYLOAD ".AAAA.AAAA",
        " " ES256_TOKEN,
        ES256_TOKEN "=",
        ES256_TOKEN "\n",
        "eyJhbGciOiJFUzI1NiJ9." PAYLOAD ".A+/A",
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        enum cf_rc rc = open_token(shapes[i], ec, &out, NULL);
        assert_true(rc == CF_E_INPUT || rc == CF_E_AUTH);
    }
    EXPECT_RC(CF_E_INPUT, open_token(ES256_TOKEN, rsa, &out, &err));
    assert_int_equal(out.len, 0);
    crypto_pkey_free(ec);
    crypto_pkey_free(rsa);
}

struct signer {
    struct crypto_privkey *key;
    enum crypto_sig alg;
};

static enum cf_rc sign(void *ctx, const uint8_t digest[32], struct cf_buf *sig, struct cf_err *e)
{
    struct signer *s = ctx;
    return crypto_privkey_sign(s->key, s->alg, digest, sig, e);
}

static void a_made_token_opens_with_its_key_alone(void **state)
{
    (void)state;
    static const enum crypto_cert_kind kinds[] = { CRYPTO_CERT_CA, CRYPTO_CERT_OFFICER,
                                                   CRYPTO_CERT_OFFICER };
    static const enum crypto_sig algs[] = { CRYPTO_ES256, CRYPTO_RS256, CRYPTO_PS256 };
    for (size_t i = 0; i < 3; i++) {
        struct cf_err err;
        struct crypto_cert_pair p = { 0 };
        struct crypto_cert_order o = { .kind = kinds[i], .common_name = "k", .days = 1 };
        struct signer s = { .alg = algs[i] };
        struct cf_buf spki = { 0 }, token = { 0 }, out = { 0 };
        struct crypto_pkey *k = NULL, *other = key_of(i ? RS256_KEY : ES256_KEY);
        struct jose_head head;
        EXPECT_OK(crypto_cert_make(&o, NULL, &p, &err));
        EXPECT_OK(crypto_privkey_from_pem(crypto_bytes_of(p.key_pem.data, p.key_pem.len), NULL,
                                          &s.key, &err));
        EXPECT_OK(crypto_privkey_spki(s.key, &spki, &err));
        EXPECT_OK(crypto_pkey_new(crypto_bytes_of(spki.data, spki.len), &k, &err));
        struct jose_signer how = {
            .alg = algs[i], .kid = "key-1", .typ = "JWT", .sign = sign, .ctx = &s
        };
        EXPECT_OK(jose_jws_make(&how, crypto_bytes_of("{\"a\":1}", 7), &token, &err));
        const char *text = (const char *)token.data;
        EXPECT_OK(jose_jws_head(text, token.len, &head, &err));
        assert_int_equal(head.alg, algs[i]);
        assert_string_equal(head.kid, "key-1");
        assert_string_equal(head.x5t, "");
        EXPECT_OK(jose_jws_open(text, token.len, k, &out, &err));
        assert_int_equal(out.len, 7);
        cf_buf_clear(&out);
        EXPECT_RC(CF_E_AUTH, jose_jws_open(text, token.len, other, &out, &err));
        how.alg = CRYPTO_ES512;
        EXPECT_RC(CF_E_ARG, jose_jws_make(&how, crypto_bytes_of("{}", 2), &token, &err));
        crypto_privkey_free(s.key);
        crypto_pkey_free(k);
        crypto_pkey_free(other);
        cf_buf_clear(&token);
        cf_buf_clear(&spki);
        crypto_cert_pair_clear(&p);
    }
}

static void the_thumbprint_agrees_with_rfc_7638(void **state)
{
    (void)state;
    struct cf_err err;
    uint8_t got[32];
    char text[CF_BASE64_SIZE(32)];
    struct crypto_pub pub = pub_of(
        "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM7"
        "8LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4"
        "Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xB"
        "niIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\"}");
    EXPECT_OK(jose_jwk_thumbprint(&pub, got, &err));
    cf_base64url(got, sizeof got, text);
    assert_string_equal(text, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

static void a_written_jwk_reads_back_the_same(void **state)
{
    (void)state;
    static const char *const keys[] = { ES256_KEY, RS256_KEY };
    for (size_t i = 0; i < 2; i++) {
        struct cf_err err = { 0 };
        struct crypto_pub pub = pub_of(keys[i]), again;
        struct cf_buf out = { 0 };
        struct json_wr w;
        const char *text = NULL;
        json_wr_init(&w, &out, &err);
        json_put_object(&w, NULL);
        json_put_text(&w, "kty", i ? "RSA-HSM" : "EC-HSM");
        jose_jwk_put(&w, &pub);
        json_close(&w);
        EXPECT_OK(json_wr_end(&w));
        EXPECT_OK(cf_buf_text(&out, &text, &err));
        again = pub_of(text);
        assert_memory_equal(&again, &pub, sizeof pub);
        cf_buf_clear(&out);
    }
}

static enum cf_rc import(const char *text, struct jose_import *out, struct cf_err *e)
{
    struct json *j = NULL;
    assert_int_equal(json_parse(text, strlen(text), NULL, &j, NULL), CF_OK);
    enum cf_rc rc = jose_jwk_private(j, out, e);
    json_free(j);
    return rc;
}

static void private_keys_are_shaped_for_import(void **state)
{
    (void)state;
    struct cf_err err;
    struct jose_import in = { 0 };
    /* RFC 7515 A.3.1, with its private half. */
    EXPECT_OK(import("{\"kty\":\"EC\",\"crv\":\"P-256\","
                     "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
                     "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}",
                     &in, &err));
    assert_int_equal(in.spec.type, HAL_EC);
    assert_int_equal(in.spec.curve, HAL_P256);
    assert_true(cf_secret_len(in.material) > 100 && in.spki.len == 91);
    jose_import_clear(&in);
    EXPECT_OK(import("{\"kty\":\"oct\",\"k\":\"AAECAwQFBgcICQoLDA0ODw\"}", &in, &err));
    assert_int_equal(in.spec.bits, 128);
    assert_int_equal(cf_secret_view(in.material)[15], 15);
    jose_import_clear(&in);
    static const char *const bad[] = {
        ES256_KEY,
        RS256_KEY,
        "{\"kty\":\"oct\"}",
        "{\"kty\":\"oct\",\"k\":\"\"}",
        "{\"kty\":\"OKP\",\"k\":\"AA\"}",
        "{}",
        "{\"kty\":\"EC\",\"crv\":\"P-224\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
        "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT_RC(CF_E_INPUT, import(bad[i], &in, &err));
        assert_null(in.material);
    }
    char big[200];
    memset(big, 'A', sizeof big);
    memcpy(big, "{\"kty\":\"oct\",\"k\":\"", 18);
    memcpy(big + 18 + 87, "\"}", 3); /* 65 bytes */
    EXPECT_RC(CF_E_INPUT, import(big, &in, &err));
    assert_string_equal(err.code, "BadParameter");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_rfc_7515_verify),
        cmocka_unit_test(every_changed_character_of_a_token_is_refused),
        cmocka_unit_test(malformed_and_unserved_tokens_are_refused),
        cmocka_unit_test(a_made_token_opens_with_its_key_alone),
        cmocka_unit_test(the_thumbprint_agrees_with_rfc_7638),
        cmocka_unit_test(a_written_jwk_reads_back_the_same),
        cmocka_unit_test(private_keys_are_shaped_for_import),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
