/* What the CBOR reader accepts, the writer writes back byte for byte. */
#include <stdlib.h>
#include <string.h>

#include "cbor/cbor.h"

#define ITEMS_MAX 100000

/* Copies one item, or one key, from reader to writer. Keys and items are told apart by the stack
 * of containers kept here, which mirrors what both sides keep. */
struct copy {
    struct cbor_rd r;
    struct cbor_wr w;
    uint64_t left[CBOR_DEPTH_MAX + 1];
    bool map[CBOR_DEPTH_MAX + 1];
    unsigned depth;
};

static void open_level(struct copy *c, bool map, uint64_t n)
{
    if (n == 0 || c->depth > CBOR_DEPTH_MAX)
        return;
    c->left[c->depth] = n;
    c->map[c->depth++] = map;
}

static void copy_item(struct copy *c, enum cbor_type type)
{
    size_t len = 0;
    const void *p;
    switch (type) {
    case CBOR_UINT:
        cbor_wr_uint(&c->w, cbor_rd_uint(&c->r, UINT64_MAX));
        break;
    case CBOR_BYTES:
        p = cbor_rd_bytes(&c->r, SIZE_MAX, &len);
        cbor_wr_bytes(&c->w, p, len);
        break;
    case CBOR_TEXT:
        p = cbor_rd_text(&c->r, SIZE_MAX, &len);
        cbor_wr_text_n(&c->w, p ? p : "", len);
        break;
    case CBOR_BOOL:
        cbor_wr_bool(&c->w, cbor_rd_bool(&c->r));
        break;
    case CBOR_ARRAY:
        len = cbor_rd_array(&c->r, SIZE_MAX);
        cbor_wr_array(&c->w, len);
        open_level(c, false, len);
        break;
    case CBOR_MAP:
        len = cbor_rd_map(&c->r, SIZE_MAX);
        cbor_wr_map(&c->w, len);
        open_level(c, true, len);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct copy c = { .depth = 0 };
    struct cf_buf out = { 0 };
    struct cf_err err = { 0 };
    enum cbor_type type;
    cbor_rd_init(&c.r, data, size, &err);
    cbor_rd_skip(&c.r);
    bool skipped = cbor_rd_end(&c.r) == CF_OK;

    cbor_rd_init(&c.r, data, size, &err);
    cbor_wr_init(&c.w, &out, &err);
    for (size_t i = 0; i < ITEMS_MAX && cbor_rd_ok(&c.r); i++) {
        while (c.depth && c.left[c.depth - 1] == 0)
            c.depth--;
        if (i > 0 && c.depth == 0)
            break;
        if (c.depth) {
            c.left[c.depth - 1]--;
            if (c.map[c.depth - 1])
                cbor_wr_key(&c.w, cbor_rd_key(&c.r));
        }
        if (cbor_rd_peek(&c.r, &type))
            copy_item(&c, type);
    }
    bool read = cbor_rd_end(&c.r) == CF_OK;
    if (read && (!skipped || cbor_wr_end(&c.w) != CF_OK || out.len != size ||
                 memcmp(out.data, data, size) != 0))
        abort();
    if (skipped && !read && size < ITEMS_MAX)
        abort();
    cf_buf_clear(&out);
    return 0;
}
