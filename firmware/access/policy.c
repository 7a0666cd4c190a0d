/* The policy stream: rows become records and come back, byte for byte. */
#include "access/policy.h"
#include "access_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/roles.h"
#include "base/secret.h"
#include "base/text.h"
#include "cbor/cbor.h"

/* In ascending order of their prefixes: so are the records. */
static const struct table {
    enum store_table number;
    const char *prefix;
} tables[] = {
    { STORE_ASSIGNMENT, "assignment/" },
    { STORE_ROLE, "role/" },
    { STORE_SETTING, "setting/" },
};
#define TABLES (sizeof tables / sizeof tables[0])

#define MAP_OF_TWO 0xa2 /* RFC 8949, appendix B */

static enum cf_rc check_row(enum store_table t, struct crypto_bytes key, struct crypto_bytes value,
                            struct cf_err *e)
{
    struct access_definition d = { 0 };
    struct access_assignment s;
    struct access_setting_row v;

    if (t == STORE_ASSIGNMENT)
        return access_row_to_assignment(key, value, &s, e);
    if (t == STORE_SETTING)
        return access_row_to_setting(key, value, &v, e);
    enum cf_rc rc = access_row_to_definition(key, value, &d, e);
    access_definition_clear(&d);
    return rc;
}

/* --- out ------------------------------------------------------------------------------------- */

struct access_export {
    struct store_view *view;
    size_t table;
    struct store_cursor *cursor;
    struct store_row row;
    uint64_t assignments;
};

enum cf_rc access_export_new(struct store_view *snapshot, struct access_export **out,
                             struct cf_err *e)
{
    struct access_export *x = calloc(1, sizeof *x);

    if (x == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory to export roles");
    x->view = snapshot;
    *out = x;
    return CF_OK;
}

void access_export_free(struct access_export *x)
{
    if (x == NULL)
        return;
    store_cursor_end(x->cursor);
    store_row_clear(&x->row);
    free(x);
}

uint64_t access_export_assignments(const struct access_export *x)
{
    return x->assignments;
}

/* The next row of all tables; `done` behind the last. */
static enum cf_rc next_row(struct access_export *x, bool *done, struct cf_err *e)
{
    while (x->table < TABLES) {
        bool more = false;
        enum cf_rc rc = CF_OK;
        if (x->cursor == NULL)
            rc = store_scan(x->view, tables[x->table].number, NULL, &x->cursor, e);
        if (rc == CF_OK)
            rc = store_next(x->cursor, &x->row, &more, e);
        if (rc != CF_OK)
            return rc;
        if (more)
            return CF_OK;
        store_cursor_end(x->cursor);
        x->cursor = NULL;
        x->table++;
    }
    *done = true;
    return CF_OK;
}

/* {1: key text, 2: row}: the row is put in as it is, it being one whole item. */
static enum cf_rc put_record(const struct table *t, const struct store_row *row,
                             struct cf_buf *record, struct cf_err *e)
{
    static const uint8_t head[] = { MAP_OF_TWO, 1 }, second[] = { 2 };
    struct cf_buf key = { 0 };
    struct cbor_wr w;

    enum cf_rc rc = cf_buf_put_text(&key, t->prefix, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&key, row->key.data, row->key.len, e);
    if (rc == CF_OK)
        rc = cf_buf_put(record, head, sizeof head, e);
    if (rc == CF_OK) {
        cbor_wr_init(&w, record, e);
        cbor_wr_text_n(&w, key.data, key.len);
        rc = cbor_wr_end(&w);
    }
    if (rc == CF_OK)
        rc = cf_buf_put(record, second, sizeof second, e);
    if (rc == CF_OK)
        rc = cf_buf_put(record, row->value.data, row->value.len, e);
    cf_buf_clear(&key);
    return rc;
}

enum cf_rc access_export_next(struct access_export *x, struct cf_buf *record, bool *done,
                              struct cf_err *e)
{
    size_t before = record->len;

    *done = false;
    enum cf_rc rc = next_row(x, done, e);
    if (rc != CF_OK || *done)
        return rc;
    const struct table *t = &tables[x->table];
    rc = check_row(t->number, access_bytes(&x->row.key), access_bytes(&x->row.value), e);
    if (rc == CF_OK)
        rc = put_record(t, &x->row, record, e);
    if (rc == CF_OK && t->number == STORE_ASSIGNMENT)
        x->assignments++;
    if (rc != CF_OK && cf_buf_resize(record, before, NULL) != CF_OK)
        cf_buf_clear(record);
    return rc;
}

/* --- back ------------------------------------------------------------------------------------ */

/* A record taken apart; all borrowed from it. */
struct parts {
    const struct table *table;
    struct crypto_bytes text; /* key 1 */
    struct crypto_bytes key, value;
};

static size_t text_head_size(size_t len)
{
    return len < 24 ? 1 : len < 256 ? 2 : 3; /* RFC 8949 3, shortest form */
}

static enum cf_rc take_apart(const void *record, size_t len, struct parts *out, struct cf_err *e)
{
    struct cbor_rd r;
    size_t text_len = 0;

