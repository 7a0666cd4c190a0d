/* An older attempt of the same backup: a block sealed once more, by the same data key over the same
 * plain bytes, under another salt. Whoever kept what a first try sent could put it there. */
#include "damages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/manifest.h"
#include "seal/seal.h"

struct opened {
    struct manifest m;
    struct cf_secret *dk;
    struct seal_run run;
    struct cf_buf meta;
};

static struct blob *find(struct folder *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->blob[i].name, name) == 0)
            return &f->blob[i];
    return NULL;
}

/* --- plain bytes, as the block's place in its stream orders them --------------------------------
 */

struct plain {
    uint8_t *bytes;
    uint64_t first;
};

static enum cf_rc put(void *ctx, uint64_t place, const void *data, size_t len, struct cf_err *e)
{
    struct plain *p = ctx;
    (void)e;
    memcpy(p->bytes + (place - p->first), data, len);
    return CF_OK;
}

static enum cf_rc fill(void *ctx, uint64_t place, size_t len, uint8_t value, struct cf_err *e)
{
    struct plain *p = ctx;
    (void)e;
    memset(p->bytes + (place - p->first), value, len);
    return CF_OK;
}

static enum cf_rc get(void *ctx, uint64_t place, void *dst, size_t len, struct cf_err *e)
{
    const struct plain *p = ctx;
    (void)e;
    memcpy(dst, p->bytes + (place - p->first), len);
    return CF_OK;
}

static void open_block(struct opened *o, struct flow_block *block, const struct flow_receipt *r,
                       const uint8_t *wire, struct plain *p)
{
    struct seal_opener *opener = NULL;
    struct cf_err e = { 0 };
    const struct seal_expect x = {
        .run = &o->run, .block = block, .receipt = r, .to = { .put = put, .fill = fill, .ctx = p }
    };
    must(seal_opener_new(block->chunk_log2, &opener, &e), &e);
    must(seal_opener_begin(opener, &x, &e), &e);
    must(seal_opener_push(opener, wire, r->wire, &e), &e);
    must(seal_opener_end(opener, &e), &e);
    seal_opener_free(opener);
}

/* The bytes of an attempt under `salt`, which the caller frees. */
static uint8_t *seal_block(struct opened *o, const struct flow_block *block, struct plain *p,
                           const uint8_t *salt, uint32_t len)
{
    struct seal_writer *s = NULL;
    struct cf_err e = { 0 };
    size_t at = 0, got = 0;
    size_t room = (size_t)len + SEAL_PIECE(block->chunk_log2) + FLOW_HEADER_SIZE;
    uint8_t *out = malloc(room);
    const struct seal_pass pass = {
        .run = &o->run, .block = block, .salt = salt, .from = { .read = get, .ctx = p }
    };
    must(seal_writer_new(&s, &e), &e);
    must(seal_writer_begin(s, &pass, &e), &e);
    do {
        must(seal_writer_pull(s, out + at, room - at, &got, &e), &e);
        at += got;
    } while (got && at < len);
    if (!out || at != len)
        abort();
    seal_writer_free(s);
    return out;
}

/* --- the backup ---------------------------------------------------------------------------------
 */

static void open_meta(struct opened *o, const struct blob *b)
{
    struct cf_err e = { 0 };
    uint64_t offset = 0;
    must(cf_buf_resize(&o->meta, (size_t)o->m.meta.plain, &e), &e);
    for (size_t i = 0; i < o->m.meta.count; i++) {
        struct flow_block block;
        struct plain p = { .bytes = o->meta.data, .first = 0 };
        manifest_meta_block(&o->m, i, &block);
        open_block(o, &block, &o->m.meta.blocks[i], b->data.data + offset, &p);
        offset += o->m.meta.blocks[i].wire;
    }
}

static void open_backup(struct world *w, struct folder *f, struct opened *o)
{
    const struct keystore_options *k = &w->b.kb.options;
    struct manifest_domain d = { .token = w->b.kb.token,
                                 .generations = k->generation,
                                 .count = k->generations };
    const struct manifest_judge judge = { .folder = f->name };
    struct cf_err e = { 0 };
    *o = (struct opened){ .dk = NULL };
    memcpy(d.domain_id, k->domain_id, sizeof d.domain_id);
    must(manifest_open(&d, &find(f, "manifest")->data, &judge, &o->m, &o->dk, &e), &e);
    o->run = (struct seal_run){ .dk = o->dk };
    memcpy(o->run.backup_id, o->m.backup_id, FLOW_ID_SIZE);
    open_meta(o, find(f, o->m.meta.blob));
}

/* Seals anew what `wire` holds of the block. */
static void again(struct world *w, struct opened *o, struct flow_block *block,
                  const struct flow_receipt *r, uint8_t *wire)
{
    struct plain p = { .bytes = malloc(block->covered), .first = block->place };
    uint8_t salt[FLOW_SALT_SIZE];
    if (!p.bytes)
        abort();
    open_block(o, block, r, wire, &p);
    uint8_t *same = seal_block(o, block, &p, r->salt, r->wire);
    if (memcmp(same, wire, r->wire) != 0) /* else this would be no attempt, but mere noise */
        abort();
    for (size_t i = 0; i < sizeof salt; i++)
        salt[i] = (uint8_t)chance(w);
    uint8_t *other = seal_block(o, block, &p, salt, r->wire);
    memcpy(wire, other, r->wire);
    free(same);
    free(other);
    free(p.bytes);
}

static bool again_meta(struct world *w, struct folder *f, struct opened *o)
{
    struct flow_block block;
    manifest_meta_block(&o->m, 0, &block);
    again(w, o, &block, &o->m.meta.blocks[0], find(f, o->m.meta.blob)->data.data);
    return true;
}

/* A block of a record stream: those have no map, which would have to be read first. */
static bool again_records(struct world *w, struct folder *f, struct opened *o)
{
    const struct manifest_stream *s = &o->m.streams[0];
    const uint8_t *rows = o->meta.data + s->table_offset;
    uint64_t i = below(w, (size_t)s->blocks), offset = 0;
    struct flow_block block;
    struct flow_receipt r;
    struct blob *b = s->blob_count ? find(f, s->blobs[0].name) : NULL;
    if (!b || s->blob_count != 1)
        return false;
    for (uint64_t k = 0; k < i; k++) {
        manifest_table_block(&o->m, 0, rows, k, &block, &r);
        offset += r.wire;
    }
    manifest_table_block(&o->m, 0, rows, i, &block, &r);
    again(w, o, &block, &r, b->data.data + offset);
    return true;
}

bool damage_attempt(struct world *w, struct folder *f, char *what, size_t cap)
{
    struct opened o;
    bool records = below(w, 2);
    open_backup(w, f, &o);
    bool done = records ? again_records(w, f, &o) : again_meta(w, f, &o);
    snprintf(what + strlen(what), cap - strlen(what), " of %s", records ? "keys" : "meta");
    manifest_clear(&o.m);
    cf_secret_free(o.dk);
    cf_buf_clear(&o.meta);
    return done;
}
