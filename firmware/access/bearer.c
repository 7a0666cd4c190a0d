#include "access_priv.h"
#include "bearer_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct issuer {
    char name[JOSE_ID_MAX + 1];
    char tenant[ACCESS_GUID_SIZE]; /* "": any */
    char audiences[ACCESS_AUDIENCES_MAX][ACCESS_AUDIENCE_MAX + 1];
    size_t audience_count;
    struct access_keys keys; /* under the lock of the bearer */
};

struct access_bearer {
    struct hal_clock *clock;
    struct access_cache *cache;
    pthread_rwlock_t lock; /* over the key sets */
    struct issuer *issuer;
    size_t count;
};

/* --- configuration --------------------------------------------------------------------------- */

static enum cf_rc copy_issuer(const struct access_issuer *in, struct issuer *out, struct cf_err *e)
{
    size_t len = in->issuer == NULL ? 0 : strlen(in->issuer);

    if (len == 0 || len > JOSE_ID_MAX)
        return CF_FAIL(e, CF_E_INPUT, "an issuer has 1 to %d bytes", JOSE_ID_MAX);
    memcpy(out->name, in->issuer, len + 1);
    if (in->tenant != NULL && cf_parse_guid(in->tenant, out->tenant, NULL) != CF_OK)
        return CF_FAIL(e, CF_E_INPUT, "issuer %s: its tenant is not a GUID", out->name);
    if (in->audience_count == 0 || in->audience_count > ACCESS_AUDIENCES_MAX)
        return CF_FAIL(e, CF_E_INPUT, "issuer %s: 1 to %d audiences", out->name,
                       ACCESS_AUDIENCES_MAX);
    out->audience_count = in->audience_count;
    for (size_t i = 0; i < in->audience_count; i++) {
        enum cf_rc rc = access_audience_trim(in->audiences[i], out->audiences[i], e);
        if (rc != CF_OK)
            return cf_err_ctx(e, rc, "issuer %s", out->name);
    }
    if (in->jwks == NULL)
        return CF_OK;
    enum cf_rc rc = access_keys_parse(in->jwks, &out->keys, e);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "keys of issuer %s", out->name);
}

static struct issuer *find_issuer(const struct access_bearer *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->issuer[i].name, name) == 0)
            return &b->issuer[i];
    return NULL;
}

