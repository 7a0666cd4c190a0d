#include "manifest/manifest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

void manifest_clear(struct manifest *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->stream_count; i++) {
        free(m->streams[i].blobs);
        free(m->streams[i].root);
    }
    free(m->streams);
    free(m->meta.blocks);
    free(m->left_out);
    free(m->cover);
    cf_buf_clear(&m->spki);
    *m = (struct manifest){ 0 };
}

enum cf_rc manifest_set_streams(struct manifest *m, size_t n, struct cf_err *e)
{
    if (n > FLOW_STREAMS_MAX || m->streams)
        return CF_FAIL(e, CF_E_LIMIT, "%zu streams in one backup", n);
    m->streams = calloc(n ? n : 1, sizeof *m->streams);
    if (!m->streams)
        return CF_FAIL(e, CF_E_LIMIT, "no memory");
    m->stream_count = n;
    return CF_OK;
}

void manifest_blob_name(uint32_t stream, size_t part, char out[MANIFEST_NAME_SIZE])
{
    snprintf(out, MANIFEST_NAME_SIZE, "s%u.%zu", stream, part);
}

void manifest_block_name(uint32_t stream, uint64_t block, const uint8_t salt[FLOW_SALT_SIZE],
                         char out[MANIFEST_NAME_SIZE])
{
    char hex[CF_HEX_SIZE(16)];
    cf_hex(salt, 16, hex);
    snprintf(out, MANIFEST_NAME_SIZE, "s%u/%llu-%s", stream, (unsigned long long)block, hex);
}

void manifest_meta_name(const uint8_t salt[FLOW_SALT_SIZE], char out[MANIFEST_NAME_SIZE])
{
    char hex[CF_HEX_SIZE(16)];
    cf_hex(salt, 16, hex);
    snprintf(out, MANIFEST_NAME_SIZE, "meta-%s", hex);
}
