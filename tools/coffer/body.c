#include "body.h"

#include <string.h>

#include "base/text.h"

void body_begin(struct body *b, struct cf_err *e)
{
    *b = (struct body){ 0 };
    json_wr_init(&b->w, &b->text, e);
    json_put_object(&b->w, NULL);
}

enum cf_rc body_end(struct body *b)
{
    json_close(&b->w);
    return json_wr_end(&b->w);
}

enum cf_rc body_check_name(const char *name, struct cf_err *e)
{
    size_t len = strspn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");
    if (len == 0 || name[len] || len > 127)
        return CF_FAIL(e, CF_E_INPUT, "'%s' is no key name: 1 to 127 of 0-9, a-z, A-Z and -", name);
    return CF_OK;
}

enum cf_rc body_read_bool(const char *flag, const char *text, bool *out, struct cf_err *e)
{
    *out = strcmp(text, "true") == 0;
    if (*out || strcmp(text, "false") == 0)
        return CF_OK;
    return CF_FAIL(e, CF_E_INPUT, "%s must be true or false, not '%s'", flag, text);
}

enum cf_rc body_put_number(struct body *b, const char *member, const char *flag, const char *text,
                           struct cf_err *e)
{
    uint64_t n = 0;
    enum cf_rc rc = cf_parse_u64(text, (uint64_t)JSON_INT_MAX, &n, e);
    if (rc != CF_OK)
        return cf_err_ctx(e, rc, "%s", flag);
    json_put_int(&b->w, member, (int64_t)n);
    return CF_OK;
}

enum cf_rc body_put_tags(struct body *b, const struct cli_list *tags, struct cf_err *e)
{
    json_put_object(&b->w, "tags");
    for (size_t i = 0; i < tags->count; i++) {
        char name[1100];
        const char *equals = strchr(tags->item[i], '=');
        size_t len = equals ? (size_t)(equals - tags->item[i]) : 0;
        /* az: one "" stands for no tags at all. */
        if (tags->count == 1 && tags->item[i][0] == 0)
            break;
        if (len == 0 || len >= sizeof name)
            return CF_FAIL(e, CF_E_INPUT, "--tags %s: NAME=VALUE is wanted", tags->item[i]);
        memcpy(name, tags->item[i], len);
        name[len] = 0;
        json_put_text(&b->w, name, equals + 1);
    }
    json_close(&b->w);
    return CF_OK;
}
