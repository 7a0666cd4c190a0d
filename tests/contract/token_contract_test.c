/* What every struct hal_token must do. Runs on a fresh SoftHSMv2 token, on the one given by
 * --module PATH --token-uri URI --pin-file FILE, or on the one the tests use instead: --fake. */
#include "token_contract.h"

#include <pthread.h>

#include "support/fake_token.h"

static struct test_token bench;
static bool fake;
struct hal_token *tok;
struct cf_err err;

const struct hal_key_spec rsa2048 = { .type = HAL_RSA, .bits = 2048 };
const struct hal_key_spec p256 = { .type = HAL_EC, .curve = HAL_P256 };
const struct hal_key_spec aes256 = { .type = HAL_OCT, .bits = 256 };

struct crypto_bytes bytes(const struct cf_buf *b)
{
    return crypto_bytes_of(b->data, b->len);
}

enum cf_rc use(const struct test_key *k, const struct hal_op *op, struct hal_result *r)
{
    *r = (struct hal_result){ 0 };
    return hal_token_user_use(tok, &k->key, op, r, &err);
}

bool lacking(enum cf_rc rc)
{
    if (rc != CF_OK)
        print_message("  not on this token: %s: %s\n", cf_rc_name(rc), err.text);
    return rc == CF_E_LIMIT;
}

void expect_ec_signature(const struct test_key *k, enum hal_curve curve)
{
    static const enum crypto_sig algs[] = { [HAL_P256] = CRYPTO_ES256,
                                            [HAL_P256K] = CRYPTO_ES256K,
                                            [HAL_P384] = CRYPTO_ES384,
                                            [HAL_P521] = CRYPTO_ES512 };
    uint8_t digest[64];
    struct hal_result r;
    memset(digest, 0xf7, sizeof digest);
    struct hal_op op = { .use = HAL_SIGN,
                         .mech = HAL_ECDSA,
                         .in = digest,
                         .in_len = crypto_digest_size(crypto_sig_hash(algs[curve])) };
    EXPECT_OK(use(k, &op, &r));
    assert_int_equal(r.out.len, 2 * crypto_curve_bytes(curve));
    EXPECT_OK(crypto_verify(algs[curve], bytes(&k->w.spki), crypto_bytes_of(digest, op.in_len),
                            bytes(&r.out), &err));
    hal_result_clear(&r);
    op.in_len--;
    EXPECT_RC(CF_E_INPUT, use(k, &op, &r));
}

const struct hal_op *gcm_op(void)
{
    static const struct hal_op op = {
        .use = HAL_ENCRYPT, .mech = HAL_AES_GCM, .in = (const uint8_t *)"text", .in_len = 4
    };
    return &op;
}

/* --- the appliance's keys ----------------------------------------------------------------------
 */

static void info_names_the_token_and_its_ways(void **state)
{
    (void)state;
    struct hal_token_info i;
    EXPECT_OK(hal_token_info(tok, &i, &err));
    print_message("  %s, %s %s, serial %s\n  module %s\n  kwp %s, oaep256 %s, template %s\n"
                  "  sessions %u, hmac from %u bytes\n",
                  i.label, i.manufacturer, i.model, i.serial, i.module, i.kwp_mechanism, i.oaep256,
                  i.template_rung, i.sessions, i.hmac_min_bytes);
    assert_true(i.label[0] && i.manufacturer[0] && i.module[0] && i.kwp_mechanism[0] &&
                i.oaep256[0] && i.template_rung[0]);
    assert_true(i.sessions >= 1 && i.hmac_min_bytes >= 1 && i.hmac_min_bytes <= 32);
    assert_true(i.worker_pid > 0);
    assert_int_equal(i.worker_restarts, 0);
}

