/* Attributes, soft delete, recover, purge: each one short transaction, none with a token call. */
#include "keystore_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define DAY_S 86400

/* --- attributes
 * ---------------------------------------------------------------------------------------- */

static enum cf_rc not_exportable_change(const struct keystore_attrs *a,
                                        const struct keystore_version *v, struct cf_err *e)
{
    if ((a->given & KEYSTORE_GIVEN_EXPORTABLE) && a->exportable != v->exportable)
        return BAD_PARAMETER(e, "exportable cannot be changed after creation.");
    return CF_OK;
}

/* Reads, changes and puts back one version's row. */
static enum cf_rc change_version(struct keystore *ks, struct store_txn *t,
                                 const struct version_at *at, const struct keystore_attrs *a,
                                 struct keystore_version *v, struct cf_err *e)
{
    struct store_row row = { 0 };
    struct keyblob b;
    enum cf_rc rc = find_version(store_txn_view(t), at, &row, e);
    if (rc == CF_OK)
        rc = read_version(at->lower, &row, v, &b, e);
    bool was_enabled = v->enabled;
    if (rc == CF_OK)
        rc = not_exportable_change(a, v, e);
    if (rc == CF_OK)
        rc = attrs_apply(a, v, e);
    if (rc == CF_OK) {
        struct version_key key = { .len = row.key.len };
        memcpy(key.bytes, row.key.data, row.key.len);
        v->updated = now_s(ks);
        if (was_enabled && !v->enabled)
            store_step_anchor(t); /* a disabled key does not come back with an older file */
        rc = put_version(t, &key, v, bytes_of(&row.blob), e);
    }
    store_row_clear(&row);
    return rc;
}

enum cf_rc keystore_update(struct keystore *ks, const char *name, const char *version,
                           const struct keystore_attrs *a, struct keystore_bundle *out,
                           struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1];
    struct key_row key = { 0 };
    struct keystore_version v = { 0 };
    struct store_txn *t = NULL;
    enum cf_rc rc = keystore_name(name, lower, e);
    struct version_at at = { .lower = lower, .version = version };
    if (rc == CF_OK)
        rc = store_live_write(ks->o.live, &t, e);
    if (rc == CF_OK)
        rc = find_live(store_txn_view(t), lower, &key, e);
    if (rc == CF_OK)
        rc = change_version(ks, t, &at, a, &v, e);
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    if (rc == CF_OK && out) {
        *out = (struct keystore_bundle){ .key = key.k, .version = v };
        v = (struct keystore_version){ 0 };
    }
    version_clear(&v);
    key_row_clear(&key);
    return rc;
}

/* --- soft delete and back
 * --------------------------------------------------------------------------------- */

/* The current version of a key of this transaction, with its key row. */
static enum cf_rc bundle_of(struct store_txn *t, const char *lower, const struct key_row *key,
                            struct keystore_bundle *out, struct cf_err *e)
{
    struct store_row row = { 0 };
    struct keyblob b;
    struct version_at at = { .lower = lower };
    enum cf_rc rc = find_version(store_txn_view(t), &at, &row, e);
    if (rc == CF_OK)
        rc = read_version(lower, &row, &out->version, &b, e);
    if (rc == CF_OK)
        out->key = key->k;
    store_row_clear(&row);
    return rc;
}

static enum cf_rc set_deleted(struct keystore *ks, const char *name, bool deleted,
                              struct keystore_bundle *out, struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1];
    struct key_row key = { 0 };
    struct keystore_bundle b = { 0 };
    struct store_txn *t = NULL;
    enum cf_rc rc = keystore_name(name, lower, e);
    if (rc == CF_OK)
        rc = store_live_write(ks->o.live, &t, e);
    if (rc == CF_OK)
        rc = deleted ? find_live(store_txn_view(t), lower, &key, e)
                     : find_deleted(store_txn_view(t), lower, &key, e);
    if (rc == CF_OK) {
        uint64_t now = now_s(ks);
        key.k.deleted = deleted ? (now ? now : 1) : 0;
        key.k.purge_at = deleted ? now + (uint64_t)ks->o.retention_days * DAY_S : 0;
        rc = put_key(t, lower, &key, e);
    }
    if (rc == CF_OK)
        rc = bundle_of(t, lower, &key, &b, e);
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    if (rc == CF_OK && out)
        *out = b;
    else
        keystore_bundle_clear(&b);
    key_row_clear(&key);
    return rc;
}

