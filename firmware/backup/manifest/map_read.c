#include "manifest_priv.h"

#include <stdlib.h>
#include <string.h>

void manifest_expect_key(struct cbor_rd *r, uint64_t key)
{
    if (cbor_rd_key(r) != key)
        cbor_rd_refuse(r, "a key of a map is missing or unknown");
}

void manifest_text(struct cbor_rd *r, char *out, size_t size)
{
    cbor_rd_string(r, out, size);
    for (const unsigned char *p = (const unsigned char *)out; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            cbor_rd_refuse(r, "control characters in a text");
    if (!out[0])
        cbor_rd_refuse(r, "an empty text");
}

static uint64_t keyed_uint(struct cbor_rd *r, uint64_t key)
{
    manifest_expect_key(r, key);
    return cbor_rd_uint(r, UINT64_MAX);
}

static void expect_array(struct cbor_rd *r, size_t n)
{
    if (cbor_rd_array(r, n) != n)
        cbor_rd_refuse(r, "an array has the wrong length");
}

enum cf_rc manifest_public_read(struct crypto_bytes map, struct manifest *m, struct cf_err *e)
{
    struct cbor_rd r;
    cbor_rd_init(&r, map.p, map.len, e);
    if (cbor_rd_map(&r, 6) != 6)
        cbor_rd_refuse(&r, "the public map is not whole");
    manifest_expect_key(&r, 1);
    manifest_text(&r, m->folder, sizeof m->folder);
    manifest_expect_key(&r, 2);
    manifest_text(&r, m->hsm, sizeof m->hsm);
    m->created_s = keyed_uint(&r, 3);
    m->completed_s = keyed_uint(&r, 4);
    m->wire = keyed_uint(&r, 5);
    manifest_expect_key(&r, 6);
    manifest_text(&r, m->writer, sizeof m->writer);
    return cbor_rd_end(&r);
}

/* Partition names and counters are kept until the streams are known. */
struct source {
    size_t count;
    char (*names)[MANIFEST_NAME_SIZE];
    uint64_t *changes;
};

static void read_source(struct cbor_rd *r, struct manifest *m, struct source *src)
{
    manifest_expect_key(r, 5);
    expect_array(r, 4);
    cbor_rd_fixed(r, m->store_epoch, sizeof m->store_epoch);
    m->store_changes = cbor_rd_uint(r, UINT64_MAX);
    m->snapshot_s = cbor_rd_uint(r, UINT64_MAX);
    src->count = cbor_rd_array(r, FLOW_STREAMS_MAX);
    src->names = calloc(src->count + 1, sizeof *src->names);
    src->changes = calloc(src->count + 1, sizeof *src->changes);
    if (!src->names || !src->changes) {
        src->count = 0;
        cbor_rd_refuse(r, "no memory");
        return;
    }
    for (size_t i = 0; i < src->count && cbor_rd_ok(r); i++) {
        expect_array(r, 2);
        manifest_text(r, src->names[i], sizeof src->names[i]);
        src->changes[i] = cbor_rd_uint(r, UINT64_MAX);
    }
}

static void join_source(struct cbor_rd *r, struct manifest *m, const struct source *src)
{
    if (!cbor_rd_ok(r))
        return;
    if (m->stream_count < 2 || src->count != m->stream_count - 2) {
        cbor_rd_refuse(r, "sources and streams disagree");
        return;
    }
    for (size_t i = 0; i < src->count; i++) {
        m->streams[i + 2].changes = src->changes[i];
        if (strcmp(m->streams[i + 2].name, src->names[i]) != 0)
            cbor_rd_refuse(r, "sources and streams disagree");
    }
}

static void read_identity(struct cbor_rd *r, struct manifest *m)
{
    size_t len = 0;
    manifest_expect_key(r, 10);
    expect_array(r, 3);
    const uint8_t *spki = cbor_rd_bytes(r, 4096, &len);
    if (!spki || len == 0 || cf_buf_put(&m->spki, spki, len, NULL) != CF_OK)
        cbor_rd_refuse(r, "the writer's public key is missing");
    m->since = cbor_rd_uint(r, UINT64_MAX);
    cbor_rd_fixed(r, m->endorsement, sizeof m->endorsement);
}

static void read_counts(struct cbor_rd *r, struct manifest *m)
{
    manifest_expect_key(r, 11);
    expect_array(r, 5);
    m->keys = cbor_rd_uint(r, UINT64_MAX);
    m->versions = cbor_rd_uint(r, UINT64_MAX);
    m->deleted = cbor_rd_uint(r, UINT64_MAX);
    m->assignments = cbor_rd_uint(r, UINT64_MAX);
    size_t n = cbor_rd_array(r, FLOW_STREAMS_MAX);
    m->left_out = calloc(n + 1, sizeof *m->left_out);
    if (!m->left_out) {
        cbor_rd_refuse(r, "no memory");
        return;
    }
    m->left_out_count = n;
    for (size_t i = 0; i < n && cbor_rd_ok(r); i++)
        manifest_text(r, m->left_out[i], sizeof m->left_out[i]);
}

static void read_signers(struct cbor_rd *r, struct manifest *m)
{
    manifest_expect_key(r, 12);
    m->signer_count = cbor_rd_array(r, MANIFEST_SIGNERS_MAX);
    if (m->signer_count == 0)
        cbor_rd_refuse(r, "no signature is required");
    for (size_t i = 0; i < m->signer_count && cbor_rd_ok(r); i++) {
        expect_array(r, 2);
        m->signers[i].alg = cbor_rd_uint(r, 255);
        cbor_rd_fixed(r, m->signers[i].key_id, sizeof m->signers[i].key_id);
    }
}

/* Keys 6 to 12; `pairs` is 12 when extensions follow. */
static void read_content(struct cbor_rd *r, struct manifest *m, size_t pairs)
{
    manifest_expect_key(r, 6);
    manifest_streams_read(r, m);
    manifest_expect_key(r, 7);
    manifest_meta_read(r, m);
    m->layout = keyed_uint(r, 8);
    read_identity(r, m);
    read_counts(r, m);
    read_signers(r, m);
    enum cbor_type type = CBOR_MAP;
    if (pairs == 12) {
        manifest_expect_key(r, 99);
        if (cbor_rd_peek(r, &type) && type != CBOR_MAP)
            cbor_rd_refuse(r, "extensions are not a map");
        const uint8_t *at = r->in.p;
        cbor_rd_skip(r);
        if (cbor_rd_ok(r))
            manifest_extensions_read(crypto_bytes_of(at, (size_t)(r->in.p - at)), m);
    }
}

enum cf_rc manifest_sealed_read(struct crypto_bytes map, struct manifest *m, struct cf_err *e)
{
    struct cbor_rd r;
    struct source src = { 0 };
    cbor_rd_init(&r, map.p, map.len, e);
    size_t pairs = cbor_rd_map(&r, 12);
    if (pairs < 11)
        cbor_rd_refuse(&r, "the sealed map is not whole");
    m->seq = keyed_uint(&r, 1);
    manifest_expect_key(&r, 2);
    cbor_rd_fixed(&r, m->prev, sizeof m->prev);
    manifest_expect_key(&r, 3);
    cbor_rd_fixed(&r, m->appliance, sizeof m->appliance);
    manifest_expect_key(&r, 4);
    expect_array(&r, 2);
    m->audit_record = cbor_rd_uint(&r, UINT64_MAX);
    cbor_rd_fixed(&r, m->audit_hash, sizeof m->audit_hash);
    read_source(&r, m, &src);
    read_content(&r, m, pairs);
    join_source(&r, m, &src);
    free(src.names);
    free(src.changes);
    return cbor_rd_end(&r);
}
