/* Two states of one key, as records: what lies between them. */
#include "keystore_priv.h"

#include <string.h>

static bool has_version(const struct keystore_record *r, const char *id)
{
    for (size_t i = 0; r && i < r->count; i++)
        if (strcmp(r->version[i].v.id, id) == 0)
            return true;
    return false;
}

/* Versions of `a` that `b` lacks. */
static uint64_t only_in(const struct keystore_record *a, const struct keystore_record *b)
{
    uint64_t n = 0;
    for (size_t i = 0; a && i < a->count; i++)
        n += !has_version(b, a->version[i].v.id);
    return n;
}

void keystore_record_compare(const struct keystore_record *now, const struct keystore_record *then,
                             struct keystore_difference *out)
{
    *out = (struct keystore_difference){
        .lost = only_in(now, then),
        .back = only_in(then, now),
        .deleted_now = now && now->key.k.deleted != 0,
        .deleted_then = then && then->key.k.deleted != 0,
        .created = now ? now->key.k.created : 0,
    };
}
