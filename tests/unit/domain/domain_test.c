/* Activation and re-sharing on a fake token, with every step broken in turn. */
#include "values.h"

#include <stdlib.h>

#include "crypto/cert.h"
#include "domain/domain.h"
#include "support/fake_token.h"
#include "trap_token.h"

/* --- a bench: token, record, clock, entropy, officers --- */

struct bench {
    struct hal_token *fake;
    struct trap_token token;
    struct hal_entropy entropy;
    struct hal_clock clock;
    struct cf_buf record; /* what is kept */
    bool kept;
    unsigned saves, fail_save; /* the n-th save fails; 0: none */
    bool fail_late;            /* ... after it was written */
    struct domain_options o;
};

static enum cf_rc load(void *arg, struct cf_buf *out, struct cf_err *e)
{
    struct bench *b = arg;
    return b->kept ? cf_buf_put(out, b->record.data, b->record.len, e)
                   : CF_FAIL(e, CF_E_ABSENT, "no record");
}

static enum cf_rc save(void *arg, const void *record, size_t len, struct cf_err *e)
{
    struct bench *b = arg;
    bool fail = ++b->saves == b->fail_save;
    if (fail && !b->fail_late)
        return CF_FAIL(e, CF_E_IO, "save %u broke", b->saves);
    cf_buf_clear(&b->record);
    b->kept = true;
    enum cf_rc rc = cf_buf_put(&b->record, record, len, e);
    return fail ? CF_FAIL(e, CF_E_IO, "save %u broke late", b->saves) : rc;
}

static enum cf_rc fill(struct hal_entropy *r, void *dst, size_t len, struct cf_err *e)
{
    (void)r;
    (void)e;
    memset(dst, 0x11, len); /* stuck: the token's bytes must suffice */
    return CF_OK;
}

static int64_t unix_ms(struct hal_clock *c)
{
    (void)c;
    return 1790000000123;
}

static const struct hal_entropy_ops entropy_ops = { .fill = fill };
static const struct hal_clock_ops clock_ops = { .unix_ms = unix_ms };

static void bench_init(struct bench *b)
{
    struct cf_err err;
    struct hal_key_name store = { .role = HAL_ROLE_STORE }, id = { .role = HAL_ROLE_IDENTITY };
    *b = (struct bench){ .entropy.ops = &entropy_ops, .clock.ops = &clock_ops };
    b->fake = fake_token_new();
    EXPECT_OK(hal_token_key_make(b->fake, &store, &err));
    EXPECT_OK(hal_token_key_make(b->fake, &id, &err));
    trap_token_init(&b->token, b->fake);
    b->o = (struct domain_options){ .token = &b->token.base,
                                    .entropy = &b->entropy,
                                    .clock = &b->clock,
                                    .keep = { load, save, b },
                                    .hsm_name = "vec",
                                    .appliance_id = { 1, 2, 3 } };
}

static void bench_clear(struct bench *b)
{
    hal_token_close(b->fake);
    cf_buf_clear(&b->record);
}

static struct domain *open_domain(struct bench *b)
{
    struct cf_err err;
    struct domain *d = NULL;
    EXPECT_OK(domain_open(&b->o, &d, &err));
    return d;
}

static enum domain_state state_of(struct domain *d)
{
    struct domain_facts f;
    domain_facts(d, &f);
    return f.state;
}

/* Certificates: 0..2 the golden officers, 3 one more key. */
#define CERTS 4
static struct cf_buf der[CERTS];
static struct crypto_bytes panel[CERTS];

static int load_officers(void **state)
{
    (void)state;
    for (size_t i = 0; i < CERTS; i++) {
        struct cf_err err;
        char name[64];
        if (i < 3)
            snprintf(name, sizeof name, "domain-v1/officers/officer%zu.cer", i + 1);
        else
            snprintf(name, sizeof name, "sd/sde.cer");
        struct cf_buf pem = vector_file(name);
        EXPECT_OK(crypto_cert_from_pem(crypto_bytes_of(pem.data, pem.len), &der[i], &err));
        panel[i] = crypto_bytes_of(der[i].data, der[i].len);
        cf_buf_clear(&pem);
    }
    return 0;
}

static int free_officers(void **state)
{
    (void)state;
    for (size_t i = 0; i < CERTS; i++)
        cf_buf_clear(&der[i]);
    return 0;
}

