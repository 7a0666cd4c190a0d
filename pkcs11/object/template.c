#include "object/object_priv.h"

#include <stdlib.h>
#include <string.h>

static const CK_BBOOL yes = CK_TRUE;
static const CK_BBOOL no = CK_FALSE;

/* How to say it. Tokens refuse attributes that they do not know or that others demand. */
enum {
    RUNG_HARDEN = 1,    /* COPYABLE, MODIFIABLE, ALLOWED_MECHANISMS as tight as can be */
    RUNG_VALUE_LEN = 2, /* Luna wants it, SoftHSM refuses it */
    RUNG_NSS_DB = 4,    /* NSS wants the public point to unwrap an EC key */
    RUNG_LEAN = 8,      /* only usage bits that are on */
};

static const struct rung {
    const char *name;
    unsigned how;
} rungs[] = {
    { "full", RUNG_HARDEN },
    { "full with CKA_VALUE_LEN", RUNG_HARDEN | RUNG_VALUE_LEN },
    { "full with CKA_NSS_DB", RUNG_HARDEN | RUNG_NSS_DB },
    { "plain", 0 },
    { "plain with CKA_VALUE_LEN", RUNG_VALUE_LEN },
    { "plain with CKA_NSS_DB", RUNG_NSS_DB },
    { "lean", RUNG_LEAN },
    { "lean with CKA_VALUE_LEN", RUNG_LEAN | RUNG_VALUE_LEN },
    { "lean with CKA_NSS_DB", RUNG_LEAN | RUNG_NSS_DB },
};
#define RUNGS ((int)(sizeof rungs / sizeof rungs[0]))

const char *p11_rung_name(int rung)
{
    return rung >= 0 && rung < RUNGS ? rungs[rung].name : "none";
}

void p11_tmpl_bytes(struct p11_tmpl *t, CK_ATTRIBUTE_TYPE type, const void *p, size_t len)
{
    if (t->n == P11_ATTRS_MAX)
        abort();
    t->a[t->n++] = (CK_ATTRIBUTE){ .type = type, .pValue = p11_mut(p), .ulValueLen = len };
}

void p11_tmpl_num(struct p11_tmpl *t, CK_ATTRIBUTE_TYPE type, CK_ULONG v)
{
    if (t->numbers_len == sizeof t->numbers / sizeof t->numbers[0])
        abort();
    CK_ULONG *slot = &t->numbers[t->numbers_len++];
    *slot = v;
    p11_tmpl_bytes(t, type, slot, sizeof *slot);
}

void p11_tmpl_bool(struct p11_tmpl *t, CK_ATTRIBUTE_TYPE type, bool v)
{
    p11_tmpl_bytes(t, type, v ? &yes : &no, sizeof yes);
}

static void put_use(struct p11_tmpl *t, const struct p11_shape *s, unsigned how)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        unsigned bit;
        bool secret_only;
    } bits[] = {
        { CKA_SIGN, P11_USE_SIGN, false },
        { CKA_VERIFY, P11_USE_VERIFY, true },
        { CKA_ENCRYPT, P11_USE_ENCRYPT, true },
        { CKA_DECRYPT, P11_USE_DECRYPT, false },
        { CKA_WRAP, P11_USE_WRAP, true },
        { CKA_UNWRAP, P11_USE_UNWRAP, false },
        { CKA_DERIVE, 0, false },
    };
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        bool on = s->use & bits[i].bit;
        if (bits[i].secret_only && s->cls != CKO_SECRET_KEY)
            continue;
        if (on || !(how & RUNG_LEAN))
            p11_tmpl_bool(t, bits[i].type, on);
    }
}

static void put_shape(struct p11_tmpl *t, const struct p11_shape *s, unsigned how)
{
    p11_tmpl_num(t, CKA_CLASS, s->cls);
    p11_tmpl_num(t, CKA_KEY_TYPE, s->type);
    p11_tmpl_bool(t, CKA_TOKEN, s->token);
    p11_tmpl_bool(t, CKA_PRIVATE, true);
    p11_tmpl_bool(t, CKA_SENSITIVE, s->sensitive);
    p11_tmpl_bool(t, CKA_EXTRACTABLE, s->extractable);
    put_use(t, s, how);
    if (s->id)
        p11_tmpl_bytes(t, CKA_ID, s->id, P11_ID_SIZE);
    if (s->label)
        p11_tmpl_bytes(t, CKA_LABEL, s->label, strlen(s->label));
    if (how & RUNG_HARDEN) {
        p11_tmpl_bool(t, CKA_COPYABLE, false);
        p11_tmpl_bool(t, CKA_MODIFIABLE, false);
        if (s->allowed)
            p11_tmpl_bytes(t, CKA_ALLOWED_MECHANISMS, s->allowed,
                           s->allowed_len * sizeof *s->allowed);
    }
    if (how & RUNG_VALUE_LEN)
        p11_tmpl_num(t, CKA_VALUE_LEN, s->value_len);
    if (how & RUNG_NSS_DB)
        p11_tmpl_bytes(t, P11_CKA_NSS_DB, s->point.p, s->point.len);
}

/* A rung that speaks of what this key does not have is not for it. */
static bool rung_fits(const struct p11_shape *s, unsigned how)
{
    if ((how & RUNG_VALUE_LEN) && (s->cls != CKO_SECRET_KEY || s->value_len == 0))
        return false;
    return !(how & RUNG_NSS_DB) || s->point.len != 0;
}

static atomic_int *remembered(struct p11_core *core, const struct p11_shape *s)
{
    if (s->cls == CKO_SECRET_KEY)
        return &core->ways.rung_secret;
    return s->type == CKK_EC ? &core->ways.rung_ec : &core->ways.rung_rsa;
}

CK_RV p11_ladder(struct p11_core *core, const struct p11_shape *s, p11_try_fn *fn, void *arg)
{
    atomic_int *last = remembered(core, s);
    int first = atomic_load(last);
    CK_RV rv = CKR_TEMPLATE_INCONSISTENT;
    unsigned avoid = 0;
    for (int i = -1; i < RUNGS; i++) {
        int rung = i < 0 ? first : i;
        if ((i >= 0 && rung == first) || !rung_fits(s, rungs[rung].how) ||
            (rungs[rung].how & avoid))
            continue;
        struct p11_tmpl t = { .n = 0 };
        put_shape(&t, s, rungs[rung].how);
        rv = fn(arg, &t);
        if (rv == CKR_OK) {
            atomic_store(last, rung);
            atomic_fetch_add(&core->made, 1);
        }
        /* NSS says so to token objects with COPYABLE or ALLOWED_MECHANISMS; others say it to a
         * corrupt blob, and will again. */
        if (rv == CKR_GENERAL_ERROR && (rungs[rung].how & RUNG_HARDEN))
            avoid = RUNG_HARDEN;
        else if (rv == CKR_OK || !p11_rv_is_template(rv))
            return rv;
    }
    return rv;
}
