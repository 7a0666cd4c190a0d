/* Claims a folder and learns what the storage takes there, before the first stream. */
#include "run_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char text[] = "This folder belongs to a backup; readers ignore this blob.\n";

struct probe_call {
    struct job *j;
    struct run_probe *p;
    const char *blob;
    uint8_t row[FLOW_ROW_SIZE];
    char whole[sizeof text + CF_HEX_SIZE(16)]; /* tells our own blob from another's */
    bool block_sent;
    bool immutable; /* an immutable container says so of a folder that is taken, too */
};

/* A refusal that may be meant for blocks and lists alone; what else it can mean, a whole blob is
 * told as well. */
static bool may_take_whole(const struct upload_outcome *out)
{
    return out->verdict == UPLOAD_FAILED &&
           (out->why == BLOB_IMMUTABLE || out->why == BLOB_PERMISSION ||
            out->why == BLOB_CREDENTIAL || out->why == BLOB_REFUSED);
}

static void try_lists(struct probe_call *c, const struct upload_far *f, struct upload_outcome *out)
{
    struct blob_body body = { .data = text, .len = sizeof text - 1 };
    struct upload_list list = {
        .stream = FLOW_META, .rows = c->row, .count = 1, .bytes = 0 /* nobody reads it */
    };
    struct blob_block_id id;
    struct blob_wait w = { 0 };
    *out = (struct upload_outcome){ .verdict = UPLOAD_DONE };
    blob_block_id_make(FLOW_META, 0, c->row, &id);
    if (!c->block_sent) /* once: where it was committed, and the answer lost, it may not come again
                         */
        upload_wait(f, blob_put_block(f->writer, c->blob, &id, &body, blob_wait_end(&w), &out->err),
                    &w, out);
    if (out->verdict != UPLOAD_DONE)
        return;
    c->block_sent = true;
    patience_heard(c->j);
    upload_commit(f, c->blob, &list, out);
    if (out->why == BLOB_BLOCK_LOST) {
        c->block_sent = false;
        out->verdict = UPLOAD_AGAIN;
    }
}

static void try_probe(void *ctx, const struct upload_far *f, struct upload_outcome *out)
{
    struct probe_call *c = ctx;
    try_lists(c, f, out);
    c->p->layout = MANIFEST_LISTS;
    if (may_take_whole(out)) {
        c->p->layout = MANIFEST_WHOLE;
        upload_put(f, c->blob, c->whole, strlen(c->whole), out);
        upload_look(f, c->blob, strlen(c->whole), out);
    }
    c->p->taken = out->why == BLOB_EXISTS && out->verdict == UPLOAD_FAILED;
    c->immutable = out->why == BLOB_IMMUTABLE && out->verdict == UPLOAD_FAILED;
}

enum cf_rc far_probe(struct job *j, const uint8_t salt[FLOW_SALT_SIZE], struct run_probe *out,
                     struct cf_err *e)
{
    char blob[BLOB_NAME_MAX + 1], hex[CF_HEX_SIZE(16)];
    struct probe_call c = { .j = j, .p = out, .blob = blob };
    struct flow_receipt row = { .wire = sizeof text - 1 };
    struct cf_err err = { 0 };
    *out = (struct run_probe){ 0 };
    memcpy(row.salt, salt, sizeof row.salt);
    flow_row_put(&row, c.row);
    cf_hex(salt, 16, hex);
    snprintf(c.whole, sizeof c.whole, "%s%s\n", text, hex);
    job_blob(j, "probe", blob);
    enum cf_rc rc = far_repeat(j, try_probe, &c, &err);
    if (rc == CF_OK || out->taken)
        return CF_OK;
    out->taken = c.immutable;
    if (e && e->rc == CF_OK)
        *e = err;
    return rc;
}
