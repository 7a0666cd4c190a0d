#include "hal/token.h"

#define BAD_CALL(e) CF_FAIL((e), CF_E_ARG, "bad token call")

enum cf_rc hal_token_info(struct hal_token *t, struct hal_token_info *out, struct cf_err *e)
{
    return t->ops->info(t, out, e);
}

enum cf_rc hal_token_random(struct hal_token *t, void *dst, size_t len, struct cf_err *e)
{
    if (len == 0 || len > HAL_RANDOM_MAX)
        return BAD_CALL(e);
    return t->ops->random(t, dst, len, e);
}

enum cf_rc hal_token_key_present(struct hal_token *t, const struct hal_key_name *k, bool *out,
                                 struct cf_err *e)
{
    return t->ops->key_present(t, k, out, e);
}

enum cf_rc hal_token_key_import(struct hal_token *t, const struct hal_key_name *k,
                                const struct cf_secret *value, struct cf_err *e)
{
    if (k->role > HAL_ROLE_MK || cf_secret_len(value) != HAL_SECRET_SIZE)
        return BAD_CALL(e);
    return t->ops->key_import(t, k, value, e);
}

enum cf_rc hal_token_key_make(struct hal_token *t, const struct hal_key_name *k, struct cf_err *e)
{
    if (k->role < HAL_ROLE_STORE)
        return BAD_CALL(e);
    return t->ops->key_make(t, k, e);
}

enum cf_rc hal_token_key_public(struct hal_token *t, const struct hal_key_name *k,
                                struct cf_buf *spki, struct cf_err *e)
{
    if (k->role < HAL_ROLE_IDENTITY)
        return BAD_CALL(e);
    return t->ops->key_public(t, k, spki, e);
}

enum cf_rc hal_token_key_destroy(struct hal_token *t, const struct hal_key_name *k,
                                 struct cf_err *e)
{
    return t->ops->key_destroy(t, k, e);
}

enum cf_rc hal_token_mac(struct hal_token *t, const struct hal_key_name *k, const void *msg,
                         size_t len, uint8_t out[HAL_MAC_SIZE], struct cf_err *e)
{
    if (k->role == HAL_ROLE_KEK || k->role > HAL_ROLE_STORE || len > HAL_IN_MAX)
        return BAD_CALL(e);
    return t->ops->mac(t, k, msg, len, out, e);
}

enum cf_rc hal_token_key_use(struct hal_token *t, const struct hal_key_name *k,
                             const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    enum hal_use allowed = k->role == HAL_ROLE_EXCHANGE ? HAL_DECRYPT : HAL_SIGN;
    if (k->role < HAL_ROLE_IDENTITY || op->use != allowed || op->in_len > HAL_IN_MAX)
        return BAD_CALL(e);
    return t->ops->key_use(t, k, op, out, e);
}

enum cf_rc hal_token_user_make(struct hal_token *t, const struct hal_key_name *kek,
                               const struct hal_key_spec *spec, struct hal_wrapped *out,
                               struct cf_err *e)
{
    if (kek->role != HAL_ROLE_KEK)
        return BAD_CALL(e);
    return t->ops->user_make(t, kek, spec, out, e);
}

enum cf_rc hal_token_user_import(struct hal_token *t, const struct hal_key_name *kek,
                                 const struct hal_key_spec *spec, const struct cf_secret *material,
                                 struct hal_wrapped *out, struct cf_err *e)
{
    if (kek->role != HAL_ROLE_KEK || !cf_secret_len(material))
        return BAD_CALL(e);
    return t->ops->user_import(t, kek, spec, material, out, e);
}

static bool user_key_fits(const struct hal_user_key *key)
{
    return key->kek.role == HAL_ROLE_KEK && key->mac_key.role == HAL_ROLE_MK && key->wrapped_len &&
           key->wrapped_len <= HAL_WRAPPED_MAX && key->bound_len && key->bound_len <= HAL_IN_MAX;
}

enum cf_rc hal_token_user_use(struct hal_token *t, const struct hal_user_key *key,
                              const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    if (!user_key_fits(key) || op->in_len > HAL_IN_MAX || op->aad_len > HAL_IN_MAX)
        return BAD_CALL(e);
    return t->ops->user_use(t, key, op, out, e);
}

enum cf_rc hal_token_user_check(struct hal_token *t, const struct hal_user_key *key,
                                struct cf_err *e)
{
    if (!user_key_fits(key))
        return BAD_CALL(e);
    return t->ops->user_check(t, key, e);
}

void hal_token_close(struct hal_token *t)
{
    if (t)
        t->ops->close(t);
}

void hal_wrapped_clear(struct hal_wrapped *w)
{
    cf_buf_clear(&w->wrapped);
    cf_buf_clear(&w->spki);
    *w = (struct hal_wrapped){ 0 };
}

void hal_result_clear(struct hal_result *r)
{
    cf_buf_clear(&r->out);
    *r = (struct hal_result){ 0 };
}
