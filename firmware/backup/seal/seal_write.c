#include "seal_priv.h"

#include <stdlib.h>
#include <string.h>

struct seal_writer {
    struct crypto_gcm *gcm;
    struct crypto_hash *hash;
    struct seal_pass pass;
    uint8_t head[SEAL_HEAD_MAX + FLOW_TAG_SIZE];
    size_t head_len;
    bool head_done;
    uint32_t next; /* chunk */
    uint32_t chunks;
    uint32_t last_sent;
    uint32_t wire;               /* bytes given so far */
    bool broken;                 /* begin or a pull failed */
    uint8_t kb[CRYPTO_KEY_SIZE]; /* for the recorder */
};

enum cf_rc seal_writer_new(struct seal_writer **out, struct cf_err *e)
{
    struct seal_writer *w = calloc(1, sizeof *w);
    if (!w)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    w->broken = true;
    enum cf_rc rc = crypto_gcm_new(&w->gcm, e);
    if (rc == CF_OK)
        rc = crypto_hash_new(HAL_SHA256, &w->hash, e);
    if (rc != CF_OK) {
        seal_writer_free(w);
        return rc;
    }
    *out = w;
    return CF_OK;
}

void seal_writer_free(struct seal_writer *w)
{
    if (!w)
        return;
    crypto_gcm_free(w->gcm);
    crypto_hash_free(w->hash);
    cf_wipe(w, sizeof *w);
    free(w);
}

static enum cf_rc seal_one(struct seal_writer *w, const uint8_t nonce[CRYPTO_NONCE_SIZE],
                           uint8_t *bytes, size_t len, struct cf_err *e)
{
    struct crypto_gcm_op op = { .nonce = nonce, .in = bytes, .len = len, .out = bytes };
    flow_record(w->pass.run->recorder, w->kb, nonce);
    return crypto_gcm_seal(w->gcm, &op, bytes + len, e);
}

enum cf_rc seal_writer_begin(struct seal_writer *w, const struct seal_pass *p, struct cf_err *e)
{
    uint8_t nonce[CRYPTO_NONCE_SIZE], old[CRYPTO_DIGEST_MAX];
    w->pass = *p;
    w->head_done = false;
    w->next = 0;
    w->wire = 0;
    w->broken = true;
    w->chunks = flow_chunks(p->block);
    w->last_sent = seal_last_sent(p->block);
    enum cf_rc rc = flow_block_check(p->block, e);
    if (rc == CF_OK) /* an attempt that was broken off leaves bytes in the digest */
        rc = crypto_hash_final(w->hash, old, e);
    if (rc == CF_OK) {
        size_t len = seal_header_build(p->run, p->block, p->salt, w->head);
        w->head_len = len + FLOW_TAG_SIZE;
        rc = seal_block_key(p->run, w->gcm, w->head, len, w->kb, e);
        seal_nonce_header(nonce);
        if (rc == CF_OK) /* nothing is encrypted: the tag alone follows the header */
            rc = seal_one(w, nonce, w->head + len, 0, e);
        if (!p->run->recorder)
            cf_wipe(w->kb, sizeof w->kb);
    }
    w->broken = rc != CF_OK;
    return rc;
}

static void skip_left_out(struct seal_writer *w)
{
    while (w->next < w->chunks && flow_map_get(w->pass.block, w->next) != FLOW_SENT)
        w->next++;
}

static enum cf_rc pull_chunk(struct seal_writer *w, uint8_t *dst, size_t len, struct cf_err *e)
{
    const struct flow_block *b = w->pass.block;
    uint8_t nonce[CRYPTO_NONCE_SIZE];
    uint64_t place = b->place + ((uint64_t)w->next << b->chunk_log2);
    enum cf_rc rc = w->pass.from.read(w->pass.from.ctx, place, dst, len, e);
    if (rc != CF_OK)
        return rc;
    seal_nonce_chunk(nonce, w->next, w->next == w->last_sent);
    rc = seal_one(w, nonce, dst, len, e);
    w->next++;
    skip_left_out(w);
    return rc;
}

/* Appends one piece if it fits into `cap`. */
static enum cf_rc pull_piece(struct seal_writer *w, uint8_t *dst, size_t cap, size_t *got,
                             struct cf_err *e)
{
    *got = 0;
    if (!w->head_done) {
        if (cap < w->head_len)
            return CF_OK;
        memcpy(dst, w->head, w->head_len);
        *got = w->head_len;
        w->head_done = true;
        skip_left_out(w);
        return CF_OK;
    }
    if (w->next == w->chunks)
        return CF_OK;
    size_t len = flow_chunk_len(w->pass.block, w->next);
    if (cap < len + FLOW_TAG_SIZE)
        return CF_OK;
    *got = len + FLOW_TAG_SIZE;
    return pull_chunk(w, dst, len, e);
}

enum cf_rc seal_writer_pull(struct seal_writer *w, uint8_t *dst, size_t cap, size_t *got,
                            struct cf_err *e)
{
    size_t done = 0, piece = 0;
    enum cf_rc rc = CF_OK;
    *got = 0;
    if (w->broken)
        return CF_FAIL(e, CF_E_STATE, "this attempt is over");
    do {
        rc = pull_piece(w, dst + done, cap - done, &piece, e);
        done += piece;
    } while (rc == CF_OK && piece);
    if (rc == CF_OK && w->pass.digest)
        rc = crypto_hash_update(w->hash, dst, done, e);
    if (rc == CF_OK && done == 0 && (!w->head_done || w->next < w->chunks))
        rc = CF_FAIL(e, CF_E_ARG, "a pull of %zu bytes is too small", cap);
    if (rc != CF_OK) {
        w->broken = true;
        cf_wipe(dst, done); /* it may hold plain bytes */
        return rc;
    }
    w->wire += (uint32_t)done;
    *got = done;
    return CF_OK;
}

enum cf_rc seal_writer_receipt(struct seal_writer *w, struct flow_receipt *out, struct cf_err *e)
{
    const struct flow_block *b = w->pass.block;
    if (w->broken || !w->head_done || w->next < w->chunks || w->wire != flow_wire(b))
        return CF_FAIL(e, CF_E_STATE, "the block was not sent whole");
    *out = (struct flow_receipt){ .place = b->place, .covered = b->covered, .wire = w->wire };
    memcpy(out->salt, w->pass.salt, FLOW_SALT_SIZE);
    w->broken = true;
    return w->pass.digest ? crypto_hash_final(w->hash, out->digest, e) : CF_OK;
}
