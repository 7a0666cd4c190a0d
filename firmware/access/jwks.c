#include "bearer_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* RSA keys verify RS256 and P-256 keys ES256, whatever else a set may say of them (RFC 8725 3.1).
 */
static bool alg_of(const struct crypto_pub *pub, const char *alg, enum crypto_sig *out)
{
    if (pub->type == HAL_RSA)
        *out = CRYPTO_RS256;
    else if (pub->curve == HAL_P256)
        *out = CRYPTO_ES256;
    else
        return false;
    return alg == NULL || strcmp(alg, jose_alg_name(*out)) == 0;
}

static enum cf_rc name_key(const struct json *jwk, const struct crypto_pub *pub,
                           struct access_key *k, struct cf_err *e)
{
    uint8_t thumbprint[32];
    const char *kid = NULL, *x5t = NULL;

    enum cf_rc rc = json_opt_text(jwk, "kid", &kid, e);
    if (rc == CF_OK)
        rc = json_opt_text(jwk, "x5t", &x5t, e);
    if (rc != CF_OK)
        return rc;
    if (x5t != NULL && strlen(x5t) <= JOSE_ID_MAX)
        snprintf(k->x5t, sizeof k->x5t, "%s", x5t);
    if (kid != NULL) {
        if (kid[0] == '\0' || strlen(kid) > JOSE_ID_MAX)
            return CF_FAIL(e, CF_E_INPUT, "a kid has 1 to %d bytes", JOSE_ID_MAX);
        snprintf(k->kid, sizeof k->kid, "%s", kid);
        return CF_OK;
    }
    rc = jose_jwk_thumbprint(pub, thumbprint, e);
    if (rc == CF_OK)
        cf_base64url(thumbprint, sizeof thumbprint, k->kid);
    return rc;
}

/* Appends one key, or passes it over: sets hold keys of other kinds and uses. */
static enum cf_rc add_key(const struct json *jwk, struct access_keys *out, struct cf_err *e)
{
    struct access_key k = { .key = NULL };
    struct cf_buf spki = { 0 };
    struct crypto_pub pub;
    const char *use = NULL, *alg = NULL;

    enum cf_rc rc = json_opt_text(jwk, "use", &use, e);
    if (rc == CF_OK)
        rc = json_opt_text(jwk, "alg", &alg, e);
    if (rc != CF_OK)
        return rc;
    if (use != NULL && strcmp(use, "sig") != 0)
        return CF_OK;
    if (jose_jwk_public(jwk, &pub, NULL) != CF_OK || !alg_of(&pub, alg, &k.alg))
        return CF_OK;
    if (out->count == ACCESS_KEYS_MAX)
        return CF_FAIL(e, CF_E_INPUT, "a key set of more than %d keys", ACCESS_KEYS_MAX);
    rc = name_key(jwk, &pub, &k, e);
    if (rc == CF_OK)
        rc = crypto_pub_to_spki(&pub, &spki, e);
    if (rc == CF_OK)
        rc = crypto_pkey_new(crypto_bytes_of(spki.data, spki.len), &k.key, e);
    cf_buf_clear(&spki);
    if (rc == CF_OK)
        out->item[out->count++] = k;
    return rc;
}

enum cf_rc access_keys_parse(const char *jwks, struct access_keys *out, struct cf_err *e)
{
    const struct json_limits limits = { .bytes = ACCESS_JWKS_MAX, .depth = 8 };
    struct json *root = NULL;
    const struct json *keys = NULL;

    enum cf_rc rc = json_parse(jwks, strlen(jwks), &limits, &root, e);
    if (rc == CF_OK)
        rc = json_get_array(root, "keys", &keys, e);
    for (const struct json *k = json_first(keys); rc == CF_OK && k != NULL; k = json_next(k))
        rc = add_key(k, out, e);
    if (rc == CF_OK && out->count == 0)
        rc = CF_FAIL(e, CF_E_INPUT, "the key set has no RSA or P-256 signature key");
    json_free(root);
    if (rc != CF_OK)
        access_keys_clear(out);
    return rc;
}

void access_keys_clear(struct access_keys *k)
{
    for (size_t i = 0; i < k->count; i++)
        crypto_pkey_free(k->item[i].key);
    *k = (struct access_keys){ .count = 0 };
}

const struct access_key *access_keys_find(const struct access_keys *k, const struct jose_head *head)
{
    for (size_t i = 0; i < k->count; i++) {
        const struct access_key *one = &k->item[i];
        if (head->kid[0] != '\0' && strcmp(head->kid, one->kid) == 0)
            return one;
        if (head->kid[0] == '\0' && head->x5t[0] != '\0' && strcmp(head->x5t, one->x5t) == 0)
            return one;
    }
    return NULL;
}
