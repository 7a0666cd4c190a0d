/* Receipts: the tree, that none says more than was read, and the golden files. What a receipt's
 * bytes mean is checked by the independent reader too, tests/unit/inspect/ and
 * tests/system/verify_test.py.
 */
#include "support/test.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/file.h"
#include "crypto/crypto.h"
#include "manifest/audit_head.h"
#include "manifest/receipt.h"
#include "manifest_priv.h"
#include "support/fake_token.h"
#include "support/vectors.h"

static void hash2(uint8_t first, const uint8_t *a, const uint8_t *b, uint8_t out[32])
{
    uint8_t msg[65] = { first };
    memcpy(msg + 1, a, 32);
    if (b)
        memcpy(msg + 33, b, 32);
    assert_int_equal(crypto_digest(HAL_SHA256, msg, b ? 65 : 33, out, NULL), CF_OK);
}

/* As RFC 9162, 2.1.1, words it: split at the largest power of two below n. */
static void root_by_the_book(const uint8_t (*d)[32], uint64_t n, uint8_t out[32])
{
    uint8_t left[32], right[32];
    uint64_t k = 1;
    if (n == 1) {
        hash2(0, d[0], NULL, out);
        return;
    }
    while (2 * k < n)
        k *= 2;
    root_by_the_book(d, k, left);
    root_by_the_book(d + k, n - k, right);
    hash2(1, left, right, out);
}

static void the_tree_is_that_of_the_rfc(void **state)
{
    static uint8_t d[70][32];
    uint8_t want[32], got[32];
    (void)state;
    for (size_t i = 0; i < 70; i++)
        d[i][i % 32] = (uint8_t)(i + 1);
    assert_int_equal(crypto_digest(HAL_SHA256, "", 0, want, NULL), CF_OK);
    assert_int_equal(manifest_tree_root((const uint8_t(*)[32])d, 0, got, NULL), CF_OK);
    assert_memory_equal(want, got, 32);
    for (uint64_t n = 1; n <= 70; n++) {
        root_by_the_book((const uint8_t(*)[32])d, n, want);
        assert_int_equal(manifest_tree_root((const uint8_t(*)[32])d, n, got, NULL), CF_OK);
        assert_memory_equal(want, got, 32);
    }
}

struct given {
    struct manifest m;
    struct manifest_read reads[3];
    struct manifest_receipt r;
};

/* A receipt of a whole that is borne out. */
static void give(struct given *g)
{
    *g = (struct given){ .m = { .stream_count = 2, .keys = 3, .versions = 4, .generation = 1 } };
    for (uint32_t i = 0; i < 3; i++)
        g->reads[i] = (struct manifest_read){
            .stream = i == 2 ? FLOW_META : i, .blocks = 5, .wire = 500, .read = 5
        };
    g->r = (struct manifest_receipt){ .scope = MANIFEST_PROVES_ALL,
                                      .percent = 100,
                                      .job = "0123456789abcdef0123456789abcdef",
                                      .m = &g->m,
                                      .reads = g->reads,
                                      .read_count = 3,
                                      .keys = 3,
                                      .versions = 4 };
    snprintf(g->m.folder, sizeof g->m.folder, "f");
    snprintf(g->m.hsm, sizeof g->m.hsm, "h");
}

static void import_mk(const struct manifest_domain *d, uint32_t generation, const uint8_t value[32])
{
    struct hal_key_name mk = { .role = HAL_ROLE_MK, .generation = generation };
    struct cf_secret *secret = NULL;
    struct cf_err err;
    memcpy(mk.domain_id, d->domain_id, sizeof mk.domain_id);
    EXPECT_OK(cf_secret_copy(value, 32, &secret, &err));
    EXPECT_OK(hal_token_key_import(d->token, &mk, secret, &err));
    cf_secret_free(secret);
}

