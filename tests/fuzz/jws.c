/* No token crashes the reader, and none that was not signed opens. */
#include <stdlib.h>
#include <string.h>

#include "jose/jose.h"

/* d = 1: a key that nobody signs with. */
static struct crypto_pkey *make_key(void)
{
    uint8_t d[32] = { 0 }, point[CRYPTO_P256_POINT_SIZE];
    struct cf_buf spki = { 0 };
    struct crypto_pkey *k = NULL;
    d[31] = 1;
    if (crypto_p256_point(d, point, NULL) != CF_OK ||
        crypto_p256_spki(point, &spki, NULL) != CF_OK ||
        crypto_pkey_new(crypto_bytes_of(spki.data, spki.len), &k, NULL) != CF_OK)
        abort();
    cf_buf_clear(&spki);
    return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crypto_pkey *key;
    struct cf_err err = { 0 };
    struct jose_head head;
    char iss[JOSE_ID_MAX + 1];
    struct cf_buf out = { 0 };
    if (!key)
        key = make_key();
    const char *text = (const char *)data;
    if (jose_jws_head(text, size, &head, &err) == CF_OK &&
        (!jose_alg_name(head.alg) || strlen(head.kid) > JOSE_ID_MAX))
        abort();
    (void)!jose_jws_issuer(text, size, iss, &err);
    if (jose_jws_open(text, size, key, &out, &err) == CF_OK)
        abort();
    cf_buf_clear(&out);
    return 0;
}
