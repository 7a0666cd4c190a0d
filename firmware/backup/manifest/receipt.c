#include "manifest/receipt.h"

#include <string.h>

#include "manifest_priv.h"

/* --- the tree
 * -------------------------------------------------------------------------------------- */

#define LEVELS 64 /* of a tree over 2^64 leaves */

static enum cf_rc hash_leaf(struct crypto_hash *h, const uint8_t digest[FLOW_DIGEST_SIZE],
                            uint8_t out[FLOW_DIGEST_SIZE], struct cf_err *e)
{
    static const uint8_t zero;
    enum cf_rc rc = crypto_hash_update(h, &zero, 1, e);
    if (rc == CF_OK)
        rc = crypto_hash_update(h, digest, FLOW_DIGEST_SIZE, e);
    return rc == CF_OK ? crypto_hash_final(h, out, e) : rc;
}

/* Into the left one. */
static enum cf_rc join(struct crypto_hash *h, uint8_t left[FLOW_DIGEST_SIZE],
                       const uint8_t right[FLOW_DIGEST_SIZE], struct cf_err *e)
{
    static const uint8_t one = 1;
    enum cf_rc rc = crypto_hash_update(h, &one, 1, e);
    if (rc == CF_OK)
        rc = crypto_hash_update(h, left, FLOW_DIGEST_SIZE, e);
    if (rc == CF_OK)
        rc = crypto_hash_update(h, right, FLOW_DIGEST_SIZE, e);
    return rc == CF_OK ? crypto_hash_final(h, left, e) : rc;
}

/* Whole subtrees wait on a stack, the largest below: after leaf i as many are joined as i + 1 has
 * trailing zero bits; what is left at the end is joined from the right. */
enum cf_rc manifest_tree_root(const uint8_t (*digests)[FLOW_DIGEST_SIZE], uint64_t n,
                              uint8_t root[FLOW_DIGEST_SIZE], struct cf_err *e)
{
    uint8_t stack[LEVELS + 1][FLOW_DIGEST_SIZE];
    struct crypto_hash *h = NULL;
    size_t depth = 0;
    enum cf_rc rc = crypto_hash_new(HAL_SHA256, &h, e);
    if (rc == CF_OK && n == 0)
        rc = crypto_hash_final(h, stack[0], e);
    for (uint64_t i = 0; rc == CF_OK && i < n; i++) {
        rc = hash_leaf(h, digests[i], stack[depth++], e);
        for (uint64_t done = i + 1; rc == CF_OK && done % 2 == 0; done /= 2, depth--)
            rc = join(h, stack[depth - 2], stack[depth - 1], e);
    }
    for (; rc == CF_OK && depth > 1; depth--)
        rc = join(h, stack[depth - 2], stack[depth - 1], e);
    if (rc == CF_OK)
        memcpy(root, stack[0], FLOW_DIGEST_SIZE);
    crypto_hash_free(h);
    return rc;
}

/* --- the receipt
 * ----------------------------------------------------------------------------------- */

/* A receipt must not say more than was read. */
static enum cf_rc check_scope(const struct manifest_receipt *r, struct cf_err *e)
{
    bool all = r->read_count == r->m->stream_count + 1 && r->keys == r->m->keys &&
               r->versions == r->m->versions;
    bool meta = false;
    for (size_t i = 0; i < r->read_count; i++) {
        bool whole = r->reads[i].read == r->reads[i].blocks;
        if (r->reads[i].read > r->reads[i].blocks)
            return CF_FAIL(e, CF_E_ARG, "a receipt of more blocks than there are");
        all = all && whole;
        meta = meta || (r->reads[i].stream == FLOW_META && whole);
    }
    bool fits = r->scope == MANIFEST_PROVES_ALL ? all && r->percent == 100
                : r->scope == MANIFEST_PROVES_SAMPLE
                    ? meta && r->percent > 0 && r->percent < 100
                    : r->scope == MANIFEST_PROVES_PART && r->percent == 0;
    return fits ? CF_OK : CF_FAIL(e, CF_E_ARG, "a receipt of more than was read");
}

static void put_pair(struct cbor_wr *w, uint64_t key, uint64_t a, uint64_t b)
{
    cbor_wr_key(w, key);
    cbor_wr_array(w, 2);
    cbor_wr_uint(w, a);
    cbor_wr_uint(w, b);
}

static void put_uint(struct cbor_wr *w, uint64_t key, uint64_t v)
{
    cbor_wr_key(w, key);
    cbor_wr_uint(w, v);
}

