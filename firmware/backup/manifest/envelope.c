#include "manifest_priv.h"

#include <string.h>

static const uint8_t magic[8] = { 'C', 'F', 'R', 'M', 'A', 'N', '0', '1' };

uint32_t manifest_generation(const uint8_t *envelope)
{
    struct cf_rd rd = cf_rd_of(envelope + 12, 4);
    return cf_rd_le32(&rd);
}

uint64_t manifest_created_ms(const uint8_t *envelope)
{
    struct cf_rd rd = cf_rd_of(envelope + 80, 8);
    return cf_rd_le64(&rd);
}

enum cf_rc manifest_token_kdf(const struct manifest_domain *d, uint32_t generation,
                              const char *label, struct crypto_bytes ctx, uint8_t out[HAL_MAC_SIZE],
                              struct cf_err *e)
{
    struct hal_key_name bk = { .role = HAL_ROLE_BK, .generation = generation };
    struct cf_buf msg = { 0 };
    memcpy(bk.domain_id, d->domain_id, sizeof bk.domain_id);
    enum cf_rc rc = crypto_kdf_message(label, ctx.p, ctx.len, &msg, e);
    if (rc == CF_OK)
        rc = hal_token_mac(d->token, &bk, msg.data, msg.len, out, e);
    cf_buf_clear(&msg);
    return rc;
}

static enum cf_rc fingerprint(const struct manifest_domain *d, uint32_t generation,
                              uint8_t fp[HAL_MAC_SIZE], struct cf_err *e)
{
    uint8_t ctx[HAL_DOMAIN_ID_SIZE + 4];
    memcpy(ctx, d->domain_id, HAL_DOMAIN_ID_SIZE);
    cf_le32(ctx + HAL_DOMAIN_ID_SIZE, generation);
    return manifest_token_kdf(d, generation, "coffer.v1.fp", crypto_bytes_of(ctx, sizeof ctx), fp,
                              e);
}

/* Random from both sources: were one stuck, KE would still not meet two data keys. */
static enum cf_rc draw(const struct manifest_domain *d, struct hal_entropy *entropy, uint8_t *out,
                       size_t len, struct cf_err *e)
{
    uint8_t other[32] = { 0 };
    enum cf_rc rc = hal_entropy_fill(entropy, out, len, e);
    if (rc == CF_OK)
        rc = hal_token_random(d->token, other, len, e);
    for (size_t i = 0; rc == CF_OK && i < len; i++)
        out[i] ^= other[i];
    return rc;
}

/* DK = HMAC-SHA256(token's random, host's random and backup id): either source alone suffices. */
static enum cf_rc draw_data_key(const struct manifest_domain *d, struct hal_entropy *entropy,
                                const uint8_t backup_id[FLOW_ID_SIZE], struct cf_secret **dk,
                                struct cf_err *e)
{
    uint8_t token_random[32], mixed[32 + FLOW_ID_SIZE];
    struct cf_secret *key = NULL;
    enum cf_rc rc = cf_secret_new(CRYPTO_KEY_SIZE, &key, e);
    if (rc == CF_OK)
        rc = hal_token_random(d->token, token_random, sizeof token_random, e);
    if (rc == CF_OK)
        rc = hal_entropy_fill(entropy, mixed, 32, e);
    if (rc == CF_OK) {
        memcpy(mixed + 32, backup_id, FLOW_ID_SIZE);
        rc = crypto_hmac(HAL_SHA256, crypto_bytes_of(token_random, sizeof token_random),
                         crypto_bytes_of(mixed, sizeof mixed), cf_secret_data(key), e);
    }
    cf_wipe(token_random, sizeof token_random);
    cf_wipe(mixed, sizeof mixed);
    if (rc != CF_OK) {
        cf_secret_free(key);
        return rc;
    }
    *dk = key;
    return CF_OK;
}

/* KE exists for this one message: the envelope's salt is in its context. */
static enum cf_rc envelope_key(const struct manifest_domain *d, const uint8_t *bytes,
                               struct crypto_gcm *g, uint8_t ke[CRYPTO_KEY_SIZE], struct cf_err *e)
{
    enum cf_rc rc = manifest_token_kdf(d, manifest_generation(bytes), "coffer.v1.env",
                                       crypto_bytes_of(bytes, 128), ke, e);
    return rc == CF_OK ? crypto_gcm_set_key(g, ke, e) : rc;
}

static enum cf_rc envelope_gcm(const struct manifest_domain *d, uint8_t *bytes, uint8_t *dk,
                               bool seal, struct cf_err *e)
{
    static const uint8_t nonce[CRYPTO_NONCE_SIZE];
    uint8_t ke[CRYPTO_KEY_SIZE];
    struct crypto_gcm *g = NULL;
    struct crypto_gcm_op op = { .nonce = nonce,
                                .aad = crypto_bytes_of(bytes, 128),
                                .in = seal ? dk : bytes + 128,
                                .len = CRYPTO_KEY_SIZE,
                                .out = seal ? bytes + 128 : dk };
    enum cf_rc rc = crypto_gcm_new(&g, e);
    if (rc == CF_OK)
        rc = envelope_key(d, bytes, g, ke, e);
    if (rc == CF_OK && seal) {
        flow_record(d->recorder, ke, nonce);
        rc = crypto_gcm_seal(g, &op, bytes + 160, e);
    } else if (rc == CF_OK) {
        rc = crypto_gcm_open(g, &op, bytes + 160, e);
    }
    crypto_gcm_free(g);
    cf_wipe(ke, sizeof ke);
    return rc;
}

