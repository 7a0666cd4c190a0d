#include <string.h>

#include "bundle_priv.h"
#include "crypto/pkey.h"
#include "handlers_priv.h"

#define OCT_MAX      64
#define TRANSFER_MAX 65536

/* The private members of a JWK, decoded; they are wiped with the buffers. */
struct jwk {
    struct cf_buf part[8];
};

enum { N, E, D, P, Q, DP, DQ, QI };
enum { EC_D, EC_X, EC_Y };

static void jwk_clear(struct jwk *k)
{
    for (size_t i = 0; i < sizeof k->part / sizeof k->part[0]; i++)
        cf_buf_clear(&k->part[i]);
}

static enum cf_rc read_parts(const struct json *key, const char *const *names, size_t count,
                             struct jwk *k, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < count; i++)
        rc = json_get_base64(key, names[i], CRYPTO_RSA_BITS_MAX / 8 + 1, &k->part[i], e);
    return rc;
}

static struct crypto_bytes bytes(const struct jwk *k, int part)
{
    return crypto_bytes_of(k->part[part].data, k->part[part].len);
}

static enum cf_rc material_rsa(const struct json *key, struct hal_key_spec *spec,
                               struct cf_secret **out, struct cf_err *e)
{
    static const char *const names[] = { "n", "e", "d", "p", "q", "dp", "dq", "qi" };
    struct jwk k = { 0 };
    struct cf_buf spki = { 0 };
    enum cf_rc rc = read_parts(key, names, 8, &k, e);
    if (rc == CF_OK) {
        const struct crypto_priv in = {
            .type = HAL_RSA,
            .n = bytes(&k, N),
            .e = bytes(&k, E),
            .d = bytes(&k, D),
            .p = bytes(&k, P),
            .q = bytes(&k, Q),
            .dp = bytes(&k, DP),
            .dq = bytes(&k, DQ),
            .qi = bytes(&k, QI),
        };
        rc = crypto_pkcs8_make(&in, spec, &spki, out, e);
    }
    cf_buf_clear(&spki);
    jwk_clear(&k);
    return rc;
}

static enum cf_rc material_ec(const struct json *key, struct hal_key_spec *spec,
                              struct cf_secret **out, struct cf_err *e)
{
    static const char *const names[] = { "d", "x", "y" };
    const char *crv = NULL;
    struct jwk k = { 0 };
    struct cf_buf spki = { 0 };
    struct crypto_priv in = { .type = HAL_EC };
    enum cf_rc rc = json_get_text(key, "crv", &crv, e);
    if (rc == CF_OK && !crypto_curve_from_name(crv, &in.curve))
        rc = API_BAD(e, "crv must be P-256, P-256K, P-384 or P-521");
    if (rc == CF_OK)
        rc = read_parts(key, names, 3, &k, e);
    in.d = bytes(&k, EC_D);
    in.x = bytes(&k, EC_X);
    in.y = bytes(&k, EC_Y);
    if (rc == CF_OK)
        rc = crypto_pkcs8_make(&in, spec, &spki, out, e);
    cf_buf_clear(&spki);
    jwk_clear(&k);
    return rc;
}

static enum cf_rc material_oct(const struct json *key, struct hal_key_spec *spec,
                               struct cf_secret **out, struct cf_err *e)
{
    struct cf_buf k = { 0 };
    enum cf_rc rc = json_get_base64(key, "k", API_BODY_SMALL, &k, e);
    if (rc == CF_OK && k.len > OCT_MAX)
        rc = API_BAD(e, "JSON Web Key: k property of oct key is too large, maximum size is %d",
                     OCT_MAX);
    if (rc == CF_OK && !k.len)
        rc = API_BAD(e, "JSON Web Key: k property of oct key is empty");
    if (rc == CF_OK)
        rc = cf_secret_copy(k.data, k.len, out, e);
    spec->type = HAL_OCT;
    spec->bits = (uint32_t)(8 * k.len);
    cf_buf_clear(&k);
    return rc;
}

/* "https://host/keys/{name}/{version}": the key-exchange key that the transfer was made for. */
static enum cf_rc read_kek(const char *kid, char name[KEYSTORE_NAME_MAX + 1],
                           char version[KEYSTORE_ID_HEX + 1], struct cf_err *e)
{
    const char *p = strstr(kid, "/keys/");
    p = p ? p + 6 : kid;
    size_t len = strcspn(p, "/");
    const char *v = p[len] ? p + len + 1 : "";
    if (!len || len > KEYSTORE_NAME_MAX || (*v && strlen(v) != KEYSTORE_ID_HEX))
        return API_BAD(e, "header.kid of the transfer blob names no key");
    memcpy(name, p, len);
    name[len] = 0;
    memcpy(version, v, strlen(v) + 1);
    return CF_OK;
}

