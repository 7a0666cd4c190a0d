#include "chunk_priv.h"

#include <stdlib.h>
#include <string.h>

struct chunk_unpacker {
    uint8_t chunk_log2;
    struct chunk_taker taker;
    struct chunk_index *index;
    uint64_t place; /* in the stream: of the next byte */
    uint32_t left;  /* of this block */
    uint64_t start; /* where the open record's length field began */
    uint8_t head[4];
    size_t head_len;
    uint32_t want; /* bytes of the open record; 0: in the length field */
    struct cf_buf body;
    bool padding; /* the rest of the block is zeros */
    bool stopped;
    uint64_t records;
    struct last_name last;
};

enum cf_rc chunk_unpacker_new(uint8_t chunk_log2, struct chunk_taker taker,
                              struct chunk_index *index, struct chunk_unpacker **out,
                              struct cf_err *e)
{
    struct chunk_unpacker *u = calloc(1, sizeof *u);
    if (!u)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    u->chunk_log2 = chunk_log2;
    u->taker = taker;
    u->index = index;
    *out = u;
    return CF_OK;
}

void chunk_unpacker_free(struct chunk_unpacker *u)
{
    if (!u)
        return;
    cf_buf_clear(&u->body);
    free(u);
}

enum cf_rc chunk_unpacker_block(struct chunk_unpacker *u, uint32_t left, struct cf_err *e)
{
    if (u->left || u->head_len || u->want)
        return CF_FAIL(e, CF_E_STATE, "the block before is not ended");
    u->left = left;
    u->padding = false;
    return CF_OK;
}

static enum cf_rc take_record(struct chunk_unpacker *u, struct cf_err *e)
{
    struct cf_rd name;
    enum cf_rc rc = chunk_record_name(u->body.data, u->body.len, &name, e);
    if (rc != CF_OK)
        return rc;
    if (!chunk_name_next(&u->last, name))
        return CF_FAIL(e, CF_E_CORRUPT, "records are not in order");
    if (u->index)
        rc = chunk_index_note(u->index, u->chunk_log2, u->start, name, e);
    if (rc == CF_OK)
        rc = u->taker.take(u->taker.ctx, name, u->body.data, u->body.len, &u->stopped, e);
    u->records++;
    u->want = 0;
    if (rc == CF_OK)
        rc = cf_buf_resize(&u->body, 0, e);
    return rc;
}

/* The length field is whole, or too little is left for one: decide what follows. */
static enum cf_rc head_done(struct chunk_unpacker *u, struct cf_err *e)
{
    struct cf_rd rd = cf_rd_of(u->head, sizeof u->head);
    uint32_t len = cf_rd_le32(&rd);
    u->head_len = 0;
    if (len == 0) {
        uint64_t pad = (uint64_t)u->left + sizeof u->head;
        if (pad >= 1ULL << u->chunk_log2)
            return CF_FAIL(e, CF_E_CORRUPT, "a block is padded by more than a chunk");
        u->padding = true;
        return CF_OK;
    }
    if (len > FLOW_RECORD_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a record of %u bytes is over the limit", len);
    if (len > u->left)
        return CF_FAIL(e, CF_E_CORRUPT, "a record runs over its block");
    u->want = len;
    return CF_OK;
}

static void advance(struct chunk_unpacker *u, struct cf_rd *in, size_t n)
{
    (void)cf_rd_bytes(in, n);
    u->left -= (uint32_t)n;
    u->place += n;
}

static enum cf_rc push_head(struct chunk_unpacker *u, struct cf_rd *in, struct cf_err *e)
{
    if (u->head_len == 0) {
        u->start = u->place;
        if (u->left < sizeof u->head) {
            u->padding = true;
            return CF_OK;
        }
    }
    size_t n = sizeof u->head - u->head_len;
    if (n > in->left)
        n = in->left;
    memcpy(u->head + u->head_len, in->p, n);
    u->head_len += n;
    advance(u, in, n);
    return u->head_len == sizeof u->head ? head_done(u, e) : CF_OK;
}

static enum cf_rc push_body(struct chunk_unpacker *u, struct cf_rd *in, struct cf_err *e)
{
    size_t n = u->want - u->body.len;
    if (n > in->left)
        n = in->left;
    enum cf_rc rc = cf_buf_put(&u->body, in->p, n, e);
    if (rc != CF_OK)
        return rc;
    advance(u, in, n);
    return u->body.len == u->want ? take_record(u, e) : CF_OK;
}

enum cf_rc chunk_unpacker_push(struct chunk_unpacker *u, const void *data, size_t len,
                               struct cf_err *e)
{
    struct cf_rd in = cf_rd_of(data, len);
    if (len > u->left)
        return CF_FAIL(e, CF_E_CORRUPT, "a block is longer than its table says");
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && in.left && !u->stopped) {
        if (u->padding) {
            if (!cf_all_bytes(in.p, in.left, 0))
                return CF_FAIL(e, CF_E_CORRUPT, "padding is not zero");
            advance(u, &in, in.left);
        } else {
            rc = u->want ? push_body(u, &in, e) : push_head(u, &in, e);
        }
    }
    return rc;
}

enum cf_rc chunk_unpacker_end(struct chunk_unpacker *u, struct cf_err *e)
{
    if (u->stopped)
        return CF_OK;
    if (u->left || u->head_len || u->want)
        return CF_FAIL(e, CF_E_CORRUPT, "a block ends inside a record");
    return u->index ? chunk_index_upto(u->index, u->place >> u->chunk_log2, e) : CF_OK;
}

uint64_t chunk_unpacker_records(const struct chunk_unpacker *u)
{
    return u->records;
}

bool chunk_unpacker_stopped(const struct chunk_unpacker *u)
{
    return u->stopped;
}