static void no_receipt_says_more_than_was_read(void **state)
{
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    struct manifest_domain d = { .token = fake_token_new() };
    struct cf_buf out = { 0 };
    struct cf_err err;
    struct given g;
    (void)state;
    import_mk(&d, 1, (const uint8_t[32]){ 7 });
    EXPECT_OK(hal_token_key_make(d.token, &identity, &err));
    give(&g);
    EXPECT_OK(manifest_receipt_build(&d, &g.r, &out, &err));
    assert_memory_equal(out.data, "CFRRCP01", 8);
    size_t good = out.len;
    for (int how = 0; how < 8; how++) {
        give(&g);
        g.reads[0].read -= how == 0;
        g.reads[2].read -= how == 1;
        g.r.keys -= how == 2;
        g.r.versions -= how == 3;
        g.r.percent -= how == 4;
        g.r.read_count -= how == 5;
        g.reads[1].read += how == 6;
        g.r.scope = how == 7 ? MANIFEST_PROVES_SAMPLE : g.r.scope; /* of 100 percent */
        print_message("  %d\n", how);
        EXPECT_RC(CF_E_ARG, manifest_receipt_build(&d, &g.r, &out, &err));
        assert_int_equal(out.len, good);
    }
    give(&g);
    g.r.scope = MANIFEST_PROVES_SAMPLE;
    g.r.percent = 10;
    g.reads[0].read = 1;
    EXPECT_OK(manifest_receipt_build(&d, &g.r, &out, &err));
    g.reads[2].read = 4; /* the tables are never sampled */
    EXPECT_RC(CF_E_ARG, manifest_receipt_build(&d, &g.r, &out, &err));
    cf_buf_clear(&out);
    hal_token_close(d.token);
}

static void a_receipt_too_long_for_its_coverage_goes_without(void **state)
{
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    struct manifest_domain d = { .token = fake_token_new() };
    struct manifest_proven p;
    struct cf_buf out = { 0 };
    struct cf_err err;
    struct given g;
    (void)state;
    import_mk(&d, 1, (const uint8_t[32]){ 7 });
    EXPECT_OK(hal_token_key_make(d.token, &identity, &err));
    give(&g);
    struct manifest_cover line = { .state = MANIFEST_INSIDE };
    memset(line.what, 'w', sizeof line.what - 1);
    memset(line.why, 'y', sizeof line.why - 1);
    for (int i = 0; i < MANIFEST_COVERS_MAX; i++)
        EXPECT_OK(manifest_cover_add(&g.m, &line, &err));
    EXPECT_OK(manifest_receipt_build(&d, &g.r, &out, &err));
    assert_true(out.len < 1000);
    EXPECT_OK(manifest_receipt_read(&d, out.data, out.len, &p, &err));
    assert_int_equal(p.scope, MANIFEST_PROVES_ALL);
    free(g.m.cover);
    cf_buf_clear(&out);
    hal_token_close(d.token);
}

/* --- golden files --- */

struct golden {
    struct manifest_domain d;
    uint32_t generations[1];
    struct vectors domain, signer;
};

static int set_up(void **state)
{
    struct golden *g = calloc(1, sizeof *g);
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    struct cf_err err;
    uint8_t mk[32];
    g->generations[0] = 1;
    g->d = (struct manifest_domain){ .token = fake_token_new(),
                                     .generations = g->generations,
                                     .count = 1 };
    vectors_read(&g->domain, "backup-v1/domain.txt");
    vectors_read(&g->signer, "receipt-v1/signer.txt");
    vectors_fixed(&g->domain, "domain_id", g->d.domain_id, HAL_DOMAIN_ID_SIZE);
    vectors_fixed(&g->domain, "mk.1", mk, sizeof mk);
    import_mk(&g->d, 1, mk);
    EXPECT_OK(hal_token_key_make(g->d.token, &identity, &err));
    *state = g;
    return 0;
}

static int tear_down(void **state)
{
    struct golden *g = *state;
    vectors_clear(&g->domain);
    vectors_clear(&g->signer);
    hal_token_close(g->d.token);
    free(g);
    return 0;
}

static void read_golden(const char *name, struct cf_buf *out)
{
    char path[256];
    struct cf_err err;
    snprintf(path, sizeof path, "%s/receipt-v1/%s.receipt", CF_VECTORS, name);
    EXPECT_OK(cf_file_read(path, MANIFEST_RECEIPT_MAX, out, &err));
}

