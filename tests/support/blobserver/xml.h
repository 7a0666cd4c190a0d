/* Just the XML that the blob service speaks: a growing text with escaping, and block lists in. */
#ifndef BLOBSERVER_XML_H
#define BLOBSERVER_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "store.h"

struct text {
    char *data;
    size_t len, cap;
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_add_escaped(struct text *t, const char *s);

/* Reads <BlockList> with <Latest>, <Committed>, <Uncommitted>. `*out` is malloc'ed. */
bool xml_block_list(const char *xml, size_t len, struct store_wanted **out, size_t *count);

#endif
