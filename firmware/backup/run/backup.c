#include "run_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_TRIES 20

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
    bool taken = true;
    for (unsigned n = 0; n < NAME_TRIES && taken; n++) {
        struct cf_err err = { 0 };
        name_folder(j, n);
        enum cf_rc rc = seal_salts_next(b->salts, salt, e);
        if (rc != CF_OK)
            return rc;
        rc = far_probe(j, salt, &taken, &err);
        if (rc != CF_OK && (!taken || n + 1 == NAME_TRIES)) {
            *e = err;
            return cf_err_ctx(e, rc, "the storage takes no blobs");
        }
    }
    if (taken)
        return CF_FAIL(e, CF_E_STATE, "folder %s is taken; start the backup again", j->folder);
    return jobs_note(j->r->o.jobs, j->record.id, j->folder, NULL, e);
}

enum cf_rc backup_send(struct backup *b, struct slot *s, struct flow_reader from, struct cf_err *e)
{
    char name[MANIFEST_NAME_SIZE], blob[BLOB_NAME_MAX + 1];
    struct seal_pass pass = { .run = &b->seal,
                              .block = &s->block,
                              .salt = s->salt,
                              .from = from,
                              .digest = !s->block.mapped || b->j->r->o.digest_partitions };
    struct upload_block up = { .blob = blob,
                               .stream = s->block.stream,
                               .number = s->block.number,
                               .salt = s->salt,
                               .wire = flow_wire(&s->block),
                               .pull_ctx = s };
    up.pull = backup_pull;
    enum cf_rc rc = seal_salts_next(b->salts, s->salt, e);
    if (rc == CF_OK)
        rc = seal_writer_begin(s->sealer, &pass, e);
    if (rc != CF_OK)
        return rc;
    manifest_blob_name(s->block.stream, (size_t)(s->block.number / FLOW_BLOB_BLOCKS), name);
    job_blob(b->j, name, blob);
    return upload_block_start(s->writer, &up, slot_end(s), e);
}

enum cf_rc backup_pull(void *ctx, void *buf, size_t cap, size_t *len, struct cf_err *e)
{
    struct slot *s = ctx;
    enum cf_rc rc = seal_writer_pull(s->sealer, buf, cap, len, e);
    return rc == CF_OK ? job_pace(slot_job(s), *len, e) : rc;
}

enum cf_rc backup_ack(struct backup *b, struct slot *s, struct cf_err *e)
{
    struct stream_out *out = &b->streams[s->block.stream];
    uint8_t row[FLOW_ROW_SIZE];
    size_t at = (size_t)s->block.number * FLOW_ROW_SIZE;
    enum cf_rc rc = seal_writer_receipt(s->sealer, &s->receipt, e);
    if (rc != CF_OK)
        return rc;
    flow_row_put(&s->receipt, row);
    rc = journal_row(b->journal, s->block.stream, s->block.number, row, e);
    if (rc != CF_OK)
        return rc;
    engine_lock(b->j->engine);
    if (out->rows.len < at + sizeof row)
        rc = cf_buf_resize(&out->rows, at + sizeof row, e);
    if (rc == CF_OK)
        memcpy(out->rows.data + at, row, sizeof row);
    out->plain += s->receipt.covered;
    out->wire += s->receipt.wire;
    out->blocks++;
    engine_unlock(b->j->engine);
    atomic_fetch_add(&b->j->wire_bytes, s->receipt.wire);
    job_advance(b->j, s->receipt.covered);
    return rc;
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
    enum cf_rc rc = backup_prepare(&b, e);
    if (rc == CF_OK)
        rc = backup_records(&b, e);
    if (rc == CF_OK)
        rc = backup_partitions(&b, e);
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