static void golden_receipts_are_good(void **state)
{
    static const struct {
        const char *name;
        enum manifest_scope scope;
        unsigned percent, keys, versions, blocks, read, seq;
    } cases[] = {
        { "whole", MANIFEST_PROVES_ALL, 100, 4, 5, 9, 9, 1 },
        { "layout1", MANIFEST_PROVES_ALL, 100, 4, 5, 9, 9, 2 },
        { "sample", MANIFEST_PROVES_SAMPLE, 10, 2, 3, 9, 5, 2 },
        { "partial", MANIFEST_PROVES_PART, 0, 1, 2, 9, 0, 1 },
    };
    struct golden *g = *state;
    uint8_t key_id[32];
    vectors_fixed(&g->signer, "key_id", key_id, sizeof key_id);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cf_buf file = { 0 };
        struct manifest_proven p;
        struct cf_err err;
        print_message("  %s\n", cases[i].name);
        read_golden(cases[i].name, &file);
        EXPECT_OK(manifest_receipt_read(&g->d, file.data, file.len, &p, &err));
        assert_int_equal(p.scope, cases[i].scope);
        assert_int_equal(p.percent, cases[i].percent);
        assert_int_equal(p.keys, cases[i].keys);
        assert_int_equal(p.versions, cases[i].versions);
        assert_int_equal(p.blocks, cases[i].blocks);
        assert_int_equal(p.read, cases[i].read);
        assert_int_equal(p.seq, cases[i].seq);
        assert_int_equal(p.generation, 1);
        assert_string_equal(p.hsm, "vec");
        assert_memory_equal(p.key_id, key_id, sizeof key_id);
        cf_buf_clear(&file);
    }
}

static void a_receipt_counts_where_the_domain_vouches_for_its_signer(void **state)
{
    struct golden *g = *state;
    struct cf_buf file = { 0 };
    struct manifest_proven p;
    struct cf_err err;
    read_golden("whole", &file);
    g->d.domain_id[0] ^= 1;
    EXPECT_RC(CF_E_AUTH, manifest_receipt_read(&g->d, file.data, file.len, &p, &err));
    g->d.domain_id[0] ^= 1;
    EXPECT_OK(manifest_receipt_read(&g->d, file.data, file.len, &p, &err));
    hal_token_close(g->d.token); /* a token whose domain key is another one */
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    g->d.token = fake_token_new();
    import_mk(&g->d, 1, (const uint8_t[32]){ 9 });
    EXPECT_OK(hal_token_key_make(g->d.token, &identity, &err));
    EXPECT_RC(CF_E_AUTH, manifest_receipt_read(&g->d, file.data, file.len, &p, &err));
    EXPECT_OK(manifest_receipt_read(NULL, file.data, file.len, &p, &err));
    cf_buf_clear(&file);
}

static void each_flipped_byte_and_each_cut_is_refused(void **state)
{
    struct golden *g = *state;
    struct cf_buf file = { 0 };
    struct manifest_proven p;
    read_golden("whole", &file);
    for (size_t at = 0; at < file.len; at++) {
        file.data[at] ^= (uint8_t)(1u << at % 8);
        assert_int_not_equal(manifest_receipt_read(NULL, file.data, file.len, &p, NULL), CF_OK);
        file.data[at] ^= (uint8_t)(1u << at % 8);
        assert_int_not_equal(manifest_receipt_read(NULL, file.data, at, &p, NULL), CF_OK);
    }
    assert_int_equal(manifest_receipt_read(&g->d, file.data, file.len, &p, NULL), CF_OK);
    cf_buf_clear(&file);
}

static void each_negative_case_has_its_class(void **state)
{
    static const struct {
        const char *name;
        enum cf_rc rc;
    } classes[] = { { "corrupt", CF_E_CORRUPT }, { "auth", CF_E_AUTH }, { "limit", CF_E_LIMIT } };
    DIR *d = opendir(CF_VECTORS "/receipt-v1/negative");
    unsigned count = 0;
    (void)state;
    assert_non_null(d);
    for (struct dirent *entry = readdir(d); entry; entry = readdir(d)) {
        char path[300];
        struct vectors v;
        struct cf_buf file = { 0 };
        struct manifest_proven p;
        struct cf_err err = { 0 };
        enum cf_rc want = CF_OK;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "receipt-v1/negative/%s", entry->d_name);
        vectors_read(&v, path);
        vectors_bytes(&v, "receipt", &file);
        for (size_t i = 0; i < 3; i++)
            if (strcmp(vectors_text(&v, "expect"), classes[i].name) == 0)
                want = classes[i].rc;
        enum cf_rc rc = manifest_receipt_read(NULL, file.data, file.len, &p, &err);
        if (rc != want || want == CF_OK)
            fail_msg("%s: %d, not %d: %s", entry->d_name, (int)rc, (int)want, err.text);
        count++;
        cf_buf_clear(&file);
        vectors_clear(&v);
    }
    closedir(d);
    assert_true(count > 50);
}

/* --- the audit log's head --- */

