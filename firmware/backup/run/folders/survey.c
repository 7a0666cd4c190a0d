/* What lies in a place: its folders, judged by manifests that verify. Reads only. */
#include "prune_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "jobs/receipts.h"

/* A container may be somebody else's to fill: what is remembered of it is bounded. */
#define NAMES_MAX   4000000u
#define NAMES_BYTES ((size_t)256 << 20)
#define FOLDERS_MAX 50000u

/* --- lists ------------------------------------------------------------------------------------
 */

void survey_names_clear(struct survey_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->item[i].name);
    free(n->item);
    *n = (struct survey_names){ 0 };
}

struct list_call {
    struct blob_listing what;
    size_t skip; /* characters of the prefix that are not told again */
    struct survey_names *out;
};

static enum cf_rc add_name(void *ctx, const char *name, uint64_t size, struct cf_err *e)
{
    struct list_call *c = ctx;
    struct survey_names *n = c->out;
    n->bytes += strlen(name) + 1;
    if (n->bytes > NAMES_BYTES)
        return CF_FAIL(e, CF_E_LIMIT, "too many names to list");
    if (n->count == n->cap) {
        size_t cap = n->cap ? 2 * n->cap : 64;
        struct survey_blob *item =
            cap > NAMES_MAX ? NULL : reallocarray(n->item, cap, sizeof *item);
        if (!item)
            return CF_FAIL(e, CF_E_LIMIT, "too many names to list");
        n->item = item;
        n->cap = cap;
    }
    struct survey_blob *b = &n->item[n->count];
    *b = (struct survey_blob){ .name = strdup(name + c->skip), .size = size };
    if (!b->name)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    n->count++;
    return CF_OK;
}

static void try_list(void *ctx, const struct upload_far *f, struct upload_outcome *out)
{
    struct list_call *c = ctx;
    struct blob_wait w = { 0 };
    survey_names_clear(c->out);
    *out = (struct upload_outcome){ 0 };
    upload_wait(f, blob_list(f->lane, &c->what, add_name, c, blob_wait_end(&w), &out->err), &w,
                out);
}

static int by_name(const void *va, const void *vb)
{
    const struct survey_blob *a = va, *b = vb;
    return strcmp(a->name, b->name);
}

/* Sorted, and each once: a folder counted twice would take another's place in a retention. */
static enum cf_rc list_all(struct job *j, struct list_call *c, struct cf_err *e)
{
    struct survey_names *n = c->out;
    size_t kept = 0;
    enum cf_rc rc = far_repeat(j, try_list, c, e);
    if (rc != CF_OK || n->count < 2)
        return rc;
    qsort(n->item, n->count, sizeof *n->item, by_name);
    for (size_t i = 0; i < n->count; i++) {
        if (kept > 0 && strcmp(n->item[kept - 1].name, n->item[i].name) == 0)
            free(n->item[i].name);
        else
            n->item[kept++] = n->item[i];
    }
    n->count = kept;
    return CF_OK;
}

enum cf_rc survey_blobs(struct job *j, const char *folder, struct survey_names *out,
                        struct cf_err *e)
{
    char prefix[BLOB_NAME_MAX + 2];
    snprintf(prefix, sizeof prefix, "%s/", folder);
    struct list_call c = { .what = { .prefix = prefix }, .skip = strlen(prefix), .out = out };
    return list_all(j, &c, e);
}

enum cf_rc survey_place(struct job *j, const char *prefix, struct survey_names *out,
                        struct cf_err *e)
{
    struct list_call c = { .what = { .prefix = prefix, .grouped = true }, .out = out };
    return list_all(j, &c, e);
}

/* --- one folder -------------------------------------------------------------------------------
 */

static const struct survey_blob *find(const struct survey_names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->item[i].name, name) == 0)
            return &n->item[i];
    return NULL;
}

static bool is_there(const struct survey_names *n, const char *name, uint64_t bytes)
{
    const struct survey_blob *b = find(n, name);
    return b && b->size == bytes;
}

/* The number of the block that a blob of layout 1 holds: "s{stream}/{block}-{salt}". */
static bool block_of(const char *name, size_t stream, uint64_t *block)
{
    char prefix[32], digits[24];
    int len = snprintf(prefix, sizeof prefix, "s%zu/", stream);
    if (strncmp(name, prefix, (size_t)len) != 0)
        return false;
    size_t n = strcspn(name + len, "-");
    if (n == 0 || n >= sizeof digits || name[(size_t)len + n] != '-')
        return false;
    memcpy(digits, name + len, n);
    digits[n] = '\0';
    return cf_parse_u64(digits, UINT64_MAX, block, NULL) == CF_OK;
}

/* Each block has a blob; which of its attempts the table names is not looked at here. */
static bool has_every_block(const struct manifest *m, size_t stream,
                            const struct survey_names *blobs)
{
    uint64_t blocks = m->streams[stream].blocks, found = 0, block = 0;
    bool *seen = calloc((size_t)blocks + 1, sizeof *seen);
    for (size_t i = 0; seen && i < blobs->count; i++)
        if (block_of(blobs->item[i].name, stream, &block) && block < blocks && !seen[block]) {
            seen[block] = true;
            found++;
        }
    free(seen);
    return found == blocks;
}

