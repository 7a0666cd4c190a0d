#include "support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "support/test.h"

/* Lines are cut in place once: name NUL value NUL. */
void vectors_read(struct vectors *v, const char *path)
{
    struct cf_err err = { 0 };
    char full[512];
    snprintf(full, sizeof full, "%s/%s", CF_VECTORS, path);
    *v = (struct vectors){ 0 };
    if (cf_file_read(full, CF_BUF_MAX, &v->text, &err) != CF_OK)
        fail_msg("%s", err.text);
    assert_int_equal(cf_buf_put(&v->text, "", 1, NULL), CF_OK);
    char *at = (char *)v->text.data;
    while (*at) {
        char *end = strchr(at, '\n');
        char *mark = strstr(at, " =");
        if (!end)
            break;
        *end = 0;
        if (*at != '#' && mark && mark < end)
            *mark = 0;
        at = end + 1;
    }
}

void vectors_clear(struct vectors *v)
{
    cf_buf_clear(&v->text);
}

/* The line behind the one at `at`; NULL at the end. Gives name and value; comments have none. */
static const char *next_line(const struct vectors *v, const char *at, const char **name,
                             const char **value)
{
    const char *end = (const char *)v->text.data + v->text.len - 1;
    if (at >= end)
        return NULL;
    *name = at;
    *value = NULL;
    if (*at != '#' && at[strlen(at) + 1] == '=' && at + strlen(at) + 1 < end) {
        *value = at + strlen(at) + 2;
        while (**value == ' ')
            ++*value;
        return *value + strlen(*value) + 1;
    }
    return at + strlen(at) + 1;
}

static const char *find(struct vectors *v, const char *name)
{
    const char *at = (const char *)v->text.data, *n = NULL, *value = NULL;
    while (at && (at = next_line(v, at, &n, &value)))
        if (value && strcmp(n, name) == 0)
            return value;
    return NULL;
}

bool vectors_has(struct vectors *v, const char *name)
{
    return find(v, name) != NULL;
}

const char *vectors_text(struct vectors *v, const char *name)
{
    const char *value = find(v, name);
    if (!value)
        fail_msg("no line %s", name);
    return value;
}

uint64_t vectors_uint(struct vectors *v, const char *name)
{
    return strtoull(vectors_text(v, name), NULL, 10);
}

void vectors_bytes(struct vectors *v, const char *name, struct cf_buf *out)
{
    const char *text = vectors_text(v, name);
    size_t at = out->len, len = strlen(text) / 2;
    assert_int_equal(cf_buf_resize(out, at + len, NULL), CF_OK);
    if (len)
        assert_int_equal(cf_unhex(text, out->data + at, len, NULL), CF_OK);
}

void vectors_fixed(struct vectors *v, const char *name, void *out, size_t len)
{
    const char *text = vectors_text(v, name);
    if (strlen(text) != 2 * len || cf_unhex(text, out, len, NULL) != CF_OK)
        fail_msg("%s is not %zu bytes", name, len);
}

void vectors_each(struct vectors *v, void (*each)(void *ctx, const char *name, const char *value),
                  void *ctx)
{
    const char *at = (const char *)v->text.data, *name = NULL, *value = NULL;
    while (at && (at = next_line(v, at, &name, &value)))
        if (value)
            each(ctx, name, value);
}
