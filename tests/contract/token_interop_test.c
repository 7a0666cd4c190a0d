/* A domain moves between tokens of different make: what one wraps the other opens (design 3). */
#include "support/test.h"
#include "support/token_bench.h"
#include "support/token_keys.h"

#include <unistd.h>

static struct test_token benches[2];
static struct hal_token *tokens[2];
static struct cf_err err;

/* MAC and KEK are the domain's, so the other token takes the blob as it is. */
static void use_on(struct hal_token *t, const struct test_key *k)
{
    static const uint8_t digest[32] = { 5 };
    struct hal_result r = { 0 };
    struct hal_op op = { .use = HAL_SIGN, .mech = HAL_ECDSA, .in = digest, .in_len = 32 };
    if (k->key.spec.type == HAL_RSA)
        op = (struct hal_op){ .use = HAL_SIGN,
                              .mech = HAL_RSA_PKCS1_SIGN,
                              .hash = HAL_SHA256,
                              .in = digest,
                              .in_len = 32 };
    if (k->key.spec.type == HAL_OCT && k->key.spec.bits > 256)
        op = (struct hal_op){
            .use = HAL_SIGN, .mech = HAL_HMAC, .hash = HAL_SHA256, .in = digest, .in_len = 32
        };
    else if (k->key.spec.type == HAL_OCT)
        op = (struct hal_op){ .use = HAL_ENCRYPT, .mech = HAL_AES_GCM, .in = digest, .in_len = 32 };
    EXPECT_OK(hal_token_user_check(t, &k->key, &err));
    EXPECT_OK(hal_token_user_use(t, &k->key, &op, &r, &err));
    if (k->w.spki.len)
        EXPECT_OK(crypto_verify(k->key.spec.type == HAL_RSA ? CRYPTO_RS256 : CRYPTO_ES256,
                                crypto_bytes_of(k->w.spki.data, k->w.spki.len),
                                crypto_bytes_of(digest, 32), crypto_bytes_of(r.out.data, r.out.len),
                                &err));
    hal_result_clear(&r);
}

static void keys_made_on_one_token_work_on_the_other(void **state)
{
    (void)state;
    static const struct hal_key_spec specs[] = {
        { .type = HAL_RSA, .bits = 2048 }, { .type = HAL_EC, .curve = HAL_P256 },
        { .type = HAL_OCT, .bits = 128 },  { .type = HAL_OCT, .bits = 256 },
        { .type = HAL_OCT, .bits = 512 },
    };
    for (int from = 0; from < 2; from++) {
        for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
            struct test_key k;
            EXPECT_OK(test_key_make(tokens[from], &specs[i], &k, &err));
            use_on(tokens[1 - from], &k);
            use_on(tokens[from], &k);
            test_key_clear(&k);
        }
    }
}

static void foreign_domain_opens_nothing(void **state)
{
    (void)state;
    static const struct hal_key_spec aes = { .type = HAL_OCT, .bits = 256 };
    struct hal_key_name kek = test_name(HAL_ROLE_KEK);
    struct cf_secret *other = NULL;
    struct test_key k;
    EXPECT_OK(test_key_make(tokens[0], &aes, &k, &err));
    EXPECT_OK(hal_token_key_destroy(tokens[1], &kek, &err));
    EXPECT_OK(cf_secret_copy(test_bk, HAL_SECRET_SIZE, &other, &err));
    EXPECT_OK(hal_token_key_import(tokens[1], &kek, other, &err));
    EXPECT_RC(CF_E_CORRUPT, hal_token_user_check(tokens[1], &k.key, &err));
    cf_secret_free(other);
    test_key_clear(&k);
}

static int open_tokens(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct p11_config cfg = test_token_config(&benches[i]);
        EXPECT_OK(p11_token_open(&cfg, &tokens[i], &err));
        test_domain(tokens[i]);
    }
    return 0;
}

static int close_tokens(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        hal_token_close(tokens[i]);
    return 0;
}

int main(int argc, char **argv)
{
    int fd;
    if (p11_worker_asked(argc, argv, &fd))
        _exit(p11_worker_main(fd));
    test_token_nss(&benches[1]);
    test_token_softhsm(&benches[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_made_on_one_token_work_on_the_other),
        cmocka_unit_test(foreign_domain_opens_nothing),
    };
    int failed = cmocka_run_group_tests(tests, open_tokens, close_tokens);
    test_token_end(&benches[0]);
    test_token_end(&benches[1]);
    return failed;
}
