#include "cbor_priv.h"

const char *cbor_place_item(const struct cbor_place *at)
{
    if (*at->done)
        return "more than one item";
    if (*at->depth == 0)
        return NULL;
    const struct cbor_level *l = &at->level[*at->depth - 1];
    return l->map && !l->value_due ? "a key is due" : NULL;
}

const char *cbor_place_open(const struct cbor_place *at, bool map, uint64_t n)
{
    const char *wrong = cbor_place_item(at);
    if (wrong)
        return wrong;
    if (*at->depth == CBOR_DEPTH_MAX)
        return "too deep";
    if (n == 0) {
        cbor_place_ended(at);
        return NULL;
    }
    at->level[(*at->depth)++] = (struct cbor_level){ .left = n, .map = map };
    return NULL;
}

const char *cbor_place_key(const struct cbor_place *at, uint64_t key)
{
    if (*at->depth == 0)
        return "a key outside a map";
    struct cbor_level *l = &at->level[*at->depth - 1];
    if (!l->map || l->value_due)
        return "a key where an item is due";
    if (l->any && key <= l->key)
        return "keys do not ascend";
    l->key = key;
    l->any = true;
    l->value_due = true;
    return NULL;
}

void cbor_place_ended(const struct cbor_place *at)
{
    while (*at->depth) {
        struct cbor_level *l = &at->level[*at->depth - 1];
        l->value_due = false;
        if (--l->left)
            return;
        (*at->depth)--; /* full: and with it an item of the level above */
    }
    *at->done = true;
}
