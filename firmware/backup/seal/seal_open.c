#include "seal_priv.h"

#include <stdlib.h>
#include <string.h>

struct seal_opener {
    struct crypto_gcm *gcm;
    struct crypto_hash *hash;
    struct seal_expect x;
    struct flow_block block; /* with the map that came */
    uint8_t head[SEAL_HEAD_MAX + FLOW_TAG_SIZE];
    size_t head_len; /* of the whole header with tag */
    size_t have;     /* bytes of the header, then of the chunk */
    bool head_done;
    bool broken;
    bool known;  /* the table has a digest of the block */
    bool digest; /* one is made of what comes */
    uint32_t next;
    uint32_t chunks;
    uint32_t last_sent;
    size_t room;
    uint8_t *chunk;
};

enum cf_rc seal_opener_new(uint8_t chunk_log2, struct seal_opener **out, struct cf_err *e)
{
    struct seal_opener *o = calloc(1, sizeof *o);
    if (!o)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    o->broken = true;
    o->room = SEAL_PIECE(chunk_log2);
    o->chunk = malloc(o->room);
    enum cf_rc rc = o->chunk ? CF_OK : CF_FAIL(e, CF_E_LIMIT, "no memory");
    if (rc == CF_OK)
        rc = crypto_gcm_new(&o->gcm, e);
    if (rc == CF_OK)
        rc = crypto_hash_new(HAL_SHA256, &o->hash, e);
    if (rc != CF_OK) {
        seal_opener_free(o);
        return rc;
    }
    *out = o;
    return CF_OK;
}

void seal_opener_free(struct seal_opener *o)
{
    if (!o)
        return;
    crypto_gcm_free(o->gcm);
    crypto_hash_free(o->hash);
    if (o->chunk)
        cf_wipe(o->chunk, o->room);
    free(o->chunk);
    cf_wipe(o, sizeof *o);
    free(o);
}

enum cf_rc seal_opener_begin(struct seal_opener *o, const struct seal_expect *x, struct cf_err *e)
{
    uint8_t old[CRYPTO_DIGEST_MAX];
    o->broken = true;
    enum cf_rc rc = flow_block_check(x->block, e);
    if (rc != CF_OK)
        return rc;
    if (SEAL_PIECE(x->block->chunk_log2) > o->room)
        return CF_FAIL(e, CF_E_LIMIT, "chunks of 2^%u bytes are too large", x->block->chunk_log2);
    o->x = *x;
    o->block = *x->block;
    memset(o->block.map, 0, sizeof o->block.map);
    o->head_len = FLOW_HEADER_SIZE + flow_map_len(&o->block) + FLOW_TAG_SIZE;
    o->have = 0;
    o->head_done = false;
    o->next = 0;
    o->chunks = flow_chunks(&o->block);
    o->known = !cf_all_bytes(x->receipt->digest, FLOW_DIGEST_SIZE, 0);
    o->digest = o->known || x->digest;
    rc = crypto_hash_final(o->hash, old, e);
    o->broken = rc != CF_OK;
    return rc;
}

/* Fields whose values the page itself restricts are named before the comparison with the table. */
static enum cf_rc check_fields(const uint8_t *h, bool mapped, struct cf_err *e)
{
    struct cf_rd rd = cf_rd_of(h + 48, 16);
    uint64_t covered = cf_rd_le64(&rd);
    if (!cf_equal(h, "CFRB", 4))
        return CF_FAIL(e, CF_E_CORRUPT, "not a block of a backup");
    if (h[4] != 1 || h[5] != 1)
        return CF_FAIL(e, CF_E_CORRUPT, "block of a newer format: version %u, suite %u", h[4],
                       h[5]);
    if (!flow_log2_ok(h[6]) || h[7] > 3 || (bool)(h[7] & 2) != mapped)
        return CF_FAIL(e, CF_E_CORRUPT, "chunk size or flags of a block are not allowed");
    if (!cf_all_bytes(h + 28, 4, 0) || !cf_all_bytes(h + 56, 8, 0))
        return CF_FAIL(e, CF_E_CORRUPT, "reserved bytes of a block are not zero");
    if (covered == 0)
        return CF_FAIL(e, CF_E_CORRUPT, "a block covers nothing");
    if (covered > FLOW_COVERED_MAX)
        return CF_FAIL(e, CF_E_LIMIT, "a block covers too much");
    return CF_OK;
}

