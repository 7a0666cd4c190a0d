#include <stdlib.h>
#include <string.h>

#include "domain_priv.h"

enum cf_rc domain_save(struct domain *d, struct domain_kept *next, struct cf_err *e)
{
    struct cf_buf record = { 0 };
    enum cf_rc rc = domain_kept_write(next, &record, e);
    if (rc == CF_OK && record.len > DOMAIN_KEPT_MAX)
        rc = CF_FAIL(e, CF_E_LIMIT, "domain record of %zu bytes", record.len);
    if (rc == CF_OK)
        rc = d->o.keep.save(d->o.keep.arg, record.data, record.len, e);
    if (rc == CF_OK) {
        domain_kept_clear(&d->kept);
        d->kept = *next;
        *next = (struct domain_kept){ .state = DOMAIN_PROVISIONED };
    }
    cf_buf_clear(&record);
    return rc;
}

static struct hal_key_name name_of(enum hal_role role, const struct domain_kept *k, size_t i)
{
    struct hal_key_name name = { .role = role, .generation = k->generation[i].number };
    memcpy(name.domain_id, k->id, sizeof name.domain_id);
    return name;
}

enum cf_rc domain_destroy_keys(struct domain *d, const struct domain_kept *half, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; i < half->generations; i++)
        for (enum hal_role r = HAL_ROLE_BK; r <= HAL_ROLE_MK && rc == CF_OK; r++) {
            struct hal_key_name name = name_of(r, half, i);
            rc = hal_token_key_destroy(d->o.token, &name, e);
        }
    return rc;
}

/* --- proofs --- */

static enum cf_rc other_keys(struct cf_err *e, uint32_t generation)
{
    return CF_FAIL(e, CF_E_DENIED,
                   "the token does not hold the keys of this domain (generation %u): plug in the "
                   "token it was activated with, or recover the domain",
                   generation);
}

static enum cf_rc mac_is(struct domain *d, const struct hal_key_name *name, struct crypto_bytes msg,
                         const uint8_t want[32], struct cf_err *e)
{
    uint8_t got[HAL_MAC_SIZE];
    struct cf_err inner = { 0 };
    enum cf_rc rc = hal_token_mac(d->o.token, name, msg.p, msg.len, got, &inner);
    if (rc == CF_E_ABSENT || (rc == CF_OK && !cf_equal(got, want, sizeof got)))
        return other_keys(e, name->generation);
    return rc == CF_OK ? CF_OK
                       : cf_err_set(e, rc, inner.src, inner.native, inner.where, "%s", inner.text);
}

static enum cf_rc prove_bk(struct domain *d, const struct domain_kept *k, size_t i,
                           struct cf_err *e)
{
    uint8_t ctx[HAL_DOMAIN_ID_SIZE + 4];
    struct cf_buf msg = { 0 };
    struct hal_key_name name = name_of(HAL_ROLE_BK, k, i);
    memcpy(ctx, k->id, HAL_DOMAIN_ID_SIZE);
    cf_le32(ctx + HAL_DOMAIN_ID_SIZE, name.generation);
    enum cf_rc rc = crypto_kdf_message("coffer.v1.fp", ctx, sizeof ctx, &msg, e);
    if (rc == CF_OK)
        rc = mac_is(d, &name, crypto_bytes_of(msg.data, msg.len), k->generation[i].fp, e);
    cf_buf_clear(&msg);
    return rc;
}

static enum cf_rc has_kek(struct domain *d, const struct domain_kept *k, size_t i, struct cf_err *e)
{
    bool there = false;
    struct hal_key_name name = name_of(HAL_ROLE_KEK, k, i);
    enum cf_rc rc = hal_token_key_present(d->o.token, &name, &there, e);
    return rc == CF_OK && !there ? other_keys(e, name.generation) : rc;
}

enum cf_rc domain_prove_keys(struct domain *d, const struct domain_kept *k, struct cf_err *e)
{
    uint8_t msg[DOMAIN_ENDORSE_SIZE];
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; i < k->generations && rc == CF_OK; i++) {
        rc = prove_bk(d, k, i, e);
        if (rc == CF_OK)
            rc = has_kek(d, k, i, e);
    }
    if (rc == CF_OK)
        rc = domain_endorse_message(d->o.appliance_id, &k->identity, msg, e);
    if (rc == CF_OK) {
        struct hal_key_name mk = name_of(HAL_ROLE_MK, k, k->generations - 1);
        rc = mac_is(d, &mk, crypto_bytes_of(msg, sizeof msg), k->identity.endorsement, e);
    }
    return rc;
}

