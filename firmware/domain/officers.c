/* Who gets a share. API document 6.2. */
#include <string.h>

#include "domain_priv.h"

static enum cf_rc refuse(struct cf_err *e, const struct cf_err *inner, size_t number)
{
    enum cf_rc rc = CF_FAIL(e, CF_E_INPUT, "certificate %zu: %s", number, inner->text);
    return cf_err_code(e, rc, "BadParameter");
}

static enum cf_rc read_officer(struct crypto_bytes der, struct domain_officer *out,
                               struct cf_err *e)
{
    struct cf_buf spki = { 0 };
    enum cf_rc rc = crypto_cert_parse(der, &out->cert, e);
    if (rc == CF_OK && out->cert.pub.type != HAL_RSA)
        rc = CF_FAIL(e, CF_E_INPUT, "only RSA keys of %d bits or more can hold a share",
                     CRYPTO_RSA_BITS_MIN);
    if (rc == CF_OK)
        rc = crypto_pub_to_spki(&out->cert.pub, &spki, e);
    if (rc == CF_OK)
        rc = crypto_pkey_new(crypto_bytes_of(spki.data, spki.len), &out->key, e);
    cf_buf_clear(&spki);
    return rc;
}

static bool same_key(const struct crypto_pub *a, const struct crypto_pub *b)
{
    return a->n_len == b->n_len && cf_equal(a->n, b->n, a->n_len);
}

/* One person, one share: neither a certificate nor a key may come twice. */
static bool known(const struct domain_panel *p, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (cf_equal(p->officer[j].cert.sha256, p->officer[i].cert.sha256, 32) ||
            same_key(&p->officer[j].cert.pub, &p->officer[i].cert.pub))
            return true;
    return false;
}

static enum cf_rc digest(struct domain_panel *p, struct cf_err *e)
{
    uint8_t text[2 + 32 * DOMAIN_HOLDERS_MAX];
    text[0] = (uint8_t)p->required;
    text[1] = (uint8_t)p->count;
    for (size_t i = 0; i < p->count; i++)
        memcpy(text + 2 + 32 * i, p->officer[i].cert.sha256, 32);
    return crypto_digest(HAL_SHA256, text, 2 + 32 * p->count, p->digest, e);
}

static enum cf_rc quorum_fits(const struct domain_officers *o, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    if (o->count < DOMAIN_HOLDERS_MIN || o->count > DOMAIN_HOLDERS_MAX)
        rc = CF_FAIL(e, CF_E_INPUT, "%zu certificates; %d to %d are needed", o->count,
                     DOMAIN_HOLDERS_MIN, DOMAIN_HOLDERS_MAX);
    else if (o->required < DOMAIN_QUORUM_MIN || o->required > o->count)
        rc = CF_FAIL(e, CF_E_INPUT, "quorum of %u; it must be %d to the number of certificates",
                     o->required, DOMAIN_QUORUM_MIN);
    return cf_err_code(e, rc, "BadParameter");
}

enum cf_rc domain_panel_read(const struct domain_officers *o, struct domain_panel *out,
                             struct cf_err *e)
{
    enum cf_rc rc = quorum_fits(o, e);
    if (rc != CF_OK)
        return rc;
    out->required = o->required;
    for (size_t i = 0; i < o->count && rc == CF_OK; i++) {
        struct cf_err inner = { 0 };
        out->count = i + 1;
        rc = read_officer(o->der[i], &out->officer[i], &inner);
        if (rc == CF_OK && known(out, i))
            rc = CF_FAIL(&inner, CF_E_INPUT, "given twice");
        if (rc != CF_OK)
            rc = rc == CF_E_INPUT ? refuse(e, &inner, i + 1)
                                  : CF_FAIL(e, rc, "certificate %zu: %s", i + 1, inner.text);
    }
    return rc == CF_OK ? digest(out, e) : rc;
}

void domain_panel_clear(struct domain_panel *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        crypto_pkey_free(p->officer[i].key);
    *p = (struct domain_panel){ 0 };
}
