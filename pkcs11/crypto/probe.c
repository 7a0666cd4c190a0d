#include "crypto/probe_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"

/* Without these there is no service; the rest is found missing when it is asked for. */
static const struct {
    CK_MECHANISM_TYPE mech;
    CK_FLAGS need;
    const char *name;
} needed[] = {
    { CKM_SHA256_HMAC, CKF_SIGN, "CKM_SHA256_HMAC" },
    { CKM_AES_KEY_GEN, CKF_GENERATE, "CKM_AES_KEY_GEN" },
    { CKM_AES_ECB, CKF_ENCRYPT, "CKM_AES_ECB" },
    { CKM_GENERIC_SECRET_KEY_GEN, CKF_GENERATE, "CKM_GENERIC_SECRET_KEY_GEN" },
    { CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, "CKM_RSA_PKCS_KEY_PAIR_GEN" },
    { CKM_RSA_PKCS, CKF_SIGN, "CKM_RSA_PKCS" },
    { CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, "CKM_EC_KEY_PAIR_GEN" },
    { CKM_ECDSA, CKF_SIGN, "CKM_ECDSA" },
};

struct list {
    char text[160];
    size_t len;
};

/* What has no room left is told once the rest is there. */
static void put(struct list *l, const char *name)
{
    size_t room = sizeof l->text - l->len;
    int n = snprintf(l->text + l->len, room, "%s%s", l->len ? ", " : "", name);
    if (n > 0 && (size_t)n < room)
        l->len += (size_t)n;
    else
        l->text[l->len] = 0;
}

/* Names all that is missing at once: who tries a token wants to know how far off it is. */
static enum cf_rc probe_needed(struct p11_ctx *c, struct cf_err *e)
{
    struct list lacks = { .text = "" };
    CK_BYTE some[16];
    if (!p11_kwp_listed(c->core))
        put(&lacks, "AES key wrap with padding (RFC 5649)");
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!p11_has_mech(c->core, needed[i].mech, needed[i].need))
            put(&lacks, needed[i].name);
    CK_RV rv = c->fn->C_GenerateRandom(c->s, some, sizeof some);
    if (rv != CKR_OK && p11_rv_find(rv)->cls != P11_REQUEST)
        return P11_FAIL(c, e, "C_GenerateRandom", rv);
    if (rv != CKR_OK)
        put(&lacks, "a random number generator");
    return lacks.len ? CF_FAIL(e, CF_E_LIMIT, "the token lacks %s", lacks.text) : CF_OK;
}

static void probe_create(struct p11_ctx *c)
{
    static const uint8_t value[32] = { 1 };
    const struct p11_shape s = { .cls = CKO_SECRET_KEY,
                                 .type = CKK_AES,
                                 .use = P11_USE_ENCRYPT,
                                 .sensitive = true,
                                 .value_len = sizeof value };
    CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
    c->core->ways.create = p11_create(c, &s, crypto_bytes_of(value, sizeof value), &h) == CKR_OK;
    p11_destroy(c, c->s, h);
}

static void probe_hmac(struct p11_ctx *c)
{
    static const uint32_t sizes[] = { 8, 14, 16, 20, 24, 32, 48, 64 };
    uint8_t mac[HAL_MAC_SIZE];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct p11_shape s = { .cls = CKO_SECRET_KEY,
                                     .type = CKK_GENERIC_SECRET,
                                     .use = P11_USE_SIGN,
                                     .sensitive = true,
                                     .value_len = sizes[i] };
        CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
        enum cf_rc rc = p11_make_secret(c, &s, &h, NULL);
        if (rc == CF_OK)
            rc = p11_mac(c, h, crypto_bytes_of("probe", 5), mac, NULL);
        p11_destroy(c, c->s, h);
        if (rc == CF_OK) {
            c->core->ways.hmac_min_bytes = sizes[i];
            return;
        }
        if (p11_ctx_ready(c, NULL) != CF_OK)
            return;
    }
}

