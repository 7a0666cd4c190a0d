#include "route_priv.h"

#include <stdio.h>
#include <string.h>

#define VERSION_LEN 32

static bool is_version(const char *s)
{
    return strlen(s) == VERSION_LEN && strspn(s, "0123456789abcdef") == VERSION_LEN;
}

static bool capture(struct api_request *rq, const char *mark, size_t len, const char *segment)
{
    if (len == 5 && strncmp(mark, "{key}", 5) == 0) {
        rq->key = segment;
        return true;
    }
    if (len == 9 && strncmp(mark, "{version}", 9) == 0) {
        rq->version = segment;
        return is_version(segment);
    }
    rq->arg = segment;
    return true;
}

/* How many segments a leading {scope} takes here, given how many the rest of the pattern has. */
static bool take_scope(struct api_request *rq, size_t rest, size_t *at)
{
    if (rq->path.count < rest)
        return false;
    size_t n = rq->path.count - rest;
    if (n > 2 || (n && strcmp(rq->path.segment[0], "keys") != 0))
        return false;
    if (n == 2)
        rq->key = rq->path.segment[1];
    rq->scope.level = n == 0 ? ACCESS_AT_ALL : n == 1 ? ACCESS_AT_KEYS : ACCESS_AT_KEY;
    *at = n;
    return true;
}

static size_t count_segments(const char *pattern)
{
    size_t n = 0;
    for (const char *p = pattern; *p; p++)
        n += *p == '/';
    return n;
}

static bool fits(struct api_request *rq, const char *pattern)
{
    size_t at = 0;
    rq->key = rq->version = rq->arg = NULL;
    rq->scope = (struct access_scope){ 0 };
    if (strncmp(pattern, "{scope}", 7) == 0) {
        pattern += 7;
        if (!take_scope(rq, count_segments(pattern), &at))
            return false;
    }
    while (*pattern == '/') {
        const char *mark = ++pattern;
        size_t len = strcspn(mark, "/");
        pattern += len;
        if (at == rq->path.count)
            return false;
        const char *segment = rq->path.segment[at++];
        bool literal = *mark != '{';
        if (literal ? strncmp(mark, segment, len) != 0 || segment[len]
                    : !capture(rq, mark, len, segment))
            return false;
    }
    return at == rq->path.count;
}

static void add_allowed(char allow[64], enum api_method m)
{
    static const char *const names[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
    if (m >= API_OTHER || strstr(allow, names[m]))
        return;
    size_t n = strlen(allow);
    snprintf(allow + n, 64 - n, "%s%s", n ? ", " : "", names[m]);
}

enum api_match api_route_find(struct api_request *rq, char allow[64])
{
    size_t count = 0;
    const struct api_route *rows = api_routes(&count);
    allow[0] = 0;
    for (size_t i = 0; i < count; i++) {
        if (!!(rows[i].flags & API_LOCAL) != rq->local || !fits(rq, rows[i].pattern))
            continue;
        if (rows[i].method == rq->method) {
            rq->route = &rows[i];
            return API_MATCHED;
        }
        add_allowed(allow, rows[i].method);
    }
    rq->key = rq->version = rq->arg = NULL;
    return allow[0] ? API_WRONG_METHOD : API_UNKNOWN;
}
