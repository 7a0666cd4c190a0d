/* The parts of a blob that is taken tile it, in order, to the last byte. */
#include <stdlib.h>

#include "keystore_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keyblob b;
    struct cf_err err = { 0 };
    enum cf_rc rc = keyblob_parse(crypto_bytes_of(data, size), &b, &err);
    if (rc == CF_OK) {
        const uint8_t *name = b.name.p, *spki = b.spki.p, *wrapped = b.wrapped.p;
        if (name != data + 80 || spki != name + b.name.len || wrapped != spki + b.spki.len ||
            b.mac != wrapped + b.wrapped.len || b.mac + HAL_MAC_SIZE != data + size ||
            b.maced.len + HAL_MAC_SIZE != size || b.wrapped.len < b.material_len)
            abort();
        if (keyblob_spki_fits(&b, &err) == CF_OK && !b.spki.len && b.spec.type != HAL_OCT)
            abort();
    } else if (rc != CF_E_CORRUPT && rc != CF_E_LIMIT) {
        abort();
    }
    return 0;
}
