#include "support/test.h"

#include "hal/token.h"
#include "worker/wire_priv.h"

static struct cf_err err;

static void headers_come_back_and_bad_ones_are_refused(void **state)
{
    (void)state;
    const struct p11_header h = { .body_len = 17,
                                  .secret_len = 4,
                                  .msg = P11_MSG_OPEN,
                                  .flags = P11_FLAG_RESTART,
                                  .id = 0x0123456789abcdef };
    struct p11_header got;
    uint8_t b[P11_HEADER_SIZE];
    p11_header_put(&h, b);
    EXPECT_OK(p11_header_get(b, &got, &err));
    assert_int_equal(got.body_len, 17);
    assert_int_equal(got.secret_len, 4);
    assert_int_equal(got.msg, P11_MSG_OPEN);
    assert_int_equal(got.flags, P11_FLAG_RESTART);
    assert_true(got.id == h.id);
    static const struct {
        size_t at;
        uint8_t v;
    } bad[] = { { 3, 1 },  { 7, 1 },  { 8, 0 },  { 8, P11_MSG_END }, { 9, 1 },
                { 10, 2 }, { 11, 1 }, { 12, 1 }, { 15, 1 } };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t c[P11_HEADER_SIZE];
        memcpy(c, b, sizeof c);
        c[bad[i].at] = bad[i].v;
        EXPECT_RC(CF_E_CORRUPT, p11_header_get(c, &got, &err));
    }
}

static const struct hal_user_key sample = {
    .kek = { .role = HAL_ROLE_KEK, .generation = 3, .domain_id = { 1, 2, 3 } },
    .mac_key = { .role = HAL_ROLE_MK, .generation = 4, .domain_id = { 9 } },
    .spec = { .type = HAL_EC, .curve = HAL_P384 },
    .wrapped = (const uint8_t *)"wrapped blob",
    .wrapped_len = 12,
    .spki = (const uint8_t *)"spki",
    .spki_len = 4,
    .material_len = 4711,
    .kcv = { 8, 7, 6, 5, 4, 3, 2, 1 },
    .bound = (const uint8_t *)"bound message",
    .bound_len = 13,
    .bound_mac = { 0xaa, 0xbb },
};

static const struct hal_op sample_op = {
    .use = HAL_DECRYPT,
    .mech = HAL_AES_GCM,
    .hash = HAL_SHA384,
    .in = (const uint8_t *)"in",
    .in_len = 2,
    .iv = (const uint8_t *)"iv",
    .iv_len = 2,
    .aad = (const uint8_t *)"aad",
    .aad_len = 3,
    .tag = (const uint8_t *)"tag!",
    .tag_len = 4,
};

static void put_sample(struct cf_buf *b)
{
    struct p11_wr w = { .b = b, .e = &err };
    p11_put_user_key(&w, &sample);
    p11_put_op(&w, &sample_op);
    assert_int_equal(w.rc, CF_OK);
}

static void user_key_and_operation_come_back(void **state)
{
    (void)state;
    struct cf_buf b = { 0 };
    struct hal_user_key k;
    struct hal_op op;
    put_sample(&b);
    struct cf_rd r = cf_rd_of(b.data, b.len);
    p11_get_user_key(&r, &k);
    p11_get_op(&r, &op);
    assert_true(cf_rd_done(&r));
    assert_memory_equal(&k.kek, &sample.kek, sizeof k.kek);
    assert_memory_equal(&k.mac_key, &sample.mac_key, sizeof k.mac_key);
    assert_int_equal(k.spec.curve, HAL_P384);
    assert_int_equal(k.wrapped_len, 12);
    assert_memory_equal(k.wrapped, "wrapped blob", 12);
    assert_memory_equal(k.spki, "spki", 4);
    assert_int_equal(k.material_len, 4711);
    assert_memory_equal(k.kcv, sample.kcv, sizeof k.kcv);
    assert_memory_equal(k.bound, "bound message", 13);
    assert_memory_equal(k.bound_mac, sample.bound_mac, sizeof k.bound_mac);
    assert_int_equal(op.use, HAL_DECRYPT);
    assert_int_equal(op.mech, HAL_AES_GCM);
    assert_int_equal(op.hash, HAL_SHA384);
    assert_memory_equal(op.aad, "aad", 3);
    assert_memory_equal(op.tag, "tag!", 4);
    cf_buf_clear(&b);
}

