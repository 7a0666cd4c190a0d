/* Receipts: refused, or what they say hangs together. */
#include <stdlib.h>

#include "manifest/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest_proven p = { .percent = 0 };
    struct cf_err err = { 0 };
    enum cf_rc rc = manifest_receipt_read(NULL, data, size, &p, &err);
    if (rc == CF_OK && (p.read > p.blocks || p.scope < MANIFEST_PROVES_ALL ||
                        p.scope > MANIFEST_PROVES_PART || p.percent > 100))
        abort();
    if (rc != CF_OK && rc != CF_E_CORRUPT && rc != CF_E_AUTH && rc != CF_E_LIMIT)
        abort();
    return 0;
}
