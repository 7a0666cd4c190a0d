#include <stdlib.h>

#include "mbed_priv.h"

struct crypto_hash {
    mbedtls_md_context_t ctx;
};

struct crypto_mac {
    mbedtls_md_context_t ctx;
};

mbedtls_md_type_t mbed_md_type(enum hal_hash h)
{
    switch (h) {
    case HAL_SHA1:
        return MBEDTLS_MD_SHA1;
    case HAL_SHA256:
        return MBEDTLS_MD_SHA256;
    case HAL_SHA384:
        return MBEDTLS_MD_SHA384;
    case HAL_SHA512:
        return MBEDTLS_MD_SHA512;
    case HAL_NO_HASH:
        break;
    }
    return MBEDTLS_MD_NONE;
}

static enum cf_rc worked(int made, struct cf_err *e)
{
    return made == 0 ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "mbedtls digest: -0x%04x", (unsigned)-made);
}

enum cf_rc crypto_digest(enum hal_hash h, const void *in, size_t len, uint8_t *out,
                         struct cf_err *e)
{
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(mbed_md_type(h));
    if (!md)
        return CF_FAIL(e, CF_E_ARG, "no such digest");
    return worked(mbedtls_md(md, len ? in : (const void *)"", len, out), e);
}

enum cf_rc crypto_hash_new(enum hal_hash h, struct crypto_hash **out, struct cf_err *e)
{
    *out = NULL;
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(mbed_md_type(h));
    if (!md)
        return CF_FAIL(e, CF_E_ARG, "no such digest");
    struct crypto_hash *c = calloc(1, sizeof *c);
    if (!c)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a digest");
    mbedtls_md_init(&c->ctx);
    int made = mbedtls_md_setup(&c->ctx, md, 0);
    if (made == 0)
        made = mbedtls_md_starts(&c->ctx);
    if (made == 0)
        *out = c;
    else
        crypto_hash_free(c);
    return worked(made, e);
}

enum cf_rc crypto_hash_update(struct crypto_hash *c, const void *in, size_t len, struct cf_err *e)
{
    return len ? worked(mbedtls_md_update(&c->ctx, in, len), e) : CF_OK;
}

enum cf_rc crypto_hash_final(struct crypto_hash *c, uint8_t *out, struct cf_err *e)
{
    int made = mbedtls_md_finish(&c->ctx, out);
    return worked(made == 0 ? mbedtls_md_starts(&c->ctx) : made, e);
}

void crypto_hash_free(struct crypto_hash *c)
{
    if (!c)
        return;
    mbedtls_md_free(&c->ctx);
    free(c);
}

enum cf_rc crypto_hmac(enum hal_hash h, struct crypto_bytes key, struct crypto_bytes msg,
                       uint8_t *out, struct cf_err *e)
{
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(mbed_md_type(h));
    if (!md || key.len > CF_BUF_MAX)
        return CF_FAIL(e, CF_E_ARG, "no such HMAC");
    return worked(mbedtls_md_hmac(md, key.len ? key.p : (const void *)"", key.len,
                                  msg.len ? msg.p : (const void *)"", msg.len, out),
                  e);
}

enum cf_rc crypto_mac_new(enum hal_hash h, struct crypto_bytes key, struct crypto_mac **out,
                          struct cf_err *e)
{
    *out = NULL;
    const mbedtls_md_info_t *md = mbedtls_md_info_from_type(mbed_md_type(h));
    if (!md)
        return CF_FAIL(e, CF_E_ARG, "no such HMAC");
    struct crypto_mac *c = calloc(1, sizeof *c);
    if (!c)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a MAC");
    mbedtls_md_init(&c->ctx);
    int made = mbedtls_md_setup(&c->ctx, md, 1);
    if (made == 0)
        made = mbedtls_md_hmac_starts(&c->ctx, key.len ? key.p : (const void *)"", key.len);
    if (made == 0)
        *out = c;
    else
        crypto_mac_free(c);
    return worked(made, e);
}

enum cf_rc crypto_mac_update(struct crypto_mac *c, const void *in, size_t len, struct cf_err *e)
{
    return len ? worked(mbedtls_md_hmac_update(&c->ctx, in, len), e) : CF_OK;
}

enum cf_rc crypto_mac_final(struct crypto_mac *c, uint8_t *out, struct cf_err *e)
{
    int made = mbedtls_md_hmac_finish(&c->ctx, out);
    return worked(made == 0 ? mbedtls_md_hmac_reset(&c->ctx) : made, e);
}

void crypto_mac_free(struct crypto_mac *c)
{
    if (!c)
        return;
    mbedtls_md_free(&c->ctx); /* wipes the pads */
    free(c);
}
