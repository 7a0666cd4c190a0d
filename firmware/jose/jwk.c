#include <string.h>

#include "base/text.h"
#include "jose_priv.h"

#define RSA_MEMBER_MAX (CRYPTO_RSA_BITS_MAX / 8)
#define OCT_MAX        64 /* API document 1.6: "maximum size is 64" */
#define NUMBERS        8

static enum cf_rc key_type(const struct json *jwk, enum hal_key_type *out, struct cf_err *e)
{
    static const struct {
        const char *name;
        enum hal_key_type type;
    } names[] = { { "RSA", HAL_RSA },   { "RSA-HSM", HAL_RSA }, { "EC", HAL_EC },
                  { "EC-HSM", HAL_EC }, { "oct", HAL_OCT },     { "oct-HSM", HAL_OCT } };
    const char *kty = NULL;
    enum cf_rc rc = json_get_text(jwk, "kty", &kty, e);
    if (rc != CF_OK)
        return rc;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(kty, names[i].name) == 0) {
            *out = names[i].type;
            return CF_OK;
        }
    return CF_FAIL(e, CF_E_INPUT, "key type '%.20s' is not served", kty);
}

static enum cf_rc curve_of(const struct json *jwk, enum hal_curve *out, struct cf_err *e)
{
    const char *crv = NULL;
    enum cf_rc rc = json_get_text(jwk, "crv", &crv, e);
    if (rc == CF_OK && !crypto_curve_from_name(crv, out))
        rc = CF_FAIL(e, CF_E_INPUT, "curve '%.20s' is not served", crv);
    return rc;
}

static struct crypto_bytes bytes(const struct cf_buf *b)
{
    return crypto_bytes_of(b->data, b->len);
}

enum cf_rc jose_jwk_public(const struct json *jwk, struct crypto_pub *out, struct cf_err *e)
{
    enum hal_key_type type = HAL_OCT;
    enum hal_curve curve = HAL_P256;
    struct cf_buf a = { 0 }, b = { 0 };
    enum cf_rc rc = key_type(jwk, &type, e);
    if (rc == CF_OK && type == HAL_OCT)
        rc = CF_FAIL(e, CF_E_INPUT, "a symmetric key has no public half");
    if (rc == CF_OK && type == HAL_EC)
        rc = curve_of(jwk, &curve, e);
    if (rc == CF_OK)
        rc = json_get_base64(jwk, type == HAL_RSA ? "n" : "x", RSA_MEMBER_MAX + 1, &a, e);
    if (rc == CF_OK)
        rc = json_get_base64(jwk, type == HAL_RSA ? "e" : "y", RSA_MEMBER_MAX, &b, e);
    if (rc == CF_OK)
        rc = type == HAL_RSA ? crypto_pub_from_rsa(bytes(&a), bytes(&b), out, e)
                             : crypto_pub_from_ec(curve, bytes(&a), bytes(&b), out, e);
    cf_buf_clear(&a);
    cf_buf_clear(&b);
    return rc;
}

void jose_import_clear(struct jose_import *i)
{
    if (!i)
        return;
    cf_buf_clear(&i->spki);
    cf_secret_free(i->material);
    *i = (struct jose_import){ 0 };
}