/* The blobs that the manifest names; where each block is a blob of its own, their sum. */
bool survey_all_there(const struct manifest *m, const struct survey_names *blobs)
{
    uint64_t meta = 0, all = 0;
    for (size_t i = 0; i < m->meta.count; i++)
        meta += m->meta.blocks[i].wire;
    if (m->meta.blob[0] && !is_there(blobs, m->meta.blob, meta))
        return false;
    for (size_t i = 0; i < blobs->count; i++)
        all += blobs->item[i].size;
    for (size_t i = 0; i < m->stream_count; i++)
        for (size_t k = 0; k < m->streams[i].blob_count; k++)
            if (!is_there(blobs, m->streams[i].blobs[k].name, m->streams[i].blobs[k].bytes))
                return false;
    for (size_t i = 0; m->layout == MANIFEST_WHOLE && i < m->stream_count; i++)
        if (!has_every_block(m, i, blobs))
            return false;
    return all >= m->wire;
}

/* A refusal by the storage or the token says nothing about the backup: it ends the survey. */
static enum cf_rc kind_of_refusal(enum cf_rc rc, const struct cf_err *err, enum retain_kind *kind)
{
    if (rc == CF_E_ABSENT) { /* gone since it was listed: somebody else's doing */
        *kind = RETAIN_DAMAGED;
        return CF_OK;
    }
    bool bad = rc == CF_E_AUTH || rc == CF_E_CORRUPT || rc == CF_E_LIMIT || rc == CF_E_INPUT;
    if (err->src != CF_SRC_NONE || (!bad && rc != CF_E_DENIED))
        return rc;
    *kind = bad ? RETAIN_DAMAGED : RETAIN_FOREIGN;
    return CF_OK;
}

static enum cf_rc judge_manifest(struct job *j, struct retain_folder *f,
                                 const struct survey_names *blobs, struct cf_err *e)
{
    struct backup_in b = { 0 };
    struct cf_err err = { 0 };
    snprintf(j->folder, sizeof j->folder, "%s", f->name);
    enum cf_rc rc = backup_in_open(j, &b, &err);
    if (rc != CF_OK && b.why == BLOB_UNREADABLE) {
        f->kind = RETAIN_UNREADABLE;
        rc = CF_OK;
    } else if (rc != CF_OK) {
        rc = kind_of_refusal(rc, &err, &f->kind);
    } else if (strcmp(b.m.hsm, j->r->o.hsm_name) != 0 ||
               !cf_equal(b.m.appliance, j->r->o.appliance_id, sizeof b.m.appliance)) {
        f->kind = RETAIN_FOREIGN;
    } else {
        bool all = survey_all_there(&b.m, blobs);
        f->kind = !all ? RETAIN_DAMAGED : b.m.left_out_count ? RETAIN_INCOMPLETE : RETAIN_WHOLE;
        f->made_s = (int64_t)b.m.completed_s;
        memcpy(f->mac, b.m.mac, sizeof f->mac);
    }
    if (rc != CF_OK && e && e->rc == CF_OK)
        *e = err;
    backup_in_clear(&b);
    j->past_domain = false;
    j->folder[0] = '\0';
    return rc;
}

static enum cf_rc judge(struct job *j, struct retain_folder *f, struct cf_err *e)
{
    struct survey_names blobs = { 0 };
    if (!retain_folder_time(j->r->o.hsm_name, f->name, &f->made_s)) {
        f->kind = RETAIN_UNKNOWN;
        return CF_OK;
    }
    enum cf_rc rc = survey_blobs(j, f->name, &blobs, e);
    if (rc == CF_OK && blobs.count == 0) /* a directory, or a placeholder, that nothing lies in */
        f->name[0] = '\0';
    for (size_t i = 0; i < blobs.count; i++)
        f->bytes += blobs.item[i].size;
    f->kind = RETAIN_UNFINISHED;
    if (rc == CF_OK && find(&blobs, "manifest"))
        rc = judge_manifest(j, f, &blobs, e);
    survey_names_clear(&blobs);
    return rc;
}

/* --- what jobs know ---------------------------------------------------------------------------
 */

struct known {
    const struct job *j;
    struct retain_folder *folders;
    char (*voucher)[JOBS_ID_SIZE]; /* of each: the job whose receipt says that it is verified */
    size_t count;
};

static void learn(const struct known *k, const struct jobs_record *r, struct retain_folder *f)
{
    if (r->state == JOBS_IN_PROGRESS)
        f->busy = true;
    if (r->kind == JOBS_RETENTION && r->state != JOBS_SUCCEEDED && f->kind == RETAIN_UNFINISHED &&
        strcmp(r->id, k->j->record.id) != 0)
        f->kind = RETAIN_HALF_GONE;
}