static void every_cut_of_a_request_is_noticed(void **state)
{
    (void)state;
    struct cf_buf b = { 0 };
    put_sample(&b);
    for (size_t len = 0; len < b.len; len++) {
        struct hal_user_key k = { .wrapped = NULL };
        struct hal_op op;
        struct cf_rd r = cf_rd_of(b.data, len);
        p11_get_user_key(&r, &k);
        p11_get_op(&r, &op);
        assert_false(cf_rd_done(&r));
    }
    cf_buf_clear(&b);
}

static void numbers_out_of_range_are_noticed(void **state)
{
    (void)state;
    static const struct {
        uint32_t type, bits, curve;
        bool good;
    } specs[] = { { HAL_RSA, 2048, 0, true }, { HAL_EC, 0, HAL_P256K, true },
                  { HAL_OCT, 256, 0, true },  { 0, 256, 0, false },
                  { 4, 256, 0, false },       { HAL_EC, 0, 0, false },
                  { HAL_EC, 0, 99, false },   { HAL_RSA, 0, 0, false },
                  { HAL_RSA, 8193, 0, false } };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct hal_key_spec s;
        uint8_t b[16];
        cf_le32(b, specs[i].type);
        cf_le32(b + 4, specs[i].bits);
        cf_le32(b + 8, specs[i].curve);
        cf_le32(b + 12, 0);
        struct cf_rd r = cf_rd_of(b, sizeof b);
        p11_get_spec(&r, &s);
        assert_int_equal(cf_rd_done(&r), specs[i].good);
    }
    for (uint32_t role = 0; role < 10; role++) {
        struct hal_key_name k;
        uint8_t b[24] = { (uint8_t)role };
        struct cf_rd r = cf_rd_of(b, sizeof b);
        p11_get_name(&r, &k);
        assert_int_equal(cf_rd_done(&r), role >= HAL_ROLE_BK && role <= HAL_ROLE_EXCHANGE);
    }
}

static void failures_come_back_whole_and_senseless_ones_mean_the_token(void **state)
{
    (void)state;
    struct cf_err why = {
        .rc = CF_E_LIMIT, .src = CF_SRC_CKR, .native = 0x70, .text = "no such\nthing"
    };
    struct cf_buf b = { 0 };
    struct p11_wr w = { .b = &b, .e = &err };
    struct cf_err got = { 0 };
    p11_put_failure(&w, CF_E_LIMIT, &why);
    struct cf_rd r = cf_rd_of(b.data, b.len);
    assert_int_equal(cf_rd_u8(&r), CF_E_LIMIT);
    struct cf_rd again = r;
    assert_int_equal(p11_get_failure(&r, CF_E_LIMIT, &got), CF_E_LIMIT);
    assert_int_equal(got.native, 0x70);
    assert_int_equal(got.src, CF_SRC_CKR);
    assert_string_equal(got.text, "no such?thing"); /* nothing forges a line of the log */
    EXPECT_RC(CF_E_TOKEN, p11_get_failure(&again, (enum cf_rc)99, &err));
    again.left--;
    EXPECT_RC(CF_E_TOKEN, p11_get_failure(&again, CF_E_LIMIT, &err));
    cf_buf_clear(&b);
}

static void results_longer_than_they_may_be_are_refused(void **state)
{
    (void)state;
    const struct hal_result big = { .iv_len = 16, .tag_len = 16 };
    struct cf_buf b = { 0 };
    struct hal_result out = { 0 };
    struct p11_wr w = { .b = &b, .e = &err };
    p11_put_result(&w, &big);
    struct cf_rd r = cf_rd_of(b.data, b.len);
    EXPECT_OK(p11_get_result(&r, &out, &err));
    assert_int_equal(out.tag_len, 16);
    b.data[4] = 17; /* an iv of 17 bytes */
    r = cf_rd_of(b.data, b.len);
    EXPECT_RC(CF_E_TOKEN, p11_get_result(&r, &out, &err));
    hal_result_clear(&out);
    cf_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_come_back_and_bad_ones_are_refused),
        cmocka_unit_test(user_key_and_operation_come_back),
        cmocka_unit_test(every_cut_of_a_request_is_noticed),
        cmocka_unit_test(numbers_out_of_range_are_noticed),
        cmocka_unit_test(failures_come_back_whole_and_senseless_ones_mean_the_token),
        cmocka_unit_test(results_longer_than_they_may_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
