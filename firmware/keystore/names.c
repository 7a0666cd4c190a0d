#include "keystore_priv.h"

#include <string.h>

#include "base/text.h"

#define MS_PER_S 1000

enum cf_rc keystore_name(const char *name, char lower[KEYSTORE_NAME_MAX + 1], struct cf_err *e)
{
    char out[KEYSTORE_NAME_MAX + 1];
    size_t len = name ? strnlen(name, sizeof out) : 0;
    for (size_t i = 0; i < len && len < sizeof out; i++)
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    if (!name_is_lower(out, len))
        return BAD_PARAMETER(e, "A key's name has 1 to 127 of the characters 0-9, a-z, A-Z, -.");
    memcpy(lower, out, len);
    lower[len] = 0;
    return CF_OK;
}

bool name_is_lower(const char *name, size_t len)
{
    if (len < 1 || len > KEYSTORE_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

struct version_key version_prefix(const char *lower)
{
    struct version_key k = { .len = strnlen(lower, KEYSTORE_NAME_MAX) + 1 };
    memcpy(k.bytes, lower, k.len - 1); /* the 00 is there */
    return k;
}

struct version_key version_key(const char *lower, uint64_t sequence,
                               const uint8_t id[KEYSTORE_ID_SIZE])
{
    struct version_key k = version_prefix(lower);
    cf_be64(k.bytes + k.len, sequence);
    memcpy(k.bytes + k.len + 8, id, KEYSTORE_ID_SIZE);
    k.len += 8 + KEYSTORE_ID_SIZE;
    return k;
}

uint64_t version_sequence(const char *lower, const struct cf_buf *row_key)
{
    struct version_key prefix = version_prefix(lower);
    if (row_key->len != prefix.len + 8 + KEYSTORE_ID_SIZE ||
        !cf_equal(row_key->data, prefix.bytes, prefix.len))
        return 0;
    struct cf_rd r = cf_rd_of(row_key->data + prefix.len, 8);
    return cf_rd_be64(&r);
}

bool version_id_parse(const char *text, uint8_t out[KEYSTORE_ID_SIZE])
{
    return strnlen(text, KEYSTORE_ID_HEX + 1) == KEYSTORE_ID_HEX &&
           cf_unhex(text, out, KEYSTORE_ID_SIZE, NULL) == CF_OK;
}

uint64_t now_s(const struct keystore *ks)
{
    int64_t ms = hal_clock_unix_ms(ks->o.clock);
    return ms > 0 ? (uint64_t)ms / MS_PER_S : 0;
}
