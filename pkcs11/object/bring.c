#include "object/object_priv.h"

#include <errno.h>
#include <sys/random.h>

#include "base/secret.h"
#include "crypto/pkey.h"

/* A ferry is an AES key of which token and host both know the value: made for one crossing where
 * the token takes known keys, else once a worker, since that takes an RSA pair. */

static const struct p11_shape ferry_shape = {
    .cls = CKO_SECRET_KEY,
    .type = CKK_AES,
    .use = P11_USE_UNWRAP,
    .sensitive = true,
    .value_len = CRYPTO_KEY_SIZE,
};

static enum cf_rc fill_random(struct cf_secret *s, struct cf_err *e)
{
    size_t len = cf_secret_len(s);
    if (getrandom(cf_secret_data(s), len, 0) != (ssize_t)len)
        return CF_FAIL_ERRNO(e, CF_E_IO, "no random bytes from the system");
    return CF_OK;
}

/* The value, encrypted to the public half of a pair that the token made a moment ago. */
static enum cf_rc encrypt_to(struct p11_ctx *c, CK_OBJECT_HANDLE pub, const struct cf_secret *value,
                             struct cf_buf *out, struct cf_err *e)
{
    const struct hal_key_spec rsa = { .type = HAL_RSA, .bits = 2048 };
    struct cf_buf spki = { 0 };
    struct crypto_pkey *k = NULL;
    enum cf_rc rc = p11_spki_made(c, pub, &rsa, &spki, e);
    if (rc == CF_OK)
        rc = crypto_pkey_new(crypto_bytes_of(spki.data, spki.len), &k, e);
    if (rc == CF_OK)
        rc = crypto_pkey_encrypt(k, HAL_RSA_PKCS1, HAL_NO_HASH,
                                 crypto_bytes_of(cf_secret_view(value), cf_secret_len(value)), out,
                                 e);
    crypto_pkey_free(k);
    cf_buf_clear(&spki);
    return rc;
}

/* Tokens that take no secret from outside still unwrap one (Luna in FIPS mode). */
static enum cf_rc ferry_by_rsa(struct p11_ctx *c, struct p11_ferry *f, struct cf_err *e)
{
    const struct hal_key_spec rsa = { .type = HAL_RSA, .bits = 2048 };
    const struct p11_shape s = { .cls = CKO_PRIVATE_KEY,
                                 .type = CKK_RSA,
                                 .use = P11_USE_UNWRAP | P11_USE_DECRYPT,
                                 .sensitive = true };
    CK_OBJECT_HANDLE pair[2] = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };
    struct cf_buf blob = { 0 };
    enum cf_rc rc = p11_make_pair(c, &rsa, &s, pair, e);
    if (rc == CF_OK)
        rc = encrypt_to(c, pair[1], f->value, &blob, e);
    if (rc == CF_OK) {
        struct p11_unwrapping u = { .session = c->core->anchor,
                                    .under = pair[0],
                                    .mech = CKM_RSA_PKCS,
                                    .blob = crypto_bytes_of(blob.data, blob.len) };
        pthread_mutex_lock(&c->core->anchor_lock);
        rc = p11_unwrap(c, &u, &ferry_shape, &f->h, e);
        pthread_mutex_unlock(&c->core->anchor_lock);
    }
    p11_destroy(c, c->s, pair[0]);
    p11_destroy(c, c->s, pair[1]);
    cf_buf_clear(&blob);
    return rc;
}

static enum cf_rc ferry_value(struct p11_ferry *f, struct cf_err *e)
{
    enum cf_rc rc = cf_secret_new(CRYPTO_KEY_SIZE, &f->value, e);
    return rc != CF_OK ? rc : fill_random(f->value, e);
}

static void ferry_clear(struct p11_ctx *c, struct p11_ferry *f)
{
    p11_destroy(c, c->s, f->h);
    cf_secret_free(f->value);
    *f = (struct p11_ferry){ 0 };
}

/* The worker's own ferry; it stays in the anchor session. */
static enum cf_rc kept_ferry(struct p11_ctx *c, struct p11_ferry *f, struct cf_err *e)
{
    struct p11_core *core = c->core;
    enum cf_rc rc = CF_OK;
    pthread_mutex_lock(&core->ferry_lock);
    if (core->ferry.h == CK_INVALID_HANDLE) {
        struct p11_ferry made = { .h = CK_INVALID_HANDLE };
        rc = ferry_value(&made, e);
        if (rc == CF_OK)
            rc = ferry_by_rsa(c, &made, e);
        if (rc == CF_OK)
            core->ferry = made;
        else
            cf_secret_free(made.value);
    }
    *f = core->ferry;
    pthread_mutex_unlock(&core->ferry_lock);
    return rc;
}

static enum cf_rc cross(struct p11_ctx *c, const struct p11_ferry *f, const struct p11_shape *s,
                        struct crypto_bytes material, CK_OBJECT_HANDLE *out, struct cf_err *e)
{
    struct cf_buf blob = { 0 };
    enum cf_rc rc = crypto_wrap(
        CRYPTO_KWP, crypto_bytes_of(cf_secret_view(f->value), CRYPTO_KEY_SIZE), material, &blob, e);
    if (rc == CF_OK) {
        struct p11_unwrapping u = { .session = c->s,
                                    .under = f->h,
                                    .mech = c->core->ways.kwp,
                                    .blob = crypto_bytes_of(blob.data, blob.len) };
        rc = p11_unwrap(c, &u, s, out, e);
    }
    cf_buf_clear(&blob);
    return rc;
}

static enum cf_rc ferry_across(struct p11_ctx *c, const struct p11_shape *s,
                               struct crypto_bytes material, CK_OBJECT_HANDLE *out,
                               struct cf_err *e)
{
    struct p11_ferry f = { .h = CK_INVALID_HANDLE };
    if (!c->core->ways.create) {
        enum cf_rc rc = kept_ferry(c, &f, e);
        return rc != CF_OK ? rc : cross(c, &f, s, material, out, e);
    }
    enum cf_rc rc = ferry_value(&f, e);
    if (rc == CF_OK) {
        CK_RV rv = p11_create(c, &ferry_shape,
                              crypto_bytes_of(cf_secret_view(f.value), CRYPTO_KEY_SIZE), &f.h);
        rc =
            rv == CKR_OK ? cross(c, &f, s, material, out, e) : P11_FAIL(c, e, "C_CreateObject", rv);
    }
    ferry_clear(c, &f);
    return rc;
}

enum cf_rc p11_bring(struct p11_ctx *c, const struct p11_shape *s, struct crypto_bytes material,
                     CK_OBJECT_HANDLE *out, struct cf_err *e)
{
    if (s->cls == CKO_SECRET_KEY && c->core->ways.create) {
        CK_RV rv = p11_create(c, s, material, out);
        if (rv == CKR_OK)
            return p11_read_back(c, c->s, s, *out, e);
        if (p11_rv_find(rv)->cls != P11_REQUEST)
            return P11_FAIL(c, e, "C_CreateObject", rv);
    }
    return ferry_across(c, s, material, out, e);
}