static void random_fills_all_and_never_repeats(void **state)
{
    (void)state;
    static uint8_t a[HAL_RANDOM_MAX], b[HAL_RANDOM_MAX];
    EXPECT_OK(hal_token_random(tok, a, sizeof a, &err));
    EXPECT_OK(hal_token_random(tok, b, sizeof b, &err));
    assert_memory_not_equal(a, b, sizeof a);
    assert_false(cf_all_bytes(a + sizeof a - 16, 16, 0));
    EXPECT_OK(hal_token_random(tok, a, 1, &err));
    EXPECT_RC(CF_E_ARG, hal_token_random(tok, a, 0, &err));
}

static void domain_secret_goes_in_once_and_stays_the_same(void **state)
{
    (void)state;
    static const uint8_t *const values[] = { test_bk, test_kek, test_mk };
    for (int i = 0; i < 3; i++) {
        struct hal_key_name k = test_name((enum hal_role)(HAL_ROLE_BK + i));
        struct cf_secret *same = NULL;
        struct cf_secret *other = NULL;
        bool there = false;
        EXPECT_OK(hal_token_key_present(tok, &k, &there, &err));
        assert_true(there);
        EXPECT_OK(cf_secret_copy(values[i], HAL_SECRET_SIZE, &same, &err));
        EXPECT_OK(cf_secret_copy(values[(i + 1) % 3], HAL_SECRET_SIZE, &other, &err));
        EXPECT_OK(hal_token_key_import(tok, &k, same, &err));
        EXPECT_RC(CF_E_STATE, hal_token_key_import(tok, &k, other, &err));
        cf_secret_free(same);
        cf_secret_free(other);
    }
}

static void names_differ_by_role_generation_and_domain(void **state)
{
    (void)state;
    struct hal_key_name k = test_name(HAL_ROLE_BK);
    bool there = true;
    k.generation = 2;
    EXPECT_OK(hal_token_key_present(tok, &k, &there, &err));
    assert_false(there);
    k = test_name(HAL_ROLE_BK);
    k.domain_id[15] ^= 1;
    EXPECT_OK(hal_token_key_present(tok, &k, &there, &err));
    assert_false(there);
    uint8_t mac[HAL_MAC_SIZE];
    EXPECT_RC(CF_E_ABSENT, hal_token_mac(tok, &k, "x", 1, mac, &err));
}

static void mac_is_hmac_sha256(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 55, 64, 1000, HAL_IN_MAX };
    static uint8_t msg[HAL_IN_MAX];
    memset(msg, 0x5c, sizeof msg);
    struct hal_key_name bk = test_name(HAL_ROLE_BK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t got[HAL_MAC_SIZE], want[HAL_MAC_SIZE];
        EXPECT_OK(hal_token_mac(tok, &bk, msg, sizes[i], got, &err));
        EXPECT_OK(crypto_hmac(HAL_SHA256, crypto_bytes_of(test_bk, HAL_SECRET_SIZE),
                              crypto_bytes_of(msg, sizes[i]), want, &err));
        assert_memory_equal(got, want, sizeof want);
    }
}

static void store_key_is_made_once(void **state)
{
    (void)state;
    struct hal_key_name k = test_name(HAL_ROLE_STORE);
    uint8_t a[HAL_MAC_SIZE], b[HAL_MAC_SIZE];
    EXPECT_OK(hal_token_key_make(tok, &k, &err));
    EXPECT_OK(hal_token_mac(tok, &k, "m", 1, a, &err));
    EXPECT_OK(hal_token_key_make(tok, &k, &err));
    EXPECT_OK(hal_token_mac(tok, &k, "m", 1, b, &err));
    assert_memory_equal(a, b, sizeof a);
}

