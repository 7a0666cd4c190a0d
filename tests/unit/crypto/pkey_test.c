/* Public keys, private keys for import, and P-256. Vectors: tests/vectors/crypto/keys.txt. */
#include "support/test.h"

#include "base/file.h"
#include "base/text.h"
#include "crypto/pkey.h"
#include "crypto/privkey.h"

struct member {
    uint8_t data[300];
    size_t len;
};

static struct crypto_bytes bytes(const struct member *m)
{
    return crypto_bytes_of(m->data, m->len);
}

static struct member load(const char *want)
{
    struct member m = { .len = 0 };
    char name[16], text[620];
    FILE *f = fopen(CF_VECTORS "/crypto/keys.txt", "r");
    assert_non_null(f);
    while (m.len == 0 && fscanf(f, "%15s %619s", name, text) == 2)
        if (strcmp(name, want) == 0) {
            m.len = strlen(text) / 2;
            assert_int_equal(cf_unhex(text, m.data, m.len, NULL), CF_OK);
        }
    fclose(f);
    assert_true(m.len > 0);
    return m;
}

static const struct {
    const char *name;
    enum hal_curve curve;
} ec_names[] = {
    { "ES256", HAL_P256 }, { "ES256K", HAL_P256K }, { "ES384", HAL_P384 }, { "ES512", HAL_P521 }
};

struct rsa_members {
    struct member n, e, d, p, q, dp, dq, qi;
};

static struct rsa_members load_rsa(void)
{
    return (struct rsa_members){ load("RSA.n"), load("RSA.e"),  load("RSA.d"),  load("RSA.p"),
                                 load("RSA.q"), load("RSA.dp"), load("RSA.dq"), load("RSA.qi") };
}

static struct crypto_priv rsa_priv(const struct rsa_members *m)
{
    return (struct crypto_priv){ .type = HAL_RSA,
                                 .n = bytes(&m->n),
                                 .e = bytes(&m->e),
                                 .d = bytes(&m->d),
                                 .p = bytes(&m->p),
                                 .q = bytes(&m->q),
                                 .dp = bytes(&m->dp),
                                 .dq = bytes(&m->dq),
                                 .qi = bytes(&m->qi) };
}

static void public_keys_go_to_spki_and_back(void **state)
{
    (void)state;
    struct cf_err err;
    struct crypto_pub pub, again;
    struct cf_buf spki = { 0 };
    struct member n = load("RSA.n"), exponent = load("RSA.e");
    EXPECT_OK(crypto_pub_from_rsa(bytes(&n), bytes(&exponent), &pub, &err));
    assert_int_equal(pub.bits, 2048);
    EXPECT_OK(crypto_pub_to_spki(&pub, &spki, &err));
    EXPECT_OK(crypto_pub_from_spki(crypto_bytes_of(spki.data, spki.len), &again, &err));
    assert_memory_equal(again.n, n.data, n.len);
    assert_int_equal(again.e_len, 3);
    cf_buf_clear(&spki);
    for (size_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "%s.x", ec_names[i].name);
        struct member x = load(name);
        snprintf(name, sizeof name, "%s.y", ec_names[i].name);
        struct member y = load(name);
        EXPECT_OK(crypto_pub_from_ec(ec_names[i].curve, bytes(&x), bytes(&y), &pub, &err));
        EXPECT_OK(crypto_pub_to_spki(&pub, &spki, &err));
        EXPECT_OK(crypto_pub_from_spki(crypto_bytes_of(spki.data, spki.len), &again, &err));
        assert_int_equal(again.curve, ec_names[i].curve);
        assert_memory_equal(again.x, x.data, x.len);
        assert_memory_equal(again.y, y.data, y.len);
        for (size_t at = spki.len - x.len - y.len - 1; at < spki.len; at++) { /* off its curve */
            spki.data[at] ^= 1;
            EXPECT_RC(CF_E_INPUT,
                      crypto_pub_from_spki(crypto_bytes_of(spki.data, spki.len), &again, &err));
            spki.data[at] ^= 1;
        }
        EXPECT_RC(CF_E_INPUT,
                  crypto_pub_from_spki(crypto_bytes_of(spki.data, spki.len - 1), &again, &err));
        cf_buf_clear(&spki);
        y.data[y.len - 1] ^= 1;
        EXPECT_RC(CF_E_INPUT,
                  crypto_pub_from_ec(ec_names[i].curve, bytes(&x), bytes(&y), &pub, &err));
        y.len--;
        EXPECT_RC(CF_E_INPUT,
                  crypto_pub_from_ec(ec_names[i].curve, bytes(&x), bytes(&y), &pub, &err));
    }
}

