#include <p11-kit/pkcs11.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST table;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long open_sessions;

/* One call: what the rules want of it. */
struct call {
    struct shim_action actions[SHIM_ACTIONS];
    unsigned n;
};

static const struct shim_action *wants(const struct call *c, const char *verb)
{
    for (unsigned i = 0; i < c->n; i++)
        if (strcmp(c->actions[i].verb, verb) == 0)
            return &c->actions[i];
    return NULL;
}

/* True when the call is to return *rv at once. */
static bool enter(struct call *c, const char *function, unsigned *counter, CK_RV *rv)
{
    pthread_mutex_lock(&lock);
    unsigned count = ++*counter;
    pthread_mutex_unlock(&lock);
    c->n = shim_rules(function, count, c->actions);
    const struct shim_action *a = wants(c, "rv");
    if (a)
        *rv = a->value;
    return a;
}

static CK_ATTRIBUTE *find(CK_ATTRIBUTE *t, CK_ULONG n, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < n; i++)
        if (t[i].type == type)
            return &t[i];
    return NULL;
}

static bool refused(const struct call *c, CK_ATTRIBUTE *t, CK_ULONG n)
{
    const struct shim_action *a = wants(c, "refuse");
    return a && find(t, n, a->value);
}

#define ENTER(name)                                                                                \
    static unsigned counter;                                                                       \
    struct call c;                                                                                 \
    CK_RV rv_ = CKR_OK;                                                                            \
    if (enter(&c, "C_" #name, &counter, &rv_))                                                     \
    return rv_

/* The call was made, and its answer is changed. */
static CK_RV after(const struct call *c, CK_RV rv)
{
    const struct shim_action *a = wants(c, "after");
    return a && rv == CKR_OK ? a->value : rv;
}

/* RFC 5649 under another number: to and from the one of the module behind. */
static CK_MECHANISM_TYPE inward(const struct call *c, CK_MECHANISM_TYPE m)
{
    const struct shim_action *a = wants(c, "kwp");
    if (!a || (m != a->value && m != CKM_AES_KEY_WRAP_PAD))
        return m;
    return m == a->value ? CKM_AES_KEY_WRAP_PAD : CK_UNAVAILABLE_INFORMATION;
}

#define PASS(name, params, args)                                                                   \
    static CK_RV shim_##name params                                                                \
    {                                                                                              \
        ENTER(name);                                                                               \
        return after(&c, real->C_##name args);                                                     \
    }

PASS(Initialize, (void *a), (a))
PASS(Finalize, (void *a), (a))
PASS(Login, (CK_SESSION_HANDLE s, CK_USER_TYPE u, unsigned char *p, CK_ULONG n), (s, u, p, n))
PASS(DestroyObject, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o), (s, o))
PASS(SetAttributeValue, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t, CK_ULONG n),
     (s, o, t, n))
PASS(FindObjectsInit, (CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n), (s, t, n))
PASS(FindObjects, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *o, CK_ULONG m, CK_ULONG *n), (s, o, m, n))
PASS(Encrypt, (CK_SESSION_HANDLE s, unsigned char *i, CK_ULONG n, unsigned char *o, CK_ULONG *m),
     (s, i, n, o, m))
PASS(DecryptInit, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE k), (s, m, k))
PASS(Decrypt, (CK_SESSION_HANDLE s, unsigned char *i, CK_ULONG n, unsigned char *o, CK_ULONG *m),
     (s, i, n, o, m))
PASS(SignInit, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE k), (s, m, k))
PASS(Sign, (CK_SESSION_HANDLE s, unsigned char *i, CK_ULONG n, unsigned char *o, CK_ULONG *m),
     (s, i, n, o, m))
PASS(GenerateRandom, (CK_SESSION_HANDLE s, unsigned char *o, CK_ULONG n), (s, o, n))
PASS(GenerateKeyPair,
     (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *a, CK_ULONG an, CK_ATTRIBUTE *b,
      CK_ULONG bn, CK_OBJECT_HANDLE *x, CK_OBJECT_HANDLE *y),
     (s, m, a, an, b, bn, x, y))

/* Shows the first slot twice: two tokens that no URI tells apart. */
static CK_RV shim_GetSlotList(unsigned char p, CK_SLOT_ID *s, CK_ULONG *n)
{
    ENTER(GetSlotList);
    CK_RV rv = after(&c, real->C_GetSlotList(p, s, n));
    if (rv == CKR_OK && wants(&c, "twice") && *n) {
        if (s)
            s[*n] = s[0];
        ++*n;
    }
    return rv;
}

