#include "run_priv.h"

#include <stdlib.h>
#include <string.h>

#define DRAW 512 /* random numbers fetched at once */

static size_t slot_of(const struct proof *p, uint32_t stream)
{
    return stream == FLOW_META ? p->count - 1 : stream;
}

/* --- which blocks
 * --------------------------------------------------------------------------------- */

static enum cf_rc make_room(struct proof_stream *s, uint64_t blocks, struct cf_err *e)
{
    s->blocks = blocks;
    s->wanted = calloc((size_t)blocks + 1, 1);
    s->taken = calloc((size_t)blocks + 1, 1);
    s->digest = calloc((size_t)blocks + 1, sizeof *s->digest);
    return s->wanted && s->taken && s->digest ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory");
}

/* Selection in one pass (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S): of what is
 * left, each block is taken with the chance that fills the share. First and last always
 * are, and the share is that of the others, rounded up: every block has its chance. */
static enum cf_rc choose(struct hal_entropy *entropy, unsigned percent, struct proof_stream *s,
                         struct cf_err *e)
{
    uint64_t random[DRAW];
    uint64_t left = s->blocks > 2 ? s->blocks - 2 : 0;
    uint64_t due = left / 100 * percent + (left % 100 * percent + 99) / 100;
    for (uint64_t i = 0; i < s->blocks; i++) {
        bool end = i == 0 || i + 1 == s->blocks;
        if (i % DRAW == 0) {
            enum cf_rc rc = hal_entropy_fill(entropy, random, sizeof random, e);
            if (rc != CF_OK)
                return rc;
        }
        s->wanted[i] = end || random[i % DRAW] % left < due; /* 2^64 / left is large: no bias */
        due -= !end && s->wanted[i];
        left -= !end;
    }
    return CF_OK;
}

static uint64_t wanted_plain(const struct proof_stream *s, const uint8_t *rows)
{
    uint64_t plain = 0;
    for (uint64_t i = 0; i < s->blocks; i++) {
        struct flow_receipt row;
        flow_row_get(rows + i * FLOW_ROW_SIZE, &row);
        plain += s->wanted[i] ? row.covered : 0;
    }
    return plain;
}

enum cf_rc proof_begin(struct backup_in *b, struct proof *p, struct cf_err *e)
{
    const struct manifest *m = &b->m;
    enum cf_rc rc = CF_OK;
    uint64_t plain = 0;
    p->count = m->stream_count + 1;
    p->streams = calloc(p->count, sizeof *p->streams);
    if (!p->streams)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (size_t i = 0; rc == CF_OK && i < p->count; i++) {
        struct proof_stream *s = &p->streams[i];
        bool meta = i == m->stream_count;
        rc = make_room(s, meta ? m->meta.count : m->streams[i].blocks, e);
        if (rc == CF_OK && p->percent < 100 && !meta)
            rc = choose(b->j->r->o.entropy, p->percent, s, e);
        else if (rc == CF_OK)
            memset(s->wanted, 1, (size_t)s->blocks);
        if (rc == CF_OK && !meta)
            plain += wanted_plain(s, b->meta.data + m->streams[i].table_offset);
    }
    for (size_t i = 0; rc == CF_OK && i < m->meta.count; i++) { /* it was read before */
        memcpy(proof_digest(p, FLOW_META, i), m->meta.blocks[i].digest, FLOW_DIGEST_SIZE);
        proof_taken(p, FLOW_META, i);
    }
    atomic_store(&b->j->total_bytes, plain);
    return rc;
}

void proof_clear(struct proof *p)
{
    for (size_t i = 0; p->streams && i < p->count; i++) {
        free(p->streams[i].wanted);
        free(p->streams[i].taken);
        free(p->streams[i].digest);
    }
    free(p->streams);
    *p = (struct proof){ 0 };
}

/* --- what was seen
 * -------------------------------------------------------------------------------- */

bool proof_wants(const struct proof *p, uint32_t stream, uint64_t block)
{
    return !p || p->streams[slot_of(p, stream)].wanted[block];
}

uint8_t *proof_digest(const struct proof *p, uint32_t stream, uint64_t block)
{
    return p ? p->streams[slot_of(p, stream)].digest[block] : NULL;
}

void proof_taken(const struct proof *p, uint32_t stream, uint64_t block)
{
    if (p)
        p->streams[slot_of(p, stream)].taken[block] = 1;
}

static uint64_t taken_of(const struct proof_stream *s)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < s->blocks; i++)
        n += s->taken[i];
    return n;
}

struct proof_tally proof_tally(const struct proof *p)
{
    struct proof_tally t = { 0 };
    for (size_t i = 0; i < p->count; i++) {
        t.blocks += p->streams[i].blocks;
        t.taken += taken_of(&p->streams[i]);
    }
    return t;
}

/* --- the receipt
 * ------------------------------------------------------------------------------------ */

static uint64_t meta_wire(const struct manifest *m)
{
    uint64_t wire = 0;
    for (size_t i = 0; i < m->meta.count; i++)
        wire += m->meta.blocks[i].wire;
    return wire;
}