static const struct domain_officers golden = { panel, 3, 2 };

static enum cf_rc decrypt(void *ctx, enum hal_mech mech, enum hal_hash h, struct crypto_bytes in,
                          struct cf_buf *cek, struct cf_err *e)
{
    return crypto_privkey_decrypt(ctx, mech, h, in, cek, e);
}

/* The keyring by the keys of golden officers `a` and `b`, whose shares are the first two given. */
static struct domain_keyring open_by(const struct cf_buf *text, int a, int b)
{
    struct cf_err err;
    struct domain_document *d = NULL;
    struct domain_quorum *q = NULL;
    struct cf_secret *master = NULL;
    struct domain_keyring k = { 0 };
    const int who[2] = { a, b };
    EXPECT_OK(domain_document_parse((char *)text->data, text->len, &d, &err));
    EXPECT_OK(domain_quorum_new(d, &q, &err));
    for (size_t i = 0; i < 2; i++) {
        struct crypto_privkey *key = vector_officer(who[i]);
        struct cf_secret *share = NULL;
        EXPECT_OK(domain_document_share(d, (size_t)who[i] - 1, decrypt, key, &share, &err));
        EXPECT_OK(domain_quorum_offer(q, cf_secret_view(share), cf_secret_len(share), NULL, &err));
        cf_secret_free(share);
        crypto_privkey_free(key);
    }
    EXPECT_OK(domain_quorum_master(q, &master, &err));
    EXPECT_OK(domain_document_open(d, master, &k, &err));
    cf_secret_free(master);
    domain_quorum_free(q);
    domain_document_free(d);
    return k;
}

/* The token holds exactly the keys of the keyring: proven by importing them again. */
static void expect_in_token(struct bench *b, const struct domain_keyring *k)
{
    for (enum hal_role r = HAL_ROLE_BK; r <= HAL_ROLE_MK; r++) {
        struct cf_err err;
        bool there = false;
        struct cf_secret *value = NULL;
        struct hal_key_name name = { .role = r, .generation = 1 };
        memcpy(name.domain_id, k->domain_id, 16);
        EXPECT_OK(hal_token_key_present(b->fake, &name, &there, &err));
        assert_true(there);
        EXPECT_OK(cf_secret_copy(domain_keyring_key(k, 0, r), 32, &value, &err));
        EXPECT_OK(hal_token_key_import(b->fake, &name, value, &err));
        cf_secret_free(value);
    }
}

/* --- tests --- */

static void activation_puts_the_keyring_of_the_document_into_the_token(void **state)
{
    (void)state;
    struct bench b;
    struct cf_err err;
    struct cf_buf doc = { 0 };
    struct domain_facts f;
    struct domain_identity id;
    bench_init(&b);
    struct domain *d = open_domain(&b);
    assert_int_equal(state_of(d), DOMAIN_PROVISIONED);
    EXPECT_RC(CF_E_STATE, domain_identity(d, &id, &err));
    EXPECT_OK(domain_download(d, &golden, &doc, &err));
    struct domain_keyring k = open_by(&doc, 1, 3);
    expect_in_token(&b, &k);
    assert_string_equal(k.name, "vec");
    assert_int_equal(k.gen[0].made_s, 1790000000);

    uint8_t fp[32];
    domain_facts(d, &f);
    assert_int_equal(f.state, DOMAIN_ACTIVE);
    assert_int_equal(f.generations, 1);
    EXPECT_OK(domain_fingerprint(domain_keyring_key(&k, 0, HAL_ROLE_BK), k.domain_id, 1, fp, &err));
    assert_memory_equal(f.generation[0].fp, fp, sizeof fp);
    assert_int_equal(strlen(f.fp_words), 47);
    EXPECT_OK(domain_identity(d, &id, &err));
    assert_int_equal(id.spki_len, 91);
    for (size_t i = 0; i < 3; i++) /* no secret lies open in what is kept */
        assert_null(memmem(b.record.data, b.record.len, cf_secret_view(k.keys) + 32 * i, 32));
    domain_keyring_clear(&k);
    domain_close(d);
    cf_buf_clear(&doc);
    bench_clear(&b);
}

