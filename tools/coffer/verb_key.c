/* key …: create, look, change, delete. */
#include "import.h"
#include "simple.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

#define PEM_MAX 32768

/* "/keys/NAME/tail"; the name is checked. */
static enum cf_rc key_path(const struct cli_args *a, const char *head, const char *tail, char *out,
                           struct cf_err *e)
{
    enum cf_rc rc = body_check_name(a->text[OPT_NAME], e);
    if (rc == CF_OK)
        snprintf(out, 256, "/%s/%s%s", head, a->text[OPT_NAME], tail);
    return rc;
}

static enum cf_rc print_kid(const struct json *key, struct cf_err *e)
{
    (void)e;
    printf("%s\n", simple_text(json_member(key, "key"), "kid"));
    return CF_OK;
}

static enum cf_rc print_all(const struct json *v, struct cf_err *e)
{
    (void)e;
    cli_print_json(v);
    return CF_OK;
}

static void put_ops(const struct cli_args *a, struct body *b)
{
    const struct cli_list *ops = a->list[OPT_OPS];
    if (!ops)
        return;
    json_put_array(&b->w, "key_ops");
    for (size_t i = 0; i < ops->count; i++)
        json_put_text(&b->w, NULL, ops->item[i]);
    json_close(&b->w);
}

/* attributes and tags, as create, import and set-attributes share them. */
static enum cf_rc put_attributes(const struct cli_args *a, struct body *b, struct cf_err *e)
{
    enum cf_rc rc = CF_OK;
    bool yes = false;
    json_put_object(&b->w, "attributes");
    if (a->text[OPT_ENABLED]) {
        rc = body_read_bool("--enabled", a->text[OPT_ENABLED], &yes, e);
        json_put_bool(&b->w, "enabled", yes);
    } else if (a->text[OPT_DISABLED]) {
        rc = body_read_bool("--disabled", a->text[OPT_DISABLED], &yes, e);
        json_put_bool(&b->w, "enabled", !yes);
    }
    if (rc == CF_OK && a->text[OPT_EXPIRES])
        rc = body_put_number(b, "exp", "--expires", a->text[OPT_EXPIRES], e);
    if (rc == CF_OK && a->text[OPT_NOT_BEFORE])
        rc = body_put_number(b, "nbf", "--not-before", a->text[OPT_NOT_BEFORE], e);
    json_close(&b->w);
    if (rc == CF_OK && a->list[OPT_TAGS])
        rc = body_put_tags(b, a->list[OPT_TAGS], e);
    return rc;
}

int verb_key_create(const struct cli_args *a, struct cf_err *e)
{
    struct body b;
    char path[256];
    body_begin(&b, e);
    json_put_text(&b.w, "kty", a->text[OPT_KTY]);
    enum cf_rc rc = key_path(a, "keys", "/create", path, e);
    if (rc == CF_OK && a->text[OPT_SIZE])
        rc = body_put_number(&b, "key_size", "--size", a->text[OPT_SIZE], e);
    if (a->text[OPT_CURVE])
        json_put_text(&b.w, "crv", a->text[OPT_CURVE]);
    put_ops(a, &b);
    if (rc == CF_OK)
        rc = put_attributes(a, &b, e);
    if (rc == CF_OK)
        rc = body_end(&b);
    if (rc == CF_OK)
        return simple_call(a, "POST", path, &b, print_kid, e);
    cf_buf_clear(&b.text);
    return EXIT_USAGE;
}

int verb_key_import(const struct cli_args *a, struct cf_err *e)
{
    struct body b;
    char path[256];
    struct cf_buf pem = { 0 };
    body_begin(&b, e);
    enum cf_rc rc = key_path(a, "keys", "", path, e);
    if (rc == CF_OK)
        rc = cf_file_read(a->text[OPT_PEM_FILE], PEM_MAX, &pem, e);
    if (rc == CF_OK)
        rc = import_put_jwk(&b, &pem, a->list[OPT_OPS], e);
    cf_buf_clear(&pem);
    if (rc == CF_OK)
        rc = put_attributes(a, &b, e);
    if (rc == CF_OK)
        rc = body_end(&b);
    if (rc == CF_OK)
        return simple_call(a, "PUT", path, &b, print_kid, e);
    cf_buf_clear(&b.text);
    return EXIT_USAGE;
}

