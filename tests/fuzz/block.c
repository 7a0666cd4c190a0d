/* Bytes of a block from a storage that lies: nothing reaches the sink unless it was sealed. The
 * seed is a true block; whatever differs from it must give no chunk that is not in it. */
#include <stdlib.h>
#include <string.h>

#include "seal/seal.h"

#define PLAIN 9000

struct plain {
    uint8_t bytes[PLAIN];
};

static enum cf_rc read_plain(void *ctx, uint64_t place, void *dst, size_t len, struct cf_err *e)
{
    (void)e;
    memcpy(dst, ((struct plain *)ctx)->bytes + place, len);
    return CF_OK;
}

static enum cf_rc put(void *ctx, uint64_t place, const void *data, size_t len, struct cf_err *e)
{
    (void)e;
    if (place + len > PLAIN || memcmp(((struct plain *)ctx)->bytes + place, data, len) != 0)
        abort();
    return CF_OK;
}

static enum cf_rc fill(void *ctx, uint64_t place, size_t len, uint8_t value, struct cf_err *e)
{
    (void)e;
    for (size_t i = 0; i < len; i++)
        if (place + i >= PLAIN || ((struct plain *)ctx)->bytes[place + i] != value)
            abort();
    return CF_OK;
}

/* The true block, into `wire`; chunk 1 of 3 is left out. */
static size_t seal_it(const struct seal_pass *p, uint8_t *wire, size_t room)
{
    struct seal_writer *w = NULL;
    size_t len = 0, got = 1;
    if (seal_writer_new(&w, NULL) != CF_OK || seal_writer_begin(w, p, NULL) != CF_OK)
        abort();
    for (; got; len += got)
        if (seal_writer_pull(w, wire + len, room - len, &got, NULL) != CF_OK)
            abort();
    seal_writer_free(w);
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t wire[16384], salt[FLOW_SALT_SIZE] = { 7 }, key[32] = { 9 };
    static struct plain plain;
    struct flow_block block = {
        .stream = 2, .chunk_log2 = 12, .last = true, .mapped = true, .covered = PLAIN
    };
    struct flow_receipt row = { .covered = PLAIN };
    struct seal_opener *o = NULL;
    struct cf_secret *dk = NULL;
    for (size_t i = 0; i < PLAIN; i++)
        plain.bytes[i] = i >= 4096 && i < 8192 ? 0xff : (uint8_t)(i * 31);
    if (cf_secret_copy(key, sizeof key, &dk, NULL) != CF_OK)
        abort();
    flow_map_set(&block, 1, FLOW_ONES);
    struct seal_run run = { .dk = dk };
    struct seal_pass pass = {
        .run = &run, .block = &block, .salt = salt, .from = { read_plain, &plain }
    };
    size_t len = seal_it(&pass, wire, sizeof wire);
    /* the input: pairs of le16 offset and a byte to put there, then where to end */
    for (; size >= 3; data += 3, size -= 3)
        wire[(data[0] | (size_t)data[1] << 8) % len] = data[2];
    row.wire = flow_wire(&block);
    memcpy(row.salt, salt, sizeof salt);
    struct seal_expect x = {
        .run = &run, .block = &block, .receipt = &row, .to = { put, fill, &plain }
    };
    size_t cut = size ? len * data[0] / 255 : len;
    if (seal_opener_new(12, &o, NULL) != CF_OK || seal_opener_begin(o, &x, NULL) != CF_OK)
        abort();
    enum cf_rc rc = seal_opener_push(o, wire, cut, NULL);
    if (rc == CF_OK)
        rc = seal_opener_end(o, NULL);
    if (rc == CF_OK && cut != len)
        abort();
    seal_opener_free(o);
    cf_secret_free(dk);
    return 0;
}
