/* One segment of an index and a name: refused, or an offset inside what the segment says. */
#include <stdlib.h>
#include <string.h>

#include "chunk/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chunk_segment s = { .chunk = 5 };
    char name[33] = "";
    uint64_t chunk = 0;
    uint32_t offset = 0;
    if (size < 32 || size > CHUNK_SEGMENT_MAX)
        return 0;
    memcpy(name, data, 32);
    s.len = (uint32_t)(size - 32);
    enum cf_rc rc = chunk_index_find(&s, data + 32, name, &chunk, &offset, NULL);
    if (rc == CF_OK && (chunk < s.chunk || chunk >= s.chunk + size / 6))
        abort();
    if (rc != CF_OK && rc != CF_E_CORRUPT)
        abort();
    return 0;
}
