/* One key as a compact JWE that clients treat as opaque (FORMAT.md 3.5). */
#include "keystore_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define LABEL      "coffer.v1.onekey"
#define SALT_SIZE  32
#define PARAM_SIZE (1 + HAL_DOMAIN_ID_SIZE + 4 + SALT_SIZE)
#define CTX_SIZE   (HAL_DOMAIN_ID_SIZE + 4 + SALT_SIZE + 1)
#define JWE_MAX    (2 * RECORD_MAX)

static const char head_start[] =
    "{\"alg\":\"dir\",\"enc\":\"A256CBC-HS512\",\"kid\":\"backup-protection-key\",\"coffer\":\"";
static const char head_end[] = "\"}";

/* CEK = two KDF blocks, made in the token. `param` is what the header carries. */
static enum cf_rc derive_cek(struct keystore *ks, const uint8_t param[PARAM_SIZE],
                             struct cf_secret **out, struct cf_err *e)
{
    uint8_t ctx[CTX_SIZE];
    struct cf_rd r = cf_rd_of(param + 1 + HAL_DOMAIN_ID_SIZE, 4);
    struct hal_key_name bk = domain_key(ks, HAL_ROLE_BK, cf_rd_le32(&r));
    struct cf_secret *cek = NULL;
    memcpy(ctx, param + 1, CTX_SIZE - 1);
    enum cf_rc rc = cf_secret_new(CRYPTO_CBCHS_KEY_SIZE, &cek, e);
    for (uint8_t half = 1; rc == CF_OK && half <= 2; half++) {
        struct cf_buf msg = { 0 };
        ctx[CTX_SIZE - 1] = half;
        rc = crypto_kdf_message(LABEL, ctx, sizeof ctx, &msg, e);
        if (rc == CF_OK)
            rc = hal_token_mac(ks->o.token, &bk, msg.data, msg.len,
                               cf_secret_data(cek) + (size_t)HAL_MAC_SIZE * (half - 1u), e);
        cf_buf_clear(&msg);
    }
    if (rc == CF_OK)
        *out = cek;
    else
        cf_secret_free(cek);
    return rc;
}

static enum cf_rc put_b64(struct cf_buf *out, const void *p, size_t len, struct cf_err *e)
{
    size_t at = out->len, size = CF_BASE64_SIZE(len);
    enum cf_rc rc = cf_buf_resize(out, at + size, e);
    if (rc != CF_OK)
        return rc;
    cf_base64url(p, len, (char *)out->data + at);
    return cf_buf_resize(out, at + strlen((char *)out->data + at), e);
}

static enum cf_rc make_header(const uint8_t param[PARAM_SIZE], struct cf_buf *b64, struct cf_err *e)
{
    struct cf_buf json = { 0 };
    enum cf_rc rc = cf_buf_put_text(&json, head_start, e);
    if (rc == CF_OK)
        rc = put_b64(&json, param, PARAM_SIZE, e);
    if (rc == CF_OK)
        rc = cf_buf_put_text(&json, head_end, e);
    if (rc == CF_OK)
        rc = put_b64(b64, json.data, json.len, e);
    cf_buf_clear(&json);
    return rc;
}

static enum cf_rc load(struct keystore *ks, const char *name, struct cf_buf *record,
                       struct cf_err *e)
{
    struct keystore_record r = { 0 };
    struct store_view *v = NULL;
    enum cf_rc rc = keystore_name(name, r.lower, e);
    if (rc == CF_OK)
        rc = store_live_read(ks->o.live, &v, e);
    if (rc == CF_OK)
        rc = find_live(v, r.lower, &r.key, e);
    if (rc == CF_OK)
        rc = record_load(&r, v, e);
    store_view_end(v);
    if (rc == CF_OK)
        rc = record_encode(&r, record, e);
    record_reset(&r);
    free(r.version);
    return rc;
}

static enum cf_rc seal(const struct cf_secret *cek, const struct cf_buf *record,
                       const uint8_t iv[CRYPTO_IV_SIZE], struct cf_buf *jwe, struct cf_err *e)
{
    uint8_t tag[CRYPTO_CBCHS_TAG_SIZE];
    struct cf_buf ct = { 0 };
    struct crypto_cbchs c = { .key = cf_secret_view(cek), .iv = iv, .aad = bytes_of(jwe) };
    enum cf_rc rc = crypto_cbchs_seal(&c, bytes_of(record), &ct, tag, e);
    if (rc == CF_OK)
        rc = cf_buf_put_text(jwe, "..", e);
    if (rc == CF_OK)
        rc = put_b64(jwe, iv, CRYPTO_IV_SIZE, e);
    if (rc == CF_OK)
        rc = cf_buf_put_text(jwe, ".", e);
    if (rc == CF_OK)
        rc = put_b64(jwe, ct.data, ct.len, e);
    if (rc == CF_OK)
        rc = cf_buf_put_text(jwe, ".", e);
    if (rc == CF_OK)
        rc = put_b64(jwe, tag, sizeof tag, e);
    cf_buf_clear(&ct);
    return rc;
}

