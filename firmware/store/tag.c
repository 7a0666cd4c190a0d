#include "store_priv.h"

#include <string.h>

#define ROW_LABEL  "coffer.v1.rowtag"
#define ROOT_LABEL "coffer.v1.root"
#define MASK_LABEL "coffer.v1.mask"
#define SEALED     56 /* bytes of the root before its MAC */

enum cf_rc tagger_init(struct tagger *t, const struct cf_secret *row_key, struct cf_err *e)
{
    struct crypto_bytes key = crypto_bytes_of(cf_secret_view(row_key), cf_secret_len(row_key));
    enum cf_rc rc = crypto_mac_new(HAL_SHA256, key, &t->mac, e);
    if (rc == CF_OK)
        rc = crypto_hash_new(HAL_SHA256, &t->hash, e);
    return rc;
}

void tagger_clear(struct tagger *t)
{
    crypto_mac_free(t->mac);
    crypto_hash_free(t->hash);
    *t = (struct tagger){ 0 };
}

/* label 00 | tbl | le32 a | key | le64 revision | le32 b; the value and the blob's digest follow.
 */
static size_t row_head(const struct tagged *row, uint8_t *out)
{
    uint8_t *p = out;
    memcpy(p, ROW_LABEL, sizeof ROW_LABEL);
    p += sizeof ROW_LABEL;
    *p++ = (uint8_t)row->table;
    cf_le32(p, (uint32_t)row->c.key.len);
    p += 4;
    memcpy(p, row->c.key.p, row->c.key.len);
    p += row->c.key.len;
    cf_le64(p, row->revision);
    p += 8;
    cf_le32(p, (uint32_t)row->c.value.len);
    return (size_t)(p + 4 - out);
}

enum cf_rc tag_row(struct tagger *t, const struct tagged *row, uint8_t out[TAG_SIZE],
                   struct cf_err *e)
{
    uint8_t head[sizeof ROW_LABEL + 1 + 4 + STORE_KEY_MAX + 8 + 4], digest[32];
    enum cf_rc rc = crypto_hash_update(t->hash, row->c.blob.p, row->c.blob.len, e);
    if (rc == CF_OK)
        rc = crypto_hash_final(t->hash, digest, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(t->mac, head, row_head(row, head), e);
    if (rc == CF_OK)
        rc = crypto_mac_update(t->mac, row->c.value.p, row->c.value.len, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(t->mac, digest, sizeof digest, e);
    if (rc == CF_OK)
        rc = crypto_mac_final(t->mac, out, e);
    return rc;
}

void tag_xor(uint8_t x[TAG_SIZE], const uint8_t tag[TAG_SIZE])
{
    for (size_t i = 0; i < TAG_SIZE; i++)
        x[i] ^= tag[i];
}

static enum cf_rc mask_of(const struct cf_secret *row_key, uint64_t counter, uint8_t out[TAG_SIZE],
                          struct cf_err *e)
{
    uint8_t ctx[8];
    cf_le64(ctx, counter);
    return crypto_kdf(cf_secret_view(row_key), MASK_LABEL, ctx, sizeof ctx, out, e);
}

static enum cf_rc root_mac(struct tagger *t, const uint8_t *sealed, uint8_t out[TAG_SIZE],
                           struct cf_err *e)
{
    enum cf_rc rc = crypto_mac_update(t->mac, ROOT_LABEL, sizeof ROOT_LABEL, e);
    if (rc == CF_OK)
        rc = crypto_mac_update(t->mac, sealed, SEALED, e);
    if (rc == CF_OK)
        rc = crypto_mac_final(t->mac, out, e);
    return rc;
}

enum cf_rc root_seal(struct tagger *t, const struct cf_secret *row_key, const struct root *r,
                     uint8_t out[ROOT_SIZE], struct cf_err *e)
{
    cf_le64(out, r->counter);
    cf_le64(out + 8, r->anchor);
    cf_le64(out + 16, r->rows);
    enum cf_rc rc = mask_of(row_key, r->counter, out + 24, e);
    if (rc != CF_OK)
        return rc;
    tag_xor(out + 24, r->x);
    return root_mac(t, out, out + SEALED, e);
}

enum cf_rc root_open(struct tagger *t, const struct cf_secret *row_key, const uint8_t in[ROOT_SIZE],
                     struct root *out, struct cf_err *e)
{
    uint8_t mac[TAG_SIZE];
    struct cf_rd r = cf_rd_of(in, ROOT_SIZE);
    enum cf_rc rc = root_mac(t, in, mac, e);
    if (rc != CF_OK)
        return rc;
    if (!cf_equal(mac, in + SEALED, sizeof mac))
        return CF_FAIL(e, CF_E_AUTH, "the store's root does not verify");
    out->counter = cf_rd_le64(&r);
    out->anchor = cf_rd_le64(&r);
    out->rows = cf_rd_le64(&r);
    rc = mask_of(row_key, out->counter, out->x, e);
    if (rc == CF_OK)
        tag_xor(out->x, in + 24);
    return rc;
}
