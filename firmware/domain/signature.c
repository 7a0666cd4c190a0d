/* `coffer_sig` (FORMAT.md 3.3): the identity's signature over the map. */
#include <string.h>

#include "domain_priv.h"

#define ALG_P256 1

/* u8 alg | 00 | le16 length | SHA-256(SPKI): what the signature covers of itself (backup page 3.4).
 */
static enum cf_rc head_of(const struct domain_identity *id, uint8_t head[DOMAIN_SIG_HEAD],
                          struct cf_err *e)
{
    head[0] = ALG_P256;
    head[1] = 0;
    cf_le16(head + 2, CRYPTO_P256_SIG_SIZE);
    return crypto_digest(HAL_SHA256, id->spki, id->spki_len, head + 4, e);
}

enum cf_rc domain_signature_digest(const struct domain_identity *id, struct crypto_bytes map,
                                   uint8_t out[32], struct cf_err *e)
{
    uint8_t head[DOMAIN_SIG_HEAD];
    struct crypto_hash *h = NULL;
    enum cf_rc rc = head_of(id, head, e);
    if (rc == CF_OK)
        rc = crypto_hash_new(HAL_SHA256, &h, e);
    if (rc == CF_OK)
        rc = crypto_hash_update(h, DOMAIN_KIND_NAME, sizeof DOMAIN_KIND_NAME, e); /* with its NUL */
    if (rc == CF_OK)
        rc = crypto_hash_update(h, map.p, map.len, e);
    if (rc == CF_OK)
        rc = crypto_hash_update(h, head, sizeof head, e);
    if (rc == CF_OK)
        rc = crypto_hash_final(h, out, e);
    crypto_hash_free(h);
    return rc;
}

enum cf_rc domain_endorse_message(const uint8_t appliance_id[16], const struct domain_identity *id,
                                  uint8_t msg[DOMAIN_ENDORSE_SIZE], struct cf_err *e)
{
    static const char label[] = "coffer.v1.member"; /* with its NUL */
    _Static_assert(DOMAIN_ENDORSE_SIZE == sizeof label + 16 + 32 + 8, "fixed message");
    memcpy(msg, label, sizeof label);
    memcpy(msg + sizeof label, appliance_id, 16);
    cf_le64(msg + sizeof label + 48, (uint64_t)id->since_s);
    return crypto_digest(HAL_SHA256, id->spki, id->spki_len, msg + sizeof label + 16, e);
}

enum cf_rc domain_endorse(const uint8_t mk[DOMAIN_KEY_SIZE], const uint8_t appliance_id[16],
                          const struct domain_identity *id, uint8_t out[32], struct cf_err *e)
{
    uint8_t msg[DOMAIN_ENDORSE_SIZE];
    enum cf_rc rc = domain_endorse_message(appliance_id, id, msg, e);
    if (rc == CF_OK)
        rc = crypto_hmac(HAL_SHA256, crypto_bytes_of(mk, DOMAIN_KEY_SIZE),
                         crypto_bytes_of(msg, sizeof msg), out, e);
    return rc;
}

enum cf_rc domain_signature_write(const struct domain_signature *s, struct cf_buf *out,
                                  struct cf_err *e)
{
    uint8_t list[1 + DOMAIN_SIG_HEAD + CRYPTO_P256_SIG_SIZE] = { 1 };
    struct cbor_wr w;
    enum cf_rc rc = head_of(&s->identity, list + 1, e);
    if (rc != CF_OK)
        return rc;
    memcpy(list + 1 + DOMAIN_SIG_HEAD, s->sig, sizeof s->sig);
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, 3);
    cbor_wr_key(&w, 1);
    cbor_wr_array(&w, 3);
    cbor_wr_bytes(&w, s->identity.spki, s->identity.spki_len);
    cbor_wr_uint(&w, (uint64_t)s->identity.since_s);
    cbor_wr_bytes(&w, s->identity.endorsement, sizeof s->identity.endorsement);
    cbor_wr_key(&w, 2);
    cbor_wr_bytes(&w, s->appliance_id, sizeof s->appliance_id);
    cbor_wr_key(&w, 3);
    cbor_wr_bytes(&w, list, sizeof list);
    return cbor_wr_end(&w);
}

#define ENTRIES_MAX   8
#define ENTRY_SIG_MAX 5120
#define LIST_MAX      (1 + (size_t)ENTRIES_MAX * (DOMAIN_SIG_HEAD + ENTRY_SIG_MAX))