enum cf_rc keystore_backup(struct keystore *ks, const char *name, struct cf_buf *jwe,
                           struct cf_err *e)
{
    uint8_t param[PARAM_SIZE] = { 1 }, random[SALT_SIZE + CRYPTO_IV_SIZE];
    struct cf_buf record = { 0 }, text = { 0 };
    struct cf_secret *cek = NULL;
    enum cf_rc rc = load(ks, name, &record, e);
    if (rc == CF_OK)
        rc = hal_token_random(ks->o.token, random, sizeof random, e);
    if (rc == CF_OK) {
        memcpy(param + 1, ks->o.domain_id, HAL_DOMAIN_ID_SIZE);
        cf_le32(param + 1 + HAL_DOMAIN_ID_SIZE, ks->o.generation[0]);
        memcpy(param + PARAM_SIZE - SALT_SIZE, random, SALT_SIZE);
        rc = derive_cek(ks, param, &cek, e);
    }
    if (rc == CF_OK)
        rc = make_header(param, &text, e);
    if (rc == CF_OK)
        rc = seal(cek, &record, random + SALT_SIZE, &text, e);
    if (rc == CF_OK)
        rc = cf_buf_put(jwe, text.data, text.len, e);
    cf_secret_free(cek);
    cf_buf_clear(&record);
    cf_buf_clear(&text);
    return rc;
}

/* --- back
 * ------------------------------------------------------------------------------------------------
 */

#define NOT_OURS(e) BAD_PARAMETER((e), "The backup blob is not one of this HSM's security domain.")

/* The five parts of a compact JWE; the second is empty with "dir". */
struct parts {
    struct crypto_bytes part[5];
};

static bool split(const char *p, size_t len, struct parts *out)
{
    for (size_t i = 0; i < 5; i++) {
        const char *dot = memchr(p, '.', len);
        size_t n = dot ? (size_t)(dot - p) : len;
        if ((i < 4) != (dot != NULL))
            return false;
        out->part[i] = crypto_bytes_of(p, n);
        p += n + (i < 4);
        len -= n + (i < 4);
    }
    return out->part[1].len == 0;
}

/* The header is taken apart by bytes: it is ours to the letter, or not ours. */
static bool read_header(struct crypto_bytes b64, uint8_t param[PARAM_SIZE])
{
    struct cf_buf json = { 0 }, p = { 0 };
    size_t start = sizeof head_start - 1, end = sizeof head_end - 1;
    bool good =
        cf_unbase64(b64.p, b64.len, &json, NULL) == CF_OK && json.len > start + end &&
        cf_equal(json.data, head_start, start) &&
        cf_equal(json.data + json.len - end, head_end, end) &&
        cf_unbase64((const char *)json.data + start, json.len - start - end, &p, NULL) == CF_OK &&
        p.len == PARAM_SIZE && p.data[0] == 1;
    if (good)
        memcpy(param, p.data, PARAM_SIZE);
    cf_buf_clear(&json);
    cf_buf_clear(&p);
    return good;
}

static enum cf_rc check_domain(struct keystore *ks, const uint8_t param[PARAM_SIZE],
                               struct cf_err *e)
{
    struct keyblob b = { 0 };
    struct cf_rd r = cf_rd_of(param + 1 + HAL_DOMAIN_ID_SIZE, 4);
    memcpy(b.domain_id, param + 1, HAL_DOMAIN_ID_SIZE);
    b.generation = cf_rd_le32(&r);
    return keyblob_ours(ks, &b, e);
}

static enum cf_rc open_jwe(struct keystore *ks, const struct parts *in, struct cf_buf *record,
                           struct cf_err *e)
{
    uint8_t param[PARAM_SIZE];
    struct cf_buf iv = { 0 }, ct = { 0 }, tag = { 0 };
    struct cf_secret *cek = NULL;
    const struct crypto_bytes *p = in->part;
    enum cf_rc rc = CF_OK;
    if (!read_header(p[0], param) || cf_unbase64(p[2].p, p[2].len, &iv, NULL) != CF_OK ||
        cf_unbase64(p[3].p, p[3].len, &ct, NULL) != CF_OK ||
        cf_unbase64(p[4].p, p[4].len, &tag, NULL) != CF_OK || iv.len != CRYPTO_IV_SIZE ||
        tag.len != CRYPTO_CBCHS_TAG_SIZE)
        rc = NOT_OURS(e);
    if (rc == CF_OK)
        rc = check_domain(ks, param, e);
    if (rc == CF_OK)
        rc = derive_cek(ks, param, &cek, e);
    if (rc == CF_OK) {
        struct crypto_cbchs c = { .key = cf_secret_view(cek), .iv = iv.data, .aad = p[0] };
        if (crypto_cbchs_open(&c, bytes_of(&ct), tag.data, record, NULL) != CF_OK)
            rc = NOT_OURS(e);
    }
    cf_secret_free(cek);
    cf_buf_clear(&iv);
    cf_buf_clear(&ct);
    cf_buf_clear(&tag);
    return rc;
}

enum cf_rc keystore_restore(struct keystore *ks, const void *jwe, size_t len,
                            struct keystore_bundle *out, struct cf_err *e)
{
    struct parts parts;
    struct cf_buf bytes = { 0 };
    struct keystore_record *record = NULL;
    enum keystore_restored how = KEYSTORE_NOT_OVERWRITTEN;
    enum cf_rc rc = len <= JWE_MAX && split(jwe, len, &parts) ? CF_OK : NOT_OURS(e);
    if (rc == CF_OK)
        rc = open_jwe(ks, &parts, &bytes, e);
    if (rc == CF_OK)
        rc = keystore_record_parse(ks, bytes.data, bytes.len, &record, e);
    if (rc == CF_OK)
        rc = keystore_record_verify(ks, record, e);
    if (rc == CF_OK)
        rc = keystore_record_restore(ks, record, &how, e);
    if (rc == CF_OK && how == KEYSTORE_NOT_OVERWRITTEN)
        rc = fail_exists(record->key.k.name, e);
    if (rc == CF_OK && out)
        rc = keystore_get(ks, record->lower, NULL, out, e);
    cf_buf_clear(&bytes);
    keystore_record_free(record);
    return rc;
}
