/* Using keys: every mechanism once around, and who is refused with which code. */
#include "support/test.h"

#include <stdlib.h>

#include "crypto/pkey.h"
#include "hal_sim/hal_sim.h"
#include "support/fake_token.h"
#include "support/keystore_bench.h"

static struct keystore_bench bench;

static const struct {
    const char *name;
    struct hal_key_spec spec;
    unsigned ops;
} keys[] = {
    { "rsa", { .type = HAL_RSA, .bits = 2048 }, 0 },
    { "kek", { .type = HAL_RSA, .bits = 2048 }, KEYSTORE_IMPORT },
    { "p256", { .type = HAL_EC, .curve = HAL_P256 }, 0 },
    { "p384", { .type = HAL_EC, .curve = HAL_P384 }, 0 },
    { "p521", { .type = HAL_EC, .curve = HAL_P521 }, 0 },
    { "p256k", { .type = HAL_EC, .curve = HAL_P256K }, 0 },
    { "aes", { .type = HAL_OCT, .bits = 256 }, 0 },
    { "mac", { .type = HAL_OCT, .bits = 256 }, KEYSTORE_SIGN | KEYSTORE_VERIFY },
};

/* One bench for all cases: making RSA keys takes its time. */
static int set_up_all(void **state)
{
    (void)state;
    keystore_bench_open(&bench);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct keystore_new n = { .spec = keys[i].spec,
                                  .attrs = { .given = keys[i].ops ? KEYSTORE_GIVEN_OPS : 0U,
                                             .ops = keys[i].ops } };
        assert_int_equal(keystore_create(bench.ks, keys[i].name, &n, NULL, NULL), CF_OK);
    }
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    keystore_bench_close(&bench);
    return 0;
}

static enum cf_rc use(const char *name, const struct hal_op *op, struct keystore_result *out,
                      struct cf_err *e)
{
    struct keystore_use u = { .name = name };
    return keystore_use(bench.ks, &u, op, out, e);
}

static const uint8_t digest[64] = { 1, 2, 3 };

static void signatures_verify_and_altered_ones_do_not(void **state)
{
    static const struct {
        const char *key;
        enum hal_mech mech;
        enum hal_hash hash;
        size_t sig_len;
    } cases[] = {
        { "rsa", HAL_RSA_PKCS1_SIGN, HAL_SHA256, 256 },
        { "rsa", HAL_RSA_PSS, HAL_SHA384, 256 },
        { "rsa", HAL_RSA_PSS, HAL_SHA512, 256 },
        { "rsa", HAL_RSA_RAW_PKCS1, 0, 256 },
        { "p256", HAL_ECDSA, HAL_SHA256, 64 },
        { "p384", HAL_ECDSA, HAL_SHA384, 96 },
        { "p521", HAL_ECDSA, HAL_SHA512, 132 },
        { "p256k", HAL_ECDSA, HAL_SHA256, 64 },
        { "mac", HAL_HMAC, HAL_SHA256, 32 },
        { "mac", HAL_HMAC, HAL_SHA512, 64 },
    };
    (void)state;
    struct cf_err err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct keystore_result sig = { 0 }, ok = { 0 }, bad = { 0 };
        size_t len = cases[i].hash ? crypto_digest_size(cases[i].hash) : 36;
        struct hal_op op = { .use = HAL_SIGN,
                             .mech = cases[i].mech,
                             .hash = cases[i].hash,
                             .in = digest,
                             .in_len = len };
        EXPECT_OK(use(cases[i].key, &op, &sig, &err));
        assert_int_equal(sig.r.out.len, cases[i].sig_len);
        assert_int_equal(strlen(sig.version), KEYSTORE_ID_HEX);
        op.use = HAL_VERIFY;
        op.tag = sig.r.out.data;
        op.tag_len = sig.r.out.len;
        EXPECT_OK(use(cases[i].key, &op, &ok, &err));
        assert_true(cf_granted(&ok.valid));
        sig.r.out.data[7] ^= 1;
        EXPECT_OK(use(cases[i].key, &op, &bad, &err));
        assert_false(cf_granted(&bad.valid));
        sig.r.out.data[7] ^= 1;
        op.tag_len--;
        enum cf_rc rc = use(cases[i].key, &op, &bad, NULL);
        assert_true(rc == CF_E_INPUT || (rc == CF_OK && !cf_granted(&bad.valid)));
        keystore_result_clear(&sig);
        keystore_result_clear(&ok);
        keystore_result_clear(&bad);
    }
}