static void the_audit_head_is_signed_over_all_it_says(void **state)
{
    struct golden *g = *state;
    struct manifest_audit_head h = { .sequence = 300, .made_s = 5, .since_s = 4, .hsm = "vec" };
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    struct cf_buf file = { 0 }, spki = { 0 };
    struct cf_err err = { 0 };
    memset(h.hash, 8, sizeof h.hash);
    EXPECT_OK(hal_token_key_public(g->d.token, &identity, &spki, &err));
    EXPECT_OK(manifest_audit_head_build(&g->d, &h, &file, &err));
    assert_memory_equal(file.data, "CFRAHD01", 8);
    struct cf_rd rd = cf_rd_of(file.data + 8, 4);
    size_t end = 12 + cf_rd_le32(&rd);
    assert_int_equal(file.len, end + RECEIPT_SIG);
    assert_memory_equal(file.data + 12, "\xa6\x01\x82\x19\x01\x2c\x58\x20\x08\x08", 10);
    const struct crypto_bytes key = crypto_bytes_of(spki.data, spki.len);
    const struct crypto_bytes part = crypto_bytes_of(file.data, end);
    const struct crypto_bytes entry = crypto_bytes_of(file.data + end, RECEIPT_SIG);
    EXPECT_OK(manifest_check_labelled("coffer.v1.audit-head", key, part, entry, &err));
    EXPECT_RC(CF_E_AUTH, manifest_check_labelled(RECEIPT_LABEL, key, part, entry, &err));
    for (size_t at = 0; at < end; at++) {
        file.data[at] ^= 1;
        EXPECT_RC(CF_E_AUTH,
                  manifest_check_labelled("coffer.v1.audit-head", key, part, entry, &err));
        file.data[at] ^= 1;
    }
    cf_buf_clear(&file);
    cf_buf_clear(&spki);
}

/* --- the coverage statement, under the key that readers ignore ---------------------------------
 */

static size_t lines_of(const char *map, size_t len, struct manifest *m)
{
    manifest_clear(m);
    manifest_extensions_read(crypto_bytes_of(map, len), m);
    return m->cover_count;
}

static void extensions_that_do_not_read_are_not_there(void **state)
{
    struct manifest m = { 0 };
    (void)state;
#define LINES(text) lines_of(text, sizeof(text) - 1, &m)
    assert_int_equal(LINES("\xa0"), 0);
    assert_int_equal(LINES("\xa1\x01\x80"), 0);
    assert_int_equal(LINES("\xa1\x01\x81\x83\x61k\x01\x61y"), 1);
    assert_string_equal(m.cover[0].what, "k");
    assert_string_equal(m.cover[0].why, "y");
    assert_int_equal(m.cover[0].state, MANIFEST_INSIDE);
    assert_int_equal(LINES("\xa2\x01\x82\x83\x61k\x01\x60\x83\x61l\x03\x60\x05\x81\x00"), 2);
    assert_int_equal(LINES("\xa2\x00\xf5\x07\x41z"), 0);             /* another's extensions */
    assert_int_equal(LINES("\xa1\x01\x81\x83\x61k\x00\x60"), 0);     /* state 0 */
    assert_int_equal(LINES("\xa1\x01\x81\x83\x61k\x04\x60"), 0);     /* state 4 */
    assert_int_equal(LINES("\xa1\x01\x81\x82\x61k\x01"), 0);         /* no triple */
    assert_int_equal(LINES("\xa1\x01\x81\x83\x61\x1b\x01\x60"), 0);  /* a control character */
    assert_int_equal(LINES("\xa1\x01\x81\x83\x61k\x01\x61\x0a"), 0); /* another */
    assert_int_equal(LINES("\xa1\x01\x81\x83\x60\x01\x60"), 0);      /* about nothing */
    assert_int_equal(LINES("\xa1\x01\x61k"), 0);                     /* no array */
    assert_int_equal(LINES("\xa1\x01\x82\x83\x61k\x01\x60\x80"), 0); /* one good, one bad: none */
    manifest_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_is_that_of_the_rfc),
        cmocka_unit_test(no_receipt_says_more_than_was_read),
        cmocka_unit_test(a_receipt_too_long_for_its_coverage_goes_without),
        cmocka_unit_test_setup_teardown(golden_receipts_are_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_receipt_counts_where_the_domain_vouches_for_its_signer,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_flipped_byte_and_each_cut_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test(each_negative_case_has_its_class),
        cmocka_unit_test_setup_teardown(the_audit_head_is_signed_over_all_it_says, set_up,
                                        tear_down),
        cmocka_unit_test(extensions_that_do_not_read_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