/* --- open and close --- */

static enum cf_rc load(struct domain *d, struct cf_err *e)
{
    struct cf_buf record = { 0 };
    struct cf_err inner = { 0 };
    d->kept.state = DOMAIN_PROVISIONED;
    enum cf_rc rc = d->o.keep.load(d->o.keep.arg, &record, &inner);
    if (rc == CF_OK)
        rc = domain_kept_read(record.data, record.len, &d->kept, e);
    else if (rc == CF_E_ABSENT)
        rc = CF_OK;
    else
        rc = cf_err_set(e, rc, inner.src, inner.native, inner.where, "%s", inner.text);
    cf_buf_clear(&record);
    return rc;
}

/* What a start finds half-made is taken back: its document never left the appliance. */
static enum cf_rc take_back(struct domain *d, struct cf_err *e)
{
    struct domain_kept none = { .state = DOMAIN_PROVISIONED };
    enum cf_rc rc = domain_destroy_keys(d, &d->kept, e);
    if (rc == CF_OK && !domain_next(d->kept.state, DOMAIN_ABORT, &none.state))
        rc = CF_FAIL(e, CF_E_STATE, "nothing to take back");
    return rc == CF_OK ? domain_save(d, &none, e) : rc;
}

enum cf_rc domain_open(const struct domain_options *o, struct domain **out, struct cf_err *e)
{
    *out = NULL;
    if (!o->hsm_name || strlen(o->hsm_name) > DOMAIN_NAME_MAX)
        return CF_FAIL(e, CF_E_ARG, "HSM name is missing or too long");
    struct domain *d = calloc(1, sizeof *d);
    if (!d)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the domain");
    d->o = *o;
    d->sources = (struct domain_sources){ .token = o->token, .entropy = o->entropy };
    pthread_mutex_init(&d->lock, NULL);
    enum cf_rc rc = load(d, e);
    if (rc == CF_OK && d->kept.state == DOMAIN_ACTIVATING)
        rc = take_back(d, e);
    if (rc == CF_OK && d->kept.state == DOMAIN_ACTIVE)
        rc = domain_prove_keys(d, &d->kept, e);
    if (rc == CF_OK)
        *out = d;
    else
        domain_close(d);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "security domain");
}

void domain_close(struct domain *d)
{
    if (!d)
        return;
    domain_kept_clear(&d->kept);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* --- calls --- */

void domain_facts(struct domain *d, struct domain_facts *out)
{
    pthread_mutex_lock(&d->lock);
    const struct domain_kept *k = &d->kept;
    *out = (struct domain_facts){ .state = k->state };
    if (k->state == DOMAIN_ACTIVE) {
        memcpy(out->id, k->id, sizeof out->id);
        memcpy(out->generation, k->generation, sizeof out->generation);
        memcpy(out->document_id, k->document_id, sizeof out->document_id);
        out->generations = k->generations;
        out->quorum = k->quorum;
        out->officers = k->officers;
        domain_words(k->generation[k->generations - 1].fp, 32, 8, out->fp_words);
        domain_words(k->document_id, 32, 8, out->document_words);
    }
    pthread_mutex_unlock(&d->lock);
}

enum cf_rc domain_identity(struct domain *d, struct domain_identity *out, struct cf_err *e)
{
    pthread_mutex_lock(&d->lock);
    enum cf_rc rc = d->kept.state == DOMAIN_ACTIVE
                        ? CF_OK
                        : CF_FAIL(e, CF_E_STATE, "there is no security domain yet");
    if (rc == CF_OK)
        *out = d->kept.identity;
    pthread_mutex_unlock(&d->lock);
    return rc;
}

enum cf_rc domain_download(struct domain *d, const struct domain_officers *o,
                           struct cf_buf *document, struct cf_err *e)
{
    pthread_mutex_lock(&d->lock);
    enum cf_rc rc = domain_download_locked(d, o, document, e);
    pthread_mutex_unlock(&d->lock);
    return rc;
}
