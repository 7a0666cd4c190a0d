/* The sealed and the public map: refused, or written again byte for byte (extensions aside). First
 * byte: which of the two. */
#include <stdlib.h>
#include <string.h>

#include "manifest_priv.h"

static enum cf_rc again(uint8_t which, const struct manifest *m, struct cf_buf *out)
{
    return which ? manifest_sealed_write(m, out, NULL) : manifest_public_write(m, out, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest m = { 0 };
    struct cf_buf out = { 0 };
    struct cf_err err = { 0 };
    if (size == 0)
        return 0;
    uint8_t which = data[0] & 1;
    struct crypto_bytes map = crypto_bytes_of(data + 1, size - 1);
    enum cf_rc rc =
        which ? manifest_sealed_read(map, &m, &err) : manifest_public_read(map, &m, &err);
    if (rc == CF_OK && which && (data[1] & 0x1f) == 11) { /* eleven pairs: no extensions */
        if (again(which, &m, &out) != CF_OK || out.len != map.len ||
            memcmp(out.data, map.p, out.len) != 0)
            abort();
        (void)!manifest_check(&m, &err);
    } else if (rc == CF_OK && !which) {
        if (again(which, &m, &out) != CF_OK || out.len != map.len ||
            memcmp(out.data, map.p, out.len) != 0)
            abort();
    } else if (rc != CF_OK && rc != CF_E_CORRUPT) {
        abort();
    }
    cf_buf_clear(&out);
    manifest_clear(&m);
    return 0;
}