static enum cf_rc open_one(struct crypto_gcm *g, const uint8_t *nonce, uint8_t *bytes, size_t len,
                           struct cf_err *e)
{
    uint8_t tag[CRYPTO_TAG_SIZE];
    memcpy(tag, bytes + len, sizeof tag);
    struct crypto_gcm_op op = { .nonce = nonce, .in = bytes, .len = len, .out = bytes };
    return crypto_gcm_open(g, &op, tag, e);
}

/* The header is whole: it must be the one the table leads to, and its tag proves the map. */
static enum cf_rc check_header(struct seal_opener *o, struct cf_err *e)
{
    uint8_t want[SEAL_HEAD_MAX], kb[CRYPTO_KEY_SIZE], nonce[CRYPTO_NONCE_SIZE];
    size_t len = o->head_len - FLOW_TAG_SIZE;
    enum cf_rc rc = check_fields(o->head, o->block.mapped, e);
    if (rc != CF_OK)
        return rc;
    memcpy(o->block.map, o->head + FLOW_HEADER_SIZE, flow_map_len(&o->block));
    (void)seal_header_build(o->x.run, &o->block, o->x.receipt->salt, want);
    if (!cf_equal(want, o->head, FLOW_HEADER_SIZE))
        return CF_FAIL(e, CF_E_AUTH, "not the block that the table names");
    rc = flow_map_check(&o->block, e);
    if (rc != CF_OK)
        return rc;
    if (flow_wire(&o->block) != o->x.receipt->wire)
        return CF_FAIL(e, CF_E_CORRUPT, "map and length of a block disagree");
    rc = seal_block_key(o->x.run, o->gcm, want, len, kb, e);
    cf_wipe(kb, sizeof kb);
    seal_nonce_header(nonce);
    if (rc == CF_OK)
        rc = open_one(o->gcm, nonce, o->head + len, 0, e);
    o->last_sent = seal_last_sent(&o->block);
    return rc;
}

/* Hands out what is left out, up to the next chunk that was sent. */
static enum cf_rc fill_left_out(struct seal_opener *o, struct cf_err *e)
{
    const struct flow_block *b = &o->block;
    enum cf_rc rc = CF_OK;
    while (rc == CF_OK && o->next < o->chunks && flow_map_get(b, o->next) != FLOW_SENT) {
        enum flow_fill v = flow_map_get(b, o->next);
        uint64_t place = b->place + ((uint64_t)o->next << b->chunk_log2);
        uint32_t len = 0;
        do { /* a run of one kind at once: cheap for the partition */
            len += flow_chunk_len(b, o->next++);
        } while (o->next < o->chunks && flow_map_get(b, o->next) == v);
        rc = o->x.to.fill(o->x.to.ctx, place, len, v == FLOW_ONES ? 0xff : 0x00, e);
    }
    return rc;
}

static enum cf_rc release_chunk(struct seal_opener *o, size_t len, struct cf_err *e)
{
    uint8_t nonce[CRYPTO_NONCE_SIZE];
    uint64_t place = o->block.place + ((uint64_t)o->next << o->block.chunk_log2);
    seal_nonce_chunk(nonce, o->next, o->next == o->last_sent);
    enum cf_rc rc = open_one(o->gcm, nonce, o->chunk, len, e);
    if (rc == CF_OK)
        rc = o->x.to.put(o->x.to.ctx, place, o->chunk, len, e);
    o->have = 0;
    o->next++;
    return rc == CF_OK ? fill_left_out(o, e) : rc;
}

static size_t gather(uint8_t *into, size_t *have, size_t want, struct cf_rd *in)
{
    size_t n = want - *have < in->left ? want - *have : in->left;
    memcpy(into + *have, in->p, n);
    (void)cf_rd_bytes(in, n);
    *have += n;
    return *have;
}

