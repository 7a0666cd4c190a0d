/* Manifests of the independent writer (tests/vectors/backup-v1), our own, and wrong ones. */
#include "support/test.h"

#include <stdlib.h>

#include "base/file.h"
#include "hal_sim/hal_sim.h"
#include "manifest/manifest.h"
#include "support/fake_token.h"
#include "support/vectors.h"

struct fixture {
    struct hal_token *token;
    struct hal_entropy *entropy;
    uint32_t generations[2];
    struct manifest_domain domain;
    struct cf_buf second;
};

static void import(struct fixture *f, struct vectors *v, enum hal_role role, const char *name,
                   uint32_t g)
{
    struct hal_key_name k = { .role = role, .generation = g };
    char line[32];
    uint8_t bytes[32];
    struct cf_secret *value = NULL;
    memcpy(k.domain_id, f->domain.domain_id, sizeof k.domain_id);
    snprintf(line, sizeof line, "%s.%u", name, g);
    vectors_fixed(v, line, bytes, sizeof bytes);
    assert_int_equal(cf_secret_copy(bytes, sizeof bytes, &value, NULL), CF_OK);
    assert_int_equal(hal_token_key_import(f->token, &k, value, NULL), CF_OK);
    cf_secret_free(value);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct vectors v;
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    vectors_read(&v, "backup-v1/domain.txt");
    f->token = fake_token_new();
    f->entropy = hal_sim_entropy_new(3, 0);
    f->generations[0] = 2;
    f->generations[1] = 1;
    f->domain =
        (struct manifest_domain){ .token = f->token, .generations = f->generations, .count = 2 };
    vectors_fixed(&v, "domain_id", f->domain.domain_id, HAL_DOMAIN_ID_SIZE);
    for (uint32_t g = 1; g <= 2; g++) {
        import(f, &v, HAL_ROLE_BK, "bk", g);
        import(f, &v, HAL_ROLE_MK, "mk", g);
    }
    vectors_bytes(&v, "second_spki", &f->second);
    vectors_clear(&v);
    assert_int_equal(hal_token_key_make(f->token, &identity, NULL), CF_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    hal_token_close(f->token);
    hal_sim_entropy_free(f->entropy);
    cf_buf_clear(&f->second);
    free(f);
    return 0;
}

static void read_golden(const char *name, struct cf_buf *bytes, char folder[64])
{
    struct vectors v;
    char path[256];
    snprintf(path, sizeof path, "backup-v1/%s/values.txt", name);
    vectors_read(&v, path);
    snprintf(folder, 64, "%s", vectors_text(&v, "folder"));
    snprintf(path, sizeof path, "%s/backup-v1/%s/%s/manifest", CF_VECTORS, name, folder);
    assert_int_equal(cf_file_read(path, MANIFEST_MAX, bytes, NULL), CF_OK);
    vectors_clear(&v);
}

static enum cf_rc open_it(struct fixture *f, const struct cf_buf *bytes, const char *folder,
                          struct cf_err *e)
{
    struct manifest m = { 0 };
    struct cf_secret *dk = NULL;
    struct manifest_judge judge = { .folder = folder, .known = &f->second, .known_count = 1 };
    enum cf_rc rc = manifest_open(&f->domain, bytes, &judge, &m, &dk, e);
    manifest_clear(&m);
    cf_secret_free(dk);
    return rc;
}

static void golden_manifests_open(void **state)
{
    static const char *const names[] = { "layout0", "layout1", "empty", "hundred", "generations" };
    for (size_t i = 0; i < 5; i++) {
        struct cf_buf bytes = { 0 };
        struct cf_err err;
        char folder[64];
        print_message("  %s\n", names[i]);
        read_golden(names[i], &bytes, folder);
        EXPECT_OK(open_it(*state, &bytes, folder, &err));
        EXPECT_RC(CF_E_AUTH, open_it(*state, &bytes, "mhsm-vec-20250101000000", &err));
        cf_buf_clear(&bytes);
    }
}

static void the_data_key_is_the_vectors(void **state)
{
    struct fixture *f = *state;
    struct vectors v;
    struct cf_buf bytes = { 0 };
    struct cf_err err;
    struct manifest m = { 0 };
    struct cf_secret *dk = NULL;
    char folder[64];
    uint8_t want[32];
    read_golden("layout0", &bytes, folder);
    vectors_read(&v, "backup-v1/layout0/values.txt");
    vectors_fixed(&v, "dk", want, sizeof want);
    struct manifest_judge judge = { .folder = folder };
    EXPECT_OK(manifest_open(&f->domain, &bytes, &judge, &m, &dk, &err));
    assert_true(cf_equal(cf_secret_view(dk), want, sizeof want));
    assert_int_equal(m.stream_count, vectors_has(&v, "kb 3.0") ? m.stream_count : 0);
    assert_string_equal(m.streams[0].name, "keys");
    vectors_clear(&v);
    cf_secret_free(dk);
    manifest_clear(&m);
    cf_buf_clear(&bytes);
}

static void every_flipped_byte_of_a_manifest_is_refused(void **state)
{
    struct cf_buf bytes = { 0 };
    struct cf_err err;
    char folder[64];
    read_golden("empty", &bytes, folder);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.data[i] ^= 0x80;
        memset(&err, 0, sizeof err);
        enum cf_rc rc = open_it(*state, &bytes, folder, &err);
        if (rc == CF_OK || rc == CF_E_ARG || rc == CF_E_STATE)
            fail_msg("flip at %zu: %s", i, cf_rc_name(rc));
        bytes.data[i] ^= 0x80;
    }
    EXPECT_OK(open_it(*state, &bytes, folder, &err));
    for (size_t len = 0; len < bytes.len; len++) { /* every cut */
        struct cf_buf cut = { 0 };
        assert_int_equal(cf_buf_put(&cut, bytes.data, len, NULL), CF_OK);
        assert_int_not_equal(open_it(*state, &cut, folder, &err), CF_OK);
        cf_buf_clear(&cut);
    }
    cf_buf_clear(&bytes);
}

