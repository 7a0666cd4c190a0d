#include "keystore_priv.h"

#include <stdlib.h>
#include <string.h>

bool text_is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

static size_t characters(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80; /* UTF-8: all but continuation bytes */
    return n;
}

static bool tag_text_fits(const char *text)
{
    size_t len = strlen(text);
    return text_is_plain(text, len) && characters(text, len) <= KEYSTORE_TAG_CHARS;
}

enum cf_rc keystore_tags_add(struct keystore_tags *t, const char *name, const char *value,
                             struct cf_err *e)
{
    size_t at = 0;
    if (t->count >= KEYSTORE_TAGS_MAX)
        return BAD_PARAMETER(e, "A key has at most %d tags.", KEYSTORE_TAGS_MAX);
    if (!tag_text_fits(name) || !tag_text_fits(value))
        return BAD_PARAMETER(e, "A tag's name and value have at most %d printable characters.",
                             KEYSTORE_TAG_CHARS);
    while (at < t->count && strcmp(t->tag[at].name, name) < 0)
        at++;
    if (at < t->count && strcmp(t->tag[at].name, name) == 0)
        return BAD_PARAMETER(e, "A tag occurs twice.");
    struct keystore_tag new = { .name = strdup(name), .value = strdup(value) };
    if (!new.name || !new.value) {
        free(new.name);
        free(new.value);
        return CF_FAIL(e, CF_E_LIMIT, "no memory for a tag");
    }
    memmove(&t->tag[at + 1], &t->tag[at], (t->count - at) * sizeof t->tag[0]);
    t->tag[at] = new;
    t->count++;
    return CF_OK;
}

void keystore_tags_clear(struct keystore_tags *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->tag[i].name);
        free(t->tag[i].value);
    }
    *t = (struct keystore_tags){ 0 };
}

enum cf_rc tags_copy(const struct keystore_tags *from, struct keystore_tags *to, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    for (size_t i = 0; rc == CF_OK && i < from->count; i++)
        rc = keystore_tags_add(to, from->tag[i].name, from->tag[i].value, e);
    return rc;
}

void keystore_policy_clear(struct keystore_policy *p)
{
    cf_buf_clear(&p->data);
    *p = (struct keystore_policy){ 0 };
}

enum cf_rc policy_copy(const struct keystore_policy *from, struct keystore_policy *to,
                       struct cf_err *e)
{
    memcpy(to->content_type, from->content_type, sizeof to->content_type);
    to->immutable = from->immutable;
    return cf_buf_put(&to->data, from->data.data, from->data.len, e);
}

void version_clear(struct keystore_version *v)
{
    cf_buf_clear(&v->spki);
    keystore_tags_clear(&v->tags);
    keystore_policy_clear(&v->policy);
    *v = (struct keystore_version){ 0 };
}

void key_row_clear(struct key_row *r)
{
    cf_buf_clear(&r->rotation);
    *r = (struct key_row){ 0 };
}

void keystore_bundle_clear(struct keystore_bundle *b)
{
    if (!b)
        return;
    version_clear(&b->version);
    *b = (struct keystore_bundle){ 0 };
}

void keystore_page_clear(struct keystore_page *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        keystore_bundle_clear(&p->item[i]);
    free(p->item);
    *p = (struct keystore_page){ 0 };
}

void keystore_result_clear(struct keystore_result *r)
{
    hal_result_clear(&r->r);
    *r = (struct keystore_result){ 0 };
}
