/* A fresh token for a bench: what pkcs11-tool --init-token --init-pin does, without a PIN on a
 * command line. */
#include "p11/p11.h"

#include <string.h>

#include "module/module_priv.h"

#define SLOTS_MAX 256

/* The first slot whose token is not initialised yet. */
static enum cf_rc find_blank(const struct p11_module *m, CK_SLOT_ID *out, struct cf_err *e)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    CK_RV rv = m->fn->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK)
        return P11_RV_FAIL(e, "C_GetSlotList", rv);
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        if (m->fn->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
            !(info.flags & CKF_TOKEN_INITIALIZED)) {
            *out = slots[i];
            return CF_OK;
        }
    }
    return CF_FAIL(e, CF_E_TOKEN, "the module has no slot with a blank token");
}

static enum cf_rc set_pin(const struct p11_module *m, CK_SLOT_ID slot, const struct cf_secret *pin,
                          struct cf_err *e)
{
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;
    CK_UTF8CHAR *digits = p11_mut(cf_secret_view(pin));
    CK_ULONG len = cf_secret_len(pin);
    CK_RV rv = m->fn->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s);
    if (rv != CKR_OK)
        return P11_RV_FAIL(e, "C_OpenSession", rv);
    enum cf_rc rc = CF_OK;
    rv = m->fn->C_Login(s, CKU_SO, digits, len);
    if (rv != CKR_OK)
        rc = P11_RV_FAIL(e, "C_Login", rv);
    if (rc == CF_OK && (rv = m->fn->C_InitPIN(s, digits, len)) != CKR_OK)
        rc = P11_RV_FAIL(e, "C_InitPIN", rv);
    (void)m->fn->C_CloseSession(s);
    return rc;
}

enum cf_rc p11_token_init(const char *module, const char *label, const struct cf_secret *pin,
                          struct cf_err *e)
{
    struct p11_module m = { 0 };
    CK_SLOT_ID slot = 0;
    CK_UTF8CHAR padded[32];
    size_t len = strlen(label);
    if (len > sizeof padded)
        return CF_FAIL(e, CF_E_ARG, "a token's label has at most 32 bytes");
    memset(padded, ' ', sizeof padded);
    for (size_t i = 0; i < len; i++)
        padded[i] = (CK_UTF8CHAR)label[i];
    enum cf_rc rc = p11_module_load(&m, module, e);
    if (rc == CF_OK && (!m.fn->C_InitToken || !m.fn->C_InitPIN))
        rc = CF_FAIL(e, CF_E_LIMIT, "the module cannot make a token");
    if (rc == CF_OK)
        rc = find_blank(&m, &slot, e);
    if (rc == CF_OK) {
        CK_RV rv =
            m.fn->C_InitToken(slot, p11_mut(cf_secret_view(pin)), cf_secret_len(pin), padded);
        if (rv != CKR_OK)
            rc = P11_RV_FAIL(e, "C_InitToken", rv);
    }
    if (rc == CF_OK)
        rc = set_pin(&m, slot, pin, e);
    p11_module_close(&m);
    return rc;
}
