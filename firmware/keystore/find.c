#include "keystore_priv.h"

#include <string.h>

/* Copies a record of a probe whose absence was no failure of the caller. */
static enum cf_rc pass_on(const struct cf_err *from, struct cf_err *e)
{
    return cf_err_set(e, from->rc, from->src, from->native, from->where, "%s", from->text);
}

enum cf_rc find_key(struct store_view *v, const char *lower, struct key_row *out, bool *found,
                    struct cf_err *e)
{
    struct store_row row = { 0 };
    struct cf_err none = { 0 };
    *found = false;
    enum cf_rc rc = store_get(v, STORE_KEY, crypto_bytes_of(lower, strlen(lower)), &row, &none);
    if (rc == CF_OK) {
        rc = key_row_decode(&row, out, e);
        *found = rc == CF_OK;
    } else if (rc == CF_E_ABSENT) {
        rc = CF_OK;
    } else {
        rc = pass_on(&none, e);
    }
    store_row_clear(&row);
    return rc;
}

enum cf_rc find_live(struct store_view *v, const char *lower, struct key_row *out, struct cf_err *e)
{
    bool found;
    enum cf_rc rc = find_key(v, lower, out, &found, e);
    if (rc == CF_OK && (!found || out->k.deleted)) {
        key_row_clear(out);
        rc = fail_not_found(lower, e);
    }
    return rc;
}

enum cf_rc find_deleted(struct store_view *v, const char *lower, struct key_row *out,
                        struct cf_err *e)
{
    bool found;
    enum cf_rc rc = find_key(v, lower, out, &found, e);
    if (rc == CF_OK && (!found || !out->k.deleted)) {
        key_row_clear(out);
        rc = fail_deleted_not_found(lower, e);
    }
    return rc;
}

static bool has_id(const struct store_row *row, const uint8_t id[KEYSTORE_ID_SIZE])
{
    return row->key.len > KEYSTORE_ID_SIZE &&
           cf_equal(row->key.data + row->key.len - KEYSTORE_ID_SIZE, id, KEYSTORE_ID_SIZE);
}

static enum cf_rc scan_for(struct store_view *v, const struct version_key *prefix,
                           const uint8_t id[KEYSTORE_ID_SIZE], struct store_row *row, bool *found,
                           struct cf_err *e)
{
    struct store_range r = { .prefix = bytes_of_key(prefix) };
    struct store_cursor *c = NULL;
    bool more = true;
    enum cf_rc rc = store_scan(v, STORE_VERSION, &r, &c, e);
    while (rc == CF_OK && more && !*found) {
        rc = store_next(c, row, &more, e);
        *found = rc == CF_OK && more && has_id(row, id);
    }
    store_cursor_end(c);
    return rc;
}

enum cf_rc find_version(struct store_view *v, const struct version_at *at, struct store_row *row,
                        struct cf_err *e)
{
    uint8_t id[KEYSTORE_ID_SIZE];
    struct version_key prefix = version_prefix(at->lower);
    struct cf_err none = { 0 };
    if (at->version && !version_id_parse(at->version, id))
        return BAD_PARAMETER(e, "A key's version has 32 hexadecimal digits.");
    /* Most calls name the current version, so that one is looked at first. */
    enum cf_rc rc = store_get_last(v, STORE_VERSION, bytes_of_key(&prefix), row, &none);
    if (rc == CF_E_ABSENT)
        return fail_not_found(at->lower, e);
    if (rc != CF_OK)
        return pass_on(&none, e);
    bool found = !at->version || has_id(row, id);
    if (!found)
        rc = scan_for(v, &prefix, id, row, &found, e);
    return rc == CF_OK && !found ? fail_not_found(at->lower, e) : rc;
}

enum cf_rc read_version(const char *lower, const struct store_row *row,
                        struct keystore_version *out, struct keyblob *b, struct cf_err *e)
{
    enum cf_rc rc = version_row_decode(&row->value, out, e);
    if (rc == CF_OK)
        rc = keyblob_parse(bytes_of(&row->blob), b, e);
    if (rc == CF_OK)
        rc = keyblob_belongs(b, lower, out, e);
    if (rc == CF_OK)
        rc = keyblob_describe(b, out, e);
    if (rc != CF_OK)
        version_clear(out);
    return rc;
}
