#include "body.h"

#include <string.h>

#include "base/text.h"

#define AGE_MAX_S (UINT64_C(100) * 366 * 86400)

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

enum cf_rc body_read_age(const char *flag, const char *text, uint64_t *seconds, struct cf_err *e)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    char digits[16] = "";
    size_t len = strlen(text);
    uint64_t unit = 1;
    for (size_t i = 0; len && i < sizeof units / sizeof units[0]; i++)
        if (text[len - 1] == units[i].letter)
            unit = units[i].seconds;
    if (len && (text[len - 1] < '0' || text[len - 1] > '9'))
        len--;
    if (len < sizeof digits)
        memcpy(digits, text, len);
    bool known = strspn(text, "0123456789smhd") == strlen(text);
    if (!known || cf_parse_u64(digits, AGE_MAX_S / unit, seconds, NULL) != CF_OK)
        return CF_FAIL(e, CF_E_INPUT, "%s %s: a time such as 90m, 26h or 30d is wanted", flag,
                       text);
    *seconds *= unit;
    return CF_OK;
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
