/* One key with all versions, as backups carry it (backup/FORMAT.md 3.7). */
#include "keystore_priv.h"

#include <stdlib.h>
#include <string.h>

/* --- memory
 * ------------------------------------------------------------------------------------------- */

static void versions_clear(struct keystore_record *r)
{
    for (size_t i = 0; i < r->count; i++) {
        version_clear(&r->version[i].v);
        cf_buf_clear(&r->version[i].blob);
    }
    r->count = 0;
}

void record_reset(struct keystore_record *r)
{
    versions_clear(r);
    key_row_clear(&r->key);
    r->lower[0] = 0;
    r->verified = false;
}

void keystore_record_free(struct keystore_record *r)
{
    if (!r)
        return;
    record_reset(r);
    free(r->version);
    free(r);
}

enum cf_rc record_add(struct keystore_record *r, struct record_version **out, struct cf_err *e)
{
    if (r->count >= KEYSTORE_VERSIONS_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a key with more than %d versions", KEYSTORE_VERSIONS_MAX);
    /* Grows by doubling: 1, 2, 4 ..; nearly all keys have one version. */
    if ((r->count & (r->count - 1)) == 0) {
        size_t cap = r->count ? 2 * r->count : 1;
        struct record_version *more = realloc(r->version, cap * sizeof *more);
        if (!more)
            return CF_FAIL(e, CF_E_LIMIT, "no memory for a key's versions");
        r->version = more;
    }
    r->version[r->count] = (struct record_version){ 0 };
    *out = &r->version[r->count++];
    return CF_OK;
}

const char *keystore_record_name(const struct keystore_record *r)
{
    return r->lower;
}

void keystore_record_counts(const struct keystore_record *r, struct keystore_counts *out)
{
    *out = (struct keystore_counts){ .keys = 1,
                                     .versions = r->count,
                                     .deleted = r->key.k.deleted != 0 };
}

/* --- out
 * ------------------------------------------------------------------------------------------------
 */

enum { RECORD_NAME = 1, RECORD_KEY, RECORD_VERSIONS };

enum cf_rc record_encode(const struct keystore_record *r, struct cf_buf *out, struct cf_err *e)
{
    struct cbor_wr w;
    enum cf_rc rc = cf_buf_resize(out, 0, e);
    if (rc != CF_OK)
        return rc;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, 3);
    cbor_wr_key(&w, RECORD_NAME);
    cbor_wr_text(&w, r->lower);
    cbor_wr_key(&w, RECORD_KEY);
    key_row_put(&w, &r->key);
    cbor_wr_key(&w, RECORD_VERSIONS);
    cbor_wr_array(&w, r->count);
    for (size_t i = 0; i < r->count; i++) {
        cbor_wr_array(&w, 2);
        version_row_put(&w, &r->version[i].v);
        cbor_wr_bytes(&w, r->version[i].blob.data, r->version[i].blob.len);
    }
    rc = cbor_wr_end(&w);
    if (rc == CF_OK && out->len > RECORD_MAX)
        rc = CF_FAIL(e, CF_E_LIMIT, "the record of key %s has %zu bytes", r->lower, out->len);
    if (rc != CF_OK)
        cf_buf_clear(out);
    return rc;
}

enum cf_rc record_load(struct keystore_record *r, struct store_view *v, struct cf_err *e)
{
    struct version_key prefix = version_prefix(r->lower);
    struct store_range range = { .prefix = bytes_of_key(&prefix) };
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    bool more = true;
    enum cf_rc rc = store_scan(v, STORE_VERSION, &range, &c, e);
    while (rc == CF_OK) {
        struct record_version *rv = NULL;
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        if (version_sequence(r->lower, &row.key) != r->count + 1)
            rc = CF_FAIL(e, CF_E_CORRUPT, "the versions of key %s have a gap", r->lower);
        if (rc == CF_OK)
            rc = record_add(r, &rv, e);
        if (rc == CF_OK)
            rc = version_row_decode(&row.value, &rv->v, e);
        if (rc == CF_OK)
            rc = cf_buf_put(&rv->blob, row.blob.data, row.blob.len, e);
    }
    if (rc == CF_OK && !r->count)
        rc = CF_FAIL(e, CF_E_CORRUPT, "key %s has no version", r->lower);
    store_row_clear(&row);
    store_cursor_end(c);
    return rc;
}

/* --- in
 * --------------------------------------------------------------------------------------------------
 */

static void get_name(struct cbor_rd *rd, char lower[KEYSTORE_NAME_MAX + 1])
{
    cbor_rd_string(rd, lower, KEYSTORE_NAME_MAX + 1);
    if (cbor_rd_ok(rd) && !name_is_lower(lower, strlen(lower)))
        cbor_rd_refuse(rd, "a record's name");
}

static void get_version(struct cbor_rd *rd, struct keystore_record *r)
{
    struct record_version *rv = NULL;
    size_t len;
    if (cbor_rd_array(rd, 2) != 2)
        cbor_rd_refuse(rd, "a version that is no pair");
    if (!cbor_rd_ok(rd) || record_add(r, &rv, NULL) != CF_OK) {
        cbor_rd_refuse(rd, "no room for a version");
        return;
    }
    version_row_get(rd, &rv->v);
    const uint8_t *blob = cbor_rd_bytes(rd, KEYBLOB_MAX, &len);
    if (blob && cf_buf_put(&rv->blob, blob, len, NULL) != CF_OK)
        cbor_rd_refuse(rd, "no memory for a blob");
}