struct round {
    const char *key;
    enum hal_use out, back;
    enum hal_mech mech;
    enum hal_hash hash;
    size_t len;
};

static void there_and_back(const struct round *c)
{
    struct cf_err err;
    static const uint8_t iv[16] = { 9 };
    struct keystore_result sealed = { 0 }, opened = { 0 };
    bool gcm = c->mech == HAL_AES_GCM, cbc = c->mech == HAL_AES_CBC || c->mech == HAL_AES_CBC_PAD;
    struct hal_op op = {
        .use = c->out, .mech = c->mech, .hash = c->hash, .in = digest, .in_len = c->len
    };
    if (gcm) {
        op.aad = digest;
        op.aad_len = 5;
    }
    if (cbc) {
        op.iv = iv;
        op.iv_len = sizeof iv;
    }
    EXPECT_OK(use(c->key, &op, &sealed, &err));
    op.use = c->back;
    op.in = sealed.r.out.data;
    op.in_len = sealed.r.out.len;
    if (gcm) {
        op.iv = sealed.r.iv;
        op.iv_len = sealed.r.iv_len;
        op.tag = sealed.r.tag;
        op.tag_len = sealed.r.tag_len;
    }
    EXPECT_OK(use(c->key, &op, &opened, &err));
    assert_int_equal(opened.r.out.len, c->len);
    assert_memory_equal(opened.r.out.data, digest, c->len);
    keystore_result_clear(&opened);
    if (!cbc) { /* CBC alone is not authentic */
        sealed.r.out.data[3] ^= 1;
        EXPECT_RC(CF_E_INPUT, use(c->key, &op, &opened, &err));
        assert_string_equal(err.code, "BadParameter");
    }
    keystore_result_clear(&sealed);
    keystore_result_clear(&opened);
}

