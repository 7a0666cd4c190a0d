#include "ids_priv.h"

#include <stddef.h>

enum cf_rc api_ids_guid(struct hal_entropy *r, char out[37], struct cf_err *e)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t b[16];
    enum cf_rc rc = hal_entropy_fill(r, b, sizeof b, e);
    if (rc != CF_OK)
        return rc;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    char *p = out;
    for (size_t i = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[b[i] >> 4];
        *p++ = digits[b[i] & 15];
    }
    *p = 0;
    return CF_OK;
}