static enum cf_rc copy_issuers(struct access_bearer *b, const struct access_issuer *issuers,
                               size_t count, struct cf_err *e)
{
    b->issuer = calloc(count, sizeof *b->issuer);
    if (b->issuer == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for token issuers");
    for (size_t i = 0; i < count; i++) {
        if (issuers[i].issuer != NULL && find_issuer(b, issuers[i].issuer) != NULL)
            return CF_FAIL(e, CF_E_INPUT, "issuer %s stands there twice", issuers[i].issuer);
        b->count = i + 1; /* so that a half-copied one is freed too */
        enum cf_rc rc = copy_issuer(&issuers[i], &b->issuer[i], e);
        if (rc != CF_OK)
            return rc;
    }
    return CF_OK;
}

enum cf_rc access_bearer_new(struct hal_clock *clock, const struct access_issuer *issuers,
                             size_t count, struct access_bearer **out, struct cf_err *e)
{
    if (count == 0 || count > ACCESS_ISSUERS_MAX)
        return CF_FAIL(e, CF_E_INPUT, "1 to %d token issuers", ACCESS_ISSUERS_MAX);
    struct access_bearer *b = calloc(1, sizeof *b);
    if (b == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for token issuers");
    b->clock = clock;
    pthread_rwlock_init(&b->lock, NULL);
    enum cf_rc rc = access_cache_new(&b->cache, e);
    if (rc == CF_OK)
        rc = copy_issuers(b, issuers, count, e);
    if (rc != CF_OK) {
        access_bearer_free(b);
        return rc;
    }
    *out = b;
    return CF_OK;
}

void access_bearer_free(struct access_bearer *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->count; i++)
        access_keys_clear(&b->issuer[i].keys);
    free(b->issuer);
    access_cache_free(b->cache);
    pthread_rwlock_destroy(&b->lock);
    free(b);
}

enum cf_rc access_bearer_keys(struct access_bearer *b, const char *issuer, const char *jwks,
                              struct cf_err *e)
{
    struct issuer *i = find_issuer(b, issuer);
    struct access_keys *fresh = calloc(1, sizeof *fresh);
    enum cf_rc rc = CF_OK;

    if (fresh == NULL)
        rc = CF_FAIL(e, CF_E_LIMIT, "no memory for a key set");
    else if (i == NULL)
        rc = CF_FAIL(e, CF_E_ABSENT, "no such token issuer");
    else
        rc = access_keys_parse(jwks, fresh, e);
    if (rc == CF_OK) {
        pthread_rwlock_wrlock(&b->lock);
        struct access_keys old = i->keys;
        i->keys = *fresh;
        pthread_rwlock_unlock(&b->lock);
        access_keys_clear(&old);
        access_cache_forget(b->cache);
    }
    free(fresh);
    return rc;
}

/* --- the check ------------------------------------------------------------------------------- */

/* Signature under the key that the issuer's set has for the token; appends the payload. */
static enum cf_rc verify(struct access_bearer *b, const struct issuer *i, struct crypto_bytes token,
                         struct cf_buf *payload, struct cf_err *e)
{
    struct jose_head head;
    enum cf_rc rc = jose_jws_head(token.p, token.len, &head, e);
    if (rc != CF_OK)
        return rc;
    pthread_rwlock_rdlock(&b->lock);
    const struct access_key *key = access_keys_find(&i->keys, &head);
    if (key == NULL)
        rc = CF_FAIL(e, CF_E_DENIED, "signed by a key that the issuer's set does not have");
    else if (head.alg != key->alg)
        rc = CF_FAIL(e, CF_E_DENIED, "signed by another algorithm than its key's");
    else
        rc = jose_jws_open(token.p, token.len, key->key, payload, e);
    pthread_rwlock_unlock(&b->lock);
    return rc;
}

static enum cf_rc check_fresh(struct access_bearer *b, struct crypto_bytes token, int64_t now_s,
                              struct access_principal *out, int64_t *not_before_s, struct cf_err *e)
{
    char name[JOSE_ID_MAX + 1], shown[128];
    struct cf_buf payload = { 0 };

    enum cf_rc rc = jose_jws_issuer(token.p, token.len, name, e);
    if (rc != CF_OK)
        return rc;
    const struct issuer *i = find_issuer(b, name);
    if (i == NULL) {
        cf_utf8_clean(name, shown, sizeof shown);
        return CF_FAIL(e, CF_E_DENIED, "unknown issuer %s", shown);
    }
    rc = verify(b, i, token, &payload, e);
    struct access_expected want = { .issuer = i->name,
                                    .tenant = i->tenant[0] == '\0' ? NULL : i->tenant,
                                    .audiences = i->audiences,
                                    .audience_count = i->audience_count };
    if (rc == CF_OK)
        rc = access_claims_judge(&want, crypto_bytes_of(payload.data, payload.len), now_s, out,
                                 not_before_s, e);
    cf_buf_clear(&payload);
    return rc;
}

/* Whatever failed, it is one class and one code for the caller; the text is for the log. */
static enum cf_rc refuse(const struct cf_err *why, struct cf_err *e)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_DENIED, "token refused: %s", why->text), "Unauthorized");
}

enum cf_rc access_bearer_check(struct access_bearer *b, const char *token, size_t len,
                               struct access_principal *out, struct cf_err *e)
{
    struct access_principal p = { .group_count = 0 };
    struct cf_err why = { 0 };
    struct access_cached n = { .principal = &p };
    int64_t now_s = hal_clock_unix_ms(b->clock) / 1000;
    uint8_t digest[32];
    enum cf_rc rc = CF_OK;

    *out = (struct access_principal){ .group_count = 0 };
    if (len == 0 || len > ACCESS_TOKEN_MAX)
        rc = CF_FAIL(&why, CF_E_DENIED, "its size is out of bounds");
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, token, len, digest, &why);
    if (rc != CF_OK)
        return refuse(&why, e);
    if (access_cache_get(b->cache, digest, now_s, out))
        return CF_OK;

    n.epoch = access_cache_epoch(b->cache);
    n.digest = digest;
    rc = check_fresh(b, crypto_bytes_of(token, len), now_s, &p, &n.not_before_s, &why);
    if (rc != CF_OK)
        return refuse(&why, e);
    p.verified = cf_verdict_of(true);
    access_cache_put(b->cache, &n);
    *out = p;
    return CF_OK;
}
