#include "support/test.h"

#include "crypto/cert.h"
#include "crypto/priv_pem.h"

static struct cf_err err;

/* A key that we made as PEM, read back in components, must be whole: making PKCS#8 of it checks
 * each. */
static void a_made_key_comes_back_whole(enum crypto_cert_kind kind, enum hal_key_type type)
{
    struct crypto_cert_pair pair = { 0 };
    const struct crypto_cert_order order = {
        .kind = kind, .common_name = "t", .now = 1700000000, .days = 1
    };
    struct crypto_priv_own key = { 0 };
    struct hal_key_spec spec;
    struct cf_buf spki = { 0 };
    struct cf_secret *pkcs8 = NULL;
    EXPECT_OK(crypto_cert_make(&order, NULL, &pair, &err));
    EXPECT_OK(
        crypto_priv_from_pem(crypto_bytes_of(pair.key_pem.data, pair.key_pem.len), &key, &err));
    assert_int_equal(key.view.type, type);
    EXPECT_OK(crypto_pkcs8_make(&key.view, &spec, &spki, &pkcs8, &err));
    assert_int_equal(spec.type, type);
    cf_secret_free(pkcs8);
    cf_buf_clear(&spki);
    crypto_priv_own_clear(&key);
    crypto_cert_pair_clear(&pair);
}

static void rsa_and_ec_keys_come_back_whole(void **state)
{
    (void)state;
    a_made_key_comes_back_whole(CRYPTO_CERT_OFFICER, HAL_RSA);
    a_made_key_comes_back_whole(CRYPTO_CERT_CA, HAL_EC);
}

static void what_is_no_private_key_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct crypto_priv_own key = { 0 };
        EXPECT_RC(CF_E_INPUT,
                  crypto_priv_from_pem(crypto_bytes_of(bad[i], strlen(bad[i])), &key, &err));
        assert_null(key.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_and_ec_keys_come_back_whole),
        cmocka_unit_test(what_is_no_private_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
