/* cJSON takes more than RFC 8259 allows (numbers like "01", control characters in strings, \u0000,
 * invalid UTF-8, deep nesting by recursion): this scan lets only strict text through to it. */
#include <string.h>

#include "base/text.h"
#include "json_priv.h"

struct scan {
    const uint8_t *p;
    const uint8_t *end;
    uint32_t objects; /* bit d: level d is an object */
    unsigned depth;
    unsigned max_depth;
    size_t values; /* how many more may come */
};

_Static_assert(JSON_DEPTH_MAX <= 32, "one bit of `objects` a level");

static int peek(const struct scan *s)
{
    return s->p < s->end ? *s->p : -1;
}

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

/* Four hex digits; -1 where they are not. */
static int32_t hex4(struct scan *s)
{
    int32_t v = 0;
    if (s->end - s->p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        uint8_t c = *s->p++;
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

static const char *escape(struct scan *s)
{
    int c = peek(s);
    if (c < 0 || !strchr("\"\\/bfnrtu", c) || c == 0)
        return "bad escape";
    s->p++;
    if (c != 'u')
        return NULL;
    int32_t v = hex4(s);
    if (v < 0)
        return "bad \\u escape";
    if (v == 0)
        return "NUL in a string";
    if (v >= 0xdc00 && v <= 0xdfff)
        return "lone surrogate";
    if (v < 0xd800 || v > 0xdbff)
        return NULL;
    if (s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
        return "lone surrogate";
    s->p += 2;
    v = hex4(s);
    return v >= 0xdc00 && v <= 0xdfff ? NULL : "lone surrogate";
}

static const char *string(struct scan *s)
{
    s->p++; /* the quote */
    while (s->p < s->end) {
        uint8_t c = *s->p++;
        const char *wrong = c < 0x20    ? "control character in a string"
                            : c == '\\' ? escape(s)
                                        : NULL;
        if (wrong)
            return wrong;
        if (c == '"')
            return NULL;
    }
    return "string without end";
}

static bool digits(struct scan *s)
{
    const uint8_t *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > from;
}

static const char *number(struct scan *s)
{
    if (peek(s) == '-')
        s->p++;
    if (peek(s) == '0')
        s->p++;
    else if (!digits(s))
        return "bad number";
    if (peek(s) == '.') {
        s->p++;
        if (!digits(s))
            return "bad number";
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->p++;
        if (peek(s) == '+' || peek(s) == '-')
            s->p++;
        if (!digits(s))
            return "bad number";
    }
    return NULL;
}

static const char *word(struct scan *s, const char *want)
{
    size_t len = strlen(want);
    if ((size_t)(s->end - s->p) < len || strncmp((const char *)s->p, want, len) != 0)
        return "neither a value nor a bracket";
    s->p += len;
    return NULL;
}

static const char *scalar(struct scan *s)
{
    switch (peek(s)) {
    case '"':
        return string(s);
    case 't':
        return word(s, "true");
    case 'f':
        return word(s, "false");
    case 'n':
        return word(s, "null");
    default:
        return number(s);
    }
}

static bool in_object(const struct scan *s)
{
    return s->depth && (s->objects >> (s->depth - 1) & 1);
}

/* In an object, the name and colon before a value. */
static const char *name(struct scan *s)
{
    if (!in_object(s))
        return NULL;
    skip_space(s);
    const char *wrong = peek(s) == '"' ? string(s) : "a member's name is due";
    if (wrong)
        return wrong;
    skip_space(s);
    if (peek(s) != ':')
        return "a colon is due";
    s->p++;
    return NULL;
}

/* Steps over an opening bracket; *empty when its closing one follows at once. */
static const char *open_bracket(struct scan *s, bool *empty)
{
    bool object = *s->p == '{';
    if (s->depth == s->max_depth)
        return "too deep";
    s->objects = object ? s->objects | 1U << s->depth : s->objects & ~(1U << s->depth);
    s->depth++;
    s->p++;
    skip_space(s);
    *empty = peek(s) == (object ? '}' : ']');
    return NULL;
}

/* Behind a value: closes what is closed here. *more when a comma announces another value. */
static const char *behind(struct scan *s, bool *more)
{
    *more = false;
    while (s->depth) {
        skip_space(s);
        int c = peek(s);
        if (c == ',') {
            s->p++;
            *more = true;
            return NULL;
        }
        if (c != (in_object(s) ? '}' : ']'))
            return "a comma or closing bracket is due";
        s->p++;
        s->depth--;
    }
    return NULL;
}

static const char *document(struct scan *s)
{
    bool more = true;
    const char *wrong = NULL;
    while (!wrong && more) {
        wrong = s->values-- ? name(s) : "too many values";
        if (wrong)
            break;
        skip_space(s);
        bool empty = true;
        if (peek(s) == '{' || peek(s) == '[') {
            wrong = open_bracket(s, &empty);
            if (!wrong && !empty)
                continue;
        } else {
            wrong = scalar(s);
        }
        if (!wrong)
            wrong = behind(s, &more);
    }
    skip_space(s);
    return wrong ? wrong : s->p < s->end ? "bytes behind the value" : NULL;
}

enum cf_rc json_scan(const void *text, size_t len, const struct json_limits *limits,
                     struct cf_err *e)
{
    if (len == 0)
        return CF_FAIL(e, CF_E_INPUT, "JSON: empty");
    struct scan s = { .p = text,
                      .end = (const uint8_t *)text + len,
                      .max_depth = limits->depth,
                      .values = limits->values ? limits->values : JSON_VALUES };
    if (len > limits->bytes)
        return CF_FAIL(e, CF_E_INPUT, "JSON: longer than %zu bytes", limits->bytes);
    if (!cf_utf8_valid(text, len))
        return CF_FAIL(e, CF_E_INPUT, "JSON: not UTF-8");
    const char *wrong = document(&s);
    if (wrong)
        return CF_FAIL(e, CF_E_INPUT, "JSON: %s at byte %zu", wrong,
                       (size_t)(s.p - (const uint8_t *)text));
    return CF_OK;
}
