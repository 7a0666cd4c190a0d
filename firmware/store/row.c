#include "store_priv.h"

#include <string.h>

void store_row_clear(struct store_row *r)
{
    if (!r)
        return;
    cf_buf_clear(&r->key);
    cf_buf_clear(&r->value);
    cf_buf_clear(&r->blob);
    r->revision = 0;
}

static struct crypto_bytes column(sqlite3_stmt *st, int at)
{
    const void *p = sqlite3_column_blob(st, at);
    int len = sqlite3_column_bytes(st, at);
    return crypto_bytes_of(p, p && len > 0 ? (size_t)len : 0);
}

static enum cf_rc columns(sqlite3_stmt *st, struct tagged *out, const uint8_t **tag,
                          struct cf_err *e)
{
    sqlite3_int64 table = sqlite3_column_int64(st, 0), revision = sqlite3_column_int64(st, 4);
    struct crypto_bytes t = column(st, 5);
    out->c =
        (struct store_put){ .key = column(st, 1), .value = column(st, 2), .blob = column(st, 3) };
    if (table < 1 || table > STORE_TABLE_MAX || revision < 1 || t.len != TAG_SIZE ||
        out->c.key.len < 1 || out->c.key.len > STORE_KEY_MAX || out->c.value.len < 1 ||
        out->c.value.len > STORE_VALUE_MAX || out->c.blob.len > STORE_BLOB_MAX)
        return CF_FAIL(e, CF_E_AUTH, "a row of table %lld has sizes that none can have",
                       (long long)table);
    out->table = (enum store_table)table;
    out->revision = (uint64_t)revision;
    *tag = t.p;
    return CF_OK;
}

enum cf_rc row_verified(struct conn *c, sqlite3_stmt *st, struct tagged *out, struct cf_err *e)
{
    const uint8_t *stored;
    uint8_t tag[TAG_SIZE];
    enum cf_rc rc = columns(st, out, &stored, e);
    if (rc == CF_OK)
        rc = tag_row(&c->tagger, out, tag, e);
    if (rc == CF_OK && !cf_equal(tag, stored, sizeof tag))
        rc = CF_FAIL(e, CF_E_AUTH, "a row of table %d does not verify", (int)out->table);
    return rc;
}

static enum cf_rc set(struct cf_buf *b, struct crypto_bytes from, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_resize(b, 0, e);
    return rc == CF_OK ? cf_buf_put(b, from.p, from.len, e) : rc;
}

enum cf_rc row_copy(const struct tagged *from, struct store_row *to, struct cf_err *e)
{
    enum cf_rc rc = set(&to->key, from->c.key, e);
    if (rc == CF_OK)
        rc = set(&to->value, from->c.value, e);
    if (rc == CF_OK)
        rc = set(&to->blob, from->c.blob, e);
    to->revision = from->revision;
    return rc;
}

int key_order(struct crypto_bytes a, struct crypto_bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int cmp = common ? memcmp(a.p, b.p, common) : 0;
    if (cmp)
        return cmp;
    return a.len < b.len ? -1 : a.len > b.len;
}
