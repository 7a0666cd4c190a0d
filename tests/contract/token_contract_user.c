/* User keys: made, brought in, opened, and refused when anything about them is wrong. */
#include "token_contract.h"

static const struct {
    enum hal_mech mech;
    enum hal_hash hash;
    enum crypto_sig alg;
} rsa_sigs[] = {
    { HAL_RSA_PKCS1_SIGN, HAL_SHA256, CRYPTO_RS256 },
    { HAL_RSA_PKCS1_SIGN, HAL_SHA384, CRYPTO_RS384 },
    { HAL_RSA_PKCS1_SIGN, HAL_SHA512, CRYPTO_RS512 },
    { HAL_RSA_PSS, HAL_SHA256, CRYPTO_PS256 },
    { HAL_RSA_PSS, HAL_SHA384, CRYPTO_PS384 },
    { HAL_RSA_PSS, HAL_SHA512, CRYPTO_PS512 },
};

static void expect_rsa_signatures(const struct test_key *k)
{
    uint8_t digest[64];
    memset(digest, 0x42, sizeof digest);
    for (size_t i = 0; i < sizeof rsa_sigs / sizeof rsa_sigs[0]; i++) {
        struct hal_result r;
        struct hal_op op = { .use = HAL_SIGN,
                             .mech = rsa_sigs[i].mech,
                             .hash = rsa_sigs[i].hash,
                             .in = digest,
                             .in_len = crypto_digest_size(rsa_sigs[i].hash) };
        EXPECT_OK(use(k, &op, &r));
        EXPECT_OK(crypto_verify(rsa_sigs[i].alg, bytes(&k->w.spki),
                                crypto_bytes_of(digest, op.in_len), bytes(&r.out), &err));
        hal_result_clear(&r);
    }
    struct hal_result r;
    struct hal_op raw = { .use = HAL_SIGN, .mech = HAL_RSA_RAW_PKCS1, .in = digest, .in_len = 37 };
    EXPECT_OK(use(k, &raw, &r));
    EXPECT_OK(crypto_verify(CRYPTO_RSNULL, bytes(&k->w.spki), crypto_bytes_of(digest, 37),
                            bytes(&r.out), &err));
    hal_result_clear(&r);
}

static void rsa_keys_of_each_size_are_made_and_sign(void **state)
{
    (void)state;
    static const uint32_t bits[] = { 2048, 3072, 4096 };
    for (size_t i = 0; i < 3; i++) {
        struct hal_key_spec spec = { .type = HAL_RSA, .bits = bits[i] };
        struct test_key k;
        struct crypto_pub pub;
        EXPECT_OK(test_key_make(tok, &spec, &k, &err));
        EXPECT_OK(crypto_pub_from_spki(bytes(&k.w.spki), &pub, &err));
        assert_int_equal(pub.bits, bits[i]);
        EXPECT_OK(hal_token_user_check(tok, &k.key, &err));
        expect_rsa_signatures(&k);
        test_key_clear(&k);
    }
}

static void rsa_exponent_is_as_asked(void **state)
{
    (void)state;
    struct hal_key_spec spec = { .type = HAL_RSA, .bits = 2048, .rsa_exponent = 3 };
    struct test_key k;
    struct crypto_pub pub;
    enum cf_rc rc = test_key_make(tok, &spec, &k, &err);
    if (rc == CF_OK) {
        EXPECT_OK(crypto_pub_from_spki(bytes(&k.w.spki), &pub, &err));
        assert_int_equal(pub.e_len, 1);
        assert_int_equal(pub.e[0], 3);
    }
    test_key_clear(&k);
}

static void ec_keys_of_each_curve_are_made_and_sign(void **state)
{
    (void)state;
    for (enum hal_curve c = HAL_P256; c <= HAL_P256K; c++) {
        struct hal_key_spec spec = { .type = HAL_EC, .curve = c };
        struct test_key k;
        enum cf_rc rc = test_key_make(tok, &spec, &k, &err);
        if (!lacking(rc)) {
            EXPECT_OK(rc);
            EXPECT_OK(hal_token_user_check(tok, &k.key, &err));
            expect_ec_signature(&k, c);
        }
        memset(&err, 0, sizeof err);
        test_key_clear(&k);
    }
}

