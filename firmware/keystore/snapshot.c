/* All keys of one moment as records. Two cursors walk side by side: the row keys of versions begin
 * with the name and 00, so both come in the same order. */
#include "keystore_priv.h"

#include <stdlib.h>
#include <string.h>

struct keystore_snapshot {
    struct store_view *view;
    struct store_cursor *keys, *versions;
    struct store_row key;
    struct store_row ahead; /* the next version, not yet given out */
    bool has_ahead, started;
    struct keystore_record record;
    struct keystore_counts counts;
};

enum cf_rc keystore_snapshot_open(struct keystore *ks, struct keystore_snapshot **out,
                                  struct cf_err *e)
{
    struct keystore_snapshot *s = calloc(1, sizeof *s);
    if (!s)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a snapshot");
    enum cf_rc rc = store_live_read(ks->o.live, &s->view, e);
    if (rc == CF_OK)
        rc = store_scan(s->view, STORE_KEY, NULL, &s->keys, e);
    if (rc == CF_OK)
        rc = store_scan(s->view, STORE_VERSION, NULL, &s->versions, e);
    if (rc == CF_OK)
        *out = s;
    else
        keystore_snapshot_close(s);
    return rc;
}

struct store_view *keystore_snapshot_view(struct keystore_snapshot *s)
{
    return s->view;
}

static enum cf_rc advance(struct keystore_snapshot *s, struct cf_err *e)
{
    return store_next(s->versions, &s->ahead, &s->has_ahead, e);
}

/* Takes the versions of the record's key off the second cursor. */
static enum cf_rc take_versions(struct keystore_snapshot *s, struct cf_err *e)
{
    struct keystore_record *r = &s->record;
    enum cf_rc rc = s->started ? CF_OK : advance(s, e);
    s->started = true;
    while (rc == CF_OK && s->has_ahead) {
        struct record_version *rv = NULL;
        uint64_t sequence = version_sequence(r->lower, &s->ahead.key);
        if (!sequence)
            break;
        if (sequence != r->count + 1)
            return CF_FAIL(e, CF_E_CORRUPT, "the versions of key %s have a gap", r->lower);
        rc = record_add(r, &rv, e);
        if (rc == CF_OK)
            rc = version_row_decode(&s->ahead.value, &rv->v, e);
        if (rc == CF_OK)
            rc = cf_buf_put(&rv->blob, s->ahead.blob.data, s->ahead.blob.len, e);
        if (rc == CF_OK)
            rc = advance(s, e);
    }
    if (rc == CF_OK && !r->count)
        rc = CF_FAIL(e, CF_E_CORRUPT, "key %s has no version", r->lower);
    return rc;
}

enum cf_rc keystore_snapshot_next(struct keystore_snapshot *s, struct cf_buf *record, bool *more,
                                  struct cf_err *e)
{
    struct keystore_record *r = &s->record;
    record_reset(r);
    enum cf_rc rc = store_next(s->keys, &s->key, more, e);
    if (rc != CF_OK)
        return rc;
    if (!*more) {
        cf_buf_clear(record);
        return s->has_ahead ? CF_FAIL(e, CF_E_CORRUPT, "a version without a key") : CF_OK;
    }
    rc = key_row_decode(&s->key, &r->key, e);
    if (rc == CF_OK)
        rc = keystore_name(r->key.k.name, r->lower, e);
    if (rc == CF_OK)
        rc = take_versions(s, e);
    if (rc == CF_OK)
        rc = record_encode(r, record, e);
    if (rc == CF_OK) {
        s->counts.keys++;
        s->counts.versions += r->count;
        s->counts.deleted += r->key.k.deleted != 0;
    } else {
        *more = false;
    }
    return rc;
}

void keystore_snapshot_counts(const struct keystore_snapshot *s, struct keystore_counts *out)
{
    *out = s->counts;
}

void keystore_snapshot_close(struct keystore_snapshot *s)
{
    if (!s)
        return;
    record_reset(&s->record);
    free(s->record.version);
    store_row_clear(&s->key);
    store_row_clear(&s->ahead);
    store_cursor_end(s->keys);
    store_cursor_end(s->versions);
    store_view_end(s->view);
    free(s);
}
