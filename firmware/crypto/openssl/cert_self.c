/* A self-signed certificate for a key that OpenSSL does not hold: the DER is put together here,
 * since OpenSSL has no call that takes a finished signature. RFC 5280 section 4. */
#include <string.h>
#include <time.h>

#include "crypto/cert.h"
#include "ossl_priv.h"

enum {
    DER_INTEGER = 0x02,
    DER_BITS = 0x03,
    DER_UTF8 = 0x0c,
    DER_UTC = 0x17,
    DER_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0xa0,
    DER_CONTEXT_3 = 0xa3
};

#define COMMON_NAME_MAX 64 /* RFC 5280, ub-common-name */

static const uint8_t RSA_SHA256[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                      0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00 };
static const uint8_t ECDSA_SHA256[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };
static const uint8_t OID_COMMON_NAME[] = { 0x06, 0x03, 0x55, 0x04, 0x03 };
/* basicConstraints, critical, not an authority. */
static const uint8_t CONSTRAINTS[] = { 0x30, 0x0c, 0x06, 0x03, 0x55, 0x1d, 0x13,
                                       0x01, 0x01, 0xff, 0x04, 0x02, 0x30, 0x00 };

/* Turns all bytes from `from` on into the content of one element. */
static enum cf_rc enclose(struct cf_buf *b, size_t from, uint8_t tag, struct cf_err *e)
{
    size_t len = b->len - from;
    uint8_t head[5] = { tag };
    size_t n = 2;
    if (len > UINT16_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "certificate too long");
    if (len < 0x80) {
        head[1] = (uint8_t)len;
    } else if (len <= UINT8_MAX) {
        head[1] = 0x81;
        head[2] = (uint8_t)len;
        n = 3;
    } else {
        head[1] = 0x82;
        cf_be16(head + 2, (uint16_t)len);
        n = 4;
    }
    enum cf_rc rc = cf_buf_resize(b, b->len + n, e);
    if (rc != CF_OK)
        return rc;
    memmove(b->data + from + n, b->data + from, len);
    memcpy(b->data + from, head, n);
    return CF_OK;
}

static enum cf_rc put_element(struct cf_buf *b, uint8_t tag, const void *p, size_t len,
                              struct cf_err *e)
{
    size_t from = b->len;
    enum cf_rc rc = cf_buf_put(b, p, len, e);
    return rc == CF_OK ? enclose(b, from, tag, e) : rc;
}

/* Name with a common name alone. */
static enum cf_rc put_name(struct cf_buf *b, const char *cn, struct cf_err *e)
{
    size_t from = b->len;
    enum cf_rc rc = cf_buf_put(b, OID_COMMON_NAME, sizeof OID_COMMON_NAME, e);
    if (rc == CF_OK)
        rc = put_element(b, DER_UTF8, cn, strlen(cn), e);
    if (rc == CF_OK)
        rc = enclose(b, from, DER_SEQUENCE, e);
    if (rc == CF_OK)
        rc = enclose(b, from, DER_SET, e);
    return rc == CF_OK ? enclose(b, from, DER_SEQUENCE, e) : rc;
}

/* UTCTime to 2049, GeneralizedTime from 2050 on (RFC 5280 4.1.2.5). */
static enum cf_rc put_time(struct cf_buf *b, int64_t unix_s, struct cf_err *e)
{
    time_t t = (time_t)unix_s;
    struct tm tm;
    char text[32];
    if (!gmtime_r(&t, &tm) || tm.tm_year < 70 || tm.tm_year > 8099)
        return CF_FAIL(e, CF_E_ARG, "date out of range");
    bool utc = tm.tm_year < 150;
    size_t len = strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &tm);
    size_t century = utc ? 2 : 0; /* left out in the short form */
    return put_element(b, utc ? DER_UTC : DER_TIME, text + century, len - century, e);
}

static enum cf_rc put_serial(struct cf_buf *b, const uint8_t serial[16], struct cf_err *e)
{
    uint8_t n[16];
    memcpy(n, serial, sizeof n);
    n[0] = (uint8_t)((n[0] & 0x3f) | 0x40); /* positive, of full length */
    return put_element(b, DER_INTEGER, n, sizeof n, e);
}

static enum cf_rc put_validity(struct cf_buf *b, const struct crypto_cert_self *s, struct cf_err *e)
{
    size_t from = b->len;
    enum cf_rc rc = put_time(b, s->not_before, e);
    if (rc == CF_OK)
        rc = put_time(b, s->not_after, e);
    return rc == CF_OK ? enclose(b, from, DER_SEQUENCE, e) : rc;
}

