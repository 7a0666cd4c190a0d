/* Sharing over GF(257), checks, words. Vectors: tests/vectors/domain-v1 and sd. */
#include "values.h"

#include <stdlib.h>

#include "base/text.h"
#include "domain/shares.h"
#include "json/json.h"

/* Deterministic bytes: xorshift64*, seeded by the test. */
struct stream {
    uint64_t s;
};

static enum cf_rc stream(void *ctx, void *dst, size_t len, struct cf_err *e)
{
    struct stream *st = ctx;
    uint8_t *p = dst;
    (void)e;
    for (size_t i = 0; i < len; i++) {
        st->s ^= st->s >> 12;
        st->s ^= st->s << 25;
        st->s ^= st->s >> 27;
        p[i] = (uint8_t)(st->s * 0x2545f4914f6cdd1dULL >> 56);
    }
    return CF_OK;
}

static enum cf_rc dry(void *ctx, void *dst, size_t len, struct cf_err *e)
{
    (void)ctx;
    (void)dst;
    (void)len;
    return CF_FAIL(e, CF_E_TOKEN, "no random bytes");
}

static struct cf_secret *secret_of(const void *p, size_t len)
{
    struct cf_err err;
    struct cf_secret *s = NULL;
    EXPECT_OK(cf_secret_copy(p, len, &s, &err));
    return s;
}

static struct domain_sharing golden_sharing(const struct cf_buf *text)
{
    struct domain_sharing s;
    struct cf_buf id = vector_hex(text, "domain_id"), sid = vector_hex(text, "sharing_id");
    struct cf_buf m = vector_value(text, "quorum", 1), n = vector_value(text, "holders", 1);
    memcpy(s.domain_id, id.data, 16);
    memcpy(s.sharing_id, sid.data, 16);
    s.quorum = (uint8_t)atoi((char *)m.data);
    s.count = (uint8_t)atoi((char *)n.data);
    cf_buf_clear(&id);
    cf_buf_clear(&sid);
    cf_buf_clear(&m);
    cf_buf_clear(&n);
    return s;
}

static void golden_shares_have_their_checks_and_combine(void **state)
{
    (void)state;
    static const char *const files[] = { "domain-v1/2of3.txt", "domain-v1/5of10.txt" };
    for (size_t f = 0; f < 2; f++) {
        struct cf_err err;
        struct cf_buf text = vector_file(files[f]), all = { 0 };
        struct domain_sharing s = golden_sharing(&text);
        struct cf_buf want_master = vector_hex(&text, "master");
        struct cf_buf want_check = vector_hex(&text, "master_check");
        struct cf_secret *master = NULL;
        uint8_t check[33], mc[32], x;
        for (int i = 1; i <= s.count; i++) {
            char name[16];
            snprintf(name, sizeof name, "share.%d", i);
            struct cf_buf share = vector_hex(&text, name);
            snprintf(name, sizeof name, "check.%d", i);
            struct cf_buf want = vector_hex(&text, name);
            EXPECT_OK(domain_share_x(share.data, share.len, &x, &err));
            assert_int_equal(x, i);
            EXPECT_OK(domain_share_check(&s, share.data, check, &err));
            assert_memory_equal(check, want.data, sizeof check);
            EXPECT_OK(cf_buf_put(&all, share.data, share.len, &err));
            cf_buf_clear(&share);
            cf_buf_clear(&want);
        }
        for (int from = 0; from + s.quorum <= s.count; from++) {
            struct cf_secret *some = secret_of(all.data + from * 64, (size_t)s.quorum * 64);
            EXPECT_OK(domain_combine(some, s.quorum, &master, &err));
            assert_memory_equal(cf_secret_view(master), want_master.data, 32);
            EXPECT_OK(domain_master_check(&s, master, mc, &err));
            assert_memory_equal(mc, want_check.data, 32);
            cf_secret_free(master);
            cf_secret_free(some);
        }
        cf_buf_clear(&all);
        cf_buf_clear(&want_master);
        cf_buf_clear(&want_check);
        cf_buf_clear(&text);
    }
}

