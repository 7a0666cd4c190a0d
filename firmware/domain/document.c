/* The document read: everything that can be judged without a key. FORMAT.md 3.1 to 3.3, 7. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "document_priv.h"

static enum cf_rc corrupt(const struct cf_err *inner, struct cf_err *e)
{
    if (inner->rc == CF_E_LIMIT)
        return CF_FAIL(e, CF_E_LIMIT, "document: %s", inner->text);
    return CF_FAIL(e, CF_E_CORRUPT, "document: %s", inner->text);
}

/* base64url without padding and nothing else; appends. */
static enum cf_rc decode(const char *text, size_t max, struct cf_buf *out, struct cf_err *e)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct cf_err inner = { 0 };
    size_t len = strlen(text);
    if (len > CF_BASE64_SIZE(max) || strspn(text, alphabet) != len)
        return CF_FAIL(e, CF_E_CORRUPT, "document: not base64url");
    enum cf_rc rc = cf_unbase64(text, len, out, &inner);
    return rc == CF_OK ? CF_OK : corrupt(&inner, e);
}

/* --- members of the JSON --- */

static enum cf_rc text_is(const struct json *v, const char *name, const char *want,
                          struct cf_err *e)
{
    const char *text = NULL;
    enum cf_rc rc = json_get_text(v, name, &text, e);
    if (rc == CF_OK && strcmp(text, want) != 0)
        rc = CF_FAIL(e, CF_E_INPUT, "member '%s' must be %s", name, want);
    return rc;
}

struct members {
    const struct json *data, *shares;
    const char *coffer, *coffer_sig;
    int64_t required;
};

static enum cf_rc read_members(const struct json *root, struct members *m, struct cf_err *e)
{
    const struct json *enc = NULL, *shared = NULL;
    struct json_range two = { 2, 2 }, quorum = { DOMAIN_QUORUM_MIN, DOMAIN_HOLDERS_MAX };
    int64_t version = 0;
    enum cf_rc rc = json_get_int(root, "version", two, &version, e);
    if (rc == CF_OK)
        rc = json_get_object(root, "EncData", &enc, e);
    if (rc == CF_OK)
        rc = text_is(enc, "kdf", "sp108_kdf", e);
    if (rc == CF_OK)
        rc = json_get_array(enc, "data", &m->data, e);
    if (rc == CF_OK)
        rc = json_get_object(root, "SharedKeys", &shared, e);
    if (rc == CF_OK)
        rc = text_is(shared, "key_algorithm", "shamir_share", e);
    if (rc == CF_OK)
        rc = json_get_int(shared, "required", quorum, &m->required, e);
    if (rc == CF_OK)
        rc = json_get_array(shared, "enc_shares", &m->shares, e);
    if (rc == CF_OK)
        rc = json_get_text(shared, "coffer", &m->coffer, e);
    if (rc == CF_OK)
        rc = json_get_text(shared, "coffer_sig", &m->coffer_sig, e);
    return rc;
}

/* --- map against JSON --- */

static enum cf_rc same_digest(const char *text, const uint8_t want[32], const char *what,
                              struct cf_err *e)
{
    uint8_t got[32];
    enum cf_rc rc = crypto_digest(HAL_SHA256, text, strlen(text), got, e);
    if (rc == CF_OK && !cf_equal(got, want, sizeof got))
        rc = CF_FAIL(e, CF_E_AUTH, "document: %s was exchanged", what);
    return rc;
}

static bool tag_fits(const char *tag)
{
    size_t len = strlen(tag);
    for (size_t i = 0; i < len; i++)
        if (tag[i] < 0x20 || tag[i] > 0x7e)
            return false;
    return len >= 1 && len <= 64 && strncmp(tag, "coffer.", 7) != 0;
}

static enum cf_rc match_items(struct domain_document *d, const struct members *m, struct cf_err *e)
{
    size_t n = 0;
    bool keyring = false;
    struct cf_err inner = { 0 };
    for (const struct json *i = json_first(m->data); i; i = json_next(i), n++) {
        const char *tag = NULL;
        if (n == d->map.items || json_get_text(i, "tag", &tag, &inner) != CF_OK ||
            json_get_text(i, "compact_jwe", &d->item[n], &inner) != CF_OK || !tag_fits(tag) ||
            strcmp(tag, d->map.item[n].tag) != 0)
            return CF_FAIL(e, CF_E_CORRUPT, "document: items are not those of the map");
        for (size_t j = 0; j < n; j++)
            if (strcmp(d->map.item[j].tag, tag) == 0)
                return CF_FAIL(e, CF_E_CORRUPT, "document: item %s given twice", tag);
        keyring |= strcmp(tag, DOMAIN_TAG) == 0;
    }
    if (n != d->map.items || !keyring)
        return CF_FAIL(e, CF_E_CORRUPT, "document: items are missing");
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; i < n && rc == CF_OK; i++)
        rc = same_digest(d->item[i], d->map.item[i].digest, d->map.item[i].tag, e);
    return rc;
}

