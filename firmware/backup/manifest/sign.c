#include "manifest_priv.h"

#include <string.h>

#include "base/verdict.h"
#include "crypto/pkey.h"

enum cf_rc manifest_key_id(struct crypto_bytes spki, uint8_t out[32], struct cf_err *e)
{
    return crypto_digest(HAL_SHA256, spki.p, spki.len, out, e);
}

enum cf_rc manifest_endorse(const struct manifest_domain *d, uint32_t generation,
                            const struct manifest *m, uint8_t out[HAL_MAC_SIZE], struct cf_err *e)
{
    static const char label[] = "coffer.v1.member"; /* its NUL is part of the message */
    struct hal_key_name mk = { .role = HAL_ROLE_MK, .generation = generation };
    uint8_t msg[sizeof label + FLOW_ID_SIZE + 32 + 8];
    uint8_t *p = msg;
    memcpy(mk.domain_id, d->domain_id, sizeof mk.domain_id);
    memcpy(p, label, sizeof label);
    p += sizeof label;
    memcpy(p, m->appliance, FLOW_ID_SIZE);
    p += FLOW_ID_SIZE;
    enum cf_rc rc = manifest_key_id(crypto_bytes_of(m->spki.data, m->spki.len), p, e);
    cf_le64(p + 32, m->since);
    return rc == CF_OK ? hal_token_mac(d->token, &mk, msg, sizeof msg, out, e) : rc;
}

/* SHA-256 of label and NUL (none: neither), the signed part, and the signature's own first bytes.
 */
static enum cf_rc message_digest(const char *label, struct crypto_bytes part,
                                 const uint8_t head[SIG_HEAD_SIZE], uint8_t out[32],
                                 struct cf_err *e)
{
    struct crypto_hash *h = NULL;
    enum cf_rc rc = crypto_hash_new(HAL_SHA256, &h, e);
    if (rc == CF_OK && label)
        rc = crypto_hash_update(h, label, strlen(label) + 1, e);
    if (rc == CF_OK)
        rc = crypto_hash_update(h, part.p, part.len, e);
    if (rc == CF_OK)
        rc = crypto_hash_update(h, head, SIG_HEAD_SIZE, e);
    if (rc == CF_OK)
        rc = crypto_hash_final(h, out, e);
    crypto_hash_free(h);
    return rc;
}

/* One entry of a list of signatures: head and signature of `digest`. */
static enum cf_rc put_signature(const struct manifest_domain *d, const uint8_t *head,
                                const uint8_t digest[32], struct cf_buf *out, struct cf_err *e)
{
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    struct hal_result result = { 0 };
    struct hal_op op = {
        .use = HAL_SIGN, .mech = HAL_ECDSA, .hash = HAL_SHA256, .in = digest, .in_len = 32
    };
    enum cf_rc rc = hal_token_key_use(d->token, &identity, &op, &result, e);
    if (rc == CF_OK && result.out.len != CRYPTO_P256_SIG_SIZE)
        rc = CF_FAIL(e, CF_E_TOKEN, "the token signs with %zu bytes", result.out.len);
    if (rc == CF_OK)
        rc = crypto_p256_low_s(result.out.data, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, head, SIG_HEAD_SIZE, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, result.out.data, result.out.len, e);
    hal_result_clear(&result);
    return rc;
}

enum cf_rc manifest_identify(const struct manifest_domain *d, uint32_t generation,
                             struct manifest *us, struct cf_err *e)
{
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    cf_buf_clear(&us->spki);
    enum cf_rc rc = hal_token_key_public(d->token, &identity, &us->spki, e);
    if (rc == CF_OK)
        rc = manifest_endorse(d, generation, us, us->endorsement, e);
    us->signer_count = 1;
    us->signers[0].alg = MANIFEST_ES256;
    if (rc == CF_OK)
        rc =
            manifest_key_id(crypto_bytes_of(us->spki.data, us->spki.len), us->signers[0].key_id, e);
    return rc;
}

void manifest_put_identity(struct cbor_wr *w, const struct manifest *us)
{
    cbor_wr_array(w, 3);
    cbor_wr_bytes(w, us->spki.data, us->spki.len);
    cbor_wr_uint(w, us->since);
    cbor_wr_bytes(w, us->endorsement, sizeof us->endorsement);
}

enum cf_rc manifest_state(const struct manifest_domain *d, const struct manifest_kind *kind,
                          const struct manifest *us, const struct cf_buf *body, struct cf_buf *out,
                          struct cf_err *e)
{
    uint8_t head[SIG_HEAD_SIZE] = { MANIFEST_ES256, 0, CRYPTO_P256_SIG_SIZE, 0 };
    uint8_t len[4], digest[32];
    cf_le32(len, (uint32_t)body->len);
    memcpy(head + 4, us->signers[0].key_id, 32);
    enum cf_rc rc = cf_buf_put(out, kind->magic, strlen(kind->magic), e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, len, sizeof len, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, body->data, body->len, e);
    if (rc == CF_OK)
        rc = message_digest(kind->label, crypto_bytes_of(out->data, out->len), head, digest, e);
    return rc == CF_OK ? put_signature(d, head, digest, out, e) : rc;
}

