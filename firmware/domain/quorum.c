/* Shares gathered, the master key, the keyring. FORMAT.md 7, steps 3 to 6. */
#include <stdlib.h>
#include <string.h>

#include "document_priv.h"

enum cf_rc domain_document_share(const struct domain_document *d, size_t i,
                                 jose_decrypt_fn *decrypt, void *ctx, struct cf_secret **share,
                                 struct cf_err *e)
{
    struct cf_err inner = { 0 };
    *share = NULL;
    if (i >= d->map.sharing.count || !d->enc_key[i])
        return CF_FAIL(e, CF_E_ARG, "no such certificate holder");
    enum cf_rc rc =
        jose_jwe_open_rsa(d->enc_key[i], strlen(d->enc_key[i]), decrypt, ctx, share, &inner);
    if (rc == CF_E_INPUT)
        return CF_FAIL(e, CF_E_CORRUPT, "share of officer %u: %s", d->holder[i].x, inner.text);
    if (rc != CF_OK)
        return cf_err_set(e, rc, inner.src, inner.native, inner.where, "share of officer %u: %s",
                          d->holder[i].x, inner.text);
    return rc;
}

struct domain_quorum {
    const struct domain_document *doc;
    struct cf_secret *shares; /* as many as may come: M */
    size_t count;
    bool seen[DOMAIN_X_MAX + 1];
};

enum cf_rc domain_quorum_new(const struct domain_document *d, struct domain_quorum **out,
                             struct cf_err *e)
{
    *out = NULL;
    struct domain_quorum *q = calloc(1, sizeof *q);
    if (!q)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a quorum");
    q->doc = d;
    enum cf_rc rc = cf_secret_new((size_t)d->map.sharing.quorum * DOMAIN_SHARE_SIZE, &q->shares, e);
    if (rc == CF_OK)
        *out = q;
    else
        domain_quorum_free(q);
    return rc;
}

void domain_quorum_free(struct domain_quorum *q)
{
    if (!q)
        return;
    cf_secret_free(q->shares);
    free(q);
}

unsigned domain_quorum_missing(const struct domain_quorum *q)
{
    return (unsigned)(q->doc->map.sharing.quorum - q->count);
}

/* The holder whose public check this share fits. */
static struct cf_verdict fits(const struct domain_quorum *q, const uint8_t *share, uint8_t x)
{
    uint8_t check[CRYPTO_P256_POINT_SIZE];
    bool same = false;
    if (domain_share_check(&q->doc->map.sharing, share, check, NULL) == CF_OK)
        for (size_t i = 0; i < q->doc->map.sharing.count; i++)
            if (q->doc->holder[i].x == x)
                same = cf_equal(q->doc->holder[i].check, check, sizeof check);
    return cf_verdict_of(same);
}

enum cf_rc domain_quorum_offer(struct domain_quorum *q, const uint8_t *share, size_t len,
                               uint8_t *x, struct cf_err *e)
{
    uint8_t number = 0;
    enum cf_rc rc = domain_share_x(share, len, &number, e);
    if (rc != CF_OK)
        return rc;
    if (q->seen[number])
        return CF_FAIL(e, CF_E_CORRUPT, "share of officer %u given twice", number);
    struct cf_verdict good = fits(q, share, number);
    if (!cf_granted(&good))
        return CF_FAIL(e, CF_E_AUTH, "share of officer %u is wrong", number);
    if (q->count < q->doc->map.sharing.quorum)
        memcpy(cf_secret_data(q->shares) + q->count++ * DOMAIN_SHARE_SIZE, share,
               DOMAIN_SHARE_SIZE);
    q->seen[number] = true;
    if (x)
        *x = number;
    return CF_OK;
}

