/* Operations on data with user keys, compared with the host's own. */
#include "token_contract.h"

static uint8_t aes_material[32];

static void import_aes(uint32_t bits, struct test_key *k)
{
    struct hal_key_spec spec = { .type = HAL_OCT, .bits = bits };
    for (size_t i = 0; i < sizeof aes_material; i++)
        aes_material[i] = (uint8_t)(0xa0 + i);
    EXPECT_OK(test_key_import(tok, &spec, crypto_bytes_of(aes_material, bits / 8), k, &err));
}

static void gcm_agrees_with_the_host_and_tampering_is_noticed(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 16, 1000, HAL_IN_MAX };
    static uint8_t text[HAL_IN_MAX], plain[HAL_IN_MAX];
    memset(text, 0x33, sizeof text);
    for (uint32_t bits = 128; bits <= 256; bits += 64) {
        struct test_key k;
        import_aes(bits, &k);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct hal_result r, back;
            struct hal_op op = { .use = HAL_ENCRYPT,
                                 .mech = HAL_AES_GCM,
                                 .in = text,
                                 .in_len = sizes[i],
                                 .aad = text,
                                 .aad_len = i ? 13 : 0 };
            enum cf_rc rc = use(&k, &op, &r);
            if (lacking(rc)) {
                memset(&err, 0, sizeof err);
                continue;
            }
            EXPECT_OK(rc);
            assert_int_equal(r.out.len, sizes[i]);
            assert_int_equal(r.iv_len, 12);
            assert_int_equal(r.tag_len, 16);
            assert_true(test_gcm_open(crypto_bytes_of(aes_material, bits / 8), &r,
                                      crypto_bytes_of(text, op.aad_len), plain));
            assert_memory_equal(plain, text, sizes[i]);
            struct hal_op open = { .use = HAL_DECRYPT,
                                   .mech = HAL_AES_GCM,
                                   .in = r.out.data,
                                   .in_len = r.out.len,
                                   .iv = r.iv,
                                   .iv_len = 12,
                                   .tag = r.tag,
                                   .tag_len = 16,
                                   .aad = text,
                                   .aad_len = op.aad_len };
            EXPECT_OK(use(&k, &open, &back));
            assert_int_equal(back.out.len, sizes[i]);
            if (sizes[i])
                assert_memory_equal(back.out.data, text, sizes[i]);
            hal_result_clear(&back);
            r.tag[15] ^= 1;
            EXPECT_RC(CF_E_AUTH, use(&k, &open, &back));
            assert_int_equal(back.out.len, 0);
            r.tag[15] ^= 1;
            open.aad_len = 5;
            EXPECT_RC(CF_E_AUTH, use(&k, &open, &back));
            open.iv_len = 11;
            EXPECT_RC(CF_E_INPUT, use(&k, &open, &back));
            hal_result_clear(&r);
        }
        test_key_clear(&k);
    }
}

static void gcm_ivs_never_repeat(void **state)
{
    (void)state;
    static uint8_t ivs[200][12];
    struct test_key k;
    import_aes(256, &k);
    for (size_t i = 0; i < 200; i++) {
        struct hal_result r;
        enum cf_rc rc = use(&k, gcm_op(), &r);
        if (lacking(rc))
            break;
        EXPECT_OK(rc);
        memcpy(ivs[i], r.iv, 12);
        hal_result_clear(&r);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(ivs[i], ivs[j], 12);
    }
    memset(&err, 0, sizeof err);
    test_key_clear(&k);
}

static void cbc_agrees_with_the_host(void **state)
{
    (void)state;
    uint8_t text[48], want[48], iv[16];
    memset(text, 0x21, sizeof text);
    memset(iv, 0x07, sizeof iv);
    for (uint32_t bits = 128; bits <= 256; bits += 64) {
        struct test_key k;
        struct hal_result r, back;
        import_aes(bits, &k);
        struct crypto_bytes key = crypto_bytes_of(aes_material, bits / 8);
        struct hal_op op = { .use = HAL_ENCRYPT,
                             .mech = HAL_AES_CBC,
                             .in = text,
                             .in_len = sizeof text,
                             .iv = iv,
                             .iv_len = 16 };
        EXPECT_OK(use(&k, &op, &r));
        test_aes_cbc(key, iv, crypto_bytes_of(text, sizeof text), want);
        assert_int_equal(r.out.len, sizeof want);
        assert_memory_equal(r.out.data, want, sizeof want);
        op = (struct hal_op){ .use = HAL_DECRYPT,
                              .mech = HAL_AES_CBC,
                              .in = r.out.data,
                              .in_len = r.out.len,
                              .iv = iv,
                              .iv_len = 16 };
        EXPECT_OK(use(&k, &op, &back));
        assert_memory_equal(back.out.data, text, sizeof text);
        hal_result_clear(&back);
        op.in_len = 47;
        EXPECT_RC(CF_E_INPUT, use(&k, &op, &back));
        hal_result_clear(&r);
        test_key_clear(&k);
    }
}

