/* Rows of tables 3, 4 and 5 as backup/FORMAT.md 3.8 has them: a key of text, a value of CBOR. */
#include "access_priv.h"

#include <ctype.h>
#include <string.h>

#include "base/secret.h"
#include "cbor/cbor.h"

#define GUID_LEN (ACCESS_GUID_SIZE - 1)

void access_row_clear(struct access_row *r)
{
    cf_buf_clear(&r->key);
    cf_buf_clear(&r->value);
}

static bool key_is(struct crypto_bytes key, const struct cf_buf *should)
{
    return key.len == should->len && cf_equal(key.p, should->data, key.len);
}

/* A read text that must be free of NUL and control characters. */
static void read_text(struct cbor_rd *r, char *out, size_t size)
{
    cbor_rd_string(r, out, size);
    if (!access_text_clean(out))
        cbor_rd_refuse(r, "control characters in a text");
}

static void read_guid(struct cbor_rd *r, char out[ACCESS_GUID_SIZE])
{
    uint8_t bytes[16];
    cbor_rd_fixed(r, bytes, sizeof bytes);
    access_guid_text(bytes, out);
}

static void write_guid(struct cbor_wr *w, const char *text)
{
    uint8_t bytes[16] = { 0 };
    if (access_guid_bytes(text, bytes, w->e) != CF_OK)
        w->rc = CF_E_ARG; /* callers have parsed it: a bug */
    cbor_wr_bytes(w, bytes, sizeof bytes);
}

static void expect_key(struct cbor_rd *r, uint64_t key)
{
    if (cbor_rd_key(r) != key && cbor_rd_ok(r))
        cbor_rd_refuse(r, "a member that the row does not have");
}

static void expect_map(struct cbor_rd *r, size_t n)
{
    if (cbor_rd_map(r, n) != n && cbor_rd_ok(r))
        cbor_rd_refuse(r, "a member is missing");
}

static enum cf_rc wrong_key(const char *table, struct cf_err *e)
{
    return CF_FAIL(e, CF_E_CORRUPT, "%s: the row's key and its content differ", table);
}

/* --- role assignments ------------------------------------------------------------------------ */

enum cf_rc access_assignment_key(const struct access_scope *scope, const char *name,
                                 struct cf_buf *out, struct cf_err *e)
{
    cf_buf_clear(out);
    switch (scope->level) {
    case ACCESS_AT_ALL:
        return cf_buf_put_text(out, name, e);
    case ACCESS_AT_KEYS:
        return cf_buf_printf(out, e, "keys/%s", name);
    case ACCESS_AT_KEY:
        break;
    }
    return cf_buf_printf(out, e, "%s/%s", scope->text + 1, name);
}

enum cf_rc access_row_of_assignment(const struct access_assignment *s, struct access_row *out,
                                    struct cf_err *e)
{
    struct cbor_wr w;

    enum cf_rc rc = access_assignment_key(&s->scope, s->name, &out->key, e);
    if (rc != CF_OK)
        return rc;
    cf_buf_clear(&out->value);
    cbor_wr_init(&w, &out->value, e);
    cbor_wr_map(&w, 5);
    cbor_wr_key(&w, 1);
    write_guid(&w, s->name);
    cbor_wr_key(&w, 2);
    cbor_wr_text(&w, s->scope.text);
    cbor_wr_key(&w, 3);
    write_guid(&w, s->role);
    cbor_wr_key(&w, 4);
    cbor_wr_text(&w, s->principal);
    cbor_wr_key(&w, 5);
    cbor_wr_uint(&w, (uint64_t)s->created_s);
    return cbor_wr_end(&w);
}

enum cf_rc access_row_to_assignment(struct crypto_bytes key, struct crypto_bytes value,
                                    struct access_assignment *out, struct cf_err *e)
{
    struct access_assignment s = { 0 };
    struct access_scope canonical;
    struct cf_buf should = { 0 };
    char scope[ACCESS_SCOPE_SIZE];
    struct cbor_rd r;

    cbor_rd_init(&r, value.p, value.len, e);
    expect_map(&r, 5);
    expect_key(&r, 1);
    read_guid(&r, s.name);
    expect_key(&r, 2);
    read_text(&r, scope, sizeof scope);
    expect_key(&r, 3);
    read_guid(&r, s.role);
    expect_key(&r, 4);
    read_text(&r, s.principal, sizeof s.principal);
    if (s.principal[0] == '\0')
        cbor_rd_refuse(&r, "an empty principal");
    expect_key(&r, 5);
    s.created_s = (int64_t)cbor_rd_uint(&r, (uint64_t)ACCESS_TIME_MAX);
    enum cf_rc rc = cbor_rd_end(&r);
    if (rc != CF_OK)
        return cf_err_ctx(e, rc, "role assignment");

