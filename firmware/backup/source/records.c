#include "source/source.h"

#include <stdlib.h>

#include "access/policy.h"
#include "store/store.h"

struct source_records {
    struct keystore_snapshot *snapshot;
    struct access_export *policy;
};

enum cf_rc source_records_open(struct keystore *ks, struct source_records **out, struct cf_err *e)
{
    struct source_records *s = calloc(1, sizeof *s);
    if (!s)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    enum cf_rc rc = keystore_snapshot_open(ks, &s->snapshot, e);
    if (rc == CF_OK)
        rc = access_export_new(keystore_snapshot_view(s->snapshot), &s->policy, e);
    if (rc != CF_OK) {
        source_records_close(s);
        return rc;
    }
    *out = s;
    return CF_OK;
}

void source_records_close(struct source_records *s)
{
    if (!s)
        return;
    access_export_free(s->policy);
    keystore_snapshot_close(s->snapshot);
    free(s);
}

enum cf_rc source_records_next(struct source_records *s, enum flow_kind kind, struct cf_buf *record,
                               bool *more, struct cf_err *e)
{
    bool done = false;
    enum cf_rc rc = cf_buf_resize(record, 0, e);
    if (rc != CF_OK)
        return rc;
    if (kind == FLOW_KEYS)
        return keystore_snapshot_next(s->snapshot, record, more, e);
    rc = access_export_next(s->policy, record, &done, e);
    *more = rc == CF_OK && !done;
    return rc;
}

enum cf_rc source_records_check(const struct source_records *s, struct cf_err *e)
{
    enum cf_rc rc = store_view_check(keystore_snapshot_view(s->snapshot), e);
    return cf_err_ctx(e, rc, "keys change faster than the storage takes them");
}

void source_records_counts(const struct source_records *s, struct source_counts *out)
{
    keystore_snapshot_counts(s->snapshot, &out->keys);
    out->assignments = access_export_assignments(s->policy);
    out->store_changes = store_view_counter(keystore_snapshot_view(s->snapshot));
}
