/* The journal of a backup: what its next life needs (FORMAT.md, 8). */
#include "run_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* BEGIN: job id | envelope | version. ROW: le32 stream | le64 block | row. MANIFEST: le64 seq | MAC
 * | bytes. LIFE: le64. FOLDER: salt | name. CLAIMED: layout. STREAM: le32 number | le64 size | le64
 * changes | log2 | name. DONE: le32 number | closing. */
enum {
    REC_BEGIN = 1,
    REC_ROW = 2,
    REC_MANIFEST = 4,
    REC_LIFE = 5,
    REC_FOLDER = 6,
    REC_CLAIMED = 7,
    REC_STREAM = 8,
    REC_DONE = 9
};
#define VERSION 2 /* version 1 had no number, and nothing but rows */

/* --- writing -------------------------------------------------------------------------------------
 */

enum cf_rc journal_out_begin(const struct journal_file *f, const struct journal_begin *b,
                             struct journal **out, struct cf_err *e)
{
    uint8_t payload[JOBS_ID_SIZE + MANIFEST_ENVELOPE_SIZE + 1] = { 0 };
    struct journal_record r = { REC_BEGIN, payload, sizeof payload };
    struct journal *j = NULL;
    snprintf((char *)payload, JOBS_ID_SIZE, "%s", b->job_id);
    memcpy(payload + JOBS_ID_SIZE, b->env->bytes, MANIFEST_ENVELOPE_SIZE);
    payload[sizeof payload - 1] = VERSION;
    enum cf_rc rc = journal_create(f, &j, e);
    if (rc == CF_OK)
        rc = journal_row(j, &r, e);
    if (rc != CF_OK) {
        journal_close(j);
        return rc;
    }
    *out = j;
    return CF_OK;
}

enum cf_rc journal_out_life(struct journal *j, uint64_t number, struct cf_err *e)
{
    uint8_t payload[8];
    cf_le64(payload, number);
    return journal_put(j, &(struct journal_record){ REC_LIFE, payload, sizeof payload }, e);
}

enum cf_rc journal_out_folder(struct journal *j, const char *folder,
                              const uint8_t salt[FLOW_SALT_SIZE], struct cf_err *e)
{
    uint8_t payload[FLOW_SALT_SIZE + JOBS_FOLDER_SIZE];
    size_t len = strnlen(folder, JOBS_FOLDER_SIZE - 1);
    memcpy(payload, salt, FLOW_SALT_SIZE);
    memcpy(payload + FLOW_SALT_SIZE, folder, len);
    return journal_put(j, &(struct journal_record){ REC_FOLDER, payload, FLOW_SALT_SIZE + len }, e);
}

enum cf_rc journal_out_claimed(struct journal *j, uint8_t layout, struct cf_err *e)
{
    return journal_row(j, &(struct journal_record){ REC_CLAIMED, &layout, 1 }, e);
}

enum cf_rc journal_out_stream(struct journal *j, uint32_t number, const struct journal_stream *s,
                              struct cf_err *e)
{
    uint8_t payload[4 + 8 + 8 + 1 + MANIFEST_NAME_SIZE];
    size_t len = strnlen(s->name, MANIFEST_NAME_SIZE - 1);
    cf_le32(payload, number);
    cf_le64(payload + 4, s->size);
    cf_le64(payload + 12, s->changes);
    payload[20] = s->chunk_log2;
    memcpy(payload + 21, s->name, len);
    return journal_row(j, &(struct journal_record){ REC_STREAM, payload, 21 + len }, e);
}

enum cf_rc journal_out_row(struct journal *j, uint32_t stream, uint64_t block,
                           const uint8_t row[FLOW_ROW_SIZE], struct cf_err *e)
{
    uint8_t payload[12 + FLOW_ROW_SIZE];
    cf_le32(payload, stream);
    cf_le64(payload + 4, block);
    memcpy(payload + 12, row, FLOW_ROW_SIZE);
    return journal_row(j, &(struct journal_record){ REC_ROW, payload, sizeof payload }, e);
}

static enum cf_rc put_two(struct journal *j, uint8_t type, struct cf_buf *head,
                          const struct cf_buf *more, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_put(head, more->data, more->len, e);
    if (rc == CF_OK)
        rc = journal_row(j, &(struct journal_record){ type, head->data, head->len }, e);
    cf_buf_clear(head);
    return rc;
}

enum cf_rc journal_out_done(struct journal *j, uint32_t stream, const struct cf_buf *closing,
                            struct cf_err *e)
{
    uint8_t number[4];
    struct cf_buf payload = { 0 };
    cf_le32(number, stream);
    enum cf_rc rc = cf_buf_put(&payload, number, sizeof number, e);
    return rc == CF_OK ? put_two(j, REC_DONE, &payload, closing, e) : rc;
}

