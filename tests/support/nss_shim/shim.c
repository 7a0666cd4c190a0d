#include <p11-kit/pkcs11.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NSS's CK_C_INITIALIZE_ARGS has one field more, before the last. */
struct nss_args {
    void *mutexes[4];
    CK_FLAGS flags;
    char *parameters;
    void *reserved;
};

#define SLOT_OF_KEYS 2

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST table;

static CK_RV give_pin(const char *pin)
{
    CK_SESSION_HANDLE s;
    CK_TOKEN_INFO info;
    CK_RV rv = real->C_GetTokenInfo(SLOT_OF_KEYS, &info);
    if (rv != CKR_OK || (info.flags & CKF_USER_PIN_INITIALIZED))
        return rv;
    rv = real->C_OpenSession(SLOT_OF_KEYS, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s);
    if (rv != CKR_OK)
        return rv;
    unsigned char none[1] = { 0 };
    rv = real->C_Login(s, CKU_SO, none, 0);
    if (rv == CKR_OK)
        rv = real->C_InitPIN(s, (unsigned char *)pin, strlen(pin));
    real->C_Logout(s);
    real->C_CloseSession(s);
    return rv;
}

static CK_RV shim_Initialize(void *args)
{
    char parameters[1024];
    const char *dir = getenv("COFFER_NSS_DIR");
    const char *pin = getenv("COFFER_NSS_PIN");
    (void)args;
    snprintf(parameters, sizeof parameters,
             "configdir='sql:%s' certPrefix='' keyPrefix='' secmod='' flags=", dir ? dir : ".");
    struct nss_args a = { .flags = CKF_OS_LOCKING_OK, .parameters = parameters };
    CK_RV rv = real->C_Initialize(&a);
    return rv == CKR_OK && pin ? give_pin(pin) : rv;
}

static void load(void)
{
    void *dl = dlopen("libsoftokn3.so", RTLD_NOW | RTLD_LOCAL);
    void *sym = dl ? dlsym(dl, "C_GetFunctionList") : NULL;
    CK_C_GetFunctionList get = NULL;
    memcpy(&get, &sym, sizeof get);
    if (!get || get(&real) != CKR_OK)
        return;
    table = *real;
    table.C_Initialize = shim_Initialize;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    *list = &table;
    return real ? CKR_OK : CKR_FUNCTION_NOT_SUPPORTED;
}
