/* A block of records, pushed in two pieces: refused, or its records fill it, ascend, and lead to
 * the same index however it was cut. */
#include <stdlib.h>
#include <string.h>

#include "chunk/chunk.h"

#define CHUNK_LOG2 12

struct seen {
    size_t bytes;
    char last[FLOW_NAME_MAX];
    size_t last_len;
};

static enum cf_rc take(void *ctx, struct cf_rd name, const void *record, size_t len, bool *stop,
                       struct cf_err *e)
{
    struct seen *s = ctx;
    (void)record, (void)stop, (void)e;
    if (chunk_name_order(cf_rd_of(s->last, s->last_len), name) >= 0)
        abort();
    memcpy(s->last, name.p, name.left);
    s->last_len = name.left;
    s->bytes += len + 4;
    return CF_OK;
}

static enum cf_rc run(const uint8_t *data, size_t size, size_t cut, struct chunk_index *index,
                      struct seen *seen)
{
    struct chunk_unpacker *u = NULL;
    struct chunk_taker taker = { .take = take, .ctx = seen };
    if (chunk_unpacker_new(CHUNK_LOG2, taker, index, &u, NULL) != CF_OK)
        abort();
    enum cf_rc rc = chunk_unpacker_block(u, (uint32_t)size, NULL);
    if (rc == CF_OK)
        rc = chunk_unpacker_push(u, data, cut, NULL);
    if (rc == CF_OK)
        rc = chunk_unpacker_push(u, data + cut, size - cut, NULL);
    if (rc == CF_OK)
        rc = chunk_unpacker_end(u, NULL);
    chunk_unpacker_free(u);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chunk_index a = { 0 }, b = { 0 };
    struct seen one = { 0 }, two = { 0 };
    if (size < 2 || size > 1 << 20)
        return 0;
    size_t cut = (size_t)data[0] * size / 256;
    enum cf_rc rc = run(data + 1, size - 1, size - 1, &a, &one);
    if (rc != run(data + 1, size - 1, cut < size - 1 ? cut : 0, &b, &two))
        abort();
    if (rc == CF_OK && (a.bytes.len != b.bytes.len || one.bytes != two.bytes ||
                        size - 1 - one.bytes >= 1 << CHUNK_LOG2 ||
                        (a.bytes.len && memcmp(a.bytes.data, b.bytes.data, a.bytes.len) != 0)))
        abort();
    chunk_index_clear(&a);
    chunk_index_clear(&b);
    return 0;
}
