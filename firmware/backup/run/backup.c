#include "run_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

#define NAME_TRIES      20
#define IMMUTABLE_TRIES 3 /* a policy that refuses so many folders refuses all */

/* mhsm-{NAME}-{YYYYMMDDHHMMSS}, UTC, of the moment of the request; where that is taken, two digits
 * of hundredths follow, and then the next ones. */
static void name_folder(struct job *j, unsigned try_)
{
    struct tm tm;
    time_t at = (time_t)j->record.start_s;
    char stamp[16];
    int len = (int)sizeof j->folder;
    gmtime_r(&at, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S", &tm);
    if (try_)
        snprintf(j->folder, (size_t)len, "mhsm-%s-%s%02d", j->r->o.hsm_name, stamp,
                 (int)((hal_clock_unix_ms(j->r->o.clock) / 10 + try_ - 1) % 100));
    else
        snprintf(j->folder, (size_t)len, "mhsm-%s-%s", j->r->o.hsm_name, stamp);
}

static enum cf_rc claim_folder(struct backup *b, struct cf_err *e)
{
    struct job *j = b->j;
    uint8_t salt[FLOW_SALT_SIZE];
    struct run_probe probe = { .taken = true };
    for (unsigned n = 0; n < NAME_TRIES && probe.taken; n++) {
        struct cf_err err = { 0 };
        name_folder(j, n);
        enum cf_rc rc = seal_salts_next(b->salts, salt, e);
        if (rc != CF_OK)
            return rc;
        rc = far_probe(j, salt, &probe, &err);
        if (rc != CF_OK && (!probe.taken || n + 1 >= IMMUTABLE_TRIES)) {
            *e = err;
            return cf_err_ctx(e, rc, "the storage takes no blobs");
        }
    }
    if (probe.taken)
        return CF_FAIL(e, CF_E_STATE, "folder %s is taken; start the backup again", j->folder);
    b->m.layout = probe.layout;
    if (probe.layout == MANIFEST_WHOLE)
        cf_log(CF_LOG_INFO, "run", "no-block-lists", "job=%s layout=1", j->record.id);
    return jobs_note(j->r->o.jobs, j->record.id, j->folder, NULL, e);
}

static enum cf_rc note_blob(struct manifest_stream *ms, size_t part, const char *name,
                            const struct upload_list *list)
{
    struct manifest_blob *mb = &ms->blobs[part];
    snprintf(mb->name, sizeof mb->name, "%s", name);
    mb->first = list->first;
    mb->blocks = list->count;
    mb->bytes = list->bytes;
    ms->blob_count = part + 1;
    return CF_OK;
}

enum cf_rc backup_commit_stream(struct backup *b, uint32_t number, struct cf_err *e)
{
    struct stream_out *out = &b->streams[number];
    struct manifest_stream *ms = &b->m.streams[number];
    size_t parts = (size_t)((out->blocks + FLOW_BLOB_BLOCKS - 1) / FLOW_BLOB_BLOCKS);
    enum cf_rc rc = journal_flush(b->journal, e);
    if (b->m.layout == MANIFEST_WHOLE) /* each block is its blob, and there */
        return rc;
    if (parts > FLOW_BLOBS_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "stream %u would need %zu blobs", number, parts);
    ms->blobs = calloc(parts + 1, sizeof *ms->blobs);
    if (!ms->blobs)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (size_t part = 0; rc == CF_OK && part < parts; part++) {
        char name[MANIFEST_NAME_SIZE];
        uint64_t first = (uint64_t)part * FLOW_BLOB_BLOCKS, left = out->blocks - first;
        struct upload_list list = { .stream = number,
                                    .first = first,
                                    .rows = out->rows.data + first * FLOW_ROW_SIZE,
                                    .count =
                                        left < FLOW_BLOB_BLOCKS ? (size_t)left : FLOW_BLOB_BLOCKS };
        for (size_t i = 0; i < list.count; i++) {
            struct flow_receipt row;
            flow_row_get(list.rows + i * FLOW_ROW_SIZE, &row);
            list.bytes += row.wire;
        }
        manifest_blob_name(number, part, name);
        rc = far_commit(b->j, name, &list, e);
        if (rc == CF_OK)
            rc = note_blob(ms, part, name, &list);
    }
    return rc;
}

static enum cf_rc backup_prepare(struct backup *b, struct cf_err *e)
{
    struct run *r = b->j->r;
    struct engine_options eo = { .job = b->j, .write = true };
    uint8_t other[32];
    b->stream_count = 2 + r->o.partition_count;
    b->streams = calloc(b->stream_count, sizeof *b->streams);
    if (!b->streams)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    enum cf_rc rc = manifest_set_streams(&b->m, b->stream_count, e);
    if (rc == CF_OK)
        rc = manifest_envelope_make(&r->o.domain, r->o.entropy,
                                    (uint64_t)b->j->record.start_s * 1000, &b->env, &b->dk, e);
    if (rc == CF_OK)
        rc = hal_token_random(r->o.domain.token, other, sizeof other, e);
    if (rc == CF_OK)
        rc = seal_salts_new(r->o.entropy, r->o.clock, other, &b->salts, e);
    cf_wipe(other, sizeof other);
    b->seal = (struct seal_run){ .dk = b->dk, .recorder = r->o.domain.recorder };
    memcpy(b->seal.backup_id, b->env.backup_id, FLOW_ID_SIZE);
    if (rc == CF_OK)
        rc = journal_begin(r->o.dir, b->j->record.id, &b->env, &b->journal, e);
    if (rc == CF_OK)
        rc = claim_folder(b, e);
    if (rc == CF_OK)
        rc = engine_new(&eo, &b->j->engine, e);
    return rc;
}

static void backup_clear(struct backup *b)
{
    for (size_t i = 0; b->streams && i < b->stream_count; i++) {
        cf_buf_clear(&b->streams[i].rows);
        chunk_index_clear(&b->streams[i].index);
    }
    free(b->streams);
    journal_close(b->journal);
    seal_salts_free(b->salts);
    cf_secret_free(b->dk);
    manifest_clear(&b->m);
}

enum cf_rc backup_main(struct job *j, struct cf_err *e)
{
    struct backup b = { .j = j };
    job_phase(j, "preparing");
    enum cf_rc rc = backup_prepare(&b, e);
    job_phase(j, "keys");
    if (rc == CF_OK)
        rc = backup_records(&b, e);
    job_phase(j, "partitions");
    if (rc == CF_OK)
        rc = backup_partitions(&b, e);
    job_phase(j, "manifest");
    if (rc == CF_OK)
        rc = backup_finish(&b, e);
    engine_free(j->engine); /* it reads what is cleared now */
    j->engine = NULL;
    backup_clear(&b);
    return rc;
}

enum cf_rc prebackup_main(struct job *j, struct cf_err *e)
{
    return j->store ? far_reach(j, "mhsm-precheck", e) : CF_OK;
}
