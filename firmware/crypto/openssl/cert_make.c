/* The certificates a bench needs: an authority, servers, clients, officers. */
#include <arpa/inet.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "crypto/cert.h"
#include "ossl_priv.h"

#define OFFICER_RSA_BITS 3072
#define DAYS_MAX         36500

/* What is being made, and what signs it. */
struct work {
    const struct crypto_cert_order *order;
    EVP_PKEY *key;
    X509 *cert;
    EVP_PKEY *issuer_key;
    X509 *issuer_cert;
};

static bool self_signed(enum crypto_cert_kind k)
{
    return k == CRYPTO_CERT_CA || k == CRYPTO_CERT_OFFICER;
}

static enum cf_rc read_issuer(struct work *w, const struct crypto_cert_pair *issuer,
                              struct cf_err *e)
{
    BIO *key = BIO_new_mem_buf(issuer->key_pem.data, (int)issuer->key_pem.len);
    BIO *cert = BIO_new_mem_buf(issuer->cert_pem.data, (int)issuer->cert_pem.len);
    if (key && cert) {
        w->issuer_key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
        w->issuer_cert = PEM_read_bio_X509(cert, NULL, NULL, NULL);
    }
    BIO_free(cert);
    BIO_free(key);
    return w->issuer_key && w->issuer_cert
               ? CF_OK
               : OSSL_FAIL(e, CF_E_INPUT, "issuer's key or certificate");
}

static enum cf_rc add_extension(struct work *w, int nid, const char *value, struct cf_err *e)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, w->issuer_cert ? w->issuer_cert : w->cert, w->cert, NULL, NULL, 0);
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    enum cf_rc rc = x && X509_add_ext(w->cert, x, -1) == 1
                        ? CF_OK
                        : OSSL_FAIL(e, CF_E_INPUT, "certificate extension");
    X509_EXTENSION_free(x);
    return rc;
}

/* A name that cannot reach into the syntax of OpenSSL's extension text. */
static bool name_fits(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:*_";
    size_t len = strlen(name);
    return len > 0 && len < 254 && strspn(name, allowed) == len;
}

static enum cf_rc add_names(struct work *w, struct cf_err *e)
{
    struct cf_buf text = { 0 };
    const char *value = NULL;
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; i < w->order->names_len && rc == CF_OK; i++) {
        const char *name = w->order->names[i];
        uint8_t address[16];
        bool ip = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
        if (!name_fits(name))
            rc = CF_FAIL(e, CF_E_INPUT, "'%.40s' cannot stand in a certificate", name);
        else
            rc = cf_buf_printf(&text, e, "%s%s:%s", i ? "," : "", ip ? "IP" : "DNS", name);
    }
    if (rc == CF_OK)
        rc = cf_buf_text(&text, &value, e);
    if (rc == CF_OK && text.len)
        rc = add_extension(w, NID_subject_alt_name, value, e);
    cf_buf_clear(&text);
    return rc;
}

static enum cf_rc add_extensions(struct work *w, struct cf_err *e)
{
    enum crypto_cert_kind k = w->order->kind;
    const char *usage = k == CRYPTO_CERT_CA        ? "critical,keyCertSign,cRLSign"
                        : k == CRYPTO_CERT_OFFICER ? "critical,keyEncipherment,digitalSignature"
                                                   : "critical,digitalSignature";
    enum cf_rc rc =
        add_extension(w, NID_basic_constraints,
                      k == CRYPTO_CERT_CA ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE", e);
    if (rc == CF_OK)
        rc = add_extension(w, NID_key_usage, usage, e);
    if (rc == CF_OK && !self_signed(k))
        rc = add_extension(w, NID_ext_key_usage,
                           k == CRYPTO_CERT_SERVER ? "serverAuth" : "clientAuth", e);
    if (rc == CF_OK)
        rc = add_extension(w, NID_subject_key_identifier, "hash", e);
    if (rc == CF_OK && !self_signed(k))
        rc = add_extension(w, NID_authority_key_identifier, "keyid", e);
    return rc == CF_OK ? add_names(w, e) : rc;
}

static bool set_head(struct work *w)
{
    uint8_t serial[16];
    if (RAND_bytes(serial, sizeof serial) != 1)
        return false;
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40); /* positive, of full length */
    BIGNUM *n = BN_bin2bn(serial, sizeof serial, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(w->cert));
    BN_free(n);
    X509_NAME *name = X509_get_subject_name(w->cert);
    time_t now = (time_t)w->order->now;
    return ok && X509_set_version(w->cert, X509_VERSION_3) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                      (const uint8_t *)w->order->common_name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(w->cert, w->issuer_cert ? X509_get_subject_name(w->issuer_cert)
                                                        : name) == 1 &&
           X509_time_adj_ex(X509_getm_notBefore(w->cert), 0, -3600, &now) &&
           X509_time_adj_ex(X509_getm_notAfter(w->cert), (int)w->order->days, 0, &now) &&
           X509_set_pubkey(w->cert, w->key) == 1;
}

static enum cf_rc write_pem(struct work *w, struct crypto_cert_pair *out, struct cf_err *e)
{
    char *text = NULL;
    BIO *key = BIO_new(BIO_s_secmem()), *cert = BIO_new(BIO_s_mem());
    enum cf_rc rc = CF_OK;
    if (!key || !cert ||
        PEM_write_bio_PKCS8PrivateKey(key, w->key, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_X509(cert, w->cert) != 1)
        rc = OSSL_FAIL(e, CF_E_LIMIT, "writing PEM");
    if (rc == CF_OK) {
        long len = BIO_get_mem_data(key, &text);
        rc = cf_buf_put(&out->key_pem, text, (size_t)len, e);
    }
    if (rc == CF_OK) {
        long len = BIO_get_mem_data(cert, &text);
        rc = cf_buf_put(&out->cert_pem, text, (size_t)len, e);
    }
    BIO_free(cert);
    BIO_free(key);
    return rc;
}

static enum cf_rc make(struct work *w, struct crypto_cert_pair *out, struct cf_err *e)
{
    bool officer = w->order->kind == CRYPTO_CERT_OFFICER;
    w->key = officer ? EVP_RSA_gen(OFFICER_RSA_BITS) : EVP_EC_gen("P-256");
    w->cert = X509_new();
    if (!w->key || !w->cert || !set_head(w))
        return OSSL_FAIL(e, CF_E_INPUT, "making a certificate");
    enum cf_rc rc = add_extensions(w, e);
    if (rc != CF_OK)
        return rc;
    if (X509_sign(w->cert, w->issuer_key ? w->issuer_key : w->key, EVP_sha256()) <= 0)
        return OSSL_FAIL(e, CF_E_LIMIT, "signing a certificate");
    return write_pem(w, out, e);
}

enum cf_rc crypto_cert_make(const struct crypto_cert_order *o,
                            const struct crypto_cert_pair *issuer, struct crypto_cert_pair *out,
                            struct cf_err *e)
{
    struct work w = { .order = o };
    enum cf_rc rc = CF_OK;
    if (self_signed(o->kind) != (issuer == NULL) || o->days == 0 || o->days > DAYS_MAX)
        return CF_FAIL(e, CF_E_ARG, "bad certificate order");
    if (issuer)
        rc = read_issuer(&w, issuer, e);
    if (rc == CF_OK)
        rc = make(&w, out, e);
    if (rc != CF_OK)
        crypto_cert_pair_clear(out);
    X509_free(w.issuer_cert);
    EVP_PKEY_free(w.issuer_key);
    X509_free(w.cert);
    EVP_PKEY_free(w.key);
    return rc;
}
