/* The record that outlives a restart (FORMAT.md 3.9), and the keyring sealed in it. */
#include <string.h>

#include "domain_priv.h"

enum {
    KEPT_VERSION = 1,
    KEPT_STATE,
    KEPT_ID,
    KEPT_GENERATIONS,
    KEPT_SALT,
    KEPT_SEALED,
    KEPT_DOCUMENT,
    KEPT_DOCUMENT_ID,
    KEPT_PANEL,
    KEPT_QUORUM,
    KEPT_IDENTITY
};

#define SEAL_LABEL "coffer.v1.keyring"

void domain_kept_clear(struct domain_kept *k)
{
    if (!k)
        return;
    cf_buf_clear(&k->sealed);
    cf_buf_clear(&k->document);
    *k = (struct domain_kept){ .state = DOMAIN_PROVISIONED };
}

static void put_fixed(struct cbor_wr *w, uint64_t key, const uint8_t *p, size_t len)
{
    cbor_wr_key(w, key);
    cbor_wr_bytes(w, p, len);
}

static void put_generations(struct cbor_wr *w, const struct domain_kept *k)
{
    cbor_wr_key(w, KEPT_GENERATIONS);
    cbor_wr_array(w, k->generations);
    for (size_t i = 0; i < k->generations; i++) {
        cbor_wr_array(w, 3);
        cbor_wr_uint(w, k->generation[i].number);
        cbor_wr_bytes(w, k->generation[i].fp, sizeof k->generation[i].fp);
        cbor_wr_uint(w, (uint64_t)k->generation[i].made_s);
    }
}

enum cf_rc domain_kept_write(const struct domain_kept *k, struct cf_buf *out, struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, KEPT_IDENTITY);
    cbor_wr_key(&w, KEPT_VERSION);
    cbor_wr_uint(&w, 1);
    cbor_wr_key(&w, KEPT_STATE);
    cbor_wr_uint(&w, (uint64_t)k->state);
    put_fixed(&w, KEPT_ID, k->id, sizeof k->id);
    put_generations(&w, k);
    put_fixed(&w, KEPT_SALT, k->salt, sizeof k->salt);
    put_fixed(&w, KEPT_SEALED, k->sealed.data, k->sealed.len);
    put_fixed(&w, KEPT_DOCUMENT, k->document.data, k->document.len);
    put_fixed(&w, KEPT_DOCUMENT_ID, k->document_id, sizeof k->document_id);
    put_fixed(&w, KEPT_PANEL, k->panel_digest, sizeof k->panel_digest);
    cbor_wr_key(&w, KEPT_QUORUM);
    cbor_wr_array(&w, 2);
    cbor_wr_uint(&w, k->quorum);
    cbor_wr_uint(&w, k->officers);
    cbor_wr_key(&w, KEPT_IDENTITY);
    cbor_wr_array(&w, 3);
    cbor_wr_bytes(&w, k->identity.spki, k->identity.spki_len);
    cbor_wr_uint(&w, (uint64_t)k->identity.since_s);
    cbor_wr_bytes(&w, k->identity.endorsement, sizeof k->identity.endorsement);
    return cbor_wr_end(&w);
}

static void want_key(struct cbor_rd *r, uint64_t key)
{
    if (cbor_rd_key(r) != key)
        cbor_rd_refuse(r, "another key is due");
}

static void get_fixed(struct cbor_rd *r, uint64_t key, uint8_t *out, size_t len)
{
    want_key(r, key);
    cbor_rd_fixed(r, out, len);
}

static void get_bytes(struct cbor_rd *r, uint64_t key, size_t max, struct cf_buf *out)
{
    size_t len = 0;
    want_key(r, key);
    const uint8_t *p = cbor_rd_bytes(r, max, &len);
    if (cbor_rd_ok(r) && cf_buf_put(out, p, len, r->e) != CF_OK)
        r->rc = CF_E_LIMIT;
}

