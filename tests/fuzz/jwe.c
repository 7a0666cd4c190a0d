/* No JWE crashes the reader; the decryption callback sees only sizes that were checked. */
#include <stdlib.h>
#include <string.h>

#include "jose/jose.h"

/* Stands for a private key: gives a content key of whatever length came in. */
static enum cf_rc echo(void *ctx, enum hal_mech mech, enum hal_hash h, struct crypto_bytes in,
                       struct cf_buf *cek, struct cf_err *e)
{
    (void)ctx;
    if (mech != HAL_RSA_OAEP || (h != HAL_SHA1 && h != HAL_SHA256) || in.len == 0)
        abort();
    return cf_buf_put(cek, in.p, in.len, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t cek[CRYPTO_CBCHS_KEY_SIZE];
    struct jose_dir d = { .cek = cek, .kid = "hsm_backup" };
    struct cf_secret *plain = NULL;
    struct cf_err err = { 0 };
    if (jose_jwe_open_dir(&d, (const char *)data, size, &plain, &err) != CF_OK && plain)
        abort();
    cf_secret_free(plain);
    if (jose_jwe_open_rsa((const char *)data, size, echo, NULL, &plain, &err) != CF_OK && plain)
        abort();
    cf_secret_free(plain);
    return 0;
}
