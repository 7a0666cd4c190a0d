#include "keystore_priv.h"

#include <stdlib.h>
#include <string.h>

/* --- one
 * --------------------------------------------------------------------------------------------------
 */

static enum cf_rc get(struct keystore *ks, const char *name, const char *version, bool deleted,
                      struct keystore_bundle *out, struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1];
    struct store_view *v = NULL;
    struct key_row key = { 0 };
    struct store_row row = { 0 };
    struct keyblob b;
    enum cf_rc rc = keystore_name(name, lower, e);
    struct version_at at = { .lower = lower, .version = version };
    if (rc == CF_OK)
        rc = store_live_read(ks->o.live, &v, e);
    if (rc == CF_OK)
        rc = deleted ? find_deleted(v, lower, &key, e) : find_live(v, lower, &key, e);
    if (rc == CF_OK)
        rc = find_version(v, &at, &row, e);
    store_view_end(v);
    if (rc == CF_OK)
        rc = read_version(lower, &row, &out->version, &b, e);
    if (rc == CF_OK)
        out->key = key.k;
    store_row_clear(&row);
    key_row_clear(&key);
    return rc;
}

enum cf_rc keystore_get(struct keystore *ks, const char *name, const char *version,
                        struct keystore_bundle *out, struct cf_err *e)
{
    return get(ks, name, version, false, out, e);
}

enum cf_rc keystore_get_deleted(struct keystore *ks, const char *name, struct keystore_bundle *out,
                                struct cf_err *e)
{
    return get(ks, name, NULL, true, out, e);
}

/* --- pages
 * ------------------------------------------------------------------------------------------------
 */

/* A page being filled: one item past the limit is looked for, to know whether there is more. */
static enum cf_rc page_begin(struct keystore_page *page, size_t limit, struct cf_err *e)
{
    if (limit < 1 || limit > KEYSTORE_PAGE_MAX)
        return BAD_PARAMETER(e, "maxresults must be 1 to %d.", KEYSTORE_PAGE_MAX);
    page->item = calloc(limit, sizeof *page->item);
    return page->item ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory for a page");
}

static enum cf_rc add_key(struct store_view *v, const struct key_row *key,
                          struct keystore_page *page, struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1];
    struct store_row row = { 0 };
    struct keyblob b;
    struct version_at at = { .lower = lower };
    struct keystore_bundle *item = &page->item[page->count];
    enum cf_rc rc = keystore_name(key->k.name, lower, e);
    if (rc == CF_OK)
        rc = find_version(v, &at, &row, e);
    if (rc == CF_OK)
        rc = read_version(lower, &row, &item->version, &b, e);
    if (rc == CF_OK) {
        item->key = key->k;
        page->count++;
    }
    store_row_clear(&row);
    return rc;
}

struct listing {
    struct store_view *view;
    struct store_cursor *cursor;
    enum keystore_which which;
    size_t limit;
    size_t looks; /* left to this page */
};

static bool wanted(const struct key_row *key, enum keystore_which which)
{
    bool live = !key->k.deleted;
    switch (which) {
    case KEYSTORE_LIVE:
        return live;
    case KEYSTORE_DELETED:
        return !live;
    case KEYSTORE_ROTATING:
        return live && key->rotation.len != 0;
    }
    return false;
}

/* One key on to the page; a wanted one that finds it full says that there are more. */
static enum cf_rc look_at(struct listing *l, const struct key_row *key, struct keystore_page *page,
                          struct cf_err *e)
{
    bool want = wanted(key, l->which);
    if (want && page->count == l->limit) {
        page->more = true;
        return CF_OK;
    }
    enum cf_rc rc = want ? add_key(l->view, key, page, e) : CF_OK;
    memcpy(page->last, key->k.name, sizeof page->last);
    page->more = --l->looks == 0;
    return rc;
}

static enum cf_rc fill_keys(struct listing *l, struct keystore_page *page, struct cf_err *e)
{
    struct store_row row = { 0 };
    bool more = true;
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && !page->more) {
        struct key_row key = { 0 };
        rc = store_next(l->cursor, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        rc = key_row_decode(&row, &key, e);
        if (rc == CF_OK)
            rc = look_at(l, &key, page, e);
        key_row_clear(&key);
    }
    store_row_clear(&row);
    return rc;
}