static void sign_with(enum hal_role role, enum hal_mech mech, enum crypto_sig alg)
{
    struct hal_key_name k = test_name(role);
    uint8_t digest[32];
    struct cf_buf spki = { 0 };
    struct hal_result r = { 0 };
    memset(digest, 0x11, sizeof digest);
    struct hal_op op = {
        .use = HAL_SIGN, .mech = mech, .hash = HAL_SHA256, .in = digest, .in_len = sizeof digest
    };
    EXPECT_OK(hal_token_key_make(tok, &k, &err));
    EXPECT_OK(hal_token_key_make(tok, &k, &err));
    EXPECT_OK(hal_token_key_public(tok, &k, &spki, &err));
    EXPECT_OK(hal_token_key_use(tok, &k, &op, &r, &err));
    EXPECT_OK(crypto_verify(alg, bytes(&spki), crypto_bytes_of(digest, sizeof digest),
                            bytes(&r.out), &err));
    hal_result_clear(&r);
    cf_buf_clear(&spki);
}

static void identity_and_authority_sign_as_their_public_keys_say(void **state)
{
    (void)state;
    sign_with(HAL_ROLE_IDENTITY, HAL_ECDSA, CRYPTO_ES256);
    sign_with(HAL_ROLE_AUTHORITY, HAL_RSA_PKCS1_SIGN, CRYPTO_RS256);
    sign_with(HAL_ROLE_AUTHORITY, HAL_RSA_PSS, CRYPTO_PS256);
}

static void absent_keys_are_absent(void **state)
{
    (void)state;
    struct hal_key_name k = test_name(HAL_ROLE_IDENTITY);
    struct cf_buf spki = { 0 };
    bool there = true;
    k.generation = 77;
    EXPECT_OK(hal_token_key_present(tok, &k, &there, &err));
    assert_false(there);
    EXPECT_RC(CF_E_ABSENT, hal_token_key_public(tok, &k, &spki, &err));
    assert_int_equal(spki.len, 0);
    EXPECT_OK(hal_token_key_destroy(tok, &k, &err));
}

static void exchange_key_opens_oaep_and_can_be_destroyed(void **state)
{
    (void)state;
    struct hal_key_name k = test_name(HAL_ROLE_EXCHANGE);
    struct cf_buf spki = { 0 }, cipher = { 0 };
    struct crypto_pkey *pub = NULL;
    struct hal_result r = { 0 };
    bool there = true;
    EXPECT_OK(hal_token_key_make(tok, &k, &err));
    EXPECT_OK(hal_token_key_public(tok, &k, &spki, &err));
    EXPECT_OK(crypto_pkey_new(bytes(&spki), &pub, &err));
    EXPECT_OK(crypto_pkey_encrypt(pub, HAL_RSA_OAEP, HAL_SHA256, crypto_bytes_of("share", 5),
                                  &cipher, &err));
    struct hal_op op = { .use = HAL_DECRYPT,
                         .mech = HAL_RSA_OAEP,
                         .hash = HAL_SHA256,
                         .in = cipher.data,
                         .in_len = cipher.len };
    EXPECT_OK(hal_token_key_use(tok, &k, &op, &r, &err));
    assert_int_equal(r.out.len, 5);
    assert_memory_equal(r.out.data, "share", 5);
    EXPECT_OK(hal_token_key_destroy(tok, &k, &err));
    EXPECT_OK(hal_token_key_present(tok, &k, &there, &err));
    assert_false(there);
    hal_result_clear(&r);
    EXPECT_RC(CF_E_ABSENT, hal_token_key_use(tok, &k, &op, &r, &err));
    EXPECT_OK(hal_token_key_destroy(tok, &k, &err));
    crypto_pkey_free(pub);
    cf_buf_clear(&spki);
    cf_buf_clear(&cipher);
}

/* --- many --------------------------------------------------------------------------------------
 */

#define THREADS 8
#define ROUNDS  40

static struct test_key shared[4];

static void *use_shared(void *arg)
{
    uintptr_t failures = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct hal_result r = { 0 };
        uint8_t digest[32] = { (uint8_t)i };
        struct hal_op op = { .use = HAL_SIGN, .mech = HAL_ECDSA, .in = digest, .in_len = 32 };
        const struct test_key *k = &shared[(i + (int)(uintptr_t)arg) % 4];
        if (hal_token_user_use(tok, &k->key, &op, &r, NULL) != CF_OK ||
            crypto_verify(CRYPTO_ES256, bytes(&k->w.spki), crypto_bytes_of(digest, 32),
                          bytes(&r.out), NULL) != CF_OK)
            failures++;
        hal_result_clear(&r);
    }
    return (void *)failures; /* NOLINT */
}