static enum cf_rc put_extensions(struct cf_buf *b, struct cf_err *e)
{
    size_t from = b->len;
    enum cf_rc rc = put_element(b, DER_SEQUENCE, CONSTRAINTS, sizeof CONSTRAINTS, e);
    return rc == CF_OK ? enclose(b, from, DER_CONTEXT_3, e) : rc;
}

/* TBSCertificate, version 3. */
static enum cf_rc put_tbs(struct cf_buf *b, const struct crypto_cert_self *s,
                          struct crypto_bytes alg, struct cf_err *e)
{
    static const uint8_t version[] = { 0x02, 0x01, 0x02 };
    size_t from = b->len;
    enum cf_rc rc = put_element(b, DER_CONTEXT_0, version, sizeof version, e);
    if (rc == CF_OK)
        rc = put_serial(b, s->serial, e);
    if (rc == CF_OK)
        rc = cf_buf_put(b, alg.p, alg.len, e);
    if (rc == CF_OK)
        rc = put_name(b, s->common_name, e);
    if (rc == CF_OK)
        rc = put_validity(b, s, e);
    if (rc == CF_OK)
        rc = put_name(b, s->common_name, e);
    if (rc == CF_OK)
        rc = cf_buf_put(b, s->spki.p, s->spki.len, e);
    if (rc == CF_OK)
        rc = put_extensions(b, e);
    return rc == CF_OK ? enclose(b, from, DER_SEQUENCE, e) : rc;
}

/* BIT STRING of the signature in the algorithm's own form. */
static enum cf_rc put_signature(struct cf_buf *b, enum hal_key_type type, const struct cf_buf *sig,
                                struct cf_err *e)
{
    size_t from = b->len;
    uint8_t *der = NULL;
    int len = 0;
    enum cf_rc rc = cf_buf_put(b, "\0", 1, e); /* no unused bits */
    if (rc == CF_OK && type == HAL_EC)
        rc = ossl_sig_to_der(crypto_bytes_of(sig->data, sig->len), &der, &len, e);
    if (rc == CF_OK)
        rc = type == HAL_EC ? cf_buf_put(b, der, (size_t)len, e)
                            : cf_buf_put(b, sig->data, sig->len, e);
    OPENSSL_free(der);
    return rc == CF_OK ? enclose(b, from, DER_BITS, e) : rc;
}

/* Asks the holder for a signature, and checks it: a certificate that does not verify helps nobody.
 */
static enum cf_rc sign(const struct crypto_cert_self *s, enum hal_key_type type,
                       struct crypto_bytes tbs, struct cf_buf *sig, struct cf_err *e)
{
    uint8_t digest[32];
    enum cf_rc rc = crypto_digest(HAL_SHA256, tbs.p, tbs.len, digest, e);
    if (rc == CF_OK)
        rc = s->sign(s->ctx, digest, sig, e);
    if (rc == CF_OK)
        rc = crypto_verify(type == HAL_RSA ? CRYPTO_RS256 : CRYPTO_ES256, s->spki,
                           crypto_bytes_of(digest, sizeof digest),
                           crypto_bytes_of(sig->data, sig->len), e);
    return rc;
}

enum cf_rc crypto_cert_self_sign(const struct crypto_cert_self *s, struct cf_buf *der,
                                 struct cf_err *e)
{
    struct crypto_pub pub;
    struct cf_buf sig = { 0 }, work = { 0 };
    size_t cn = strlen(s->common_name);
    if (cn == 0 || cn > COMMON_NAME_MAX)
        return CF_FAIL(e, CF_E_ARG, "common name of %zu bytes", cn);
    enum cf_rc rc = crypto_pub_from_spki(s->spki, &pub, e);
    if (rc == CF_OK && pub.type == HAL_EC && pub.curve != HAL_P256)
        rc = CF_FAIL(e, CF_E_ARG, "only RSA and P-256 keys sign certificates");
    struct crypto_bytes alg = rc == CF_OK && pub.type == HAL_EC
                                  ? crypto_bytes_of(ECDSA_SHA256, sizeof ECDSA_SHA256)
                                  : crypto_bytes_of(RSA_SHA256, sizeof RSA_SHA256);
    if (rc == CF_OK)
        rc = put_tbs(&work, s, alg, e);
    if (rc == CF_OK)
        rc = sign(s, pub.type, crypto_bytes_of(work.data, work.len), &sig, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&work, alg.p, alg.len, e);
    if (rc == CF_OK)
        rc = put_signature(&work, pub.type, &sig, e);
    if (rc == CF_OK)
        rc = enclose(&work, 0, DER_SEQUENCE, e);
    if (rc == CF_OK)
        rc = cf_buf_put(der, work.data, work.len, e);
    cf_buf_clear(&work);
    cf_buf_clear(&sig);
    return rc;
}