    /* One spelling a scope: else two rows could mean the same place. */
    if (access_scope_parse(scope, &canonical, NULL) != CF_OK || strcmp(canonical.text, scope) != 0)
        return CF_FAIL(e, CF_E_CORRUPT, "role assignment: a scope is not in its one form");
    s.scope = canonical;
    rc = access_assignment_key(&s.scope, s.name, &should, e);
    if (rc == CF_OK && !key_is(key, &should))
        rc = wrong_key("role assignment", e);
    cf_buf_clear(&should);
    if (rc == CF_OK)
        *out = s;
    return rc;
}

/* --- role definitions ------------------------------------------------------------------------ */

static void write_texts(struct cbor_wr *w, const struct access_texts *t)
{
    cbor_wr_array(w, t->count);
    for (size_t i = 0; i < t->count; i++)
        cbor_wr_text(w, t->item[i]);
}

enum cf_rc access_row_of_definition(const struct access_definition *d, struct access_row *out,
                                    struct cf_err *e)
{
    struct cbor_wr w;

    cf_buf_clear(&out->key);
    enum cf_rc rc = cf_buf_put_text(&out->key, d->id, e);
    if (rc != CF_OK)
        return rc;
    cf_buf_clear(&out->value);
    cbor_wr_init(&w, &out->value, e);
    cbor_wr_map(&w, 7);
    cbor_wr_key(&w, 1);
    write_guid(&w, d->id);
    cbor_wr_key(&w, 2);
    cbor_wr_text(&w, d->role_name);
    cbor_wr_key(&w, 3);
    cbor_wr_text(&w, d->description);
    cbor_wr_key(&w, 4);
    write_texts(&w, &d->assignable_scopes);
    cbor_wr_key(&w, 5);
    cbor_wr_array(&w, d->permission_count);
    for (size_t i = 0; i < d->permission_count; i++) {
        cbor_wr_array(&w, 4);
        write_texts(&w, &d->permissions[i].actions);
        write_texts(&w, &d->permissions[i].not_actions);
        write_texts(&w, &d->permissions[i].data_actions);
        write_texts(&w, &d->permissions[i].not_data_actions);
    }
    cbor_wr_key(&w, 6);
    cbor_wr_uint(&w, (uint64_t)d->created_s);
    cbor_wr_key(&w, 7);
    cbor_wr_uint(&w, (uint64_t)d->updated_s);
    rc = cbor_wr_end(&w);
    if (rc == CF_OK && out->value.len > STORE_VALUE_MAX)
        rc = cf_err_code(
            e, CF_FAIL(e, CF_E_LIMIT, "a role definition may have %d bytes", STORE_VALUE_MAX),
            "BadParameter");
    return rc;
}

static enum cf_rc read_texts(struct cbor_rd *r, struct access_texts *out, struct cf_err *e)
{
    char text[ACCESS_TEXT_MAX + 1];
    size_t n = cbor_rd_array(r, ACCESS_LIST_MAX);

    for (size_t i = 0; i < n && cbor_rd_ok(r); i++) {
        read_text(r, text, sizeof text);
        enum cf_rc rc = access_texts_add(out, text, e);
        if (rc != CF_OK)
            return rc;
    }
    return CF_OK;
}

static enum cf_rc read_permission(struct cbor_rd *r, struct access_definition *d, struct cf_err *e)
{
    struct access_permission *p = NULL;

    enum cf_rc rc = access_permission_add(d, &p, e);
    if (rc != CF_OK)
        return rc;
    if (cbor_rd_array(r, 4) != 4 && cbor_rd_ok(r))
        cbor_rd_refuse(r, "a permission has four lists");
    rc = read_texts(r, &p->actions, e);
    if (rc == CF_OK)
        rc = read_texts(r, &p->not_actions, e);
    if (rc == CF_OK)
        rc = read_texts(r, &p->data_actions, e);
    if (rc == CF_OK)
        rc = read_texts(r, &p->not_data_actions, e);
    return rc;
}

