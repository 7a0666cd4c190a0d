/* "name = value" files of tests/vectors/domain-v1, and officers' keys. */
#ifndef UNIT_DOMAIN_VALUES_H
#define UNIT_DOMAIN_VALUES_H

#include "support/test.h"

#include "base/buf.h"
#include "crypto/privkey.h"

/* Reads a file under tests/vectors; the caller clears it. */
struct cf_buf vector_file(const char *name);

/* The value of `name` in the text, as its own text; aborts the test when it is absent and `must`,
 * else empty. The caller clears it. */
struct cf_buf vector_value(const struct cf_buf *text, const char *name, int must);

/* The same from hex. */
struct cf_buf vector_hex(const struct cf_buf *text, const char *name);

/* CF_OK.. for the word behind "expect". */
enum cf_rc vector_expect(const struct cf_buf *text);

/* officers/officer<i>.key, i from 1. */
struct crypto_privkey *vector_officer(int i);

#endif
