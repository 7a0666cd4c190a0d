/* Making and changing principals. */
#include "access_priv.h"
#include "authority_priv.h"

#include <ctype.h>
#include <string.h>

#include "crypto/cert.h"

#define KEY_TEXT_MAX 32768

static bool good_name(const char *name)
{
    size_t len = strnlen(name, ACCESS_NAME_MAX + 1);

    if (len == 0 || len > ACCESS_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c > 0x7f || !(isalnum(c) || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static enum cf_rc id_of(const char *kind, const char *name, char out[ACCESS_GUID_SIZE],
                        struct cf_err *e)
{
    struct cf_buf text = { 0 };
    uint8_t digest[32];

    enum cf_rc rc = cf_buf_printf(&text, e, "coffer.v1.%s:%s", kind, name);
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, text.data, text.len, digest, e);
    cf_buf_clear(&text);
    if (rc == CF_OK)
        access_guid_of_digest(digest, out);
    return rc;
}

void access_client_ids(const char *name, char client_id[ACCESS_GUID_SIZE],
                       char oid[ACCESS_GUID_SIZE])
{
    if (good_name(name) && id_of("client", name, client_id, NULL) == CF_OK &&
        id_of("object", name, oid, NULL) == CF_OK)
        return;
    client_id[0] = oid[0] = '\0';
}

/* --- secrets --------------------------------------------------------------------------------- */

/* Without a table: the time must not depend on the digits. */
static void hex_of_secret(const uint8_t *in, size_t len, uint8_t *out)
{
    for (size_t i = 0; i < 2 * len; i++) {
        unsigned n = i % 2 == 0 ? in[i / 2] >> 4 : in[i / 2] & 0xfU;
        out[i] = (uint8_t)('0' + n + (((9 - n) >> 8) & ('a' - '0' - 10)));
    }
}

/* A secret is 256 random bits, so there is no dictionary to try against a stored verifier and
 * nothing that a slow hash would add; the salt keeps equal secrets from showing. */
static enum cf_rc new_secret(struct access_authority *a, struct access_client_row *r,
                             struct cf_secret **out, struct cf_err *e)
{
    struct cf_secret *raw = NULL, *text = NULL;

    enum cf_rc rc = cf_secret_new(ACCESS_SECRET_SIZE, &raw, e);
    if (rc == CF_OK)
        rc = cf_secret_new((size_t)2 * ACCESS_SECRET_SIZE, &text, e);
    if (rc == CF_OK)
        rc = hal_entropy_fill(a->entropy, cf_secret_data(raw), ACCESS_SECRET_SIZE, e);
    if (rc == CF_OK)
        rc = hal_entropy_fill(a->entropy, r->salt, sizeof r->salt, e);
    if (rc == CF_OK) {
        hex_of_secret(cf_secret_view(raw), ACCESS_SECRET_SIZE, cf_secret_data(text));
        rc =
            crypto_hmac(HAL_SHA256, crypto_bytes_of(r->salt, sizeof r->salt),
                        crypto_bytes_of(cf_secret_view(text), cf_secret_len(text)), r->verifier, e);
    }
    cf_secret_free(raw);
    if (rc != CF_OK) {
        cf_secret_free(text);
        return rc;
    }
    *out = text;
    return CF_OK;
}

/* --- changes --------------------------------------------------------------------------------- */

/* The principal of that name, or a new one of it. */
static enum cf_rc find_or_begin(struct access_authority *a, struct store_txn *t, const char *name,
                                struct access_client_row *r, struct cf_err *e)
{
    struct cf_err why = { 0 };
    uint64_t count = 0;

    enum cf_rc rc = access_client_by_name(store_txn_view(t), name, r, &why);
    if (rc == CF_OK)
        return CF_OK;
    if (rc != CF_E_ABSENT) {
        if (e != NULL)
            *e = why;
        return rc;
    }
    rc = store_count(store_txn_view(t), STORE_PRINCIPAL, &count, e);
    if (rc == CF_OK && count >= ACCESS_CLIENTS_MAX)
        rc = CF_FAIL(e, CF_E_LIMIT, "there are %d principals already", ACCESS_CLIENTS_MAX);
    if (rc != CF_OK)
        return rc;
    memcpy(r->client.name, name, strlen(name) + 1);
    r->client.created_s = hal_clock_unix_ms(a->clock) / 1000;
    rc = id_of("client", name, r->client.client_id, e);
    return rc == CF_OK ? id_of("object", name, r->client.oid, e) : rc;
}

enum cf_rc access_client_make(struct access_authority *a, const char *name,
                              struct access_client *out, struct cf_secret **secret,
                              struct cf_err *e)
{
    struct access_client_row r = { .group_count = 0 };
    struct cf_secret *fresh = NULL;
    struct store_txn *t = NULL;

    if (!good_name(name))
        return access_bad(e, "A principal's name has 1 to 64 of A-Z a-z 0-9 . _ -");
    enum cf_rc rc = store_write(a->store, &t, e);
    if (rc == CF_OK)
        rc = find_or_begin(a, t, name, &r, e);
    if (rc == CF_OK)
        rc = new_secret(a, &r, &fresh, e);
    if (rc == CF_OK)
        rc = access_client_row_put(t, &r, e);
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    if (rc == CF_OK) {
        *out = r.client;
        *secret = fresh;
        fresh = NULL;
    }
    cf_secret_free(fresh);
    access_client_row_clear(&r);
    return rc;
}

/* Changes one principal in a transaction of its own. */
static enum cf_rc change(struct access_authority *a, const char *name,
                         enum cf_rc (*apply)(struct access_client_row *r, const void *arg,
                                             struct cf_err *e),
                         const void *arg, struct cf_err *e)
{
    struct access_client_row r = { .group_count = 0 };
    struct store_txn *t = NULL;

    enum cf_rc rc = store_write(a->store, &t, e);
    if (rc == CF_OK)
        rc = access_client_by_name(store_txn_view(t), name, &r, e);
    if (rc == CF_OK)
        rc = apply(&r, arg, e);
    if (rc == CF_OK)
        rc = access_client_row_put(t, &r, e);
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    access_client_row_clear(&r);
    return rc;
}

static enum cf_rc pub_of_text(const char *text, struct crypto_pub *out, struct cf_err *e)
{
    struct json *jwk = NULL;
    struct cf_buf der = { 0 };
    struct crypto_cert cert;
    enum cf_rc rc;

    if (strstr(text, "-----BEGIN") == NULL) {
        rc = json_parse(text, strlen(text), NULL, &jwk, e);
        if (rc == CF_OK)
            rc = jose_jwk_public(jwk, out, e);
        json_free(jwk);
        return rc;
    }
    rc = crypto_cert_from_pem(crypto_bytes_of(text, strlen(text)), &der, e);
    if (rc == CF_OK)
        rc = crypto_cert_parse(crypto_bytes_of(der.data, der.len), &cert, e);
    if (rc == CF_OK)
        *out = cert.pub;
    cf_buf_clear(&der);
    return rc;
}

static enum cf_rc apply_key(struct access_client_row *r, const void *arg, struct cf_err *e)
{
    const char *text = arg;
    struct crypto_pub pub;

    cf_buf_clear(&r->spki);
    if (text == NULL)
        return CF_OK;
    if (strlen(text) > KEY_TEXT_MAX)
        return CF_FAIL(e, CF_E_INPUT, "a public key of more than %d bytes", KEY_TEXT_MAX);
    enum cf_rc rc = pub_of_text(text, &pub, e);
    if (rc != CF_OK)
        return rc;
    if (pub.type == HAL_EC && pub.curve != HAL_P256)
        return CF_FAIL(e, CF_E_INPUT, "assertions are verified with RSA or P-256 keys");
    return crypto_pub_to_spki(&pub, &r->spki, e);
}

enum cf_rc access_client_key(struct access_authority *a, const char *name, const char *public_key,
                             struct cf_err *e)
{
    return change(a, name, apply_key, public_key, e);
}

struct group_list {
    const char *const *item;
    size_t count;
};

static enum cf_rc apply_groups(struct access_client_row *r, const void *arg, struct cf_err *e)
{
    const struct group_list *g = arg;

    if (g->count > ACCESS_GROUPS_MAX)
        return CF_FAIL(e, CF_E_INPUT, "a principal may have %d groups", ACCESS_GROUPS_MAX);
    for (size_t i = 0; i < g->count; i++) {
        enum cf_rc rc = access_guid_bytes(g->item[i], r->groups[i], e);
        if (rc != CF_OK)
            return rc;
    }
    r->group_count = (uint32_t)g->count;
    return CF_OK;
}

enum cf_rc access_client_groups(struct access_authority *a, const char *name,
                                const char *const *groups, size_t count, struct cf_err *e)
{
    struct group_list g = { .item = groups, .count = count };

    return change(a, name, apply_groups, &g, e);
}

enum cf_rc access_client_delete(struct access_authority *a, const char *name, struct cf_err *e)
{
    struct store_txn *t = NULL;

    enum cf_rc rc = store_write(a->store, &t, e);
    if (rc == CF_OK)
        rc = store_del(t, STORE_PRINCIPAL, crypto_bytes_of(name, strlen(name)), e);
    if (rc == CF_OK)
        store_step_anchor(t); /* a principal that was removed must not come back with an old file */
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    return rc;
}

enum cf_rc access_clients(struct access_authority *a,
                          enum cf_rc (*each)(void *ctx, const struct access_client *c,
                                             struct cf_err *e),
                          void *ctx, struct cf_err *e)
{
    struct store_view *v = NULL;
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    bool more = true;

    enum cf_rc rc = store_read(a->store, &v, e);
    if (rc == CF_OK)
        rc = store_scan(v, STORE_PRINCIPAL, NULL, &c, e);
    while (rc == CF_OK) {
        struct access_client_row r = { .group_count = 0 };
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        rc = access_client_row_parse(access_bytes(&row.key), access_bytes(&row.value), &r, e);
        if (rc == CF_OK)
            rc = each(ctx, &r.client, e);
        access_client_row_clear(&r);
    }
    store_row_clear(&row);
    store_cursor_end(c);
    store_view_end(v);
    return rc;
}
