/*
 * The head of a request, checked byte for byte before anything acts on it: the HTTP library lets
 * through what RFC 9112 forbids (bare LF, folded lines, doubled Content-Length, ...).
 * Source: RFC 9110 5, RFC 9112 2-6; README, "What the library hides".
 * Threads: pure functions over the caller's memory.
 */
#ifndef API_HEAD_PRIV_H
#define API_HEAD_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define API_FIELDS_MAX 48
#define API_HEAD_MAX   32768 /* bytes of a head; a token with many groups needs room */

struct api_field {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

/* As the library hands it over: fields in order of arrival, pointing into the connection's buffer.
 */
struct api_head {
    const char *method;
    const char *target; /* before any decoding */
    const char *version;
    size_t raw_len; /* bytes of the whole head, from the method on */
    size_t count;
    struct api_field field[API_FIELDS_MAX];
};

/* What the head says, once it is found well-formed. Pointers borrow from the head. */
struct api_head_facts {
    const char *host;
    const char *authorization;     /* NULL when absent */
    const char *content_type;      /* NULL when absent */
    const char *client_request_id; /* NULL when absent or not fit to be echoed */
    const char *user_agent;        /* NULL when absent */
    uint64_t content_length;       /* 0 when absent */
};

/* CF_E_INPUT: malformed, the connection must be closed. CF_E_LIMIT: well-formed, but it asks for
 * something that is not served (a transfer coding, an expectation, another HTTP version). */
CF_CHECK enum cf_rc api_head_check(const struct api_head *h, struct api_head_facts *out,
                                   struct cf_err *e);

/* True when the bytes in memory are exactly "name: value CRLF" for each field and nothing else.
 * The library ends each line in place: CR and LF become two NULs, a lone one becomes one NUL; a
 * folded line is moved elsewhere. So every field must stand where the one before it says. */
bool api_head_layout(const struct api_head *h);

#endif
