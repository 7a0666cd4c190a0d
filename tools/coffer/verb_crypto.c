/* key sign, verify, encrypt, decrypt. Values are base64 in and out. */
#include "simple.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* A command-line value, either base64 alphabet, as the unpadded base64url of the wire. */
static enum cf_rc put_base64(struct body *b, const char *member, const char *text, struct cf_err *e)
{
    struct cf_buf bytes = { 0 };
    enum cf_rc rc = cf_unbase64(text, strlen(text), &bytes, e);
    if (rc == CF_OK)
        json_put_base64url(&b->w, member, bytes.data, bytes.len);
    cf_buf_clear(&bytes);
    return rc;
}

static enum cf_rc print_value(const struct json *v, struct cf_err *e)
{
    (void)e;
    printf("%s\n", simple_text(v, "value"));
    return CF_OK;
}

struct operation {
    const char *name;
    const char *in_member; /* what the first value is called on the wire */
    enum cli_option in;
    bool verify;
};

/* The version in use: the operations want one in the path. */
static enum cf_rc path_of(const struct cli_args *a, const char *operation, char *out,
                          struct cf_err *e)
{
    const char *version = a->text[OPT_VERSION] ? a->text[OPT_VERSION] : "";
    enum cf_rc rc = body_check_name(a->text[OPT_NAME], e);
    if (rc == CF_OK && *version)
        rc = body_check_name(version, e);
    if (rc == CF_OK)
        snprintf(out, 256, "/keys/%s/%.40s%s%s", a->text[OPT_NAME], version, *version ? "/" : "",
                 operation);
    return rc;
}

static int operate(const struct cli_args *a, const struct operation *o, simple_print *print,
                   struct cf_err *e)
{
    struct body b;
    char path[256];
    body_begin(&b, e);
    json_put_text(&b.w, "alg", a->text[OPT_ALGORITHM]);
    enum cf_rc rc = path_of(a, o->name, path, e);
    if (rc == CF_OK)
        rc = put_base64(&b, o->in_member, a->text[o->in], e);
    if (rc == CF_OK && o->verify)
        rc = put_base64(&b, "value", a->text[OPT_SIGNATURE], e);
    if (rc == CF_OK)
        rc = body_end(&b);
    if (rc == CF_OK)
        return simple_call(a, "POST", path, &b, print, e);
    cf_buf_clear(&b.text);
    return EXIT_USAGE;
}

int verb_key_sign(const struct cli_args *a, struct cf_err *e)
{
    const struct operation o = { "sign", "value", OPT_DIGEST, false };
    return operate(a, &o, print_value, e);
}

static bool valid(const struct json *v)
{
    bool yes = false;
    return json_bool(json_member(v, "value"), &yes) && yes;
}

static enum cf_rc judge(const struct json *v, struct cf_err *e)
{
    if (!valid(v))
        return CF_FAIL(e, CF_E_AUTH, "the signature is not valid");
    printf("valid\n");
    return CF_OK;
}

/* In JSON the answer itself says it, and the exit code too. */
static enum cf_rc judge_json(const struct json *v, struct cf_err *e)
{
    cli_print_json(v);
    e->rc = valid(v) ? CF_OK : CF_E_AUTH;
    return e->rc;
}

int verb_key_verify(const struct cli_args *a, struct cf_err *e)
{
    const struct operation o = { "verify", "digest", OPT_DIGEST, true };
    struct cli_args plain = *a;
    plain.text[OPT_JSON] = NULL;
    int code = operate(&plain, &o, a->text[OPT_JSON] ? judge_json : judge, e);
    if (e->rc != CF_E_AUTH || e->src != CF_SRC_NONE)
        return code;
    if (a->text[OPT_JSON])
        *e = (struct cf_err){ 0 }; /* said already */
    return EXIT_NOT_VALID;
}

int verb_key_encrypt(const struct cli_args *a, struct cf_err *e)
{
    const struct operation o = { "encrypt", "value", OPT_VALUE, false };
    return operate(a, &o, print_value, e);
}

int verb_key_decrypt(const struct cli_args *a, struct cf_err *e)
{
    const struct operation o = { "decrypt", "value", OPT_VALUE, false };
    return operate(a, &o, print_value, e);
}
