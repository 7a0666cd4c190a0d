/*
 * One HTTP/1.1 request head, parsed in place, and the little escaping that Azure's URLs need.
 * Strict where leniency would hide a bug of the client under test: one Content-Length, no
 * Transfer-Encoding, no obsolete line folding.
 */
#ifndef BLOBSERVER_HTTP_H
#define BLOBSERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX   32768
#define HTTP_FIELDS_MAX 64

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_OTHER };

struct http_field {
    const char *name, *value;
};

/* Strings point into the head that was parsed and live as long as it. */
struct http_request {
    enum http_method method;
    const char *path;  /* still percent-encoded, starts with '/' */
    const char *query; /* without '?', "" when there is none */
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t nfields;
    uint64_t content_length;
    bool has_length, keep_alive, expect_continue;
};

/* Parses head[0..len), which ends with the empty line; writes NULs into it.
 * Returns 0, or the status to refuse the request with. */
int http_parse(struct http_request *r, char *head, size_t len);

/* The value of a header, or NULL. Names compare without case. */
const char *http_header(const struct http_request *r, const char *name);

/* Copies the decoded value of a query parameter. False: absent, too long or badly encoded. */
bool http_query(const char *query, const char *name, char *out, size_t cap);

/* Decodes %XX of in[0..len) into out as a string. `plus` makes '+' a blank. */
bool http_unescape(const char *in, size_t len, bool plus, char *out, size_t cap);

/* Reads a decimal number that fills the whole string. */
bool http_u64(const char *s, uint64_t *out);

/* "bytes=a-b", "bytes=a-" or "bytes=-n" against a size. Returns 0 (no range: all), 206 or 416;
 * on 0 and 206 `first` and `count` are the bytes to send. */
int http_range(const char *value, uint64_t size, uint64_t *first, uint64_t *count);

const char *http_reason(int status);

#endif