    cbor_rd_init(&r, record, len, e);
    if (cbor_rd_map(&r, 2) != 2 && cbor_rd_ok(&r))
        cbor_rd_refuse(&r, "a record has two members");
    if (cbor_rd_key(&r) != 1 && cbor_rd_ok(&r))
        cbor_rd_refuse(&r, "a record begins with its key text");
    const char *text = cbor_rd_text(&r, ACCESS_RECORD_KEY_SIZE - 1, &text_len);
    if (cbor_rd_key(&r) != 2 && cbor_rd_ok(&r))
        cbor_rd_refuse(&r, "a record holds a row");
    cbor_rd_skip(&r);
    enum cf_rc rc = cbor_rd_end(&r);
    if (rc != CF_OK) {
        (void)cf_err_ctx(e, rc, "policy record");
        return rc;
    }

    /* The reader took shortest forms only, so the row begins behind a head of known size. */
    size_t at = 2 + text_head_size(text_len) + text_len + 1;
    *out = (struct parts){ .text = crypto_bytes_of(text, text_len),
                           .value = crypto_bytes_of((const uint8_t *)record + at, len - at) };
    for (size_t i = 0; i < TABLES; i++) {
        size_t n = strlen(tables[i].prefix);
        if (text_len <= n || !cf_equal(text, tables[i].prefix, n))
            continue;
        out->table = &tables[i];
        out->key = crypto_bytes_of(text + n, text_len - n);
        return check_row(out->table->number, out->key, out->value, e);
    }
    return CF_FAIL(e, CF_E_CORRUPT, "policy record: its key text names no table");
}

enum cf_rc access_policy_check(const void *record, size_t len, char key[ACCESS_RECORD_KEY_SIZE],
                               struct cf_err *e)
{
    struct parts p;

    enum cf_rc rc = take_apart(record, len, &p, e);
    if (rc != CF_OK)
        return rc;
    memcpy(key, p.text.p, p.text.len);
    key[p.text.len] = '\0';
    return CF_OK;
}

enum cf_rc access_policy_put(struct store_txn *staging, const void *record, size_t len,
                             struct cf_err *e)
{
    struct parts p;

    enum cf_rc rc = take_apart(record, len, &p, e);
    if (rc != CF_OK)
        return rc;
    struct store_put put = { .key = p.key, .value = p.value };
    return store_put(staging, p.table->number, &put, e);
}

/* --- in words -------------------------------------------------------------------------------- */

static enum cf_rc assignment_words(const struct parts *p, char out[2 * ACCESS_WORDS_SIZE],
                                   struct cf_err *e)
{
    struct access_assignment s;

    enum cf_rc rc = access_row_to_assignment(p->key, p->value, &s, e);
    if (rc != CF_OK)
        return rc;
    const struct access_builtin_role *role = access_builtin_find(s.role);
    snprintf(out, (size_t)2 * ACCESS_WORDS_SIZE, "%s for %s at %s",
             role != NULL ? role->name : s.role, s.principal, s.scope.text);
    return CF_OK;
}

enum cf_rc access_policy_words(const void *record, size_t len, char out[ACCESS_WORDS_SIZE],
                               struct cf_err *e)
{
    char words[2 * ACCESS_WORDS_SIZE] = "";
    struct access_definition d = { 0 };
    struct access_setting_row v;
    struct parts p;

    enum cf_rc rc = take_apart(record, len, &p, e);
    if (rc != CF_OK)
        return rc;
    if (p.table->number == STORE_ASSIGNMENT)
        rc = assignment_words(&p, words, e);
    else if (p.table->number == STORE_SETTING &&
             (rc = access_row_to_setting(p.key, p.value, &v, e)) == CF_OK)
        snprintf(words, sizeof words, "%s", v.name);
    else if (p.table->number == STORE_ROLE &&
             (rc = access_row_to_definition(p.key, p.value, &d, e)) == CF_OK)
        snprintf(words, sizeof words, "%s", d.role_name != NULL ? d.role_name : "");
    access_definition_clear(&d);
    (void)cf_utf8_clean(words, out, ACCESS_WORDS_SIZE);
    return rc;
}