static void weak_or_odd_rsa_keys_are_refused(void **state)
{
    (void)state;
    struct cf_err err;
    struct crypto_pub pub;
    struct member n = load("RSA.n");
    static const uint8_t one = 1, two = 2, big[9] = { 1, 0, 0, 0, 0, 0, 0, 0, 1 };
    EXPECT_RC(CF_E_INPUT, crypto_pub_from_rsa(bytes(&n), crypto_bytes_of(&one, 1), &pub, &err));
    EXPECT_RC(CF_E_INPUT, crypto_pub_from_rsa(bytes(&n), crypto_bytes_of(&two, 1), &pub, &err));
    EXPECT_RC(CF_E_INPUT, crypto_pub_from_rsa(bytes(&n), crypto_bytes_of(big, 9), &pub, &err));
    EXPECT_RC(CF_E_INPUT, crypto_pub_from_rsa(crypto_bytes_of(n.data, 128),
                                              crypto_bytes_of("\1\0\1", 3), &pub, &err));
    EXPECT_RC(CF_E_INPUT, crypto_pub_from_rsa(crypto_bytes_of(n.data, 0),
                                              crypto_bytes_of("\1\0\1", 3), &pub, &err));
}

static void a_compressed_or_nameless_ec_key_is_refused(void **state)
{
    (void)state;
    struct cf_err err;
    struct crypto_pub pub;
    /* SPKI of P-256 with the point of RFC 6979 A.2.5 compressed. */
    static const char text[] = "3039301306072a8648ce3d020106082a8648ce3d030107032200"
                               "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
    uint8_t der[59];
    assert_int_equal(cf_unhex(text, der, sizeof der, NULL), CF_OK);
    EXPECT_RC(CF_E_INPUT, crypto_pub_from_spki(crypto_bytes_of(der, sizeof der), &pub, &err));
}

static void pkcs8_from_elsewhere_is_checked_and_written_anew(void **state)
{
    (void)state;
    struct cf_err err;
    struct rsa_members m = load_rsa();
    struct crypto_priv in = rsa_priv(&m);
    struct hal_key_spec spec = { 0 };
    struct cf_buf spki = { 0 };
    struct cf_secret *der = NULL;
    struct cf_secret *again = NULL;
    EXPECT_OK(crypto_pkcs8_make(&in, &spec, &spki, &der, &err));
    size_t len = cf_secret_len(der);
    spec = (struct hal_key_spec){ 0 };
    EXPECT_OK(crypto_pkcs8_read(crypto_bytes_of(cf_secret_view(der), len), &spec, &again, &err));
    assert_int_equal(spec.type, HAL_RSA);
    assert_int_equal(spec.bits, 2048);
    assert_int_equal(cf_secret_len(again), len);
    assert_memory_equal(cf_secret_view(again), cf_secret_view(der), len);
    cf_secret_free(again);
    struct cf_buf half = { 0 };
    EXPECT_OK(crypto_pkcs8_public(crypto_bytes_of(cf_secret_view(der), len), &spec, &half, &err));
    assert_int_equal(half.len, spki.len);
    assert_memory_equal(half.data, spki.data, spki.len);
    EXPECT_RC(CF_E_INPUT, crypto_pkcs8_public(crypto_bytes_of(cf_secret_view(der), len - 1), &spec,
                                              &half, &err));
    cf_buf_clear(&half);
    for (size_t cut = 0; cut < len; cut += 97)
        EXPECT_RC(CF_E_INPUT, crypto_pkcs8_read(crypto_bytes_of(cf_secret_view(der), cut), &spec,
                                                &again, &err));
    cf_secret_data(der)[len - 20] ^= 1; /* a bit of qInv */
    EXPECT_RC(CF_E_INPUT,
              crypto_pkcs8_read(crypto_bytes_of(cf_secret_view(der), len), &spec, &again, &err));
    assert_null(again);
    cf_secret_free(der);
    cf_buf_clear(&spki);
}

