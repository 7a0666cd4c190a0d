/*
 * The levels of open containers, kept alike by writer and reader. Private to the folder.
 */
#ifndef CBOR_PRIV_H
#define CBOR_PRIV_H

#include "cbor/cbor.h"

/* Major types, RFC 8949 3.1. */
enum {
    MAJOR_UINT = 0,
    MAJOR_BYTES = 2,
    MAJOR_TEXT = 3,
    MAJOR_ARRAY = 4,
    MAJOR_MAP = 5,
    MAJOR_SIMPLE = 7
};
#define SIMPLE_FALSE 0xf4
#define SIMPLE_TRUE  0xf5

/* Where an item stands: how deep it is, and whether the outermost one is complete. */
struct cbor_place {
    struct cbor_level *level;
    unsigned *depth;
    bool *done;
};

/* Each gives NULL, or what is wrong. An item may start here. */
const char *cbor_place_item(const struct cbor_place *at);
/* A container of n items or pairs starts here; items are to follow unless n is 0. */
const char *cbor_place_open(const struct cbor_place *at, bool map, uint64_t n);
/* The key of the next pair of the innermost map. */
const char *cbor_place_key(const struct cbor_place *at, uint64_t key);
/* One whole item ended: closes every container that is full now. */
void cbor_place_ended(const struct cbor_place *at);

#endif
