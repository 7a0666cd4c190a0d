/* A selector that is taken is written again byte for byte the same. */
#include <stdlib.h>
#include <string.h>

#include "live_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store_selector s;
    uint8_t again[SELECTOR_SIZE], whole[SELECTOR_SIZE];
    struct cf_err err = { 0 };
    if (size < 96)
        return selector_decode(data, size, &s, &err) == CF_OK ? (abort(), 0) : 0;
    /* The sum is made right, or no input would come behind it. */
    memcpy(whole, data, 96);
    if (crypto_digest(HAL_SHA256, whole, 96, whole + 96, &err) != CF_OK)
        abort();
    if (selector_decode(whole, sizeof whole, &s, &err) == CF_OK) {
        selector_encode(&s, again);
        if (memcmp(again, whole, 96) != 0)
            abort();
    }
    return 0;
}