static void private_members_make_pkcs8_for_import(void **state)
{
    (void)state;
    struct cf_err err;
    struct rsa_members m = load_rsa();
    struct crypto_priv in = rsa_priv(&m);
    struct hal_key_spec spec;
    struct cf_buf spki = { 0 };
    struct cf_secret *der = NULL;
    EXPECT_OK(crypto_pkcs8_make(&in, &spec, &spki, &der, &err));
    assert_int_equal(spec.type, HAL_RSA);
    assert_int_equal(spec.bits, 2048);
    assert_int_equal(cf_secret_view(der)[0], 0x30);
    cf_secret_free(der);
    cf_buf_clear(&spki);
    for (size_t i = 0; i < 4; i++) {
        char name[3][16];
        for (size_t k = 0; k < 3; k++)
            snprintf(name[k], sizeof name[k], "%s.%c", ec_names[i].name, "dxy"[k]);
        struct member d = load(name[0]), x = load(name[1]), y = load(name[2]);
        struct crypto_priv ec = { .type = HAL_EC,
                                  .curve = ec_names[i].curve,
                                  .d = bytes(&d),
                                  .x = bytes(&x),
                                  .y = bytes(&y) };
        EXPECT_OK(crypto_pkcs8_make(&ec, &spec, &spki, &der, &err));
        assert_int_equal(spec.curve, ec_names[i].curve);
        cf_secret_free(der);
        cf_buf_clear(&spki);
        d.data[d.len - 1] ^= 1;
        EXPECT_RC(CF_E_INPUT, crypto_pkcs8_make(&ec, &spec, &spki, &der, &err));
        assert_null(der);
        d.data[d.len - 1] ^= 1;
        y.data[0] ^= 1;
        EXPECT_RC(CF_E_INPUT, crypto_pkcs8_make(&ec, &spec, &spki, &der, &err));
        memset(d.data, 0xff, d.len);
        y.data[0] ^= 1;
        EXPECT_RC(CF_E_INPUT, crypto_pkcs8_make(&ec, &spec, &spki, &der, &err));
    }
}

static void every_wrong_rsa_member_is_noticed(void **state)
{
    (void)state;
    struct cf_err err;
    struct rsa_members m = load_rsa();
    struct member *all[] = { &m.n, &m.e, &m.d, &m.p, &m.q, &m.dp, &m.dq, &m.qi };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct hal_key_spec spec;
        struct cf_buf spki = { 0 };
        struct cf_secret *der = NULL;
        print_message("  member %zu\n", i);
        all[i]->data[all[i]->len - 1] ^= 2;
        struct crypto_priv in = rsa_priv(&m);
        EXPECT_RC(CF_E_INPUT, crypto_pkcs8_make(&in, &spec, &spki, &der, &err));
        all[i]->data[all[i]->len - 1] ^= 2;
        size_t len = all[i]->len;
        all[i]->len = 0;
        in = rsa_priv(&m);
        EXPECT_RC(CF_E_INPUT, crypto_pkcs8_make(&in, &spec, &spki, &der, &err));
        all[i]->len = len;
        assert_null(der);
        assert_int_equal(spki.len, 0);
    }
}

