/* CBC, A256CBC-HS512 and key wrap: what only the openssl provider has. */
#include "support/test.h"

#include "base/text.h"
#include "crypto/crypto.h"

static size_t hex(const char *text, uint8_t *out, size_t size)
{
    size_t len = strlen(text) / 2;
    assert_true(len <= size);
    assert_int_equal(cf_unhex(text, out, len, NULL), CF_OK);
    return len;
}

#define KERCKHOFFS                                                                                 \
    "A cipher system must not be required to be secret, and it must be able to fall into"          \
    " the hands of the enemy without inconvenience"

/* RFC 7518, B.3. */
static void cbc_hs512_agrees_with_rfc_7518(void **state)
{
    (void)state;
    struct cf_err err;
    uint8_t key[64], iv[16], cipher[144], want_tag[32], tag[32];
    struct cf_buf out = { 0 }, back = { 0 };
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    hex("1af38c2dc2b96ffdd86694092341bc04", iv, sizeof iv);
    hex("4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd822c301dd67c373bccb584ad"
        "3e9279c2e6d12a1374b77f077553df829410446b36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80b"
        "fecbad28c73f09b3a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950bbe2638d0"
        "9dd7a4930930806d0703b1f6",
        cipher, sizeof cipher);
    hex("4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5", want_tag,
        sizeof want_tag);
    struct crypto_cbchs c = { .key = key,
                              .iv = iv,
                              .aad = { "The second principle of Auguste Kerckhoffs", 42 } };
    EXPECT_OK(
        crypto_cbchs_seal(&c, crypto_bytes_of(KERCKHOFFS, strlen(KERCKHOFFS)), &out, tag, &err));
    assert_int_equal(out.len, sizeof cipher);
    assert_memory_equal(out.data, cipher, sizeof cipher);
    assert_memory_equal(tag, want_tag, sizeof tag);
    EXPECT_OK(crypto_cbchs_open(&c, crypto_bytes_of(cipher, sizeof cipher), tag, &back, &err));
    assert_int_equal(back.len, strlen(KERCKHOFFS));
    assert_memory_equal(back.data, KERCKHOFFS, back.len);
    cf_buf_clear(&back);

    for (size_t bit = 0; bit < 8 * sizeof tag; bit += 5) {
        tag[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        EXPECT_RC(CF_E_AUTH,
                  crypto_cbchs_open(&c, crypto_bytes_of(cipher, sizeof cipher), tag, &back, &err));
        tag[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    c.aad.len--;
    EXPECT_RC(CF_E_AUTH,
              crypto_cbchs_open(&c, crypto_bytes_of(cipher, sizeof cipher), tag, &back, &err));
    assert_int_equal(back.len, 0);
    cf_buf_clear(&out);
}

static void cbc_round_trips_every_length_and_refuses_bad_padding(void **state)
{
    (void)state;
    struct cf_err err;
    static const size_t key_sizes[] = { 16, 24, 32 };
    uint8_t key[32] = { 3 }, iv[16] = { 4 }, text[40] = { 5 };
    for (size_t len = 0; len <= sizeof text; len++) {
        struct crypto_bytes k = { key, key_sizes[len % 3] };
        struct cf_buf out = { 0 }, back = { 0 };
        EXPECT_OK(crypto_cbc_encrypt(k, iv, crypto_bytes_of(text, len), &out, &err));
        assert_int_equal(out.len, len / 16 * 16 + 16);
        EXPECT_OK(crypto_cbc_decrypt(k, iv, crypto_bytes_of(out.data, out.len), &back, &err));
        assert_int_equal(back.len, len);
        cf_buf_clear(&back);
        EXPECT_RC(CF_E_AUTH,
                  crypto_cbc_decrypt(k, iv, crypto_bytes_of(out.data, out.len - 1), &back, &err));
        if (len % 16 == 0 && len > 0) /* the last block, all padding, is gone */
            EXPECT_RC(CF_E_AUTH, crypto_cbc_decrypt(k, iv, crypto_bytes_of(out.data, out.len - 16),
                                                    &back, &err));
        assert_int_equal(back.len, 0);
        cf_buf_clear(&out);
        cf_buf_clear(&back);
    }
    struct cf_buf out = { 0 };
    EXPECT_RC(CF_E_ARG, crypto_cbc_encrypt(crypto_bytes_of(key, 20), iv, crypto_bytes_of(text, 1),
                                           &out, &err));
}

/* RFC 3394 4.1 and 4.6, RFC 5649 6. */
static const struct {
    enum crypto_wrap how;
    const char *kek, *key, *wrapped;
} wraps[] = {
    { CRYPTO_KW, "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
      "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5" },
    { CRYPTO_KW, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
      "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
      "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21" },
    { CRYPTO_KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
      "c37b7e6492584340bed12207808941155068f738",
      "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a" },
    { CRYPTO_KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369",
      "afbeb0f07dfbf5419200f2ccb50bb24f" },
};

static void key_wrap_agrees_with_its_rfcs(void **state)
{
    (void)state;
    struct cf_err err;
    for (size_t i = 0; i < sizeof wraps / sizeof wraps[0]; i++) {
        uint8_t kek[32], key[32], wrapped[48];
        struct crypto_bytes k = { kek, hex(wraps[i].kek, kek, sizeof kek) };
        size_t key_len = hex(wraps[i].key, key, sizeof key);
        size_t len = hex(wraps[i].wrapped, wrapped, sizeof wrapped);
        struct cf_buf out = { 0 };
        struct cf_secret *back = NULL;
        EXPECT_OK(crypto_wrap(wraps[i].how, k, crypto_bytes_of(key, key_len), &out, &err));
        assert_int_equal(out.len, len);
        assert_memory_equal(out.data, wrapped, len);
        EXPECT_OK(crypto_unwrap(wraps[i].how, k, crypto_bytes_of(wrapped, len), &back, &err));
        assert_int_equal(cf_secret_len(back), key_len);
        assert_memory_equal(cf_secret_view(back), key, key_len);
        cf_secret_free(back);
        for (size_t at = 0; at < len; at++) {
            wrapped[at] ^= 2;
            EXPECT_RC(CF_E_AUTH,
                      crypto_unwrap(wraps[i].how, k, crypto_bytes_of(wrapped, len), &back, &err));
            assert_null(back);
            wrapped[at] ^= 2;
        }
        EXPECT_RC(CF_E_AUTH,
                  crypto_unwrap(wraps[i].how, k, crypto_bytes_of(wrapped, len - 8), &back, &err));
        EXPECT_RC(CF_E_AUTH,
                  crypto_unwrap(wraps[i].how, k, crypto_bytes_of(wrapped, len - 1), &back, &err));
        cf_buf_clear(&out);
    }
    uint8_t key[32] = { 0 };
    struct cf_buf out = { 0 };
    EXPECT_RC(CF_E_ARG, crypto_wrap(CRYPTO_KW, crypto_bytes_of(key, 32), crypto_bytes_of(key, 12),
                                    &out, &err));
    EXPECT_RC(CF_E_ARG, crypto_wrap(CRYPTO_KWP, crypto_bytes_of(key, 32), crypto_bytes_of(key, 0),
                                    &out, &err));
    EXPECT_RC(CF_E_ARG, crypto_wrap(CRYPTO_KWP, crypto_bytes_of(key, 31), crypto_bytes_of(key, 8),
                                    &out, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cbc_hs512_agrees_with_rfc_7518),
        cmocka_unit_test(cbc_round_trips_every_length_and_refuses_bad_padding),
        cmocka_unit_test(key_wrap_agrees_with_its_rfcs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