static enum cf_rc read_lists(struct cbor_rd *r, struct access_definition *d, struct cf_err *e)
{
    expect_key(r, 4);
    enum cf_rc rc = read_texts(r, &d->assignable_scopes, e);
    expect_key(r, 5);
    size_t n = cbor_rd_array(r, ACCESS_PERMISSIONS_MAX);
    for (size_t i = 0; rc == CF_OK && i < n && cbor_rd_ok(r); i++)
        rc = read_permission(r, d, e);
    return rc;
}

static enum cf_rc read_definition(struct cbor_rd *r, struct access_definition *d, struct cf_err *e)
{
    char name[ACCESS_TEXT_MAX + 1], description[ACCESS_TEXT_MAX + 1];

    expect_map(r, 7);
    expect_key(r, 1);
    read_guid(r, d->id);
    expect_key(r, 2);
    read_text(r, name, sizeof name);
    expect_key(r, 3);
    read_text(r, description, sizeof description);
    d->role_name = strdup(name);
    d->description = strdup(description);
    if (d->role_name == NULL || d->description == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a role definition");
    enum cf_rc rc = read_lists(r, d, e);
    if (rc != CF_OK)
        return rc;
    expect_key(r, 6);
    d->created_s = (int64_t)cbor_rd_uint(r, (uint64_t)ACCESS_TIME_MAX);
    expect_key(r, 7);
    d->updated_s = (int64_t)cbor_rd_uint(r, (uint64_t)ACCESS_TIME_MAX);
    return cbor_rd_end(r);
}

enum cf_rc access_row_to_definition(struct crypto_bytes key, struct crypto_bytes value,
                                    struct access_definition *out, struct cf_err *e)
{
    struct cbor_rd r;

    cbor_rd_init(&r, value.p, value.len, e);
    enum cf_rc rc = read_definition(&r, out, e);
    if (rc != CF_OK)
        rc = cf_err_ctx(e, rc, "role definition");
    else if (key.len != GUID_LEN || !cf_equal(key.p, out->id, GUID_LEN))
        rc = wrong_key("role definition", e);
    else if (access_builtin_find(out->id) != NULL)
        rc = CF_FAIL(e, CF_E_CORRUPT, "role definition: %s is a built-in role", out->id);
    if (rc != CF_OK)
        access_definition_clear(out);
    return rc;
}

/* --- settings -------------------------------------------------------------------------------- */

static enum cf_rc setting_key(const char *name, struct cf_buf *out, struct cf_err *e)
{
    cf_buf_clear(out);
    enum cf_rc rc = cf_buf_put_text(out, name, e);
    for (size_t i = 0; rc == CF_OK && i < out->len; i++)
        out->data[i] = (uint8_t)tolower(out->data[i]);
    return rc;
}

enum cf_rc access_row_of_setting(const struct access_setting_row *s, struct access_row *out,
                                 struct cf_err *e)
{
    struct cbor_wr w;

    enum cf_rc rc = setting_key(s->name, &out->key, e);
    if (rc != CF_OK)
        return rc;
    cf_buf_clear(&out->value);
    cbor_wr_init(&w, &out->value, e);
    cbor_wr_map(&w, 3);
    cbor_wr_key(&w, 1);
    cbor_wr_text(&w, s->name);
    cbor_wr_key(&w, 2);
    cbor_wr_text(&w, s->value);
    cbor_wr_key(&w, 3);
    cbor_wr_uint(&w, (uint64_t)s->updated_s);
    return cbor_wr_end(&w);
}

enum cf_rc access_row_to_setting(struct crypto_bytes key, struct crypto_bytes value,
                                 struct access_setting_row *out, struct cf_err *e)
{
    struct access_setting_row s = { 0 };
    struct cf_buf should = { 0 };
    struct cbor_rd r;

    cbor_rd_init(&r, value.p, value.len, e);
    expect_map(&r, 3);
    expect_key(&r, 1);
    read_text(&r, s.name, sizeof s.name);
    if (s.name[0] == '\0')
        cbor_rd_refuse(&r, "an empty name");
    expect_key(&r, 2);
    read_text(&r, s.value, sizeof s.value);
    expect_key(&r, 3);
    s.updated_s = (int64_t)cbor_rd_uint(&r, (uint64_t)ACCESS_TIME_MAX);
    enum cf_rc rc = cbor_rd_end(&r);
    if (rc != CF_OK)
        return cf_err_ctx(e, rc, "setting");
    rc = setting_key(s.name, &should, e);
    if (rc == CF_OK && !key_is(key, &should))
        rc = wrong_key("setting", e);
    cf_buf_clear(&should);
    if (rc == CF_OK)
        *out = s;
    return rc;
}