/* Keys 5 to 7: which backup. */
static void put_backup(struct cbor_wr *w, const struct manifest_domain *d, const struct manifest *m)
{
    cbor_wr_key(w, 5);
    cbor_wr_array(w, 6);
    cbor_wr_text(w, m->folder);
    cbor_wr_text(w, m->hsm);
    cbor_wr_uint(w, m->created_s);
    cbor_wr_uint(w, m->completed_s);
    cbor_wr_uint(w, m->seq);
    cbor_wr_bytes(w, m->appliance, sizeof m->appliance);
    cbor_wr_key(w, 6);
    cbor_wr_array(w, 4);
    cbor_wr_bytes(w, m->backup_id, sizeof m->backup_id);
    cbor_wr_bytes(w, d->domain_id, sizeof d->domain_id);
    cbor_wr_uint(w, m->generation);
    cbor_wr_bytes(w, m->fp, sizeof m->fp);
    cbor_wr_key(w, 7);
    cbor_wr_array(w, 4);
    cbor_wr_uint(w, m->file_bytes);
    cbor_wr_bytes(w, m->file_sha256, sizeof m->file_sha256);
    cbor_wr_bytes(w, m->mac, sizeof m->mac);
    cbor_wr_text(w, m->meta.blob);
}

static void put_reads(struct cbor_wr *w, const struct manifest_receipt *r)
{
    cbor_wr_key(w, 8);
    cbor_wr_array(w, r->read_count);
    for (size_t i = 0; i < r->read_count; i++) {
        const struct manifest_read *s = &r->reads[i];
        cbor_wr_array(w, 5);
        cbor_wr_uint(w, s->stream);
        cbor_wr_uint(w, s->blocks);
        cbor_wr_uint(w, s->wire);
        cbor_wr_uint(w, s->read);
        cbor_wr_bytes(w, s->root, s->read == s->blocks ? sizeof s->root : 0);
    }
}

static void put_counts(struct cbor_wr *w, const struct manifest_receipt *r)
{
    cbor_wr_key(w, 9);
    cbor_wr_array(w, 4);
    cbor_wr_uint(w, r->m->keys);
    cbor_wr_uint(w, r->m->versions);
    cbor_wr_uint(w, r->m->deleted);
    cbor_wr_uint(w, r->m->assignments);
    put_pair(w, 10, r->keys, r->versions);
    put_uint(w, 11, r->bytes);
    put_uint(w, 12, r->percent);
}

static enum cf_rc put_body(const struct manifest_domain *d, const struct manifest_receipt *r,
                           const struct manifest *us, bool covered, struct cf_buf *out,
                           struct cf_err *e)
{
    struct cbor_wr w;
    cbor_wr_init(&w, out, e);
    cbor_wr_map(&w, 14);
    put_uint(&w, 1, r->scope);
    put_pair(&w, 2, r->started_s, r->ended_s);
    cbor_wr_key(&w, 3);
    cbor_wr_text_n(&w, r->job, MANIFEST_JOB_ID);
    cbor_wr_key(&w, 4);
    cbor_wr_bytes(&w, r->verifier, sizeof r->verifier);
    put_backup(&w, d, r->m);
    put_reads(&w, r);
    put_counts(&w, r);
    cbor_wr_key(&w, 13);
    if (covered)
        manifest_cover_write(&w, r->m);
    else
        cbor_wr_array(&w, 0);
    cbor_wr_key(&w, 14);
    manifest_put_identity(&w, us);
    return cbor_wr_end(&w);
}

/* A token that signs badly must be found now, not when somebody asks for the proof. */
static enum cf_rc read_back(const struct cf_buf *file, struct cf_err *e)
{
    struct manifest_proven p;
    struct cf_err err = { 0 };
    enum cf_rc rc = manifest_receipt_read(NULL, file->data, file->len, &p, &err);
    if (rc == CF_E_AUTH)
        return CF_FAIL(e, CF_E_TOKEN, "the token's signature does not verify");
    if (rc != CF_OK && e && e->rc == CF_OK)
        *e = err;
    return rc;
}

enum cf_rc manifest_receipt_build(const struct manifest_domain *d, const struct manifest_receipt *r,
                                  struct cf_buf *out, struct cf_err *e)
{
    static const struct manifest_kind kind = { RECEIPT_MAGIC, RECEIPT_LABEL };
    struct manifest us = { .since = r->since_s };
    struct cf_buf body = { 0 }, file = { 0 };
    enum cf_rc rc = check_scope(r, e);
    memcpy(us.appliance, r->verifier, sizeof us.appliance);
    if (rc == CF_OK)
        rc = manifest_identify(d, r->m->generation, &us, e); /* the backup's */
    if (rc == CF_OK)
        rc = put_body(d, r, &us, true, &body, e);
    if (rc == CF_OK && RECEIPT_HEAD + body.len + RECEIPT_SIG > MANIFEST_RECEIPT_MAX) {
        cf_buf_clear(&body); /* a backup is no less proven for saying much about itself */
        rc = put_body(d, r, &us, false, &body, e);
    }
    if (rc == CF_OK)
        rc = manifest_state(d, &kind, &us, &body, &file, e);
    if (rc == CF_OK && file.len > MANIFEST_RECEIPT_MAX)
        rc = CF_FAIL(e, CF_E_LIMIT, "a receipt of %zu bytes", file.len);
    if (rc == CF_OK)
        rc = read_back(&file, e);
    if (rc == CF_OK)
        rc = cf_buf_put(out, file.data, file.len, e);
    manifest_clear(&us);
    cf_buf_clear(&body);
    cf_buf_clear(&file);
    return rc == CF_OK ? rc : cf_err_ctx(e, rc, "writing the receipt");
}