static void get_generations(struct cbor_rd *r, struct domain_kept *k)
{
    want_key(r, KEPT_GENERATIONS);
    k->generations = cbor_rd_array(r, DOMAIN_GENERATIONS_MAX);
    for (size_t i = 0; i < k->generations; i++) {
        struct domain_generation *g = &k->generation[i];
        if (cbor_rd_array(r, 3) != 3)
            cbor_rd_refuse(r, "a generation has three parts");
        g->number = (uint32_t)cbor_rd_uint(r, UINT32_MAX);
        cbor_rd_fixed(r, g->fp, sizeof g->fp);
        g->made_s = (int64_t)cbor_rd_uint(r, INT64_MAX);
    }
}

static void get_identity(struct cbor_rd *r, struct domain_identity *id)
{
    size_t len = 0;
    want_key(r, KEPT_IDENTITY);
    if (cbor_rd_array(r, 3) != 3)
        cbor_rd_refuse(r, "an identity has three parts");
    const uint8_t *p = cbor_rd_bytes(r, sizeof id->spki, &len);
    if (len)
        memcpy(id->spki, p, len);
    id->spki_len = len;
    id->since_s = (int64_t)cbor_rd_uint(r, INT64_MAX);
    cbor_rd_fixed(r, id->endorsement, sizeof id->endorsement);
}

enum cf_rc domain_kept_read(const void *p, size_t len, struct domain_kept *out, struct cf_err *e)
{
    struct cbor_rd r;
    *out = (struct domain_kept){ .state = DOMAIN_PROVISIONED };
    cbor_rd_init(&r, p, len, e);
    if (cbor_rd_map(&r, KEPT_IDENTITY) != KEPT_IDENTITY)
        cbor_rd_refuse(&r, "not a domain record");
    want_key(&r, KEPT_VERSION);
    if (cbor_rd_uint(&r, UINT64_MAX) != 1)
        cbor_rd_refuse(&r, "domain record of a newer format");
    want_key(&r, KEPT_STATE);
    uint64_t state = cbor_rd_uint(&r, DOMAIN_ACTIVE);
    get_fixed(&r, KEPT_ID, out->id, sizeof out->id);
    get_generations(&r, out);
    get_fixed(&r, KEPT_SALT, out->salt, sizeof out->salt);
    get_bytes(&r, KEPT_SEALED, DOMAIN_SEALED_MAX, &out->sealed);
    get_bytes(&r, KEPT_DOCUMENT, DOMAIN_KEPT_MAX, &out->document);
    get_fixed(&r, KEPT_DOCUMENT_ID, out->document_id, sizeof out->document_id);
    get_fixed(&r, KEPT_PANEL, out->panel_digest, sizeof out->panel_digest);
    want_key(&r, KEPT_QUORUM);
    if (cbor_rd_array(&r, 2) != 2)
        cbor_rd_refuse(&r, "a quorum has two parts");
    out->quorum = (uint8_t)cbor_rd_uint(&r, DOMAIN_HOLDERS_MAX);
    out->officers = (uint8_t)cbor_rd_uint(&r, DOMAIN_HOLDERS_MAX);
    get_identity(&r, &out->identity);
    if (!domain_state_name((enum domain_state)state) ||
        (state == DOMAIN_ACTIVE && (!out->generations || !out->sealed.len)))
        cbor_rd_refuse(&r, "domain record of no state");
    enum cf_rc rc = cbor_rd_end(&r);
    if (rc == CF_OK)
        out->state = (enum domain_state)state;
    else
        domain_kept_clear(out);
    return rc;
}

/* --- the keyring at rest --- */

/* KDF(STORE, label, domain id | salt), in the token: one key a seal, so nonce 0 serves. */
static enum cf_rc seal_key(struct hal_token *token, const struct domain_kept *k, uint8_t key[32],
                           struct cf_err *e)
{
    struct hal_key_name store = { .role = HAL_ROLE_STORE };
    uint8_t ctx[HAL_DOMAIN_ID_SIZE + DOMAIN_SALT_SIZE];
    struct cf_buf msg = { 0 };
    memcpy(ctx, k->id, HAL_DOMAIN_ID_SIZE);
    memcpy(ctx + HAL_DOMAIN_ID_SIZE, k->salt, DOMAIN_SALT_SIZE);
    enum cf_rc rc = crypto_kdf_message(SEAL_LABEL, ctx, sizeof ctx, &msg, e);
    if (rc == CF_OK)
        rc = hal_token_mac(token, &store, msg.data, msg.len, key, e);
    cf_buf_clear(&msg);
    return rc;
}