enum cf_rc manifest_envelope_make(const struct manifest_domain *d, struct hal_entropy *entropy,
                                  uint64_t created_ms, struct manifest_envelope *out,
                                  struct cf_secret **dk, struct cf_err *e)
{
    struct manifest_envelope env = { .generation = d->generations[0] };
    uint8_t *b = env.bytes;
    struct cf_secret *key = NULL;
    memcpy(b, magic, sizeof magic);
    b[8] = 1;
    b[9] = 1;
    cf_le32(b + 12, env.generation);
    memcpy(b + 16, d->domain_id, HAL_DOMAIN_ID_SIZE);
    cf_le64(b + 80, created_ms);
    enum cf_rc rc = fingerprint(d, env.generation, b + 32, e);
    if (rc == CF_OK)
        rc = draw(d, entropy, b + 64, FLOW_ID_SIZE, e);
    if (rc == CF_OK)
        rc = draw(d, entropy, b + 96, 32, e);
    if (rc == CF_OK)
        rc = draw_data_key(d, entropy, b + 64, &key, e);
    if (rc == CF_OK)
        rc = envelope_gcm(d, b, cf_secret_data(key), true, e);
    if (rc != CF_OK) {
        cf_secret_free(key);
        return cf_err_ctx(e, rc, "making the data key of a backup");
    }
    memcpy(env.backup_id, b + 64, FLOW_ID_SIZE);
    *out = env;
    *dk = key;
    return CF_OK;
}

static enum cf_rc check_generation(const struct manifest_domain *d, const uint8_t *head,
                                   struct cf_err *e)
{
    uint32_t g = manifest_generation(head);
    if (!cf_equal(head + 16, d->domain_id, HAL_DOMAIN_ID_SIZE))
        return CF_FAIL(e, CF_E_DENIED, "this backup belongs to another security domain");
    for (size_t i = 0; i < d->count; i++)
        if (d->generations[i] == g)
            return CF_OK;
    return CF_FAIL(e, CF_E_DENIED,
                   "this backup needs generation %u of the security domain, which is not loaded: "
                   "upload a newer security-domain document",
                   g);
}

enum cf_rc manifest_head_check(const struct manifest_domain *d,
                               const uint8_t head[MANIFEST_HEAD_SIZE], uint64_t size,
                               struct cf_err *e)
{
    uint8_t fp[HAL_MAC_SIZE];
    if (size < MANIFEST_MIN || size > MANIFEST_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a manifest of %llu bytes is out of range",
                       (unsigned long long)size);
    if (!cf_equal(head, magic, sizeof magic))
        return CF_FAIL(e, CF_E_CORRUPT, "not the manifest of a backup");
    if (head[8] != 1 || head[9] != 1 || head[10] || head[11])
        return CF_FAIL(e, CF_E_CORRUPT,
                       "this backup is of a newer format (version %u, suite %u): "
                       "update this appliance's firmware",
                       head[8], head[9]);
    if (!cf_all_bytes(head + 88, 8, 0))
        return CF_FAIL(e, CF_E_CORRUPT, "reserved bytes of a manifest are not zero");
    enum cf_rc rc = check_generation(d, head, e);
    if (rc == CF_OK)
        rc = fingerprint(d, manifest_generation(head), fp, e);
    if (rc == CF_OK && !cf_equal(fp, head + 32, sizeof fp))
        rc = CF_FAIL(e, CF_E_DENIED, "this backup belongs to another security domain");
    return rc;
}

enum cf_rc manifest_envelope_open(const struct manifest_domain *d,
                                  const uint8_t bytes[MANIFEST_ENVELOPE_SIZE],
                                  struct cf_secret **dk, struct cf_err *e)
{
    uint8_t copy[MANIFEST_ENVELOPE_SIZE];
    struct cf_secret *key = NULL;
    memcpy(copy, bytes, sizeof copy);
    enum cf_rc rc = cf_secret_new(CRYPTO_KEY_SIZE, &key, e);
    if (rc == CF_OK)
        rc = envelope_gcm(d, copy, cf_secret_data(key), false, e);
    if (rc != CF_OK) {
        cf_secret_free(key);
        return cf_err_ctx(e, rc, "opening the data key of a backup");
    }
    *dk = key;
    return CF_OK;
}

enum cf_rc manifest_envelope_reopen(const struct manifest_domain *d,
                                    const uint8_t bytes[MANIFEST_ENVELOPE_SIZE],
                                    struct manifest_envelope *out, struct cf_secret **dk,
                                    struct cf_err *e)
{
    enum cf_rc rc = manifest_head_check(d, bytes, MANIFEST_MIN, e);
    if (rc == CF_OK)
        rc = manifest_envelope_open(d, bytes, dk, e);
    if (rc != CF_OK)
        return rc;
    memcpy(out->bytes, bytes, MANIFEST_ENVELOPE_SIZE);
    memcpy(out->backup_id, bytes + 64, FLOW_ID_SIZE);
    out->generation = manifest_generation(bytes);
    return CF_OK;
}