static enum cf_rc push_some(struct seal_opener *o, struct cf_rd *in, struct cf_err *e)
{
    if (!o->head_done) {
        if (gather(o->head, &o->have, o->head_len, in) < o->head_len)
            return CF_OK;
        o->head_done = true;
        o->have = 0;
        enum cf_rc rc = check_header(o, e);
        return rc == CF_OK ? fill_left_out(o, e) : rc;
    }
    if (o->next == o->chunks)
        return CF_FAIL(e, CF_E_CORRUPT, "a block is longer than its table says");
    size_t len = flow_chunk_len(&o->block, o->next);
    if (gather(o->chunk, &o->have, len + FLOW_TAG_SIZE, in) < len + FLOW_TAG_SIZE)
        return CF_OK;
    return release_chunk(o, len, e);
}

enum cf_rc seal_opener_push(struct seal_opener *o, const void *data, size_t len, struct cf_err *e)
{
    struct cf_rd in = cf_rd_of(data, len);
    if (o->broken)
        return CF_FAIL(e, CF_E_STATE, "this attempt is over");
    enum cf_rc rc = o->digest ? crypto_hash_update(o->hash, data, len, e) : CF_OK;
    while (rc == CF_OK && in.left)
        rc = push_some(o, &in, e);
    if (rc != CF_OK)
        o->broken = true;
    return rc == CF_OK ? rc
                       : cf_err_ctx(e, rc, "block %llu of stream %u",
                                    (unsigned long long)o->block.number, o->block.stream);
}

enum cf_rc seal_opener_end(struct seal_opener *o, struct cf_err *e)
{
    uint8_t digest[CRYPTO_DIGEST_MAX];
    if (o->broken)
        return CF_FAIL(e, CF_E_STATE, "this attempt is over");
    o->broken = true;
    if (!o->head_done || o->next < o->chunks)
        return CF_FAIL(e, CF_E_CORRUPT, "block %llu of stream %u is cut short",
                       (unsigned long long)o->block.number, o->block.stream);
    if (!o->digest)
        return CF_OK;
    enum cf_rc rc = crypto_hash_final(o->hash, digest, e);
    if (rc == CF_OK && o->known && !cf_equal(digest, o->x.receipt->digest, FLOW_DIGEST_SIZE))
        rc = CF_FAIL(e, CF_E_AUTH, "digest of block %llu of stream %u differs",
                     (unsigned long long)o->block.number, o->block.stream);
    if (rc == CF_OK && o->x.digest)
        memcpy(o->x.digest, digest, FLOW_DIGEST_SIZE);
    return rc;
}

uint32_t seal_chunk_offset(const struct flow_block *b, uint32_t i)
{
    return (uint32_t)(FLOW_HEADER_SIZE + FLOW_TAG_SIZE + i * SEAL_PIECE(b->chunk_log2));
}

uint32_t seal_chunk_wire(const struct flow_block *b, uint32_t i)
{
    return flow_chunk_len(b, i) + FLOW_TAG_SIZE;
}

enum cf_rc seal_chunk_open(const struct seal_expect *x, uint32_t i, uint8_t *wire, struct cf_err *e)
{
    uint8_t head[SEAL_HEAD_MAX], kb[CRYPTO_KEY_SIZE], nonce[CRYPTO_NONCE_SIZE];
    struct crypto_gcm *g = NULL;
    if (x->block->mapped || i >= flow_chunks(x->block))
        return CF_FAIL(e, CF_E_ARG, "no single chunk of a raw stream");
    enum cf_rc rc = crypto_gcm_new(&g, e);
    if (rc != CF_OK)
        return rc;
    size_t len = seal_header_build(x->run, x->block, x->receipt->salt, head);
    rc = seal_block_key(x->run, g, head, len, kb, e);
    cf_wipe(kb, sizeof kb);
    seal_nonce_chunk(nonce, i, i == flow_chunks(x->block) - 1);
    if (rc == CF_OK)
        rc = open_one(g, nonce, wire, flow_chunk_len(x->block, i), e);
    crypto_gcm_free(g);
    return rc == CF_OK ? rc
                       : cf_err_ctx(e, rc, "chunk %u of block %llu of stream %u", i,
                                    (unsigned long long)x->block->number, x->block->stream);
}
