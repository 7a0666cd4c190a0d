/* Principals of the built-in authority, in the appliance's own store. */
#include "access_priv.h"
#include "authority_priv.h"

#include <string.h>

#include "cbor/cbor.h"

#define SPKI_MAX 2048

void access_client_row_clear(struct access_client_row *r)
{
    cf_buf_clear(&r->spki);
    *r = (struct access_client_row){ .group_count = 0 };
}

static enum cf_rc encode(const struct access_client_row *r, struct cf_buf *out, struct cf_err *e)
{
    uint8_t client_id[16], oid[16];
    struct cbor_wr w;

    enum cf_rc rc = access_guid_bytes(r->client.client_id, client_id, e);
    if (rc == CF_OK)
        rc = access_guid_bytes(r->client.oid, oid, e);
    if (rc != CF_OK)
        return rc;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, 7);
    cbor_wr_key(&w, 1);
    cbor_wr_bytes(&w, client_id, sizeof client_id);
    cbor_wr_key(&w, 2);
    cbor_wr_bytes(&w, oid, sizeof oid);
    cbor_wr_key(&w, 3);
    cbor_wr_uint(&w, (uint64_t)r->client.created_s);
    cbor_wr_key(&w, 4);
    cbor_wr_bytes(&w, r->salt, sizeof r->salt);
    cbor_wr_key(&w, 5);
    cbor_wr_bytes(&w, r->verifier, sizeof r->verifier);
    cbor_wr_key(&w, 6);
    cbor_wr_bytes(&w, r->spki.data, r->spki.len);
    cbor_wr_key(&w, 7);
    cbor_wr_array(&w, r->group_count);
    for (uint32_t i = 0; i < r->group_count; i++)
        cbor_wr_bytes(&w, r->groups[i], sizeof r->groups[i]);
    return cbor_wr_end(&w);
}

enum cf_rc access_client_row_put(struct store_txn *t, const struct access_client_row *r,
                                 struct cf_err *e)
{
    struct cf_buf value = { 0 };

    enum cf_rc rc = encode(r, &value, e);
    struct store_put put = { .key = crypto_bytes_of(r->client.name, strlen(r->client.name)),
                             .value = crypto_bytes_of(value.data, value.len) };
    if (rc == CF_OK)
        rc = store_put(t, STORE_PRINCIPAL, &put, e);
    cf_buf_clear(&value);
    return rc;
}

static void expect(struct cbor_rd *r, uint64_t key)
{
    if (cbor_rd_key(r) != key)
        cbor_rd_refuse(r, "a member of a principal is missing");
}

static enum cf_rc decode(struct cbor_rd *r, struct access_client_row *out, struct cf_err *e)
{
    uint8_t id[16];
    size_t len = 0;

    if (cbor_rd_map(r, 7) != 7)
        cbor_rd_refuse(r, "a principal has seven members");
    expect(r, 1);
    cbor_rd_fixed(r, id, sizeof id);
    access_guid_text(id, out->client.client_id);
    expect(r, 2);
    cbor_rd_fixed(r, id, sizeof id);
    access_guid_text(id, out->client.oid);
    expect(r, 3);
    out->client.created_s = (int64_t)cbor_rd_uint(r, (uint64_t)ACCESS_TIME_MAX);
    expect(r, 4);
    cbor_rd_fixed(r, out->salt, sizeof out->salt);
    expect(r, 5);
    cbor_rd_fixed(r, out->verifier, sizeof out->verifier);
    expect(r, 6);
    const uint8_t *spki = cbor_rd_bytes(r, SPKI_MAX, &len);
    enum cf_rc rc = cf_buf_put(&out->spki, spki, len, e);
    if (rc != CF_OK)
        return rc;
    expect(r, 7);
    out->group_count = (uint32_t)cbor_rd_array(r, ACCESS_GROUPS_MAX);
    for (uint32_t i = 0; i < out->group_count; i++)
        cbor_rd_fixed(r, out->groups[i], sizeof out->groups[i]);
    return cbor_rd_end(r);
}

enum cf_rc access_client_row_parse(struct crypto_bytes key, struct crypto_bytes value,
                                   struct access_client_row *out, struct cf_err *e)
{
    struct cbor_rd r;

    if (key.len > ACCESS_NAME_MAX)
        return CF_FAIL(e, CF_E_CORRUPT, "principal: its name is too long");
    memcpy(out->client.name, key.p, key.len);
    out->client.name[key.len] = '\0';
    cbor_rd_init(&r, value.p, value.len, e);
    enum cf_rc rc = decode(&r, out, e);
    if (rc == CF_OK)
        return rc;
    access_client_row_clear(out);
    return cf_err_ctx(e, rc, "principal");
}

enum cf_rc access_client_by_name(struct store_view *v, const char *name,
                                 struct access_client_row *out, struct cf_err *e)
{
    struct store_row row = { 0 };
    struct cf_err why = { 0 };

    enum cf_rc rc = store_get(v, STORE_PRINCIPAL, crypto_bytes_of(name, strlen(name)), &row, &why);
    if (rc == CF_E_ABSENT)
        (void)CF_FAIL(e, rc, "There is no principal of that name");
    else if (rc != CF_OK && e != NULL)
        *e = why;
    if (rc == CF_OK)
        rc = access_client_row_parse(access_bytes(&row.key), access_bytes(&row.value), out, e);
    store_row_clear(&row);
    return rc;
}

/* There are few: the table is read through. */
enum cf_rc access_client_by_id(struct store_view *v, const char *client_id,
                               struct access_client_row *out, struct cf_err *e)
{
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    bool more = true, found = false;

    enum cf_rc rc = store_scan(v, STORE_PRINCIPAL, NULL, &c, e);
    while (rc == CF_OK && !found) {
        access_client_row_clear(out);
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        rc = access_client_row_parse(access_bytes(&row.key), access_bytes(&row.value), out, e);
        found = rc == CF_OK && strcmp(out->client.client_id, client_id) == 0;
    }
    store_row_clear(&row);
    store_cursor_end(c);
    if (rc == CF_OK && !found)
        rc = CF_FAIL(e, CF_E_ABSENT, "no such client");
    if (rc != CF_OK)
        access_client_row_clear(out);
    return rc;
}
