#include "client/client_priv.h"

#include <string.h>

/* hal/token.h, call by call: fields in, fields out. */

/* One call being put together and taken apart. */
struct talk {
    struct p11_token *t;
    struct cf_buf request;
    struct cf_buf answer;
    struct p11_wr w;
};

static void talk_init(struct talk *k, struct hal_token *h, struct cf_err *e)
{
    *k = (struct talk){ .t = (struct p11_token *)h };
    k->w = (struct p11_wr){ .b = &k->request, .e = e };
}

static void talk_clear(struct talk *k)
{
    cf_buf_clear(&k->request);
    cf_buf_clear(&k->answer);
}

static enum cf_rc talk_call(struct talk *k, enum p11_msg msg, const struct cf_secret *secret,
                            struct cf_err *e)
{
    return p11_call(k->t, msg, &k->w, secret, &k->answer, e);
}

static struct cf_rd talk_answer(const struct talk *k)
{
    return cf_rd_of(k->answer.data, k->answer.len);
}

static enum cf_rc malformed(struct cf_err *e)
{
    return CF_FAIL(e, CF_E_TOKEN, "the token worker's answer is malformed");
}

/* One byte string of exactly `len` bytes. */
static enum cf_rc take_exactly(const struct talk *k, void *dst, size_t len, struct cf_err *e)
{
    struct cf_rd r = talk_answer(k);
    size_t n = 0;
    const uint8_t *p = p11_get_bytes(&r, len, &n);
    if (!cf_rd_done(&r) || n != len)
        return malformed(e);
    memcpy(dst, p, len);
    return CF_OK;
}

static enum cf_rc token_info(struct hal_token *h, struct hal_token_info *out, struct cf_err *e)
{
    struct p11_token *t = (struct p11_token *)h;
    (void)e;
    pthread_mutex_lock(&t->locked.lock);
    *out = t->locked.info;
    out->worker_pid = t->locked.state == P11_DOWN ? 0 : t->locked.pid;
    out->worker_restarts = t->locked.starts - 1;
    pthread_mutex_unlock(&t->locked.lock);
    return CF_OK;
}

static enum cf_rc token_random(struct hal_token *h, void *dst, size_t len, struct cf_err *e)
{
    struct talk k;
    talk_init(&k, h, e);
    p11_put_u32(&k.w, (uint32_t)len);
    enum cf_rc rc = talk_call(&k, P11_MSG_RANDOM, NULL, e);
    if (rc == CF_OK)
        rc = take_exactly(&k, dst, len, e);
    talk_clear(&k);
    return rc;
}

static enum cf_rc token_key_present(struct hal_token *h, const struct hal_key_name *name, bool *out,
                                    struct cf_err *e)
{
    struct talk k;
    talk_init(&k, h, e);
    p11_put_name(&k.w, name);
    enum cf_rc rc = talk_call(&k, P11_MSG_KEY_PRESENT, NULL, e);
    struct cf_rd r = talk_answer(&k);
    uint8_t there = rc == CF_OK ? cf_rd_u8(&r) : 0;
    if (rc == CF_OK && (!cf_rd_done(&r) || there > 1))
        rc = malformed(e);
    if (rc == CF_OK)
        *out = there;
    talk_clear(&k);
    return rc;
}

/* The calls that carry a name, perhaps a secret, and come back empty. */
static enum cf_rc call_name(struct hal_token *h, enum p11_msg msg, const struct hal_key_name *name,
                            const struct cf_secret *secret, struct cf_err *e)
{
    struct talk k;
    talk_init(&k, h, e);
    p11_put_name(&k.w, name);
    enum cf_rc rc = talk_call(&k, msg, secret, e);
    if (rc == CF_OK && k.answer.len != 0)
        rc = malformed(e);
    talk_clear(&k);
    return rc;
}

static enum cf_rc token_key_import(struct hal_token *h, const struct hal_key_name *name,
                                   const struct cf_secret *value, struct cf_err *e)
{
    return call_name(h, P11_MSG_KEY_IMPORT, name, value, e);
}

static enum cf_rc token_key_make(struct hal_token *h, const struct hal_key_name *name,
                                 struct cf_err *e)
{
    return call_name(h, P11_MSG_KEY_MAKE, name, NULL, e);
}

static enum cf_rc token_key_destroy(struct hal_token *h, const struct hal_key_name *name,
                                    struct cf_err *e)
{
    return call_name(h, P11_MSG_KEY_DESTROY, name, NULL, e);
}