int verb_key_show(const struct cli_args *a, struct cf_err *e)
{
    char path[256], tail[64] = "";
    if (a->text[OPT_VERSION]) {
        if (body_check_name(a->text[OPT_VERSION], e) != CF_OK)
            return EXIT_USAGE;
        snprintf(tail, sizeof tail, "/%.40s", a->text[OPT_VERSION]);
    }
    if (key_path(a, "keys", tail, path, e) != CF_OK)
        return EXIT_USAGE;
    return simple_call(a, "GET", path, NULL, print_all, e);
}

static enum cf_rc key_row(const struct json *item, struct cf_buf *table, struct cf_err *e)
{
    bool enabled = true;
    const struct json *attributes = json_member(item, "attributes");
    json_bool(json_member(attributes, "enabled"), &enabled);
    enum cf_rc rc = cf_buf_printf(table, e, "%s\t%s\t", simple_text(item, "kid"),
                                  enabled ? "enabled" : "disabled");
    const struct json *tags = json_member(item, "tags");
    for (const struct json *t = json_first(tags); rc == CF_OK && t; t = json_next(t))
        rc = cf_buf_printf(table, e, "%s=%s ", json_name(t), json_text(t) ? json_text(t) : "");
    return rc == CF_OK ? cf_buf_put_text(table, "\n", e) : rc;
}

int verb_key_list(const struct cli_args *a, struct cf_err *e)
{
    return simple_list(a, "/keys", "KEY\tSTATE\tTAGS\n", key_row, e);
}

int verb_key_list_versions(const struct cli_args *a, struct cf_err *e)
{
    char path[256];
    if (key_path(a, "keys", "/versions", path, e) != CF_OK)
        return EXIT_USAGE;
    return simple_list(a, path, "VERSION\tSTATE\tTAGS\n", key_row, e);
}

static enum cf_rc deleted_row(const struct json *item, struct cf_buf *table, struct cf_err *e)
{
    int64_t deleted = 0, purge = 0;
    json_int(json_member(item, "deletedDate"), &deleted);
    json_int(json_member(item, "scheduledPurgeDate"), &purge);
    return cf_buf_printf(table, e, "%s\t%lld\t%lld\n", simple_text(item, "recoveryId"),
                         (long long)deleted, (long long)purge);
}

int verb_key_list_deleted(const struct cli_args *a, struct cf_err *e)
{
    return simple_list(a, "/deletedkeys", "DELETED KEY\tDELETED\tPURGED AT\n", deleted_row, e);
}

int verb_key_set_attributes(const struct cli_args *a, struct cf_err *e)
{
    struct body b;
    char path[256], tail[64];
    snprintf(tail, sizeof tail, "/%.40s", a->text[OPT_VERSION] ? a->text[OPT_VERSION] : "");
    body_begin(&b, e);
    put_ops(a, &b);
    enum cf_rc rc = key_path(a, "keys", tail, path, e);
    if (rc == CF_OK)
        rc = put_attributes(a, &b, e);
    if (rc == CF_OK)
        rc = body_end(&b);
    if (rc == CF_OK)
        return simple_call(a, "PATCH", path, &b, print_kid, e);
    cf_buf_clear(&b.text);
    return EXIT_USAGE;
}

static int plain(const struct cli_args *a, const char *method, const char *head, const char *tail,
                 struct cf_err *e)
{
    char path[256];
    if (key_path(a, head, tail, path, e) != CF_OK)
        return EXIT_USAGE;
    return simple_call(a, method, path, NULL, NULL, e);
}

int verb_key_delete(const struct cli_args *a, struct cf_err *e)
{
    return plain(a, "DELETE", "keys", "", e);
}

int verb_key_recover(const struct cli_args *a, struct cf_err *e)
{
    return plain(a, "POST", "deletedkeys", "/recover", e);
}

int verb_key_purge(const struct cli_args *a, struct cf_err *e)
{
    return plain(a, "DELETE", "deletedkeys", "", e);
}
