/*
 * Text encodings of bytes: hex, base64, base64url (RFC 4648). Sizes of outputs count the NUL.
 * Threads: any. Not for secrets in the clear: table look-ups are not constant-time.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CF_HEX_SIZE(n)    (2 * (n) + 1)
#define CF_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

/* Lower-case hex; `out` holds CF_HEX_SIZE(len). */
void cf_hex(const void *data, size_t len, char *out);

/* Exactly `len` bytes from 2 * len hex digits, either case. CF_E_INPUT: anything else. */
CF_CHECK enum cf_rc cf_unhex(const char *text, uint8_t *out, size_t len, struct cf_err *e);

/* Standard alphabet with padding; `out` holds CF_BASE64_SIZE(len). */
void cf_base64(const void *data, size_t len, char *out);

/* URL alphabet without padding; `out` holds CF_BASE64_SIZE(len). */
void cf_base64url(const void *data, size_t len, char *out);

/* Appends the decoded bytes. Takes either alphabet, with or without padding (API document 1.1);
 * refuses (CF_E_INPUT) any other byte, a length of 1 mod 4, and bits set behind the last byte. */
CF_CHECK enum cf_rc cf_unbase64(const char *text, size_t len, struct cf_buf *out, struct cf_err *e);

/* Well-formed UTF-8 (RFC 3629): shortest forms, no surrogates, up to U+10FFFF. NUL is a character.
 */
bool cf_utf8_valid(const void *text, size_t len);

/* A text from outside, fit for logs, rows and JSON: copies what fits into `size` bytes (at least 1,
 * NUL included) without cutting a character; bytes that are not UTF-8 and control characters become
 * '?'. True: it did not all fit. */
bool cf_utf8_clean(const char *text, char *out, size_t size);

/* Decimal digits only, no sign, at most `max`. CF_E_INPUT otherwise. */
CF_CHECK enum cf_rc cf_parse_u64(const char *text, uint64_t max, uint64_t *out, struct cf_err *e);

/* 8-4-4-4-12 hex digits, either case -> lower case in `out`. CF_E_INPUT otherwise. */
CF_CHECK enum cf_rc cf_parse_guid(const char *text, char out[37], struct cf_err *e);

#endif
