#include "http.h"

#include <string.h>
#include <strings.h>

static enum http_method method_of(const char *word)
{
    static const char *const names[] = { "GET", "HEAD", "PUT", "POST", "DELETE" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(word, names[i]) == 0)
            return (enum http_method)i;
    return HTTP_OTHER;
}

/* Cuts the next CRLF line off *at; NULL when there is none before `end`. */
static char *cut_line(char **at, char *end)
{
    char *line = *at;
    for (char *p = line; p + 1 < end; p++) {
        if (*p == '\0' || *p == '\n')
            return NULL;
        if (p[0] == '\r' && p[1] == '\n') {
            *p = '\0';
            *at = p + 2;
            return line;
        }
    }
    return NULL;
}

static int parse_start(struct http_request *r, char *line)
{
    char *target = strchr(line, ' ');
    if (target == NULL)
        return 400;
    *target++ = '\0';
    char *version = strchr(target, ' ');
    if (version == NULL)
        return 400;
    *version++ = '\0';
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
        return 505;
    r->keep_alive = strcmp(version, "HTTP/1.1") == 0;
    r->method = method_of(line);
    if (target[0] != '/')
        return 400;
    r->path = target;
    r->query = "";
    char *q = strchr(target, '?');
    if (q != NULL) {
        *q = '\0';
        r->query = q + 1;
    }
    return r->method == HTTP_OTHER ? 405 : 0;
}

static int parse_field(struct http_request *r, char *line)
{
    char *colon = strchr(line, ':');
    if (colon == NULL || colon == line || line[0] == ' ' || line[0] == '\t')
        return 400;
    if (r->nfields == HTTP_FIELDS_MAX)
        return 431;
    *colon = '\0';
    char *value = colon + 1;
    value += strspn(value, " \t");
    for (size_t n = strlen(value); n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'); n--)
        value[n - 1] = '\0';
    r->fields[r->nfields++] = (struct http_field){ line, value };

    if (strcasecmp(line, "Content-Length") == 0) {
        if (r->has_length || !http_u64(value, &r->content_length))
            return 400;
        r->has_length = true;
    } else if (strcasecmp(line, "Transfer-Encoding") == 0) {
        return 501;
    } else if (strcasecmp(line, "Connection") == 0) {
        r->keep_alive = strcasecmp(value, "close") != 0;
    } else if (strcasecmp(line, "Expect") == 0) {
        r->expect_continue = strcasecmp(value, "100-continue") == 0;
    }
    return 0;
}

int http_parse(struct http_request *r, char *head, size_t len)
{
    char *at = head, *end = head + len;
    *r = (struct http_request){ .method = HTTP_OTHER };
    char *line = cut_line(&at, end);
    if (line == NULL)
        return 400;
    int status = parse_start(r, line);
    while (status == 0 && (line = cut_line(&at, end)) != NULL && line[0] != '\0')
        status = parse_field(r, line);
    if (status == 0 && line == NULL)
        return 400;
    return status;
}

const char *http_header(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->nfields; i++)
        if (strcasecmp(r->fields[i].name, name) == 0)
            return r->fields[i].value;
    return NULL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool http_unescape(const char *in, size_t len, bool plus, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = in[i];
        if (c == '%') {
            if (len - i < 3)
                return false;
            int hi = hex_digit(in[i + 1]), lo = hex_digit(in[i + 2]);
            if (hi < 0 || lo < 0)
                return false;
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0' || n + 1 >= cap)
            return false;
        out[n++] = c;
    }
    if (cap == 0)
        return false;
    out[n] = '\0';
    return true;
}

bool http_query(const char *query, const char *name, char *out, size_t cap)
{
    size_t want = strlen(name);
    for (const char *p = query; *p != '\0';) {
        size_t len = strcspn(p, "&");
        if (len >= want && strncmp(p, name, want) == 0 && (len == want || p[want] == '=')) {
            size_t skip = len == want ? want : want + 1;
            return http_unescape(p + skip, len - skip, true, out, cap);
        }
        p += len;
        if (*p == '&')
            p++;
    }
    return false;
}

bool http_u64(const char *s, uint64_t *out)
{
    uint64_t v = 0;
    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || v > (UINT64_MAX - 9) / 10)
            return false;
        v = v * 10 + (uint64_t)(*s - '0');
    }
    *out = v;
    return true;
}

int http_range(const char *value, uint64_t size, uint64_t *first, uint64_t *count)
{
    *first = 0;
    *count = size;
    char text[64];
    if (value == NULL || strncmp(value, "bytes=", 6) != 0 || strlen(value + 6) >= sizeof text)
        return 0;
    memcpy(text, value + 6, strlen(value + 6) + 1);
    char *dash = strchr(text, '-');
    if (dash == NULL)
        return 0;
    *dash = '\0';
    uint64_t a = 0, b = size == 0 ? 0 : size - 1;
    if (text[0] == '\0') {
        uint64_t tail;
        if (!http_u64(dash + 1, &tail))
            return 0;
        a = tail < size ? size - tail : 0;
    } else if (!http_u64(text, &a) || (dash[1] != '\0' && !http_u64(dash + 1, &b)) || b < a) {
        return a >= size ? 416 : 0;
    }
    if (a >= size)
        return 416;
    if (b >= size)
        b = size - 1;
    *first = a;
    *count = b - a + 1;
    return 206;
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } table[] = {
        { 100, "Continue" },
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 304, "Not Modified" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 409, "Conflict" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Payload Too Large" },
        { 416, "Range Not Satisfiable" },
        { 429, "Too Many Requests" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].status == status)
            return table[i].text;
    return "Status";
}