static void all_252_subsets_of_the_clients_shares_combine(void **state)
{
    (void)state;
    struct cf_err err;
    struct cf_buf text = vector_file("sd/shamir-5of10.json");
    struct json *j = NULL;
    uint8_t shares[10][64], want[32];
    const char *secret = NULL;
    EXPECT_OK(json_parse(text.data, text.len, NULL, &j, &err));
    EXPECT_OK(json_get_text(j, "secret_hex", &secret, &err));
    EXPECT_OK(cf_unhex(secret, want, sizeof want, &err));
    size_t n = 0;
    for (const struct json *s = json_first(json_member(j, "shares")); s; s = json_next(s), n++) {
        size_t i = 0;
        for (const struct json *w = json_first(json_member(s, "words")); w; w = json_next(w)) {
            int64_t v = 0;
            assert_true(json_int(w, &v));
            cf_le16(shares[n] + 2 * i++, (uint16_t)v);
        }
        assert_int_equal(i, 32);
    }
    assert_int_equal(n, 10);
    unsigned tried = 0;
    for (unsigned set = 0; set < 1024; set++) {
        if (__builtin_popcount(set) != 5)
            continue;
        uint8_t some[5 * 64];
        size_t k = 0;
        for (unsigned i = 0; i < 10; i++)
            if (set >> i & 1)
                memcpy(some + 64 * k++, shares[i], 64);
        struct cf_secret *in = secret_of(some, sizeof some), *out = NULL;
        EXPECT_OK(domain_combine(in, 5, &out, &err));
        assert_memory_equal(cf_secret_view(out), want, 32);
        cf_secret_free(in);
        cf_secret_free(out);
        tried++;
    }
    assert_int_equal(tried, 252);
    json_free(j);
    cf_buf_clear(&text);
}

static void what_is_split_combines_from_any_m_and_not_from_fewer(void **state)
{
    (void)state;
    struct stream random = { 88172645463325252ULL };
    for (uint8_t n = 3; n <= 10; n++)
        for (uint8_t m = 2; m <= n; m++) {
            struct cf_err err;
            uint8_t key[32];
            struct domain_sharing s = { .quorum = m, .count = n };
            struct cf_secret *shares = NULL, *out = NULL;
            stream(&random, key, sizeof key, NULL);
            key[0] = 0;
            key[1] = 255;
            struct cf_secret *master = secret_of(key, sizeof key);
            EXPECT_OK(domain_split(&s, master, stream, &random, &shares, &err));
            const uint8_t *all = cf_secret_view(shares);
            struct cf_secret *last = secret_of(all + (n - m) * 64, (size_t)m * 64);
            EXPECT_OK(domain_combine(last, m, &out, &err));
            assert_memory_equal(cf_secret_view(out), key, sizeof key);
            cf_secret_free(out);
            if (m > 2) {
                struct cf_secret *few = secret_of(all, (size_t)(m - 1) * 64);
                if (domain_combine(few, m - 1u, &out, NULL) == CF_OK)
                    assert_memory_not_equal(cf_secret_view(out), key, sizeof key);
                cf_secret_free(out);
                cf_secret_free(few);
            }
            cf_secret_free(last);
            cf_secret_free(shares);
            cf_secret_free(master);
        }
}

/* Chi-square over the 257 values of many shares: a skewed reduction would show. */
static void share_values_are_spread_evenly(void **state)
{
    (void)state;
    struct cf_err err;
    struct stream random = { 1 };
    uint8_t key[32] = { 0 };
    unsigned seen[257] = { 0 }, total = 0;
    struct domain_sharing s = { .quorum = 2, .count = 3 };
    struct cf_secret *master = secret_of(key, sizeof key);
    for (int round = 0; round < 600; round++) {
        struct cf_secret *shares = NULL;
        EXPECT_OK(domain_split(&s, master, stream, &random, &shares, &err));
        for (size_t i = 0; i < 32; i++, total++)
            seen[(cf_secret_view(shares)[2 * i] | cf_secret_view(shares)[2 * i + 1] << 8) &
                 0x1ff]++;
        cf_secret_free(shares);
    }
    double chi = 0, want = total / 257.0;
    for (size_t i = 0; i < 257; i++)
        chi += (seen[i] - want) * (seen[i] - want) / want;
    assert_true(chi > 180 && chi < 350); /* 256 degrees of freedom: mean 256, deviation 23 */
    assert_true(seen[256] > 0);
    cf_secret_free(master);
}

static void bad_sharings_and_a_dry_source_are_refused(void **state)
{
    (void)state;
    static const uint8_t bad[][2] = { { 1, 3 }, { 4, 3 }, { 2, 2 }, { 2, 11 }, { 0, 0 } };
    struct cf_err err;
    uint8_t key[32] = { 0 };
    struct stream random = { 1 };
    struct cf_secret *master = secret_of(key, 32), *small = secret_of(key, 31), *out = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct domain_sharing s = { .quorum = bad[i][0], .count = bad[i][1] };
        EXPECT_RC(CF_E_ARG, domain_split(&s, master, stream, &random, &out, &err));
    }
    struct domain_sharing s = { .quorum = 2, .count = 3 };
    EXPECT_RC(CF_E_ARG, domain_split(&s, small, stream, &random, &out, &err));
    EXPECT_RC(CF_E_TOKEN, domain_split(&s, master, dry, NULL, &out, &err));
    assert_null(out);
    cf_secret_free(master);
    cf_secret_free(small);
}