static void the_same_officers_get_the_same_document_also_after_a_restart(void **state)
{
    (void)state;
    struct bench b;
    struct cf_err err;
    struct cf_buf one = { 0 }, two = { 0 }, three = { 0 };
    bench_init(&b);
    struct domain *d = open_domain(&b);
    EXPECT_OK(domain_download(d, &golden, &one, &err));
    EXPECT_OK(domain_download(d, &golden, &two, &err));
    domain_close(d);
    d = open_domain(&b);
    assert_int_equal(state_of(d), DOMAIN_ACTIVE);
    EXPECT_OK(domain_download(d, &golden, &three, &err));
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    assert_int_equal(one.len, three.len);
    assert_memory_equal(one.data, three.data, one.len);
    domain_close(d);
    cf_buf_clear(&one);
    cf_buf_clear(&two);
    cf_buf_clear(&three);
    bench_clear(&b);
}

static void other_officers_get_the_same_keys_under_a_new_sharing(void **state)
{
    (void)state;
    struct bench b;
    struct cf_err err;
    struct cf_buf one = { 0 }, two = { 0 };
    struct domain_officers all = { panel, CERTS, 2 };
    struct domain_facts before, after;
    bench_init(&b);
    struct domain *d = open_domain(&b);
    EXPECT_OK(domain_download(d, &golden, &one, &err));
    domain_facts(d, &before);
    domain_close(d);
    d = open_domain(&b);
    EXPECT_OK(domain_download(d, &all, &two, &err));
    domain_facts(d, &after);
    assert_memory_equal(before.generation, after.generation, sizeof before.generation);
    assert_memory_not_equal(before.document_id, after.document_id, 32);
    assert_int_equal(after.officers, CERTS);
    struct domain_keyring k = open_by(&one, 1, 2), l = open_by(&two, 2, 3);
    assert_memory_equal(cf_secret_view(k.keys), cf_secret_view(l.keys), 96);
    expect_in_token(&b, &l);

    /* An old share does not fit the new sharing. */
    struct domain_document *old = NULL, *new = NULL;
    struct domain_quorum *q = NULL;
    struct cf_secret *share = NULL;
    struct crypto_privkey *key = vector_officer(1);
    EXPECT_OK(domain_document_parse((char *)one.data, one.len, &old, &err));
    EXPECT_OK(domain_document_parse((char *)two.data, two.len, &new, &err));
    assert_memory_equal(domain_document_signer(old), domain_document_signer(new), 32);
    EXPECT_OK(domain_quorum_new(new, &q, &err));
    EXPECT_OK(domain_document_share(old, 0, decrypt, key, &share, &err));
    EXPECT_RC(CF_E_AUTH, domain_quorum_offer(q, cf_secret_view(share), 64, NULL, &err));
    crypto_privkey_free(key);
    cf_secret_free(share);
    domain_quorum_free(q);
    domain_document_free(old);
    domain_document_free(new);
    domain_keyring_clear(&k);
    domain_keyring_clear(&l);
    domain_close(d);
    cf_buf_clear(&one);
    cf_buf_clear(&two);
    bench_clear(&b);
}

