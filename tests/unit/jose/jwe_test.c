/* The two JWE forms. Vectors: tests/vectors/sd, agreed with the client's own code. */
#include "support/test.h"

#include "base/file.h"
#include "base/text.h"
#include "crypto/cert.h"
#include "crypto/privkey.h"
#include "jose/jose.h"

static struct json *load(const char *name)
{
    struct cf_err err;
    char path[512];
    struct cf_buf text = { 0 };
    struct json *j = NULL;
    snprintf(path, sizeof path, "%s/sd/%s", CF_VECTORS, name);
    EXPECT_OK(cf_file_read(path, 1 << 20, &text, &err));
    EXPECT_OK(json_parse(text.data, text.len, NULL, &j, &err));
    cf_buf_clear(&text);
    return j;
}

static const char *member_text(const struct json *j, const char *name)
{
    const char *text = NULL;
    assert_int_equal(json_get_text(j, name, &text, NULL), CF_OK);
    return text;
}

static void items_of_the_client_open_under_the_derived_key(void **state)
{
    (void)state;
    struct cf_err err;
    struct json *vectors = load("vectors.json"), *doc = load("sd-2of3.json");
    const struct json *v = json_member(vectors, "sd_2of3");
    uint8_t master[32], cek[64];
    EXPECT_OK(cf_unhex(member_text(v, "master_key_hex"), master, 32, &err));
    const struct json *data = json_member(json_member(doc, "EncData"), "data");
    for (const struct json *i = json_first(data); i; i = json_next(i)) {
        const char *tag = member_text(i, "tag"), *text = member_text(i, "compact_jwe");
        const char *want = member_text(json_member(v, "plaintexts"), tag);
        struct jose_dir d = { .cek = cek, .kid = tag };
        struct cf_secret *plain = NULL;
        char hex[8192];
        EXPECT_OK(
            crypto_kdf512(crypto_bytes_of(master, 32), tag, crypto_bytes_of("", 0), cek, 64, &err));
        EXPECT_OK(jose_jwe_open_dir(&d, text, strlen(text), &plain, &err));
        assert_true(CF_HEX_SIZE(cf_secret_len(plain)) < sizeof hex);
        cf_hex(cf_secret_view(plain), cf_secret_len(plain), hex);
        assert_string_equal(hex, want);
        cf_secret_free(plain);
        d.kid = "another";
        EXPECT_RC(CF_E_AUTH, jose_jwe_open_dir(&d, text, strlen(text), &plain, &err));
        assert_null(plain);
    }
    json_free(doc);
    json_free(vectors);
}

static void a_sealed_item_opens_and_any_flip_is_refused(void **state)
{
    (void)state;
    struct cf_err err;
    uint8_t cek[64] = { 1, 2, 3 }, iv[16] = { 4 };
    struct jose_dir d = { .cek = cek, .kid = "hsm_backup" };
    struct cf_buf out = { 0 };
    struct cf_secret *plain = NULL;
    EXPECT_OK(jose_jwe_seal_dir(&d, crypto_bytes_of("keyring", 7), iv, &out, &err));
    char *text = (char *)out.data;
    static const char head[] = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIiwia2lkIjoiaHNtX2Jh"
                               "Y2t1cCJ9..";
    assert_memory_equal(text, head, sizeof head - 1); /* as the client writes it */
    EXPECT_OK(jose_jwe_open_dir(&d, text, out.len, &plain, &err));
    assert_int_equal(cf_secret_len(plain), 7);
    cf_secret_free(plain);
    for (size_t i = 0; i < out.len; i++) {
        char old = text[i];
        text[i] = old == 'A' ? 'B' : 'A';
        enum cf_rc rc = jose_jwe_open_dir(&d, text, out.len, &plain, NULL);
        assert_true(rc == CF_E_AUTH || rc == CF_E_INPUT);
        assert_null(plain);
        text[i] = old;
    }
    for (size_t len = 0; len < out.len; len++) {
        enum cf_rc rc = jose_jwe_open_dir(&d, text, len, &plain, NULL);
        assert_true(rc == CF_E_AUTH || rc == CF_E_INPUT);
    }
    cek[63] ^= 1; /* MAC key good, AES key another: the padding gives it away, or the content */
    cek[0] ^= 1;
    EXPECT_RC(CF_E_AUTH, jose_jwe_open_dir(&d, text, out.len, &plain, &err));
    cf_buf_clear(&out);
}

