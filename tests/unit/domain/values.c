#include "values.h"

#include "base/file.h"
#include "base/text.h"

struct cf_buf vector_file(const char *name)
{
    struct cf_err err;
    struct cf_buf out = { 0 };
    const char *text = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s/%s", CF_VECTORS, name);
    EXPECT_OK(cf_file_read(path, 4 << 20, &out, &err));
    EXPECT_OK(cf_buf_text(&out, &text, &err));
    return out;
}

struct cf_buf vector_value(const struct cf_buf *text, const char *name, int must)
{
    struct cf_buf out = { 0 };
    char head[64];
    const char *c = NULL;
    int n = snprintf(head, sizeof head, "\n%s = ", name);
    const char *at = strstr((const char *)text->data, head);
    if (must)
        assert_non_null(at);
    if (at) {
        at += n;
        assert_int_equal(cf_buf_put(&out, at, strcspn(at, "\n"), NULL), CF_OK);
    }
    assert_int_equal(cf_buf_text(&out, &c, NULL), CF_OK);
    return out;
}

struct cf_buf vector_hex(const struct cf_buf *text, const char *name)
{
    struct cf_err err;
    struct cf_buf hex = vector_value(text, name, 1), out = { 0 };
    EXPECT_OK(cf_buf_resize(&out, hex.len / 2, &err));
    if (hex.len)
        EXPECT_OK(cf_unhex((const char *)hex.data, out.data, out.len, &err));
    cf_buf_clear(&hex);
    return out;
}

enum cf_rc vector_expect(const struct cf_buf *text)
{
    static const struct {
        const char *name;
        enum cf_rc rc;
    } words[] = { { "ok", CF_OK },
                  { "corrupt", CF_E_CORRUPT },
                  { "auth", CF_E_AUTH },
                  { "limit", CF_E_LIMIT },
                  { "denied", CF_E_DENIED } };
    struct cf_buf v = vector_value(text, "expect", 1);
    enum cf_rc rc = CF_E_ARG;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp((const char *)v.data, words[i].name) == 0)
            rc = words[i].rc;
    assert_int_not_equal(rc, CF_E_ARG);
    cf_buf_clear(&v);
    return rc;
}

struct crypto_privkey *vector_officer(int i)
{
    struct cf_err err;
    char name[64];
    struct crypto_privkey *k = NULL;
    snprintf(name, sizeof name, "domain-v1/officers/officer%d.key", i);
    struct cf_buf pem = vector_file(name);
    EXPECT_OK(crypto_privkey_from_pem(crypto_bytes_of(pem.data, pem.len), NULL, &k, &err));
    cf_buf_clear(&pem);
    return k;
}
