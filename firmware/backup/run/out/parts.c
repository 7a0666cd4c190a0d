/* Which partitions a backup can hold. One that cannot be opened and read when the backup begins is
 * left out by name, so that a dead medium costs its own content and not the keys' backup. */
#include "out_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define LOOK_BYTES 4096

static enum cf_rc look_at(const struct run_partition *rp, unsigned side, struct cf_err *e)
{
    uint8_t bytes[LOOK_BYTES];
    struct hal_partition *p = NULL;
    uint64_t changes = 0;
    enum cf_rc rc = rp->open_live(rp->ctx, side, &p, e);
    if (rc == CF_OK)
        rc = hal_partition_changes(p, &changes, e);
    size_t len = rc == CF_OK && p->size < sizeof bytes ? (size_t)p->size : sizeof bytes;
    if (rc == CF_OK)
        rc = hal_partition_read(p, 0, bytes, len, e);
    if (rc == CF_OK)
        rc = hal_partition_read(p, p->size - len, bytes, len, e);
    cf_wipe(bytes, sizeof bytes);
    hal_partition_close(p);
    return rc;
}

/* The statement goes out with receipts: it tells the cause, and no path of this host. */
static void leave_out(struct backup *b, const struct run_partition *rp, const struct cf_err *why)
{
    size_t n = b->m.left_out_count++;
    const char *cause = why->src == CF_SRC_ERRNO ? strerrordesc_np((int)why->native) : NULL;
    cf_log(CF_LOG_ERROR, "run", "partition-left-out", "job=%s partition=%s text=\"%s\"",
           b->j->record.id, rp->name, why->text);
    snprintf(b->m.left_out[n], sizeof b->m.left_out[n], "%s", rp->name);
    snprintf(b->left_why[n], sizeof b->left_why[n], "marked for backup, and cannot be read: %.140s",
             cause ? cause : why->text);
}

enum cf_rc backup_choose_parts(struct backup *b, struct cf_err *e)
{
    const struct run_options *o = &b->j->r->o;
    struct store_selector sel;
    store_live_selector(o->live, &sel);
    b->parts = calloc(o->partition_count + 1, sizeof(const struct run_partition *));
    b->left_why = calloc(o->partition_count + 1, sizeof *b->left_why);
    b->m.left_out = calloc(o->partition_count + 1, sizeof *b->m.left_out);
    if (!b->parts || !b->left_why || !b->m.left_out)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (size_t i = 0; i < o->partition_count; i++) {
        const struct run_partition *rp = &o->partitions[i];
        struct cf_err why = { 0 };
        enum cf_rc rc = look_at(rp, sel.side[rp->index], &why);
        if (rc == CF_E_LIMIT)
            return CF_FAIL(e, rc, "partition %s: %s", rp->name, why.text);
        if (rc == CF_OK)
            b->parts[b->part_count++] = rp;
        else
            leave_out(b, rp, &why);
    }
    return CF_OK;
}

enum cf_rc backup_check_parts(const struct backup *b, struct cf_err *e)
{
    if (!b->j->choices.require_complete || b->m.left_out_count == 0)
        return CF_OK;
    return cf_err_code(e,
                       CF_FAIL(e, CF_E_STATE, "a complete backup was asked for: partition %s is %s",
                               b->m.left_out[0], b->left_why[0]),
                       "Conflict");
}

void backup_tell_missing(struct job *j)
{
    char text[320];
    size_t missing = 0;
    for (size_t i = 0; i < j->cover_count; i++) {
        const struct manifest_cover *c = &j->cover[i];
        if (c->state != MANIFEST_MISSING)
            continue;
        snprintf(text, sizeof text, "the backup is incomplete: %s is not in it: %s", c->what,
                 c->why);
        job_warn(j, text);
        missing++;
    }
    if (missing)
        snprintf(j->details, sizeof j->details,
                 "The backup is incomplete: %zu of what is marked for backup could not be read",
                 missing);
}