static void cbc_pad_agrees_with_the_host(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 100 };
    uint8_t text[100], iv[16];
    struct test_key k;
    memset(text, 0x21, sizeof text);
    memset(iv, 0x09, sizeof iv);
    import_aes(256, &k);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct hal_result r, back;
        struct cf_buf want = { 0 };
        struct hal_op op = { .use = HAL_ENCRYPT,
                             .mech = HAL_AES_CBC_PAD,
                             .in = text,
                             .in_len = sizes[i],
                             .iv = iv,
                             .iv_len = 16 };
        EXPECT_OK(use(&k, &op, &r));
        EXPECT_OK(crypto_cbc_encrypt(crypto_bytes_of(aes_material, 32), iv,
                                     crypto_bytes_of(text, sizes[i]), &want, &err));
        assert_int_equal(r.out.len, want.len);
        assert_memory_equal(r.out.data, want.data, want.len);
        op = (struct hal_op){ .use = HAL_DECRYPT,
                              .mech = HAL_AES_CBC_PAD,
                              .in = r.out.data,
                              .in_len = r.out.len,
                              .iv = iv,
                              .iv_len = 16 };
        EXPECT_OK(use(&k, &op, &back));
        assert_int_equal(back.out.len, sizes[i]);
        hal_result_clear(&back);
        cf_buf_clear(&want);
        hal_result_clear(&r);
    }
    test_key_clear(&k);
}

static void key_wrap_of_data_agrees_with_the_host(void **state)
{
    (void)state;
    static const struct {
        enum hal_mech mech;
        enum crypto_wrap host;
        size_t len;
    } cases[] = {
        { HAL_AES_KW, CRYPTO_KW, 16 },   { HAL_AES_KW, CRYPTO_KW, 32 },
        { HAL_AES_KW, CRYPTO_KW, 256 },  { HAL_AES_KWP, CRYPTO_KWP, 8 },
        { HAL_AES_KWP, CRYPTO_KWP, 32 }, { HAL_AES_KWP, CRYPTO_KWP, 1224 },
        { HAL_AES_KWP, CRYPTO_KWP, 20 }, { HAL_AES_KWP, CRYPTO_KWP, 1 },
    };
    uint8_t text[1224];
    memset(text, 0x77, sizeof text);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct test_key k;
        struct hal_result r = { 0 }, back = { 0 };
        struct cf_buf want = { 0 };
        import_aes(i % 2 ? 256 : 128, &k);
        EXPECT_OK(crypto_wrap(cases[i].host, crypto_bytes_of(aes_material, i % 2 ? 32 : 16),
                              crypto_bytes_of(text, cases[i].len), &want, &err));
        struct hal_op op = {
            .use = HAL_WRAP, .mech = cases[i].mech, .in = text, .in_len = cases[i].len
        };
        enum cf_rc rc = use(&k, &op, &r);
        if (!lacking(rc)) {
            EXPECT_OK(rc);
            assert_int_equal(r.out.len, want.len);
            assert_memory_equal(r.out.data, want.data, want.len);
        }
        op = (struct hal_op){
            .use = HAL_UNWRAP, .mech = cases[i].mech, .in = want.data, .in_len = want.len
        };
        rc = use(&k, &op, &back);
        if (!lacking(rc)) {
            EXPECT_OK(rc);
            assert_int_equal(back.out.len, cases[i].len);
            assert_memory_equal(back.out.data, text, cases[i].len);
            hal_result_clear(&back);
            want.data[want.len - 1] ^= 1;
            EXPECT_RC(CF_E_AUTH, use(&k, &op, &back));
            op.in_len -= 1;
            EXPECT_RC(CF_E_INPUT, use(&k, &op, &back));
        }
        memset(&err, 0, sizeof err);
        hal_result_clear(&r);
        hal_result_clear(&back);
        cf_buf_clear(&want);
        test_key_clear(&k);
    }
}