static void encryption_fits_the_key_and_differs_each_time(void **state)
{
    (void)state;
    struct cf_err err;
    struct crypto_pub pub;
    struct cf_buf spki = { 0 }, one = { 0 }, two = { 0 };
    struct crypto_pkey *k = NULL;
    struct member n = load("RSA.n"), exponent = load("RSA.e");
    uint8_t text[246] = { 0 };
    EXPECT_OK(crypto_pub_from_rsa(bytes(&n), bytes(&exponent), &pub, &err));
    EXPECT_OK(crypto_pub_to_spki(&pub, &spki, &err));
    EXPECT_OK(crypto_pkey_new(crypto_bytes_of(spki.data, spki.len), &k, &err));
    static const struct {
        enum hal_mech mech;
        enum hal_hash h;
        size_t max;
    } kinds[] = { { HAL_RSA_OAEP, HAL_SHA1, 214 },
                  { HAL_RSA_OAEP, HAL_SHA256, 190 },
                  { HAL_RSA_PKCS1, HAL_NO_HASH, 245 } };
    for (size_t i = 0; i < 3; i++) {
        struct crypto_bytes in = { text, kinds[i].max };
        EXPECT_OK(crypto_pkey_encrypt(k, kinds[i].mech, kinds[i].h, in, &one, &err));
        EXPECT_OK(crypto_pkey_encrypt(k, kinds[i].mech, kinds[i].h, in, &two, &err));
        assert_int_equal(one.len, 256);
        assert_memory_not_equal(one.data, two.data, 256);
        in.len++;
        EXPECT_RC(CF_E_INPUT, crypto_pkey_encrypt(k, kinds[i].mech, kinds[i].h, in, &one, &err));
        cf_buf_clear(&one);
        cf_buf_clear(&two);
    }
    EXPECT_RC(CF_E_ARG,
              crypto_pkey_encrypt(k, HAL_AES_KW, HAL_SHA256, crypto_bytes_of(text, 1), &one, &err));
    crypto_pkey_free(k);
    cf_buf_clear(&spki);
}

/* RFC 6979, A.2.5: P-256, SHA-256, "sample"; its s is the high one. */
#define RFC6979_D "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define RFC6979_X "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define RFC6979_SIG                                                                                \
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"                             \
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"

static void low_s_makes_one_of_two_valid_signatures(void **state)
{
    (void)state;
    struct cf_err err;
    uint8_t d[32], x[32], sig[64], point[33], digest[32];
    struct cf_buf spki = { 0 };
    assert_int_equal(cf_unhex(RFC6979_D, d, 32, NULL), CF_OK);
    assert_int_equal(cf_unhex(RFC6979_X, x, 32, NULL), CF_OK);
    assert_int_equal(cf_unhex(RFC6979_SIG, sig, 64, NULL), CF_OK);
    EXPECT_OK(crypto_p256_point(d, point, &err));
    assert_int_equal(point[0], 3); /* y of the RFC is odd */
    assert_memory_equal(point + 1, x, 32);
    EXPECT_OK(crypto_p256_spki(point, &spki, &err));
    EXPECT_OK(crypto_digest(HAL_SHA256, "sample", 6, digest, &err));
    struct crypto_bytes key = { spki.data, spki.len }, dig = { digest, 32 }, s = { sig, 64 };
    EXPECT_OK(crypto_verify(CRYPTO_ES256, key, dig, s, &err));
    assert_false(crypto_p256_is_low_s(sig));
    EXPECT_OK(crypto_p256_low_s(sig, &err));
    assert_true(crypto_p256_is_low_s(sig));
    EXPECT_OK(crypto_verify(CRYPTO_ES256, key, dig, s, &err));
    EXPECT_OK(crypto_p256_sign(d, digest, sig, &err));
    assert_true(crypto_p256_is_low_s(sig));
    EXPECT_OK(crypto_verify(CRYPTO_ES256, key, dig, s, &err));
    memset(sig + 32, 0, 32);
    EXPECT_RC(CF_E_INPUT, crypto_p256_low_s(sig, &err));
    memset(sig, 0xff, 64);
    EXPECT_RC(CF_E_INPUT, crypto_p256_low_s(sig, &err));
    point[0] = 5;
    EXPECT_RC(CF_E_INPUT, crypto_p256_spki(point, &spki, &err));
    memset(point, 0xff, 33);
    point[0] = 2;
    EXPECT_RC(CF_E_INPUT, crypto_p256_spki(point, &spki, &err));
    cf_buf_clear(&spki);
}

