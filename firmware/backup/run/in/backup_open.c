#include "run_priv.h"

#include <string.h>

static const char unfinished[] =
    "folder %s holds no manifest: there is no finished backup of that name in this place";

static enum cf_rc get_part(struct backup_in *b, uint64_t first, uint64_t count, struct cf_buf *out,
                           uint64_t *size, struct cf_err *e)
{
    struct job *j = b->j;
    struct far_range what = { .name = "manifest", .first = first, .count = count };
    struct cf_err err = { 0 };
    enum cf_rc rc = far_get(j, &what, out, size, &err);
    b->why = what.why;
    if (rc == CF_E_ABSENT)
        return CF_FAIL(e, CF_E_ABSENT, unfinished, j->folder);
    if (rc != CF_OK && what.why == BLOB_RANGE)
        return CF_FAIL(e, CF_E_LIMIT, "the manifest of %s is too short", j->folder);
    if (rc != CF_OK && e && e->rc == CF_OK)
        *e = err;
    return rc;
}

static const char *last_segment(const char *folder)
{
    const char *slash = strrchr(folder, '/');
    return slash ? slash + 1 : folder;
}

static enum cf_rc check_head(struct job *j, const struct cf_buf *bytes, uint64_t size,
                             struct cf_err *e)
{
    struct token_wait wait = { 0 };
    enum cf_rc rc = CF_OK;
    do
        rc = manifest_head_check(&j->r->o.domain, bytes->data, size, e);
    while (patience_token(j, &wait, &rc, e));
    return rc;
}

static enum cf_rc open_manifest(struct backup_in *b, const struct cf_buf *bytes,
                                const struct manifest_judge *judge, struct cf_err *e)
{
    struct token_wait wait = { 0 };
    enum cf_rc rc = CF_OK;
    do {
        manifest_clear(&b->m);
        cf_secret_free(b->dk);
        b->dk = NULL;
        rc = manifest_open(&b->j->r->o.domain, bytes, judge, &b->m, &b->dk, e);
    } while (patience_token(b->j, &wait, &rc, e));
    return rc;
}

enum cf_rc backup_in_open(struct job *j, struct backup_in *b, struct cf_err *e)
{
    struct manifest_judge judge = { .folder = last_segment(j->folder),
                                    .accepted = j->accepts ? j->accepted : NULL,
                                    .known = j->r->o.signers,
                                    .known_count = j->r->o.signer_count };
    struct cf_buf bytes = b->head;
    uint64_t size = b->size;
    enum cf_rc rc = CF_OK;
    b->j = j;
    b->head = (struct cf_buf){ 0 };
    if (!bytes.len)
        rc = get_part(b, 0, MANIFEST_HEAD_SIZE, &bytes, &size, e);
    if (rc == CF_OK) /* no further byte is asked for before this */
        rc = check_head(j, &bytes, size, e);
    if (rc == CF_OK) {
        j->past_domain = true;
        rc = get_part(b, MANIFEST_HEAD_SIZE, size - MANIFEST_HEAD_SIZE, &bytes, NULL, e);
    }
    if (rc == CF_OK)
        rc = open_manifest(b, &bytes, &judge, e);
    b->seal = (struct seal_run){ .dk = b->dk };
    memcpy(b->seal.backup_id, b->m.backup_id, FLOW_ID_SIZE);
    for (size_t i = 0; rc == CF_OK && i < b->m.stream_count; i++)
        atomic_fetch_add(&j->total_bytes, b->m.streams[i].plain);
    atomic_fetch_add(&j->wire_bytes, bytes.len);
    cf_buf_clear(&bytes);
    return rc;
}

void backup_in_clear(struct backup_in *b)
{
    manifest_clear(&b->m);
    cf_secret_free(b->dk);
    cf_buf_clear(&b->head);
    cf_buf_clear(&b->meta);
    cf_buf_clear(&b->chunk);
}
