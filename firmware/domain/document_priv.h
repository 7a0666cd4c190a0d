/*
 * A parsed document. Private to the folder.
 */
#ifndef DOMAIN_DOCUMENT_PRIV_H
#define DOMAIN_DOCUMENT_PRIV_H

#include "domain_priv.h"

struct domain_document {
    struct json *root;
    struct cf_buf map_bytes;
    struct domain_map map;
    struct domain_holder holder[DOMAIN_HOLDERS_MAX]; /* the public part of map.holder */
    struct domain_signature sig;
    uint8_t id[32];
    uint8_t signer[32];
    const char *enc_key[DOMAIN_HOLDERS_MAX]; /* in `root`; NULL for paper */
    const char *item[DOMAIN_ITEMS_MAX];      /* compact_jwe, in `root` */
};

#endif
