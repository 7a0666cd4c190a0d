/* token probe: what a module can do, seen through the worker as cofferd sees it. */
#include "simple.h"

#include <ctype.h>
#include <stdio.h>

#include "base/file.h"
#include "base/secret.h"
#include "p11/p11.h"

#define PIN_MAX 256

enum cf_rc cli_read_pin(const char *path, struct cf_secret **out, struct cf_err *e)
{
    struct cf_buf file = { 0 };
    enum cf_rc rc = cf_file_read(path, PIN_MAX, &file, e);
    size_t len = file.len;
    while (rc == CF_OK && len && isspace(file.data[len - 1]))
        len--;
    if (rc == CF_OK && len == 0)
        rc = CF_FAIL(e, CF_E_INPUT, "%s holds no PIN", path);
    if (rc == CF_OK)
        rc = cf_secret_copy(file.data, len, out, e);
    cf_buf_clear(&file);
    return rc;
}

static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    { "label", offsetof(struct hal_token_info, label) },
    { "manufacturer", offsetof(struct hal_token_info, manufacturer) },
    { "model", offsetof(struct hal_token_info, model) },
    { "serial", offsetof(struct hal_token_info, serial) },
    { "module", offsetof(struct hal_token_info, module) },
    { "RFC 5649 wrapping", offsetof(struct hal_token_info, kwp_mechanism) },
    { "OAEP with SHA-256", offsetof(struct hal_token_info, oaep256) },
    { "template", offsetof(struct hal_token_info, template_rung) },
};

static enum cf_rc print_info(const struct hal_token_info *i, bool as_json, struct cf_err *e)
{
    struct body b;
    const char *text = NULL;
    body_begin(&b, e);
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
        const char *value = (const char *)i + texts[k].offset;
        json_put_text(&b.w, texts[k].name, value);
        if (!as_json)
            printf("%-20s %s\n", texts[k].name, value);
    }
    json_put_int(&b.w, "sessions", i->sessions);
    json_put_int(&b.w, "shortest HMAC key", i->hmac_min_bytes);
    if (!as_json)
        printf("%-20s %u\n%-20s %u bytes\nThis token can hold the keys of a Coffer appliance.\n",
               "sessions", i->sessions, "shortest HMAC key", i->hmac_min_bytes);
    enum cf_rc rc = body_end(&b);
    if (rc == CF_OK && as_json) {
        rc = cf_buf_text(&b.text, &text, e);
        if (rc == CF_OK)
            printf("%s\n", text);
    }
    cf_buf_clear(&b.text);
    return rc;
}

int verb_token_probe(const struct cli_args *a, struct cf_err *e)
{
    struct hal_token *token = NULL;
    struct hal_token_info info = { 0 };
    struct cf_secret *pin = NULL;
    enum cf_rc rc = cli_read_pin(a->text[OPT_PIN_FILE], &pin, e);
    if (rc == CF_OK) {
        const struct p11_config config = { .module = a->text[OPT_MODULE],
                                           .token_uri = a->text[OPT_TOKEN_URI],
                                           .pin = pin,
                                           .pin_confirmed = true };
        rc = p11_token_open(&config, &token, e);
    }
    if (rc == CF_OK)
        rc = hal_token_info(token, &info, e);
    if (rc == CF_OK)
        rc = print_info(&info, a->text[OPT_JSON] != NULL, e);
    hal_token_close(token);
    cf_secret_free(pin);
    return rc == CF_OK ? EXIT_DONE : cli_exit_of(e);
}