static void officers_and_quorums_out_of_range_change_nothing(void **state)
{
    (void)state;
    struct bench b;
    struct cf_err err;
    struct cf_buf doc = { 0 };
    bench_init(&b);
    struct domain *d = open_domain(&b);
    struct crypto_bytes twice[3] = { panel[0], panel[1], panel[0] };
    struct crypto_bytes broken[3] = { panel[0], { panel[1].p, panel[1].len - 1 }, panel[2] };
    struct crypto_cert_pair ca = { 0 };
    struct cf_buf ec = { 0 };
    struct crypto_cert_order order = { .kind = CRYPTO_CERT_CA, .common_name = "ec", .days = 1 };
    EXPECT_OK(crypto_cert_make(&order, NULL, &ca, &err));
    EXPECT_OK(crypto_cert_from_pem(crypto_bytes_of(ca.cert_pem.data, ca.cert_pem.len), &ec, &err));
    struct crypto_bytes wrong_type[3] = { panel[0], panel[1], { ec.data, ec.len } };
    const struct domain_officers bad[] = {
        { panel, 2, 2 }, { panel, 0, 2 }, { panel, 11, 2 }, { panel, 3, 1 },      { panel, 3, 0 },
        { panel, 3, 4 }, { twice, 3, 2 }, { broken, 3, 2 }, { wrong_type, 3, 2 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT_RC(CF_E_INPUT, domain_download(d, &bad[i], &doc, &err));
        assert_string_equal(err.code, "BadParameter");
        print_message("  %s\n", err.text);
        assert_int_equal(doc.len, 0);
        assert_int_equal(state_of(d), DOMAIN_PROVISIONED);
    }
    assert_int_equal(b.saves, 0);
    domain_close(d);
    cf_buf_clear(&ec);
    crypto_cert_pair_clear(&ca);
    bench_clear(&b);
}

/* A start that finds anything but a whole domain or none must fail this. */
static void expect_whole(struct bench *b, bool answered)
{
    struct cf_err err;
    struct cf_buf doc = { 0 };
    b->token.break_at = 0;
    b->fail_save = 0;
    struct domain *d = open_domain(b);
    enum domain_state s = state_of(d);
    assert_true(s == DOMAIN_ACTIVE || (s == DOMAIN_PROVISIONED && !answered));
    EXPECT_OK(domain_download(d, &golden, &doc, &err));
    struct domain_keyring k = open_by(&doc, 1, 2);
    expect_in_token(b, &k);
    domain_keyring_clear(&k);
    domain_close(d);
    cf_buf_clear(&doc);
}

static void a_token_that_breaks_at_any_call_leaves_the_old_or_the_new_state(void **state)
{
    (void)state;
    enum cf_rc rc = CF_E_TOKEN;
    unsigned at = 1;
    for (; rc != CF_OK && at < 100; at++) {
        struct bench b;
        struct cf_buf doc = { 0 };
        bench_init(&b);
        struct domain *d = open_domain(&b);
        b.token.calls = 0;
        b.token.break_at = at;
        rc = domain_download(d, &golden, &doc, NULL);
        assert_true(rc == CF_OK || (rc == CF_E_TOKEN && doc.len == 0));
        domain_close(d);
        expect_whole(&b, rc == CF_OK);
        cf_buf_clear(&doc);
        bench_clear(&b);
    }
    assert_true(at > 10 && at < 100);
}

static void a_save_that_fails_before_or_after_it_happened_leaves_one_state(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 3; n++)
        for (int late = 0; late < 2; late++) {
            struct bench b;
            struct cf_err err = { 0 };
            struct cf_buf doc = { 0 };
            bench_init(&b);
            struct domain *d = open_domain(&b);
            b.fail_save = n;
            b.fail_late = late;
            enum cf_rc rc = domain_download(d, &golden, &doc, &err);
            assert_int_equal(rc, n <= 2 ? CF_E_IO : CF_OK); /* announce, commit, none */
            if (n == 2) {
                EXPECT_RC(CF_E_STATE, domain_download(d, &golden, &doc, &err));
                assert_string_equal(err.code, "Conflict");
            }
            domain_close(d);
            expect_whole(&b, rc == CF_OK);
            cf_buf_clear(&doc);
            bench_clear(&b);
        }
}

static void a_re_sharing_that_fails_keeps_the_old_document(void **state)
{
    (void)state;
    struct domain_officers all = { panel, CERTS, 3 };
    enum cf_rc rc = CF_E_TOKEN;
    for (unsigned at = 1; rc != CF_OK && at < 100; at++) {
        struct bench b;
        struct cf_err err;
        struct cf_buf one = { 0 }, two = { 0 }, again = { 0 };
        bench_init(&b);
        struct domain *d = open_domain(&b);
        EXPECT_OK(domain_download(d, &golden, &one, &err));
        b.token.calls = 0;
        b.token.break_at = at;
        rc = domain_download(d, &all, &two, NULL);
        b.token.break_at = 0;
        if (rc != CF_OK) {
            assert_int_equal(two.len, 0);
            EXPECT_OK(domain_download(d, &golden, &again, &err));
            assert_int_equal(again.len, one.len);
            assert_memory_equal(again.data, one.data, one.len);
        }
        domain_close(d);
        cf_buf_clear(&one);
        cf_buf_clear(&two);
        cf_buf_clear(&again);
        bench_clear(&b);
    }
    assert_int_equal(rc, CF_OK);
}