static void other_domain_and_missing_generation_are_told_from_96_bytes(void **state)
{
    struct fixture *f = *state;
    struct cf_buf bytes = { 0 };
    struct cf_err err;
    char folder[64];
    read_golden("generations", &bytes, folder);
    EXPECT_OK(manifest_head_check(&f->domain, bytes.data, bytes.len, &err));
    f->domain.count = 1;
    f->generations[0] = 1;
    EXPECT_RC(CF_E_DENIED, manifest_head_check(&f->domain, bytes.data, bytes.len, &err));
    assert_non_null(strstr(err.text, "needs generation 2"));
    f->generations[0] = 2;
    f->domain.count = 2;
    f->domain.domain_id[0] ^= 1;
    EXPECT_RC(CF_E_DENIED, manifest_head_check(&f->domain, bytes.data, bytes.len, &err));
    assert_non_null(strstr(err.text, "another security domain"));
    f->domain.domain_id[0] ^= 1;
    bytes.data[32] ^= 1; /* a fingerprint that is not our key's */
    EXPECT_RC(CF_E_DENIED, manifest_head_check(&f->domain, bytes.data, bytes.len, &err));
    cf_buf_clear(&bytes);
}

static void a_newer_format_is_refused_in_words(void **state)
{
    struct fixture *f = *state;
    struct cf_buf bytes = { 0 };
    struct cf_err err;
    char folder[64];
    read_golden("empty", &bytes, folder);
    for (size_t at = 8; at <= 11; at++) {
        bytes.data[at] ^= 2;
        EXPECT_RC(CF_E_CORRUPT, manifest_head_check(&f->domain, bytes.data, bytes.len, &err));
        assert_non_null(strstr(err.text, "newer format"));
        bytes.data[at] ^= 2;
    }
    cf_buf_clear(&bytes);
}

/* A small manifest of our own: two empty streams and one partition that has no bytes. */
static void fill(struct manifest *m)
{
    static const char *const names[] = { "keys", "policy", "data" };
    assert_int_equal(manifest_set_streams(m, 3, NULL), CF_OK);
    for (size_t i = 0; i < 3; i++) {
        snprintf(m->streams[i].name, sizeof m->streams[i].name, "%s", names[i]);
        m->streams[i].kind = (enum flow_kind)(i + 1);
        m->streams[i].chunk_log2 = FLOW_CHUNK_LOG2;
    }
    snprintf(m->folder, sizeof m->folder, "mhsm-x-20260101000000");
    snprintf(m->hsm, sizeof m->hsm, "x");
    snprintf(m->writer, sizeof m->writer, "test 1");
    m->seq = 7;
    m->meta.chunk_log2 = FLOW_META_LOG2;
    m->since = 5;
}

static void build(struct fixture *f, struct cf_buf *bytes)
{
    struct cf_err err;
    struct manifest_envelope env;
    struct manifest m = { 0 };
    struct cf_secret *dk = NULL;
    EXPECT_OK(manifest_envelope_make(&f->domain, f->entropy, 1000999, &env, &dk, &err));
    fill(&m);
    EXPECT_OK(manifest_build(&f->domain, &env, dk, f->entropy, &m, bytes, &err));
    manifest_clear(&m);
    cf_secret_free(dk);
}