static enum cf_rc learn_job(void *ctx, const struct jobs_record *r, struct cf_err *e)
{
    struct known *k = ctx;
    (void)e;
    if (!r->folder[0] || strcmp(r->uri, k->j->record.uri) != 0)
        return CF_OK;
    for (size_t i = 0; i < k->count; i++)
        if (strcmp(k->folders[i].name, r->folder) == 0)
            learn(k, r, &k->folders[i]);
    return CF_OK;
}

/* A copy elsewhere may be worse, and a sample proves too little. */
static enum cf_rc learn_receipt(void *ctx, const struct jobs_verified *v, struct cf_err *e)
{
    struct known *k = ctx;
    (void)e;
    for (size_t i = 0; v->whole && i < k->count; i++) {
        struct retain_folder *f = &k->folders[i];
        bool of_it = f->kind == RETAIN_WHOLE && strcmp(v->uri, k->j->record.uri) == 0 &&
                     strcmp(v->folder, f->name) == 0 && cf_equal(v->mac, f->mac, sizeof f->mac);
        if (of_it)
            memcpy(k->voucher[i], v->job, JOBS_ID_SIZE);
    }
    return CF_OK;
}

/* Which backup is the newest verified one decides what goes, so the word for it is the signed one.
 * A receipt that is not good stops the pruning: neither answer would be safe. */
static enum cf_rc believe(const struct known *k, size_t i, struct cf_err *e)
{
    struct retain_folder *f = &k->folders[i];
    const struct run_options *o = &k->j->r->o;
    struct manifest_proven p;
    struct cf_buf file = { 0 };
    enum cf_rc rc = jobs_receipt_get(o->jobs, k->voucher[i], &file, e);
    if (rc == CF_OK)
        rc = manifest_receipt_read(&o->domain, file.data, file.len, &p, e);
    if (rc == CF_OK && (p.scope != MANIFEST_PROVES_ALL || strcmp(p.folder, f->name) != 0 ||
                        !cf_equal(p.mac, f->mac, sizeof f->mac)))
        rc = CF_FAIL(e, CF_E_AUTH, "the receipt does not say what is noted beside it");
    cf_buf_clear(&file);
    f->verified = rc == CF_OK;
    return cf_err_ctx(e, rc, "job %s", k->voucher[i]);
}

static enum cf_rc ask_jobs(struct job *j, struct retain_folder *folders, size_t count,
                           struct cf_err *e)
{
    struct known k = { .j = j, .folders = folders, .count = count };
    k.voucher = calloc(count + 1, sizeof *k.voucher);
    if (!k.voucher)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for %zu folders", count);
    enum cf_rc rc = jobs_list(j->r->o.jobs, learn_job, &k, e);
    if (rc == CF_OK)
        rc = jobs_verified_each(j->r->o.jobs, learn_receipt, &k, e);
    for (size_t i = 0; rc == CF_OK && i < count; i++)
        rc = k.voucher[i][0] ? believe(&k, i, e) : CF_OK;
    free(k.voucher);
    return rc;
}

/* --- all of it --------------------------------------------------------------------------------
 */

static enum cf_rc take_folders(const struct survey_names *names, struct retain_folder **out,
                               size_t *count, struct cf_err *e)
{
    if (names->count > FOLDERS_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "%zu folders of this HSM are too many to judge: at most %u",
                       names->count, FOLDERS_MAX);
    struct retain_folder *all = calloc(names->count + 1, sizeof *all);
    if (!all)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for %zu folders", names->count);
    *out = all;
    *count = 0;
    for (size_t i = 0; i < names->count; i++) {
        size_t len = strlen(names->item[i].name);
        if (len < 2 || len > RETAIN_NAME_SIZE || names->item[i].name[len - 1] != '/')
            continue; /* a blob beside the folders */
        memcpy(all[*count].name, names->item[i].name, len - 1);
        (*count)++;
    }
    return CF_OK;
}

static void drop_empty(struct retain_folder *folders, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (folders[i].name[0] != '\0')
            folders[kept++] = folders[i];
    *count = kept;
}

enum cf_rc survey_folders(struct job *j, struct retain_folder **out, size_t *count,
                          struct cf_err *e)
{
    char prefix[BLOB_NAME_MAX + 1];
    struct survey_names names = { 0 };
    snprintf(prefix, sizeof prefix, "mhsm-%s-", j->r->o.hsm_name);
    enum cf_rc rc = survey_place(j, prefix, &names, e);
    *out = NULL;
    *count = 0;
    if (rc == CF_OK)
        rc = take_folders(&names, out, count, e);
    survey_names_clear(&names);
    for (size_t i = 0; rc == CF_OK && i < *count; i++)
        rc = job_canceled(j) ? CF_FAIL(e, CF_E_CANCEL, "canceled") : judge(j, &(*out)[i], e);
    drop_empty(*out, count);
    return rc == CF_OK ? ask_jobs(j, *out, *count, e) : rc;
}