static void malformed_shares_are_refused(void **state)
{
    (void)state;
    struct cf_err err;
    uint8_t share[64], x;
    for (size_t i = 0; i < 32; i++)
        cf_le16(share + 2 * i, 5 << 9 | 256);
    EXPECT_OK(domain_share_x(share, 64, &x, &err));
    assert_int_equal(x, 5);
    EXPECT_RC(CF_E_CORRUPT, domain_share_x(share, 63, &x, &err));
    for (unsigned v = 257; v <= 511; v++) {
        cf_le16(share + 2 * (v % 32), (uint16_t)(5 << 9 | v));
        EXPECT_RC(CF_E_CORRUPT, domain_share_x(share, 64, &x, &err));
        cf_le16(share + 2 * (v % 32), 5 << 9 | 256);
    }
    cf_le16(share + 62, 6 << 9 | 256);
    EXPECT_RC(CF_E_CORRUPT, domain_share_x(share, 64, &x, &err));
    memset(share, 0, sizeof share);
    EXPECT_RC(CF_E_CORRUPT, domain_share_x(share, 64, &x, &err));
    for (size_t i = 0; i < 32; i++)
        cf_le16(share + 2 * i, (uint16_t)(127 << 9));
    EXPECT_RC(CF_E_CORRUPT, domain_share_x(share, 64, &x, &err));
    struct cf_buf text = vector_file("domain-v1/negative/combine-256.txt");
    struct cf_buf one = vector_hex(&text, "share.1"), two = vector_hex(&text, "share.2");
    uint8_t both[128];
    struct cf_secret *out = NULL;
    memcpy(both, one.data, 64);
    memcpy(both + 64, two.data, 64);
    struct cf_secret *in = secret_of(both, sizeof both);
    EXPECT_RC(CF_E_AUTH, domain_combine(in, 2, &out, &err));
    assert_null(out);
    cf_secret_free(in);
    memcpy(both + 64, one.data, 64);
    in = secret_of(both, sizeof both);
    EXPECT_RC(CF_E_CORRUPT, domain_combine(in, 2, &out, &err));
    EXPECT_RC(CF_E_ARG, domain_combine(in, 3, &out, &err));
    cf_secret_free(in);
    cf_buf_clear(&one);
    cf_buf_clear(&two);
    cf_buf_clear(&text);
}

static void words_agree_with_the_golden_document_ids(void **state)
{
    (void)state;
    static const char *const files[] = { "domain-v1/2of3.txt", "domain-v1/5of10.txt" };
    for (size_t f = 0; f < 2; f++) {
        struct cf_buf text = vector_file(files[f]), id = vector_hex(&text, "document_id");
        struct cf_buf want = vector_value(&text, "document_words", 1);
        char words[48];
        domain_words(id.data, id.len, 8, words);
        assert_string_equal(words, (char *)want.data);
        cf_buf_clear(&want);
        cf_buf_clear(&id);
        cf_buf_clear(&text);
    }
    char word[6], again[6];
    for (unsigned a = 0; a < 1024; a++) { /* every word once; neighbours of one A differ in two */
        uint8_t d[2] = { (uint8_t)(a >> 2), (uint8_t)(a << 6) };
        domain_words(d, 2, 1, word);
        for (unsigned b = a + 1; b < 1024; b++) {
            uint8_t d2[2] = { (uint8_t)(b >> 2), (uint8_t)(b << 6) };
            domain_words(d2, 2, 1, again);
            int differ = 0;
            for (size_t i = 0; i < 5; i++)
                differ += word[i] != again[i];
            assert_true(differ >= (a / 32 == b / 32 ? 2 : 1));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_shares_have_their_checks_and_combine),
        cmocka_unit_test(all_252_subsets_of_the_clients_shares_combine),
        cmocka_unit_test(what_is_split_combines_from_any_m_and_not_from_fewer),
        cmocka_unit_test(share_values_are_spread_evenly),
        cmocka_unit_test(bad_sharings_and_a_dry_source_are_refused),
        cmocka_unit_test(malformed_shares_are_refused),
        cmocka_unit_test(words_agree_with_the_golden_document_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
