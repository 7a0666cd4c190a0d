/*
 * The vendor's module: loading it, what its return values mean, what is known to be odd about it.
 * Worker process only. Threads: load and close from the main thread; the rest from any.
 */
#ifndef P11_MODULE_PRIV_H
#define P11_MODULE_PRIV_H

#include "module/cryptoki.h"

#include <stdbool.h>

#include "base/err.h"

/* Numbers that the 2.40 header lacks (tokens document 1.2 and 3). */
#define P11_CKM_AES_KWP_V3        0x210bUL     /* CKM_AES_KEY_WRAP_KWP of PKCS#11 3.0 */
#define P11_CKM_LUNA_AES_KWP      0x80000171UL /* Thales Luna, older clients */
#define P11_CKM_CLOUDHSM_ZERO_PAD 0x8000216fUL /* AWS CloudHSM */
#define P11_CKA_NSS_DB            0xd5a0db00UL /* public point, for NSS's C_UnwrapKey */

struct p11_module {
    void *dl;
    CK_FUNCTION_LIST *fn;
    bool mine; /* C_Initialize was ours, so C_Finalize is too */
};

/* dlopen, C_GetFunctionList, C_Initialize with OS locking. */
CF_CHECK enum cf_rc p11_module_load(struct p11_module *m, const char *path, struct cf_err *e);
void p11_module_close(struct p11_module *m); /* finalises; never unloads: exit handlers crash */

/* What a return value asks for (tokens document 2.1). */
enum p11_class {
    P11_FINE,
    P11_REQUEST, /* the request is at fault: no retry */
    P11_DEVICE,  /* device or request, only a liveness test can tell */
    P11_LOST,    /* session, login or token is gone: start over */
};

struct p11_rv {
    CK_RV rv;
    const char *name;
    enum p11_class cls;
    enum cf_rc rc;
};

/* Never NULL: values that are not in the table share one row of class P11_DEVICE. */
const struct p11_rv *p11_rv_find(CK_RV rv);

/* "C_Sign: CKR_DEVICE_ERROR (0x30)", with the class's rc and the number in `native`. */
enum cf_rc p11_rv_fail(struct cf_err *e, const char *where, const char *call, CK_RV rv);
#define P11_RV_FAIL(e, call, rv) p11_rv_fail((e), CF_HERE, (call), (rv))

/* Was it the template that the token did not like? Then the next rung may do. */
bool p11_rv_is_template(CK_RV rv);

/* What no probe can find out. Zero is the ordinary token. */
struct p11_quirk {
    const char *manufacturer; /* start of CK_TOKEN_INFO.manufacturerID */
    const char *model;        /* start of CK_TOKEN_INFO.model; "" matches all */
    bool gcm_iv_written;      /* the token makes the IV and writes it over twelve zero bytes */
    CK_ULONG max_data;        /* bytes in one call; 0: no limit known */
};
const struct p11_quirk *p11_quirk_find(const CK_TOKEN_INFO *info); /* never NULL */

/* Cryptoki takes pointers to non-const for input that it does not change. */
void *p11_mut(const void *p);

#endif
