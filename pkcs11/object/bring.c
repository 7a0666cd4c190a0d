#include "object/object_priv.h"

#include <errno.h>
#include <sys/random.h>

#include "base/secret.h"
#include "crypto/pkey.h"

/* A temporary AES key of which token and host both know the value. */
struct ferry {
    CK_OBJECT_HANDLE h;
    struct cf_secret *value;
};

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
    enum cf_rc rc = p11_spki(c, pub, &rsa, &spki, e);
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
static enum cf_rc ferry_by_rsa(struct p11_ctx *c, struct ferry *f, struct cf_err *e)
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
        struct p11_unwrapping u = { .session = c->s,
                                    .under = pair[0],
                                    .mech = CKM_RSA_PKCS,
                                    .blob = crypto_bytes_of(blob.data, blob.len) };
        rc = p11_unwrap(c, &u, &ferry_shape, &f->h, e);
    }
    p11_destroy(c, c->s, pair[0]);
    p11_destroy(c, c->s, pair[1]);
    cf_buf_clear(&blob);
    return rc;
}

static enum cf_rc ferry_new(struct p11_ctx *c, struct ferry *f, struct cf_err *e)
{
    enum cf_rc rc = cf_secret_new(CRYPTO_KEY_SIZE, &f->value, e);
    if (rc == CF_OK)
        rc = fill_random(f->value, e);
    if (rc != CF_OK)
        return rc;
    struct crypto_bytes v = crypto_bytes_of(cf_secret_view(f->value), CRYPTO_KEY_SIZE);
    if (c->core->ways.create && p11_create(c, &ferry_shape, v, &f->h) == CKR_OK)
        return CF_OK;
    return ferry_by_rsa(c, f, e);
}

static enum cf_rc ferry_across(struct p11_ctx *c, const struct p11_shape *s,
                               struct crypto_bytes material, CK_OBJECT_HANDLE *out,
                               struct cf_err *e)
{
    struct ferry f = { .h = CK_INVALID_HANDLE };
    struct cf_buf blob = { 0 };
    enum cf_rc rc = ferry_new(c, &f, e);
    if (rc == CF_OK)
        rc = crypto_wrap(CRYPTO_KWP, crypto_bytes_of(cf_secret_view(f.value), CRYPTO_KEY_SIZE),
                         material, &blob, e);
    if (rc == CF_OK) {
        struct p11_unwrapping u = { .session = c->s,
                                    .under = f.h,
                                    .mech = c->core->ways.kwp,
                                    .blob = crypto_bytes_of(blob.data, blob.len) };
        rc = p11_unwrap(c, &u, s, out, e);
    }
    p11_destroy(c, c->s, f.h);
    cf_secret_free(f.value);
    cf_buf_clear(&blob);
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