static enum cf_rc decrypt(void *ctx, enum hal_mech mech, enum hal_hash h, struct crypto_bytes in,
                          struct cf_buf *cek, struct cf_err *e)
{
    return crypto_privkey_decrypt(ctx, mech, h, in, cek, e);
}

static enum cf_rc token_gone(void *ctx, enum hal_mech mech, enum hal_hash h, struct crypto_bytes in,
                             struct cf_buf *cek, struct cf_err *e)
{
    (void)ctx;
    (void)mech;
    (void)h;
    (void)in;
    (void)cek;
    return CF_FAIL(e, CF_E_TOKEN, "gone");
}

struct officer {
    struct crypto_privkey *priv;
    struct crypto_pkey *pub;
};

static struct officer officer_new(void)
{
    struct cf_err err;
    struct officer o = { 0 };
    struct crypto_cert_pair p = { 0 };
    struct cf_buf spki = { 0 };
    struct crypto_cert_order order = { .kind = CRYPTO_CERT_OFFICER, .common_name = "o", .days = 1 };
    EXPECT_OK(crypto_cert_make(&order, NULL, &p, &err));
    EXPECT_OK(crypto_privkey_from_pem(crypto_bytes_of(p.key_pem.data, p.key_pem.len), NULL, &o.priv,
                                      &err));
    EXPECT_OK(crypto_privkey_spki(o.priv, &spki, &err));
    EXPECT_OK(crypto_pkey_new(crypto_bytes_of(spki.data, spki.len), &o.pub, &err));
    cf_buf_clear(&spki);
    crypto_cert_pair_clear(&p);
    return o;
}

static void officer_free(struct officer *o)
{
    crypto_privkey_free(o->priv);
    crypto_pkey_free(o->pub);
}

static void a_share_opens_with_the_officers_key_alone(void **state)
{
    (void)state;
    struct cf_err err;
    struct officer mine = officer_new(), other = officer_new();
    uint8_t random[JOSE_RSA_RANDOM_SIZE] = { 9 };
    for (int i = 0; i < 2; i++) {
        struct cf_buf out = { 0 };
        struct cf_secret *plain = NULL;
        EXPECT_OK(jose_jwe_seal_rsa(mine.pub, i ? HAL_SHA1 : HAL_SHA256, random,
                                    crypto_bytes_of("share", 5), &out, &err));
        char *text = (char *)out.data;
        EXPECT_OK(jose_jwe_open_rsa(text, out.len, decrypt, mine.priv, &plain, &err));
        assert_memory_equal(cf_secret_view(plain), "share", 5);
        cf_secret_free(plain);
        EXPECT_RC(CF_E_AUTH, jose_jwe_open_rsa(text, out.len, decrypt, other.priv, &plain, &err));
        assert_null(plain);
        EXPECT_RC(CF_E_TOKEN, jose_jwe_open_rsa(text, out.len, token_gone, NULL, &plain, &err));
        for (size_t at = 0; at < out.len; at += 29) {
            char old = text[at];
            text[at] = old == 'A' ? 'B' : 'A';
            enum cf_rc rc = jose_jwe_open_rsa(text, out.len, decrypt, mine.priv, &plain, NULL);
            assert_true(rc == CF_E_AUTH || rc == CF_E_INPUT);
            text[at] = old;
        }
        cf_buf_clear(&out);
    }
    struct cf_buf out = { 0 };
    EXPECT_RC(CF_E_ARG,
              jose_jwe_seal_rsa(mine.pub, HAL_SHA512, random, crypto_bytes_of("x", 1), &out, &err));
    officer_free(&mine);
    officer_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_of_the_client_open_under_the_derived_key),
        cmocka_unit_test(a_sealed_item_opens_and_any_flip_is_refused),
        cmocka_unit_test(a_share_opens_with_the_officers_key_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
