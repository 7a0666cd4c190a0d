/* Old backups go: planned, told, then one folder at a time. The manifest goes first, so that what a
 * cut leaves is never read as a backup; the probe last, so that the name stays taken until the end.
 */
#include "prune_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- one folder -------------------------------------------------------------------------------
 */

struct erase_call {
    struct job *j;
    const char *blob;
    enum blob_why why;
};

static void try_erase(void *ctx, const struct upload_far *f, struct upload_outcome *out)
{
    struct erase_call *c = ctx;
    struct blob_wait w = { 0 };
    *out = (struct upload_outcome){ 0 };
    upload_wait(f, blob_erase(c->j->eraser, c->blob, blob_wait_end(&w), &out->err), &w, out);
    if (out->why == BLOB_ABSENT) /* an earlier attempt, or an earlier pruning */
        *out = (struct upload_outcome){ .verdict = UPLOAD_DONE };
    c->why = out->why;
}

/* *held: the storage keeps it, whoever asks. */
static enum cf_rc erase_blob(struct job *j, const char *folder, const char *name, bool *held,
                             struct cf_err *e)
{
    char blob[BLOB_NAME_MAX + 1];
    struct erase_call c = { .j = j, .blob = blob };
    struct cf_err err = { 0 };
    snprintf(blob, sizeof blob, "%s/%s", folder, name);
    enum cf_rc rc = far_repeat(j, try_erase, &c, &err);
    *held = rc != CF_OK && c.why == BLOB_IMMUTABLE;
    if (*held)
        return CF_OK;
    if (rc != CF_OK && e && e->rc == CF_OK)
        *e = err;
    return rc;
}

/* Those with a place of their own in the order come by name. */
static bool is_special(const char *name)
{
    return strcmp(name, "manifest") == 0 || strcmp(name, "manifest.copy") == 0 ||
           strcmp(name, "probe") == 0;
}

static enum cf_rc erase_all(struct job *j, const char *folder, const struct survey_names *blobs,
                            bool *held, struct cf_err *e)
{
    static const char *const first[] = { "manifest", "manifest.copy" };
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && !*held && i < 2; i++)
        rc = erase_blob(j, folder, first[i], held, e);
    for (size_t i = 0; rc == CF_OK && !*held && i < blobs->count; i++)
        if (!is_special(blobs->item[i].name))
            rc = erase_blob(j, folder, blobs->item[i].name, held, e);
    if (rc == CF_OK && !*held)
        rc = erase_blob(j, folder, "probe", held, e);
    return rc;
}

static enum cf_rc audit_erase(struct job *j, const struct retain_folder *f, struct cf_err *e)
{
    char reason[RETAIN_REASON_MAX];
    retain_reason(f, reason);
    struct audit_record rec = { .operation = "BackupErase",
                                .principal = j->record.who,
                                .resource = f->name,
                                .detail = reason };
    return j->r->o.audit ? audit_append(j->r->o.audit, &rec, e) : CF_OK;
}

struct cf_verdict prune_still_goes(const struct retain_folder *f, const struct survey_names *blobs)
{
    bool manifest = false;
    for (size_t i = 0; i < blobs->count; i++)
        manifest |= strcmp(blobs->item[i].name, "manifest") == 0;
    bool same = f->kind == RETAIN_WHOLE
                    ? manifest
                    : !manifest && (f->kind == RETAIN_UNFINISHED || f->kind == RETAIN_HALF_GONE);
    return cf_verdict_of(same && f->why == 0 && !f->busy);
}

