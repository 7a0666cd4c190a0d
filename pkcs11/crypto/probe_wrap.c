#include "crypto/probe_priv.h"

#include <string.h>

#include "base/secret.h"

/* Most likely to mean RFC 5649 first; 0x210A last, since NSS means its own padding by it. */
static const CK_MECHANISM_TYPE candidates[] = { P11_CKM_AES_KWP_V3, P11_CKM_LUNA_AES_KWP,
                                                P11_CKM_CLOUDHSM_ZERO_PAD, CKM_AES_KEY_WRAP_PAD };

/* RFC 5649, section 6, first example. */
static const uint8_t rfc_kek[24] = { 0x58, 0x40, 0xdf, 0x6e, 0x29, 0xb0, 0x2a, 0xf1,
                                     0xab, 0x49, 0x3b, 0x70, 0x5b, 0xf1, 0x6e, 0xa1,
                                     0xae, 0x83, 0x38, 0xf4, 0xdc, 0xc1, 0x76, 0xa8 };
static const uint8_t rfc_key[20] = { 0xc3, 0x7b, 0x7e, 0x64, 0x92, 0x58, 0x43, 0x40, 0xbe, 0xd1,
                                     0x22, 0x07, 0x80, 0x89, 0x41, 0x15, 0x50, 0x68, 0xf7, 0x38 };
static const uint8_t rfc_blob[32] = { 0x13, 0x8b, 0xde, 0xaa, 0x9b, 0x8f, 0xa7, 0xfc,
                                      0x61, 0xf9, 0x77, 0x42, 0xe7, 0x22, 0x48, 0xee,
                                      0x5a, 0xe6, 0xae, 0x53, 0x60, 0xd1, 0xae, 0x6a,
                                      0x5f, 0x54, 0xf3, 0x73, 0xfa, 0x54, 0x3b, 0x6a };

static const uint8_t probe_kek[32] = "coffer.v1.probe: key-wrap key..";
static const uint8_t probe_key[32] = "coffer.v1.probe: the wrapped key";

static const struct p11_shape kek_shape = {
    .cls = CKO_SECRET_KEY, .type = CKK_AES, .use = P11_USE_WRAP | P11_USE_UNWRAP, .sensitive = true
};
static const struct p11_shape aes_shape = { .cls = CKO_SECRET_KEY,
                                            .type = CKK_AES,
                                            .use = P11_USE_ENCRYPT,
                                            .sensitive = true,
                                            .extractable = true,
                                            .value_len = 32 };
static const struct p11_shape data_shape = { .cls = CKO_SECRET_KEY,
                                             .type = CKK_GENERIC_SECRET,
                                             .extractable = true,
                                             .value_len = sizeof rfc_key };

enum verdict { RIGHT, WRONG, CANNOT_TELL };

/* Does `u` give back exactly `want`? Only where the token lets an unwrapped secret be read. */
static enum verdict unwraps_to(struct p11_ctx *c, const struct p11_unwrapping *u,
                               struct crypto_bytes want)
{
    CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
    struct cf_buf got = { 0 };
    struct p11_shape s = data_shape;
    s.value_len = want.len;
    enum cf_rc rc = p11_unwrap(c, u, &s, &h, NULL);
    enum verdict v = rc == CF_OK || rc == CF_E_LIMIT ? CANNOT_TELL : WRONG;
    if (rc == CF_OK && p11_attr(c, h, CKA_VALUE, &got, NULL) == CF_OK)
        v = got.len == want.len && cf_equal(got.data, want.p, want.len) ? RIGHT : WRONG;
    p11_destroy(c, c->s, h);
    cf_buf_clear(&got);
    return v;
}

/* Wraps `data` as a readable object and compares. */
static bool wraps_to(struct p11_ctx *c, CK_OBJECT_HANDLE kek, CK_MECHANISM_TYPE mech,
                     struct crypto_bytes data, struct crypto_bytes want)
{
    CK_MECHANISM m = { .mechanism = mech };
    CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
    uint8_t room[HAL_WRAPPED_MAX];
    CK_ULONG len = sizeof room;
    struct p11_shape s = data_shape;
    s.value_len = data.len;
    bool ok = p11_create(c, &s, data, &h) == CKR_OK &&
              c->fn->C_WrapKey(c->s, &m, kek, h, room, &len) == CKR_OK && len == want.len &&
              cf_equal(room, want.p, want.len);
    p11_destroy(c, c->s, h);
    return ok;
}