static void what_is_sealed_opens_and_altered_data_does_not(void **state)
{
    static const struct round cases[] = {
        { "rsa", HAL_ENCRYPT, HAL_DECRYPT, HAL_RSA_OAEP, HAL_SHA256, 50 },
        { "rsa", HAL_WRAP, HAL_UNWRAP, HAL_RSA_OAEP, HAL_SHA1, 32 },
        { "aes", HAL_ENCRYPT, HAL_DECRYPT, HAL_AES_GCM, 0, 37 },
        { "aes", HAL_ENCRYPT, HAL_DECRYPT, HAL_AES_CBC, 0, 32 },
        { "aes", HAL_ENCRYPT, HAL_DECRYPT, HAL_AES_CBC_PAD, 0, 33 },
        { "aes", HAL_WRAP, HAL_UNWRAP, HAL_AES_KW, 0, 24 },
        { "aes", HAL_WRAP, HAL_UNWRAP, HAL_AES_KWP, 0, 21 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        there_and_back(&cases[i]);
}

static void set_attrs(const char *name, const struct keystore_attrs *a)
{
    struct cf_err err;
    EXPECT_OK(keystore_update(bench.ks, name, NULL, a, NULL, &err));
}

static const struct hal_op sign_p256 = {
    .use = HAL_SIGN, .mech = HAL_ECDSA, .hash = HAL_SHA256, .in = digest, .in_len = 32
};

static void each_refusal_has_its_code(void **state)
{
    (void)state;
    struct cf_err err;
    struct keystore_result r = { 0 };
    struct hal_op verify = sign_p256;
    uint8_t sig[64] = { 0 };
    verify.use = HAL_VERIFY;
    verify.tag = sig;
    verify.tag_len = sizeof sig;
    EXPECT_OK(keystore_bench_make(&bench, "rules", &keys[2].spec, NULL, &err));

    struct keystore_attrs a = { .given = KEYSTORE_GIVEN_EXP, .exp = KEYSTORE_BENCH_START_S };
    set_attrs("rules", &a);
    EXPECT_RC(CF_E_DENIED, use("rules", &sign_p256, &r, &err));
    assert_string_equal(err.code, "KeyExpired");
    EXPECT_OK(use("rules", &verify, &r, &err)); /* works outside the window */
    a = (struct keystore_attrs){ .given = KEYSTORE_GIVEN_NBF | KEYSTORE_GIVEN_EXP,
                                 .nbf = KEYSTORE_BENCH_START_S + 10,
                                 .exp = 1900000000 };
    set_attrs("rules", &a);
    EXPECT_RC(CF_E_DENIED, use("rules", &sign_p256, &r, &err));
    assert_string_equal(err.code, "KeyNotYetValid");
    hal_sim_clock_step(bench.clock, 10000);
    EXPECT_OK(use("rules", &sign_p256, &r, &err));
    keystore_result_clear(&r);
    a = (struct keystore_attrs){ .given = KEYSTORE_GIVEN_OPS, .ops = KEYSTORE_VERIFY };
    set_attrs("rules", &a);
    EXPECT_RC(CF_E_DENIED, use("rules", &sign_p256, &r, &err));
    assert_string_equal(err.code, "KeyOperationForbidden");
    a = (struct keystore_attrs){ .given = KEYSTORE_GIVEN_ENABLED };
    set_attrs("rules", &a);
    EXPECT_RC(CF_E_DENIED, use("rules", &verify, &r, &err));
    assert_string_equal(err.code, "KeyDisabled");
    EXPECT_OK(keystore_delete(bench.ks, "rules", NULL, &err));
    EXPECT_RC(CF_E_ABSENT, use("rules", &verify, &r, &err));
    assert_string_equal(err.code, "KeyNotFound");
}

static void an_algorithm_of_another_key_is_refused(void **state)
{
    (void)state;
    struct cf_err err;
    struct keystore_result r = { 0 };
    struct hal_op short_digest = sign_p256;
    short_digest.in_len = 31;
    EXPECT_RC(CF_E_INPUT, use("rsa", &sign_p256, &r, &err));
    EXPECT_RC(CF_E_INPUT, use("p256", &short_digest, &r, &err));
    struct keystore_use u = { .name = "p256k", .wants = { .type = HAL_EC, .curve = HAL_P256 } };
    EXPECT_RC(CF_E_INPUT, keystore_use(bench.ks, &u, &sign_p256, &r, &err));
    struct hal_op gcm = { .use = HAL_ENCRYPT, .mech = HAL_AES_GCM, .in = digest, .in_len = 16 };
    u = (struct keystore_use){ .name = "aes", .wants = { .type = HAL_OCT, .bits = 128 } };
    EXPECT_RC(CF_E_INPUT, keystore_use(bench.ks, &u, &gcm, &r, &err));
    assert_string_equal(err.code, "BadParameter");
}

static void a_token_failure_is_not_blamed_on_the_caller(void **state)
{
    (void)state;
    struct cf_err err;
    struct keystore_result r = { 0 };
    fake_token_fail(bench.token, CF_E_TOKEN, 1);
    EXPECT_RC(CF_E_TOKEN, use("p256", &sign_p256, &r, &err));
    assert_int_equal(r.r.out.len, 0);
}

static void a_byok_transfer_opens_with_an_import_key_alone(void **state)
{
    (void)state;
    struct cf_err err;
    uint8_t aes[32] = { 5 }, target[24] = "the key that travels 24";
    struct cf_buf blob = { 0 };
    struct keystore_bundle kek = { 0 };
    struct crypto_pkey *pkey = NULL;
    struct cf_secret *out = NULL;
    EXPECT_OK(keystore_get(bench.ks, "kek", NULL, &kek, &err));
    EXPECT_OK(
        crypto_pkey_new(crypto_bytes_of(kek.version.spki.data, kek.version.spki.len), &pkey, &err));
    EXPECT_OK(
        crypto_pkey_encrypt(pkey, HAL_RSA_OAEP, HAL_SHA1, crypto_bytes_of(aes, 32), &blob, &err));
    EXPECT_OK(crypto_wrap(CRYPTO_KWP, crypto_bytes_of(aes, 32), crypto_bytes_of(target, 24), &blob,
                          &err));
    struct keystore_use u = { .name = "kek" };
    struct crypto_bytes in = { blob.data, blob.len };
    EXPECT_OK(keystore_open_transfer(bench.ks, &u, in, &out, &err));
    assert_int_equal(cf_secret_len(out), 24);
    assert_memory_equal(cf_secret_view(out), target, 24);
    cf_secret_free(out);
    u.name = "rsa";
    EXPECT_RC(CF_E_DENIED, keystore_open_transfer(bench.ks, &u, in, &out, &err));
    assert_string_equal(err.code, "KeyOperationForbidden");
    u.name = "kek";
    blob.data[blob.len - 1] ^= 1;
    EXPECT_RC(CF_E_INPUT, keystore_open_transfer(bench.ks, &u, in, &out, &err));
    in.len = 256;
    EXPECT_RC(CF_E_INPUT, keystore_open_transfer(bench.ks, &u, in, &out, &err));
    crypto_pkey_free(pkey);
    keystore_bundle_clear(&kek);
    cf_buf_clear(&blob);
}

/* The short way gives what the full check of the same bytes gives, and takes no others. */
static void a_public_half_has_the_parts_that_a_full_check_finds(void **state)
{
    struct cf_err err;
    struct crypto_pub ours, full;
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct keystore_bundle k = { 0 };
        EXPECT_OK(keystore_get(bench.ks, keys[i].name, NULL, &k, &err));
        if (keys[i].spec.type == HAL_OCT) {
            EXPECT_RC(CF_E_CORRUPT, keystore_public(&k.version, &ours, &err));
            keystore_bundle_clear(&k);
            continue;
        }
        EXPECT_OK(keystore_public(&k.version, &ours, &err));
        EXPECT_OK(crypto_pub_from_spki(crypto_bytes_of(k.version.spki.data, k.version.spki.len),
                                       &full, &err));
        assert_int_equal(ours.type, full.type);
        assert_int_equal(ours.bits, full.bits);
        assert_int_equal(ours.curve, full.curve);
        assert_int_equal(ours.n_len, full.n_len);
        assert_int_equal(ours.e_len, full.e_len);
        assert_memory_equal(ours.n, full.n, full.n_len);
        assert_memory_equal(ours.e, full.e, full.e_len);
        assert_memory_equal(ours.x, full.x, crypto_curve_bytes(full.curve));
        assert_memory_equal(ours.y, full.y, crypto_curve_bytes(full.curve));
        k.version.spki.len--;
        EXPECT_RC(CF_E_CORRUPT, keystore_public(&k.version, &ours, &err));
        keystore_bundle_clear(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_verify_and_altered_ones_do_not),
        cmocka_unit_test(what_is_sealed_opens_and_altered_data_does_not),
        cmocka_unit_test(a_public_half_has_the_parts_that_a_full_check_finds),
        cmocka_unit_test(each_refusal_has_its_code),
        cmocka_unit_test(an_algorithm_of_another_key_is_refused),
        cmocka_unit_test(a_token_failure_is_not_blamed_on_the_caller),
        cmocka_unit_test(a_byok_transfer_opens_with_an_import_key_alone),
    };
    return cmocka_run_group_tests_name("keystore_use", tests, set_up_all, tear_down_all);
}
