/* A file of its own, as in mbedtls/: a program that links that provider before this one takes
 * nothing from here twice. */
#include <assert.h>

#include "ossl_priv.h"

enum cf_rc crypto_verify(enum crypto_sig alg, struct crypto_bytes spki, struct crypto_bytes digest,
                         struct crypto_bytes sig, struct cf_err *e)
{
    struct crypto_pkey *k = NULL;
    enum cf_rc rc = crypto_pkey_new(spki, &k, e);
    if (rc != CF_OK)
        return rc;
    assert(k);
    rc = crypto_pkey_verify(k, alg, digest, sig, e);
    crypto_pkey_free(k);
    return rc;
}
