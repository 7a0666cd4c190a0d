/* The `coffer` map (FORMAT.md 3.2): public truth of one sharing. */
#include <string.h>

#include "domain_priv.h"

enum {
    MAP_VERSION = 1,
    MAP_DOMAIN,
    MAP_SHARING,
    MAP_QUORUM,
    MAP_COUNT,
    MAP_MADE,
    MAP_MASTER,
    MAP_HOLDERS,
    MAP_ITEMS,
    MAP_GENERATIONS
};

#define HOLDER_PARTS 6

static void put_holders(struct cbor_wr *w, const struct domain_map *m)
{
    cbor_wr_key(w, MAP_HOLDERS);
    cbor_wr_array(w, m->sharing.count);
    for (size_t i = 0; i < m->sharing.count; i++) {
        const struct domain_map_holder *h = &m->holder[i];
        size_t digests = h->pub.kind == DOMAIN_CERTIFICATE ? 32 : 0;
        cbor_wr_array(w, HOLDER_PARTS);
        cbor_wr_uint(w, h->pub.x);
        cbor_wr_bytes(w, h->pub.check, sizeof h->pub.check);
        cbor_wr_bytes(w, h->pub.x5t, digests);
        cbor_wr_uint(w, (uint64_t)h->pub.kind);
        cbor_wr_text(w, h->pub.name);
        cbor_wr_bytes(w, h->enc_key_digest, digests);
    }
}

static void put_lists(struct cbor_wr *w, const struct domain_map *m)
{
    cbor_wr_key(w, MAP_ITEMS);
    cbor_wr_array(w, m->items);
    for (size_t i = 0; i < m->items; i++) {
        cbor_wr_array(w, 2);
        cbor_wr_text(w, m->item[i].tag);
        cbor_wr_bytes(w, m->item[i].digest, sizeof m->item[i].digest);
    }
    cbor_wr_key(w, MAP_GENERATIONS);
    cbor_wr_array(w, m->generations);
    for (size_t i = 0; i < m->generations; i++) {
        cbor_wr_array(w, 2);
        cbor_wr_uint(w, m->generation[i].number);
        cbor_wr_bytes(w, m->generation[i].fp, sizeof m->generation[i].fp);
    }
}

enum cf_rc domain_map_write(const struct domain_map *m, struct cf_buf *out, struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, MAP_GENERATIONS);
    cbor_wr_key(&w, MAP_VERSION);
    cbor_wr_uint(&w, 1);
    cbor_wr_key(&w, MAP_DOMAIN);
    cbor_wr_bytes(&w, m->sharing.domain_id, sizeof m->sharing.domain_id);
    cbor_wr_key(&w, MAP_SHARING);
    cbor_wr_bytes(&w, m->sharing.sharing_id, sizeof m->sharing.sharing_id);
    cbor_wr_key(&w, MAP_QUORUM);
    cbor_wr_uint(&w, m->sharing.quorum);
    cbor_wr_key(&w, MAP_COUNT);
    cbor_wr_uint(&w, m->sharing.count);
    cbor_wr_key(&w, MAP_MADE);
    cbor_wr_uint(&w, (uint64_t)m->made_s);
    cbor_wr_key(&w, MAP_MASTER);
    cbor_wr_bytes(&w, m->master_check, sizeof m->master_check);
    put_holders(&w, m);
    put_lists(&w, m);
    return cbor_wr_end(&w);
}

static void want_key(struct cbor_rd *r, uint64_t key)
{
    if (cbor_rd_key(r) != key)
        cbor_rd_refuse(r, "another key is due");
}

static void want_parts(struct cbor_rd *r, size_t n)
{
    if (cbor_rd_array(r, n) != n)
        cbor_rd_refuse(r, "a row of another length");
}

/* 32 bytes, or none for paper; the length must fit the kind, which comes in between. */
static size_t digest_or_empty(struct cbor_rd *r, uint8_t out[32])
{
    size_t len = 0;
    const uint8_t *p = cbor_rd_bytes(r, 32, &len);
    memset(out, 0, 32);
    if (len == 32)
        memcpy(out, p, 32);
    else if (len)
        cbor_rd_refuse(r, "a digest of another length");
    return len;
}