static void scalars_are_reduced_into_1_to_n_minus_1(void **state)
{
    (void)state;
    struct cf_err err;
    uint8_t seed[64] = { 0 }, d[32], point[33], one[32] = { 0 };
    one[31] = 1;
    EXPECT_OK(crypto_p256_scalar(seed, d, &err));
    assert_memory_equal(d, one, 32);
    /* n - 1 gives 1 again, n - 2 gives n - 1. */
    static const char *const order_less_1 =
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
    assert_int_equal(cf_unhex(order_less_1, seed + 32, 32, NULL), CF_OK);
    EXPECT_OK(crypto_p256_scalar(seed, d, &err));
    assert_memory_equal(d, one, 32);
    seed[63]--;
    EXPECT_OK(crypto_p256_scalar(seed, d, &err));
    seed[63]++;
    assert_memory_equal(d, seed + 32, 32);
    memset(seed, 0xff, sizeof seed);
    EXPECT_OK(crypto_p256_scalar(seed, d, &err));
    EXPECT_OK(crypto_p256_point(d, point, &err));
    memset(d, 0, sizeof d);
    EXPECT_RC(CF_E_INPUT, crypto_p256_point(d, point, &err));
    memset(d, 0xff, sizeof d);
    EXPECT_RC(CF_E_INPUT, crypto_p256_point(d, point, &err));
}

static void curves_are_known_by_their_names(void **state)
{
    (void)state;
    enum hal_curve c;
    for (size_t i = 0; i < 4; i++) {
        assert_true(crypto_curve_from_name(crypto_curve_name(ec_names[i].curve), &c));
        assert_int_equal(c, ec_names[i].curve);
    }
    assert_true(crypto_curve_from_name("SECP256K1", &c));
    assert_int_equal(c, HAL_P256K);
    assert_false(crypto_curve_from_name("P-224", &c));
    assert_false(crypto_curve_from_name("p-256", &c));
}

/* tests/vectors/crypto/encrypted.pem: any P-256 key, PKCS#8 under the password "officer". */
static void a_key_file_opens_with_its_password_alone(void **state)
{
    (void)state;
    struct cf_err err;
    struct cf_buf pem = { 0 }, spki = { 0 }, sig = { 0 };
    struct crypto_privkey *k = NULL;
    uint8_t digest[32] = { 1 };
    EXPECT_OK(cf_file_read(CF_VECTORS "/crypto/encrypted.pem", 4096, &pem, &err));
    struct crypto_bytes text = { pem.data, pem.len };
    EXPECT_RC(CF_E_INPUT, crypto_privkey_from_pem(text, NULL, &k, &err));
    EXPECT_RC(CF_E_INPUT, crypto_privkey_from_pem(text, "Officer", &k, &err));
    assert_null(k);
    EXPECT_OK(crypto_privkey_from_pem(text, "officer", &k, &err));
    EXPECT_OK(crypto_privkey_spki(k, &spki, &err));
    EXPECT_OK(crypto_privkey_sign(k, CRYPTO_ES256, digest, &sig, &err));
    EXPECT_OK(crypto_verify(CRYPTO_ES256, crypto_bytes_of(spki.data, spki.len),
                            crypto_bytes_of(digest, 32), crypto_bytes_of(sig.data, sig.len), &err));
    EXPECT_RC(CF_E_ARG, crypto_privkey_sign(k, CRYPTO_RS256, digest, &sig, &err));
    EXPECT_RC(CF_E_ARG, crypto_privkey_decrypt(k, HAL_RSA_OAEP, HAL_SHA256, text, &sig, &err));
    crypto_privkey_free(k);
    cf_buf_clear(&sig);
    cf_buf_clear(&spki);
    cf_buf_clear(&pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys_go_to_spki_and_back),
        cmocka_unit_test(weak_or_odd_rsa_keys_are_refused),
        cmocka_unit_test(a_compressed_or_nameless_ec_key_is_refused),
        cmocka_unit_test(private_members_make_pkcs8_for_import),
        cmocka_unit_test(pkcs8_from_elsewhere_is_checked_and_written_anew),
        cmocka_unit_test(every_wrong_rsa_member_is_noticed),
        cmocka_unit_test(encryption_fits_the_key_and_differs_each_time),
        cmocka_unit_test(low_s_makes_one_of_two_valid_signatures),
        cmocka_unit_test(scalars_are_reduced_into_1_to_n_minus_1),
        cmocka_unit_test(curves_are_known_by_their_names),
        cmocka_unit_test(a_key_file_opens_with_its_password_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