static enum cf_rc check_transfer_header(const struct json *root, const char **kid, struct cf_err *e)
{
    const struct json *header = NULL;
    const char *version = NULL;
    const char *alg = NULL;
    const char *enc = NULL;
    enum cf_rc rc = json_get_text(root, "schema_version", &version, e);
    if (rc == CF_OK)
        rc = json_get_object(root, "header", &header, e);
    if (rc == CF_OK)
        rc = json_get_text(header, "kid", kid, e);
    if (rc == CF_OK)
        rc = json_get_text(header, "alg", &alg, e);
    if (rc == CF_OK)
        rc = json_get_text(header, "enc", &enc, e);
    if (rc != CF_OK)
        return rc;
    if (strcmp(version, "1.0.0") != 0 || strcmp(alg, "dir") != 0 ||
        strcmp(enc, "CKM_RSA_AES_KEY_WRAP") != 0)
        return API_BAD(e, "The transfer blob must be of version 1.0.0, dir, CKM_RSA_AES_KEY_WRAP");
    return CF_OK;
}

/* API document 4.6. */
static enum cf_rc material_byok(struct keystore *ks, const struct json *key, struct cf_secret **out,
                                struct cf_err *e)
{
    struct cf_buf blob = { 0 };
    struct cf_buf cipher = { 0 };
    struct json *root = NULL;
    const char *kid = NULL;
    char name[KEYSTORE_NAME_MAX + 1];
    char version[KEYSTORE_ID_HEX + 1];
    enum cf_rc rc = json_get_base64(key, "key_hsm", TRANSFER_MAX, &blob, e);
    if (rc == CF_OK)
        rc = json_parse(blob.data, blob.len, NULL, &root, e);
    if (rc == CF_OK)
        rc = check_transfer_header(root, &kid, e);
    if (rc == CF_OK)
        rc = json_get_base64(root, "ciphertext", TRANSFER_MAX, &cipher, e);
    if (rc == CF_OK)
        rc = read_kek(kid, name, version, e);
    if (rc == CF_OK) {
        const struct keystore_use kek = { .name = name,
                                          .version = *version ? version : NULL,
                                          .wants = { .type = HAL_RSA } };
        rc = keystore_open_transfer(ks, &kek, crypto_bytes_of(cipher.data, cipher.len), out, e);
    }
    json_free(root);
    cf_buf_clear(&cipher);
    cf_buf_clear(&blob);
    return rc;
}

/* What the transferred bytes are: a whole private key says its size itself. */
static enum cf_rc shape_byok(struct cf_secret **material, struct hal_key_spec *spec,
                             struct cf_err *e)
{
    struct cf_secret *raw = *material;
    struct hal_key_spec found = { 0 };
    if (spec->type == HAL_OCT) {
        spec->bits = (uint32_t)(8 * cf_secret_len(raw));
        return CF_OK;
    }
    *material = NULL;
    enum cf_rc rc = crypto_pkcs8_read(crypto_bytes_of(cf_secret_view(raw), cf_secret_len(raw)),
                                      &found, material, e);
    if (rc == CF_OK && found.type != spec->type)
        rc = API_BAD(e, "kty is not that of the transferred key");
    *spec = found;
    cf_secret_free(raw);
    return rc;
}

static enum cf_rc read_material(struct keystore *ks, const struct json *key,
                                struct hal_key_spec *spec, struct cf_secret **out, struct cf_err *e)
{
    enum cf_rc rc = api_kty_read(key, &spec->type, e);
    if (rc != CF_OK)
        return rc;
    const struct json *hsm = json_member(key, "key_hsm");
    if (hsm && json_type_of(hsm) != JSON_NULL) {
        rc = material_byok(ks, key, out, e);
        return rc == CF_OK ? shape_byok(out, spec, e) : rc;
    }
    if (spec->type == HAL_RSA)
        return material_rsa(key, spec, out, e);
    if (spec->type == HAL_EC)
        return material_ec(key, spec, out, e);
    return material_oct(key, spec, out, e);
}

enum cf_rc api_put_key(struct api *a, struct api_request *rq, struct api_reply *rp,
                       struct cf_err *e)
{
    struct keystore *ks = NULL;
    struct json *body = NULL;
    const struct json *key = NULL;
    struct cf_secret *material = NULL;
    struct api_attrs attrs = { 0 };
    struct keystore_new n = { 0 };
    struct keystore_bundle b = { 0 };
    enum cf_rc rc = api_keystore(a, &ks, e);
    if (rc == CF_OK)
        rc = api_body(rq, &body, e);
    if (rc == CF_OK)
        rc = json_get_object(body, "key", &key, e);
    if (rc == CF_OK)
        rc = api_attrs_read(body, key, &attrs, e);
    if (rc == CF_OK && (attrs.a.given & KEYSTORE_GIVEN_POLICY) && !attrs.a.exportable)
        rc = API_BAD(e, "Non-exportable keys must not have release policy");
    if (rc == CF_OK)
        rc = read_material(ks, key, &n.spec, &material, e);
    n.attrs = attrs.a;
    if (rc == CF_OK)
        rc = keystore_import(ks, rq->key, &n, material, &b, e);
    if (rc == CF_OK)
        rc = api_reply_bundle(a, rq, &b, rp, e);
    keystore_bundle_clear(&b);
    api_attrs_clear(&attrs);
    cf_secret_free(material);
    json_free(body);
    return rc;
}
