#include "manifest_priv.h"

#include <string.h>

enum cf_rc manifest_map_key(const struct cf_secret *dk, struct crypto_bytes head,
                            uint8_t km[CRYPTO_KEY_SIZE], struct cf_err *e)
{
    uint8_t digest[32];
    enum cf_rc rc = crypto_digest(HAL_SHA256, head.p, head.len, digest, e);
    if (rc == CF_OK)
        rc = crypto_kdf(cf_secret_view(dk), "coffer.v1.manifest", digest, sizeof digest, km, e);
    return rc;
}

enum cf_rc manifest_mac(const struct cf_secret *dk, struct crypto_bytes bytes,
                        uint8_t mac[MANIFEST_MAC_SIZE], struct cf_err *e)
{
    uint8_t kh[CRYPTO_KEY_SIZE];
    const uint8_t *backup_id = (const uint8_t *)bytes.p + 64;
    enum cf_rc rc = crypto_kdf(cf_secret_view(dk), "coffer.v1.mac", backup_id, FLOW_ID_SIZE, kh, e);
    if (rc == CF_OK)
        rc = crypto_hmac(HAL_SHA256, crypto_bytes_of(kh, sizeof kh), bytes, mac, e);
    cf_wipe(kh, sizeof kh);
    return rc;
}

/* Envelope, lengths, random, public map. */
static enum cf_rc put_head(const struct manifest_envelope *env, struct hal_entropy *entropy,
                           const struct cf_buf *pub, size_t sealed_len, struct cf_buf *out,
                           struct cf_err *e)
{
    uint8_t rest[FIXED_SIZE - MANIFEST_ENVELOPE_SIZE];
    if (pub->len > PUBLIC_MAX || sealed_len + CRYPTO_TAG_SIZE > SEALED_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "the manifest would be too large");
    cf_le32(rest, (uint32_t)pub->len);
    cf_le32(rest + 4, (uint32_t)(sealed_len + CRYPTO_TAG_SIZE));
    /* Fresh: a manifest that is built twice must not meet nonce 0 twice under one key. */
    enum cf_rc rc = hal_entropy_fill(entropy, rest + 8, sizeof rest - 8, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, env->bytes, sizeof env->bytes, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, rest, sizeof rest, e);
    return rc == CF_OK ? cf_buf_put(out, pub->data, pub->len, e) : rc;
}

static enum cf_rc put_sealed(const struct manifest_domain *d, const struct cf_secret *dk,
                             const struct cf_buf *sealed, struct cf_buf *out, struct cf_err *e)
{
    static const uint8_t nonce[CRYPTO_NONCE_SIZE];
    uint8_t km[CRYPTO_KEY_SIZE];
    struct crypto_gcm *g = NULL;
    size_t at = out->len;
    enum cf_rc rc = manifest_map_key(dk, crypto_bytes_of(out->data, out->len), km, e);
    if (rc == CF_OK)
        rc = cf_buf_resize(out, at + sealed->len + CRYPTO_TAG_SIZE, e);
    if (rc == CF_OK)
        rc = crypto_gcm_new(&g, e);
    if (rc == CF_OK)
        rc = crypto_gcm_set_key(g, km, e);
    if (rc == CF_OK) {
        struct crypto_gcm_op op = {
            .nonce = nonce, .in = sealed->data, .len = sealed->len, .out = out->data + at
        };
        flow_record(d->recorder, km, nonce);
        rc = crypto_gcm_seal(g, &op, out->data + at + sealed->len, e);
    }
    crypto_gcm_free(g);
    cf_wipe(km, sizeof km);
    return rc;
}

enum cf_rc manifest_build(const struct manifest_domain *d, const struct manifest_envelope *env,
                          const struct cf_secret *dk, struct hal_entropy *entropy,
                          struct manifest *m, struct cf_buf *out, struct cf_err *e)
{
    struct cf_buf pub = { 0 }, sealed = { 0 }, bytes = { 0 };
    memcpy(m->backup_id, env->backup_id, FLOW_ID_SIZE);
    m->generation = env->generation;
    m->created_s = manifest_created_ms(env->bytes) / 1000;
    enum cf_rc rc = manifest_identify(d, env->generation, m, e);
    if (rc == CF_OK)
        rc = manifest_check(m, e);
    if (rc == CF_OK)
        rc = manifest_public_write(m, &pub, e);
    if (rc == CF_OK)
        rc = manifest_sealed_write(m, &sealed, e);
    if (rc == CF_OK)
        rc = put_head(env, entropy, &pub, sealed.len, &bytes, e);
    if (rc == CF_OK)
        rc = put_sealed(d, dk, &sealed, &bytes, e);
    if (rc == CF_OK)
        rc = manifest_mac(dk, crypto_bytes_of(bytes.data, bytes.len), m->mac, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&bytes, m->mac, sizeof m->mac, e);
    if (rc == CF_OK)
        rc = manifest_sign(d, m, &bytes, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, bytes.data, bytes.len, e);
    cf_buf_clear(&pub);
    cf_buf_clear(&sealed);
    cf_buf_clear(&bytes);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "building the manifest");
}