enum cf_rc keystore_delete(struct keystore *ks, const char *name, struct keystore_bundle *out,
                           struct cf_err *e)
{
    return set_deleted(ks, name, true, out, e);
}

enum cf_rc keystore_recover(struct keystore *ks, const char *name, struct keystore_bundle *out,
                            struct cf_err *e)
{
    return set_deleted(ks, name, false, out, e);
}

/* --- purge
 * ----------------------------------------------------------------------------------------------------
 */

static enum cf_rc remove_rows(struct store_txn *t, const char *lower, struct cf_err *e)
{
    /* Role assignments of the scope /keys/{name}: their row keys begin so (FORMAT.md 3.3). */
    char scope[sizeof "keys//" + KEYSTORE_NAME_MAX];
    int len = snprintf(scope, sizeof scope, "keys/%s/", lower);
    struct version_key versions = version_prefix(lower);
    enum cf_rc rc = store_del_prefix(t, STORE_VERSION, bytes_of_key(&versions), e);
    if (rc == CF_OK)
        rc = store_del_prefix(t, STORE_ASSIGNMENT, crypto_bytes_of(scope, (size_t)len), e);
    if (rc == CF_OK)
        rc = store_del(t, STORE_KEY, crypto_bytes_of(lower, strlen(lower)), e);
    return rc;
}

/* `due` != 0: only if its retention was over by then; `*purged` says whether it was. */
static enum cf_rc purge(struct keystore *ks, const char *lower, uint64_t due, bool *purged,
                        struct cf_err *e)
{
    struct key_row key = { 0 };
    struct store_txn *t = NULL;
    enum cf_rc rc = store_live_write(ks->o.live, &t, e);
    if (rc == CF_OK)
        rc = find_deleted(store_txn_view(t), lower, &key, e);
    *purged = rc == CF_OK && (!due || key.k.purge_at <= due);
    if (rc == CF_OK && *purged)
        rc = remove_rows(t, lower, e);
    if (rc == CF_OK && *purged) {
        if (!due) /* what expires would expire again if an older file came back */
            store_step_anchor(t);
        rc = store_commit(t, e);
    }
    store_end(t);
    key_row_clear(&key);
    return rc;
}

enum cf_rc keystore_purge(struct keystore *ks, const char *name, struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1];
    bool purged;
    enum cf_rc rc = keystore_name(name, lower, e);
    if (rc == CF_OK && ks->o.purge_protection)
        rc = cf_err_code(e,
                         CF_FAIL(e, CF_E_DENIED,
                                 "Operation \"purge\" is not allowed because purge protection is "
                                 "enabled for this HSM. Key %s will be purged after its retention "
                                 "period.",
                                 lower),
                         "Forbidden");
    return rc == CF_OK ? purge(ks, lower, 0, &purged, e) : rc;
}

/* Walks on to the next key whose retention is over; false: the walk stopped without one, at its end
 * (then it stands at the beginning again) or after `*looks` keys. */
static enum cf_rc next_due(struct keystore *ks, struct keystore_walk *walk, size_t *looks,
                           uint64_t now, bool *due, struct cf_err *e)
{
    struct store_view *v = NULL;
    struct store_cursor *c = NULL;
    struct store_row row = { 0 };
    bool more = true;
    struct store_range r = { .after = crypto_bytes_of(walk->after, strlen(walk->after)) };
    *due = false;
    enum cf_rc rc = store_live_read(ks->o.live, &v, e);
    if (rc == CF_OK)
        rc = store_scan(v, STORE_KEY, &r, &c, e);
    for (; rc == CF_OK && more && !*due && *looks; --*looks) {
        struct key_row key = { 0 };
        rc = store_next(c, &row, &more, e);
        if (rc == CF_OK && more)
            rc = key_row_decode(&row, &key, e);
        *due = rc == CF_OK && more && key.k.deleted && key.k.purge_at <= now;
        if (rc == CF_OK && more)
            rc = keystore_name(key.k.name, walk->after, e);
        key_row_clear(&key);
    }
    if (!more)
        walk->after[0] = 0;
    store_row_clear(&row);
    store_cursor_end(c);
    store_view_end(v);
    return rc;
}

