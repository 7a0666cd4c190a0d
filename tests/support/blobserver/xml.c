#include "xml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_priv.h"

static void reserve(struct text *t, size_t more)
{
    if (t->len + more + 1 <= t->cap)
        return;
    size_t cap = 2 * (t->len + more + 1);
    char *grown = store_alloc(cap);
    if (t->len > 0)
        memcpy(grown, t->data, t->len);
    free(t->data);
    t->data = grown;
    t->cap = cap;
}

void text_add(struct text *t, const char *fmt, ...)
{
    va_list a, b;
    va_start(a, fmt);
    va_copy(b, a);
    int n = vsnprintf(NULL, 0, fmt, a);
    if (n > 0) {
        reserve(t, (size_t)n);
        vsnprintf(t->data + t->len, (size_t)n + 1, fmt, b);
        t->len += (size_t)n;
    }
    va_end(b);
    va_end(a);
}

void text_add_escaped(struct text *t, const char *s)
{
    for (; *s != '\0'; s++) {
        switch (*s) {
        case '&':
            text_add(t, "&amp;");
            break;
        case '<':
            text_add(t, "&lt;");
            break;
        case '>':
            text_add(t, "&gt;");
            break;
        default:
            reserve(t, 1);
            t->data[t->len++] = *s;
            t->data[t->len] = '\0';
        }
    }
}

static const struct {
    const char *open, *close;
    enum store_look look;
} elements[] = {
    { "<Latest>", "</Latest>", STORE_LATEST },
    { "<Committed>", "</Committed>", STORE_COMMITTED },
    { "<Uncommitted>", "</Uncommitted>", STORE_UNCOMMITTED },
};

/* Reads one entry at *at; false when what stands there is none. */
static bool one_entry(const char **at, struct store_wanted *out)
{
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        size_t len = strlen(elements[i].open);
        if (strncmp(*at, elements[i].open, len) != 0)
            continue;
        const char *id = *at + len;
        const char *end = strstr(id, elements[i].close);
        if (end == NULL || end == id || end - id > STORE_ID_MAX)
            return false;
        out->look = elements[i].look;
        memcpy(out->id, id, (size_t)(end - id));
        out->id[end - id] = '\0';
        *at = end + strlen(elements[i].close);
        return true;
    }
    return false;
}

bool xml_block_list(const char *xml, size_t len, struct store_wanted **out, size_t *count)
{
    static const char open[] = "<BlockList>", close[] = "</BlockList>";
    char *copy = store_alloc(len + 1);
    memcpy(copy, xml, len);
    *count = 0;
    *out = store_alloc((len / strlen("<Latest></Latest>") + 1) * sizeof **out);

    bool ok = false;
    const char *at = strstr(copy, open);
    if (at == NULL) {
        ok = strstr(copy, "<BlockList/>") != NULL || strstr(copy, "<BlockList />") != NULL;
    } else {
        at += strlen(open);
        for (;;) {
            at += strspn(at, " \t\r\n");
            ok = strncmp(at, close, strlen(close)) == 0;
            if (ok || !one_entry(&at, &(*out)[*count]))
                break;
            (*count)++;
        }
    }
    free(copy);
    if (!ok) {
        free(*out);
        *out = NULL;
    }
    return ok;
}