static CK_RV shim_GetMechanismList(CK_SLOT_ID id, CK_MECHANISM_TYPE *list, CK_ULONG *n)
{
    ENTER(GetMechanismList);
    const struct shim_action *a = wants(&c, "kwp");
    CK_RV rv = real->C_GetMechanismList(id, list, n);
    for (CK_ULONG i = 0; rv == CKR_OK && list && a && i < *n; i++)
        if (list[i] == CKM_AES_KEY_WRAP_PAD)
            list[i] = a->value;
    return rv;
}

/* CKA_EC_POINT without the OCTET STRING around it. */
static void strip_point(CK_ATTRIBUTE *a)
{
    unsigned char *p = a->pValue;
    CK_ULONG head = p && a->ulValueLen > 3 ? (p[1] == 0x81 ? 3 : 2) : 0;
    memmove(p, p + head, a->ulValueLen - head);
    a->ulValueLen -= head;
}

static CK_RV shim_GetAttributeValue(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t,
                                    CK_ULONG n)
{
    ENTER(GetAttributeValue);
    const struct shim_action *on = wants(&c, "true");
    const struct shim_action *unknown = wants(&c, "unknown");
    CK_RV rv = after(&c, real->C_GetAttributeValue(s, o, t, n));
    for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++) {
        if (on && on->value == t[i].type && t[i].pValue)
            *(CK_BBOOL *)t[i].pValue = CK_TRUE;
        if (t[i].type == CKA_EC_POINT && wants(&c, "rawpoint"))
            strip_point(&t[i]);
        if (unknown && unknown->value == t[i].type) {
            t[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
            rv = CKR_ATTRIBUTE_TYPE_INVALID;
        }
    }
    return rv;
}

static CK_RV shim_WrapKey(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE w,
                          CK_OBJECT_HANDLE k, unsigned char *o, CK_ULONG *n)
{
    ENTER(WrapKey);
    CK_MECHANISM in = *m;
    in.mechanism = inward(&c, m->mechanism);
    return after(&c, real->C_WrapKey(s, &in, w, k, o, n));
}

static CK_RV shim_GetTokenInfo(CK_SLOT_ID id, CK_TOKEN_INFO *info)
{
    ENTER(GetTokenInfo);
    CK_RV rv = real->C_GetTokenInfo(id, info);
    const struct shim_action *flags = wants(&c, "flags");
    const struct shim_action *name = wants(&c, "manufacturer");
    const struct shim_action *max = wants(&c, "maxsessions");
    if (rv == CKR_OK && flags)
        info->flags |= flags->value;
    if (rv == CKR_OK && name) {
        memset(info->manufacturerID, ' ', sizeof info->manufacturerID);
        memcpy(info->manufacturerID, name->text, strlen(name->text) % 32);
    }
    if (rv == CKR_OK && max)
        info->ulMaxRwSessionCount = max->value;
    return rv;
}

static CK_RV shim_OpenSession(CK_SLOT_ID id, CK_FLAGS f, void *app, CK_NOTIFY notify,
                              CK_SESSION_HANDLE *s)
{
    ENTER(OpenSession);
    const struct shim_action *max = wants(&c, "maxsessions");
    pthread_mutex_lock(&lock);
    bool full = max && open_sessions >= max->value;
    open_sessions += !full;
    pthread_mutex_unlock(&lock);
    return full ? CKR_SESSION_COUNT : real->C_OpenSession(id, f, app, notify, s);
}

static CK_RV shim_CloseSession(CK_SESSION_HANDLE s)
{
    ENTER(CloseSession);
    pthread_mutex_lock(&lock);
    open_sessions--;
    pthread_mutex_unlock(&lock);
    return real->C_CloseSession(s);
}

static CK_RV shim_GetMechanismInfo(CK_SLOT_ID id, CK_MECHANISM_TYPE m, CK_MECHANISM_INFO *info)
{
    ENTER(GetMechanismInfo);
    for (unsigned i = 0; i < c.n; i++)
        if (strcmp(c.actions[i].verb, "hide") == 0 && c.actions[i].value == m)
            return CKR_MECHANISM_INVALID;
    return real->C_GetMechanismInfo(id, inward(&c, m), info);
}

static CK_RV shim_CreateObject(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n,
                               CK_OBJECT_HANDLE *o)
{
    ENTER(CreateObject);
    const struct shim_action *loosen = wants(&c, "loosen");
    CK_ATTRIBUTE *flag = loosen ? find(t, n, loosen->value) : NULL;
    CK_BBOOL yes = CK_TRUE;
    if (flag) {
        CK_ATTRIBUTE other[64];
        memcpy(other, t, (n < 64 ? n : 64) * sizeof *t);
        other[flag - t].pValue = &yes;
        return real->C_CreateObject(s, other, n, o);
    }
    return refused(&c, t, n) ? CKR_ATTRIBUTE_TYPE_INVALID
                             : after(&c, real->C_CreateObject(s, t, n, o));
}