/* The RFC's own example. True too where the token lets no known or readable key in; then the round
 * trip must do. */
static bool rfc_example(struct p11_ctx *c, CK_MECHANISM_TYPE mech)
{
    struct p11_shape s = kek_shape;
    CK_OBJECT_HANDLE kek = CK_INVALID_HANDLE;
    s.value_len = sizeof rfc_kek;
    if (p11_create(c, &s, crypto_bytes_of(rfc_kek, sizeof rfc_kek), &kek) != CKR_OK)
        return true;
    struct p11_unwrapping u = { .session = c->s,
                                .under = kek,
                                .mech = mech,
                                .blob = crypto_bytes_of(rfc_blob, sizeof rfc_blob) };
    struct crypto_bytes key = crypto_bytes_of(rfc_key, sizeof rfc_key);
    enum verdict v = unwraps_to(c, &u, key);
    c->core->ways.kwp_pads_exactly = v == RIGHT && wraps_to(c, kek, mech, key, u.blob);
    p11_destroy(c, c->s, kek);
    return v != WRONG;
}

/* Wraps a 32-byte key, unwraps it, and sees the same key. Leaves blob and check value in the core
 * for later liveness tests. Where both keys are ours, the blob is the host's too. */
static bool round_trip(struct p11_ctx *c, CK_MECHANISM_TYPE mech, CK_OBJECT_HANDLE key)
{
    struct p11_core *core = c->core;
    struct cf_buf host = { 0 };
    CK_MECHANISM m = { .mechanism = mech };
    CK_OBJECT_HANDLE again = CK_INVALID_HANDLE;
    struct p11_shape closed = aes_shape;
    uint8_t kcv[HAL_KCV_SIZE];
    closed.extractable = false;
    core->probe_blob_len = sizeof core->probe_blob;
    bool ok = c->fn->C_WrapKey(c->s, &m, core->probe_kek, key, core->probe_blob,
                               &core->probe_blob_len) == CKR_OK &&
              core->probe_blob_len == 40;
    if (ok && core->ways.create)
        ok = crypto_wrap(CRYPTO_KWP, crypto_bytes_of(probe_kek, sizeof probe_kek),
                         crypto_bytes_of(probe_key, sizeof probe_key), &host, NULL) == CF_OK &&
             host.len == 40 && cf_equal(host.data, core->probe_blob, 40);
    cf_buf_clear(&host);
    struct p11_unwrapping u = { .session = c->s,
                                .under = core->probe_kek,
                                .mech = mech,
                                .blob = crypto_bytes_of(core->probe_blob, core->probe_blob_len) };
    ok = ok && p11_unwrap(c, &u, &closed, &again, NULL) == CF_OK &&
         p11_kcv(c, key, P11_KIND_AES, core->probe_kcv, NULL) == CF_OK &&
         p11_kcv(c, again, P11_KIND_AES, kcv, NULL) == CF_OK &&
         cf_equal(kcv, core->probe_kcv, sizeof kcv);
    p11_destroy(c, c->s, again);
    return ok;
}

static enum cf_rc make_or_create(struct p11_ctx *c, const struct p11_shape *shape,
                                 const uint8_t value[32], CK_OBJECT_HANDLE *out, struct cf_err *e)
{
    struct p11_shape s = *shape;
    s.value_len = 32;
    if (!c->core->ways.create)
        return p11_make_secret(c, &s, out, e);
    CK_RV rv = p11_create(c, &s, crypto_bytes_of(value, 32), out);
    return rv == CKR_OK ? CF_OK : P11_FAIL(c, e, "C_CreateObject", rv);
}

