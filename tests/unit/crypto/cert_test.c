/* Certificates: what we make is read by ourselves and by OpenSSL's own checker. */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "crypto/cert.h"

#define NOW 1790000000 /* 2026-09-21 */

static struct crypto_cert parse_pem(const struct cf_buf *pem)
{
    struct cf_err err;
    struct cf_buf der = { 0 };
    struct crypto_cert c;
    EXPECT_OK(crypto_cert_from_pem(crypto_bytes_of(pem->data, pem->len), &der, &err));
    EXPECT_OK(crypto_cert_parse(crypto_bytes_of(der.data, der.len), &c, &err));
    cf_buf_clear(&der);
    return c;
}

static void an_officers_certificate_holds_an_rsa_3072_key(void **state)
{
    (void)state;
    struct cf_err err;
    struct crypto_cert_pair p = { 0 };
    struct crypto_cert_order o = {
        .kind = CRYPTO_CERT_OFFICER, .common_name = "officer 1", .now = NOW, .days = 30
    };
    EXPECT_OK(crypto_cert_make(&o, NULL, &p, &err));
    struct crypto_cert c = parse_pem(&p.cert_pem);
    assert_int_equal(c.pub.type, HAL_RSA);
    assert_int_equal(c.pub.bits, 3072);
    assert_int_equal(c.not_before, NOW - 3600);
    assert_int_equal(c.not_after, NOW + 30 * 86400);
    assert_memory_equal(p.key_pem.data, "-----BEGIN PRIVATE KEY-----\n", 28);
    assert_int_equal(p.cert_pem.data[p.cert_pem.len - 1], '\n');
    crypto_cert_pair_clear(&p);
}

/* Runs openssl verify over two files; the binary is OpenSSL's, the certificates are ours. */
static int openssl_verify(const struct cf_buf *ca, const struct cf_buf *leaf)
{
    char dir[] = "/tmp/cert_testXXXXXX", a[64], b[64], cmd[300];
    assert_non_null(mkdtemp(dir));
    snprintf(a, sizeof a, "%s/ca.pem", dir);
    snprintf(b, sizeof b, "%s/leaf.pem", dir);
    assert_int_equal(cf_file_write(a, 0600, ca->data, ca->len, NULL), CF_OK);
    assert_int_equal(cf_file_write(b, 0600, leaf->data, leaf->len, NULL), CF_OK);
    snprintf(cmd, sizeof cmd,
             "openssl verify -x509_strict -attime %d -purpose sslserver -verify_hostname"
             " x.coffer.test -CAfile %s %s >/dev/null 2>&1",
             NOW, a, b);
    int rc = system(cmd);
    unlink(a);
    unlink(b);
    rmdir(dir);
    return rc;
}

static void a_server_certificate_verifies_under_its_authority(void **state)
{
    (void)state;
    struct cf_err err;
    struct crypto_cert_pair ca = { 0 }, server = { 0 }, other = { 0 };
    static const char *const names[] = { "x.coffer.test", "localhost", "127.0.0.1", "::1" };
    struct crypto_cert_order o = {
        .kind = CRYPTO_CERT_CA, .common_name = "Coffer bench", .now = NOW, .days = 30
    };
    EXPECT_OK(crypto_cert_make(&o, NULL, &ca, &err));
    EXPECT_OK(crypto_cert_make(&o, NULL, &other, &err));
    o = (struct crypto_cert_order){ .kind = CRYPTO_CERT_SERVER,
                                    .common_name = "x.coffer.test",
                                    .names = names,
                                    .names_len = 4,
                                    .now = NOW,
                                    .days = 30 };
    EXPECT_OK(crypto_cert_make(&o, &ca, &server, &err));
    assert_int_equal(parse_pem(&server.cert_pem).pub.curve, HAL_P256);
    assert_int_equal(openssl_verify(&ca.cert_pem, &server.cert_pem), 0);
    assert_int_not_equal(openssl_verify(&other.cert_pem, &server.cert_pem), 0);

    static const char *const evil[] = { "a,DNS:evil.test" };
    crypto_cert_pair_clear(&server);
    o.names = evil;
    o.names_len = 1;
    EXPECT_RC(CF_E_INPUT, crypto_cert_make(&o, &ca, &server, &err));
    assert_int_equal(server.key_pem.len, 0);
    EXPECT_RC(CF_E_ARG, crypto_cert_make(&o, NULL, &server, &err));
    crypto_cert_pair_clear(&other);
    crypto_cert_pair_clear(&ca);
}

