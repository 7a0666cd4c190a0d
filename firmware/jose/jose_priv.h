/*
 * Compact serialisation: parts between dots. Private to the folder.
 */
#ifndef JOSE_PRIV_H
#define JOSE_PRIV_H

#include "jose/jose.h"

#define JOSE_PARTS_MAX 5
#define JOSE_HEAD_MAX  4096 /* bytes of a header's JSON */

struct jose_part {
    const char *text;
    size_t len;
};

/* Exactly `n` parts, every byte of the base64url alphabet. Parts may be empty. */
CF_CHECK enum cf_rc jose_split(const char *text, size_t len, size_t n, struct jose_part *out,
                               struct cf_err *e);

/* Appends the bytes of a part. */
CF_CHECK enum cf_rc jose_decode(const struct jose_part *p, struct cf_buf *out, struct cf_err *e);

/* Appends bytes as base64url. */
CF_CHECK enum cf_rc jose_encode(struct crypto_bytes in, struct cf_buf *out, struct cf_err *e);

/* The header's JSON, without `crit` and `zip`; the caller frees it with json_free. */
CF_CHECK enum cf_rc jose_header(const struct jose_part *p, struct json **out, struct cf_err *e);

#endif