/* The identity's entry among those of the list; entries of other algorithms are stepped over. */
static enum cf_rc find_entry(struct crypto_bytes list, const uint8_t head[DOMAIN_SIG_HEAD],
                             uint8_t sig[CRYPTO_P256_SIG_SIZE], struct cf_err *e)
{
    struct cf_rd r = cf_rd_of(list.p, list.len);
    const uint8_t *seen[ENTRIES_MAX] = { NULL };
    bool found = false;
    size_t n = cf_rd_u8(&r);
    if (n > ENTRIES_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "more than %d signatures", ENTRIES_MAX);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *h = cf_rd_bytes(&r, DOMAIN_SIG_HEAD);
        if (!h)
            return CF_FAIL(e, CF_E_CORRUPT, "malformed signature");
        size_t len = (size_t)(h[2] | h[3] << 8);
        const uint8_t *p = cf_rd_bytes(&r, len);
        if (!p || h[1] != 0 || len > ENTRY_SIG_MAX)
            return CF_FAIL(e, CF_E_CORRUPT, "malformed signature");
        for (size_t j = 0; j < i; j++)
            if (cf_equal(seen[j], h + 4, 32))
                return CF_FAIL(e, CF_E_CORRUPT, "two signatures of one key");
        seen[i] = h + 4;
        if (cf_equal(h, head, DOMAIN_SIG_HEAD)) {
            memcpy(sig, p, CRYPTO_P256_SIG_SIZE);
            found = true;
        }
    }
    if (!cf_rd_done(&r))
        return CF_FAIL(e, CF_E_CORRUPT, "malformed signatures");
    return found ? CF_OK : CF_FAIL(e, CF_E_AUTH, "the identity did not sign the document");
}

static enum cf_rc verify(const struct domain_signature *s, struct crypto_bytes map,
                         struct cf_err *e)
{
    uint8_t digest[32];
    struct cf_err inner = { 0 };
    if (!crypto_p256_is_low_s(s->sig))
        return CF_FAIL(e, CF_E_AUTH, "the document's signature is not in its one form");
    enum cf_rc rc = domain_signature_digest(&s->identity, map, digest, e);
    if (rc != CF_OK)
        return rc;
    rc = crypto_verify(CRYPTO_ES256, crypto_bytes_of(s->identity.spki, s->identity.spki_len),
                       crypto_bytes_of(digest, sizeof digest),
                       crypto_bytes_of(s->sig, sizeof s->sig), &inner);
    if (rc == CF_E_INPUT)
        return CF_FAIL(e, CF_E_CORRUPT, "the document's identity is no P-256 key");
    return rc == CF_OK ? CF_OK : CF_FAIL(e, rc, "the document's signature: %s", inner.text);
}

enum cf_rc domain_signature_read(struct crypto_bytes in, struct crypto_bytes map,
                                 struct domain_signature *out, struct cf_err *e)
{
    struct cbor_rd r;
    uint8_t head[DOMAIN_SIG_HEAD];
    size_t spki_len = 0, list_len = 0;
    memset(out, 0, sizeof *out);
    cbor_rd_init(&r, in.p, in.len, e);
    if (cbor_rd_map(&r, 3) != 3 || cbor_rd_key(&r) != 1 || cbor_rd_array(&r, 3) != 3)
        cbor_rd_refuse(&r, "not a coffer_sig");
    const uint8_t *spki = cbor_rd_bytes(&r, sizeof out->identity.spki, &spki_len);
    out->identity.since_s = (int64_t)cbor_rd_uint(&r, INT64_MAX);
    cbor_rd_fixed(&r, out->identity.endorsement, sizeof out->identity.endorsement);
    if (cbor_rd_key(&r) != 2)
        cbor_rd_refuse(&r, "not a coffer_sig");
    cbor_rd_fixed(&r, out->appliance_id, sizeof out->appliance_id);
    if (cbor_rd_key(&r) != 3)
        cbor_rd_refuse(&r, "not a coffer_sig");
    const uint8_t *list = cbor_rd_bytes(&r, LIST_MAX, &list_len);
    enum cf_rc rc = cbor_rd_end(&r);
    if (rc != CF_OK)
        return rc;
    memcpy(out->identity.spki, spki, spki_len);
    out->identity.spki_len = spki_len;
    rc = head_of(&out->identity, head, e);
    if (rc == CF_OK)
        rc = find_entry(crypto_bytes_of(list, list_len), head, out->sig, e);
    return rc == CF_OK ? verify(out, map, e) : rc;
}