/* Gives the number of versions; over the limit it stops there. */
static size_t get_record(struct cbor_rd *rd, struct keystore_record *r)
{
    if (cbor_rd_map(rd, RECORD_VERSIONS) != 3 || cbor_rd_key(rd) != RECORD_NAME)
        cbor_rd_refuse(rd, "a record that is not whole");
    get_name(rd, r->lower);
    if (cbor_rd_key(rd) != RECORD_KEY)
        cbor_rd_refuse(rd, "a record that is not whole");
    key_row_get(rd, &r->key);
    if (cbor_rd_key(rd) != RECORD_VERSIONS)
        cbor_rd_refuse(rd, "a record that is not whole");
    size_t n = cbor_rd_array(rd, SIZE_MAX);
    if (!n)
        cbor_rd_refuse(rd, "a key without versions");
    for (size_t i = 0; i < n && n <= KEYSTORE_VERSIONS_MAX && cbor_rd_ok(rd); i++)
        get_version(rd, r);
    return n;
}

/* Each blob parses, is of our domain, and was made for the row it stands in. */
static enum cf_rc blobs_fit(const struct keystore *ks, struct keystore_record *r, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < r->count; i++) {
        struct keyblob b;
        rc = keyblob_parse(bytes_of(&r->version[i].blob), &b, e);
        if (rc == CF_OK)
            rc = keyblob_ours(ks, &b, e);
        if (rc == CF_OK)
            rc = keyblob_belongs(&b, r->lower, &r->version[i].v, e);
        if (rc == CF_OK)
            rc = keyblob_spki_fits(&b, e);
        for (size_t j = 0; rc == CF_OK && j < i; j++)
            if (strcmp(r->version[j].v.id, r->version[i].v.id) == 0)
                rc = CF_FAIL(e, CF_E_CORRUPT, "two versions have one id");
    }
    return rc;
}

static enum cf_rc names_agree(const struct keystore_record *r, struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1];
    if (keystore_name(r->key.k.name, lower, NULL) != CF_OK || strcmp(lower, r->lower) != 0)
        return CF_FAIL(e, CF_E_CORRUPT, "a record and its key row have two names");
    return CF_OK;
}

enum cf_rc keystore_record_parse(struct keystore *ks, const void *cbor, size_t len,
                                 struct keystore_record **out, struct cf_err *e)
{
    struct cbor_rd rd;
    if (len > RECORD_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a record of %zu bytes", len);
    struct keystore_record *r = calloc(1, sizeof *r);
    if (!r)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a record");
    cbor_rd_init(&rd, cbor, len, e);
    enum cf_rc rc = CF_OK;
    if (get_record(&rd, r) > KEYSTORE_VERSIONS_MAX)
        rc = CF_FAIL(e, CF_E_LIMIT, "a key with more than %d versions", KEYSTORE_VERSIONS_MAX);
    if (rc == CF_OK)
        rc = cbor_rd_end(&rd);
    if (rc == CF_OK)
        rc = names_agree(r, e);
    if (rc == CF_OK)
        rc = blobs_fit(ks, r, e);
    if (rc == CF_OK)
        *out = r;
    else
        keystore_record_free(r);
    return rc;
}

uint32_t keystore_record_generation(const struct keystore_record *r)
{
    uint32_t newest = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct keyblob b;
        if (keyblob_parse(bytes_of(&r->version[i].blob), &b, NULL) == CF_OK &&
            b.generation > newest)
            newest = b.generation;
    }
    return newest;
}

enum cf_rc keystore_record_verify(struct keystore *ks, struct keystore_record *r, struct cf_err *e)
{
    struct cf_buf msg = { 0 };
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < r->count; i++) {
        struct keyblob b = { 0 };
        uint8_t mac[HAL_MAC_SIZE];
        rc = cf_buf_resize(&msg, 0, e);
        if (rc == CF_OK)
            rc = keyblob_parse(bytes_of(&r->version[i].blob), &b, e);
        if (rc == CF_OK)
            rc = keyblob_bound(&b, &msg, e);
        struct hal_key_name mk = domain_key(ks, HAL_ROLE_MK, rc == CF_OK ? b.generation : 0);
        if (rc == CF_OK)
            rc = hal_token_mac(ks->o.token, &mk, msg.data, msg.len, mac, e);
        if (rc == CF_OK && !cf_equal(mac, b.mac, sizeof mac))
            rc = CF_FAIL(e, CF_E_AUTH, "a key blob's MAC does not verify");
    }
    cf_buf_clear(&msg);
    r->verified = rc == CF_OK;
    return rc;
}

enum cf_rc keystore_record_check(struct keystore *ks, const struct keystore_record *r,
                                 bool all_versions, struct cf_err *e)
{
    struct cf_buf bound = { 0 };
    enum cf_rc rc = CF_OK;
    for (size_t i = all_versions ? 0 : r->count - 1; rc == CF_OK && i < r->count; i++) {
        struct keyblob b;
        struct hal_user_key key;
        rc = cf_buf_resize(&bound, 0, e);
        if (rc == CF_OK)
            rc = keyblob_parse(bytes_of(&r->version[i].blob), &b, e);
        if (rc == CF_OK)
            rc = keyblob_bound(&b, &bound, e);
        if (rc == CF_OK) {
            keyblob_user_key(&b, &bound, &key);
            rc = hal_token_user_check(ks->o.token, &key, e);
        }
    }
    cf_buf_clear(&bound);
    return rc;
}