enum cf_rc journal_out_manifest(struct journal *j, const struct journal_last *it,
                                const struct cf_buf *bytes, struct cf_err *e)
{
    uint8_t head[8 + MANIFEST_MAC_SIZE];
    struct cf_buf payload = { 0 };
    cf_le64(head, it->seq);
    memcpy(head + 8, it->mac, sizeof it->mac);
    enum cf_rc rc = cf_buf_put(&payload, head, sizeof head, e);
    if (rc == CF_OK)
        rc = put_two(j, REC_MANIFEST, &payload, bytes, e);
    return rc == CF_OK ? journal_flush(j, e) : rc;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static void read_begin(struct journal_past *p, struct cf_rd *rd)
{
    const uint8_t *id = cf_rd_bytes(rd, JOBS_ID_SIZE);
    const uint8_t *env = cf_rd_bytes(rd, MANIFEST_ENVELOPE_SIZE);
    if (cf_rd_u8(rd) != VERSION || !cf_rd_done(rd) || !env || id[JOBS_ID_SIZE - 1] != 0)
        return;
    memcpy(p->job_id, id, JOBS_ID_SIZE);
    memcpy(p->env.bytes, env, MANIFEST_ENVELOPE_SIZE);
}

static enum cf_rc copy_rest(struct cf_buf *to, struct cf_rd *rd, struct cf_err *e)
{
    enum cf_rc rc = cf_buf_resize(to, 0, e);
    return rc == CF_OK ? cf_buf_put(to, rd->p, rd->left, e) : rc;
}

static void copy_text(char *to, size_t size, struct cf_rd *rd)
{
    size_t len = rd->left < size - 1 ? rd->left : size - 1;
    memcpy(to, rd->p, len);
    to[len] = 0;
}

/* NULL: the number is out of range, or there is no memory. */
static struct journal_stream *stream_of(struct journal_past *p, uint32_t number)
{
    if (number >= FLOW_STREAMS_MAX)
        return NULL;
    if (number >= p->stream_count) {
        struct journal_stream *more = reallocarray(p->streams, number + 1, sizeof *more);
        if (!more)
            return NULL;
        memset(more + p->stream_count, 0, (number + 1 - p->stream_count) * sizeof *more);
        p->streams = more;
        p->stream_count = number + 1;
    }
    return &p->streams[number];
}

static void stream_clear(struct journal_stream *s)
{
    cf_buf_clear(&s->rows);
    cf_buf_clear(&s->closing);
    *s = (struct journal_stream){ 0 };
}

static void read_stream(struct journal_stream *s, struct cf_rd *rd)
{
    stream_clear(s);
    s->size = cf_rd_le64(rd);
    s->changes = cf_rd_le64(rd);
    s->chunk_log2 = cf_rd_u8(rd);
    copy_text(s->name, sizeof s->name, rd);
    s->begun = !rd->bad;
}

static enum cf_rc read_row(struct journal_stream *s, struct cf_rd *rd, struct cf_err *e)
{
    uint64_t block = cf_rd_le64(rd);
    const uint8_t *row = cf_rd_bytes(rd, FLOW_ROW_SIZE);
    if (!row || !cf_rd_done(rd) || block >= (uint64_t)FLOW_BLOBS_MAX * FLOW_BLOB_BLOCKS)
        return CF_OK;
    size_t at = (size_t)block * FLOW_ROW_SIZE;
    enum cf_rc rc =
        at + FLOW_ROW_SIZE > s->rows.len ? cf_buf_resize(&s->rows, at + FLOW_ROW_SIZE, e) : CF_OK;
    if (rc == CF_OK)
        memcpy(s->rows.data + at, row, FLOW_ROW_SIZE);
    return rc;
}

static enum cf_rc read_manifest(struct journal_past *p, struct cf_rd *rd, struct cf_err *e)
{
    p->it.seq = cf_rd_le64(rd);
    const uint8_t *mac = cf_rd_bytes(rd, MANIFEST_MAC_SIZE);
    if (!mac)
        return CF_OK;
    memcpy(p->it.mac, mac, MANIFEST_MAC_SIZE);
    return copy_rest(&p->manifest, rd, e);
}

static enum cf_rc read_of_stream(struct journal_past *p, uint8_t type, struct cf_rd *rd,
                                 struct cf_err *e)
{
    struct journal_stream *s = stream_of(p, cf_rd_le32(rd));
    if (!s)
        return CF_FAIL(e, CF_E_CORRUPT, "the backup's journal names a stream that cannot be");
    if (type == REC_STREAM)
        read_stream(s, rd);
    else if (type == REC_ROW)
        return read_row(s, rd, e);
    else
        s->done = true;
    return type == REC_DONE ? copy_rest(&s->closing, rd, e) : CF_OK;
}

static enum cf_rc read_record(void *ctx, const struct journal_record *r, struct cf_err *e)
{
    struct journal_past *p = ctx;
    struct cf_rd rd = cf_rd_of(r->payload, r->len);
    const uint8_t *salt;
    switch (r->type) {
    case REC_BEGIN:
        read_begin(p, &rd);
        return CF_OK;
    case REC_LIFE:
        p->lives = cf_rd_le64(&rd);
        return CF_OK;
    case REC_FOLDER:
        salt = cf_rd_bytes(&rd, FLOW_SALT_SIZE);
        if (salt)
            memcpy(p->probe_salt, salt, FLOW_SALT_SIZE);
        copy_text(p->folder, sizeof p->folder, &rd);
        p->claimed = false;
        return CF_OK;
    case REC_CLAIMED:
        p->layout = cf_rd_u8(&rd);
        p->claimed = !rd.bad;
        return CF_OK;
    case REC_MANIFEST:
        return read_manifest(p, &rd, e);
    case REC_STREAM:
    case REC_ROW:
    case REC_DONE:
        return read_of_stream(p, r->type, &rd, e);
    default:
        p->job_id[0] = 0; /* of a newer firmware */
        return CF_OK;
    }
}

enum cf_rc journal_past_read(const struct journal_file *f, struct journal_past *p, struct cf_err *e)
{
    *p = (struct journal_past){ 0 };
    enum cf_rc rc = journal_read(f, read_record, p, &p->kept, e);
    if (rc != CF_OK)
        journal_past_clear(p);
    return rc;
}

void journal_past_clear(struct journal_past *p)
{
    for (size_t i = 0; i < p->stream_count; i++)
        stream_clear(&p->streams[i]);
    free(p->streams);
    cf_buf_clear(&p->manifest);
    *p = (struct journal_past){ 0 };
}
