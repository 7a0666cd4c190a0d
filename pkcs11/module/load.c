#include "module/module_priv.h"

#include <dlfcn.h>
#include <string.h>

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
    if (!m->fn || m->fn->version.major != 2)
        return CF_FAIL(e, CF_E_LIMIT, "%s offers no PKCS#11 2.x function list", path);
    return CF_OK;
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
        return P11_RV_FAIL(e, "C_Initialize", rv);
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
