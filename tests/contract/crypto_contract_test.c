/* What crypto/crypto.h demands of a provider. Built once on each: the same vectors, so the
 * providers agree bit for bit. Sources of vectors stand beside them. */
#include "support/test.h"

#include <stdlib.h>

#include "base/text.h"
#include "crypto/crypto.h"

static size_t hex(const char *text, uint8_t *out, size_t size)
{
    size_t len = strlen(text) / 2;
    assert_true(len <= size);
    assert_int_equal(cf_unhex(text, out, len, NULL), CF_OK);
    return len;
}

#define GCM_KEY "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define GCM_TEXT                                                                                   \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf"         \
    "0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
#define GCM_CIPHER                                                                                 \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b0"         \
    "8b1056828838c5f61e6393ba7a0abcc9f662898015ad"
#define ZERO_128 "00000000000000000000000000000000"
#define ZERO_96  "000000000000000000000000"

/* The GCM submission to NIST, cases 13 to 16; `cut` shortens text and cipher. */
static const struct gcm_vector {
    const char *name, *key, *nonce, *aad, *plain, *cipher, *tag;
    size_t cut;
} gcm_vectors[] = {
    { "13: empty", ZERO_128 ZERO_128, ZERO_96, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b", 0 },
    { "14: one block", ZERO_128 ZERO_128, ZERO_96, "", ZERO_128, "cea7403d4d606b6e074ec5d3baf39d18",
      "d0d1c8a799996bf0265b98b5d48ab919", 0 },
    { "15: four blocks", GCM_KEY, "cafebabefacedbaddecaf888", "", GCM_TEXT, GCM_CIPHER,
      "b094dac5d93471bdec1a502270e3cc6c", 0 },
    { "16: with associated data", GCM_KEY, "cafebabefacedbaddecaf888",
      "feedfacedeadbeeffeedfacedeadbeefabaddad2", GCM_TEXT, GCM_CIPHER,
      "76fc6ece0f4e1768cddf8853bb2d551b", 4 },
};

static void gcm_agrees_with_the_submission_to_nist(void **state)
{
    (void)state;
    struct cf_err err;
    struct crypto_gcm *g = NULL;
    EXPECT_OK(crypto_gcm_new(&g, &err));
    for (size_t i = 0; i < sizeof gcm_vectors / sizeof gcm_vectors[0]; i++) {
        const struct gcm_vector *v = &gcm_vectors[i];
        uint8_t key[32], nonce[12], aad[32], plain[64], cipher[64], tag[16], out[64], got[16];
        print_message("  case %s\n", v->name);
        hex(v->key, key, sizeof key);
        hex(v->nonce, nonce, sizeof nonce);
        hex(v->tag, tag, sizeof tag);
        size_t aad_len = hex(v->aad, aad, sizeof aad);
        size_t len = hex(v->plain, plain, sizeof plain) - v->cut;
        hex(v->cipher, cipher, sizeof cipher);
        struct crypto_gcm_op op = {
            .nonce = nonce, .aad = { aad, aad_len }, .in = plain, .len = len, .out = out
        };
        EXPECT_OK(crypto_gcm_set_key(g, key, &err));
        EXPECT_OK(crypto_gcm_seal(g, &op, got, &err));
        assert_memory_equal(out, cipher, len);
        assert_memory_equal(got, tag, sizeof tag);
        op.in = out; /* in place */
        EXPECT_OK(crypto_gcm_open(g, &op, tag, &err));
        assert_memory_equal(out, plain, len);
    }
    crypto_gcm_free(g);
}

static void one_context_serves_many_nonces_both_ways(void **state)
{
    (void)state;
    struct cf_err err;
    struct crypto_gcm *g = NULL, *fresh = NULL;
    uint8_t key[32] = { 7 }, nonce[12] = { 0 }, text[1000], one[1000], two[1000];
    uint8_t tag[16], tag_two[16];
    memset(text, 0x5c, sizeof text);
    EXPECT_OK(crypto_gcm_new(&g, &err));
    EXPECT_OK(crypto_gcm_set_key(g, key, &err));
    for (uint8_t i = 0; i < 20; i++) {
        nonce[0] = i;
        struct crypto_gcm_op op = {
            .nonce = nonce, .in = text, .len = sizeof text - i, .out = one
        };
        EXPECT_OK(crypto_gcm_seal(g, &op, tag, &err));
        EXPECT_OK(crypto_gcm_new(&fresh, &err));
        EXPECT_OK(crypto_gcm_set_key(fresh, key, &err));
        op.out = two;
        EXPECT_OK(crypto_gcm_seal(fresh, &op, tag_two, &err));
        crypto_gcm_free(fresh);
        assert_memory_equal(one, two, op.len);
        assert_memory_equal(tag, tag_two, sizeof tag);
        op.in = one;
        EXPECT_OK(crypto_gcm_open(g, &op, tag, &err));
        assert_memory_equal(two, text, op.len);
        tag[0] ^= 1; /* a refusal must not disturb what comes next */
        EXPECT_RC(CF_E_AUTH, crypto_gcm_open(g, &op, tag, &err));
    }
    crypto_gcm_free(g);
}

static void every_flipped_bit_is_refused_and_nothing_released(void **state)
{
    (void)state;
    struct cf_err err;
    static const uint8_t zeros[48];
    uint8_t key[32] = { 1 }, nonce[12] = { 2 }, plain[48] = "secret", cipher[48], out[48];
    uint8_t tag[16], aad[5] = "bound";
    struct crypto_gcm *g = NULL;
    EXPECT_OK(crypto_gcm_new(&g, &err));
    EXPECT_OK(crypto_gcm_set_key(g, key, &err));
    struct crypto_gcm_op op = {
        .nonce = nonce, .aad = { aad, sizeof aad }, .in = plain, .len = sizeof plain, .out = cipher
    };
    EXPECT_OK(crypto_gcm_seal(g, &op, tag, &err));
    op.in = cipher;
    op.out = out;
    struct {
        uint8_t *p;
        size_t len;
    } parts[] = { { tag, 16 }, { cipher, 48 }, { aad, 5 }, { nonce, 12 } };
    for (size_t k = 0; k < 4; k++)
        for (size_t bit = 0; bit < 8 * parts[k].len; bit++) {
            memset(out, 0xa5, sizeof out);
            parts[k].p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            EXPECT_RC(CF_E_AUTH, crypto_gcm_open(g, &op, tag, &err));
            assert_memory_equal(out, zeros, sizeof out);
            parts[k].p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    EXPECT_OK(crypto_gcm_open(g, &op, tag, &err));
    crypto_gcm_free(g);
}

static void a_cipher_without_key_or_with_a_bad_call_is_refused(void **state)
{
    (void)state;
    struct cf_err err;
    uint8_t key[32] = { 0 }, nonce[12] = { 0 }, tag[16], text[4] = { 0 };
    struct crypto_gcm *g = NULL;
    struct crypto_gcm_op op = { .nonce = nonce, .in = text, .len = 4, .out = text };
    EXPECT_OK(crypto_gcm_new(&g, &err));
    EXPECT_RC(CF_E_STATE, crypto_gcm_seal(g, &op, tag, &err));
    EXPECT_RC(CF_E_STATE, crypto_gcm_open(g, &op, tag, &err));
    EXPECT_OK(crypto_gcm_set_key(g, key, &err));
    op.len = CRYPTO_GCM_LEN_MAX + 1;
    EXPECT_RC(CF_E_ARG, crypto_gcm_seal(g, &op, tag, &err));
    op.len = 4;
    op.nonce = NULL;
    EXPECT_RC(CF_E_ARG, crypto_gcm_open(g, &op, tag, &err));
    crypto_gcm_free(g);
    crypto_gcm_free(NULL);
}

/* FIPS 180-4 examples: "abc" and the empty message. */
static const struct {
    enum hal_hash h;
    const char *abc, *empty;
} digests[] = {
    { HAL_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d",
      "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
    { HAL_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { HAL_SHA384,
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
      "8086072ba1e7cc2358baeca134c825a7",
      "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
      "274edebfe76f65fbd51ad2f14898b95b" },
    { HAL_SHA512,
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
      "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
};

static void digests_agree_with_fips_180(void **state)
{
    (void)state;
    struct cf_err err;
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
        uint8_t want[64], got[64];
        size_t len = crypto_digest_size(digests[i].h);
        struct crypto_hash *c = NULL;
        assert_int_equal(hex(digests[i].abc, want, sizeof want), len);
        EXPECT_OK(crypto_digest(digests[i].h, "abc", 3, got, &err));
        assert_memory_equal(got, want, len);
        EXPECT_OK(crypto_hash_new(digests[i].h, &c, &err));
        for (int round = 0; round < 2; round++) { /* final starts anew */
            EXPECT_OK(crypto_hash_update(c, "a", 1, &err));
            EXPECT_OK(crypto_hash_update(c, NULL, 0, &err));
            EXPECT_OK(crypto_hash_update(c, "bc", 2, &err));
            EXPECT_OK(crypto_hash_final(c, got, &err));
            assert_memory_equal(got, want, len);
        }
        crypto_hash_free(c);
        hex(digests[i].empty, want, sizeof want);
        EXPECT_OK(crypto_digest(digests[i].h, NULL, 0, got, &err));
        assert_memory_equal(got, want, len);
    }
    uint8_t out[64];
    struct crypto_hash *none = NULL;
    EXPECT_RC(CF_E_ARG, crypto_digest(HAL_NO_HASH, "", 0, out, &err));
    EXPECT_RC(CF_E_ARG, crypto_hash_new(HAL_NO_HASH, &none, &err));
    assert_null(none);
}

#define KEY_6                                                                                      \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"         \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"         \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"         \
    "aaaaaaaaaa"

/* RFC 4231, cases 1, 2, 6. */
static const struct {
    const char *key, *msg, *mac256, *mac512;
} macs[] = {
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
      "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
    { "4a656665", "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
      "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
    { KEY_6, "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
      "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598" },
};

static void hmac_agrees_with_rfc_4231(void **state)
{
    (void)state;
    struct cf_err err;
    for (size_t i = 0; i < sizeof macs / sizeof macs[0]; i++) {
        uint8_t key[131], want[64], got[64];
        struct crypto_bytes k = { key, hex(macs[i].key, key, sizeof key) };
        struct crypto_bytes m = { macs[i].msg, strlen(macs[i].msg) };
        struct crypto_mac *c = NULL;
        hex(macs[i].mac256, want, sizeof want);
        EXPECT_OK(crypto_hmac(HAL_SHA256, k, m, got, &err));
        assert_memory_equal(got, want, 32);
        EXPECT_OK(crypto_mac_new(HAL_SHA256, k, &c, &err));
        for (int round = 0; round < 3; round++) { /* the key stays */
            EXPECT_OK(crypto_mac_update(c, macs[i].msg, 1, &err));
            EXPECT_OK(crypto_mac_update(c, macs[i].msg + 1, m.len - 1, &err));
            EXPECT_OK(crypto_mac_final(c, got, &err));
            assert_memory_equal(got, want, 32);
        }
        crypto_mac_free(c);
        hex(macs[i].mac512, want, sizeof want);
        EXPECT_OK(crypto_hmac(HAL_SHA512, k, m, got, &err));
        assert_memory_equal(got, want, 64);
    }
    uint8_t got[64];
    struct crypto_mac *none = NULL;
    struct crypto_bytes k = { "k", 1 };
    EXPECT_RC(CF_E_ARG, crypto_hmac(HAL_NO_HASH, k, k, got, &err));
    EXPECT_RC(CF_E_ARG, crypto_mac_new(HAL_NO_HASH, k, &none, &err));
}

static void kdf_is_the_hmac_of_its_message(void **state)
{
    (void)state;
    struct cf_err err;
    uint8_t key[32], out[64], want[64];
    struct cf_buf msg = { 0 };
    static const uint8_t frame[] = { 0, 0, 0, 1, 'c', 'o', 'f', 0, 9, 8, 0, 0, 1, 0 };
    memset(key, 0x41, sizeof key);
    EXPECT_OK(crypto_kdf_message("cof", (const uint8_t[]){ 9, 8 }, 2, &msg, &err));
    assert_int_equal(msg.len, sizeof frame);
    assert_memory_equal(msg.data, frame, sizeof frame);
    EXPECT_OK(crypto_kdf(key, "cof", (const uint8_t[]){ 9, 8 }, 2, out, &err));
    EXPECT_OK(
        crypto_hmac(HAL_SHA256, crypto_bytes_of(key, 32), crypto_bytes_of(frame, 14), want, &err));
    assert_memory_equal(out, want, 32);
    cf_buf_clear(&msg);

    /* API document 6.4: the client's own self-test. */
    hex("f0ca51f6308791404bf68b56024ee7c64d6c737716f81d47e1e68b5c4e399575", want, 32);
    EXPECT_OK(crypto_kdf512(crypto_bytes_of(key, 32), "label", crypto_bytes_of("context", 7), out,
                            32, &err));
    assert_memory_equal(out, want, 32);
    EXPECT_RC(CF_E_ARG,
              crypto_kdf512(crypto_bytes_of(key, 32), "x", crypto_bytes_of("", 0), out, 65, &err));
}

/* --- signatures: tests/vectors/crypto/signatures.txt --- */

static const char *const alg_names[] = {
    [CRYPTO_RS256] = "RS256",   [CRYPTO_RS384] = "RS384", [CRYPTO_RS512] = "RS512",
    [CRYPTO_PS256] = "PS256",   [CRYPTO_PS384] = "PS384", [CRYPTO_PS512] = "PS512",
    [CRYPTO_RSNULL] = "RSNULL", [CRYPTO_ES256] = "ES256", [CRYPTO_ES256K] = "ES256K",
    [CRYPTO_ES384] = "ES384",   [CRYPTO_ES512] = "ES512",
};
#define ALGS (sizeof alg_names / sizeof alg_names[0])

struct signed_case {
    enum crypto_sig alg;
    uint8_t spki[600], digest[64], sig[256];
    size_t spki_len, digest_len, sig_len;
};

static size_t load_cases(struct signed_case *out, size_t max)
{
    char name[16], spki[1300], digest[160], sig[600];
    size_t n = 0;
    FILE *f = fopen(CF_VECTORS "/crypto/signatures.txt", "r");
    assert_non_null(f);
    while (n < max && fscanf(f, "%15s %1299s %159s %599s", name, spki, digest, sig) == 4) {
        struct signed_case *c = &out[n++];
        for (size_t a = 0; a < ALGS; a++)
            if (strcmp(alg_names[a], name) == 0)
                c->alg = (enum crypto_sig)a;
        c->spki_len = hex(spki, c->spki, sizeof c->spki);
        c->digest_len = hex(digest, c->digest, sizeof c->digest);
        c->sig_len = hex(sig, c->sig, sizeof c->sig);
    }
    fclose(f);
    return n;
}

static enum cf_rc check(const struct signed_case *c, struct cf_err *e)
{
    return crypto_verify(c->alg, crypto_bytes_of(c->spki, c->spki_len),
                         crypto_bytes_of(c->digest, c->digest_len),
                         crypto_bytes_of(c->sig, c->sig_len), e);
}

static void signatures_of_another_library_verify(void **state)
{
    (void)state;
    struct cf_err err;
    struct signed_case cases[ALGS];
    assert_int_equal(load_cases(cases, ALGS), ALGS);
    for (size_t i = 0; i < ALGS; i++) {
        print_message("  %s\n", alg_names[cases[i].alg]);
        EXPECT_OK(check(&cases[i], &err));
    }
}

static void altered_signatures_digests_and_lengths_are_refused(void **state)
{
    (void)state;
    struct cf_err err;
    struct signed_case cases[ALGS];
    size_t n = load_cases(cases, ALGS);
    for (size_t i = 0; i < n; i++) {
        struct signed_case *c = &cases[i];
        print_message("  %s\n", alg_names[c->alg]);
        for (size_t at = 0; at < c->sig_len; at += 13) {
            c->sig[at] ^= 0x10;
            EXPECT_RC(CF_E_AUTH, check(c, &err));
            c->sig[at] ^= 0x10;
        }
        c->digest[c->digest_len - 1] ^= 1;
        EXPECT_RC(CF_E_AUTH, check(c, &err));
        c->digest[c->digest_len - 1] ^= 1;
        c->sig_len--;
        EXPECT_RC(CF_E_AUTH, check(c, &err));
        c->sig_len++;
        memset(c->sig, 0, c->sig_len);
        EXPECT_RC(CF_E_AUTH, check(c, &err));
    }
}

static void an_algorithm_of_another_key_is_refused(void **state)
{
    (void)state;
    struct cf_err err;
    struct signed_case cases[ALGS];
    size_t n = load_cases(cases, ALGS);
    for (size_t i = 0; i < n; i++) {
        struct signed_case c = cases[i];
        for (size_t a = 0; a < ALGS; a++) {
            if (a == (size_t)cases[i].alg)
                continue;
            c.alg = (enum crypto_sig)a;
            enum cf_rc rc = check(&c, NULL);
            if (rc != CF_E_INPUT && rc != CF_E_AUTH)
                print_message("%s taken as %s\n", alg_names[cases[i].alg], alg_names[a]);
            assert_true(rc == CF_E_INPUT || rc == CF_E_AUTH);
        }
        c = cases[i];
        c.spki_len--;
        EXPECT_RC(CF_E_INPUT, check(&c, &err));
        c.spki_len += 2;
        EXPECT_RC(CF_E_INPUT, check(&c, &err));
        c.spki_len = 0;
        EXPECT_RC(CF_E_INPUT, check(&c, &err));
    }
}

/* RFC 8017 7.1.1 built by hand with the provider's own digests, then taken apart. */
static void build_oaep(enum hal_hash h, const char *msg, uint8_t *em, size_t k)
{
    size_t hl = crypto_digest_size(h), len = strlen(msg), db_len = k - hl - 1;
    uint8_t *seed = em + 1, *db = em + 1 + hl, block[64], in[600];
    memset(em, 0, k);
    memset(seed, 0x37, hl);
    assert_int_equal(crypto_digest(h, "", 0, db, NULL), CF_OK);
    db[db_len - len - 1] = 1;
    memcpy(db + db_len - len, msg, len);
    for (int pass = 0; pass < 2; pass++) {
        const uint8_t *from = pass ? db : seed;
        uint8_t *to = pass ? seed : db;
        size_t from_len = pass ? db_len : hl, to_len = pass ? hl : db_len;
        for (size_t at = 0; at < to_len; at += hl) {
            memcpy(in, from, from_len);
            cf_be32(in + from_len, (uint32_t)(at / hl));
            assert_int_equal(crypto_digest(h, in, from_len + 4, block, NULL), CF_OK);
            for (size_t i = 0; i < hl && at + i < to_len; i++)
                to[at + i] ^= block[i];
        }
    }
}

static void oaep_is_undone_and_every_damage_is_one_error(void **state)
{
    (void)state;
    struct cf_err err;
    static const enum hal_hash hashes[] = { HAL_SHA1, HAL_SHA256, HAL_SHA512 };
    static const char *const texts[] = { "", "m", "a 64-byte content key would be longer" };
    for (size_t i = 0; i < 9; i++) {
        uint8_t em[256];
        struct cf_buf out = { 0 };
        const char *text = texts[i % 3];
        build_oaep(hashes[i / 3], text, em, sizeof em);
        EXPECT_OK(crypto_oaep_unpad(hashes[i / 3], crypto_bytes_of(em, 256), &out, &err));
        assert_int_equal(out.len, strlen(text));
        assert_memory_equal(out.data, text, out.len);
        cf_buf_clear(&out);
        for (size_t at = 0; at < sizeof em; at++) {
            em[at] ^= 0x80;
            EXPECT_RC(CF_E_AUTH,
                      crypto_oaep_unpad(hashes[i / 3], crypto_bytes_of(em, 256), &out, &err));
            em[at] ^= 0x80;
        }
        assert_int_equal(out.len, 0);
    }
    uint8_t em[256] = { 0 };
    struct cf_buf out = { 0 };
    EXPECT_RC(CF_E_ARG, crypto_oaep_unpad(HAL_SHA256, crypto_bytes_of(em, 65), &out, &err));
    EXPECT_RC(CF_E_ARG, crypto_oaep_unpad(HAL_NO_HASH, crypto_bytes_of(em, 256), &out, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gcm_agrees_with_the_submission_to_nist),
        cmocka_unit_test(one_context_serves_many_nonces_both_ways),
        cmocka_unit_test(every_flipped_bit_is_refused_and_nothing_released),
        cmocka_unit_test(a_cipher_without_key_or_with_a_bad_call_is_refused),
        cmocka_unit_test(digests_agree_with_fips_180),
        cmocka_unit_test(hmac_agrees_with_rfc_4231),
        cmocka_unit_test(kdf_is_the_hmac_of_its_message),
        cmocka_unit_test(signatures_of_another_library_verify),
        cmocka_unit_test(altered_signatures_digests_and_lengths_are_refused),
        cmocka_unit_test(an_algorithm_of_another_key_is_refused),
        cmocka_unit_test(oaep_is_undone_and_every_damage_is_one_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
