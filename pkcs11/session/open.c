#include "session/session_priv.h"

#include <stdlib.h>

#include "base/secret.h"

#define MECHS_MAX 4096

static enum cf_rc read_mechanisms(struct p11_core *core, struct cf_err *e)
{
    CK_ULONG n = MECHS_MAX; /* ample, since the answer to a question for the number may be wrong */
    core->mechs = calloc(MECHS_MAX, sizeof *core->mechs);
    if (!core->mechs)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the mechanism list");
    CK_RV rv = core->fn->C_GetMechanismList(core->slot, core->mechs, &n);
    if (rv != CKR_OK)
        return P11_RV_FAIL(e, "C_GetMechanismList", rv);
    if (n == 0 || n > MECHS_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "the token claims %lu mechanisms", n);
    core->mechs_len = n;
    return CF_OK;
}

bool p11_has_mech(const struct p11_core *core, CK_MECHANISM_TYPE m, CK_FLAGS need)
{
    CK_MECHANISM_INFO info;
    for (CK_ULONG i = 0; i < core->mechs_len; i++)
        if (core->mechs[i] == m)
            return core->fn->C_GetMechanismInfo(core->slot, m, &info) == CKR_OK &&
                   (info.flags & need) == need;
    return false;
}

static CK_RV open_session(struct p11_core *core, CK_SESSION_HANDLE *out)
{
    return core->fn->C_OpenSession(core->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                   out);
}

/* One try, and none where a failure would cost the last one (tokens document 2.1, PIN). */
static enum cf_rc login(struct p11_core *core, struct crypto_bytes pin, struct cf_err *e)
{
    CK_FLAGS f = core->token.flags;
    if (!(f & CKF_LOGIN_REQUIRED))
        return CF_OK;
    if (f & CKF_USER_PIN_LOCKED)
        return CF_FAIL(e, CF_E_DENIED,
                       "the token's PIN is locked; the token's owner must reset it");
    if (f & CKF_USER_PIN_FINAL_TRY)
        return CF_FAIL(e, CF_E_DENIED,
                       "one PIN try is left on the token and is not risked; log in "
                       "once with the vendor's tool");
    if (!pin.len && !(f & CKF_PROTECTED_AUTHENTICATION_PATH))
        return CF_FAIL(e, CF_E_DENIED, "the token wants a PIN and none was given");
    CK_RV rv = core->fn->C_Login(core->anchor, CKU_USER, pin.len ? p11_mut(pin.p) : NULL, pin.len);
    if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
        return P11_RV_FAIL(e, "C_Login", rv);
    return CF_OK;
}

/* As many as are wanted and granted; one besides the anchor is enough to work. */
static enum cf_rc open_sessions(struct p11_core *core, uint32_t want, struct cf_err *e)
{
    CK_ULONG cap = core->token.ulMaxRwSessionCount;
    /* 0, -1 and -2 all mean "not known" somewhere. */
    if (cap > 1 && cap < (CK_ULONG)-2 && cap - 1 < want)
        want = (uint32_t)(cap - 1);
    CK_RV rv = CKR_OK;
    while (core->sessions_len < want && rv == CKR_OK) {
        rv = open_session(core, &core->sessions[core->sessions_len]);
        if (rv == CKR_OK)
            core->sessions_len++;
    }
    if (core->sessions_len == 0 && rv == CKR_SESSION_COUNT)
        return CF_FAIL(e, CF_E_LIMIT, "the token grants one session; two are needed");
    return core->sessions_len ? CF_OK : P11_RV_FAIL(e, "C_OpenSession", rv);
}

enum cf_rc p11_core_open(struct p11_core *core, const struct p11_setup *s, struct cf_err *e)
{
    pthread_mutex_init(&core->anchor_lock, NULL);
    pthread_mutex_init(&core->objects_lock, NULL);
    pthread_mutex_init(&core->ferry_lock, NULL);
    pthread_mutex_init(&core->keys.lock, NULL);
    core->recycle_after = s->recycle_after;

    enum cf_rc rc = p11_module_load(&core->module, s->module, e);
    if (rc != CF_OK)
        return rc;
    core->fn = core->module.fn;
    rc = p11_slot_find(core, s->token_uri, e);
    if (rc != CF_OK)
        return rc;
    core->quirk = p11_quirk_find(&core->token);
    rc = read_mechanisms(core, e);
    if (rc != CF_OK)
        return rc;
    CK_RV rv = open_session(core, &core->anchor);
    if (rv != CKR_OK)
        return P11_RV_FAIL(e, "C_OpenSession", rv);
    rc = login(core, s->pin, e);
    return rc != CF_OK ? rc : open_sessions(core, s->max_sessions, e);
}

void p11_core_close(struct p11_core *core)
{
    if (core->fn && core->anchor != CK_INVALID_HANDLE)
        (void)core->fn->C_CloseAllSessions(core->slot);
    p11_module_close(&core->module);
    cf_secret_free(core->ferry.value);
    free(core->mechs);
    core->mechs = NULL;
}

enum cf_rc p11_ctx_fail(struct p11_ctx *c, struct cf_err *e, const char *where, const char *call,
                        CK_RV rv)
{
    enum p11_class cls = p11_rv_find(rv)->cls;
    if (cls > c->worst)
        c->worst = cls;
    return p11_rv_fail(e, where, call, rv);
}

enum cf_rc p11_ctx_ready(struct p11_ctx *c, struct cf_err *e)
{
    bool stale = c->worst != P11_FINE || c->s == CK_INVALID_HANDLE;
    c->worst = P11_FINE;
    p11_blame(c, CF_E_TOKEN, "");
    if (!stale)
        return CF_OK;
    /* An operation may still be under way in it; closing is the one way out everywhere. */
    if (c->s != CK_INVALID_HANDLE)
        (void)c->fn->C_CloseSession(c->s);
    c->s = CK_INVALID_HANDLE;
    CK_RV rv = open_session(c->core, &c->s);
    if (rv == CKR_OK)
        return CF_OK;
    c->s = CK_INVALID_HANDLE;
    return P11_FAIL(c, e, "C_OpenSession", rv);
}