static void another_token_or_a_changed_record_is_refused_at_the_start(void **state)
{
    (void)state;
    struct bench b, other;
    struct cf_err err;
    struct cf_buf doc = { 0 };
    struct domain *d = NULL;
    bench_init(&b);
    bench_init(&other);
    d = open_domain(&b);
    EXPECT_OK(domain_download(d, &golden, &doc, &err));
    domain_close(d);
    struct domain_options o = b.o;
    o.token = other.fake;
    EXPECT_RC(CF_E_DENIED, domain_open(&o, &d, &err));
    assert_null(d);
    o = b.o;
    o.appliance_id[0] ^= 1; /* the endorsement is of another appliance */
    EXPECT_RC(CF_E_DENIED, domain_open(&o, &d, &err));
    for (size_t len = 0; len < b.record.len; len += 97) {
        size_t whole = b.record.len;
        b.record.len = len;
        EXPECT_RC(CF_E_CORRUPT, domain_open(&b.o, &d, &err));
        b.record.len = whole;
    }
    cf_buf_clear(&doc);
    bench_clear(&b);
    bench_clear(&other);
}

static void the_sealed_keyring_opens_only_unchanged_and_in_its_token(void **state)
{
    (void)state;
    struct bench b;
    struct cf_err err;
    struct cf_buf doc = { 0 };
    struct domain_officers all = { panel, CERTS, 3 };
    bench_init(&b);
    struct domain *d = open_domain(&b);
    EXPECT_OK(domain_download(d, &golden, &doc, &err));
    domain_close(d);
    /* Key 6 of the record: sealed bytes; find its header 58 xx behind the salt's 32 bytes. */
    uint8_t *p = memmem(b.record.data, b.record.len, "\x05\x58\x20", 3);
    assert_non_null(p);
    p[3 + 32 + 10] ^= 1;
    d = open_domain(&b);
    size_t before = doc.len;
    EXPECT_RC(CF_E_AUTH, domain_download(d, &all, &doc, &err));
    assert_int_equal(doc.len, before);
    domain_close(d);
    cf_buf_clear(&doc);
    bench_clear(&b);
}

static void the_state_table_has_one_way_in(void **state)
{
    (void)state;
    static const struct {
        enum domain_state from;
        enum domain_event ev;
        int to; /* 0: refused */
    } want[] = {
        { DOMAIN_PROVISIONED, DOMAIN_BEGIN, DOMAIN_ACTIVATING },
        { DOMAIN_PROVISIONED, DOMAIN_COMMIT, 0 },
        { DOMAIN_PROVISIONED, DOMAIN_ABORT, 0 },
        { DOMAIN_PROVISIONED, DOMAIN_RESHARE, 0 },
        { DOMAIN_ACTIVATING, DOMAIN_BEGIN, 0 },
        { DOMAIN_ACTIVATING, DOMAIN_COMMIT, DOMAIN_ACTIVE },
        { DOMAIN_ACTIVATING, DOMAIN_ABORT, DOMAIN_PROVISIONED },
        { DOMAIN_ACTIVATING, DOMAIN_RESHARE, 0 },
        { DOMAIN_ACTIVE, DOMAIN_BEGIN, 0 },
        { DOMAIN_ACTIVE, DOMAIN_COMMIT, 0 },
        { DOMAIN_ACTIVE, DOMAIN_ABORT, 0 },
        { DOMAIN_ACTIVE, DOMAIN_RESHARE, DOMAIN_ACTIVE },
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        enum domain_state next = DOMAIN_PROVISIONED;
        assert_int_equal(domain_next(want[i].from, want[i].ev, &next), want[i].to != 0);
        if (want[i].to)
            assert_int_equal((int)next, want[i].to);
    }
    assert_null(domain_state_name((enum domain_state)4));
    assert_false(domain_next((enum domain_state)9, DOMAIN_BEGIN, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activation_puts_the_keyring_of_the_document_into_the_token),
        cmocka_unit_test(the_same_officers_get_the_same_document_also_after_a_restart),
        cmocka_unit_test(other_officers_get_the_same_keys_under_a_new_sharing),
        cmocka_unit_test(officers_and_quorums_out_of_range_change_nothing),
        cmocka_unit_test(a_token_that_breaks_at_any_call_leaves_the_old_or_the_new_state),
        cmocka_unit_test(a_save_that_fails_before_or_after_it_happened_leaves_one_state),
        cmocka_unit_test(a_re_sharing_that_fails_keeps_the_old_document),
        cmocka_unit_test(another_token_or_a_changed_record_is_refused_at_the_start),
        cmocka_unit_test(the_sealed_keyring_opens_only_unchanged_and_in_its_token),
        cmocka_unit_test(the_state_table_has_one_way_in),
    };
    return cmocka_run_group_tests(tests, load_officers, free_officers);
}
