#include "crypto/probe_priv.h"

#include "base/secret.h"
#include "crypto/pkey.h"

/* Decrypts what the host encrypted a moment ago. */
static bool oaep_answers(struct p11_ctx *c, CK_OBJECT_HANDLE h, enum hal_hash hash,
                         struct crypto_bytes cipher)
{
    static const struct hal_key_spec spec = { .type = HAL_RSA, .bits = 2048 };
    struct hal_result r = { 0 };
    struct hal_op op = {
        .use = HAL_DECRYPT, .mech = HAL_RSA_OAEP, .hash = hash, .in = cipher.p, .in_len = cipher.len
    };
    bool ok = p11_op_run(c, h, &spec, &op, &r, NULL) == CF_OK && r.out.len == 5 &&
              cf_equal(r.out.data, "probe", 5);
    hal_result_clear(&r);
    return ok;
}

static enum cf_rc bring_key(struct p11_ctx *c, CK_OBJECT_HANDLE *out)
{
    const struct p11_shape s = {
        .cls = CKO_PRIVATE_KEY, .type = CKK_RSA, .use = P11_USE_DECRYPT, .sensitive = true
    };
    return p11_bring(c, &s, p11_probe_pkcs8(), out, NULL);
}

static void probe_hash(struct p11_ctx *c, enum hal_hash hash)
{
    static const struct {
        enum p11_oaep_way way;
        CK_MECHANISM_TYPE mech;
    } tries[] = { { P11_OAEP_NATIVE, CKM_RSA_PKCS_OAEP }, { P11_OAEP_RAW, CKM_RSA_X_509 } };
    struct crypto_pkey *k = NULL;
    struct cf_buf cipher = { 0 };
    enum p11_oaep_way *way = &c->core->ways.oaep[hash];
    enum cf_rc rc = crypto_pkey_new(p11_probe_spki(), &k, NULL);
    if (rc == CF_OK)
        rc = crypto_pkey_encrypt(k, HAL_RSA_OAEP, hash, crypto_bytes_of("probe", 5), &cipher, NULL);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0] && rc == CF_OK; i++) {
        CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
        if (!p11_has_mech(c->core, tries[i].mech, CKF_DECRYPT) || p11_ctx_ready(c, NULL) != CF_OK)
            continue;
        *way = tries[i].way;
        bool ok = bring_key(c, &h) == CF_OK &&
                  oaep_answers(c, h, hash, crypto_bytes_of(cipher.data, cipher.len));
        p11_destroy(c, c->s, h);
        if (ok)
            break;
        *way = P11_OAEP_NONE;
    }
    crypto_pkey_free(k);
    cf_buf_clear(&cipher);
}

enum cf_rc p11_probe_oaep(struct p11_ctx *c, struct cf_err *e)
{
    probe_hash(c, HAL_SHA1);
    probe_hash(c, HAL_SHA256);
    if (c->core->ways.oaep[HAL_SHA256] == P11_OAEP_NONE)
        return CF_FAIL(e, CF_E_LIMIT,
                       "the token lacks RSA-OAEP with SHA-256: neither "
                       "CKM_RSA_PKCS_OAEP nor CKM_RSA_X_509 passes its known answer");
    return p11_ctx_ready(c, e);
}
