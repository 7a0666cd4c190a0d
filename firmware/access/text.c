#include "access_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum cf_rc access_bad(struct cf_err *e, const char *text)
{
    return cf_err_code(e, CF_FAIL(e, CF_E_INPUT, "%s", text), "BadParameter");
}

enum cf_rc access_guid_bytes(const char *text, uint8_t out[16], struct cf_err *e)
{
    char guid[ACCESS_GUID_SIZE], hex[2 * 16 + 1];
    size_t n = 0;

    enum cf_rc rc = cf_parse_guid(text, guid, e);
    if (rc != CF_OK)
        return rc;
    for (const char *p = guid; *p != '\0'; p++)
        if (*p != '-')
            hex[n++] = *p;
    hex[n] = '\0';
    return cf_unhex(hex, out, 16, e);
}

void access_guid_text(const uint8_t bytes[16], char out[ACCESS_GUID_SIZE])
{
    char hex[CF_HEX_SIZE(16)];
    size_t n = 0;

    cf_hex(bytes, 16, hex);
    for (size_t i = 0; i < sizeof hex - 1; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[n++] = '-';
        out[n++] = hex[i];
    }
    out[n] = '\0';
}

void access_guid_of_digest(const uint8_t digest[32], char out[ACCESS_GUID_SIZE])
{
    uint8_t id[16];

    memcpy(id, digest, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x80);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    access_guid_text(id, out);
}

bool access_text_clean(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

/* --- lists of texts ------------------------------------------------------------------------- */

enum cf_rc access_texts_add(struct access_texts *t, const char *text, struct cf_err *e)
{
    if (t->count >= ACCESS_LIST_MAX || strlen(text) > ACCESS_TEXT_MAX)
        return cf_err_code(e,
                           CF_FAIL(e, CF_E_LIMIT, "a list may hold %d texts of %d bytes",
                                   ACCESS_LIST_MAX, ACCESS_TEXT_MAX),
                           "BadParameter");
    char **item = reallocarray(t->item, t->count + 1, sizeof *item);
    if (item == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a role definition");
    t->item = item;
    t->item[t->count] = strdup(text);
    if (t->item[t->count] == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a role definition");
    t->count++;
    return CF_OK;
}

static void texts_clear(struct access_texts *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->item[i]);
    free(t->item);
}

static enum cf_rc texts_copy(const struct access_texts *from, struct access_texts *to,
                             struct cf_err *e)
{
    for (size_t i = 0; i < from->count; i++) {
        enum cf_rc rc = access_texts_add(to, from->item[i], e);
        if (rc != CF_OK)
            return rc;
    }
    return CF_OK;
}

/* --- definitions ---------------------------------------------------------------------------- */

void access_definition_clear(struct access_definition *d)
{
    for (size_t i = 0; i < d->permission_count; i++) {
        texts_clear(&d->permissions[i].actions);
        texts_clear(&d->permissions[i].not_actions);
        texts_clear(&d->permissions[i].data_actions);
        texts_clear(&d->permissions[i].not_data_actions);
    }
    free(d->permissions);
    texts_clear(&d->assignable_scopes);
    free(d->role_name);
    free(d->description);
    *d = (struct access_definition){ 0 };
}

enum cf_rc access_permission_add(struct access_definition *d, struct access_permission **out,
                                 struct cf_err *e)
{
    if (d->permission_count >= ACCESS_PERMISSIONS_MAX)
        return cf_err_code(
            e, CF_FAIL(e, CF_E_LIMIT, "a role may have %d permissions", ACCESS_PERMISSIONS_MAX),
            "BadParameter");
    struct access_permission *all =
        reallocarray(d->permissions, d->permission_count + 1, sizeof *all);
    if (all == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a role definition");
    d->permissions = all;
    *out = &all[d->permission_count++];
    **out = (struct access_permission){ 0 };
    return CF_OK;
}

static enum cf_rc name_it(struct access_definition *d, const char *name, const char *description,
                          struct cf_err *e)
{
    d->role_name = strdup(name == NULL ? "" : name);
    d->description = strdup(description == NULL ? "" : description);
    if (d->role_name == NULL || d->description == NULL)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a role definition");
    return CF_OK;
}

enum cf_rc access_definition_copy(const struct access_definition *d, struct access_definition *out,
                                  struct cf_err *e)
{
    memcpy(out->id, d->id, sizeof out->id);
    out->builtin = d->builtin;
    out->created_s = d->created_s;
    out->updated_s = d->updated_s;
    enum cf_rc rc = name_it(out, d->role_name, d->description, e);
    if (rc == CF_OK)
        rc = texts_copy(&d->assignable_scopes, &out->assignable_scopes, e);
    for (size_t i = 0; rc == CF_OK && i < d->permission_count; i++) {
        const struct access_permission *from = &d->permissions[i];
        struct access_permission *to = NULL;
        rc = access_permission_add(out, &to, e);
        if (rc == CF_OK)
            rc = texts_copy(&from->actions, &to->actions, e);
        if (rc == CF_OK)
            rc = texts_copy(&from->not_actions, &to->not_actions, e);
        if (rc == CF_OK)
            rc = texts_copy(&from->data_actions, &to->data_actions, e);
        if (rc == CF_OK)
            rc = texts_copy(&from->not_data_actions, &to->not_data_actions, e);
    }
    return rc;
}

enum cf_rc access_definition_builtin(const struct access_builtin_role *r,
                                     struct access_definition *out, struct cf_err *e)
{
    struct access_permission *p = NULL;

    memcpy(out->id, r->id, sizeof out->id);
    out->builtin = true;
    enum cf_rc rc = name_it(out, r->name, "", e);
    if (rc == CF_OK)
        rc = access_texts_add(&out->assignable_scopes, "/", e);
    if (rc == CF_OK)
        rc = access_permission_add(out, &p, e);
    for (unsigned i = 0; rc == CF_OK && i < ACCESS_ACTIONS; i++)
        if ((r->actions >> i & 1) != 0)
            rc = access_texts_add(&p->data_actions, access_action_name((enum access_action)i), e);
    return rc;
}

static uint64_t actions_in(const struct access_texts *t)
{
    uint64_t bits = 0;
    enum access_action action;

    for (size_t i = 0; i < t->count; i++)
        if (access_action_parse(t->item[i], &action, NULL) == CF_OK)
            bits |= UINT64_C(1) << action;
    return bits;
}

uint64_t access_definition_actions(const struct access_definition *d)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < d->permission_count; i++)
        bits |= actions_in(&d->permissions[i].data_actions) &
                ~actions_in(&d->permissions[i].not_data_actions);
    return bits;
}
