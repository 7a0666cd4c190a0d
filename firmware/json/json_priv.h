/*
 * The strict scan that comes before cJSON sees the text. Private to the folder.
 */
#ifndef JSON_PRIV_H
#define JSON_PRIV_H

#include "json/json.h"

/* CF_OK: `text` is one JSON value of RFC 8259 within the limits, without NUL in any string, in
 * valid UTF-8 without lone surrogates, nothing behind it but white space. Names may still be
 * doubled. */
CF_CHECK enum cf_rc json_scan(const void *text, size_t len, const struct json_limits *limits,
                              struct cf_err *e);

#endif