static void made_keys_differ(void **state)
{
    (void)state;
    struct test_key a, b;
    EXPECT_OK(test_key_make(tok, &aes256, &a, &err));
    EXPECT_OK(test_key_make(tok, &aes256, &b, &err));
    assert_int_equal(a.w.wrapped.len, 40);
    assert_int_equal(a.w.material_len, 32);
    assert_memory_not_equal(a.w.wrapped.data, b.w.wrapped.data, 40);
    assert_memory_not_equal(a.w.kcv, b.w.kcv, HAL_KCV_SIZE);
    test_key_clear(&a);
    test_key_clear(&b);
}

static void imported_pairs_sign_and_their_blobs_are_rfc_5649(void **state)
{
    (void)state;
    static const struct hal_key_spec specs[] = {
        { .type = HAL_RSA, .bits = 2048 },     { .type = HAL_RSA, .bits = 3072 },
        { .type = HAL_EC, .curve = HAL_P256 }, { .type = HAL_EC, .curve = HAL_P256K },
        { .type = HAL_EC, .curve = HAL_P384 }, { .type = HAL_EC, .curve = HAL_P521 },
    };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct cf_buf der = { 0 }, spki = { 0 };
        struct hal_key_spec is;
        struct test_key k;
        struct cf_secret *inside = NULL;
        test_pkcs8(&specs[i], &der);
        print_message("  case %zu, %zu bytes\n", i, der.len);
        enum cf_rc rc = test_key_import(tok, &specs[i], bytes(&der), &k, &err);
        if (!lacking(rc)) {
            EXPECT_OK(rc);
            EXPECT_OK(crypto_pkcs8_public(bytes(&der), &is, &spki, &err));
            assert_int_equal(spki.len, k.w.spki.len);
            assert_memory_equal(spki.data, k.w.spki.data, spki.len);
            EXPECT_OK(hal_token_user_check(tok, &k.key, &err));
            if (specs[i].type == HAL_RSA)
                expect_rsa_signatures(&k);
            else
                expect_ec_signature(&k, specs[i].curve);
            EXPECT_OK(crypto_unwrap(CRYPTO_KWP, crypto_bytes_of(test_kek, HAL_SECRET_SIZE),
                                    bytes(&k.w.wrapped), &inside, &err));
            assert_true(cf_secret_len(inside) <= k.w.material_len);
            cf_secret_free(inside);
        }
        memset(&err, 0, sizeof err);
        test_key_clear(&k);
        cf_buf_clear(&der);
        cf_buf_clear(&spki);
    }
}

static void imported_secrets_have_the_right_check_value_and_blob(void **state)
{
    (void)state;
    static const uint32_t bits[] = { 128, 192, 256, 320, 384, 512 };
    uint8_t material[64];
    for (size_t i = 0; i < sizeof material; i++)
        material[i] = (uint8_t)(7 * i + 1);
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        static const uint8_t text[16] = "coffer.v1.kc";
        struct hal_key_spec spec = { .type = HAL_OCT, .bits = bits[i] };
        struct crypto_bytes m = crypto_bytes_of(material, bits[i] / 8);
        struct test_key k;
        struct cf_secret *inside = NULL;
        uint8_t want[32];
        EXPECT_OK(test_key_import(tok, &spec, m, &k, &err));
        if (bits[i] <= 256)
            test_aes_block(m, text, want);
        else
            EXPECT_OK(crypto_hmac(HAL_SHA256, m, crypto_bytes_of(text, 12), want, &err));
        assert_memory_equal(k.w.kcv, want, HAL_KCV_SIZE);
        EXPECT_OK(crypto_unwrap(CRYPTO_KWP, crypto_bytes_of(test_kek, HAL_SECRET_SIZE),
                                bytes(&k.w.wrapped), &inside, &err));
        assert_int_equal(cf_secret_len(inside), m.len);
        assert_memory_equal(cf_secret_view(inside), material, m.len);
        EXPECT_OK(hal_token_user_check(tok, &k.key, &err));
        cf_secret_free(inside);
        test_key_clear(&k);
    }
}

