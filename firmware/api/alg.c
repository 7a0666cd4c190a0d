#include "alg_priv.h"

#include <string.h>

/* clang-format off */
#define RSA      { .type = HAL_RSA }
#define EC(c)    { .type = HAL_EC, .curve = (c) }
#define OCT(n)   { .type = HAL_OCT, .bits = (n) }
#define CRYPT    (API_ALG_ENCRYPT | API_ALG_WRAP)

static const struct api_alg table[] = {
    { "RS256", API_ALG_SIGN, HAL_RSA_PKCS1_SIGN, HAL_SHA256, 32, RSA, API_IV_NONE },
    { "RS384", API_ALG_SIGN, HAL_RSA_PKCS1_SIGN, HAL_SHA384, 48, RSA, API_IV_NONE },
    { "RS512", API_ALG_SIGN, HAL_RSA_PKCS1_SIGN, HAL_SHA512, 64, RSA, API_IV_NONE },
    { "PS256", API_ALG_SIGN, HAL_RSA_PSS, HAL_SHA256, 32, RSA, API_IV_NONE },
    { "PS384", API_ALG_SIGN, HAL_RSA_PSS, HAL_SHA384, 48, RSA, API_IV_NONE },
    { "PS512", API_ALG_SIGN, HAL_RSA_PSS, HAL_SHA512, 64, RSA, API_IV_NONE },
    { "RSNULL", API_ALG_SIGN, HAL_RSA_RAW_PKCS1, HAL_NO_HASH, 0, RSA, API_IV_NONE },
    { "ES256", API_ALG_SIGN, HAL_ECDSA, HAL_SHA256, 32, EC(HAL_P256), API_IV_NONE },
    { "ES256K", API_ALG_SIGN, HAL_ECDSA, HAL_SHA256, 32, EC(HAL_P256K), API_IV_NONE },
    { "ES384", API_ALG_SIGN, HAL_ECDSA, HAL_SHA384, 48, EC(HAL_P384), API_IV_NONE },
    { "ES512", API_ALG_SIGN, HAL_ECDSA, HAL_SHA512, 64, EC(HAL_P521), API_IV_NONE },
    { "HS256", API_ALG_SIGN, HAL_HMAC, HAL_SHA256, 0, OCT(0), API_IV_NONE },
    { "HS384", API_ALG_SIGN, HAL_HMAC, HAL_SHA384, 0, OCT(0), API_IV_NONE },
    { "HS512", API_ALG_SIGN, HAL_HMAC, HAL_SHA512, 0, OCT(0), API_IV_NONE },
    { "RSA-OAEP", CRYPT, HAL_RSA_OAEP, HAL_SHA1, 0, RSA, API_IV_NONE },
    { "RSA-OAEP-256", CRYPT, HAL_RSA_OAEP, HAL_SHA256, 0, RSA, API_IV_NONE },
    { "RSA1_5", CRYPT, HAL_RSA_PKCS1, HAL_NO_HASH, 0, RSA, API_IV_NONE },
    { "A128KW", API_ALG_WRAP, HAL_AES_KW, HAL_NO_HASH, 0, OCT(128), API_IV_NONE },
    { "A192KW", API_ALG_WRAP, HAL_AES_KW, HAL_NO_HASH, 0, OCT(192), API_IV_NONE },
    { "A256KW", API_ALG_WRAP, HAL_AES_KW, HAL_NO_HASH, 0, OCT(256), API_IV_NONE },
    { "CKM_AES_KEY_WRAP", API_ALG_WRAP, HAL_AES_KW, HAL_NO_HASH, 0, OCT(0), API_IV_NONE },
    { "CKM_AES_KEY_WRAP_PAD", API_ALG_WRAP, HAL_AES_KWP, HAL_NO_HASH, 0, OCT(0), API_IV_NONE },
    { "A128GCM", CRYPT, HAL_AES_GCM, HAL_NO_HASH, 0, OCT(128), API_IV_MADE },
    { "A192GCM", CRYPT, HAL_AES_GCM, HAL_NO_HASH, 0, OCT(192), API_IV_MADE },
    { "A256GCM", CRYPT, HAL_AES_GCM, HAL_NO_HASH, 0, OCT(256), API_IV_MADE },
    { "A128CBC", CRYPT, HAL_AES_CBC, HAL_NO_HASH, 0, OCT(128), API_IV_GIVEN },
    { "A192CBC", CRYPT, HAL_AES_CBC, HAL_NO_HASH, 0, OCT(192), API_IV_GIVEN },
    { "A256CBC", CRYPT, HAL_AES_CBC, HAL_NO_HASH, 0, OCT(256), API_IV_GIVEN },
    { "A128CBCPAD", CRYPT, HAL_AES_CBC_PAD, HAL_NO_HASH, 0, OCT(128), API_IV_GIVEN },
    { "A192CBCPAD", CRYPT, HAL_AES_CBC_PAD, HAL_NO_HASH, 0, OCT(192), API_IV_GIVEN },
    { "A256CBCPAD", CRYPT, HAL_AES_CBC_PAD, HAL_NO_HASH, 0, OCT(256), API_IV_GIVEN },
};
/* clang-format on */

const struct api_alg *api_algs(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

const struct api_alg *api_alg_find(const char *name, enum api_alg_use use)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if ((table[i].uses & (unsigned)use) && strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
