/* No certificate crashes the reader, as DER or within PEM; what it takes has a key and times. */
#include <stdlib.h>
#include <string.h>

#include "crypto/cert.h"

static void read_der(struct crypto_bytes der)
{
    struct crypto_cert c = { .not_before = 0 };
    struct cf_err err = { 0 };
    if (crypto_cert_parse(der, &c, &err) != CF_OK)
        return;
    if (der.len > CRYPTO_CERT_MAX || memchr(c.common_name, 0, sizeof c.common_name) == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cf_buf der = { 0 };
    read_der(crypto_bytes_of(data, size));
    if (crypto_cert_from_pem(crypto_bytes_of(data, size), &der, NULL) == CF_OK)
        read_der(crypto_bytes_of(der.data, der.len));
    cf_buf_clear(&der);
    return 0;
}