/* Reads the members named and hands them to the checker. The buffers are wiped when cleared. */
static enum cf_rc pair(const struct json *jwk, enum hal_key_type type, struct jose_import *out,
                       struct cf_err *e)
{
    static const char *const rsa[NUMBERS] = { "n", "e", "d", "p", "q", "dp", "dq", "qi" };
    static const char *const ec[3] = { "d", "x", "y" };
    const char *const *names = type == HAL_RSA ? rsa : ec;
    size_t n = type == HAL_RSA ? NUMBERS : 3;
    struct cf_buf v[NUMBERS] = { { 0 } };
    struct crypto_priv p = { .type = type };
    enum cf_rc rc = type == HAL_EC ? curve_of(jwk, &p.curve, e) : CF_OK;
    for (size_t i = 0; i < n && rc == CF_OK; i++)
        rc = json_get_base64(jwk, names[i], RSA_MEMBER_MAX, &v[i], e);
    if (rc == CF_OK && type == HAL_RSA) {
        struct crypto_bytes *to[NUMBERS] = { &p.n, &p.e, &p.d, &p.p, &p.q, &p.dp, &p.dq, &p.qi };
        for (size_t i = 0; i < n; i++)
            *to[i] = bytes(&v[i]);
    } else if (rc == CF_OK) {
        p.d = bytes(&v[0]);
        p.x = bytes(&v[1]);
        p.y = bytes(&v[2]);
    }
    if (rc == CF_OK)
        rc = crypto_pkcs8_make(&p, &out->spec, &out->spki, &out->material, e);
    for (size_t i = 0; i < n; i++)
        cf_buf_clear(&v[i]);
    return rc;
}

static enum cf_rc symmetric(const struct json *jwk, struct jose_import *out, struct cf_err *e)
{
    struct cf_buf k = { 0 };
    enum cf_rc rc = json_get_base64(jwk, "k", (size_t)2 * OCT_MAX, &k, e);
    if (rc == CF_OK && k.len > OCT_MAX)
        rc = cf_err_code(e,
                         CF_FAIL(e, CF_E_INPUT,
                                 "JSON Web Key: k property of oct key is too "
                                 "large, maximum size is 64"),
                         "BadParameter");
    if (rc == CF_OK && k.len == 0)
        rc = CF_FAIL(e, CF_E_INPUT, "member 'k' is empty");
    if (rc == CF_OK)
        rc = cf_secret_copy(k.data, k.len, &out->material, e);
    if (rc == CF_OK)
        out->spec = (struct hal_key_spec){ .type = HAL_OCT, .bits = (uint32_t)(8 * k.len) };
    cf_buf_clear(&k);
    return rc;
}

enum cf_rc jose_jwk_private(const struct json *jwk, struct jose_import *out, struct cf_err *e)
{
    enum hal_key_type type = HAL_OCT;
    enum cf_rc rc = key_type(jwk, &type, e);
    if (rc == CF_OK)
        rc = type == HAL_OCT ? symmetric(jwk, out, e) : pair(jwk, type, out, e);
    if (rc != CF_OK)
        jose_import_clear(out);
    return rc;
}

void jose_jwk_put(struct json_wr *w, const struct crypto_pub *pub)
{
    if (pub->type == HAL_RSA) {
        json_put_base64url(w, "n", pub->n, pub->n_len);
        json_put_base64url(w, "e", pub->e, pub->e_len);
        return;
    }
    size_t width = crypto_curve_bytes(pub->curve);
    json_put_text(w, "crv", crypto_curve_name(pub->curve));
    json_put_base64url(w, "x", pub->x, width);
    json_put_base64url(w, "y", pub->y, width);
}

/* The required members in lexicographic order, nothing else (RFC 7638 3.2). */
enum cf_rc jose_jwk_thumbprint(const struct crypto_pub *pub, uint8_t out[32], struct cf_err *e)
{
    struct cf_buf text = { 0 };
    struct json_wr w;
    json_wr_init(&w, &text, e);
    json_put_object(&w, NULL);
    if (pub->type == HAL_RSA) {
        json_put_base64url(&w, "e", pub->e, pub->e_len);
        json_put_text(&w, "kty", "RSA");
        json_put_base64url(&w, "n", pub->n, pub->n_len);
    } else {
        size_t width = crypto_curve_bytes(pub->curve);
        json_put_text(&w, "crv", crypto_curve_name(pub->curve));
        json_put_text(&w, "kty", "EC");
        json_put_base64url(&w, "x", pub->x, width);
        json_put_base64url(&w, "y", pub->y, width);
    }
    json_close(&w);
    enum cf_rc rc = json_wr_end(&w);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, text.data, text.len, out, e);
    cf_buf_clear(&text);
    return rc;
}