static const uint8_t gcm_key[CRYPTO_KEY_SIZE] = { 0x67, 0x63, 0x6d };
static const uint8_t gcm_iv[CRYPTO_NONCE_SIZE] = { 9, 8, 7, 6, 5, 4, 3, 2, 1, 2, 3, 4 };
static const uint8_t gcm_text[24] = "one block and a half...";

/* The host's own GCM is the known answer. */
static enum cf_rc gcm_expected(uint8_t out[sizeof gcm_text], uint8_t tag[CRYPTO_TAG_SIZE])
{
    struct crypto_gcm *g = NULL;
    struct crypto_gcm_op op = { .nonce = gcm_iv,
                                .aad = crypto_bytes_of("aad", 3),
                                .in = gcm_text,
                                .len = sizeof gcm_text,
                                .out = out };
    enum cf_rc rc = crypto_gcm_new(&g, NULL);
    if (rc == CF_OK)
        rc = crypto_gcm_set_key(g, gcm_key, NULL);
    if (rc == CF_OK)
        rc = crypto_gcm_seal(g, &op, tag, NULL);
    crypto_gcm_free(g);
    return rc;
}

static bool gcm_answers(struct p11_ctx *c, CK_OBJECT_HANDLE h, enum p11_gcm_way way)
{
    static const struct hal_key_spec spec = { .type = HAL_OCT, .bits = 256 };
    uint8_t in[sizeof gcm_text];
    uint8_t tag[CRYPTO_TAG_SIZE];
    struct hal_result r = { 0 };
    if (gcm_expected(in, tag) != CF_OK)
        return false;
    struct hal_op op = { .use = HAL_DECRYPT,
                         .mech = HAL_AES_GCM,
                         .in = in,
                         .in_len = sizeof in,
                         .iv = gcm_iv,
                         .iv_len = sizeof gcm_iv,
                         .aad = (const uint8_t *)"aad",
                         .aad_len = 3,
                         .tag = tag,
                         .tag_len = sizeof tag };
    c->core->ways.gcm = way;
    bool ok = p11_op_run(c, h, &spec, &op, &r, NULL) == CF_OK && r.out.len == sizeof gcm_text &&
              cf_equal(r.out.data, gcm_text, sizeof gcm_text);
    hal_result_clear(&r);
    return ok;
}

static void probe_gcm(struct p11_ctx *c)
{
    static const enum p11_gcm_way tries[] = { P11_GCM_V240, P11_GCM_OLD };
    const struct p11_shape s = { .cls = CKO_SECRET_KEY,
                                 .type = CKK_AES,
                                 .use = P11_USE_ENCRYPT | P11_USE_DECRYPT,
                                 .sensitive = true,
                                 .value_len = sizeof gcm_key };
    if (!p11_has_mech(c->core, CKM_AES_GCM, CKF_ENCRYPT | CKF_DECRYPT))
        return;
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
        if (p11_ctx_ready(c, NULL) != CF_OK)
            return;
        enum cf_rc rc = p11_bring(c, &s, crypto_bytes_of(gcm_key, sizeof gcm_key), &h, NULL);
        bool ok = rc == CF_OK && gcm_answers(c, h, tries[i]);
        p11_destroy(c, c->s, h);
        if (ok)
            return;
    }
    c->core->ways.gcm = P11_GCM_NONE;
}

enum cf_rc p11_probe(struct p11_ctx *c, struct cf_err *e)
{
    enum cf_rc rc = probe_needed(c, e);
    if (rc != CF_OK)
        return rc;
    probe_create(c);
    rc = p11_probe_kwp(c, e);
    if (rc == CF_OK)
        rc = p11_probe_oaep(c, e);
    if (rc != CF_OK)
        return rc;
    probe_hmac(c);
    if (c->core->ways.hmac_min_bytes == 0 || c->core->ways.hmac_min_bytes > HAL_SECRET_SIZE)
        return CF_FAIL(e, CF_E_LIMIT, "the token lacks HMAC-SHA-256 with 32-byte keys");
    probe_gcm(c);
    p11_probe_keywrap(c);
    return p11_ctx_ready(c, e);
}
