#include "token_round.h"

#include "support/test.h"
#include "support/token_keys.h"

struct test_token bench;
struct hal_token *tok;
static struct cf_err err;

static const struct hal_key_spec p256 = { .type = HAL_EC, .curve = HAL_P256 };
static const struct hal_key_spec rsa2048 = { .type = HAL_RSA, .bits = 2048 };
static const struct hal_key_spec aes256 = { .type = HAL_OCT, .bits = 256 };
static const struct hal_key_spec hmac512 = { .type = HAL_OCT, .bits = 512 };

static enum cf_rc use(const struct test_key *k, const struct hal_op *op, struct hal_result *r)
{
    *r = (struct hal_result){ 0 };
    return hal_token_user_use(tok, &k->key, op, r, &err);
}

void token_round(void)
{
    struct test_key k;
    struct cf_buf der = { 0 };
    struct hal_result r;
    uint8_t bytes[64] = { 1, 2, 3 };
    struct hal_key_name id = test_name(HAL_ROLE_IDENTITY);
    struct hal_op sign = { .use = HAL_SIGN, .mech = HAL_ECDSA, .in = bytes, .in_len = 32 };
    struct hal_op rs = {
        .use = HAL_SIGN, .mech = HAL_RSA_PKCS1_SIGN, .hash = HAL_SHA256, .in = bytes, .in_len = 32
    };
    struct hal_op gcm = { .use = HAL_ENCRYPT, .mech = HAL_AES_GCM, .in = bytes, .in_len = 64 };
    struct hal_op mac = {
        .use = HAL_SIGN, .mech = HAL_HMAC, .hash = HAL_SHA512, .in = bytes, .in_len = 64
    };
    test_domain(tok);
    test_domain(tok);
    EXPECT_OK(hal_token_key_make(tok, &id, &err));
    EXPECT_OK(test_key_make(tok, &p256, &k, &err));
    EXPECT_OK(use(&k, &sign, &r));
    hal_result_clear(&r);
    test_key_clear(&k);
    test_pkcs8(&rsa2048, &der);
    EXPECT_OK(test_key_import(tok, &rsa2048, crypto_bytes_of(der.data, der.len), &k, &err));
    EXPECT_OK(use(&k, &rs, &r));
    hal_result_clear(&r);
    test_key_clear(&k);
    cf_buf_clear(&der);
    EXPECT_OK(test_key_make(tok, &aes256, &k, &err));
    EXPECT_OK(use(&k, &gcm, &r));
    hal_result_clear(&r);
    test_key_clear(&k);
    EXPECT_OK(test_key_import(tok, &hmac512, crypto_bytes_of(bytes, 64), &k, &err));
    EXPECT_OK(use(&k, &mac, &r));
    hal_result_clear(&r);
    test_key_clear(&k);
}

int fresh(void **state)
{
    (void)state;
    test_token_no_rules(&bench);
    return 0;
}

int done(void **state)
{
    static const enum hal_role mine[] = { HAL_ROLE_BK,    HAL_ROLE_KEK,      HAL_ROLE_MK,
                                          HAL_ROLE_STORE, HAL_ROLE_IDENTITY, HAL_ROLE_AUTHORITY };
    (void)state;
    test_token_no_rules(&bench);
    for (size_t i = 0; tok && i < sizeof mine / sizeof mine[0]; i++) {
        struct hal_key_name k = test_name(mine[i]);
        EXPECT_OK(hal_token_key_destroy(tok, &k, &err));
    }
    hal_token_close(tok);
    tok = NULL;
    return 0;
}

enum cf_rc open_token(struct cf_err *e)
{
    struct p11_config cfg = test_token_config(&bench);
    return p11_token_open(&cfg, &tok, e);
}
