#include "run/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "prune_priv.h"

/* --- order: the time in a folder's name, newest first ------------------------------------------
 */

/* "20260101120000" of "mhsm-NAME-20260101120000" (or with two digits of hundredths); "" if not. */
static const char *stamp_of(const char *folder)
{
    const char *dash = strrchr(folder, '-');
    size_t n = dash ? strspn(dash + 1, "0123456789") : 0;
    return (n == 14 || n == 16) && dash[1 + n] == '\0' ? dash + 1 : "";
}

static int newest_first(const void *va, const void *vb)
{
    const struct survey_blob *a = va, *b = vb;
    int order = strcmp(stamp_of(b->name), stamp_of(a->name));
    return order ? order : strcmp(a->name, b->name);
}

static int64_t time_of(const char *folder)
{
    struct tm tm = { 0 };
    char stamp[15];
    snprintf(stamp, sizeof stamp, "%.14s", stamp_of(folder));
    const char *end = stamp[0] ? strptime(stamp, "%Y%m%d%H%M%S", &tm) : NULL;
    return end && *end == '\0' ? (int64_t)timegm(&tm) : 0;
}

/* "NAME/" -> "NAME"; what is no folder goes. */
static void keep_folders(struct survey_names *n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n->count; i++) {
        size_t len = strlen(n->item[i].name);
        if (len > 1 && n->item[i].name[len - 1] == '/') {
            n->item[i].name[len - 1] = '\0';
            n->item[kept++] = n->item[i];
        } else {
            free(n->item[i].name);
        }
    }
    n->count = kept;
    if (n->count > 1)
        qsort(n->item, n->count, sizeof *n->item, newest_first);
}

/* --- one folder -------------------------------------------------------------------------------
 */

struct listing {
    struct job *j;
    struct run_listing *l;
    run_backup_fn *each;
    void *ctx;
    struct jobs_verified *receipts; /* those of this place */
    size_t receipt_count;
};

static const char no_manifest[] = "it has no manifest: the backup was cut off, or still runs";

/* From the head and the rest of a manifest that is not ours to open: its own claim. */
static void claim(struct job *j, struct cf_buf *bytes, uint64_t size, struct manifest *m,
                  struct run_backup *b)
{
    struct far_range rest = { .name = "manifest",
                              .first = MANIFEST_HEAD_SIZE,
                              .count = size - MANIFEST_HEAD_SIZE };
    if (size <= MANIFEST_HEAD_SIZE || size > MANIFEST_MAX ||
        far_get(j, &rest, bytes, NULL, NULL) != CF_OK || manifest_claim(bytes, m, NULL) != CF_OK)
        return;
    b->hsm = m->hsm;
    b->made_s = (int64_t)m->created_s;
}

/* What the first 96 bytes say. CF_OK: ours to open; else the state is set. */
static enum cf_rc judge_head(const struct run_options *o, const uint8_t *head, struct run_backup *b,
                             struct cf_err *err)
{
    bool known = false;
    struct cf_rd rd = cf_rd_of(head + 12, 4);
    b->generation = cf_rd_le32(&rd);
    for (size_t i = 0; i < o->domain.count; i++)
        known |= o->domain.generations[i] == b->generation;
    enum cf_rc rc = manifest_head_check(&o->domain, head, MANIFEST_MIN, err);
    if (rc == CF_OK)
        return rc;
    b->why = err->text;
    bool same = cf_equal(head + 16, o->domain.domain_id, HAL_DOMAIN_ID_SIZE);
    if (rc == CF_E_DENIED)
        b->state = same && !known ? RUN_BACKUP_GENERATION : RUN_BACKUP_FOREIGN;
    else
        b->state = strstr(err->text, "newer format") ? RUN_BACKUP_NEWER_FORMAT : RUN_BACKUP_DAMAGED;
    return rc;
}

static void tell_proven(const struct listing *l, const struct manifest *m,
                        const struct survey_names *blobs, struct run_backup *b)
{
    const struct run_options *o = &l->j->r->o;
    b->proven = true;
    b->m = m;
    b->hsm = m->hsm;
    b->made_s = (int64_t)m->created_s;
    b->seq = m->seq;
    b->ours = cf_equal(m->appliance, o->appliance_id, sizeof m->appliance);
    bool there = survey_all_there(m, blobs);
    b->state = there ? RUN_BACKUP_WHOLE : RUN_BACKUP_DAMAGED;
    b->why = there ? "" : "blobs that its manifest names are missing or have other sizes";
    for (size_t i = 0; i < l->receipt_count; i++) {
        const struct jobs_verified *v = &l->receipts[i];
        if (!cf_equal(v->mac, m->mac, sizeof v->mac) || v->at_s <= b->verified_s)
            continue;
        b->verified_whole = v->whole;
        b->verified_s = v->at_s;
    }
}

/* The storage's refusals fail the list; what is wrong with the backup is its line. */
static bool says_of_the_backup(enum cf_rc rc, const struct cf_err *err)
{
    bool judged = rc == CF_E_AUTH || rc == CF_E_CORRUPT || rc == CF_E_LIMIT || rc == CF_E_DENIED;
    return rc == CF_E_ABSENT || (judged && err->src == CF_SRC_NONE); /* gone since it was listed */
}

/* The first bytes of its manifest. *why: the storage's word, where that is about this blob alone.
 */
