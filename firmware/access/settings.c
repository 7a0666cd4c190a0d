#include "access/settings.h"
#include "access_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* API document 2.6. */
static const struct known {
    const char *name;
    bool by_default;
} known[] = {
    { "AllowKeyManagementOperationsThroughARM", false },
};
#define KNOWN (sizeof known / sizeof known[0])

static enum cf_rc find(const char *name, const struct known **out, struct cf_err *e)
{
    for (size_t i = 0; i < KNOWN; i++) {
        if (strcasecmp(name, known[i].name) == 0) {
            *out = &known[i];
            return CF_OK;
        }
    }
    return cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "Setting %.64s not found", name), "NotFound");
}

static enum cf_rc read_one(struct store_view *v, const struct known *k, struct access_setting *out,
                           struct cf_err *e)
{
    struct access_setting_row s = { .updated_s = 0 };
    struct access_row key = { 0 };
    struct store_row row = { 0 };
    struct cf_err why = { 0 };

    *out = (struct access_setting){ .value = k->by_default };
    snprintf(out->name, sizeof out->name, "%s", k->name);
    memcpy(s.name, out->name, sizeof s.name);
    enum cf_rc rc = access_row_of_setting(&s, &key, e); /* for its key */
    if (rc != CF_OK)
        goto out;
    rc = store_get(v, STORE_SETTING, access_bytes(&key.key), &row, &why);
    if (rc == CF_E_ABSENT) {
        rc = CF_OK;
        goto out;
    }
    if (rc != CF_OK) {
        if (e != NULL)
            *e = why;
        goto out;
    }
    rc = access_row_to_setting(access_bytes(&row.key), access_bytes(&row.value), &s, e);
    if (rc == CF_OK) {
        out->value = strcmp(s.value, "true") == 0;
        out->updated_s = s.updated_s;
    }
out:
    access_row_clear(&key);
    store_row_clear(&row);
    return rc;
}

enum cf_rc access_settings(struct access *a,
                           enum cf_rc (*each)(void *ctx, const struct access_setting *s,
                                              struct cf_err *e),
                           void *ctx, struct cf_err *e)
{
    struct store_view *view = NULL;
    struct access_setting s;

    enum cf_rc rc = store_live_read(a->live, &view, e);
    for (size_t i = 0; rc == CF_OK && i < KNOWN; i++) {
        rc = read_one(view, &known[i], &s, e);
        if (rc == CF_OK)
            rc = each(ctx, &s, e);
    }
    store_view_end(view);
    return rc;
}

enum cf_rc access_setting_get(struct access *a, const char *name, struct access_setting *out,
                              struct cf_err *e)
{
    const struct known *k = NULL;
    struct store_view *view = NULL;

    enum cf_rc rc = find(name, &k, e);
    if (rc == CF_OK)
        rc = store_live_read(a->live, &view, e);
    if (rc == CF_OK)
        rc = read_one(view, k, out, e);
    store_view_end(view);
    return rc;
}

enum cf_rc access_setting_put(struct access *a, const char *name, const char *value,
                              struct access_setting *out, struct cf_err *e)
{
    struct access_setting_row s = { .updated_s = access_now_s(a) };
    struct access_row row = { 0 };
    struct access_change change;
    const struct known *k = NULL;

    enum cf_rc rc = find(name, &k, e);
    if (rc != CF_OK)
        return rc;
    bool yes = strcasecmp(value, "true") == 0;
    if (!yes && strcasecmp(value, "false") != 0)
        return access_bad(e, "The value of a boolean setting is \"true\" or \"false\".");
    snprintf(s.name, sizeof s.name, "%s", k->name);
    snprintf(s.value, sizeof s.value, "%s", yes ? "true" : "false");

    rc = access_change_begin(a, &change, e);
    if (rc == CF_OK)
        rc = access_row_of_setting(&s, &row, e);
    if (rc == CF_OK)
        rc = access_row_put(change.txn, STORE_SETTING, &row, e);
    rc = access_change_end(a, &change, rc, e);
    access_row_clear(&row);
    if (rc == CF_OK) {
        *out = (struct access_setting){ .value = yes, .updated_s = s.updated_s };
        memcpy(out->name, s.name, sizeof out->name);
    }
    return rc;
}
