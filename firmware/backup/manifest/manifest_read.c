#include "manifest_priv.h"

#include <string.h>

/* The parts of the blob, borrowed from it. */
struct parts {
    struct crypto_bytes head; /* up to the end of the public map */
    struct crypto_bytes pub;
    struct crypto_bytes sealed; /* with its tag */
    struct crypto_bytes macked; /* all before the MAC */
    const uint8_t *mac;
    struct crypto_bytes signed_part;
    struct crypto_bytes sigs; /* their number included */
};

static enum cf_rc split(const struct cf_buf *bytes, struct parts *p, struct cf_err *e)
{
    struct cf_rd rd = cf_rd_of(bytes->data, bytes->len);
    (void)cf_rd_bytes(&rd, MANIFEST_ENVELOPE_SIZE);
    uint32_t pub = cf_rd_le32(&rd), sealed = cf_rd_le32(&rd);
    (void)cf_rd_bytes(&rd, 24);
    if (pub < 1 || pub > PUBLIC_MAX || sealed < CRYPTO_TAG_SIZE + 1 || sealed > SEALED_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "lengths in the manifest are out of range");
    p->pub = crypto_bytes_of(cf_rd_bytes(&rd, pub), pub);
    p->head = crypto_bytes_of(bytes->data, FIXED_SIZE + (size_t)pub);
    p->sealed = crypto_bytes_of(cf_rd_bytes(&rd, sealed), sealed);
    p->macked = crypto_bytes_of(bytes->data, p->head.len + sealed);
    p->mac = cf_rd_bytes(&rd, MANIFEST_MAC_SIZE);
    p->signed_part = crypto_bytes_of(bytes->data, p->macked.len + MANIFEST_MAC_SIZE);
    p->sigs = crypto_bytes_of(rd.p, rd.left);
    if (rd.bad || rd.left == 0)
        return CF_FAIL(e, CF_E_CORRUPT, "the manifest is cut short");
    return manifest_sigs_tile(p->sigs, e);
}

static enum cf_rc check_mac(const struct parts *p, const struct cf_secret *dk, struct manifest *m,
                            struct cf_err *e)
{
    enum cf_rc rc = manifest_mac(dk, p->macked, m->mac, e);
    if (rc == CF_OK && !cf_equal(m->mac, p->mac, MANIFEST_MAC_SIZE))
        rc = CF_FAIL(e, CF_E_AUTH, "the manifest does not verify");
    return rc;
}

static enum cf_rc read_public(const struct parts *p, const uint8_t *envelope, const char *folder,
                              struct manifest *m, struct cf_err *e)
{
    enum cf_rc rc = manifest_public_read(p->pub, m, e);
    if (rc == CF_OK && m->created_s != manifest_created_ms(envelope) / 1000)
        rc = CF_FAIL(e, CF_E_CORRUPT, "times of the manifest disagree");
    if (rc == CF_OK && strcmp(folder, m->folder) != 0)
        rc = CF_FAIL(e, CF_E_AUTH, "this backup was made as folder %s: it has been renamed",
                     m->folder);
    return rc;
}

static enum cf_rc open_sealed(const struct parts *p, const struct cf_secret *dk, struct manifest *m,
                              struct cf_err *e)
{
    static const uint8_t nonce[CRYPTO_NONCE_SIZE];
    uint8_t km[CRYPTO_KEY_SIZE];
    struct crypto_gcm *g = NULL;
    struct cf_buf plain = { 0 };
    size_t len = p->sealed.len - CRYPTO_TAG_SIZE;
    enum cf_rc rc = manifest_map_key(dk, p->head, km, e);
    if (rc == CF_OK)
        rc = cf_buf_resize(&plain, len, e);
    if (rc == CF_OK)
        rc = crypto_gcm_new(&g, e);
    if (rc == CF_OK)
        rc = crypto_gcm_set_key(g, km, e);
    if (rc == CF_OK) {
        struct crypto_gcm_op op = {
            .nonce = nonce, .in = p->sealed.p, .len = len, .out = plain.data
        };
        rc = crypto_gcm_open(g, &op, (const uint8_t *)p->sealed.p + len, e);
    }
    if (rc == CF_OK)
        rc = manifest_sealed_read(crypto_bytes_of(plain.data, plain.len), m, e);
    if (rc == CF_OK)
        rc = manifest_check(m, e);
    crypto_gcm_free(g);
    cf_wipe(km, sizeof km);
    cf_buf_clear(&plain);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "sealed part of the manifest");
}

enum cf_rc manifest_open(const struct manifest_domain *d, const struct cf_buf *bytes,
                         const struct manifest_judge *judge, struct manifest *out,
                         struct cf_secret **dk, struct cf_err *e)
{
    struct manifest m = { 0 };
    struct parts p = { 0 };
    struct cf_secret *key = NULL;
    if (bytes->len < MANIFEST_MIN)
        return CF_FAIL(e, CF_E_LIMIT, "a manifest of %zu bytes is too short", bytes->len);
    enum cf_rc rc = manifest_head_check(d, bytes->data, bytes->len, e);
    if (rc == CF_OK)
        rc = split(bytes, &p, e);
    if (rc == CF_OK)
        rc = manifest_envelope_open(d, bytes->data, &key, e);
    if (rc == CF_OK)
        rc = check_mac(&p, key, &m, e);
    if (rc == CF_OK)
        rc = read_public(&p, bytes->data, judge->folder, &m, e);
    if (rc == CF_OK)
        rc = open_sealed(&p, key, &m, e);
    if (rc == CF_OK) {
        m.generation = manifest_generation(bytes->data);
        m.file_bytes = bytes->len;
        memcpy(m.fp, bytes->data + 32, sizeof m.fp);
        memcpy(m.backup_id, bytes->data + 64, FLOW_ID_SIZE);
        rc = crypto_digest(HAL_SHA256, bytes->data, bytes->len, m.file_sha256, e);
    }
    if (rc == CF_OK) {
        rc = manifest_sigs_judge(d, &m, judge, p.signed_part, p.sigs, e);
    }
    if (rc != CF_OK) {
        cf_secret_free(key);
        manifest_clear(&m);
        return rc;
    }
    *out = m;
    *dk = key;
    return CF_OK;
}

enum cf_rc manifest_claim(const struct cf_buf *bytes, struct manifest *out, struct cf_err *e)
{
    struct parts p = { 0 };
    if (bytes->len < MANIFEST_MIN)
        return CF_FAIL(e, CF_E_LIMIT, "a manifest of %zu bytes is too short", bytes->len);
    enum cf_rc rc = split(bytes, &p, e);
    return rc == CF_OK ? manifest_public_read(p.pub, out, e) : rc;
}
