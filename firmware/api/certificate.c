#include "listener_priv.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "base/log.h"

#define CHAIN_MAX 8

static gnutls_datum_t datum(const char *text)
{
    /* Read only, through a mutable pointer. */
    return (gnutls_datum_t){ .data = (unsigned char *)(uintptr_t)text,
                             .size = (unsigned)strlen(text) };
}

/* Clients refuse a certificate outside its time, and say so to nobody here. */
static void check_time(gnutls_x509_crt_t first, int64_t now_s)
{
    int64_t from = gnutls_x509_crt_get_activation_time(first);
    int64_t to = gnutls_x509_crt_get_expiration_time(first);
    if (now_s < from || now_s >= to)
        cf_log(
            CF_LOG_WARN, "api", "certificate-not-valid-now",
            "from_s=%lld to_s=%lld now_s=%lld text=\"clients will refuse this server; renew its certificate or "
            "set the clock\"",
            (long long)from, (long long)to, (long long)now_s);
}

enum cf_rc api_certificate_check(const char *cert_pem, const char *key_pem, int64_t now_s,
                                 struct cf_err *e)
{
    gnutls_certificate_credentials_t both = NULL;
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned n = CHAIN_MAX;
    if (!key_pem)
        return CF_FAIL(e, CF_E_INPUT, "the server certificate has no key");
    const gnutls_datum_t cert = datum(cert_pem), key = datum(key_pem);
    int failed = gnutls_x509_crt_list_import(chain, &n, &cert, GNUTLS_X509_FMT_PEM, 0);
    if (failed < 0)
        return CF_FAIL(e, CF_E_INPUT, "the server's certificate is no PEM chain: %s",
                       gnutls_strerror(failed));
    check_time(chain[0], now_s);
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(chain[i]);
    failed = gnutls_certificate_allocate_credentials(&both);
    if (failed >= 0)
        failed = gnutls_certificate_set_x509_key_mem(both, &cert, &key, GNUTLS_X509_FMT_PEM);
    if (both)
        gnutls_certificate_free_credentials(both);
    if (failed == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return CF_FAIL(e, CF_E_INPUT, "the server's key is not that of its certificate");
    return failed < 0 ? CF_FAIL(e, CF_E_INPUT, "the server's key is not usable: %s",
                                gnutls_strerror(failed))
                      : CF_OK;
}