static enum cf_rc get_head(struct job *j, struct cf_buf *head, uint64_t *size, enum blob_why *why,
                           struct cf_err *e)
{
    struct far_range first = { .name = "manifest", .count = MANIFEST_HEAD_SIZE };
    enum cf_rc rc = far_get(j, &first, head, size, e);
    *why = first.why;
    if (rc == CF_OK ? head->len == MANIFEST_HEAD_SIZE : first.why != BLOB_RANGE)
        return rc;
    *e = (struct cf_err){ 0 };
    return CF_FAIL(e, CF_E_LIMIT, "the manifest is too short");
}

static enum cf_rc tell(const struct listing *l, struct run_backup *b,
                       const struct survey_names *blobs, struct cf_err *e)
{
    struct job *j = l->j;
    struct cf_buf head = { 0 };
    struct manifest claimed = { 0 };
    struct backup_in in = { 0 };
    struct cf_err err = { 0 };
    enum blob_why why = BLOB_OK;
    uint64_t size = 0;
    enum cf_rc rc = get_head(j, &head, &size, &why, &err);
    if (why == BLOB_UNREADABLE) {
        b->state = RUN_BACKUP_UNREADABLE;
        b->why = err.text;
    } else if (rc == CF_OK && judge_head(&j->r->o, head.data, b, &err) != CF_OK) {
        claim(j, &head, size, &claimed, b);
    } else {
        in.head = head;
        in.size = size;
        head = (struct cf_buf){ 0 };
        if (rc == CF_OK)
            rc = backup_in_open(j, &in, &err);
        if (rc == CF_OK)
            tell_proven(l, &in.m, blobs, b);
        else
            b->state = RUN_BACKUP_DAMAGED;
        b->why = rc == CF_OK ? b->why : "its manifest does not verify";
    }
    if (rc == CF_OK || why == BLOB_UNREADABLE || says_of_the_backup(rc, &err))
        rc = l->each(l->ctx, b, e);
    else if (e && e->rc == CF_OK)
        *e = err;
    manifest_clear(&claimed);
    backup_in_clear(&in);
    cf_buf_clear(&head);
    return rc;
}

/* *told stays false where nothing lies in the folder but a placeholder: it is none. */
static enum cf_rc tell_folder(const struct listing *l, const char *folder, bool *told,
                              struct cf_err *e)
{
    struct survey_names blobs = { 0 };
    struct run_backup b = { .folder = folder,
                            .state = RUN_BACKUP_UNFINISHED,
                            .why = no_manifest,
                            .hsm = "",
                            .made_s = time_of(folder) };
    bool manifest = false;
    snprintf(l->j->folder, sizeof l->j->folder, "%s", folder);
    l->j->past_domain = false;
    enum cf_rc rc = survey_blobs(l->j, folder, &blobs, e);
    for (size_t i = 0; i < blobs.count; i++) {
        b.bytes += blobs.item[i].size;
        manifest |= strcmp(blobs.item[i].name, "manifest") == 0;
    }
    *told = rc == CF_OK && blobs.count > 0;
    if (*told)
        rc = manifest ? tell(l, &b, &blobs, e) : l->each(l->ctx, &b, e);
    survey_names_clear(&blobs);
    return rc;
}

/* --- the whole --------------------------------------------------------------------------------
 */

static enum cf_rc keep_receipt(void *ctx, const struct jobs_verified *v, struct cf_err *e)
{
    struct listing *l = ctx;
    if (strcmp(v->uri, blob_store_shown(l->j->store)) != 0)
        return CF_OK;
    struct jobs_verified *more =
        reallocarray(l->receipts, l->receipt_count + 1, sizeof *l->receipts);
    if (!more)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    l->receipts = more;
    l->receipts[l->receipt_count++] = *v;
    return CF_OK;
}

static enum cf_rc tell_all(const struct listing *l, const struct survey_names *names,
                           struct cf_err *e)
{
    struct survey_blob after = { .name = (char *)(uintptr_t)l->l->after };
    enum cf_rc rc = CF_OK;
    size_t told = 0;
    l->l->folders = names->count;
    l->l->more = false;
    for (size_t i = 0; rc == CF_OK && i < names->count; i++) {
        if (after.name && newest_first(&names->item[i], &after) <= 0)
            continue;
        l->l->more = told == l->l->limit;
        if (l->l->more)
            break;
        bool one = false;
        rc = job_canceled(l->j) ? CF_FAIL(e, CF_E_CANCEL, "the appliance is shutting down")
                                : tell_folder(l, names->item[i].name, &one, e);
        told += one;
    }
    return rc;
}

enum cf_rc run_list(struct run *r, const struct run_request *q, struct run_listing *l,
                    run_backup_fn *each, void *ctx, struct cf_err *e)
{
    struct listing all = { .l = l, .each = each, .ctx = ctx };
    struct survey_names names = { 0 };
    if (l->limit == 0 || l->limit > RUN_LIST_MAX)
        return CF_FAIL(e, CF_E_ARG, "a list of %zu folders", l->limit);
    enum cf_rc rc = job_errand(r, q, &all.j, e);
    if (rc != CF_OK)
        return rc;
    if (!all.j->report.can_list)
        rc = cf_err_code(e,
                         CF_FAIL(e, CF_E_INPUT,
                                 "The shared access signature does not allow to list blobs: make "
                                 "one with sp=rl"),
                         "BadRequest");
    if (rc == CF_OK)
        rc = survey_place(all.j, "mhsm-", &names, e);
    if (rc == CF_OK)
        rc = jobs_verified_each(r->o.jobs, keep_receipt, &all, e);
    if (rc == CF_OK) {
        keep_folders(&names);
        rc = tell_all(&all, &names, e);
    }
    survey_names_clear(&names);
    free(all.receipts);
    job_free(all.j);
    return rc;
}
