#include "ossl_priv.h"

#include <openssl/err.h>
#include <openssl/objects.h>

enum cf_rc ossl_fail(struct cf_err *e, enum cf_rc rc, const char *where, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    cf_err_set(e, rc, CF_SRC_NONE, 0, where, "%s%s%s", what, reason ? ": " : "",
               reason ? reason : "");
    ERR_clear_error();
    return rc;
}

const EVP_MD *ossl_md(enum hal_hash h)
{
    switch (h) {
    case HAL_SHA1:
        return EVP_sha1();
    case HAL_SHA256:
        return EVP_sha256();
    case HAL_SHA384:
        return EVP_sha384();
    case HAL_SHA512:
        return EVP_sha512();
    case HAL_NO_HASH:
        break;
    }
    return NULL;
}

int ossl_curve_nid(enum hal_curve c)
{
    switch (c) {
    case HAL_P256:
        return NID_X9_62_prime256v1;
    case HAL_P256K:
        return NID_secp256k1;
    case HAL_P384:
        return NID_secp384r1;
    case HAL_P521:
        return NID_secp521r1;
    }
    return NID_undef;
}

const char *ossl_curve_group(enum hal_curve c)
{
    int nid = ossl_curve_nid(c);
    return nid == NID_undef ? NULL : OBJ_nid2sn(nid);
}
