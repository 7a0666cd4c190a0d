/* A key's record that is taken is written again byte for byte the same. */
#include <stdlib.h>
#include <string.h>

#include "keystore_priv.h"

/* The domain of tests/vectors, whose blobs seed the corpus. */
static const uint8_t domain[HAL_DOMAIN_ID_SIZE] = {
    0xcd, 0x5d, 0xf6, 0x1c, 0xa8, 0xfd, 0x06, 0x78, 0x2b, 0x7d, 0x7e, 0x03, 0xb6, 0xc4, 0x59, 0x0c
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keystore ks = { .o = { .generation = { 2, 1 }, .generations = 2 } };
    struct keystore_record *r = NULL;
    struct cf_buf again = { 0 };
    struct cf_err err = { 0 };
    memcpy(ks.o.domain_id, domain, sizeof domain);
    enum cf_rc rc = keystore_record_parse(&ks, data, size, &r, &err);
    if (rc == CF_OK) {
        if (record_encode(r, &again, &err) != CF_OK || again.len != size ||
            memcmp(again.data, data, size) != 0)
            abort();
    } else if (rc != CF_E_CORRUPT && rc != CF_E_LIMIT && rc != CF_E_AUTH && rc != CF_E_DENIED) {
        abort();
    }
    keystore_record_free(r);
    cf_buf_clear(&again);
    return 0;
}