enum cf_rc domain_keyring_seal(struct hal_token *token, const struct domain_sources *s,
                               const struct domain_keyring *k, struct domain_kept *into,
                               struct cf_err *e)
{
    static const uint8_t nonce[CRYPTO_NONCE_SIZE];
    uint8_t key[CRYPTO_KEY_SIZE];
    struct crypto_gcm *g = NULL;
    struct domain_sources sources = *s;
    size_t len = 0;
    cf_buf_clear(&into->sealed);
    enum cf_rc rc = domain_draw(&sources, into->salt, sizeof into->salt, e);
    if (rc == CF_OK)
        rc = seal_key(token, into, key, e);
    if (rc == CF_OK)
        rc = domain_keyring_write(k, &into->sealed, e);
    if (rc == CF_OK) {
        len = into->sealed.len;
        rc = cf_buf_resize(&into->sealed, len + CRYPTO_TAG_SIZE, e);
    }
    if (rc == CF_OK)
        rc = crypto_gcm_new(&g, e);
    if (rc == CF_OK)
        rc = crypto_gcm_set_key(g, key, e);
    struct crypto_gcm_op op = {
        .nonce = nonce, .in = into->sealed.data, .len = len, .out = into->sealed.data
    };
    if (rc == CF_OK)
        rc = crypto_gcm_seal(g, &op, into->sealed.data + len, e);
    if (rc != CF_OK)
        cf_buf_clear(&into->sealed);
    crypto_gcm_free(g);
    cf_wipe(key, sizeof key);
    return rc;
}

static enum cf_rc open_sealed(const struct domain_kept *from, const uint8_t key[32],
                              struct cf_secret **plain, struct cf_err *e)
{
    static const uint8_t nonce[CRYPTO_NONCE_SIZE];
    struct crypto_gcm *g = NULL;
    size_t len = from->sealed.len - CRYPTO_TAG_SIZE;
    enum cf_rc rc = cf_secret_new(len, plain, e);
    if (rc == CF_OK)
        rc = crypto_gcm_new(&g, e);
    if (rc == CF_OK)
        rc = crypto_gcm_set_key(g, key, e);
    struct crypto_gcm_op op = { .nonce = nonce,
                                .in = from->sealed.data,
                                .len = len,
                                .out = rc == CF_OK ? cf_secret_data(*plain) : NULL };
    if (rc == CF_OK)
        rc = crypto_gcm_open(g, &op, from->sealed.data + len, e);
    crypto_gcm_free(g);
    return rc;
}

enum cf_rc domain_keyring_unseal(struct hal_token *token, const struct domain_kept *from,
                                 struct domain_keyring *out, struct cf_err *e)
{
    uint8_t key[CRYPTO_KEY_SIZE];
    struct cf_secret *plain = NULL;
    *out = (struct domain_keyring){ 0 };
    if (from->sealed.len <= CRYPTO_TAG_SIZE)
        return CF_FAIL(e, CF_E_CORRUPT, "no sealed keyring");
    enum cf_rc rc = seal_key(token, from, key, e);
    if (rc == CF_OK)
        rc = open_sealed(from, key, &plain, e);
    if (rc == CF_OK)
        rc = domain_keyring_read(cf_secret_view(plain), cf_secret_len(plain), out, e);
    if (rc == CF_OK && !cf_equal(out->domain_id, from->id, sizeof from->id)) {
        rc = CF_FAIL(e, CF_E_AUTH, "the sealed keyring is of another domain");
        domain_keyring_clear(out);
    }
    cf_secret_free(plain);
    cf_wipe(key, sizeof key);
    return rc;
}