static void hmac_agrees_with_the_host_and_verifies(void **state)
{
    (void)state;
    static const enum hal_hash hashes[] = { HAL_SHA256, HAL_SHA384, HAL_SHA512 };
    static const uint32_t bits[] = { 256, 384, 512 };
    uint8_t material[64];
    memset(material, 0x1f, sizeof material);
    for (size_t i = 0; i < 3; i++) {
        struct hal_key_spec spec = { .type = HAL_OCT, .bits = bits[i] };
        struct test_key k;
        struct hal_result r, none;
        uint8_t want[64];
        struct crypto_bytes m = crypto_bytes_of(material, bits[i] / 8);
        size_t len = crypto_digest_size(hashes[i]);
        EXPECT_OK(test_key_import(tok, &spec, m, &k, &err));
        struct hal_op op = { .use = HAL_SIGN,
                             .mech = HAL_HMAC,
                             .hash = hashes[i],
                             .in = (const uint8_t *)"message",
                             .in_len = 7 };
        EXPECT_OK(use(&k, &op, &r));
        EXPECT_OK(crypto_hmac(hashes[i], m, crypto_bytes_of("message", 7), want, &err));
        assert_int_equal(r.out.len, len);
        assert_memory_equal(r.out.data, want, len);
        op.use = HAL_VERIFY;
        op.tag = want;
        op.tag_len = len;
        EXPECT_OK(use(&k, &op, &none));
        assert_int_equal(none.out.len, 0);
        want[len - 1] ^= 1;
        EXPECT_RC(CF_E_AUTH, use(&k, &op, &none));
        want[len - 1] ^= 1;
        op.tag_len = len - 1;
        EXPECT_RC(CF_E_AUTH, use(&k, &op, &none));
        hal_result_clear(&r);
        test_key_clear(&k);
    }
}

static void hmac_key_too_short_for_the_token_is_named(void **state)
{
    (void)state;
    struct hal_key_spec spec = { .type = HAL_OCT, .bits = 128 };
    struct test_key k;
    struct hal_result r;
    struct hal_op op = { .use = HAL_SIGN,
                         .mech = HAL_HMAC,
                         .hash = HAL_SHA256,
                         .in = (const uint8_t *)"message",
                         .in_len = 7 };
    EXPECT_OK(test_key_make(tok, &spec, &k, &err));
    memset(&err, 0, sizeof err);
    enum cf_rc rc = use(&k, &op, &r);
    assert_true(rc == CF_OK || rc == CF_E_LIMIT);
    if (rc == CF_E_LIMIT)
        assert_non_null(strstr(err.text, "128 bits"));
    memset(&err, 0, sizeof err);
    hal_result_clear(&r);
    test_key_clear(&k);
}

static void rsa_decrypts_what_the_host_encrypts(void **state)
{
    (void)state;
    static const struct {
        enum hal_mech mech;
        enum hal_hash hash;
    } cases[] = { { HAL_RSA_OAEP, HAL_SHA256 },
                  { HAL_RSA_OAEP, HAL_SHA1 },
                  { HAL_RSA_PKCS1, HAL_NO_HASH } };
    struct test_key k;
    struct crypto_pkey *pub = NULL;
    EXPECT_OK(test_key_make(tok, &rsa2048, &k, &err));
    EXPECT_OK(crypto_pkey_new(bytes(&k.w.spki), &pub, &err));
    for (size_t i = 0; i < 3; i++) {
        struct cf_buf cipher = { 0 };
        struct hal_result r;
        EXPECT_OK(crypto_pkey_encrypt(pub, cases[i].mech, cases[i].hash,
                                      crypto_bytes_of("0123456789abcdef", 16), &cipher, &err));
        struct hal_op op = { .use = i % 2 ? HAL_UNWRAP : HAL_DECRYPT,
                             .mech = cases[i].mech,
                             .hash = cases[i].hash,
                             .in = cipher.data,
                             .in_len = cipher.len };
        EXPECT_OK(use(&k, &op, &r));
        assert_int_equal(r.out.len, 16);
        assert_memory_equal(r.out.data, "0123456789abcdef", 16);
        hal_result_clear(&r);
        op.in_len--;
        EXPECT_RC(CF_E_INPUT, use(&k, &op, &r));
        op.in_len++;
        cipher.data[100] ^= 1;
        if (cases[i].mech == HAL_RSA_OAEP)
            EXPECT_RC(CF_E_INPUT, use(&k, &op, &r));
        cf_buf_clear(&cipher);
    }
    crypto_pkey_free(pub);
    test_key_clear(&k);
}