static void malformed_certificates_are_refused(void **state)
{
    (void)state;
    struct cf_err err;
    struct cf_buf pem = { 0 }, der = { 0 };
    struct crypto_cert c;
    EXPECT_OK(cf_file_read(CF_VECTORS "/sd/cert_0.cer", 4096, &pem, &err));
    EXPECT_OK(crypto_cert_from_pem(crypto_bytes_of(pem.data, pem.len), &der, &err));
    EXPECT_OK(crypto_cert_parse(crypto_bytes_of(der.data, der.len), &c, &err));
    assert_int_equal(c.pub.bits, 2048);
    for (size_t len = 0; len < der.len; len += 7)
        EXPECT_RC(CF_E_INPUT, crypto_cert_parse(crypto_bytes_of(der.data, len), &c, &err));
    EXPECT_OK(cf_buf_put(&der, "\0", 1, &err));
    EXPECT_RC(CF_E_INPUT, crypto_cert_parse(crypto_bytes_of(der.data, der.len), &c, &err));
    EXPECT_RC(CF_E_INPUT, crypto_cert_from_pem(crypto_bytes_of("x", 1), &der, &err));
    EXPECT_RC(CF_E_INPUT, crypto_cert_from_pem(crypto_bytes_of("", 0), &der, &err));
    cf_buf_clear(&pem);
    cf_buf_clear(&der);
}

struct holder {
    uint8_t d[32];
    unsigned calls;
    uint8_t spoil;
};

static enum cf_rc sign_p256(void *ctx, const uint8_t digest[32], struct cf_buf *sig,
                            struct cf_err *e)
{
    struct holder *h = ctx;
    uint8_t raw[64];
    h->calls++;
    enum cf_rc rc = crypto_p256_sign(h->d, digest, raw, e);
    raw[40] ^= h->spoil;
    return rc == CF_OK ? cf_buf_put(sig, raw, sizeof raw, e) : rc;
}

static void a_key_held_elsewhere_gets_its_certificate(void **state)
{
    (void)state;
    struct cf_err err;
    struct holder h = { .d = { 0, 1, 2, 3 } };
    uint8_t point[33];
    struct cf_buf spki = { 0 }, der = { 0 };
    struct crypto_cert c;
    EXPECT_OK(crypto_p256_point(h.d, point, &err));
    EXPECT_OK(crypto_p256_spki(point, &spki, &err));
    struct crypto_cert_self s = { .spki = { spki.data, spki.len },
                                  .common_name = "exchange",
                                  .not_before = NOW,
                                  .not_after = 2600000000,
                                  .sign = sign_p256,
                                  .ctx = &h };
    EXPECT_OK(crypto_cert_self_sign(&s, &der, &err));
    assert_int_equal(h.calls, 1);
    EXPECT_OK(crypto_cert_parse(crypto_bytes_of(der.data, der.len), &c, &err));
    assert_int_equal(c.not_before, NOW);
    assert_int_equal(c.not_after, 2600000000);
    assert_memory_equal(c.pub.x, point + 1, 32);
    h.spoil = 1;
    size_t before = der.len;
    EXPECT_RC(CF_E_AUTH, crypto_cert_self_sign(&s, &der, &err));
    assert_int_equal(der.len, before);
    s.common_name = "";
    EXPECT_RC(CF_E_ARG, crypto_cert_self_sign(&s, &der, &err));
    cf_buf_clear(&der);
    cf_buf_clear(&spki);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_officers_certificate_holds_an_rsa_3072_key),
        cmocka_unit_test(a_server_certificate_verifies_under_its_authority),
        cmocka_unit_test(malformed_certificates_are_refused),
        cmocka_unit_test(a_key_held_elsewhere_gets_its_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
