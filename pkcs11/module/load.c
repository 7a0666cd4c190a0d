#include "module/module_priv.h"

#include <dlfcn.h>
#include <string.h>

/* Every call that the worker makes. The standard wants a stub where a token cannot; a null pointer
 * in the list is a module that does not keep to it, and would take the worker down in use. */
static enum cf_rc check_calls(const CK_FUNCTION_LIST *f, const char *path, struct cf_err *e)
{
#define CALL(name)                                                                                 \
    {                                                                                              \
#name, f->name != NULL                                                                     \
    }
    const struct {
        const char *name;
        bool there;
    } calls[] = {
        CALL(C_Initialize),
        CALL(C_Finalize),
        CALL(C_GetInfo),
        CALL(C_GetSlotList),
        CALL(C_GetSlotInfo),
        CALL(C_GetTokenInfo),
        CALL(C_GetMechanismList),
        CALL(C_GetMechanismInfo),
        CALL(C_OpenSession),
        CALL(C_CloseSession),
        CALL(C_CloseAllSessions),
        CALL(C_Login),
        CALL(C_CreateObject),
        CALL(C_DestroyObject),
        CALL(C_GetAttributeValue),
        CALL(C_SetAttributeValue),
        CALL(C_FindObjectsInit),
        CALL(C_FindObjects),
        CALL(C_FindObjectsFinal),
        CALL(C_EncryptInit),
        CALL(C_Encrypt),
        CALL(C_DecryptInit),
        CALL(C_Decrypt),
        CALL(C_SignInit),
        CALL(C_Sign),
        CALL(C_SignUpdate),
        CALL(C_SignFinal),
        CALL(C_GenerateKey),
        CALL(C_GenerateKeyPair),
        CALL(C_WrapKey),
        CALL(C_UnwrapKey),
        CALL(C_GenerateRandom),
    };
#undef CALL
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (!calls[i].there)
            return CF_FAIL(e, CF_E_LIMIT, "%s lacks the function %s", path, calls[i].name);
    return CF_OK;
}

static enum cf_rc load(struct p11_module *m, const char *path, struct cf_err *e)
{
    m->dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!m->dl)
        return CF_FAIL(e, CF_E_TOKEN, "cannot load the PKCS#11 module: %s", dlerror());

    CK_C_GetFunctionList get = NULL;
    void *sym = dlsym(m->dl, "C_GetFunctionList");
    memcpy(&get, &sym, sizeof get); /* ISO C has no cast from object to function pointer */
    if (!get)
        return CF_FAIL(e, CF_E_TOKEN, "%s is no PKCS#11 module: it has no C_GetFunctionList", path);
    CK_RV rv = get(&m->fn);
    if (rv != CKR_OK)
        return P11_RV_FAIL(e, "C_GetFunctionList", rv);
    /* A list of 3.x begins as one of 2.40 does. */
    if (!m->fn || m->fn->version.major < 2 || m->fn->version.major > 3)
        return CF_FAIL(e, CF_E_LIMIT, "%s offers no PKCS#11 2.x or 3.x function list", path);
    return check_calls(m->fn, path, e);
}

enum cf_rc p11_module_load(struct p11_module *m, const char *path, struct cf_err *e)
{
    enum cf_rc rc = load(m, path, e);
    if (rc != CF_OK)
        return rc;
    CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
    CK_RV rv = m->fn->C_Initialize(&args);
    if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED)
        return CF_OK;
    if (rv != CKR_OK)
        return cf_err_ctx(
            e, P11_RV_FAIL(e, "C_Initialize", rv),
            "the module does not start; look at its configuration, daemon and device");
    m->mine = true;
    return CF_OK;
}

void p11_module_close(struct p11_module *m)
{
    if (m->fn && m->mine)
        (void)m->fn->C_Finalize(NULL);
    m->mine = false;
}

void *p11_mut(const void *p)
{
    void *q = NULL;
    memcpy(&q, &p, sizeof q);
    return q;
}