static void import_of_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const uint8_t junk[64] = { 0x30, 0x10 };
    struct hal_key_spec odd = { .type = HAL_OCT, .bits = 136 };
    struct hal_key_spec p384 = { .type = HAL_EC, .curve = HAL_P384 };
    struct hal_key_spec rsa1024 = { .type = HAL_RSA, .bits = 1024 };
    struct cf_buf der = { 0 };
    struct test_key k;
    EXPECT_RC(CF_E_INPUT, test_key_import(tok, &aes256, crypto_bytes_of(junk, 31), &k, &err));
    EXPECT_RC(CF_E_INPUT, test_key_import(tok, &odd, crypto_bytes_of(junk, 17), &k, &err));
    EXPECT_RC(CF_E_INPUT, test_key_import(tok, &rsa2048, crypto_bytes_of(junk, 64), &k, &err));
    EXPECT_RC(CF_E_INPUT, test_key_make(tok, &rsa1024, &k, &err));
    test_pkcs8(&p256, &der);
    EXPECT_RC(CF_E_INPUT, test_key_import(tok, &p384, bytes(&der), &k, &err));
    EXPECT_RC(CF_E_INPUT, test_key_import(tok, &rsa2048, bytes(&der), &k, &err));
    cf_buf_clear(&der);
}

/* --- verdicts ----------------------------------------------------------------------------------
 */

static void every_flipped_bit_under_the_mac_is_refused(void **state)
{
    (void)state;
    struct test_key k;
    struct hal_result r;
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    for (size_t i = 0; i < k.bound.len; i++) {
        bool in_blob = i >= k.bound.len - k.w.wrapped.len;
        size_t at = i - (k.bound.len - k.w.wrapped.len);
        k.bound.data[i] ^= 1;
        if (in_blob)
            k.w.wrapped.data[at] ^= 1;
        EXPECT_RC(CF_E_AUTH, use(&k, gcm_op(), &r));
        EXPECT_RC(CF_E_AUTH, hal_token_user_check(tok, &k.key, &err));
        assert_int_equal(r.out.len, 0);
        k.bound.data[i] ^= 1;
        if (in_blob)
            k.w.wrapped.data[at] ^= 1;
    }
    for (size_t i = 0; i < HAL_MAC_SIZE; i++) {
        k.key.bound_mac[i] ^= 0x80;
        EXPECT_RC(CF_E_AUTH, use(&k, gcm_op(), &r));
        k.key.bound_mac[i] ^= 0x80;
    }
    EXPECT_OK(use(&k, gcm_op(), &r));
    hal_result_clear(&r);
    k.key.bound_mac[0] ^= 1; /* now that it is cached */
    EXPECT_RC(CF_E_AUTH, use(&k, gcm_op(), &r));
    test_key_clear(&k);
}

static void blob_that_is_not_under_its_mac_is_refused(void **state)
{
    (void)state;
    struct test_key a, b;
    struct hal_result r;
    EXPECT_OK(test_key_make(tok, &aes256, &a, &err));
    EXPECT_OK(test_key_make(tok, &aes256, &b, &err));
    a.key.wrapped = b.key.wrapped;
    EXPECT_RC(CF_E_ARG, use(&a, gcm_op(), &r));
    EXPECT_RC(CF_E_ARG, hal_token_user_check(tok, &a.key, &err));
    test_key_clear(&a);
    test_key_clear(&b);
}

