#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "jose_priv.h"

static bool in_alphabet(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

enum cf_rc jose_split(const char *text, size_t len, size_t n, struct jose_part *out,
                      struct cf_err *e)
{
    size_t part = 0, from = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && in_alphabet(text[i]))
            continue;
        if (part == n || (i < len && text[i] != '.'))
            return CF_FAIL(e, CF_E_INPUT, "not a compact JOSE object of %zu parts", n);
        out[part++] = (struct jose_part){ .text = text + from, .len = i - from };
        from = i + 1;
    }
    return part == n ? CF_OK : CF_FAIL(e, CF_E_INPUT, "not a compact JOSE object of %zu parts", n);
}

enum cf_rc jose_decode(const struct jose_part *p, struct cf_buf *out, struct cf_err *e)
{
    return cf_unbase64(p->text, p->len, out, e);
}

enum cf_rc jose_encode(struct crypto_bytes in, struct cf_buf *out, struct cf_err *e)
{
    size_t old = out->len, size = CF_BASE64_SIZE(in.len);
    if (in.len > CF_BUF_MAX / 2)
        return CF_FAIL(e, CF_E_LIMIT, "too long");
    enum cf_rc rc = cf_buf_resize(out, old + size, e);
    if (rc != CF_OK)
        return rc;
    cf_base64url(in.p, in.len, (char *)out->data + old);
    return cf_buf_resize(out, old + strlen((char *)out->data + old), e);
}

enum cf_rc jose_header(const struct jose_part *p, struct json **out, struct cf_err *e)
{
    struct json_limits limits = { .bytes = JOSE_HEAD_MAX, .depth = 4 };
    struct cf_buf text = { 0 };
    *out = NULL;
    enum cf_rc rc = jose_decode(p, &text, e);
    if (rc == CF_OK)
        rc = json_parse(text.data, text.len, &limits, out, e);
    if (rc == CF_OK && json_type_of(*out) != JSON_OBJECT)
        rc = CF_FAIL(e, CF_E_INPUT, "a JOSE header must be an object");
    /* RFC 7515 4.1.11: what must be understood, and is not, refuses. zip would be a bomb. */
    if (rc == CF_OK && (json_member(*out, "crit") || json_member(*out, "zip")))
        rc = CF_FAIL(e, CF_E_INPUT, "JOSE header with crit or zip");
    if (rc != CF_OK) {
        json_free(*out);
        *out = NULL;
    }
    cf_buf_clear(&text);
    return rc;
}