/* The probe's KEK lives in the anchor session, for as long as the worker. */
static enum cf_rc make_probe_kek(struct p11_core *core, struct cf_err *e)
{
    struct p11_ctx anchor = { .core = core, .fn = core->fn, .s = core->anchor };
    return make_or_create(&anchor, &kek_shape, probe_kek, &core->probe_kek, e);
}

bool p11_kwp_listed(const struct p11_core *core)
{
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++)
        if (p11_has_mech(core, candidates[i], CKF_WRAP | CKF_UNWRAP))
            return true;
    return false;
}

static bool candidate_passes(struct p11_ctx *c, CK_MECHANISM_TYPE mech)
{
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    if (!p11_has_mech(c->core, mech, CKF_WRAP | CKF_UNWRAP) || p11_ctx_ready(c, NULL) != CF_OK)
        return false;
    bool ok = make_or_create(c, &aes_shape, probe_key, &key, NULL) == CF_OK &&
              rfc_example(c, mech) && round_trip(c, mech, key);
    p11_destroy(c, c->s, key);
    return ok;
}

enum cf_rc p11_probe_kwp(struct p11_ctx *c, struct cf_err *e)
{
    enum cf_rc rc = make_probe_kek(c->core, e);
    if (rc != CF_OK)
        return rc;
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        if (!candidate_passes(c, candidates[i]))
            continue;
        c->core->ways.kwp = candidates[i];
        return p11_ctx_ready(c, e);
    }
    return CF_FAIL(e, CF_E_LIMIT,
                   "the token lacks AES key wrap with padding (RFC 5649): no "
                   "mechanism passes its known answer");
}

/* Encrypting with the mechanism is simplest; else the bytes travel as an object. */
static enum p11_kw_way keywrap_way(struct p11_ctx *c, CK_MECHANISM_TYPE mech, enum crypto_wrap how)
{
    static const uint8_t text[24] = "twenty-four user bytes.";
    struct crypto_bytes data = crypto_bytes_of(text, sizeof text);
    struct p11_shape s = kek_shape;
    struct cf_buf want = { 0 };
    struct cf_buf got = { 0 };
    CK_OBJECT_HANDLE kek = CK_INVALID_HANDLE;
    enum p11_kw_way way = P11_KW_NONE;
    s.use |= P11_USE_ENCRYPT | P11_USE_DECRYPT;
    s.value_len = sizeof probe_kek;
    if (p11_ctx_ready(c, NULL) != CF_OK ||
        crypto_wrap(how, crypto_bytes_of(probe_kek, sizeof probe_kek), data, &want, NULL) != CF_OK)
        return P11_KW_NONE;
    struct crypto_bytes blob = crypto_bytes_of(want.data, want.len);
    CK_RV rv = p11_create(c, &s, crypto_bytes_of(probe_kek, sizeof probe_kek), &kek);
    CK_MECHANISM m = { .mechanism = mech };
    struct p11_crypt x = { .encrypt = true, .mech = &m, .key = kek, .in = data };
    struct p11_unwrapping u = { .session = c->s, .under = kek, .mech = mech, .blob = blob };
    if (rv == CKR_OK && p11_has_mech(c->core, mech, CKF_ENCRYPT | CKF_DECRYPT) &&
        p11_crypt(c, &x, &got, NULL) == CF_OK && got.len == want.len &&
        cf_equal(got.data, want.data, want.len))
        way = P11_KW_ENCRYPT;
    else if (rv == CKR_OK && p11_has_mech(c->core, mech, CKF_WRAP | CKF_UNWRAP) &&
             wraps_to(c, kek, mech, data, blob) && unwraps_to(c, &u, data) == RIGHT)
        way = P11_KW_WRAP;
    p11_destroy(c, c->s, kek);
    cf_buf_clear(&want);
    cf_buf_clear(&got);
    return way;
}

void p11_probe_keywrap(struct p11_ctx *c)
{
    if (!c->core->ways.create)
        return;
    c->core->ways.user_kw = keywrap_way(c, CKM_AES_KEY_WRAP, CRYPTO_KW);
    c->core->ways.user_kwp = keywrap_way(c, c->core->ways.kwp, CRYPTO_KWP);
}
