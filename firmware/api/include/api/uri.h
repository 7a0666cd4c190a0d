/*
 * The request target and forms: splits, decodes once, decides nothing.
 * Source: RFC 3986 (path, query), API document 2 (slash rules) and 1.1.
 * Threads: pure functions over the caller's memory.
 */
#ifndef API_URI_H
#define API_URI_H

#include <stddef.h>

#include "base/err.h"

#define API_URI_MAX      4096 /* bytes of a request target */
#define API_SEGMENTS_MAX 8
#define API_PARAMS_MAX   16

/* The segments of a path, in the caller's text; empty ones (doubled and trailing slashes) are gone.
 */
struct api_path {
    size_t count;
    const char *segment[API_SEGMENTS_MAX];
};

struct api_params {
    size_t count;
    struct {
        const char *name;
        const char *value;
    } item[API_PARAMS_MAX];
};

/* Cuts `uri` (mutable, NUL-terminated, kept alive by the caller) into path and query.
 * CF_E_INPUT: no leading slash, a byte or escape that no path of this interface has, "." and ".."
 * segments, a fragment, or what api_params_parse refuses. */
CF_CHECK enum cf_rc api_uri_parse(char *uri, struct api_path *path, struct api_params *query,
                                  struct cf_err *e);

/* Cuts "a=b&c=d" and decodes it in place: '+' is a blank, %XX a byte. For queries and forms.
 * CF_E_INPUT: a control byte or a byte over 0x7e (escaped or not), a broken escape, a name without
 * '=', an empty name, a name twice, too many. */
CF_CHECK enum cf_rc api_params_parse(char *text, struct api_params *out, struct cf_err *e);

/* The value, or NULL. Names are compared exactly. */
const char *api_param(const struct api_params *p, const char *name);

#endif