static enum cf_rc fill_read(const struct manifest *m, const struct proof *p, size_t i,
                            struct manifest_read *out, struct cf_err *e)
{
    const struct proof_stream *s = &p->streams[i];
    bool meta = i == m->stream_count;
    *out = (struct manifest_read){ .stream = meta ? FLOW_META : (uint32_t)i,
                                   .blocks = s->blocks,
                                   .wire = meta ? meta_wire(m) : m->streams[i].wire,
                                   .read = taken_of(s) };
    if (out->read < out->blocks)
        return CF_OK;
    return manifest_tree_root((const uint8_t(*)[FLOW_DIGEST_SIZE])s->digest, s->blocks, out->root,
                              e);
}

/* What all receipts of this job say alike. */
static struct manifest_receipt begin_receipt(const struct backup_in *b,
                                             const struct manifest_read *reads)
{
    const struct job *j = b->j;
    struct manifest_receipt r = {
        .started_s = (uint64_t)j->record.start_s,
        .ended_s = (uint64_t)(hal_clock_unix_ms(j->r->o.clock) / 1000),
        .job = j->record.id,
        .since_s = j->r->o.member_since_s,
        .m = &b->m,
        .reads = reads,
        .read_count = b->m.stream_count + 1,
        .bytes = atomic_load(&j->wire_bytes),
    };
    memcpy(r.verifier, j->r->o.appliance_id, sizeof r.verifier);
    return r;
}

enum cf_rc proof_receipt(const struct backup_in *b, struct cf_buf *out, struct cf_err *e)
{
    const struct proof *p = b->proof;
    struct manifest_read *reads = calloc(p->count, sizeof *reads);
    enum cf_rc rc = reads ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (size_t i = 0; rc == CF_OK && i < p->count; i++)
        rc = fill_read(&b->m, p, i, &reads[i], e);
    struct manifest_receipt r = begin_receipt(b, reads);
    r.scope = proof_samples(p) ? MANIFEST_PROVES_SAMPLE : MANIFEST_PROVES_ALL;
    r.percent = p->percent;
    r.keys = p->keys;
    r.versions = p->versions;
    if (rc == CF_OK)
        rc = manifest_receipt_build(&b->j->r->o.domain, &r, out, e);
    free(reads);
    return rc;
}

enum cf_rc proof_receipt_of_key(const struct backup_in *b, uint64_t versions, struct cf_buf *out,
                                struct cf_err *e)
{
    const struct manifest *m = &b->m;
    struct manifest_read *reads = calloc(m->stream_count + 1, sizeof *reads);
    if (!reads)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    for (size_t i = 0; i < m->stream_count; i++)
        reads[i] = (struct manifest_read){ .stream = (uint32_t)i,
                                           .blocks = m->streams[i].blocks,
                                           .wire = m->streams[i].wire };
    reads[m->stream_count] = (struct manifest_read){ .stream = FLOW_META,
                                                     .blocks = m->meta.count,
                                                     .wire = meta_wire(m) };
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i <= m->stream_count; i++)
        if (reads[i].blocks == 0)
            rc = manifest_tree_root(NULL, 0, reads[i].root, e);
    struct manifest_receipt r = begin_receipt(b, reads);
    r.scope = MANIFEST_PROVES_PART;
    r.keys = 1;
    r.versions = versions;
    if (rc == CF_OK)
        rc = manifest_receipt_build(&b->j->r->o.domain, &r, out, e);
    free(reads);
    return rc;
}

/* --- the index, for blocks that are looked at alone
 * ------------------------------------------------- */

enum cf_rc proof_index(const struct backup_in *b, uint32_t stream, size_t **starts,
                       struct cf_err *e)
{
    const struct manifest_stream *s = &b->m.streams[stream];
    const uint8_t *rows = b->meta.data + s->table_offset;
    struct cf_rd rd = cf_rd_of(b->meta.data + s->index_offset, (size_t)s->index_len);
    struct cf_rd last = { 0 };
    size_t *at = calloc((size_t)s->blocks + 1, sizeof *at);
    if (!at)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    *starts = at;
    for (uint64_t i = 0; i < s->blocks; i++) {
        struct flow_receipt row;
        flow_row_get(rows + i * FLOW_ROW_SIZE, &row);
        at[i] = (size_t)s->index_len - rd.left;
        for (uint32_t c = row.covered >> s->chunk_log2; c > 0; c--) {
            struct cf_rd name = { .left = cf_rd_le16(&rd) };
            name.p = cf_rd_bytes(&rd, name.left);
            (void)cf_rd_le32(&rd);
            if (rd.bad || (name.left && last.left && chunk_name_order(last, name) >= 0))
                return CF_FAIL(e, CF_E_CORRUPT, "the index of stream %s is not true", s->name);
            if (name.left)
                last = name;
        }
    }
    at[s->blocks] = (size_t)s->index_len - rd.left;
    return rd.left == 0 ? CF_OK
                        : CF_FAIL(e, CF_E_CORRUPT, "the index of stream %s is not true", s->name);
}