static enum cf_rc token_key_public(struct hal_token *h, const struct hal_key_name *name,
                                   struct cf_buf *spki, struct cf_err *e)
{
    struct talk k;
    size_t len = 0;
    talk_init(&k, h, e);
    p11_put_name(&k.w, name);
    enum cf_rc rc = talk_call(&k, P11_MSG_KEY_PUBLIC, NULL, e);
    struct cf_rd r = talk_answer(&k);
    const uint8_t *p = rc == CF_OK ? p11_get_bytes(&r, HAL_WRAPPED_MAX, &len) : NULL;
    if (rc == CF_OK && !cf_rd_done(&r))
        rc = malformed(e);
    if (rc == CF_OK)
        rc = cf_buf_put(spki, p, len, e);
    talk_clear(&k);
    return rc;
}

static enum cf_rc token_mac(struct hal_token *h, const struct hal_key_name *name, const void *msg,
                            size_t len, uint8_t out[HAL_MAC_SIZE], struct cf_err *e)
{
    struct talk k;
    talk_init(&k, h, e);
    p11_put_name(&k.w, name);
    p11_put_bytes(&k.w, msg, len);
    enum cf_rc rc = talk_call(&k, P11_MSG_MAC, NULL, e);
    if (rc == CF_OK)
        rc = take_exactly(&k, out, HAL_MAC_SIZE, e);
    talk_clear(&k);
    return rc;
}

/* Calls that give a struct hal_result. */
static enum cf_rc call_result(struct talk *k, enum p11_msg msg, struct hal_result *out,
                              struct cf_err *e)
{
    enum cf_rc rc = talk_call(k, msg, NULL, e);
    struct cf_rd r = talk_answer(k);
    if (rc == CF_OK)
        rc = p11_get_result(&r, out, e);
    talk_clear(k);
    return rc;
}

static enum cf_rc token_key_use(struct hal_token *h, const struct hal_key_name *name,
                                const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    struct talk k;
    talk_init(&k, h, e);
    p11_put_name(&k.w, name);
    p11_put_op(&k.w, op);
    return call_result(&k, P11_MSG_KEY_USE, out, e);
}

static enum cf_rc token_user_use(struct hal_token *h, const struct hal_user_key *key,
                                 const struct hal_op *op, struct hal_result *out, struct cf_err *e)
{
    struct talk k;
    talk_init(&k, h, e);
    p11_put_user_key(&k.w, key);
    p11_put_op(&k.w, op);
    return call_result(&k, P11_MSG_USER_USE, out, e);
}

/* user_make and user_import. */
static enum cf_rc call_wrapped(struct talk *k, enum p11_msg msg, const struct cf_secret *secret,
                               struct hal_wrapped *out, struct cf_err *e)
{
    enum cf_rc rc = talk_call(k, msg, secret, e);
    struct cf_rd r = talk_answer(k);
    if (rc == CF_OK)
        rc = p11_get_wrapped(&r, out, e);
    if (rc != CF_OK)
        hal_wrapped_clear(out);
    talk_clear(k);
    return rc;
}

static enum cf_rc token_user_make(struct hal_token *h, const struct hal_key_name *kek,
                                  const struct hal_key_spec *spec, struct hal_wrapped *out,
                                  struct cf_err *e)
{
    struct talk k;
    talk_init(&k, h, e);
    p11_put_name(&k.w, kek);
    p11_put_spec(&k.w, spec);
    return call_wrapped(&k, P11_MSG_USER_MAKE, NULL, out, e);
}

static enum cf_rc token_user_import(struct hal_token *h, const struct hal_key_name *kek,
                                    const struct hal_key_spec *spec,
                                    const struct cf_secret *material, struct hal_wrapped *out,
                                    struct cf_err *e)
{
    struct talk k;
    talk_init(&k, h, e);
    p11_put_name(&k.w, kek);
    p11_put_spec(&k.w, spec);
    return call_wrapped(&k, P11_MSG_USER_IMPORT, material, out, e);
}

static enum cf_rc token_user_check(struct hal_token *h, const struct hal_user_key *key,
                                   struct cf_err *e)
{
    struct talk k;
    talk_init(&k, h, e);
    p11_put_user_key(&k.w, key);
    enum cf_rc rc = talk_call(&k, P11_MSG_USER_CHECK, NULL, e);
    if (rc == CF_OK && k.answer.len != 0)
        rc = malformed(e);
    talk_clear(&k);
    return rc;
}

const struct hal_token_ops p11_token_ops = {
    .info = token_info,
    .random = token_random,
    .key_present = token_key_present,
    .key_import = token_key_import,
    .key_make = token_key_make,
    .key_public = token_key_public,
    .key_destroy = token_key_destroy,
    .mac = token_mac,
    .key_use = token_key_use,
    .user_make = token_user_make,
    .user_import = token_user_import,
    .user_use = token_user_use,
    .user_check = token_user_check,
    .close = p11_close,
};