static CK_RV shim_GenerateKey(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *t, CK_ULONG n,
                              CK_OBJECT_HANDLE *o)
{
    ENTER(GenerateKey);
    return refused(&c, t, n) ? CKR_ATTRIBUTE_TYPE_INVALID : real->C_GenerateKey(s, m, t, n, o);
}

/* Copies the template without what the rules take away. */
static CK_ULONG thin(const struct call *c, const CK_ATTRIBUTE *t, CK_ULONG n, CK_ATTRIBUTE *out)
{
    CK_ULONG kept = 0;
    for (CK_ULONG i = 0; i < n; i++) {
        bool flag = t[i].type == CKA_SENSITIVE || t[i].type == CKA_EXTRACTABLE;
        bool len = t[i].type == CKA_VALUE_LEN;
        if ((flag && wants(c, "strip")) || (len && wants(c, "wantlen")))
            continue;
        out[kept++] = t[i];
    }
    return kept;
}

static CK_RV shim_UnwrapKey(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE w,
                            unsigned char *in, CK_ULONG len, CK_ATTRIBUTE *t, CK_ULONG n,
                            CK_OBJECT_HANDLE *o)
{
    ENTER(UnwrapKey);
    CK_MECHANISM inner = *m;
    inner.mechanism = inward(&c, m->mechanism);
    CK_ATTRIBUTE kept[64];
    CK_ATTRIBUTE *cls = find(t, n, CKA_CLASS);
    bool secret = cls && *(CK_OBJECT_CLASS *)cls->pValue == CKO_SECRET_KEY;
    if (refused(&c, t, n))
        return CKR_ATTRIBUTE_TYPE_INVALID;
    if (wants(&c, "wantlen") && secret && !find(t, n, CKA_VALUE_LEN))
        return CKR_TEMPLATE_INCOMPLETE;
    CK_ULONG rest = thin(&c, t, n < 64 ? n : 64, kept);
    return after(&c, real->C_UnwrapKey(s, &inner, w, in, len, kept, rest, o));
}

static CK_RV shim_EncryptInit(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE k)
{
    ENTER(EncryptInit);
    if (m->mechanism == CKM_AES_GCM && wants(&c, "writeiv")) {
        CK_GCM_PARAMS *p = m->pParameter;
        static const unsigned char zeros[12];
        if (memcmp(p->pIv, zeros, 12) != 0)
            return CKR_MECHANISM_PARAM_INVALID;
        real->C_GenerateRandom(s, p->pIv, 12);
    }
    return real->C_EncryptInit(s, m, k);
}

static void load(void)
{
    const char *path = getenv("COFFER_SHIM_MODULE");
    void *dl = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    void *sym = dl ? dlsym(dl, "C_GetFunctionList") : NULL;
    CK_C_GetFunctionList get = NULL;
    memcpy(&get, &sym, sizeof get);
    if (!get || get(&real) != CKR_OK)
        abort();
    table = *real;
#define PUT(name) table.C_##name = shim_##name
    PUT(Initialize);
    PUT(Finalize);
    PUT(GetSlotList);
    PUT(GetMechanismList);
    PUT(Login);
    PUT(DestroyObject);
    PUT(GetAttributeValue);
    PUT(SetAttributeValue);
    PUT(FindObjectsInit);
    PUT(FindObjects);
    PUT(Encrypt);
    PUT(DecryptInit);
    PUT(Decrypt);
    PUT(SignInit);
    PUT(Sign);
    PUT(WrapKey);
    PUT(GenerateRandom);
    PUT(GenerateKeyPair);
    PUT(GetTokenInfo);
    PUT(OpenSession);
    PUT(CloseSession);
    PUT(GetMechanismInfo);
    PUT(CreateObject);
    PUT(GenerateKey);
    PUT(UnwrapKey);
    PUT(EncryptInit);
}

static CK_RV shim_GetFunctionList(CK_FUNCTION_LIST **list)
{
    ENTER(GetFunctionList);
    const struct shim_action *null = wants(&c, "null");
    const struct shim_action *version = wants(&c, "version");
    if (null && strcmp(null->text, "C_GetInfo") == 0)
        table.C_GetInfo = NULL;
    if (null && strcmp(null->text, "C_WrapKey") == 0)
        table.C_WrapKey = NULL;
    if (version)
        table.version =
            (CK_VERSION){ (unsigned char)(version->value >> 8), (unsigned char)version->value };
    *list = &table;
    return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return shim_GetFunctionList(list);
}