enum cf_rc manifest_sign(const struct manifest_domain *d, const struct manifest *m,
                         struct cf_buf *out, struct cf_err *e)
{
    uint8_t head[SIG_HEAD_SIZE] = { MANIFEST_ES256, 0, CRYPTO_P256_SIG_SIZE, 0 };
    uint8_t digest[32];
    const uint8_t one = 1;
    memcpy(head + 4, m->signers[0].key_id, 32);
    enum cf_rc rc = message_digest(NULL, crypto_bytes_of(out->data, out->len), head, digest, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, &one, 1, e);
    if (rc == CF_OK)
        rc = put_signature(d, head, digest, out, e);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "signing the manifest");
}

struct sig {
    uint8_t alg;
    const uint8_t *head;
    const uint8_t *key_id;
    const uint8_t *bytes;
    size_t len;
};

static bool next_sig(struct cf_rd *rd, struct sig *s)
{
    s->head = cf_rd_bytes(rd, SIG_HEAD_SIZE);
    if (!s->head)
        return false;
    struct cf_rd h = cf_rd_of(s->head, SIG_HEAD_SIZE);
    s->alg = cf_rd_u8(&h);
    uint8_t zero = cf_rd_u8(&h);
    s->len = cf_rd_le16(&h);
    s->key_id = h.p;
    s->bytes = cf_rd_bytes(rd, s->len);
    return s->bytes && zero == 0;
}

/* True when an earlier signature than the one at `at` has its key id. */
static bool seen_before(struct crypto_bytes sigs, const struct sig *s)
{
    const uint8_t *first = sigs.p;
    struct cf_rd rd = cf_rd_of(first + 1, sigs.len - 1);
    struct sig other;
    while (next_sig(&rd, &other) && other.head != s->head)
        if (cf_equal(other.key_id, s->key_id, 32))
            return true;
    return false;
}

enum cf_rc manifest_sigs_tile(struct crypto_bytes sigs, struct cf_err *e)
{
    struct cf_rd rd = cf_rd_of(sigs.p, sigs.len);
    uint8_t n = cf_rd_u8(&rd);
    if (n > MANIFEST_SIGNERS_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "%u signatures on a manifest", n);
    for (uint8_t i = 0; i < n; i++) {
        struct sig s;
        if (!next_sig(&rd, &s))
            return CF_FAIL(e, CF_E_CORRUPT, "signature %u is malformed", i);
        if (s.len > SIG_MAX)
            return CF_FAIL(e, CF_E_LIMIT, "signature %u is too long", i);
        if (seen_before(sigs, &s))
            return CF_FAIL(e, CF_E_CORRUPT, "two signatures by one key");
    }
    return cf_rd_done(&rd) ? CF_OK : CF_FAIL(e, CF_E_CORRUPT, "bytes behind the last signature");
}

static enum cf_rc verify(const struct sig *s, const char *label, struct crypto_bytes spki,
                         struct crypto_bytes part, struct cf_err *e)
{
    uint8_t digest[32];
    if (s->len != CRYPTO_P256_SIG_SIZE)
        return CF_FAIL(e, CF_E_AUTH, "a signature has the wrong length");
    if (!crypto_p256_is_low_s(s->bytes))
        return CF_FAIL(e, CF_E_AUTH, "a signature is not in its one form");
    enum cf_rc rc = message_digest(label, part, s->head, digest, e);
    if (rc == CF_OK)
        rc = crypto_verify(CRYPTO_ES256, spki, crypto_bytes_of(digest, sizeof digest),
                           crypto_bytes_of(s->bytes, s->len), e);
    return rc;
}

enum cf_rc manifest_check_labelled(const char *label, struct crypto_bytes spki,
                                   struct crypto_bytes part, struct crypto_bytes entry,
                                   struct cf_err *e)
{
    struct cf_rd rd = cf_rd_of(entry.p, entry.len);
    struct sig s;
    uint8_t id[32];
    if (!next_sig(&rd, &s) || !cf_rd_done(&rd) || s.alg != MANIFEST_ES256 ||
        s.len != CRYPTO_P256_SIG_SIZE)
        return CF_FAIL(e, CF_E_CORRUPT, "a signature is malformed, or of a newer kind");
    enum cf_rc rc = manifest_key_id(spki, id, e);
    if (rc == CF_OK && !cf_equal(id, s.key_id, sizeof id))
        rc = CF_FAIL(e, CF_E_AUTH, "a signature is by another key than it says");
    struct cf_err err = { 0 };
    if (rc == CF_OK)
        rc = verify(&s, label, spki, part, &err);
    if (rc == CF_E_INPUT)
        return CF_FAIL(e, CF_E_CORRUPT, "the signer's public key is none of P-256");
    if (err.rc != CF_OK && e && e->rc == CF_OK)
        *e = err;
    return rc;
}