/* The note tells a later pruning, should this one be cut, whose rest the folder is. */
static enum cf_rc erase_folder(struct job *j, struct retain_folder *f, struct cf_err *e)
{
    struct survey_names blobs = { 0 };
    bool held = false;
    enum cf_rc rc = survey_blobs(j, f->name, &blobs, e);
    struct cf_verdict go = prune_still_goes(f, &blobs);
    if (rc == CF_OK && !cf_granted(&go)) {
        survey_names_clear(&blobs);
        f->why |= RETAIN_HAS_CHANGED;
        f->fate = RETAIN_STAYS;
        return CF_OK;
    }
    if (rc == CF_OK)
        rc = audit_erase(j, f, e);
    if (rc == CF_OK)
        rc = jobs_note(j->r->o.jobs, j->record.id, f->name, NULL, e);
    if (rc == CF_OK)
        rc = erase_all(j, f->name, &blobs, &held, e);
    survey_names_clear(&blobs);
    if (rc == CF_OK)
        f->fate = held ? RETAIN_HELD : RETAIN_GONE;
    return rc;
}

/* --- the job ----------------------------------------------------------------------------------
 */

static struct cf_verdict may_go(const struct retain_folder *f)
{
    bool of_ours =
        f->kind == RETAIN_WHOLE || f->kind == RETAIN_UNFINISHED || f->kind == RETAIN_HALF_GONE;
    return cf_verdict_of(f->why == 0 && of_ours && !f->busy);
}

static enum cf_rc erase_planned(struct job *j, struct retain_folder *folders, size_t count,
                                struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = count; rc == CF_OK && i-- > 0;) { /* the oldest first */
        struct cf_verdict go = may_go(&folders[i]);
        if (!cf_granted(&go))
            continue;
        folders[i].fate = RETAIN_TO_GO;
        if (job_canceled(j))
            rc = CF_FAIL(e, CF_E_CANCEL, "canceled");
        else if (!j->prune.dry_run)
            rc = erase_folder(j, &folders[i], e);
    }
    return rc;
}

static void say_what_went(struct job *j, const struct retain_folder *folders, size_t count)
{
    size_t of[RETAIN_FATES] = { 0 };
    uint64_t bytes = 0;
    char text[160];
    for (size_t i = 0; i < count; i++) {
        of[folders[i].fate]++;
        if (folders[i].fate == RETAIN_GONE || folders[i].fate == RETAIN_TO_GO)
            bytes += folders[i].bytes;
    }
    snprintf(j->details, sizeof j->details, "%s %zu of %zu folders, %llu bytes; %s the others",
             j->prune.dry_run ? "Would delete" : "Deleted",
             j->prune.dry_run ? of[RETAIN_TO_GO] : of[RETAIN_GONE], count,
             (unsigned long long)bytes, j->prune.dry_run ? "would keep" : "kept");
    snprintf(text, sizeof text,
             "the storage keeps %zu more under an immutability policy, a legal hold, a lease, or "
             "for its snapshots",
             of[RETAIN_HELD]);
    if (of[RETAIN_HELD])
        job_warn(j, text);
    if (j->prune.dry_run && !j->report.can_delete)
        job_warn(j, "the SAS does not allow to delete: without d in sp the plan cannot be done");
}

static void warn_of_damage(struct job *j, const struct retain_folder *folders, size_t count)
{
    size_t damaged = 0;
    char text[160];
    for (size_t i = 0; i < count; i++)
        damaged += folders[i].kind == RETAIN_DAMAGED;
    snprintf(text, sizeof text, "%zu folders hold a backup that does not verify or is not whole",
             damaged);
    if (damaged)
        job_warn(j, text);
}

enum cf_rc prune_main(struct job *j, struct cf_err *e)
{
    struct retain_folder *folders = NULL;
    size_t count = 0;
    enum cf_rc rc = survey_folders(j, &folders, &count, e);
    if (rc != CF_OK) {
        free(folders);
        return rc;
    }
    retain_plan(&j->prune.policy, hal_clock_unix_ms(j->r->o.clock) / 1000, folders, count);
    rc = erase_planned(j, folders, count, e);
    say_what_went(j, folders, count);
    warn_of_damage(j, folders, count);
    prune_report_keep(j, folders, count);
    free(folders);
    return rc;
}
