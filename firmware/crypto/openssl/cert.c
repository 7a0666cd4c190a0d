/* Certificates read. */
#include <string.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "crypto/cert.h"
#include "ossl_priv.h"

static enum cf_rc unix_of(const ASN1_TIME *t, int64_t *out, struct cf_err *e)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return OSSL_FAIL(e, CF_E_INPUT, "certificate without a valid date");
    *out = (int64_t)timegm(&tm);
    return CF_OK;
}

/* A name is a courtesy for people: what does not fit is left out. */
static void take_name(X509 *x, char *out, size_t size)
{
    X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    uint8_t *text = NULL;
    int len = at < 0 ? 0
                     : ASN1_STRING_to_UTF8(
                           &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (len > 0 && (size_t)len < size && !memchr(text, 0, (size_t)len) &&
        cf_utf8_valid(text, (size_t)len))
        memcpy(out, text, (size_t)len); /* the record was zeroed */
    OPENSSL_free(text);
}

static enum cf_rc fill(X509 *x, struct crypto_cert *out, struct cf_err *e)
{
    EVP_PKEY *pkey = X509_get0_pubkey(x);
    if (!pkey)
        return OSSL_FAIL(e, CF_E_INPUT, "certificate without a usable key");
    enum cf_rc rc = ossl_pub_of_pkey(pkey, &out->pub, e);
    if (rc == CF_OK)
        rc = unix_of(X509_get0_notBefore(x), &out->not_before, e);
    if (rc == CF_OK)
        rc = unix_of(X509_get0_notAfter(x), &out->not_after, e);
    take_name(x, out->common_name, sizeof out->common_name);
    return rc;
}

enum cf_rc crypto_cert_parse(struct crypto_bytes der, struct crypto_cert *out, struct cf_err *e)
{
    const uint8_t *p = der.p;
    memset(out, 0, sizeof *out);
    if (der.len == 0 || der.len > CRYPTO_CERT_MAX)
        return CF_FAIL(e, CF_E_INPUT, "certificate of %zu bytes", der.len);
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    if (!x)
        return OSSL_FAIL(e, CF_E_INPUT, "malformed certificate");
    enum cf_rc rc = CF_OK;
    if (p != (const uint8_t *)der.p + der.len)
        rc = CF_FAIL(e, CF_E_INPUT, "bytes behind a certificate");
    if (rc == CF_OK)
        rc = fill(x, out, e);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA1, der.p, der.len, out->sha1, e);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, der.p, der.len, out->sha256, e);
    X509_free(x);
    return rc;
}

enum cf_rc crypto_cert_from_pem(struct crypto_bytes pem, struct cf_buf *der, struct cf_err *e)
{
    if (pem.len == 0 || pem.len > (size_t)8 * CRYPTO_CERT_MAX)
        return CF_FAIL(e, CF_E_INPUT, "no certificate");
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    uint8_t *bytes = NULL;
    int len = x ? i2d_X509(x, &bytes) : 0;
    enum cf_rc rc = len > 0 ? cf_buf_put(der, bytes, (size_t)len, e)
                            : OSSL_FAIL(e, CF_E_INPUT, "no PEM certificate");
    OPENSSL_free(bytes);
    X509_free(x);
    BIO_free(bio);
    return rc;
}

void crypto_cert_pair_clear(struct crypto_cert_pair *p)
{
    if (!p)
        return;
    cf_buf_clear(&p->key_pem);
    cf_buf_clear(&p->cert_pem);
}
