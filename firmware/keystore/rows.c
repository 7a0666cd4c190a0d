/* The CBOR of key and version rows, the same in the store and in backups (backup/FORMAT.md 3.7). */
#include "keystore_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Members seen, as bits by number. */
#define BIT(n) (1U << (n))

/* --- key rows
 * ------------------------------------------------------------------------------------- */

enum { KEY_NAME = 1, KEY_CREATED, KEY_UPDATED, KEY_DELETED, KEY_PURGE, KEY_ROTATION };

void key_row_put(struct cbor_wr *w, const struct key_row *r)
{
    bool deleted = r->k.deleted != 0;
    cbor_wr_map(w, 3 + (deleted ? 2U : 0U) + (r->rotation.len != 0));
    cbor_wr_key(w, KEY_NAME);
    cbor_wr_text(w, r->k.name);
    cbor_wr_key(w, KEY_CREATED);
    cbor_wr_uint(w, r->k.created);
    cbor_wr_key(w, KEY_UPDATED);
    cbor_wr_uint(w, r->k.updated);
    if (deleted) {
        cbor_wr_key(w, KEY_DELETED);
        cbor_wr_uint(w, r->k.deleted);
        cbor_wr_key(w, KEY_PURGE);
        cbor_wr_uint(w, r->k.purge_at);
    }
    if (r->rotation.len) {
        cbor_wr_key(w, KEY_ROTATION);
        cbor_wr_bytes(w, r->rotation.data, r->rotation.len);
    }
}

static void get_bytes(struct cbor_rd *rd, size_t max, struct cf_buf *out)
{
    size_t len;
    const uint8_t *p = cbor_rd_bytes(rd, max, &len);
    if (p && (!len || cf_buf_put(out, p, len, NULL) != CF_OK))
        cbor_rd_refuse(rd, "bytes that must not be empty");
}

void key_row_get(struct cbor_rd *rd, struct key_row *out)
{
    unsigned seen = 0;
    for (size_t n = cbor_rd_map(rd, KEY_ROTATION); n && cbor_rd_ok(rd); n--) {
        uint64_t key = cbor_rd_key(rd);
        if (key >= KEY_NAME && key <= KEY_ROTATION)
            seen |= BIT(key);
        switch (key) {
        case KEY_NAME:
            cbor_rd_string(rd, out->k.name, sizeof out->k.name);
            break;
        case KEY_CREATED:
            out->k.created = cbor_rd_uint(rd, UINT64_MAX);
            break;
        case KEY_UPDATED:
            out->k.updated = cbor_rd_uint(rd, UINT64_MAX);
            break;
        case KEY_DELETED:
            out->k.deleted = cbor_rd_uint(rd, UINT64_MAX);
            break;
        case KEY_PURGE:
            out->k.purge_at = cbor_rd_uint(rd, UINT64_MAX);
            break;
        case KEY_ROTATION:
            get_bytes(rd, KEYSTORE_ROTATION_MAX, &out->rotation);
            break;
        default:
            cbor_rd_refuse(rd, "an unknown member of a key row");
        }
    }
    unsigned always = BIT(KEY_NAME) | BIT(KEY_CREATED) | BIT(KEY_UPDATED);
    unsigned both = BIT(KEY_DELETED) | BIT(KEY_PURGE);
    char lower[KEYSTORE_NAME_MAX + 1];
    if (cbor_rd_ok(rd) &&
        ((seen & always) != always || ((seen & both) && (seen & both) != both) ||
         ((seen & both) && !out->k.deleted) || keystore_name(out->k.name, lower, NULL) != CF_OK))
        cbor_rd_refuse(rd, "a key row that is not whole");
}

/* --- version rows
 * ----------------------------------------------------------------------------------- */

enum {
    VERSION_ID = 1,
    VERSION_CREATED,
    VERSION_UPDATED,
    VERSION_ENABLED,
    VERSION_OPS,
    VERSION_NBF,
    VERSION_EXP,
    VERSION_EXPORTABLE,
    VERSION_TAGS,
    VERSION_POLICY
};

static void put_tags(struct cbor_wr *w, const struct keystore_tags *t)
{
    cbor_wr_array(w, t->count);
    for (size_t i = 0; i < t->count; i++) {
        cbor_wr_array(w, 2);
        cbor_wr_text(w, t->tag[i].name);
        cbor_wr_text(w, t->tag[i].value);
    }
}

static void put_policy(struct cbor_wr *w, const struct keystore_policy *p)
{
    cbor_wr_array(w, 3);
    cbor_wr_text(w, p->content_type);
    cbor_wr_bytes(w, p->data.data, p->data.len);
    cbor_wr_bool(w, p->immutable);
}

void version_row_put(struct cbor_wr *w, const struct keystore_version *v)
{
    uint8_t id[KEYSTORE_ID_SIZE] = { 0 };
    bool policy = v->policy.data.len != 0, id_good = version_id_parse(v->id, id);
    cbor_wr_map(w, 7U + v->has_nbf + v->has_exp + policy);
    cbor_wr_key(w, VERSION_ID);
    cbor_wr_bytes(w, id, id_good ? sizeof id : 0); /* no reader takes a short one */
    cbor_wr_key(w, VERSION_CREATED);
    cbor_wr_uint(w, v->created);
    cbor_wr_key(w, VERSION_UPDATED);
    cbor_wr_uint(w, v->updated);
    cbor_wr_key(w, VERSION_ENABLED);
    cbor_wr_bool(w, v->enabled);
    cbor_wr_key(w, VERSION_OPS);
    cbor_wr_uint(w, v->ops);
    if (v->has_nbf) {
        cbor_wr_key(w, VERSION_NBF);
        cbor_wr_uint(w, v->nbf);
    }
    if (v->has_exp) {
        cbor_wr_key(w, VERSION_EXP);
        cbor_wr_uint(w, v->exp);
    }
    cbor_wr_key(w, VERSION_EXPORTABLE);
    cbor_wr_bool(w, v->exportable);
    cbor_wr_key(w, VERSION_TAGS);
    put_tags(w, &v->tags);
    if (policy) {
        cbor_wr_key(w, VERSION_POLICY);
        put_policy(w, &v->policy);
    }
}