enum cf_rc keystore_list(struct keystore *ks, enum keystore_which which, const char *after,
                         size_t limit, struct keystore_page *page, struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1] = "";
    struct listing l = { .which = which,
                         .limit = limit,
                         .looks = ks->o.looks ? ks->o.looks : KEYSTORE_LOOKS };
    enum cf_rc rc = after ? keystore_name(after, lower, e) : CF_OK;
    struct store_range r = { .after = crypto_bytes_of(lower, strlen(lower)) };
    if (rc == CF_OK)
        rc = page_begin(page, limit, e);
    if (rc == CF_OK)
        rc = store_live_read(ks->o.live, &l.view, e);
    if (rc == CF_OK)
        rc = store_scan(l.view, STORE_KEY, &r, &l.cursor, e);
    if (rc == CF_OK)
        rc = fill_keys(&l, page, e);
    store_cursor_end(l.cursor);
    store_view_end(l.view);
    if (rc != CF_OK)
        keystore_page_clear(page);
    return rc;
}

static enum cf_rc fill_versions(struct listing *l, const char *lower, const struct key_row *key,
                                struct keystore_page *page, struct cf_err *e)
{
    struct store_row row = { 0 };
    struct keyblob b;
    bool more = true;
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && !page->more) {
        rc = store_next(l->cursor, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        struct keystore_bundle *item = &page->item[page->count];
        if (page->count == l->limit) {
            page->more = true;
            break;
        }
        rc = read_version(lower, &row, &item->version, &b, e);
        if (rc == CF_OK) {
            item->key = key->k;
            page->count++;
        }
    }
    store_row_clear(&row);
    return rc;
}

/* Opens the cursor behind version `after`. */
static enum cf_rc scan_versions(struct listing *l, const char *lower, const char *after,
                                struct cf_err *e)
{
    struct version_key prefix = version_prefix(lower);
    struct version_at at = { .lower = lower, .version = after };
    struct store_row row = { 0 };
    struct store_range r = { .prefix = bytes_of_key(&prefix) };
    enum cf_rc rc = after ? find_version(l->view, &at, &row, e) : CF_OK;
    if (rc == CF_OK) {
        r.after = bytes_of(&row.key);
        rc = store_scan(l->view, STORE_VERSION, &r, &l->cursor, e);
    }
    store_row_clear(&row);
    return rc;
}

enum cf_rc keystore_list_versions(struct keystore *ks, const struct keystore_versions_from *from,
                                  size_t limit, struct keystore_page *page, struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1];
    struct listing l = { .limit = limit };
    struct key_row key = { 0 };
    bool found = false;
    enum cf_rc rc = keystore_name(from->name, lower, e);
    if (rc == CF_OK)
        rc = page_begin(page, limit, e);
    if (rc == CF_OK)
        rc = store_live_read(ks->o.live, &l.view, e);
    if (rc == CF_OK)
        rc = find_key(l.view, lower, &key, &found, e);
    if (rc == CF_OK && found && !key.k.deleted) {
        rc = scan_versions(&l, lower, from->after, e);
        if (rc == CF_OK)
            rc = fill_versions(&l, lower, &key, page, e);
    }
    store_cursor_end(l.cursor);
    store_view_end(l.view);
    key_row_clear(&key);
    if (rc != CF_OK)
        keystore_page_clear(page);
    return rc;
}

/* --- all
 * ---------------------------------------------------------------------------------------------------
 */

enum cf_rc keystore_count(struct keystore *ks, struct keystore_counts *out, struct cf_err *e)
{
    struct store_view *v = NULL;
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    struct keystore_counts n = { 0 };
    bool more = true;
    enum cf_rc rc = store_live_read(ks->o.live, &v, e);
    if (rc == CF_OK)
        rc = store_count(v, STORE_VERSION, &n.versions, e);
    if (rc == CF_OK)
        rc = store_scan(v, STORE_KEY, NULL, &c, e);
    while (rc == CF_OK && more) {
        struct key_row key = { 0 };
        rc = store_next(c, &row, &more, e);
        if (rc != CF_OK || !more)
            break;
        rc = key_row_decode(&row, &key, e);
        n.keys++;
        n.deleted += key.k.deleted != 0;
        key_row_clear(&key);
    }
    store_row_clear(&row);
    store_cursor_end(c);
    store_view_end(v);
    if (rc == CF_OK)
        *out = n;
    return rc;
}