/* What is purged stays purged, so the date must be beyond doubt: see KEYSTORE_CLOCK_PROOF_MS. */
static bool clock_is_proven(struct keystore *ks, struct keystore_walk *walk)
{
    uint64_t steady = hal_clock_monotonic_ms(ks->o.clock);
    int64_t ahead = hal_clock_unix_ms(ks->o.clock) - (int64_t)steady;
    int64_t step = walk->watched ? ahead - walk->ahead_ms : 0;
    bool stepped = step > KEYSTORE_CLOCK_STEP_MS || step < -KEYSTORE_CLOCK_STEP_MS;
    if (stepped)
        cf_log(CF_LOG_WARN, "keystore", "clock-stepped", "by_s=%lld; purging by date waits a day",
               (long long)(step / 1000));
    if (stepped || !walk->watched)
        walk->since_ms = steady;
    walk->watched = true;
    walk->ahead_ms = ahead;
    return steady - walk->since_ms >= KEYSTORE_CLOCK_PROOF_MS;
}

enum cf_rc keystore_expire(struct keystore *ks, struct keystore_walk *walk, size_t max,
                           size_t *purged, struct cf_err *e)
{
    uint64_t now = now_s(ks);
    size_t looks = ks->o.looks ? ks->o.looks : KEYSTORE_LOOKS;
    bool due = clock_is_proven(ks, walk);
    enum cf_rc rc = CF_OK;
    *purged = 0;
    while (rc == CF_OK && due && *purged < max) {
        bool gone = false;
        struct cf_err meanwhile = { 0 };
        rc = next_due(ks, walk, &looks, now, &due, e);
        if (rc != CF_OK || !due)
            break;
        rc = purge(ks, walk->after, now, &gone, &meanwhile);
        if (rc == CF_E_ABSENT) /* recovered or purged in between */
            rc = CF_OK;
        else if (rc != CF_OK)
            rc = cf_err_set(e, rc, meanwhile.src, meanwhile.native, meanwhile.where, "%s",
                            meanwhile.text);
        *purged += gone;
    }
    return rc;
}

/* --- rotation policy
 * ---------------------------------------------------------------------------------------------- */

enum cf_rc keystore_rotation_get(struct keystore *ks, const char *name, struct cf_buf *json,
                                 struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1];
    struct store_view *v = NULL;
    struct key_row key = { 0 };
    enum cf_rc rc = keystore_name(name, lower, e);
    if (rc == CF_OK)
        rc = store_live_read(ks->o.live, &v, e);
    if (rc == CF_OK)
        rc = find_live(v, lower, &key, e);
    if (rc == CF_OK)
        rc = cf_buf_put(json, key.rotation.data, key.rotation.len, e);
    store_view_end(v);
    key_row_clear(&key);
    return rc;
}

enum cf_rc keystore_rotation_set(struct keystore *ks, const char *name, const char *json,
                                 struct cf_err *e)
{
    char lower[KEYSTORE_NAME_MAX + 1];
    struct store_txn *t = NULL;
    struct key_row key = { 0 };
    size_t len = strlen(json);
    enum cf_rc rc = keystore_name(name, lower, e);
    if (rc == CF_OK && len > KEYSTORE_ROTATION_MAX)
        rc = cf_err_code(e, CF_FAIL(e, CF_E_LIMIT, "The rotation policy is too long."),
                         "BadParameter");
    if (rc == CF_OK)
        rc = store_live_write(ks->o.live, &t, e);
    if (rc == CF_OK)
        rc = find_live(store_txn_view(t), lower, &key, e);
    if (rc == CF_OK)
        rc = cf_buf_resize(&key.rotation, 0, e);
    if (rc == CF_OK)
        rc = cf_buf_put(&key.rotation, json, len, e);
    if (rc == CF_OK) {
        key.k.updated = now_s(ks);
        rc = put_key(t, lower, &key, e);
    }
    if (rc == CF_OK)
        rc = store_commit(t, e);
    store_end(t);
    key_row_clear(&key);
    return rc;
}