/* The block that is masked: hash of the empty label, zeros, 1, message. */
static void oaep_block(enum hal_hash h, const char *msg, uint8_t *db)
{
    size_t hl = crypto_digest_size(h), len = strlen(msg);
    memset(db, 0, 255);
    EXPECT_OK(crypto_digest(h, "", 0, db, &err));
    db[255 - hl - len - 1] = 1;
    memcpy(db + 255 - hl - len, msg, len);
}

static void expect_oaep(const struct test_key *k, enum hal_hash h, const uint8_t em[256],
                        const char *want)
{
    uint8_t cipher[256];
    struct hal_result r;
    struct hal_op op = {
        .use = HAL_DECRYPT, .mech = HAL_RSA_OAEP, .hash = h, .in = cipher, .in_len = sizeof cipher
    };
    test_rsa_raw(bytes(&k->w.spki), em, cipher);
    EXPECT_RC(want ? CF_OK : CF_E_INPUT, use(k, &op, &r));
    if (!want)
        assert_string_equal(err.text, "the ciphertext does not decrypt under this key");
    assert_int_equal(r.out.len, want ? strlen(want) : 0);
    hal_result_clear(&r);
}

static void oaep_takes_every_length_and_tells_one_thing_of_every_damage(void **state)
{
    (void)state;
    static const enum hal_hash hashes[] = { HAL_SHA256, HAL_SHA1 };
    static const char *const texts[] = { "", "m", "exactly thirty-two bytes of text" };
    struct test_key k;
    EXPECT_OK(test_key_make(tok, &rsa2048, &k, &err));
    for (size_t i = 0; i < 2; i++) {
        size_t hl = crypto_digest_size(hashes[i]);
        uint8_t db[255], em[256];
        for (size_t t = 0; t < 3; t++) {
            oaep_block(hashes[i], texts[t], db);
            test_oaep_mask(hashes[i], 0, db, em);
            expect_oaep(&k, hashes[i], em, texts[t]);
        }
        test_oaep_mask(hashes[i], 1, db, em); /* first byte not zero */
        expect_oaep(&k, hashes[i], em, NULL);
        db[0] ^= 1; /* label hash */
        test_oaep_mask(hashes[i], 0, db, em);
        expect_oaep(&k, hashes[i], em, NULL);
        db[0] ^= 1;
        db[hl] = 2; /* padding not zero */
        test_oaep_mask(hashes[i], 0, db, em);
        expect_oaep(&k, hashes[i], em, NULL);
        memset(db + hl, 0, 255 - 2 * hl); /* no 1 at all */
        test_oaep_mask(hashes[i], 0, db, em);
        expect_oaep(&k, hashes[i], em, NULL);
        memset(em, 0, sizeof em); /* 0, which RSA maps to itself */
        expect_oaep(&k, hashes[i], em, NULL);
        em[255] = 1;
        expect_oaep(&k, hashes[i], em, NULL);
    }
    test_key_clear(&k);
}

static void algorithm_of_another_key_is_refused(void **state)
{
    (void)state;
    struct test_key k;
    struct hal_result r;
    uint8_t digest[32] = { 0 };
    struct hal_op op = {
        .use = HAL_SIGN, .mech = HAL_RSA_PSS, .hash = HAL_SHA256, .in = digest, .in_len = 32
    };
    EXPECT_OK(test_key_make(tok, &p256, &k, &err));
    EXPECT_RC(CF_E_INPUT, use(&k, &op, &r));
    op.mech = HAL_AES_GCM;
    EXPECT_RC(CF_E_INPUT, use(&k, &op, &r));
    op.mech = HAL_ECDSA;
    op.use = HAL_VERIFY;
    EXPECT_RC(CF_E_INPUT, use(&k, &op, &r));
    test_key_clear(&k);
}

int token_contract_data(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gcm_agrees_with_the_host_and_tampering_is_noticed),
        cmocka_unit_test(gcm_ivs_never_repeat),
        cmocka_unit_test(cbc_agrees_with_the_host),
        cmocka_unit_test(cbc_pad_agrees_with_the_host),
        cmocka_unit_test(key_wrap_of_data_agrees_with_the_host),
        cmocka_unit_test(hmac_agrees_with_the_host_and_verifies),
        cmocka_unit_test(hmac_key_too_short_for_the_token_is_named),
        cmocka_unit_test(rsa_decrypts_what_the_host_encrypts),
        cmocka_unit_test(oaep_takes_every_length_and_tells_one_thing_of_every_damage),
        cmocka_unit_test(algorithm_of_another_key_is_refused),
    };
    return cmocka_run_group_tests_name("token operations", tests, open_token, close_token);
}