enum cf_rc domain_quorum_master(const struct domain_quorum *q, struct cf_secret **master,
                                struct cf_err *e)
{
    uint8_t check[32];
    *master = NULL;
    if (q->count < q->doc->map.sharing.quorum)
        return CF_FAIL(e, CF_E_DENIED, "%zu of %u officers: more shares are needed", q->count,
                       q->doc->map.sharing.quorum);
    enum cf_rc rc = domain_combine(q->shares, q->count, master, e);
    if (rc == CF_OK)
        rc = domain_master_check(&q->doc->map.sharing, *master, check, e);
    if (rc == CF_OK) {
        struct cf_verdict good =
            cf_verdict_of(cf_equal(check, q->doc->map.master_check, sizeof check));
        if (!cf_granted(&good))
            rc = CF_FAIL(e, CF_E_AUTH, "shares do not combine");
    }
    if (rc != CF_OK) {
        cf_secret_free(*master);
        *master = NULL;
    }
    return rc;
}

/* --- items --- */

static enum cf_rc open_item(const struct domain_document *d, size_t i,
                            const struct cf_secret *master, struct cf_secret **plain,
                            struct cf_err *e)
{
    uint8_t cek[CRYPTO_CBCHS_KEY_SIZE];
    const char *tag = d->map.item[i].tag;
    struct jose_dir how = { .cek = cek, .kid = tag };
    struct cf_err inner = { 0 };
    enum cf_rc rc = crypto_kdf512(crypto_bytes_of(cf_secret_view(master), cf_secret_len(master)),
                                  tag, crypto_bytes_of("", 0), cek, sizeof cek, e);
    if (rc == CF_OK) {
        rc = jose_jwe_open_dir(&how, d->item[i], strlen(d->item[i]), plain, &inner);
        if (rc == CF_E_INPUT)
            rc = CF_E_CORRUPT;
        if (rc != CF_OK)
            rc = CF_FAIL(e, rc, "item %s: %s", tag, inner.text);
    }
    cf_wipe(cek, sizeof cek);
    return rc;
}

/* Domain, generations and fingerprints of keyring and map are the same. */
static enum cf_rc same_domain(const struct domain_document *d, const struct domain_keyring *k,
                              struct cf_err *e)
{
    bool same = k->count == d->map.generations &&
                cf_equal(k->domain_id, d->map.sharing.domain_id, sizeof k->domain_id);
    for (size_t i = 0; i < k->count && same; i++) {
        uint8_t fp[32];
        enum cf_rc rc = domain_fingerprint(domain_keyring_key(k, i, HAL_ROLE_BK), k->domain_id,
                                           k->gen[i].generation, fp, e);
        if (rc != CF_OK)
            return rc;
        same = k->gen[i].generation == d->map.generation[i].number &&
               cf_equal(fp, d->map.generation[i].fp, sizeof fp);
    }
    return same ? CF_OK : CF_FAIL(e, CF_E_AUTH, "the keyring is not the one of the map");
}

static enum cf_rc endorsed(const struct domain_document *d, const struct domain_keyring *k,
                           struct cf_err *e)
{
    uint8_t want[32];
    enum cf_rc rc = domain_endorse(domain_keyring_key(k, k->count - 1, HAL_ROLE_MK),
                                   d->sig.appliance_id, &d->sig.identity, want, e);
    if (rc == CF_OK && !cf_equal(want, d->sig.identity.endorsement, sizeof want))
        rc = CF_FAIL(e, CF_E_AUTH, "the document's identity is not endorsed by the domain");
    return rc;
}

enum cf_rc domain_document_open(const struct domain_document *d, const struct cf_secret *master,
                                struct domain_keyring *out, struct cf_err *e)
{
    struct cf_secret *keyring = NULL;
    enum cf_rc rc = CF_OK;
    *out = (struct domain_keyring){ 0 };
    for (size_t i = 0; i < d->map.items && rc == CF_OK; i++) {
        struct cf_secret *plain = NULL;
        rc = open_item(d, i, master, &plain, e);
        if (strcmp(d->map.item[i].tag, DOMAIN_TAG) == 0)
            keyring = plain;
        else
            cf_secret_free(plain);
    }
    if (rc == CF_OK)
        rc = domain_keyring_read(cf_secret_view(keyring), cf_secret_len(keyring), out, e);
    if (rc == CF_OK)
        rc = same_domain(d, out, e);
    if (rc == CF_OK)
        rc = endorsed(d, out, e);
    if (rc != CF_OK)
        domain_keyring_clear(out);
    cf_secret_free(keyring);
    return rc;
}