static void what_we_build_opens_here_and_on_a_fresh_appliance_of_the_domain(void **state)
{
    struct fixture *f = *state, *other = NULL;
    struct cf_buf bytes = { 0 };
    struct cf_err err;
    void *p = NULL;
    build(f, &bytes);
    EXPECT_OK(open_it(f, &bytes, "mhsm-x-20260101000000", &err));
    set_up(&p); /* its own identity: the writer's must be endorsed */
    other = p;
    EXPECT_OK(open_it(other, &bytes, "mhsm-x-20260101000000", &err));
    tear_down(&p);
    cf_buf_clear(&bytes);
}

static void two_builds_share_no_key_and_nonce(void **state)
{
    struct fixture *f = *state;
    struct cf_buf a = { 0 }, b = { 0 };
    build(f, &a);
    build(f, &b);
    assert_memory_not_equal(a.data + 64, b.data + 64, 16);   /* backup id */
    assert_memory_not_equal(a.data + 96, b.data + 96, 32);   /* envelope salt: KE */
    assert_memory_not_equal(a.data + 184, b.data + 184, 24); /* random: KM */
    cf_buf_clear(&a);
    cf_buf_clear(&b);
}

static void a_manifest_without_its_signature_is_refused(void **state)
{
    struct fixture *f = *state;
    struct cf_buf bytes = { 0 };
    struct cf_err err;
    build(f, &bytes);
    assert_int_equal(cf_buf_resize(&bytes, bytes.len - 100, NULL), CF_OK);
    bytes.data[bytes.len - 1] = 0; /* no signatures follow */
    EXPECT_RC(CF_E_AUTH, open_it(f, &bytes, "mhsm-x-20260101000000", &err));
    cf_buf_clear(&bytes);
}

static void an_unknown_writer_is_refused_unless_the_operator_names_it(void **state)
{
    struct fixture *f = *state;
    struct cf_buf bytes = { 0 };
    struct cf_err err;
    struct manifest m = { 0 };
    struct cf_secret *dk = NULL;
    void *p = NULL;
    build(f, &bytes);
    set_up(&p);
    struct fixture *other = p;
    /* a domain whose MK differs vouches for nobody here */
    struct hal_key_name mk = { .role = HAL_ROLE_MK, .generation = 2 };
    memcpy(mk.domain_id, f->domain.domain_id, sizeof mk.domain_id);
    struct cf_secret *value = NULL;
    uint8_t wrong[32] = { 1 };
    assert_int_equal(hal_token_key_destroy(other->token, &mk, NULL), CF_OK);
    assert_int_equal(cf_secret_copy(wrong, 32, &value, NULL), CF_OK);
    assert_int_equal(hal_token_key_import(other->token, &mk, value, NULL), CF_OK);
    cf_secret_free(value);
    EXPECT_RC(CF_E_AUTH, open_it(other, &bytes, "mhsm-x-20260101000000", &err));
    struct manifest_judge judge = { .folder = "mhsm-x-20260101000000" };
    EXPECT_OK(manifest_open(&f->domain, &bytes, &judge, &m, &dk, &err));
    uint8_t named[32];
    memcpy(named, m.signers[0].key_id, sizeof named);
    manifest_clear(&m);
    cf_secret_free(dk);
    dk = NULL;
    judge.accepted = named;
    EXPECT_OK(manifest_open(&other->domain, &bytes, &judge, &m, &dk, &err));
    manifest_clear(&m);
    cf_secret_free(dk);
    tear_down(&p);
    cf_buf_clear(&bytes);
}

static void a_token_that_fails_makes_no_manifest(void **state)
{
    struct fixture *f = *state;
    struct cf_err err;
    struct manifest_envelope env;
    struct cf_secret *dk = NULL;
    fake_token_fail(f->token, CF_E_TOKEN, 1);
    EXPECT_RC(CF_E_TOKEN, manifest_envelope_make(&f->domain, f->entropy, 1, &env, &dk, &err));
    assert_null(dk);
    fake_token_fail(f->token, CF_OK, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(golden_manifests_open),
        T(the_data_key_is_the_vectors),
        T(every_flipped_byte_of_a_manifest_is_refused),
        T(other_domain_and_missing_generation_are_told_from_96_bytes),
        T(a_newer_format_is_refused_in_words),
        T(what_we_build_opens_here_and_on_a_fresh_appliance_of_the_domain),
        T(two_builds_share_no_key_and_nonce),
        T(a_manifest_without_its_signature_is_refused),
        T(an_unknown_writer_is_refused_unless_the_operator_names_it),
        T(a_token_that_fails_makes_no_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