static void get_tag_text(struct cbor_rd *rd, char out[4 * KEYSTORE_TAG_CHARS + 1])
{
    cbor_rd_string(rd, out, 4 * KEYSTORE_TAG_CHARS + 1);
}

static void get_tags(struct cbor_rd *rd, struct keystore_tags *t)
{
    char name[4 * KEYSTORE_TAG_CHARS + 1], value[sizeof name];
    for (size_t n = cbor_rd_array(rd, KEYSTORE_TAGS_MAX); n && cbor_rd_ok(rd); n--) {
        if (cbor_rd_array(rd, 2) != 2)
            cbor_rd_refuse(rd, "a tag that is no pair");
        get_tag_text(rd, name);
        get_tag_text(rd, value);
        size_t last = t->count;
        if (!cbor_rd_ok(rd))
            return;
        if ((last && strcmp(t->tag[last - 1].name, name) >= 0) ||
            keystore_tags_add(t, name, value, NULL) != CF_OK)
            cbor_rd_refuse(rd, "tags that do not ascend, or with characters that none may have");
    }
}

static void get_policy(struct cbor_rd *rd, struct keystore_policy *p)
{
    if (cbor_rd_array(rd, 3) != 3)
        cbor_rd_refuse(rd, "a release policy that is no triple");
    cbor_rd_string(rd, p->content_type, sizeof p->content_type);
    get_bytes(rd, KEYSTORE_POLICY_MAX, &p->data);
    p->immutable = cbor_rd_bool(rd);
    if (!text_is_plain(p->content_type, strlen(p->content_type)))
        cbor_rd_refuse(rd, "a content type with control characters");
}

static void get_id(struct cbor_rd *rd, char out[KEYSTORE_ID_HEX + 1])
{
    uint8_t id[KEYSTORE_ID_SIZE];
    cbor_rd_fixed(rd, id, sizeof id);
    cf_hex(id, sizeof id, out);
}

static void get_member(struct cbor_rd *rd, uint64_t key, struct keystore_version *v)
{
    switch (key) {
    case VERSION_ID:
        get_id(rd, v->id);
        break;
    case VERSION_CREATED:
        v->created = cbor_rd_uint(rd, UINT64_MAX);
        break;
    case VERSION_UPDATED:
        v->updated = cbor_rd_uint(rd, UINT64_MAX);
        break;
    case VERSION_ENABLED:
        v->enabled = cbor_rd_bool(rd);
        break;
    case VERSION_OPS:
        v->ops = (unsigned)cbor_rd_uint(rd, 0xff);
        break;
    case VERSION_NBF:
        v->has_nbf = true;
        v->nbf = cbor_rd_uint(rd, UINT64_MAX);
        break;
    case VERSION_EXP:
        v->has_exp = true;
        v->exp = cbor_rd_uint(rd, UINT64_MAX);
        break;
    case VERSION_EXPORTABLE:
        v->exportable = cbor_rd_bool(rd);
        break;
    case VERSION_TAGS:
        get_tags(rd, &v->tags);
        break;
    case VERSION_POLICY:
        get_policy(rd, &v->policy);
        break;
    default:
        cbor_rd_refuse(rd, "an unknown member of a version row");
    }
}

void version_row_get(struct cbor_rd *rd, struct keystore_version *out)
{
    unsigned seen = 0;
    for (size_t n = cbor_rd_map(rd, VERSION_POLICY); n && cbor_rd_ok(rd); n--) {
        uint64_t key = cbor_rd_key(rd);
        if (key >= VERSION_ID && key <= VERSION_POLICY)
            seen |= BIT(key);
        get_member(rd, key, out);
    }
    unsigned optional = BIT(VERSION_NBF) | BIT(VERSION_EXP) | BIT(VERSION_POLICY);
    unsigned all = BIT(VERSION_POLICY + 1) - BIT(VERSION_ID);
    if (cbor_rd_ok(rd) && (seen | optional) != all)
        cbor_rd_refuse(rd, "a version row that is not whole");
}

/* --- as values
 * -------------------------------------------------------------------------------------- */

enum cf_rc key_row_encode(const struct key_row *r, struct cf_buf *out, struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    key_row_put(&w, r);
    return cbor_wr_end(&w);
}

enum cf_rc key_row_decode(const struct store_row *row, struct key_row *out, struct cf_err *e)
{
    struct cbor_rd rd;
    if (row->blob.len)
        return CF_FAIL(e, CF_E_CORRUPT, "a key row with a blob");
    cbor_rd_init(&rd, row->value.data, row->value.len, e);
    key_row_get(&rd, out);
    enum cf_rc rc = cbor_rd_end(&rd);
    if (rc != CF_OK)
        key_row_clear(out);
    return rc;
}

enum cf_rc version_row_encode(const struct keystore_version *v, struct cf_buf *out,
                              struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    version_row_put(&w, v);
    return cbor_wr_end(&w);
}

enum cf_rc version_row_decode(const struct cf_buf *in, struct keystore_version *out,
                              struct cf_err *e)
{
    struct cbor_rd rd;
    cbor_rd_init(&rd, in->data, in->len, e);
    version_row_get(&rd, out);
    enum cf_rc rc = cbor_rd_end(&rd);
    if (rc != CF_OK)
        version_clear(out);
    return rc;
}
