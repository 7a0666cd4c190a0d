/* What a pruning found and did, for who asks later. [[name, kind, time, verified, bytes, why,
 * fate], ..], newest first. */
#include "prune_priv.h"

#include <stdlib.h>
#include <string.h>

#include "cbor/cbor.h"
#include "jobs/receipts.h"

#define REPORT_FOLDERS ((size_t)JOBS_REPORT_MAX / 600) /* a name may be 512 bytes long */

static enum cf_rc encode(const struct retain_folder *folders, size_t count, struct cf_buf *out,
                         struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    cbor_wr_array(&w, count);
    for (size_t i = 0; i < count; i++) {
        const struct retain_folder *f = &folders[i];
        cbor_wr_array(&w, 7);
        cbor_wr_bytes(&w, f->name, strlen(f->name));
        cbor_wr_uint(&w, (uint64_t)f->kind);
        cbor_wr_uint(&w, (uint64_t)f->made_s);
        cbor_wr_bool(&w, f->verified);
        cbor_wr_uint(&w, f->bytes);
        cbor_wr_uint(&w, f->why);
        cbor_wr_uint(&w, (uint64_t)f->fate);
    }
    return cbor_wr_end(&w);
}

void prune_report_keep(struct job *j, const struct retain_folder *folders, size_t count)
{
    struct cf_buf report = { 0 };
    struct cf_err err = { 0 };
    enum cf_rc rc = encode(folders, count < REPORT_FOLDERS ? count : REPORT_FOLDERS, &report, &err);
    if (rc == CF_OK)
        rc = jobs_report_keep(j->r->o.jobs, &j->record, &report, &err);
    if (rc != CF_OK)
        job_warn(j, "the list of folders could not be kept");
    else if (count > REPORT_FOLDERS)
        job_warn(j, "the list of folders is cut: there are too many");
    cf_buf_clear(&report);
}

static void take_name(struct cbor_rd *r, struct retain_folder *f)
{
    size_t len = 0;
    const uint8_t *name = cbor_rd_bytes(r, sizeof f->name - 1, &len);
    if (name)
        memcpy(f->name, name, len);
}

static enum cf_rc decode(const struct cf_buf *report, struct retain_folder **out, size_t *count,
                         struct cf_err *e)
{
    struct cbor_rd r;
    cbor_rd_init(&r, report->data, report->len, e);
    *count = cbor_rd_array(&r, REPORT_FOLDERS);
    *out = calloc(*count + 1, sizeof **out);
    if (!*out)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (size_t i = 0; i < *count && cbor_rd_ok(&r); i++) {
        struct retain_folder *f = &(*out)[i];
        if (cbor_rd_array(&r, 7) != 7)
            cbor_rd_refuse(&r, "a folder of a report has seven members");
        take_name(&r, f);
        f->kind = (enum retain_kind)cbor_rd_uint(&r, RETAIN_UNREADABLE);
        f->made_s = (int64_t)cbor_rd_uint(&r, UINT64_MAX);
        f->verified = cbor_rd_bool(&r);
        f->bytes = cbor_rd_uint(&r, UINT64_MAX);
        f->why = (uint32_t)cbor_rd_uint(&r, UINT32_MAX);
        f->fate = (enum retain_fate)cbor_rd_uint(&r, RETAIN_FATES - 1);
    }
    return cbor_rd_end(&r);
}

enum cf_rc run_prune_report(struct run *r, const char *job_id, struct retain_folder **out,
                            size_t *count, struct cf_err *e)
{
    struct jobs_record rec;
    struct cf_buf report = { 0 };
    *out = NULL;
    *count = 0;
    enum cf_rc rc = jobs_report_get(r->o.jobs, job_id, &rec, &report, e);
    if (rc == CF_OK && rec.kind != JOBS_RETENTION)
        rc = cf_err_code(e, CF_FAIL(e, CF_E_ABSENT, "that job is no pruning"), "NotFound");
    if (rc == CF_OK)
        rc = decode(&report, out, count, e);
    if (rc != CF_OK) {
        free(*out);
        *out = NULL;
        *count = 0;
    }
    cf_buf_clear(&report);
    return rc;
}
