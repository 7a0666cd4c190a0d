#include "session/uri_priv.h"

#include <stdbool.h>
#include <string.h>

static size_t name_len(const char *p)
{
    return strcspn(p, "=;?&");
}

/* p11-kit keeps the last of two parts of one name without a word. */
static bool has_part_twice(const char *uri)
{
    for (const char *a = strchr(uri, ':'); a; a = strpbrk(a + 1, ";?&")) {
        size_t n = name_len(a + 1);
        for (const char *b = strpbrk(a + 1, ";?&"); n && b; b = strpbrk(b + 1, ";?&"))
            if (name_len(b + 1) == n && strncmp(a + 1, b + 1, n) == 0)
                return true;
    }
    return false;
}

static enum cf_rc judge(const char *text, P11KitUri *uri, struct cf_err *e)
{
    CK_ULONG attrs = 0;
    (void)p11_kit_uri_get_attributes(uri, &attrs);
    if (p11_kit_uri_any_unrecognized(uri))
        return CF_FAIL(e, CF_E_INPUT, "the token URI has a part that RFC 7512 does not know");
    if (has_part_twice(text))
        return CF_FAIL(e, CF_E_INPUT, "the token URI has a part twice");
    if (attrs)
        return CF_FAIL(e, CF_E_INPUT, "the token URI names an object; it must name a token only");
    if (p11_kit_uri_get_pin_value(uri) || p11_kit_uri_get_pin_source(uri))
        return CF_FAIL(e, CF_E_INPUT, "the token URI carries a PIN; give the PIN by its own way");
    if (p11_kit_uri_get_module_path(uri) || p11_kit_uri_get_module_name(uri))
        return CF_FAIL(e, CF_E_INPUT, "the token URI names a module; that has its own setting");
    return CF_OK;
}

enum cf_rc p11_uri_parse(const char *text, P11KitUri **out, struct cf_err *e)
{
    P11KitUri *uri = p11_kit_uri_new();
    *out = uri;
    if (!uri)
        return CF_FAIL(e, CF_E_LIMIT, "no memory for the token URI");
    int r = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
    if (r != P11_KIT_URI_OK)
        return CF_FAIL(e, CF_E_INPUT, "the token URI is malformed: %s", p11_kit_uri_message(r));
    return judge(text, uri, e);
}

enum cf_rc p11_uri_check(const char *text, struct cf_err *e)
{
    P11KitUri *uri = NULL;
    enum cf_rc rc = p11_uri_parse(text, &uri, e);
    p11_kit_uri_free(uri);
    return rc;
}