static void read_holder(struct cbor_rd *r, struct domain_map_holder *h, uint8_t last_x)
{
    want_parts(r, HOLDER_PARTS);
    h->pub.x = (uint8_t)cbor_rd_uint(r, DOMAIN_X_MAX);
    cbor_rd_fixed(r, h->pub.check, sizeof h->pub.check);
    size_t x5t = digest_or_empty(r, h->pub.x5t);
    uint64_t kind = cbor_rd_uint(r, DOMAIN_PAPER);
    h->pub.kind = kind == DOMAIN_PAPER ? DOMAIN_PAPER : DOMAIN_CERTIFICATE;
    cbor_rd_string(r, h->pub.name, sizeof h->pub.name);
    size_t digest = digest_or_empty(r, h->enc_key_digest);
    size_t want = kind == DOMAIN_CERTIFICATE ? 32 : 0;
    if (h->pub.x <= last_x)
        cbor_rd_refuse(r, "holders do not ascend");
    if (kind == 0 || x5t != want || digest != want)
        cbor_rd_refuse(r, "holder of an unknown kind");
}

static void read_items(struct cbor_rd *r, struct domain_map *m)
{
    want_key(r, MAP_ITEMS);
    m->items = cbor_rd_array(r, DOMAIN_ITEMS_MAX);
    for (size_t i = 0; i < m->items; i++) {
        want_parts(r, 2);
        cbor_rd_string(r, m->item[i].tag, sizeof m->item[i].tag);
        cbor_rd_fixed(r, m->item[i].digest, sizeof m->item[i].digest);
    }
    want_key(r, MAP_GENERATIONS);
    m->generations = cbor_rd_array(r, DOMAIN_GENERATIONS_MAX);
    for (size_t i = 0; i < m->generations; i++) {
        want_parts(r, 2);
        m->generation[i].number = (uint32_t)cbor_rd_uint(r, UINT32_MAX);
        cbor_rd_fixed(r, m->generation[i].fp, sizeof m->generation[i].fp);
        if (m->generation[i].number <= (i ? m->generation[i - 1].number : 0))
            cbor_rd_refuse(r, "generations do not ascend");
    }
    if (m->items == 0 || m->generations == 0)
        cbor_rd_refuse(r, "no item or no generation");
}

static void read_head(struct cbor_rd *r, struct domain_map *m)
{
    if (cbor_rd_map(r, 64) != MAP_GENERATIONS)
        cbor_rd_refuse(r, "a coffer map has ten members");
    want_key(r, MAP_VERSION);
    if (cbor_rd_uint(r, UINT64_MAX) != 1)
        cbor_rd_refuse(r, "coffer map of a newer format");
    want_key(r, MAP_DOMAIN);
    cbor_rd_fixed(r, m->sharing.domain_id, sizeof m->sharing.domain_id);
    want_key(r, MAP_SHARING);
    cbor_rd_fixed(r, m->sharing.sharing_id, sizeof m->sharing.sharing_id);
    want_key(r, MAP_QUORUM);
    m->sharing.quorum = (uint8_t)cbor_rd_uint(r, DOMAIN_HOLDERS_MAX);
    want_key(r, MAP_COUNT);
    m->sharing.count = (uint8_t)cbor_rd_uint(r, DOMAIN_HOLDERS_MAX);
    want_key(r, MAP_MADE);
    m->made_s = (int64_t)cbor_rd_uint(r, INT64_MAX);
    want_key(r, MAP_MASTER);
    cbor_rd_fixed(r, m->master_check, sizeof m->master_check);
    if (m->sharing.quorum < DOMAIN_QUORUM_MIN || m->sharing.count < DOMAIN_HOLDERS_MIN ||
        m->sharing.quorum > m->sharing.count)
        cbor_rd_refuse(r, "M and N out of range");
}

enum cf_rc domain_map_read(const void *p, size_t len, struct domain_map *out, struct cf_err *e)
{
    struct cbor_rd r;
    memset(out, 0, sizeof *out);
    if (len > DOMAIN_COFFER_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "coffer map of %zu bytes", len);
    cbor_rd_init(&r, p, len, e);
    read_head(&r, out);
    want_key(&r, MAP_HOLDERS);
    want_parts(&r, out->sharing.count);
    for (size_t i = 0; i < out->sharing.count && cbor_rd_ok(&r); i++)
        read_holder(&r, &out->holder[i], i ? out->holder[i - 1].pub.x : 0);
    read_items(&r, out);
    return cbor_rd_end(&r);
}