static enum cf_rc match_share(struct domain_document *d, const struct json *share, size_t holder,
                              struct cf_err *e)
{
    const char *x5t = NULL;
    struct cf_buf thumb = { 0 };
    struct cf_err inner = { 0 };
    const struct domain_map_holder *h = &d->map.holder[holder];
    enum cf_rc rc = CF_OK;
    if (json_get_text(share, "x5t_256", &x5t, &inner) != CF_OK ||
        json_get_text(share, "enc_key", &d->enc_key[holder], &inner) != CF_OK)
        return corrupt(&inner, e);
    rc = decode(x5t, 32, &thumb, e);
    if (rc == CF_OK && (thumb.len != 32 || !cf_equal(thumb.data, h->pub.x5t, 32)))
        rc = CF_FAIL(e, CF_E_CORRUPT, "document: certificate of officer %u differs", h->pub.x);
    cf_buf_clear(&thumb);
    if (rc == CF_OK)
        rc = same_digest(d->enc_key[holder], h->enc_key_digest, "a share", e);
    return rc;
}

/* Entry i of enc_shares belongs to the i-th holder with a certificate. */
static enum cf_rc match_shares(struct domain_document *d, const struct members *m, struct cf_err *e)
{
    const struct json *share = json_first(m->shares);
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; i < d->map.sharing.count && rc == CF_OK; i++) {
        if (d->map.holder[i].pub.kind != DOMAIN_CERTIFICATE)
            continue;
        if (!share)
            return CF_FAIL(e, CF_E_CORRUPT, "document: shares are missing");
        rc = match_share(d, share, i, e);
        share = json_next(share);
    }
    if (rc == CF_OK && share)
        rc = CF_FAIL(e, CF_E_CORRUPT, "document: more shares than holders");
    return rc;
}

static enum cf_rc read_map(struct domain_document *d, const struct members *m, struct cf_err *e)
{
    enum cf_rc rc = decode(m->coffer, DOMAIN_COFFER_MAX, &d->map_bytes, e);
    if (rc == CF_OK)
        rc = domain_map_read(d->map_bytes.data, d->map_bytes.len, &d->map, e);
    if (rc == CF_OK && d->map.sharing.quorum != m->required)
        rc = CF_FAIL(e, CF_E_CORRUPT, "document: required is not the map's");
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, d->map_bytes.data, d->map_bytes.len, d->id, e);
    for (size_t i = 0; i < d->map.sharing.count && rc == CF_OK; i++)
        d->holder[i] = d->map.holder[i].pub;
    return rc;
}

static enum cf_rc read_signature(struct domain_document *d, const struct members *m,
                                 struct cf_err *e)
{
    struct cf_buf raw = { 0 };
    enum cf_rc rc = decode(m->coffer_sig, DOMAIN_COFFER_MAX, &raw, e);
    if (rc == CF_OK)
        rc =
            domain_signature_read(crypto_bytes_of(raw.data, raw.len),
                                  crypto_bytes_of(d->map_bytes.data, d->map_bytes.len), &d->sig, e);
    if (rc == CF_OK)
        rc =
            crypto_digest(HAL_SHA256, d->sig.identity.spki, d->sig.identity.spki_len, d->signer, e);
    cf_buf_clear(&raw);
    return rc;
}

static enum cf_rc parse(struct domain_document *d, const char *text, size_t len, struct cf_err *e)
{
    struct json_limits limits = { .bytes = DOMAIN_DOCUMENT_MAX, .depth = 8 };
    struct members m = { 0 };
    struct cf_err inner = { 0 };
    enum cf_rc rc = json_parse(text, len, &limits, &d->root, &inner);
    if (rc == CF_OK)
        rc = read_members(d->root, &m, &inner);
    if (rc != CF_OK)
        return corrupt(&inner, e);
    rc = read_map(d, &m, e);
    if (rc == CF_OK)
        rc = match_shares(d, &m, e);
    if (rc == CF_OK)
        rc = match_items(d, &m, e);
    return rc == CF_OK ? read_signature(d, &m, e) : rc;
}

enum cf_rc domain_document_parse(const char *text, size_t len, struct domain_document **out,
                                 struct cf_err *e)
{
    *out = NULL;
    if (len > DOMAIN_DOCUMENT_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "document over %zu bytes", DOMAIN_DOCUMENT_MAX);
    struct domain_document *d = calloc(1, sizeof *d);
    if (!d)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a document");
    enum cf_rc rc = parse(d, text, len, e);
    if (rc == CF_OK)
        *out = d;
    else
        domain_document_free(d);
    return rc;
}

void domain_document_free(struct domain_document *d)
{
    if (!d)
        return;
    json_free(d->root);
    cf_buf_clear(&d->map_bytes);
    free(d);
}

const struct domain_sharing *domain_document_sharing(const struct domain_document *d)
{
    return &d->map.sharing;
}

const uint8_t *domain_document_id(const struct domain_document *d)
{
    return d->id;
}

const uint8_t *domain_document_signer(const struct domain_document *d)
{
    return d->signer;
}

size_t domain_document_holders(const struct domain_document *d, const struct domain_holder **out)
{
    *out = d->holder;
    return d->map.sharing.count;
}