static void many_threads_use_many_keys(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < 4; i++)
        EXPECT_OK(test_key_make(tok, &p256, &shared[i], &err));
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_shared, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failures = NULL;
        pthread_join(threads[i], &failures);
        assert_null(failures);
    }
    for (int i = 0; i < 4; i++)
        test_key_clear(&shared[i]);
}

static void keys_and_blobs_outlive_the_connection(void **state)
{
    (void)state;
    struct test_key k;
    struct cf_buf before = { 0 }, after = { 0 };
    struct hal_key_name id = test_name(HAL_ROLE_IDENTITY);
    if (fake)
        skip(); /* its keys live as long as it does */
    struct p11_config cfg = test_token_config(&bench);
    EXPECT_OK(test_key_make(tok, &p256, &k, &err));
    EXPECT_OK(hal_token_key_public(tok, &id, &before, &err));
    hal_token_close(tok);
    tok = NULL;
    EXPECT_OK(p11_token_open(&cfg, &tok, &err));
    EXPECT_OK(hal_token_user_check(tok, &k.key, &err));
    expect_ec_signature(&k, HAL_P256);
    EXPECT_OK(hal_token_key_public(tok, &id, &after, &err));
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.data, after.data, after.len);
    cf_buf_clear(&before);
    cf_buf_clear(&after);
    test_key_clear(&k);
}

int open_token(void **state)
{
    (void)state;
    enum cf_rc rc = CF_OK;
    struct p11_config cfg = { 0 };
    if (fake)
        tok = fake_token_new();
    else
        cfg = test_token_config(&bench);
    if (!fake)
        rc = p11_token_open(&cfg, &tok, &err);
    if (rc != CF_OK) {
        print_message("cannot open the token: %s: %s\n", cf_rc_name(rc), err.text);
        return -1;
    }
    test_domain(tok);
    return 0;
}

int close_token(void **state)
{
    (void)state;
    static const enum hal_role mine[] = { HAL_ROLE_BK,      HAL_ROLE_KEK,      HAL_ROLE_MK,
                                          HAL_ROLE_STORE,   HAL_ROLE_IDENTITY, HAL_ROLE_AUTHORITY,
                                          HAL_ROLE_EXCHANGE };
    for (size_t i = 0; tok && i < sizeof mine / sizeof mine[0]; i++) {
        struct hal_key_name k = test_name(mine[i]);
        EXPECT_OK(hal_token_key_destroy(tok, &k, &err));
    }
    hal_token_close(tok);
    return 0;
}

int main(int argc, char **argv)
{
    fake = argc == 2 && strcmp(argv[1], "--fake") == 0;
    if (!fake)
        test_token_begin(&bench, argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_names_the_token_and_its_ways),
        cmocka_unit_test(random_fills_all_and_never_repeats),
        cmocka_unit_test(domain_secret_goes_in_once_and_stays_the_same),
        cmocka_unit_test(names_differ_by_role_generation_and_domain),
        cmocka_unit_test(mac_is_hmac_sha256),
        cmocka_unit_test(store_key_is_made_once),
        cmocka_unit_test(identity_and_authority_sign_as_their_public_keys_say),
        cmocka_unit_test(absent_keys_are_absent),
        cmocka_unit_test(exchange_key_opens_oaep_and_can_be_destroyed),
        cmocka_unit_test(many_threads_use_many_keys),
        cmocka_unit_test(keys_and_blobs_outlive_the_connection),
    };
    int failed = cmocka_run_group_tests_name("token", tests, open_token, close_token);
    failed += token_contract_user();
    failed += token_contract_data();
    if (!fake)
        test_token_end(&bench);
    return failed;
}
