#include "out_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "crypto/crypto.h"

#define NAME_TRIES      20
#define IMMUTABLE_TRIES 3 /* a policy that refuses so many folders refuses all */
#define LOST_MAX        4 /* so many times lost blocks are sent again */

/* mhsm-{NAME}-{YYYYMMDDHHMMSS}, UTC, of the moment of the request; where that is taken, two digits
 * of hundredths follow, and then the next ones. Names of one second sort by age: who gets to it
 * after its end is its last. */
static void name_folder(struct job *j, unsigned try_)
{
    struct tm tm;
    time_t at = (time_t)j->record.start_s;
    char stamp[16];
    int64_t late = hal_clock_unix_ms(j->r->o.clock) / 10 - j->record.start_s * 100;
    unsigned hundredths = late < 0 ? 0 : late > 99 ? 99 : (unsigned)late;
    int len = (int)sizeof j->folder;
    gmtime_r(&at, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S", &tm);
    if (try_)
        snprintf(j->folder, (size_t)len, "mhsm-%s-%s%02u", j->r->o.hsm_name, stamp,
                 (hundredths + try_ - 1) % 100);
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
        rc = journal_out_folder(b->journal, j->folder, salt, e);
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
    enum cf_rc rc = journal_out_claimed(b->journal, (uint8_t)probe.layout, e);
    return rc == CF_OK ? jobs_note(j->r->o.jobs, j->record.id, j->folder, NULL, e) : rc;
}

void backup_count(struct backup *b, size_t stream)
{
    struct stream_out *out = &b->streams[stream];
    for (size_t at = 0; at < out->rows.len; at += FLOW_ROW_SIZE) {
        struct flow_receipt row;
        flow_row_get(out->rows.data + at, &row);
        if (!row.covered)
            continue;
        out->plain += row.covered;
        out->wire += row.wire;
        out->blocks++;
        atomic_fetch_add(&b->j->wire_bytes, row.wire);
        job_advance(b->j, row.covered);
    }
}

static enum cf_rc make_streams(struct backup *b, struct cf_err *e)
{
    enum cf_rc rc = backup_choose_parts(b, e);
    if (rc != CF_OK)
        return rc;
    b->stream_count = 2 + b->part_count;
    b->streams = calloc(b->stream_count, sizeof *b->streams);
    return b->streams ? manifest_set_streams(&b->m, b->stream_count, e)
                      : CF_FAIL(e, CF_E_LIMIT, "no memory");
}

/* The life's number is in the salts' key: were both random sources stuck, no two lives of a data
 * key would draw the same salts. */
enum cf_rc backup_draw(struct backup *b, uint64_t life, struct cf_err *e)
{
    struct run *r = b->j->r;
    uint8_t mixed[32 + FLOW_ID_SIZE + 8], other[32];
    b->seal = (struct seal_run){ .dk = b->dk, .recorder = r->o.domain.recorder };
    memcpy(b->seal.backup_id, b->env.backup_id, FLOW_ID_SIZE);
    memcpy(mixed + 32, b->env.backup_id, FLOW_ID_SIZE);
    cf_le64(mixed + 32 + FLOW_ID_SIZE, life);
    struct token_wait wait = { 0 };
    enum cf_rc rc = CF_OK;
    do
        rc = hal_token_random(r->o.domain.token, mixed, 32, e);
    while (patience_token(b->j, &wait, &rc, e));
    if (rc == CF_OK)
        rc = crypto_digest(HAL_SHA256, mixed, sizeof mixed, other, e);
    if (rc == CF_OK)
        rc = seal_salts_new(r->o.entropy, r->o.clock, other, &b->salts, e);
    cf_wipe(other, sizeof other);
    cf_wipe(mixed, sizeof mixed);
    return rc;
}

static enum cf_rc make_data_key(struct backup *b, struct cf_err *e)
{
    const struct run_options *o = &b->j->r->o;
    struct token_wait wait = { 0 };
    uint64_t created_ms = (uint64_t)b->j->record.start_s * 1000;
    enum cf_rc rc = CF_OK;
    do
        rc = manifest_envelope_make(&o->domain, o->entropy, created_ms, &b->env, &b->dk, e);
    while (patience_token(b->j, &wait, &rc, e));
    return rc;
}

static enum cf_rc begin_anew(struct backup *b, struct cf_err *e)
{
    struct run *r = b->j->r;
    struct engine_options eo = { .job = b->j, .write = true };
    const struct journal_file f = run_journal(r, JOURNAL_OUT);
    struct journal_begin begin = { .job_id = b->j->record.id, .env = &b->env };
    enum cf_rc rc = make_streams(b, e);
    if (rc == CF_OK)
        rc = backup_check_parts(b, e);
    if (rc == CF_OK)
        rc = make_data_key(b, e);
    if (rc == CF_OK)
        rc = backup_draw(b, 0, e);
    if (rc == CF_OK)
        rc = journal_out_begin(&f, &begin, &b->journal, e);
    if (rc == CF_OK)
        rc = claim_folder(b, e);
    if (rc == CF_OK)
        rc = engine_new(&eo, &b->j->engine, e);
    return rc;
}

static void backup_clear(struct backup *b)
{
    engine_free(b->j->engine); /* it reads what is cleared now */
    b->j->engine = NULL;
    records_out_free(b->records);
    for (size_t i = 0; i < 2; i++)
        free(b->lists[i].item);
    for (size_t i = 0; b->streams && i < b->stream_count; i++) {
        cf_buf_clear(&b->streams[i].rows);
        chunk_index_clear(&b->streams[i].index);
    }
    free(b->streams);
    free(b->parts);
    free(b->left_why);
    journal_close(b->journal);
    seal_salts_free(b->salts);
    cf_secret_free(b->dk);
    manifest_clear(&b->m);
    cf_buf_clear(&b->ready);
}

/* Takes up an earlier life's work, or begins. */
static enum cf_rc backup_prepare(struct backup *b, struct cf_err *e)
{
    bool usable = false;
    enum cf_rc rc = CF_OK;
    if (b->j->taken_up) {
        rc = make_streams(b, e);
        if (rc == CF_OK)
            rc = backup_take_up(b, &usable, e);
    }
    if (rc != CF_OK || usable)
        return rc;
    backup_clear(b);
    *b = (struct backup){ .j = b->j };
    return begin_anew(b, e);
}

static enum cf_rc one_life(struct backup *b, struct cf_err *e)
{
    struct job *j = b->j;
    job_phase(j, "preparing");
    enum cf_rc rc = backup_prepare(b, e);
    job_phase(j, "keys");
    if (rc == CF_OK && !b->ready.len)
        rc = backup_records(b, e);
    job_phase(j, "partitions");
    if (rc == CF_OK && !b->ready.len)
        rc = backup_partitions(b, e);
    job_phase(j, "manifest");
    return rc == CF_OK ? backup_finish(b, e) : rc;
}

/* What is not a blob yet may vanish over there, behind a week or by another writer's commit. It is
 * looked for and sent again as after a restart: another life, with salts of its own. */
static bool begin_next_life(struct job *j, unsigned lost)
{
    if (!j->lost || lost > LOST_MAX)
        return false;
    cf_log(CF_LOG_WARN, "run", "blocks-lost", "job=%s times=%u", j->record.id, lost);
    if (lost == 1)
        job_warn(j, "blocks vanished from the storage and were sent again: see to it that no other "
                    "program writes or deletes there");
    j->taken_up = true;
    j->lost = false;
    atomic_store(&j->done_bytes, 0);
    atomic_store(&j->total_bytes, 0);
    atomic_store(&j->moving_bytes, 0);
    atomic_store(&j->wire_bytes, 0);
    return true;
}

enum cf_rc backup_main(struct job *j, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    unsigned lost = 0;
    do {
        struct backup b = { .j = j };
        struct cf_err err = { 0 };
        rc = one_life(&b, &err);
        backup_clear(&b);
        *e = err;
    } while (rc != CF_OK && begin_next_life(j, ++lost));
    return j->lost ? cf_err_ctx(e, rc,
                                "blocks vanished from the storage %u times: another program writes "
                                "or deletes there, or nothing uncommitted is kept",
                                lost)
                   : rc;
}

enum cf_rc prebackup_main(struct job *j, struct cf_err *e)
{
    struct backup b = { .j = j };
    char text[320];
    enum cf_rc rc = backup_choose_parts(&b, e);
    if (rc == CF_OK)
        rc = backup_check_parts(&b, e);
    for (size_t i = 0; rc == CF_OK && i < b.m.left_out_count; i++) {
        snprintf(text, sizeof text, "the backup would be incomplete: partition %s is %s",
                 b.m.left_out[i], b.left_why[i]);
        job_warn(j, text);
    }
    backup_clear(&b);
    return rc == CF_OK && j->store ? far_reach(j, "mhsm-precheck", e) : rc;
}
