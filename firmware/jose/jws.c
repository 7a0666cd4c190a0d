#include <string.h>

#include "jose_priv.h"

static const struct {
    enum crypto_sig alg;
    const char *name;
} algs[] = { { CRYPTO_RS256, "RS256" }, { CRYPTO_PS256, "PS256" }, { CRYPTO_ES256, "ES256" } };

#define ALGS (sizeof algs / sizeof algs[0])

/* "RS256", "PS256", "ES256": what tokens may be signed with. False: any other, `none` included. */
/* False: not one of ours, `none` included. */
static bool alg_from_name(const char *name, enum crypto_sig *out)
{
    for (size_t i = 0; i < ALGS; i++)
        if (strcmp(algs[i].name, name) == 0) {
            *out = algs[i].alg;
            return true;
        }
    return false;
}

const char *jose_alg_name(enum crypto_sig alg)
{
    for (size_t i = 0; i < ALGS; i++)
        if (algs[i].alg == alg)
            return algs[i].name;
    return NULL;
}

/* A short text member into a fixed field; absent leaves "". */
static enum cf_rc take(const struct json *v, const char *name, char out[JOSE_ID_MAX + 1],
                       struct cf_err *e)
{
    const char *text = "";
    out[0] = 0;
    enum cf_rc rc = json_opt_text(v, name, &text, e);
    if (rc != CF_OK)
        return rc;
    if (strlen(text) > JOSE_ID_MAX)
        return CF_FAIL(e, CF_E_INPUT, "member '%s' is too long", name);
    memcpy(out, text, strlen(text) + 1);
    return CF_OK;
}

static enum cf_rc split(const char *token, size_t len, struct jose_part part[3], struct cf_err *e)
{
    if (len > JOSE_TOKEN_MAX)
        return CF_FAIL(e, CF_E_INPUT, "token of %zu bytes", len);
    return jose_split(token, len, 3, part, e);
}

static enum cf_rc read_head(const struct jose_part *p, struct jose_head *out, struct cf_err *e)
{
    struct json *j = NULL;
    const char *alg = NULL;
    memset(out, 0, sizeof *out);
    enum cf_rc rc = jose_header(p, &j, e);
    if (rc == CF_OK)
        rc = json_get_text(j, "alg", &alg, e);
    if (rc == CF_OK && !alg_from_name(alg, &out->alg))
        rc = CF_FAIL(e, CF_E_INPUT, "token algorithm '%.20s' is not served", alg);
    if (rc == CF_OK)
        rc = take(j, "kid", out->kid, e);
    if (rc == CF_OK)
        rc = take(j, "x5t", out->x5t, e);
    if (rc == CF_OK)
        rc = take(j, "x5t#S256", out->x5t_s256, e);
    json_free(j);
    return rc;
}

enum cf_rc jose_jws_head(const char *token, size_t len, struct jose_head *out, struct cf_err *e)
{
    struct jose_part part[3] = { { 0 } };
    enum cf_rc rc = split(token, len, part, e);
    return rc == CF_OK ? read_head(&part[0], out, e) : rc;
}

enum cf_rc jose_jws_issuer(const char *token, size_t len, char out[JOSE_ID_MAX + 1],
                           struct cf_err *e)
{
    struct jose_part part[3] = { { 0 } };
    struct cf_buf text = { 0 };
    struct json *j = NULL;
    out[0] = 0;
    enum cf_rc rc = split(token, len, part, e);
    if (rc == CF_OK)
        rc = jose_decode(&part[1], &text, e);
    if (rc == CF_OK)
        rc = json_parse(text.data, text.len, NULL, &j, e);
    if (rc == CF_OK)
        rc = take(j, "iss", out, e);
    json_free(j);
    cf_buf_clear(&text);
    return rc;
}

/* The signing input: everything before the second dot. */
static enum cf_rc digest_of(const struct jose_part part[3], uint8_t digest[32], struct cf_err *e)
{
    size_t len = (size_t)(part[2].text - 1 - part[0].text);
    return crypto_digest(HAL_SHA256, part[0].text, len, digest, e);
}

enum cf_rc jose_jws_open(const char *token, size_t len, const struct crypto_pkey *key,
                         struct cf_buf *payload, struct cf_err *e)
{
    struct jose_part part[3] = { { 0 } };
    struct jose_head head;
    struct cf_buf sig = { 0 };
    uint8_t digest[32];
    enum cf_rc rc = split(token, len, part, e);
    if (rc == CF_OK)
        rc = read_head(&part[0], &head, e);
    if (rc == CF_OK)
        rc = jose_decode(&part[2], &sig, e);
    if (rc == CF_OK)
        rc = digest_of(part, digest, e);
    if (rc == CF_OK)
        rc = crypto_pkey_verify(key, head.alg, crypto_bytes_of(digest, sizeof digest),
                                crypto_bytes_of(sig.data, sig.len), e);
    if (rc == CF_OK)
        rc = jose_decode(&part[1], payload, e);
    cf_buf_clear(&sig);
    return rc;
}

static enum cf_rc put_head(const struct jose_signer *s, struct cf_buf *token, struct cf_err *e)
{
    struct cf_buf text = { 0 };
    struct json_wr w;
    json_wr_init(&w, &text, e);
    json_put_object(&w, NULL);
    json_put_text(&w, "alg", jose_alg_name(s->alg));
    if (s->typ)
        json_put_text(&w, "typ", s->typ);
    if (s->kid)
        json_put_text(&w, "kid", s->kid);
    json_close(&w);
    enum cf_rc rc = json_wr_end(&w);
    if (rc == CF_OK)
        rc = jose_encode(crypto_bytes_of(text.data, text.len), token, e);
    cf_buf_clear(&text);
    return rc;
}

enum cf_rc jose_jws_make(const struct jose_signer *s, struct crypto_bytes payload,
                         struct cf_buf *token, struct cf_err *e)
{
    struct cf_buf work = { 0 }, sig = { 0 };
    uint8_t digest[32];
    if (!jose_alg_name(s->alg))
        return CF_FAIL(e, CF_E_ARG, "tokens are not signed with this algorithm");
    enum cf_rc rc = put_head(s, &work, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&work, ".", 1, e);
    if (rc == CF_OK)
        rc = jose_encode(payload, &work, e);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, work.data, work.len, digest, e);
    if (rc == CF_OK)
        rc = s->sign(s->ctx, digest, &sig, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&work, ".", 1, e);
    if (rc == CF_OK)
        rc = jose_encode(crypto_bytes_of(sig.data, sig.len), &work, e);
    if (rc == CF_OK)
        rc = cf_buf_put(token, work.data, work.len, e);
    cf_buf_clear(&sig);
    cf_buf_clear(&work);
    return rc;
}