static void corrupt_blob_with_a_good_mac_is_corrupt(void **state)
{
    (void)state;
    struct test_key k;
    struct hal_result r;
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    k.w.wrapped.data[9] ^= 1;
    EXPECT_OK(test_key_bind(tok, &aes256, &k, &err));
    EXPECT_RC(CF_E_CORRUPT, use(&k, gcm_op(), &r));
    EXPECT_RC(CF_E_CORRUPT, hal_token_user_check(tok, &k.key, &err));
    struct hal_token_info i;
    EXPECT_OK(hal_token_info(tok, &i, &err));
    assert_int_equal(i.worker_restarts, 0); /* the token was not to blame */
    test_key_clear(&k);
}

static void wrong_check_value_or_public_half_is_corrupt(void **state)
{
    (void)state;
    struct test_key k, a, b;
    struct hal_result r;
    uint8_t digest[32] = { 0 };
    struct hal_op sign = { .use = HAL_SIGN, .mech = HAL_ECDSA, .in = digest, .in_len = 32 };
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    k.key.kcv[0] ^= 1;
    EXPECT_RC(CF_E_CORRUPT, use(&k, gcm_op(), &r));
    EXPECT_RC(CF_E_CORRUPT, hal_token_user_check(tok, &k.key, &err));
    test_key_clear(&k);

    EXPECT_OK(test_key_make(tok, &p256, &a, &err));
    EXPECT_OK(test_key_make(tok, &p256, &b, &err));
    struct cf_buf swap = a.w.spki;
    a.w.spki = b.w.spki;
    b.w.spki = swap;
    EXPECT_OK(test_key_bind(tok, &p256, &a, &err));
    EXPECT_RC(CF_E_CORRUPT, use(&a, &sign, &r));
    EXPECT_RC(CF_E_CORRUPT, hal_token_user_check(tok, &a.key, &err));
    test_key_clear(&a);
    test_key_clear(&b);
}

static void length_that_is_not_the_keys_is_refused(void **state)
{
    (void)state;
    struct test_key k;
    struct hal_result r;
    struct hal_key_spec aes128 = { .type = HAL_OCT, .bits = 128 };
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    k.key.spec = aes128;
    EXPECT_RC(CF_E_CORRUPT, use(&k, gcm_op(), &r));
    k.key.spec = rsa2048;
    assert_int_not_equal(hal_token_user_check(tok, &k.key, &err), CF_OK);
    test_key_clear(&k);
}

static void missing_domain_keys_are_absent(void **state)
{
    (void)state;
    struct test_key k;
    struct hal_result r;
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    k.key.mac_key.generation = 9;
    EXPECT_RC(CF_E_ABSENT, use(&k, gcm_op(), &r));
    k.key.mac_key.generation = 1;
    k.key.kek.generation = 9;
    EXPECT_RC(CF_E_ABSENT, use(&k, gcm_op(), &r));
    test_key_clear(&k);
}

int token_contract_user(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_keys_of_each_size_are_made_and_sign),
        cmocka_unit_test(rsa_exponent_is_as_asked),
        cmocka_unit_test(ec_keys_of_each_curve_are_made_and_sign),
        cmocka_unit_test(made_keys_differ),
        cmocka_unit_test(imported_pairs_sign_and_their_blobs_are_rfc_5649),
        cmocka_unit_test(imported_secrets_have_the_right_check_value_and_blob),
        cmocka_unit_test(import_of_what_does_not_fit_is_refused),
        cmocka_unit_test(every_flipped_bit_under_the_mac_is_refused),
        cmocka_unit_test(blob_that_is_not_under_its_mac_is_refused),
        cmocka_unit_test(corrupt_blob_with_a_good_mac_is_corrupt),
        cmocka_unit_test(wrong_check_value_or_public_half_is_corrupt),
        cmocka_unit_test(length_that_is_not_the_keys_is_refused),
        cmocka_unit_test(missing_domain_keys_are_absent),
    };
    return cmocka_run_group_tests_name("token user keys", tests, open_token, close_token);
}
