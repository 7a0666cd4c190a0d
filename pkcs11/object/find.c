#include "object/object_priv.h"

#include "base/secret.h"

enum cf_rc p11_find(struct p11_ctx *c, CK_OBJECT_CLASS cls, const uint8_t id[P11_ID_SIZE],
                    CK_OBJECT_HANDLE *out, struct cf_err *e)
{
    struct p11_tmpl t = { .n = 0 };
    CK_OBJECT_HANDLE found[2];
    CK_ULONG n = 0;
    *out = CK_INVALID_HANDLE;
    p11_tmpl_num(&t, CKA_CLASS, cls);
    p11_tmpl_bool(&t, CKA_TOKEN, true);
    p11_tmpl_bytes(&t, CKA_ID, id, P11_ID_SIZE);

    CK_RV rv = c->fn->C_FindObjectsInit(c->s, t.a, t.n);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, "C_FindObjectsInit", rv);
    rv = c->fn->C_FindObjects(c->s, found, 2, &n);
    CK_RV end = c->fn->C_FindObjectsFinal(c->s);
    if (rv != CKR_OK)
        return P11_FAIL(c, e, "C_FindObjects", rv);
    if (end != CKR_OK)
        return P11_FAIL(c, e, "C_FindObjectsFinal", end);
    if (n > 1)
        return CF_FAIL(e, CF_E_STATE, "two objects of one class and CKA_ID in the token");
    if (n == 1)
        *out = found[0];
    return CF_OK;
}

void p11_destroy(struct p11_ctx *c, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE h)
{
    if (h == CK_INVALID_HANDLE)
        return;
    /* Where that fails, the object goes with its session, which is given up before the next use. */
    if (c->fn->C_DestroyObject(session, h) != CKR_OK && c->worst == P11_FINE)
        c->worst = P11_REQUEST;
}

enum cf_rc p11_attr(struct p11_ctx *c, CK_OBJECT_HANDLE h, CK_ATTRIBUTE_TYPE type,
                    struct cf_buf *out, struct cf_err *e)
{
    uint8_t room[P11_ATTR_ROOM];
    CK_ATTRIBUTE a = { .type = type, .pValue = room, .ulValueLen = sizeof room };
    CK_RV rv = c->fn->C_GetAttributeValue(c->s, h, &a, 1);
    enum cf_rc rc = CF_OK;
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
        (rv == CKR_OK && (a.ulValueLen == 0 || a.ulValueLen > sizeof room)))
        rc = CF_FAIL(e, CF_E_ABSENT, "the token does not tell attribute 0x%lx", type);
    else if (rv != CKR_OK)
        rc = P11_FAIL(c, e, "C_GetAttributeValue", rv);
    else
        rc = cf_buf_put(out, room, a.ulValueLen, e);
    cf_wipe(room, sizeof room);
    return rc;
}

/* `*on` comes in as what counts where the token does not know the flag. */
static enum cf_rc read_flag(struct p11_ctx *c, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE h,
                            CK_ATTRIBUTE_TYPE type, bool *on, struct cf_err *e)
{
    CK_BBOOL room[64] = { 0 };
    CK_ATTRIBUTE a = { .type = type, .pValue = room, .ulValueLen = sizeof room };
    CK_RV rv = c->fn->C_GetAttributeValue(session, h, &a, 1);
    if (rv != CKR_OK && rv != CKR_ATTRIBUTE_TYPE_INVALID)
        return P11_FAIL(c, e, "C_GetAttributeValue", rv);
    if (rv == CKR_OK && a.ulValueLen == 1)
        *on = room[0];
    return CF_OK;
}

static const struct {
    CK_ATTRIBUTE_TYPE type;
    unsigned use;
} uses[] = {
    { CKA_SIGN, P11_USE_SIGN }, { CKA_ENCRYPT, P11_USE_ENCRYPT }, { CKA_DECRYPT, P11_USE_DECRYPT },
    { CKA_WRAP, P11_USE_WRAP }, { CKA_UNWRAP, P11_USE_UNWRAP },   { CKA_DERIVE, 0 },
};

/* Is the key as closed as the shape says, in so many words, and, for one that stays, good for
 * nothing else? A use that the token has never heard of is not open. */
enum cf_rc p11_judge(struct p11_ctx *c, CK_SESSION_HANDLE session, const struct p11_shape *s,
                     CK_OBJECT_HANDLE h, bool *fine, struct cf_err *e)
{
    bool on = !s->sensitive;
    enum cf_rc rc = read_flag(c, session, h, CKA_SENSITIVE, &on, e);
    *fine = on == s->sensitive;
    on = !s->extractable;
    if (rc == CF_OK)
        rc = read_flag(c, session, h, CKA_EXTRACTABLE, &on, e);
    *fine = *fine && on == s->extractable;
    for (size_t i = 0; s->token && i < sizeof uses / sizeof uses[0] && rc == CF_OK; i++) {
        on = false;
        rc = read_flag(c, session, h, uses[i].type, &on, e);
        *fine = *fine && (!on || (s->use & uses[i].use));
    }
    return rc;
}

static void set_flag(struct p11_ctx *c, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE h,
                     CK_ATTRIBUTE_TYPE type, bool v)
{
    struct p11_tmpl t = { .n = 0 };
    p11_tmpl_bool(&t, type, v);
    (void)c->fn->C_SetAttributeValue(session, h, t.a, t.n); /* judged afterwards */
}

enum cf_rc p11_read_back(struct p11_ctx *c, CK_SESSION_HANDLE session, const struct p11_shape *s,
                         CK_OBJECT_HANDLE h, struct cf_err *e)
{
    bool fine = false;
    enum cf_rc rc = p11_judge(c, session, s, h, &fine, e);
    if (rc == CF_OK && !fine) {
        set_flag(c, session, h, CKA_SENSITIVE, s->sensitive);
        set_flag(c, session, h, CKA_EXTRACTABLE, s->extractable);
        for (size_t i = 0; s->token && i < sizeof uses / sizeof uses[0]; i++)
            if (!(s->use & uses[i].use))
                set_flag(c, session, h, uses[i].type, false);
        rc = p11_judge(c, session, s, h, &fine, e);
    }
    if (rc == CF_OK && !fine)
        rc = CF_FAIL(e, CF_E_LIMIT,
                     "the token does not keep CKA_SENSITIVE, CKA_EXTRACTABLE and the uses of a key "
                     "as asked; such a key is not used");
    if (rc != CF_OK)
        p11_destroy(c, session, h);
    return rc;
}
