#include <string.h>

#include "domain_priv.h"

enum { KEYRING_VERSION = 1, KEYRING_ID, KEYRING_NAME, KEYRING_GENERATIONS };

#define ROW 5 /* g, BK, KEK, MK, made */

enum cf_rc domain_keyring_new(struct domain_keyring *k, size_t generations, struct cf_err *e)
{
    *k = (struct domain_keyring){ .count = generations };
    if (generations == 0 || generations > DOMAIN_GENERATIONS_MAX)
        return CF_FAIL(e, CF_E_ARG, "%zu generations", generations);
    return cf_secret_new(generations * DOMAIN_KEYS_SIZE, &k->keys, e);
}

void domain_keyring_clear(struct domain_keyring *k)
{
    if (!k)
        return;
    cf_secret_free(k->keys);
    *k = (struct domain_keyring){ 0 };
}

const uint8_t *domain_keyring_key(const struct domain_keyring *k, size_t i, enum hal_role role)
{
    return cf_secret_view(k->keys) + i * DOMAIN_KEYS_SIZE +
           (size_t)(role - HAL_ROLE_BK) * DOMAIN_KEY_SIZE;
}

enum cf_rc domain_keyring_write(const struct domain_keyring *k, struct cf_buf *out,
                                struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, 4);
    cbor_wr_key(&w, KEYRING_VERSION);
    cbor_wr_uint(&w, 1);
    cbor_wr_key(&w, KEYRING_ID);
    cbor_wr_bytes(&w, k->domain_id, sizeof k->domain_id);
    cbor_wr_key(&w, KEYRING_NAME);
    cbor_wr_text(&w, k->name);
    cbor_wr_key(&w, KEYRING_GENERATIONS);
    cbor_wr_array(&w, k->count);
    for (size_t i = 0; i < k->count; i++) {
        cbor_wr_array(&w, ROW);
        cbor_wr_uint(&w, k->gen[i].generation);
        for (enum hal_role r = HAL_ROLE_BK; r <= HAL_ROLE_MK; r++)
            cbor_wr_bytes(&w, domain_keyring_key(k, i, r), DOMAIN_KEY_SIZE);
        cbor_wr_uint(&w, (uint64_t)k->gen[i].made_s);
    }
    return cbor_wr_end(&w);
}

static void read_row(struct cbor_rd *r, struct domain_keyring *k, size_t i)
{
    if (cbor_rd_array(r, ROW) != ROW)
        cbor_rd_refuse(r, "a generation has five parts");
    k->gen[i].generation = (uint32_t)cbor_rd_uint(r, UINT32_MAX);
    for (size_t j = 0; j < 3; j++)
        cbor_rd_fixed(r, cf_secret_data(k->keys) + i * DOMAIN_KEYS_SIZE + j * DOMAIN_KEY_SIZE,
                      DOMAIN_KEY_SIZE);
    k->gen[i].made_s = (int64_t)cbor_rd_uint(r, INT64_MAX);
    if (k->gen[i].generation <= (i ? k->gen[i - 1].generation : 0))
        cbor_rd_refuse(r, "generations do not ascend");
}

static void want_key(struct cbor_rd *r, uint64_t key)
{
    if (cbor_rd_key(r) != key)
        cbor_rd_refuse(r, "another key is due");
}

enum cf_rc domain_keyring_read(const void *plain, size_t len, struct domain_keyring *out,
                               struct cf_err *e)
{
    struct cbor_rd r;
    struct domain_keyring head = { 0 };
    *out = (struct domain_keyring){ 0 };
    if (len > DOMAIN_ITEM_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "keyring of %zu bytes", len);
    cbor_rd_init(&r, plain, len, e);
    if (cbor_rd_map(&r, 4) != 4)
        cbor_rd_refuse(&r, "a keyring has four members");
    want_key(&r, KEYRING_VERSION);
    if (cbor_rd_uint(&r, UINT64_MAX) != 1)
        cbor_rd_refuse(&r, "keyring of a newer format");
    want_key(&r, KEYRING_ID);
    cbor_rd_fixed(&r, head.domain_id, sizeof head.domain_id);
    want_key(&r, KEYRING_NAME);
    cbor_rd_string(&r, head.name, sizeof head.name);
    want_key(&r, KEYRING_GENERATIONS);
    size_t n = cbor_rd_array(&r, DOMAIN_GENERATIONS_MAX);
    if (n == 0)
        cbor_rd_refuse(&r, "a keyring without generation");
    enum cf_rc rc = cbor_rd_ok(&r) ? domain_keyring_new(out, n, e) : CF_E_CORRUPT;
    if (rc == CF_OK) {
        memcpy(out->domain_id, head.domain_id, sizeof out->domain_id);
        memcpy(out->name, head.name, sizeof out->name);
        for (size_t i = 0; i < n; i++)
            read_row(&r, out, i);
        rc = cbor_rd_end(&r);
    }
    if (rc != CF_OK)
        domain_keyring_clear(out);
    return rc;
}

enum cf_rc domain_fingerprint(const uint8_t bk[32], const uint8_t domain_id[HAL_DOMAIN_ID_SIZE],
                              uint32_t generation, uint8_t out[32], struct cf_err *e)
{
    uint8_t ctx[HAL_DOMAIN_ID_SIZE + 4];
    memcpy(ctx, domain_id, HAL_DOMAIN_ID_SIZE);
    cf_le32(ctx + HAL_DOMAIN_ID_SIZE, generation);
    return crypto_kdf(bk, "coffer.v1.fp", ctx, sizeof ctx, out, e);
}
