#include "trap_token.h"

static enum cf_rc enter(struct hal_token *t, struct hal_token **inner, struct cf_err *e)
{
    struct trap_token *p = (struct trap_token *)t;
    *inner = p->inner;
    p->calls++;
    return p->break_at && p->calls >= p->break_at
               ? CF_FAIL(e, CF_E_TOKEN, "call %u broke", p->calls)
               : CF_OK;
}

#define PASS_ON(call)                                                                              \
    struct hal_token *in;                                                                          \
    enum cf_rc rc = enter(t, &in, e);                                                              \
    return rc == CF_OK ? (call) : rc

static enum cf_rc random_bytes(struct hal_token *t, void *dst, size_t len, struct cf_err *e)
{
    PASS_ON(hal_token_random(in, dst, len, e));
}

static enum cf_rc present(struct hal_token *t, const struct hal_key_name *k, bool *out,
                          struct cf_err *e)
{
    PASS_ON(hal_token_key_present(in, k, out, e));
}

static enum cf_rc import(struct hal_token *t, const struct hal_key_name *k,
                         const struct cf_secret *value, struct cf_err *e)
{
    PASS_ON(hal_token_key_import(in, k, value, e));
}

static enum cf_rc public_half(struct hal_token *t, const struct hal_key_name *k,
                              struct cf_buf *spki, struct cf_err *e)
{
    PASS_ON(hal_token_key_public(in, k, spki, e));
}

static enum cf_rc destroy(struct hal_token *t, const struct hal_key_name *k, struct cf_err *e)
{
    PASS_ON(hal_token_key_destroy(in, k, e));
}

static enum cf_rc mac(struct hal_token *t, const struct hal_key_name *k, const void *msg,
                      size_t len, uint8_t out[HAL_MAC_SIZE], struct cf_err *e)
{
    PASS_ON(hal_token_mac(in, k, msg, len, out, e));
}

static enum cf_rc use(struct hal_token *t, const struct hal_key_name *k, const struct hal_op *op,
                      struct hal_result *out, struct cf_err *e)
{
    PASS_ON(hal_token_key_use(in, k, op, out, e));
}

static const struct hal_token_ops ops = {
    .random = random_bytes,
    .key_present = present,
    .key_import = import,
    .key_public = public_half,
    .key_destroy = destroy,
    .mac = mac,
    .key_use = use,
};

void trap_token_init(struct trap_token *t, struct hal_token *inner)
{
    *t = (struct trap_token){ .base.ops = &ops, .inner = inner };
}