static const struct manifest_signer *required(const struct manifest *m, const struct sig *s)
{
    for (size_t i = 0; i < m->signer_count; i++)
        if (m->signers[i].alg == s->alg && cf_equal(m->signers[i].key_id, s->key_id, 32))
            return &m->signers[i];
    return NULL;
}

enum cf_rc manifest_identity_judge(const struct manifest_domain *d, const struct manifest *m,
                                   const uint8_t *accepted, const uint8_t key_id[32],
                                   struct cf_err *e)
{
    const struct hal_key_name identity = { .role = HAL_ROLE_IDENTITY };
    struct cf_buf own = { 0 };
    uint8_t vouched[HAL_MAC_SIZE];
    bool known = false;
    enum cf_rc rc = hal_token_key_public(d->token, &identity, &own, e);
    if (rc == CF_OK)
        known = own.len == m->spki.len && cf_equal(own.data, m->spki.data, own.len);
    else if (rc == CF_E_ABSENT)
        rc = CF_OK;
    if (rc == CF_OK && !known) {
        rc = manifest_endorse(d, m->generation, m, vouched, e);
        known = rc == CF_OK && cf_equal(vouched, m->endorsement, sizeof vouched);
    }
    cf_buf_clear(&own);
    if (rc != CF_OK)
        return rc;
    struct cf_verdict v = cf_verdict_of(known || (accepted && cf_equal(accepted, key_id, 32)));
    return cf_granted(&v) ? CF_OK : CF_FAIL(e, CF_E_AUTH, "the signer is not of this domain");
}

/* The public key of that id, among the writer's own and those known beforehand. */
static bool find_spki(const struct manifest *m, const struct manifest_judge *judge,
                      const uint8_t key_id[32], struct crypto_bytes *spki)
{
    uint8_t id[32];
    *spki = crypto_bytes_of(m->spki.data, m->spki.len);
    for (size_t i = 0; i <= judge->known_count; i++) {
        if (manifest_key_id(*spki, id, NULL) == CF_OK && cf_equal(id, key_id, sizeof id))
            return true;
        if (i < judge->known_count)
            *spki = crypto_bytes_of(judge->known[i].data, judge->known[i].len);
    }
    return false;
}

/* Good, or of no weight: an unknown key or kind that nobody requires. */
static enum cf_rc judge_sig(const struct manifest *m, const struct manifest_judge *judge,
                            const struct sig *s, struct crypto_bytes part, bool *counts,
                            struct cf_err *e)
{
    struct crypto_bytes spki;
    bool must = required(m, s) != NULL;
    *counts = false;
    if (s->alg != MANIFEST_ES256)
        return must ? CF_FAIL(e, CF_E_CORRUPT, "a required signature is of a newer kind") : CF_OK;
    if (!find_spki(m, judge, s->key_id, &spki))
        return CF_OK; /* when required, it is missing in the count */
    enum cf_rc rc = verify(s, NULL, spki, part, e);
    *counts = must && rc == CF_OK;
    return rc;
}

enum cf_rc manifest_sigs_judge(const struct manifest_domain *d, const struct manifest *m,
                               const struct manifest_judge *judge, struct crypto_bytes signed_part,
                               struct crypto_bytes sigs, struct cf_err *e)
{
    uint8_t key_id[32];
    struct cf_rd rd = cf_rd_of(sigs.p, sigs.len);
    size_t good = 0;
    enum cf_rc rc = manifest_key_id(crypto_bytes_of(m->spki.data, m->spki.len), key_id, e);
    if (rc == CF_OK)
        rc = manifest_identity_judge(d, m, judge->accepted, key_id, e);
    uint8_t n = cf_rd_u8(&rd);
    for (uint8_t i = 0; rc == CF_OK && i < n; i++) {
        struct sig s;
        bool counts = false;
        if (!next_sig(&rd, &s))
            return CF_FAIL(e, CF_E_CORRUPT, "signature %u is malformed", i);
        rc = judge_sig(m, judge, &s, signed_part, &counts, e);
        good += counts;
    }
    if (rc != CF_OK)
        return rc;
    struct cf_verdict all = cf_verdict_of(m->signer_count > 0 && good == m->signer_count);
    return cf_granted(&all) ? CF_OK : CF_FAIL(e, CF_E_AUTH, "a required signature is missing");
}
